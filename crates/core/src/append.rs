//! One atomic append, and the receipt for it.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::RangeInclusive;

use smallvec::SmallVec;

use crate::{
    AppendCondition, ExpectedRevision, InvalidAppend, NewEvent, Position, Revision, StreamName, Timestamp,
};

/// One atomic request: all of its events are recorded, next to one another and
/// in the order given, or none is.
///
/// ```text
///   writes     cart-1 expects revision 2   [ItemAdded, ItemAdded]
///              cart-9 expects no stream    [Opened]
///   checks     customer-7 expects to exist
///   condition  no event tagged coupon:X after position 41
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Append {
    /// Events to record, stream by stream; a stream may be named once.
    pub writes: SmallVec<[StreamWrite; 1]>,
    /// Streams that are not written but must stand where expected.
    pub checks: Vec<StreamCheck>,
    /// What must not have happened meanwhile.
    pub condition: Option<AppendCondition>,
    /// What to do when the store has more in its queue than it may hold.
    pub when_full: WhenFull,
}

/// Events for one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamWrite {
    #[allow(missing_docs)]
    pub stream: StreamName,
    /// Where the stream must stand.
    pub expected: ExpectedRevision,
    /// In order; may be empty, which checks the expectation and records nothing.
    pub events: Vec<NewEvent>,
}

/// An expectation of a stream that is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamCheck {
    #[allow(missing_docs)]
    pub stream: StreamName,
    #[allow(missing_docs)]
    pub expected: ExpectedRevision,
}

/// What an append does when the store's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Waits for room, first come first served.
    #[default]
    Wait,
    /// Answers [`Overloaded`](crate::AppendError::Overloaded) at once.
    Refuse,
}

impl Append {
    /// Events for one stream.
    pub fn to(
        stream: StreamName,
        expected: ExpectedRevision,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Self {
        Self::default().and_to(stream, expected, events)
    }

    /// Also events for another stream.
    pub fn and_to(
        mut self,
        stream: StreamName,
        expected: ExpectedRevision,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Self {
        self.writes.push(StreamWrite { stream, expected, events: events.into_iter().collect() });
        self
    }

    /// Also an expectation of a stream that is not written.
    pub fn expecting(mut self, stream: StreamName, expected: ExpectedRevision) -> Self {
        self.checks.push(StreamCheck { stream, expected });
        self
    }

    /// Only if this condition holds.
    pub fn on_condition(mut self, condition: AppendCondition) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Answers [`Overloaded`](crate::AppendError::Overloaded) instead of waiting.
    pub fn or_refuse(mut self) -> Self {
        self.when_full = WhenFull::Refuse;
        self
    }

    /// Refuses what no store in any state could accept.
    pub fn validate(&self) -> Result<(), InvalidAppend> {
        let written = self.writes.iter().map(|write| &write.stream);
        let streams = written.chain(self.checks.iter().map(|check| &check.stream));
        if let Some(stream) = first_twice(streams) {
            return Err(InvalidAppend::StreamNamedTwice { stream: stream.clone() });
        }
        // In another stream it is another event.
        for StreamWrite { events, .. } in &self.writes {
            if has_twice(events.iter().map(|event| event.id.as_u128()))
                && let Some(id) = first_twice(events.iter().map(|event| &event.id))
            {
                return Err(InvalidAppend::IdUsedTwice { id: *id });
            }
        }
        let events = || self.writes.iter().flat_map(|write| &write.events);
        events().enumerate().try_for_each(|(index, event)| event.validate(index))
    }

    /// How many events it would record.
    pub fn event_count(&self) -> usize {
        self.writes.iter().map(|write| write.events.len()).sum()
    }
}

/// The first item that was there before. Most appends have one or two: no set is
/// made for that.
fn first_twice<'a, T: Eq + Hash>(mut items: impl Iterator<Item = &'a T>) -> Option<&'a T> {
    let first = items.next()?;
    let second = items.next()?;
    if first == second {
        return Some(second);
    }
    let mut rest = items.peekable();
    rest.peek()?;
    let mut seen = HashSet::from([first, second]);
    rest.find(|item| !seen.insert(*item))
}

/// Whether a number comes twice. Sorting a few hundred is quicker than a set of
/// them, and takes no longer whoever chose them.
fn has_twice(mut numbers: impl Iterator<Item = u128>) -> bool {
    let (Some(first), Some(second)) = (numbers.next(), numbers.next()) else { return false };
    let mut sorted = SmallVec::<[u128; 8]>::from([first, second].as_slice());
    sorted.extend(numbers);
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

/// The receipt of an [`Append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// First and last position; `None` if there was nothing to record.
    pub positions: Option<RangeInclusive<Position>>,
    /// The last revision of each written stream, in the order of
    /// [`Append::writes`]; `None` for a stream that still has no event.
    pub revisions: SmallVec<[Option<Revision>; 1]>,
    /// When the last of the events was recorded; `None` if there was nothing to
    /// record.
    pub recorded_at: Option<Timestamp>,
    /// What the events are safe against now.
    pub durability: Durability,
    /// Whether this answers a repetition: the events were recorded before, and
    /// this is the receipt they had then.
    pub repeated: bool,
}

impl Appended {
    /// Position of the first event recorded.
    pub fn first_position(&self) -> Option<Position> {
        self.positions.as_ref().map(|range| *range.start())
    }

    /// Position of the last event recorded.
    pub fn last_position(&self) -> Option<Position> {
        self.positions.as_ref().map(|range| *range.end())
    }

    /// Last revision of the first stream written.
    pub fn revision(&self) -> Option<Revision> {
        self.revisions.first().copied().flatten()
    }
}

/// What an acknowledged event survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it is in this process's memory.
    Memory,
    /// The process and the machine going down: the disk confirmed a flush.
    Disk,
}

impl Durability {
    /// One word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}
