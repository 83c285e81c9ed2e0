//! Positions as they travel: a pair of numbers, and both are ours plus one.
//!
//! In KurrentDB a position is a pair of byte offsets in its log, commit and
//! prepare, which are the same for everything written in the last ten years.
//! Clients treat it as opaque, except that it grows and that (0, 0) is before
//! everything: who resumes after it expects the very first event. Ours count
//! events from 0, so that one is added on the way out:
//!
//! ```text
//!   our position          0    1    2    3
//!   on the wire      0    1    2    3    4    ...    2^64 - 1
//!                    │                               │
//!                    before everything               the end
//! ```
//!
//! A prepare that is less than its commit was never given out here, but clients may
//! make one: it is a place between two events, as it is in KurrentDB.

use factum_core::Position;

use crate::failure::Failure;

/// A place in the log that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the first event.
    Start,
    /// After the last event there is.
    End,
    /// At this event.
    At(Position),
    /// Between this event and the one before it.
    Before(Position),
}

/// The number an event's position has on the wire.
pub fn encode(position: Position) -> u64 {
    position.next().get()
}

/// The place a pair of numbers means.
pub fn decode(commit: u64, prepare: u64) -> Result<Place, Failure> {
    match (commit, prepare) {
        (u64::MAX, _) => Ok(Place::End),
        _ if prepare > commit => Err(Failure::Invalid(format!(
            "prepare position {prepare} is greater than commit position {commit}: use a position that was read from this server"
        ))),
        (0, _) => Ok(Place::Start),
        _ if prepare < commit => Ok(Place::Before(Position::new(commit - 1))),
        _ => Ok(Place::At(Position::new(commit - 1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_and_the_ends_are_no_events() {
        for n in [0, 1, 41, u64::MAX - 2] {
            let wire = encode(Position::new(n));
            assert!(wire > n && wire != u64::MAX);
            assert_eq!(decode(wire, wire).unwrap(), Place::At(Position::new(n)));
        }
        assert_eq!(decode(0, 0).unwrap(), Place::Start);
        assert_eq!(decode(u64::MAX, u64::MAX).unwrap(), Place::End);
        assert_eq!(decode(u64::MAX, 7).unwrap(), Place::End);
        assert_eq!(decode(5, 4).unwrap(), Place::Before(Position::new(4)));
        assert_eq!(decode(1, 0).unwrap(), Place::Before(Position::FIRST));
        for (commit, prepare) in [(4, 5), (0, 1), (7, u64::MAX)] {
            let failure = decode(commit, prepare).unwrap_err();
            assert!(failure.to_string().contains("is greater than"), "{failure}");
        }
    }
}
