//! Fills a store before something else is measured on it.

use std::time::{Duration, Instant};

use factum_core::{Durability, EventStore};

use crate::BenchError;
use crate::drive::closed_loop;
use crate::workload::Request;

/// Appends under way while filling.
pub const IN_FLIGHT: usize = 32;
/// Events of one append while filling.
pub const BATCH: usize = 100;

/// What was put into the store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filled {
    /// Events that were acknowledged.
    pub events: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// The weakest durability any receipt named; `None` if nothing was appended.
    pub durability: Option<Durability>,
}

impl Filled {
    /// Nothing yet.
    pub fn nothing() -> Self {
        Self { events: 0, data_bytes: 0, took: Duration::ZERO, durability: None }
    }

    /// What there is after an append with this receipt.
    pub fn note(&mut self, events: u64, data_bytes: u64, durability: Durability) {
        self.events += events;
        self.data_bytes += data_bytes;
        self.durability = Some(weaker(self.durability, durability));
    }
}

/// The weaker of what was promised so far and now.
pub fn weaker(so_far: Option<Durability>, now: Durability) -> Durability {
    match so_far {
        Some(Durability::Memory) => Durability::Memory,
        _ => now,
    }
}

/// Appends what `next` gives until it gives no more.
pub fn fill(
    store: &dyn EventStore,
    next: impl FnMut(&Filled) -> Option<Request>,
) -> Result<Filled, BenchError> {
    let begin = Instant::now();
    // Both halves of the loop look at it, one after the other.
    let filled = std::cell::RefCell::new(Filled::nothing());
    let mut next = next;
    closed_loop(
        store,
        IN_FLIGHT,
        || next(&filled.borrow()),
        |answered| {
            let durability = answered.appended.durability;
            filled.borrow_mut().note(answered.events, answered.data_bytes, durability);
            Ok(())
        },
    )?;
    let mut filled = filled.into_inner();
    filled.took = begin.elapsed();
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use factum_core::MemoryStore;

    use super::*;
    use crate::workload::{EventSpec, Workload};

    #[test]
    fn everything_acknowledged_is_there() {
        let store = MemoryStore::new();
        let mut generator = Workload::new(EventSpec::default()).unwrap().generator();
        let mut appends = 0;
        let filled = fill(&store, |_| {
            appends += 1;
            (appends <= 50).then(|| generator.append(10))
        })
        .unwrap();
        assert_eq!(filled.events, 500);
        assert_eq!(store.last_position().unwrap().unwrap().get(), 499);
        assert_eq!(filled.durability, Some(Durability::Memory));
        assert!(filled.data_bytes > 500 * 200);
    }
}
