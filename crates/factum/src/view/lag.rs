//! How late a projection is: what it has not looked at, and since when that
//! waits.

use std::time::Duration;

use factum_core::clock::{Clock as _, SystemClock};
use factum_core::{EventStoreExt as _, Position, ReadError};

use crate::Store;

/// How much of a log is still to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lag {
    /// The position after the last event, or where it is looked at next if that
    /// is further.
    pub end: Position,
    /// How long ago the first event that was not looked at was recorded.
    pub time: Duration,
}

impl Lag {
    /// Of whoever has looked at everything before `next`.
    pub fn of(store: &Store, next: Position) -> Result<Self, ReadError> {
        let events = store.events();
        let end = events.last_position()?.map_or(Position::FIRST, Position::next).max(next);
        let late = if next < end { events.event_at(next)? } else { None };
        let time = late.map_or(Duration::ZERO, |late| {
            let micros = SystemClock.now().as_micros().saturating_sub(late.recorded_at.as_micros());
            Duration::from_micros(micros.try_into().unwrap_or(0))
        });
        Ok(Self { end, time })
    }

    /// How many positions there are left.
    pub fn events(self, next: Position) -> u64 {
        self.end.get() - next.get()
    }
}
