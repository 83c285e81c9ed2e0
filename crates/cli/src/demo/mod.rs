//! `factum demo [REPO]`: a repository's history as events, time travel over
//! it, and git's own word on every stop.
//!
//! ```text
//!   commits   0 ─────┬─────┬─────┬─────┬───── ... ─────┬───── HEAD
//!   stops            1     2     3     4               10      11
//!                    │
//!                    ├─ read the log until that commit's last event, fold ─► live files
//!                    └─ git ls-tree -r <commit> ───────────────────────────► files
//!                                                                    equal, path by path?
//! ```
//!
//! Each stop is a read of its own from the beginning of the log: what a user
//! gets who asks "what was there then?". Nothing of one stop is kept for the
//! next. Equal means the same paths, byte for byte, with the same modes and
//! blob ids.

pub mod command;
pub mod fold;
pub mod picture;
pub mod place;
pub mod report;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use factum_core::{
    ErrorKind, EventStore, EventStoreExt, Position, Read, ReadError, RecordedEvent, Revision, Start,
    Timestamp, Until,
};

use self::fold::{Difference, FoldError, LiveFiles};
use self::picture::Sample;
use crate::import::git::error::GitError;
use crate::import::git::facts::{COMMIT_MADE, CommitMade, commits_stream};
use crate::import::git::object::ObjectId;
use crate::import::git::position_of;
use crate::import::git::program::Repository;
use crate::import::meter::{Meter, Unit};

/// Stops besides the one at HEAD.
const STOPS: u64 = 10;
/// Differences that are listed of one stop.
pub const LISTED_MAX: usize = 10;

/// One look at a moment of the past.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Which commit.
    pub commit: ObjectId,
    /// The last event of that commit, until which the log was read.
    pub position: Position,
    /// The author's time.
    pub at: Option<Timestamp>,
    /// Live files folded.
    pub files: u64,
    /// Events folded.
    pub events: u64,
    /// How long reading and folding took.
    pub folded_in: Duration,
    /// How many paths git has otherwise.
    pub mismatches: u64,
    /// The first of them.
    pub listed: Vec<Difference>,
}

/// What travelling found.
#[derive(Debug, Clone, Default)]
pub struct Travelled {
    /// Oldest first; the last one is HEAD.
    pub stops: Vec<Stop>,
    /// For the picture.
    pub samples: Vec<Sample>,
    /// A path that changed often and is still there, to try things on.
    pub busiest: Option<Vec<u8>>,
}

/// Why the stops could not all be made.
#[derive(Debug, thiserror::Error)]
pub enum TravelError {
    /// Git does not answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The store does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event cannot be understood.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The commits stream holds something else.
    #[error("the event at revision {revision} of stream \"commits\" is no commit that an import wrote")]
    NoCommit {
        #[allow(missing_docs)]
        revision: u64,
    },
}

impl TravelError {
    /// See [`ErrorKind`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Git(_) => ErrorKind::Unavailable,
            Self::Read(error) => error.kind(),
            Self::Fold(_) | Self::NoCommit { .. } => ErrorKind::Corrupt,
        }
    }
}

impl Travelled {
    /// Paths that differ, over all stops.
    pub fn mismatches(&self) -> u64 {
        self.stops.iter().map(|stop| stop.mismatches).sum()
    }

    /// Events folded and the time that took, over all stops.
    pub fn folded(&self) -> (u64, Duration) {
        (self.stops.iter().map(|stop| stop.events).sum(), self.stops.iter().map(|stop| stop.folded_in).sum())
    }
}

