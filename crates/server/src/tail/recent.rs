//! [`Recent`]: the last events of the log, once for all who follow it live.
//!
//! ```text
//!   out of memory │ first ......................... end │ to come
//!                 │ at most so many, of so many bytes   │
//! ```
//!
//! Followers keep positions and look here for the events, so that what is kept for
//! a thousand of them is what is kept for one. Where an event is no longer here,
//! whoever wants it has been slow and reads the log.

use std::collections::VecDeque;
use std::sync::Arc;

use factum_core::RecordedEvent;

use crate::streams::show::weight;

/// How many events are kept, and of how many bytes. The newest batch is kept
/// whatever its size.
pub const EVENTS_MAX: usize = 4_096;
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// See the module.
#[derive(Default)]
pub struct Recent {
    /// The position of the oldest one.
    first: u64,
    events: VecDeque<Arc<RecordedEvent>>,
    bytes: usize,
}

impl Recent {
    /// Forgets all, and expects the event of this position next.
    pub fn begin(&mut self, next: u64) {
        *self = Self { first: next, ..Self::default() };
    }

    /// Adds the events that come next.
    pub fn push(&mut self, batch: &[Arc<RecordedEvent>]) {
        self.bytes += batch.iter().map(|event| weight(event)).sum::<usize>();
        self.events.extend(batch.iter().cloned());
        while self.events.len() > batch.len()
            && (self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX)
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= weight(&oldest);
            self.first += 1;
        }
    }

    /// The event of a position, if it is still here.
    pub fn at(&self, position: u64) -> Option<&Arc<RecordedEvent>> {
        let place = usize::try_from(position.checked_sub(self.first)?).ok()?;
        self.events.get(place)
    }

    /// The events from a position on, so many at most; `None` if the first of them
    /// is not here.
    pub fn from(&self, position: u64, max: usize) -> Option<Vec<Arc<RecordedEvent>>> {
        let place = usize::try_from(position.checked_sub(self.first)?).ok()?;
        (place < self.events.len()).then(|| self.events.range(place..).take(max).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::tests::event;

    fn positions(recent: &Recent, from: u64, max: usize) -> Option<Vec<u64>> {
        let found = recent.from(from, max)?;
        Some(found.iter().map(|event| event.position.get()).collect())
    }

    #[test]
    fn the_last_events_are_there_and_no_others() {
        let mut recent = Recent::default();
        recent.begin(10);
        assert!(recent.at(9).is_none() && recent.at(10).is_none());
        let end = 10 + 2 * EVENTS_MAX as u64;
        for position in 10..end {
            recent.push(&[event(position, "s", "A", 0)]);
        }
        let first = end - EVENTS_MAX as u64;
        assert!(recent.at(first - 1).is_none() && recent.at(end).is_none());
        for position in [first, end - 1] {
            assert_eq!(recent.at(position).unwrap().position.get(), position);
        }
        assert_eq!(positions(&recent, first - 1, 9), None);
        assert_eq!(positions(&recent, end, 9), None);
        assert_eq!(positions(&recent, end - 3, 2), Some(vec![end - 3, end - 2]));
        assert_eq!(positions(&recent, end - 1, 2), Some(vec![end - 1]));
    }

    #[test]
    fn large_events_leave_room_for_fewer() {
        const LARGE: usize = 1024 * 1024;
        let mut recent = Recent::default();
        recent.begin(0);
        for position in 0..40 {
            recent.push(&[event(position, "s", "A", LARGE)]);
        }
        assert!(recent.at(40 - 15).is_some() && recent.at(40 - 16).is_none());
        // One that is too large for all of it is there until the next.
        recent.push(&[event(40, "s", "A", 2 * BYTES_MAX)]);
        assert!(recent.at(39).is_none() && recent.at(40).is_some());
        recent.push(&[event(41, "s", "A", 1)]);
        assert!(recent.at(40).is_none() && recent.at(41).is_some());
    }
}
