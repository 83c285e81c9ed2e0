//! Sequences that are parked as a whole: where each of them ends in the parked
//! stream, and which are stuck there.
//!
//! ```text
//!   source     5 6 . . 7 . 8       of one stream; 5 cannot be handled
//!   parked     5 6 7               and 8, when it comes
//!   replay     5 ✓  6 ✗            6 is stuck, and 7 with it: both stay where they are
//! ```
//!
//! Events of a sequence are parked in their order, and one that fails again is not
//! parked once more behind those that came meanwhile: it stays where it is. So a
//! sequence is free as soon as the last of its parked events is done.

use std::collections::{BTreeMap, BTreeSet};

use super::progress::Progress;

/// What is parked, by sequence.
#[derive(Debug, Default)]
pub struct Sequences {
    /// The revision of its last event in the parked stream.
    last: BTreeMap<u64, u64>,
    /// Of which an event failed in this replay.
    stuck: BTreeSet<u64>,
    left: usize,
}

impl Sequences {
    /// One of its events is there.
    pub fn parked(&mut self, sequence: u64, at: u64) {
        let last = self.last.entry(sequence).or_default();
        *last = at.max(*last);
    }

    /// Whether its events must be parked as they come.
    pub fn holds(&mut self, sequence: u64, parked: &Progress) -> bool {
        let Some(last) = self.last.get(&sequence) else { return false };
        let is_done = parked.is_done(*last);
        if is_done {
            self.last.remove(&sequence);
        }
        !is_done
    }

    /// One of its events failed in this replay, and so many are left where they are.
    pub fn sticks(&mut self, sequence: u64, left: usize) {
        self.stuck.insert(sequence);
        self.left += left;
    }

    /// Whether the rest of it stays where it is, of which this is one.
    pub fn leaves(&mut self, sequence: u64) -> bool {
        let is_stuck = self.stuck.contains(&sequence);
        self.left += usize::from(is_stuck);
        is_stuck
    }

    /// How many were looked at and left.
    pub fn left(&self) -> usize {
        self.left
    }

    /// What is stuck is tried again.
    pub fn begin_replay(&mut self) {
        self.stuck.clear();
        self.left = 0;
    }
}
