//! Appends over several streams: all of them, or none.
//!
//! | expected | no event | last revision n | deleted, last n | has a tombstone |
//! |---|---|---|---|---|
//! | any | yes | yes | begins again | yes, if it is not written |
//! | no stream | yes | no | begins again | yes, if it is not written |
//! | exists | if it has metadata | yes | no | no |
//! | exactly k | no | if k is n | if k is n, begins again | no |
//! | deleted | no | no | begins again | no |
//! | tombstoned | no | no | no | yes, if it is not written |
//!
//! Nearly all such appends are to streams without metadata, so that the first
//! attempt is made in that hope, without a look. Where it is refused, each
//! stream is looked at, and asked whether it has these events already:
//!
//! ```text
//!   hope ─► done
//!     │ refused
//!     ▼
//!   have the streams these events? ── all ─► the first receipt
//!     │ none          │ some ─► refused
//!     ▼
//!   does each stand as expected? ── no ─► refused, with all that do not
//!     │ yes
//!     ▼
//!   append, if all still stand so ─► done
//!     └─ not any more: once more from the question on
//! ```
//!
//! The same ids again are a repetition as in [`write`](super::write); streams
//! that are only checked are not looked at for one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use factum_core::{
    Append, AppendError, Appended, EventStore, ExpectedRevision, NewEvent, Position, Revision, StreamName,
};
use factum_wire::Failure;
use factum_wire::session::{Actual, Expected};

use crate::blocking::blocking;
use crate::failure;
use crate::system::correlation;
use crate::system::name::refuse_change;

use super::copies;
use super::metadata::StreamMetadata;
use super::named::Named;
use super::repeated::same_ids;
use super::standing::{Standing, State};
use super::write::Written;

/// What a transaction wants of one stream. Each is named once.
#[derive(Debug, Clone)]
pub struct Part {
    #[allow(missing_docs)]
    pub named: Named,
    #[allow(missing_docs)]
    pub expected: Expected,
    /// Nothing, if the stream is only checked.
    pub events: Vec<NewEvent>,
}

impl Part {
    fn is_written(&self) -> bool {
        !self.events.is_empty()
    }
}

/// The receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Each stream's last revision, with the part that wrote it.
    pub revisions: Vec<(usize, Revision)>,
    /// The place of the last event.
    pub position: Position,
}

/// Why nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// These parts found their streams elsewhere.
    Wrong(Vec<(usize, Actual)>),
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Records all parts or none. At least one of them has events.
pub async fn record(store: Arc<dyn EventStore>, mut parts: Vec<Part>) -> Result<Recorded, Refusal> {
    for part in parts.iter_mut().filter(|part| part.is_written()) {
        refuse_change(&part.named)?;
        copies::apart(&mut part.events);
        part.events = std::mem::take(&mut part.events).into_iter().map(correlation::tagged).collect();
    }
    let parts: Arc<[Part]> = parts.into();
    if let Some(append) = hopeful(&parts) {
        match store.append_async(&append).await {
            // That it was recorded before does not mean that it may be read.
            Ok(appended) if !appended.repeated => return recorded(&parts, &appended, &HashSet::new(), 0),
            Ok(_)
            | Err(
                AppendError::Conflict { .. }
                | AppendError::PartlyRepeated { .. }
                | AppendError::IdReused { .. },
            ) => {}
            Err(error) => return Err(failure::of_append(error).into()),
        }
    }
    loop {
        let known = known(&store, &parts).await?;
        let (looking, at) = (Arc::clone(&parts), Arc::clone(&store));
        let standings = blocking(move || Standings::look(&*at, &looking)).await?;
        if let Some(recorded) = repetition(&parts, &known, &standings)? {
            return Ok(recorded);
        }
        let planned = plan(&parts, &standings, &known)?;
        match store.append_async(&planned.append).await {
            Ok(appended) => return recorded(&parts, &appended, &planned.followed, planned.trailing),
            // Somebody came between.
            Err(
                AppendError::Conflict { .. }
                | AppendError::PartlyRepeated { .. }
                | AppendError::IdReused { .. },
            ) => {}
            Err(error) => return Err(failure::of_append(error).into()),
        }
    }
}

/// All parts as they came, in the hope that no stream has metadata.
fn hopeful(parts: &[Part]) -> Option<Append> {
    let mut append = Append::default();
    for part in parts {
        let expected = match part.expected {
            _ if part.named.is_metadata => return None,
            Expected::Deleted | Expected::Tombstoned => return None,
            other => in_store(other),
        };
        let Named { stream, metadata, .. } = part.named.clone();
        append = match part.is_written() {
            true => append.and_to(stream, expected, part.events.iter().cloned()),
            false => append.expecting(stream, expected),
        };
        append = append.expecting(metadata, ExpectedRevision::NoStream);
    }
    Some(append)
}

/// The expectation in the words of the store, which knows no deletion.
fn in_store(expected: Expected) -> ExpectedRevision {
    match expected {
        Expected::Any | Expected::Deleted | Expected::Tombstoned => ExpectedRevision::Any,
        Expected::NoStream => ExpectedRevision::NoStream,
        Expected::Exists => ExpectedRevision::Exists,
        Expected::Exact(revision) => ExpectedRevision::Exact(revision),
    }
}

