//! Appends: who may append, where, and what counts as the same append again.
//!
//! | expected | the stream was never written | live | deleted | has a tombstone |
//! |---|---|---|---|---|
//! | any | yes | yes | begins again | no |
//! | no stream | yes | no | begins again | no |
//! | exists | if it has metadata | yes | no, as if it had a tombstone | no |
//! | exactly n | no | if n is its last | if n is its last, begins again | no |
//!
//! Nearly all streams have no metadata, so that the first attempt is made in
//! that hope, without a look: one append, refused by the store if the hope was
//! false. Only then is the stream looked at.
//!
//! The same ids again are answered with the first receipt, whatever the data:
//! that is the protocol's rule, and the store's own is narrower. What stands in one
//! append more than once is recorded as often: see [`copies`].

use std::future::Future;
use std::sync::Arc;

use factum_core::{
    Append, AppendError, AppendFuture, Appended, EventStore, ExpectedRevision, NewEvent, Position, Revision,
    Uuid,
};
use factum_wire::Failure;

use crate::blocking::blocking;
use crate::failure;
use crate::system::correlation;
use crate::system::name::refuse_change;

use super::copies;
use super::metadata::StreamMetadata;
use super::named::Named;
use super::repeated::{self, Known};
use super::standing::{Standing, State};
use super::turn::Turn;

use ExpectedRevision::{Any, Exact, Exists, NoStream};

/// Events for one stream.
#[derive(Debug, Clone)]
pub struct Write {
    #[allow(missing_docs)]
    pub named: Named,
    #[allow(missing_docs)]
    pub expected: ExpectedRevision,
    #[allow(missing_docs)]
    pub events: Vec<NewEvent>,
}

/// The receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The stream's last revision; `None` if it has no event.
    pub revision: Option<Revision>,
    /// The place of the last event; `None` if there was nothing to record.
    pub position: Option<Position>,
}

/// Why nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The stream stands here instead.
    WrongExpected(Option<Revision>),
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Write {
    /// Makes of what a client sent what the store is to have, and refuses what nobody
    /// may write.
    pub fn prepare(mut self) -> Result<Self, Failure> {
        refuse_change(&self.named)?;
        copies::apart(&mut self.events);
        self.events = self.events.into_iter().map(correlation::tagged).collect();
        Ok(self)
    }

    /// Whether a first attempt can be made without a look.
    pub fn is_hopeful(&self) -> bool {
        !self.named.is_metadata && !self.events.is_empty()
    }

    /// The first attempt with these events: an append that holds only if its stream
    /// has no metadata.
    pub fn hope(&self, events: Vec<NewEvent>) -> Append {
        let append = Append::to(self.named.stream.clone(), self.expected, events);
        append.expecting(self.named.metadata.clone(), NoStream)
    }

    /// The first attempt, under way. The events are only lent.
    fn attempt(&mut self, store: &dyn EventStore) -> AppendFuture {
        let events = std::mem::take(&mut self.events);
        let mut append = self.hope(events);
        let appending = store.append_async(&append);
        if let Some(lent) = append.writes.first_mut() {
            self.events = std::mem::take(&mut lent.events);
        }
        appending
    }
}

/// What the store's answer to the first attempt means.
#[derive(Debug)]
pub enum Heard {
    /// What the client is told.
    Answer(Result<Written, Refusal>),
    /// The stream has to be looked at: what was hoped for is not so, or it may be
    /// this append that was recorded before.
    LookFirst(Option<Written>),
}

impl Heard {
    /// Of what the store said.
    pub fn of(answer: Result<Appended, AppendError>) -> Self {
        match answer {
            Ok(appended) if appended.repeated => Self::LookFirst(Some(Written::of(&appended, 0))),
            Ok(appended) => Self::Answer(Ok(Written::of(&appended, 0))),
            Err(
                AppendError::Conflict { .. }
                | AppendError::PartlyRepeated { .. }
                | AppendError::IdReused { .. },
            ) => Self::LookFirst(None),
            Err(error) => Self::Answer(Err(failure::of_append(error).into())),
        }
    }
}

