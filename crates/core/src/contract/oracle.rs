//! What a read must yield, worked out from the list of all events by plain
//! filtering. It shares no code with the port's own matching, so that a
//! mistake there does not excuse itself here.

use std::ops::Range;

use crate::{Direction, Position, Query, Read, RecordedEvent, Revision, Selection, Start, Timestamp, Until};

/// The events of `log` that `read` asks for, in its direction.
pub fn wanted<'a>(log: &'a [RecordedEvent], read: &Read) -> Vec<&'a RecordedEvent> {
    let (start, until) = (Bound::from(read.from), Bound::from(read.until));
    let (low, high) = match read.direction {
        Direction::Forward => (start, until),
        Direction::Backward => (until, start),
    };
    let mut events: Vec<_> = log
        .iter()
        .filter(|event| selects(&read.selection, event) && !low.is_above(event) && !high.is_below(event))
        .collect();
    if read.direction == Direction::Backward {
        events.reverse();
    }
    events.drain(..usize::try_from(read.skip).unwrap_or(usize::MAX).min(events.len()));
    if let Some(limit) = read.limit {
        events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    events
}

/// Whether a selection concerns an event.
pub fn selects(selection: &Selection, event: &RecordedEvent) -> bool {
    match selection {
        Selection::All => true,
        Selection::Stream(stream) => stream.as_str() == event.stream.as_str(),
        Selection::Query(query) => matches(query, event),
    }
}

/// Whether a query selects an event.
pub fn matches(query: &Query, event: &RecordedEvent) -> bool {
    let carried: Vec<&str> = event.tags.iter().collect();
    for item in query.items() {
        let named = item.types.iter().filter(|named| named.as_str() == event.event_type.as_str()).count();
        let missing = item.tags.iter().filter(|tag| !carried.contains(&tag.as_str())).count();
        let stream = event.stream.as_str();
        let before =
            stream.find('-').filter(|at| *at > 0 && !stream.starts_with('$')).map(|at| &stream[..at]);
        let is_of = item.categories.is_empty() || item.categories.iter().any(|c| Some(c.as_str()) == before);
        let is_first = !item.begins_stream || event.revision.get() == 0;
        if is_of && is_first && (item.types.is_empty() || named > 0) && missing == 0 {
            return true;
        }
    }
    false
}

/// One end of what is read, inclusive.
#[derive(Clone, Copy)]
enum Bound {
    Open,
    Position(Position),
    Revision(Revision),
    Time(Timestamp),
}

impl Bound {
    fn is_above(self, event: &RecordedEvent) -> bool {
        match self {
            Self::Open => false,
            Self::Position(position) => position > event.position,
            Self::Revision(revision) => revision > event.revision,
            Self::Time(time) => time > event.recorded_at,
        }
    }

    fn is_below(self, event: &RecordedEvent) -> bool {
        match self {
            Self::Open => false,
            Self::Position(position) => position < event.position,
            Self::Revision(revision) => revision < event.revision,
            Self::Time(time) => time < event.recorded_at,
        }
    }
}

impl From<Start> for Bound {
    fn from(start: Start) -> Self {
        match start {
            Start::Edge => Self::Open,
            Start::Position(position) => Self::Position(position),
            Start::Revision(revision) => Self::Revision(revision),
            Start::Time(time) => Self::Time(time),
        }
    }
}

impl From<Until> for Bound {
    fn from(until: Until) -> Self {
        match until {
            Until::Edge => Self::Open,
            Until::Position(position) => Self::Position(position),
            Until::Revision(revision) => Self::Revision(revision),
            Until::Time(time) => Self::Time(time),
        }
    }
}

/// The positions of events.
pub fn positions<'a>(events: impl IntoIterator<Item = &'a RecordedEvent>) -> Vec<u64> {
    events.into_iter().map(|event| event.position.get()).collect()
}

/// The list form of a range, for comparing.
pub fn counted(range: Range<u64>) -> Vec<u64> {
    range.collect()
}