/// From the store's receipt, which has events of ours besides.
fn recorded(
    parts: &[Part],
    appended: &Appended,
    followed: &HashSet<usize>,
    trailing: u64,
) -> Result<Recorded, Refusal> {
    let broken = || Failure::Storage("the store's receipt lacks a part of what was appended".to_owned());
    let written = parts.iter().enumerate().filter(|(_, part)| part.is_written());
    let revisions = written.zip(&appended.revisions).map(|((index, _), revision)| {
        let last = revision.ok_or_else(broken)?;
        let last = if followed.contains(&index) { last.previous().unwrap_or(last) } else { last };
        Ok((index, last))
    });
    let last = appended.last_position().ok_or_else(broken)?;
    let position = Position::new(last.get().saturating_sub(trailing));
    Ok(Recorded { revisions: revisions.collect::<Result<_, Failure>>()?, position })
}

/// Whether a stream has the events of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Not the first of them.
    No,
    /// Not the first of them, but a later one.
    NotFirst,
    /// Some of them, from the first on.
    Partly,
    /// All, and this was the receipt.
    All(Revision, Position),
}

/// Asks for every part. An append that can never be accepted, because of
/// another stream that never stands there, is answered with the first receipt
/// if its events are there, and records nothing if they are not.
async fn known(store: &Arc<dyn EventStore>, parts: &Arc<[Part]>) -> Result<Vec<Known>, Failure> {
    let mut known = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        if !part.is_written() {
            known.push(Known::No);
            continue;
        }
        let Named { stream, metadata, is_metadata } = part.named.clone();
        let (target, other) = if is_metadata { (metadata, stream) } else { (stream, metadata) };
        let question = Append::to(target, in_store(part.expected), part.events.iter().cloned())
            .expecting(other, ExpectedRevision::Exact(Revision::MAX));
        known.push(match store.append_async(&question).await {
            Ok(appended) => match (appended.revision(), appended.last_position()) {
                (Some(revision), Some(position)) if appended.repeated => Known::All(revision, position),
                _ => return Err(Failure::Storage("the store accepted what it never may".to_owned())),
            },
            Err(AppendError::Conflict { .. }) => Known::No,
            Err(AppendError::PartlyRepeated { id, .. }) => match part.events.first() {
                Some(first) if first.id == id => Known::Partly,
                _ => Known::NotFirst,
            },
            Err(AppendError::IdReused { revision, id, .. }) => {
                let (asking, at) = (Arc::clone(parts), Arc::clone(store));
                let same = blocking(move || {
                    let part = &asking[index];
                    same_ids(&*at, part.named.target(), &part.events, revision, id)
                });
                match same.await? {
                    Some(Written { revision: Some(revision), position: Some(position) }) => {
                        Known::All(revision, position)
                    }
                    _ => Known::Partly,
                }
            }
            Err(error) => return Err(failure::of_append(error)),
        });
    }
    Ok(known)
}

/// How all streams of a transaction stand, by name.
struct Standings(HashMap<StreamName, Standing>);

impl Standings {
    fn look(store: &dyn EventStore, parts: &[Part]) -> Result<Self, Failure> {
        let mut standings = HashMap::new();
        for part in parts {
            if !standings.contains_key(&part.named.stream) {
                standings.insert(part.named.stream.clone(), Standing::look(store, &part.named)?);
            }
        }
        Ok(Self(standings))
    }

    fn of(&self, part: &Part) -> &Standing {
        &self.0[&part.named.stream]
    }

    fn actual(&self, part: &Part) -> Actual {
        let standing = self.of(part);
        let at = |revision: Option<Revision>| revision.map_or(Actual::NoStream, Actual::At);
        match &standing.state {
            State::Buried => Actual::Tombstoned,
            _ if part.named.is_metadata => at(standing.metadata_at),
            State::Deleted(_) => Actual::Deleted,
            State::Live(_) => at(standing.last),
        }
    }

    /// The table of this module.
    fn allow(&self, part: &Part) -> bool {
        let standing = self.of(part);
        let last = if part.named.is_metadata { standing.metadata_at } else { standing.last };
        match (part.expected, self.actual(part)) {
            // Nothing of it is left, as if it had never been.
            (Expected::Any | Expected::NoStream | Expected::Tombstoned, Actual::Tombstoned) => {
                !part.is_written()
            }
            (Expected::Tombstoned, _) | (_, Actual::Tombstoned) => false,
            (Expected::Any, _) => true,
            (Expected::NoStream, actual) => matches!(actual, Actual::NoStream | Actual::Deleted),
            (Expected::Exists, Actual::NoStream) => standing.metadata_at.is_some(),
            (Expected::Exists, actual) => matches!(actual, Actual::At(_)),
            (Expected::Exact(revision), _) => last == Some(revision),
            (Expected::Deleted, actual) => actual == Actual::Deleted,
        }
    }
}