/// Appends. What can be handed over to the store without a look is handed over
/// by this call, not by the first poll, so that the order of calls is kept.
pub fn write(
    store: Arc<dyn EventStore>,
    write: Write,
) -> impl Future<Output = Result<Written, Refusal>> + Send + 'static {
    let begun = write.prepare().map(|mut write| {
        let appending = write.is_hopeful().then(|| write.attempt(&*store));
        (write, appending)
    });
    async move {
        let (write, appending) = begun?;
        let heard = match appending {
            Some(appending) => Heard::of(appending.await),
            None => Heard::LookFirst(None),
        };
        match heard {
            Heard::Answer(answer) => answer,
            // Rare and large: it must not make every append so.
            Heard::LookFirst(repeated) => {
                Box::pin(deliberate(store, Arc::new(write), repeated, Turn::alone())).await
            }
        }
    }
}

/// What is done where the first attempt was in vain, or cannot be made, behind the
/// appends that this turn is behind: looks, plans, and tries, until nobody comes
/// between.
pub async fn deliberate(
    store: Arc<dyn EventStore>,
    write: Arc<Write>,
    repeated: Option<Written>,
    mut turn: Turn,
) -> Result<Written, Refusal> {
    let mut is_new = false;
    loop {
        turn.take_back();
        let ahead = turn.comes().await;
        let (looking, at) = (Arc::clone(&write), Arc::clone(&store));
        let standing = blocking(move || Standing::look(&*at, &looking.named)).await?;
        if let Some(written) = repeated {
            return confirm(&standing, &write, written);
        }
        let is_plain = !write.named.is_metadata && matches!(standing.state, State::Live(_));
        let planned = plan(&standing, &write, is_new);
        if let Some(metadata) = ahead {
            let follows = is_plain && matches!(planned, Ok(Plan::Append(_)));
            if !follows || metadata != standing.metadata_expected() {
                // What the one ahead does was not there to be seen.
                turn.comes_alone().await;
                continue;
            }
        }
        if !is_plain && let Some(written) = recorded_before(&store, &write, &standing).await? {
            return Ok(written);
        }
        let plan = match planned? {
            Plan::Answer(written) => return Ok(written),
            Plan::Append(plan) => plan,
        };
        let appending = store.append_async(&plan.append);
        if is_plain {
            turn.hand_over(standing.metadata_expected());
        }
        match appending.await {
            Ok(appended) => return Ok(plan.answer.unwrap_or_else(|| Written::of(&appended, plan.more))),
            Err(AppendError::Conflict { stream, actual, .. }) => {
                is_new = false;
                if !plan.looks_again && stream == *write.named.target() {
                    if ahead.is_none() {
                        return Err(Refusal::WrongExpected(actual));
                    }
                    // The one ahead may only have to be tried again.
                    turn.comes_alone().await;
                }
            }
            Err(AppendError::PartlyRepeated { id, .. }) if !is_new && !is_first(&write, id) => {
                // Where the first id is new, so is the append.
                is_new = true;
            }
            Err(error) => return judge_ids(&store, &write, &standing, error).await,
        }
    }
}

fn is_first(write: &Write, id: Uuid) -> bool {
    write.events.first().is_some_and(|first| first.id == id)
}

