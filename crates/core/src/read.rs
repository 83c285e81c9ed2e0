//! One read: which events, which way, from where, until where.

use crate::{Position, Query, ReadError, RecordedEvent, Revision, StreamName, Timestamp};

/// The events a read yields, in its direction.
pub type Events = Box<dyn Iterator<Item = Result<RecordedEvent, ReadError>> + Send>;

/// A read of the committed log. Sees what was committed when it began.
///
/// Both ends are inclusive:
///
/// ```text
///                 from 2                 until 5
///                   ▼                      ▼
///      0     1     [2     3     4     5]     6     7     forward:  2 3 4 5
///      0     1     [2     3     4     5]     6     7     backward: 5 4 3 2   (from 5 until 2)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Which events.
    pub selection: Selection,
    /// Which way.
    pub direction: Direction,
    /// Where to begin.
    pub from: Start,
    /// Where to end.
    pub until: Until,
    /// How many of the events between these ends are passed over first. A store
    /// with an index finds the event after them without reading them.
    pub skip: u64,
    /// At most this many events.
    pub limit: Option<u64>,
}

/// Which events a read or a subscription concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Every event.
    All,
    /// The events of one stream.
    Stream(StreamName),
    /// The events a query selects.
    Query(Query),
}

/// Which way a read goes along the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// Where a read begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the first event in the read's direction.
    Edge,
    /// At this position, or the next one that is selected.
    Position(Position),
    /// At this revision; only for a stream.
    Revision(Revision),
    /// Forward: at the first event recorded at or after this time. Backward:
    /// at the last event recorded at or before it.
    Time(Timestamp),
}

/// Where a read ends, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// At the last event in the read's direction.
    Edge,
    /// At this position.
    Position(Position),
    /// At this revision; only for a stream.
    Revision(Revision),
    /// Forward: before the first event recorded after this time. Backward:
    /// before the first event recorded earlier than it.
    Time(Timestamp),
}

impl Read {
    /// Everything selected, oldest first.
    pub fn of(selection: Selection) -> Self {
        Self {
            selection,
            direction: Direction::Forward,
            from: Start::Edge,
            until: Until::Edge,
            skip: 0,
            limit: None,
        }
    }

    /// Every event, oldest first.
    pub fn all() -> Self {
        Self::of(Selection::All)
    }

    /// A stream's events, oldest first.
    pub fn stream(stream: StreamName) -> Self {
        Self::of(Selection::Stream(stream))
    }

    /// The events a query selects, oldest first.
    pub fn query(query: Query) -> Self {
        Self::of(Selection::Query(query))
    }

    /// Newest first.
    pub fn backward(self) -> Self {
        Self { direction: Direction::Backward, ..self }
    }

    /// Beginning there.
    pub fn from(self, from: Start) -> Self {
        Self { from, ..self }
    }

    /// Ending there.
    pub fn until(self, until: Until) -> Self {
        Self { until, ..self }
    }

    /// Passing over so many first.
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// At most this many.
    pub fn limit(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Refuses what has no meaning: a revision where no single stream is read.
    pub fn validate(&self) -> Result<(), ReadError> {
        let asks_revision =
            matches!(self.from, Start::Revision(_)) || matches!(self.until, Until::Revision(_));
        if asks_revision && !matches!(self.selection, Selection::Stream(_)) {
            return Err(ReadError::RevisionWithoutStream);
        }
        Ok(())
    }
}

impl Selection {
    /// Whether this event is selected.
    pub fn selects(&self, event: &RecordedEvent) -> bool {
        match self {
            Self::All => true,
            Self::Stream(stream) => event.stream == *stream,
            Self::Query(query) => query.selects(event),
        }
    }
}

impl Start {
    /// Whether a read in this direction has reached its beginning at `event`.
    pub fn is_reached_by(self, event: &RecordedEvent, direction: Direction) -> bool {
        let (event_at, start_at) = match self {
            Self::Edge => return true,
            Self::Position(position) => (event.position.get(), position.get()),
            Self::Revision(revision) => (event.revision.get(), revision.get()),
            Self::Time(time) => {
                return match direction {
                    Direction::Forward => event.recorded_at >= time,
                    Direction::Backward => event.recorded_at <= time,
                };
            }
        };
        match direction {
            Direction::Forward => event_at >= start_at,
            Direction::Backward => event_at <= start_at,
        }
    }
}

impl Until {
    /// Whether a read in this direction has gone past its end at `event`.
    pub fn is_passed_by(self, event: &RecordedEvent, direction: Direction) -> bool {
        let (event_at, end_at) = match self {
            Self::Edge => return false,
            Self::Position(position) => (event.position.get(), position.get()),
            Self::Revision(revision) => (event.revision.get(), revision.get()),
            Self::Time(time) => {
                return match direction {
                    Direction::Forward => event.recorded_at > time,
                    Direction::Backward => event.recorded_at < time,
                };
            }
        };
        match direction {
            Direction::Forward => event_at > end_at,
            Direction::Backward => event_at < end_at,
        }
    }
}