/// The first receipt, if every part that has events is known. What is known
/// only in part, or beside what is new, is refused.
fn repetition(parts: &[Part], known: &[Known], standings: &Standings) -> Result<Option<Recorded>, Refusal> {
    let mut recorded: Option<Recorded> = None;
    let mut mixed = Vec::new();
    let mut any_is_new = false;
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| part.is_written()) {
        let actual = standings.actual(part);
        match known[index] {
            Known::No | Known::NotFirst => any_is_new = true,
            Known::Partly => mixed.push((index, actual)),
            // What became of the stream forbids even that.
            Known::All(..)
                if actual == Actual::Tombstoned
                    || actual == Actual::Deleted && part.expected == Expected::Exists =>
            {
                return Err(Refusal::Wrong(vec![(index, actual)]));
            }
            Known::All(revision, position) => {
                mixed.push((index, actual));
                let recorded =
                    recorded.get_or_insert(Recorded { revisions: Vec::new(), position: Position::FIRST });
                recorded.revisions.push((index, revision));
                recorded.position = recorded.position.max(position);
            }
        }
    }
    let is_whole = !any_is_new && known.iter().all(|known| *known != Known::Partly);
    match recorded {
        Some(recorded) if is_whole => Ok(Some(recorded)),
        _ if mixed.is_empty() => Ok(None),
        _ => Err(Refusal::Wrong(mixed)),
    }
}

/// An append that holds only as long as all streams stand as they did.
struct Planned {
    append: Append,
    /// The parts behind whose events, in the same stream, stands one of ours.
    followed: HashSet<usize>,
    /// How many of our events stand behind the last one of the parts.
    trailing: u64,
}

/// Decides, by the table of this module.
fn plan(parts: &[Part], standings: &Standings, known: &[Known]) -> Result<Planned, Refusal> {
    let refused = parts.iter().enumerate().filter(|(_, part)| !standings.allow(part));
    let refused: Vec<_> = refused.map(|(index, part)| (index, standings.actual(part))).collect();
    if !refused.is_empty() {
        return Err(Refusal::Wrong(refused));
    }
    let mut planned = Planned { append: Append::default(), followed: HashSet::new(), trailing: 0 };
    let mut append = Append::default();
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| part.is_written()) {
        let standing = standings.of(part);
        let mut events = part.events.clone();
        planned.trailing = 0;
        let expected = match (part.named.is_metadata, &standing.state, part.expected) {
            (true, ..) => {
                if let Some(again) = begun_again_by(standing, &events)? {
                    events.push(again);
                    planned.followed.insert(index);
                    planned.trailing = 1;
                }
                standing.metadata_expected()
            }
            // Who expects nothing in particular is not held up by others,
            // unless ids that are known later on would be looked for.
            (false, State::Live(_), Expected::Any) if known[index] == Known::No => ExpectedRevision::Any,
            (false, State::Live(_), Expected::Exists)
                if known[index] == Known::No && standing.last.is_some() =>
            {
                ExpectedRevision::Exists
            }
            (false, ..) => standing.last_expected(),
        };
        append = append.and_to(part.named.target().clone(), expected, events);
    }
    for Family { named, stream, metadata } in families(parts) {
        let standing = &standings.0[&named.stream];
        let before = match &standing.state {
            State::Deleted(before) => Some(before),
            _ => None,
        };
        if metadata != Some(Role::Written) {
            let stays = standing.metadata_expected();
            append = match before {
                Some(before) if stream == Some(Role::Written) => {
                    planned.trailing += 1;
                    append.and_to(named.metadata, stays, [before.begun_again(standing.next())?])
                }
                _ => append.expecting(named.metadata, stays),
            };
        }
        // The metadata names the next revision of a stream that begins again.
        let names_next = before.is_some() && metadata == Some(Role::Written);
        if stream != Some(Role::Written) && (stream == Some(Role::Checked) || names_next) {
            append = append.expecting(named.stream, standing.last_expected());
        }
    }
    Ok(Planned { append, ..planned })
}

/// What is done with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Written,
    Checked,
}

/// A stream and its metadata, and what is done with each.
struct Family {
    named: Named,
    stream: Option<Role>,
    metadata: Option<Role>,
}

fn families(parts: &[Part]) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    let mut places = HashMap::new();
    for part in parts {
        let place = *places.entry(&part.named.stream).or_insert_with(|| {
            families.push(Family { named: part.named.clone(), stream: None, metadata: None });
            families.len() - 1
        });
        let role = Some(if part.is_written() { Role::Written } else { Role::Checked });
        match part.named.is_metadata {
            true => families[place].metadata = role,
            false => families[place].stream = role,
        }
    }
    families
}

/// Writing the metadata of a deleted stream begins it again.
fn begun_again_by(standing: &Standing, metadata: &[NewEvent]) -> Result<Option<NewEvent>, Failure> {
    match metadata.last().map(StreamMetadata::of_new) {
        Some(says) if matches!(standing.state, State::Deleted(_)) && !says.deletes() => {
            says.begun_again(standing.next()).map(Some)
        }
        _ => Ok(None),
    }
}