/// What the ids of an append say where the plan does not ask the store for
/// them, because it goes by the revision at which the stream was seen: whether
/// it was recorded before.
async fn recorded_before(
    store: &Arc<dyn EventStore>,
    write: &Arc<Write>,
    standing: &Standing,
) -> Result<Option<Written>, Refusal> {
    if write.events.is_empty() || standing.state == State::Buried {
        return Ok(None);
    }
    if write.named.is_metadata {
        return match write.expected {
            Any | Exists => match known(store, write).await? {
                Known::All(written) => Ok(Some(written)),
                Known::Partly => Err(Refusal::WrongExpected(standing.metadata_at)),
                Known::New => Ok(None),
            },
            NoStream | Exact(_) => Ok(None),
        };
    }
    // It has metadata, so that this can only be refused: what by is the question.
    let again = write.hope(write.events.clone());
    match store.append_async(&again).await {
        Ok(appended) => confirm(standing, write, Written::of(&appended, 0)).map(Some),
        Err(AppendError::Conflict { .. }) if write.expected == NoStream => {
            let (looking, at) = (Arc::clone(write), Arc::clone(store));
            match blocking(move || repeated::begins_with(&*at, &looking)).await? {
                true => Err(Refusal::WrongExpected(standing.last)),
                false => Ok(None),
            }
        }
        Err(AppendError::Conflict { .. }) => Ok(None),
        Err(AppendError::PartlyRepeated { id, .. }) if !is_first(write, id) => Ok(None),
        Err(error) => judge_ids(store, write, standing, error).await.map(Some),
    }
}

/// The store knows some of the ids: is it the same append to the protocol?
async fn judge_ids(
    store: &Arc<dyn EventStore>,
    write: &Arc<Write>,
    standing: &Standing,
    error: AppendError,
) -> Result<Written, Refusal> {
    let side_by_side = match error {
        AppendError::IdReused { revision, id, .. } => {
            let (looking, at) = (Arc::clone(write), Arc::clone(store));
            blocking(move || repeated::same_ids(&*at, looking.named.target(), &looking.events, revision, id))
                .await?
        }
        AppendError::PartlyRepeated { .. } => None,
        error => return Err(failure::of_append(error).into()),
    };
    match (side_by_side, write.expected) {
        (Some(written), _) => confirm(standing, write, written),
        (None, Any | Exists) => match known(store, write).await? {
            Known::All(written) => confirm(standing, write, written),
            Known::Partly | Known::New => Err(Refusal::WrongExpected(standing.last)),
        },
        (None, NoStream | Exact(_)) => Err(Refusal::WrongExpected(standing.last)),
    }
}

async fn known(store: &Arc<dyn EventStore>, write: &Arc<Write>) -> Result<Known, Failure> {
    let (looking, at) = (Arc::clone(write), Arc::clone(store));
    blocking(move || repeated::known(&*at, &looking)).await
}

/// A repetition, unless what became of the stream forbids even that.
fn confirm(standing: &Standing, write: &Write, written: Written) -> Result<Written, Refusal> {
    match standing.state {
        State::Buried => Err(write.named.deleted().into()),
        State::Deleted(_) if write.expected == Exists && !write.named.is_metadata => {
            Err(write.named.deleted().into())
        }
        // As in KurrentDB, which has one place for an id there: its first.
        _ if matches!(write.expected, Any | Exists) => Ok(written.back(copies::behind(&write.events))),
        _ => Ok(written),
    }
}

impl Written {
    /// So many events before.
    fn back(self, events: u64) -> Self {
        let Self { revision, position } = self;
        Self {
            revision: revision.map(|at| Revision::new(at.get().saturating_sub(events))),
            position: position.map(|at| Position::new(at.get().saturating_sub(events))),
        }
    }

    /// From the store's receipt, of which the last `more` events of the first
    /// stream, and all of a second one, are ours and not the client's.
    fn of(appended: &Appended, more: u64) -> Self {
        let revision = appended.revision().map(|last| Revision::new(last.get().saturating_sub(more)));
        let others = appended.revisions.len().saturating_sub(1) as u64;
        let position =
            appended.last_position().map(|last| Position::new(last.get().saturating_sub(more + others)));
        Self { revision, position }
    }
}

/// What to do about an append, as the stream stands.
#[derive(Debug)]
pub enum Plan {
    /// There is nothing to record.
    Answer(Written),
    /// There is.
    Append(Planned),
}

