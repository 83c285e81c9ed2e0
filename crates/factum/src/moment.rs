//! Moments of the past, and where they stand in the log.
//!
//! ```text
//!   Time(10:00) ──┐        the last event recorded at or before it
//!   Revision(3) ──┼──▶ position 17 ──▶ everything up to and including it
//!   Position(17) ─┘
//! ```

use factum_core::{
    EventStore, Position, Read, ReadError, RecordedEvent, Revision, Selection, Start, Timestamp, Until,
};

use crate::Boundary;
use crate::fold::events_or_none;

/// A moment of the past: everything up to and including it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The last committed event.
    Now,
    /// This place in the whole log.
    Position(Position),
    /// This place in the model's stream; of a tuple, in the stream of its first
    /// model, the others being as they were then. Only for an aggregate.
    Revision(Revision),
    /// Whatever was recorded at or before this time.
    Time(Timestamp),
}

impl From<Position> for Moment {
    fn from(position: Position) -> Self {
        Self::Position(position)
    }
}

impl From<Revision> for Moment {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl Moment {
    /// Where reads of this boundary end. All parts at one moment: a revision means
    /// nothing to the others until it is a position, and a moment that is not over
    /// moves while they are read, so it ends where the log ends now.
    pub(crate) fn until(self, store: &dyn EventStore, boundary: &Boundary) -> Result<Until, ReadError> {
        if boundary.parts.len() == 1 {
            return Ok(match self {
                Self::Now => Until::Edge,
                Self::Position(position) => Until::Position(position),
                Self::Time(time) => Until::Time(time),
                Self::Revision(revision) => Until::Revision(revision),
            });
        }
        let log_end = store.last_position()?.map_or(0, |last| last.get() + 1);
        Ok(match self.end(store, boundary)?.min(log_end) {
            0 => Until::Time(Timestamp::MIN),
            end => Until::Position(Position::new(end - 1)),
        })
    }

    /// How many events of the log belong to it: all positions below this.
    /// `u64::MAX` if nothing ends it.
    pub(crate) fn end(self, store: &dyn EventStore, boundary: &Boundary) -> Result<u64, ReadError> {
        let past = |event: Option<RecordedEvent>| event.map(|event| event.position.get() + 1);
        Ok(match self {
            Self::Now => u64::MAX,
            Self::Position(position) => position.get().saturating_add(1),
            Self::Revision(revision) => past(event_of(store, boundary, revision)?).unwrap_or(u64::MAX),
            Self::Time(time) => {
                let last = Read::all().backward().from(Start::Time(time)).limit(1);
                past(store.read(last)?.next().transpose()?).unwrap_or(0)
            }
        })
    }

    /// Where a look back begins: with this moment's own event.
    pub(crate) fn start(self, store: &dyn EventStore, boundary: &Boundary) -> Result<Start, ReadError> {
        let never = Start::Position(Position::new(u64::MAX));
        Ok(match self {
            Self::Now => never,
            Self::Position(position) => Start::Position(position),
            Self::Time(time) => Start::Time(time),
            Self::Revision(revision) => {
                event_of(store, boundary, revision)?.map_or(never, |event| Start::Position(event.position))
            }
        })
    }
}

/// The event at a revision of the stream that the first part reads; `None` if
/// the stream is shorter.
fn event_of(
    store: &dyn EventStore,
    boundary: &Boundary,
    revision: Revision,
) -> Result<Option<RecordedEvent>, ReadError> {
    let Some(Selection::Stream(stream)) = boundary.parts.first().map(|part| &part.read) else {
        return Err(ReadError::RevisionWithoutStream);
    };
    let read = Read::stream(stream.clone()).from(Start::Revision(revision)).limit(1);
    events_or_none(store.read(read))?.next().transpose()
}
