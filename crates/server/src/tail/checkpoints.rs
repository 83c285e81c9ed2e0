//! [`Checkpoints`]: to whom one is due, found without asking everybody.
//!
//! A checkpoint is due when so many events were looked at since the last one, wanted
//! or not: a difference of positions, so that it is known beforehand at which one.
//! Followers that began together would all be due at the same event, every time; the
//! first checkpoint of each comes somewhat earlier, which spreads them.
//!
//! ```text
//!   every 8, one began  |.......8.......8.......8
//!   another             |....5.......8.......8...     the first one earlier,
//!   a third             |..3.......8.......8.....     none later
//! ```

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::member::Member;

/// How often a follower wants one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    /// After so many events that were looked at.
    pub events: u64,
    /// The first one by this position.
    pub by: u64,
}

/// See the module.
#[derive(Default)]
pub struct Checkpoints {
    /// By position and number.
    due: BTreeSet<(u64, u64)>,
    of: HashMap<u64, (Arc<Member>, Every)>,
}

impl Checkpoints {
    /// Adds a member.
    pub fn add(&mut self, number: u64, member: &Arc<Member>, every: Every) {
        let span = every.by.saturating_sub(member.from()).saturating_add(1);
        // Fractions of the golden ratio: whatever was taken, the next lies between.
        let fraction = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let earlier = ((u128::from(fraction) * u128::from(span)) >> 64) as u64;
        let every = Every { by: every.by.max(member.from()) - earlier, ..every };
        self.due.insert((every.by, number));
        self.of.insert(number, (Arc::clone(member), every));
    }

    /// Removes it again.
    pub fn remove(&mut self, number: u64) {
        if let Some((_, every)) = self.of.remove(&number) {
            self.due.remove(&(every.by, number));
        }
    }

    /// An event was looked at: takes one to whom a checkpoint is due, until there
    /// is none.
    pub fn take_due(&mut self, at: u64) -> Option<&Arc<Member>> {
        let (_, number) = *self.due.first().filter(|(by, _)| *by <= at)?;
        self.due.pop_first();
        let (member, every) = self.of.get_mut(&number)?;
        every.by = at.saturating_add(every.events.max(1));
        self.due.insert((every.by, number));
        Some(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_spread_and_none_is_late() {
        const EVERY: u64 = 32;
        let mut checkpoints = Checkpoints::default();
        for number in 0..1_000 {
            // Each remembers who it is.
            let every = Every { events: EVERY, by: 2_000 + EVERY - 1 };
            checkpoints.add(number, &Arc::new(Member::new(2_000)), every);
        }
        for at in 2_000..2_000 + 3 * EVERY {
            let mut due = 0;
            while checkpoints.take_due(at).is_some() {
                due += 1;
            }
            assert!((20..=45).contains(&due), "{due} at {at}");
        }
        (1..1_000).for_each(|number| checkpoints.remove(number));
        assert_eq!(checkpoints.due.len(), 1);
        // Whoever is alone is due when it was.
        let last = 2_000 + 4 * EVERY - 1;
        assert!(checkpoints.take_due(last - 1).is_none());
        assert!(checkpoints.take_due(last).is_some());
        assert!(checkpoints.take_due(last).is_none());
    }

    #[test]
    fn one_that_is_overdue_comes_at_once() {
        let mut checkpoints = Checkpoints::default();
        checkpoints.add(7, &Arc::new(Member::new(100)), Every { events: 10, by: 50 });
        assert!(checkpoints.take_due(99).is_none());
        assert!(checkpoints.take_due(100).is_some());
        assert!(checkpoints.take_due(109).is_none());
        assert!(checkpoints.take_due(110).is_some());
    }
}
