//! Replay: everything is read, oldest first, by one thread, again and again.
//!
//! The fold does what every fold must: it looks at each event's type and at
//! its data (its length). The first pass is not counted; after it the page
//! cache holds the files.

use std::time::{Duration, Instant};

use factum_core::{EventStore, Read};

use crate::BenchError;
use crate::latency::Latency;
use crate::memory::processor_time;

/// What reading everything cost.
#[derive(Clone)]
pub struct ReplayFigures {
    /// Events of one pass.
    pub events: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// Passes counted.
    pub passes: u64,
    /// How long all counted passes took.
    pub time: Duration,
    /// Processor time of the whole process meanwhile: more than `time` means
    /// that more than one core was at work.
    pub processor: Duration,
    /// How long each pass took.
    pub latency: Latency,
}

impl ReplayFigures {
    /// Cores that were busy, on average.
    pub fn cores(&self) -> f64 {
        self.processor.as_secs_f64() / self.time.as_secs_f64()
    }

    /// Events a second, as they arrived at the reader.
    pub fn events_per_s(&self) -> f64 {
        (self.events * self.passes) as f64 / self.time.as_secs_f64()
    }

    /// The same of one core: what more than one core did is divided out.
    pub fn events_per_s_per_core(&self) -> f64 {
        self.events_per_s() / self.cores().max(1.0)
    }
}

/// What one pass saw. The sum keeps a compiler from leaving the looking out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    events: u64,
    data_bytes: u64,
    types: u64,
}

/// Reads everything once uncounted and then, counted, until `time` has passed.
pub fn replay(store: &dyn EventStore, expected: u64, time: Duration) -> Result<ReplayFigures, BenchError> {
    let first = pass(store)?;
    if first.events != expected {
        let found = first.events;
        return Err(BenchError::wrong(format!("{expected} events were acknowledged and {found} were read")));
    }
    let mut latency = Latency::new();
    let processor = processor_time();
    let begin = Instant::now();
    let mut before = begin;
    while before - begin < time || latency.count() == 0 {
        if pass(store)? != first {
            return Err(BenchError::wrong("two reads of everything saw different events"));
        }
        let after = Instant::now();
        latency.record(after - before);
        before = after;
    }
    Ok(ReplayFigures {
        events: first.events,
        data_bytes: first.data_bytes,
        passes: latency.count(),
        time: before - begin,
        processor: processor_time().saturating_sub(processor),
        latency,
    })
}

fn pass(store: &dyn EventStore) -> Result<Seen, BenchError> {
    let mut seen = Seen::default();
    for event in store.read(Read::all())? {
        let event = event?;
        seen.events += 1;
        seen.data_bytes += event.data.len() as u64;
        seen.types += u64::from(event.event_type.as_str().as_bytes()[0]);
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use factum_core::MemoryStore;

    use super::*;
    use crate::fill::fill;
    use crate::workload::{EventSpec, Workload};

    #[test]
    fn reads_everything_in_every_pass() {
        let store = MemoryStore::new();
        let mut generator = Workload::new(EventSpec::default()).unwrap().generator();
        let filled = fill(&store, |filled| (filled.events < 1_000).then(|| generator.append(10))).unwrap();
        let figures = replay(&store, filled.events, Duration::from_millis(10)).unwrap();
        assert_eq!((figures.events, figures.data_bytes), (filled.events, filled.data_bytes));
        assert_eq!(figures.latency.count(), figures.passes);
        assert!(figures.passes >= 1);
        assert!(figures.events_per_s_per_core() <= figures.events_per_s());
    }

    #[test]
    fn a_store_that_lost_an_event_gets_no_figure() {
        let store = MemoryStore::new();
        let lost = replay(&store, 1, Duration::ZERO);
        assert!(matches!(lost, Err(BenchError::Wrong { .. })));
    }
}