/// An append that holds only as long as the stream stands as it did.
#[derive(Debug)]
pub struct Planned {
    #[allow(missing_docs)]
    pub append: Append,
    /// Whether a conflict on the stream says only that it has moved on.
    pub looks_again: bool,
    /// How many events of ours stand behind the client's in the same stream.
    pub more: u64,
    /// The answer, if it does not follow from the receipt.
    pub answer: Option<Written>,
}

/// Decides, by the table of this module. With `is_new`, the ids are known to be
/// those of a new append though some of them were seen.
pub fn plan(standing: &Standing, write: &Write, is_new: bool) -> Result<Plan, Refusal> {
    if standing.state == State::Buried {
        return Err(write.named.deleted().into());
    }
    if write.named.is_metadata {
        return plan_metadata(standing, write);
    }
    let actual = standing.last;
    let wrong = || Refusal::WrongExpected(actual);
    let Named { stream, metadata, .. } = write.named.clone();
    let events = || write.events.iter().cloned();
    let metadata_stays = standing.metadata_expected();
    match &standing.state {
        State::Deleted(before) => {
            let allowed = match write.expected {
                Any | NoStream => true,
                Exists => return Err(write.named.deleted().into()),
                Exact(revision) => Some(revision) == actual,
            };
            if !allowed {
                return Err(wrong());
            }
            let again = before.begun_again(standing.next())?;
            if write.events.is_empty() {
                let append = Append::to(metadata, metadata_stays, [again]);
                return Ok(Plan::Append(Planned {
                    append: append.expecting(stream, standing.last_expected()),
                    looks_again: true,
                    more: 0,
                    answer: Some(Written { revision: actual, position: None }),
                }));
            }
            let append = Append::to(stream, standing.last_expected(), events());
            Ok(Plan::Append(Planned {
                append: append.and_to(metadata, metadata_stays, [again]),
                looks_again: true,
                more: 0,
                answer: None,
            }))
        }
        _ => {
            let only_metadata = actual.is_none() && standing.metadata_at.is_some();
            if write.events.is_empty() {
                let met = write.expected.is_met_by(actual) || write.expected == Exists && only_metadata;
                let answer = Written { revision: actual, position: None };
                return if met { Ok(Plan::Answer(answer)) } else { Err(wrong()) };
            }
            let (expected, looks_again) = match write.expected {
                Exists if only_metadata => (NoStream, true),
                Exists if actual.is_none() => return Err(wrong()),
                Any | Exists if is_new => (standing.last_expected(), true),
                other => (other, false),
            };
            let append = Append::to(stream, expected, events()).expecting(metadata, metadata_stays);
            Ok(Plan::Append(Planned { append, looks_again, more: 0, answer: None }))
        }
    }
}

/// Metadata is an ordinary stream, except that it ends with a tombstone, and
/// that writing it begins a deleted stream again.
fn plan_metadata(standing: &Standing, write: &Write) -> Result<Plan, Refusal> {
    let actual = standing.metadata_at;
    let Named { stream, metadata, .. } = write.named.clone();
    let Some(last) = write.events.last() else {
        let answer = Written { revision: actual, position: None };
        return match write.expected.is_met_by(actual) {
            true => Ok(Plan::Answer(answer)),
            false => Err(Refusal::WrongExpected(actual)),
        };
    };
    let (expected, looks_again) = match write.expected {
        Exists if actual.is_none() => return Err(Refusal::WrongExpected(None)),
        Any | Exists => (standing.metadata_expected(), true),
        other => (other, false),
    };
    let says = StreamMetadata::of_new(last);
    let mut events = write.events.clone();
    if matches!(standing.state, State::Deleted(_)) && !says.deletes() {
        events.push(says.begun_again(standing.next())?);
        let append = Append::to(metadata, expected, events).expecting(stream, standing.last_expected());
        return Ok(Plan::Append(Planned { append, looks_again, more: 1, answer: None }));
    }
    let append = Append::to(metadata, expected, events);
    Ok(Plan::Append(Planned { append, looks_again, more: 0, answer: None }))
}