/// Travels to ten commits spread over the history and to `head`, and compares
/// each with what git has there.
pub fn travel(
    store: &dyn EventStore,
    repository: &Repository,
    head: &ObjectId,
    meter: &mut dyn Meter,
) -> Result<Travelled, TravelError> {
    let mut travelled = Travelled::default();
    let Some(head) = position_of(store, head)? else { return Ok(travelled) };
    let revisions = stops(head.revision);
    meter.begin("travelling", Unit::Checks, Some(revisions.len() as u64));
    let mut events = 0;
    for (done, revision) in revisions.iter().enumerate() {
        meter.at(done as u64, events);
        let at_head =
            (*revision == head.revision).then_some((&mut travelled.samples, &mut travelled.busiest));
        let stop = look(store, repository, *revision, at_head);
        if stop.is_err() {
            meter.end();
        }
        let stop = stop?;
        events += stop.events;
        travelled.stops.push(stop);
    }
    meter.end();
    Ok(travelled)
}

/// Ten revisions spread evenly, and the last; all of them if there are few.
fn stops(last: Revision) -> Vec<Revision> {
    let last = last.get();
    let spread = (1..=STOPS).map(|stop| (u128::from(last) * u128::from(stop) / u128::from(STOPS + 1)) as u64);
    let mut stops: Vec<u64> = if last <= STOPS { (0..last).collect() } else { spread.collect() };
    stops.push(last);
    stops.into_iter().map(Revision::new).collect()
}

fn look(
    store: &dyn EventStore,
    repository: &Repository,
    revision: Revision,
    at_head: Option<(&mut Vec<Sample>, &mut Option<Vec<u8>>)>,
) -> Result<Stop, TravelError> {
    let at_revision = Read::stream(commits_stream()).from(Start::Revision(revision)).limit(1);
    let no_commit = || TravelError::NoCommit { revision: revision.get() };
    let event = store.read(at_revision)?.next().transpose()?.ok_or_else(no_commit)?;
    let made = commit_in(&event).ok_or_else(no_commit)?;
    // A commit's events are one append, so they stand next to one another.
    let position = Position::new(event.position.get() + made.files);
    let commit = made.commit;

    let (samples, busiest) = at_head.unzip();
    let began = Instant::now();
    let (files, events) = fold_until(store, position, samples)?;
    let folded_in = began.elapsed();
    if let Some(busiest) = busiest {
        *busiest = files.busiest().map(<[u8]>::to_vec);
    }

    let mut differences = files.differences(&repository.tree(&commit)?);
    let mismatches = differences.len() as u64;
    differences.truncate(LISTED_MAX);
    Ok(Stop {
        commit,
        position,
        at: event.occurred_at,
        files: files.count() as u64,
        events,
        folded_in,
        mismatches,
        listed: differences,
    })
}

/// The live files as of a position, and how many events that took.
pub fn fold_until(
    store: &dyn EventStore,
    position: Position,
    mut samples: Option<&mut Vec<Sample>>,
) -> Result<(LiveFiles, u64), TravelError> {
    let (mut files, mut events) = (LiveFiles::default(), 0);
    // The commit that is being read, and the last position that is its own.
    let mut under_way: Option<(Sample, Position)> = None;
    for event in store.read(Read::all().until(Until::Position(position)))? {
        let event = event?;
        events += 1;
        files.apply(&event)?;
        let Some(samples) = samples.as_deref_mut() else { continue };
        if let (Some(at), Some(made)) = (event.occurred_at, commit_in(&event)) {
            let sample = Sample { at, events: made.files + 1, files: 0 };
            under_way = Some((sample, Position::new(event.position.get() + made.files)));
        }
        if let Some((sample, last)) = under_way
            && event.position >= last
        {
            samples.push(Sample { files: files.count() as u64, ..sample });
            under_way = None;
        }
    }
    Ok((files, events))
}

fn commit_in(event: &RecordedEvent) -> Option<CommitMade<'_>> {
    if event.event_type.as_str() != COMMIT_MADE || event.stream != commits_stream() {
        return None;
    }
    serde_json::from_slice(&event.data).ok()
}

/// How many commits a store holds.
pub fn commits(store: &dyn EventStore) -> Result<u64, ReadError> {
    Ok(store.last_revision(&commits_stream())?.map_or(0, |last| last.get() + 1))
}
