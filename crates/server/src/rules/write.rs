//! Appends: who may append, where, and what counts as the same append again.
//!
//! | expected | the stream was never written | live | deleted | has a tombstone |
//! |---|---|---|---|---|
//! | any | yes | yes | begins again | no |
//! | no stream | yes | no | begins again | no |
//! | exists | if it has metadata | yes | no | no |
//! | exactly n | no | if n is its last | if n is its last, begins again | no |
//!
//! Nearly all streams have no metadata, so that the first attempt is made in
//! that hope, without a look: one append, refused by the store if the hope was
//! false. Only then is the stream looked at.
//!
//! The same ids again are answered with the first receipt, whatever the data:
//! that is the protocol's rule, and the store's own is narrower.

use std::future::Future;
use std::sync::Arc;

use factum_core::{
    Append, AppendError, Appended, EventStore, ExpectedRevision, NewEvent, Position, Read, ReadError,
    RecordedEvent, Revision, Start, StreamName, Uuid,
};
use factum_wire::Failure;

use crate::blocking::blocking;
use crate::failure;

use super::metadata::StreamMetadata;
use super::named::Named;
use super::standing::{Standing, State};

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

/// Appends. What can be handed over to the store without a look is handed over
/// by this call, not by the first poll, so that the order of calls is kept.
pub fn write(
    store: Arc<dyn EventStore>,
    write: Write,
) -> impl Future<Output = Result<Written, Refusal>> + Send + 'static {
    let hopeful = (!write.named.is_metadata && !write.events.is_empty()).then(|| {
        let append = Append::to(write.named.stream.clone(), write.expected, write.events.iter().cloned());
        store.append_async(append.expecting(write.named.metadata.clone(), NoStream))
    });
    async move {
        let mut repeated = None;
        if let Some(appending) = hopeful {
            match appending.await {
                Ok(appended) if appended.repeated => repeated = Some(Written::of(&appended, 0)),
                Ok(appended) => return Ok(Written::of(&appended, 0)),
                Err(
                    AppendError::Conflict { .. }
                    | AppendError::PartlyRepeated { .. }
                    | AppendError::IdReused { .. },
                ) => {}
                Err(error) => return Err(failure::of_append(error).into()),
            }
        }
        deliberate(store, Arc::new(write), repeated).await
    }
}

/// Looks, plans, and tries, until nobody comes between.
async fn deliberate(
    store: Arc<dyn EventStore>,
    write: Arc<Write>,
    repeated: Option<Written>,
) -> Result<Written, Refusal> {
    let mut is_new = false;
    loop {
        let (looking, at) = (Arc::clone(&write), Arc::clone(&store));
        let standing = blocking(move || Standing::look(&*at, &looking.named)).await?;
        if let Some(written) = repeated {
            return confirm(&standing, &write, written);
        }
        if write.named.is_metadata && matches!(write.expected, Any | Exists) {
            let (looking, at) = (Arc::clone(&write), Arc::clone(&store));
            if let Some(written) = blocking(move || stands_last(&*at, &looking)).await?
                && standing.state != State::Buried
            {
                return Ok(written);
            }
        }
        let plan = match plan(&standing, &write, is_new)? {
            Plan::Answer(written) => return Ok(written),
            Plan::Append(plan) => plan,
        };
        match store.append_async(plan.append).await {
            Ok(appended) => return Ok(plan.answer.unwrap_or_else(|| Written::of(&appended, plan.more))),
            Err(AppendError::Conflict { stream, actual, .. }) => {
                if !plan.looks_again && stream == *write.named.target() {
                    return Err(Refusal::WrongExpected(actual));
                }
            }
            Err(AppendError::PartlyRepeated { id, .. }) => {
                // Known from the first one on, and then not: neither the same
                // nor another. Where the first one is new, so is the append.
                if is_new || write.events.first().is_none_or(|first| first.id == id) {
                    return Err(Refusal::WrongExpected(standing.last));
                }
                is_new = true;
            }
            Err(AppendError::IdReused { revision, id, .. }) => {
                let looking = Arc::clone(&write);
                let at = Arc::clone(&store);
                let same =
                    blocking(move || same_ids(&*at, looking.named.target(), &looking.events, revision, id))
                        .await?;
                return same.ok_or(Refusal::WrongExpected(standing.last));
            }
            Err(error) => return Err(failure::of_append(error).into()),
        }
    }
}

/// A repetition, unless what became of the stream forbids even that.
fn confirm(standing: &Standing, write: &Write, written: Written) -> Result<Written, Refusal> {
    match standing.state {
        State::Buried => Err(write.named.deleted().into()),
        State::Deleted(_) if write.expected == Exists => Err(Refusal::WrongExpected(standing.last)),
        _ => Ok(written),
    }
}

impl Written {
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
                Exists => false,
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

/// Whether exactly these ids stand at the end of the stream already.
fn stands_last(store: &dyn EventStore, write: &Write) -> Result<Option<Written>, Failure> {
    let count = write.events.len() as u64;
    if count == 0 {
        return Ok(None);
    }
    let read = Read::stream(write.named.target().clone()).backward().limit(count);
    let last_first = collect(store, read)?;
    let same = last_first.len() == write.events.len()
        && last_first.iter().rev().zip(&write.events).all(|(stored, new)| stored.id == new.id);
    Ok(last_first.first().filter(|_| same).map(written_at))
}

/// The receipt of the first time, if the ids are the same and only what they
/// stand for differs. `id` was found at `revision`.
pub fn same_ids(
    store: &dyn EventStore,
    stream: &StreamName,
    events: &[NewEvent],
    revision: Revision,
    id: Uuid,
) -> Result<Option<Written>, Failure> {
    let before = events.iter().position(|event| event.id == id).unwrap_or_default() as u64;
    let Some(first) = revision.get().checked_sub(before) else { return Ok(None) };
    let read =
        Read::stream(stream.clone()).from(Start::Revision(Revision::new(first))).limit(events.len() as u64);
    let stored = collect(store, read)?;
    let same =
        stored.len() == events.len() && stored.iter().zip(events).all(|(stored, new)| stored.id == new.id);
    Ok(stored.last().filter(|_| same).map(written_at))
}

fn written_at(event: &RecordedEvent) -> Written {
    Written { revision: Some(event.revision), position: Some(event.position) }
}

fn collect(store: &dyn EventStore, read: Read) -> Result<Vec<RecordedEvent>, Failure> {
    match store.read(read) {
        Ok(events) => events.collect::<Result<_, _>>().map_err(failure::of_read),
        Err(ReadError::StreamNotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(failure::of_read(error)),
    }
}
