//! What is measured.

use crate::counters::Past;

/// How many counters there are.
pub const COUNTERS: u32 = 10_000;
/// How many events the counter has that is loaded.
pub const LONG_EVENTS: u32 = 10_000;
/// Which counter that is.
pub const LONG: u32 = 0;
/// At most so many events are stored at once to fill a store.
const AT_ONCE: usize = 1_000;

/// One kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// One caller, one command after the other.
    OneCaller,
    /// 64 commands in flight.
    InFlight64,
    /// 1,024 commands in flight.
    InFlight1024,
    /// One long counter, loaded again and again.
    Load,
}

impl Workload {
    /// In the order of the table.
    pub const ALL: [Self; 4] = [Self::OneCaller, Self::InFlight64, Self::InFlight1024, Self::Load];

    /// As the table says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCaller => "commands, 1 caller",
            Self::InFlight64 => "commands, 64 in flight",
            Self::InFlight1024 => "commands, 1,024 in flight",
            Self::Load => "load of 10,000 events, 1 caller",
        }
    }

    /// Commands in flight; `None` if it is none about commands.
    pub fn in_flight(self) -> Option<usize> {
        match self {
            Self::OneCaller => Some(1),
            Self::InFlight64 => Some(64),
            Self::InFlight1024 => Some(1_024),
            Self::Load => None,
        }
    }

    /// What a store holds before anything is measured, a part at a time: one
    /// event in each counter, and all the events of the one that is loaded.
    pub fn past(self) -> Vec<Vec<Past>> {
        let each = (0..COUNTERS).map(|id| Past { id, after: 0 });
        let more = match self {
            Self::Load => 1..LONG_EVENTS,
            _ => 0..0,
        };
        let all: Vec<Past> = each.chain(more.map(|after| Past { id: LONG, after })).collect();
        // Parts end where the long counter begins, so that in no part a counter
        // that had no event gets two.
        let (each, more) = all.split_at(COUNTERS as usize);
        each.chunks(AT_ONCE).chain(more.chunks(AT_ONCE)).map(<[Past]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_every_counter_and_the_long_one() {
        for workload in Workload::ALL {
            let past: Vec<Past> = workload.past().concat();
            let of_long = past.iter().filter(|past| past.id == LONG).count();
            let wanted = if workload == Workload::Load { LONG_EVENTS } else { 1 };
            assert_eq!(of_long, wanted as usize, "{workload:?}");
            assert_eq!(past.len(), (COUNTERS - 1 + wanted) as usize, "{workload:?}");
            for part in workload.past() {
                assert!(part.len() <= AT_ONCE, "{workload:?}");
            }
            let mut events = vec![0; COUNTERS as usize];
            for past in past {
                assert_eq!(past.after, events[past.id as usize], "{workload:?}");
                events[past.id as usize] += 1;
            }
        }
    }
}
