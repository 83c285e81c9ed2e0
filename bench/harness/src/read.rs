//! Reads of streams: the fold of one long stream that lies scattered among
//! many events, and the last events of streams chosen at random.
//!
//! ```text
//!   log      A b c d e A f g b h A d i k c A ...     A: the long stream
//!   fold     ▲         ▲         ▲         ▲         every event of it, oldest first
//!   last 20  the newest events of b, of k, ...       newest first
//! ```

use std::time::{Duration, Instant};

use factum_core::{EventStore, Read, ReadError, StreamName};

use crate::BenchError;
use crate::fill::{Filled, fill};
use crate::latency::Latency;
use crate::workload::{Generator, Workload};

/// How many events, and how many of them in the long stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadPlan {
    /// Events in all.
    pub events: u64,
    /// Events of the long stream, spread evenly among them.
    pub stream_events: u64,
    /// How long each of the two reads is repeated.
    pub time: Duration,
}

impl Default for ReadPlan {
    fn default() -> Self {
        Self { events: 1_000_000, stream_events: 10_000, time: Duration::from_secs(5) }
    }
}

/// How many events a random read asks for.
pub const LAST: u64 = 20;

/// What the reads cost.
#[derive(Clone)]
pub struct ReadFigures {
    /// Events of the long stream.
    pub stream_events: u64,
    /// Bytes of their data.
    pub stream_data_bytes: u64,
    /// The first fold, which may have to wait for the disk; it warms the page
    /// cache for the others.
    pub first_fold: Duration,
    /// Each fold after it.
    pub folds: Latency,
    /// Time of all folds together.
    pub folds_time: Duration,
    /// Each read of last events.
    pub lasts: Latency,
    /// Events that those gave, together.
    pub lasts_events: u64,
    /// Time of those together.
    pub lasts_time: Duration,
}

/// The stream that is folded.
pub fn long_stream() -> StreamName {
    StreamName::new("ledger-1").expect("the name is short and printable")
}

/// Fills the store as planned.
pub fn prepare(
    store: &dyn EventStore,
    workload: &std::sync::Arc<Workload>,
    plan: ReadPlan,
) -> Result<Filled, BenchError> {
    let share = plan.events.checked_div(plan.stream_events).unwrap_or(0);
    if share == 0 {
        let value = plan.stream_events.to_string();
        return Err(BenchError::Option {
            name: "stream_events",
            value,
            allowed: "1 to the number of events",
        });
    }
    let stream = long_stream();
    let mut generator = workload.generator();
    let mut appends = 0;
    fill(store, |_| {
        appends += 1;
        (appends <= plan.stream_events).then(|| generator.append_among(&stream, share as usize))
    })
}

/// Repeats both reads.
pub fn read(
    store: &dyn EventStore,
    generator: &mut Generator,
    plan: ReadPlan,
) -> Result<ReadFigures, BenchError> {
    let stream = long_stream();
    let mut folds = Latency::new();
    let begin = Instant::now();
    let stream_data_bytes = fold(store, &stream, plan.stream_events)?;
    let first_fold = begin.elapsed();
    let begin = Instant::now();
    while begin.elapsed() < plan.time || folds.count() == 0 {
        let started = Instant::now();
        fold(store, &stream, plan.stream_events)?;
        folds.record(started.elapsed());
    }
    let folds_time = begin.elapsed();

    let mut lasts = Latency::new();
    let mut lasts_events = 0;
    let begin = Instant::now();
    while begin.elapsed() < plan.time || lasts.count() == 0 {
        let stream = generator.stream();
        let started = Instant::now();
        lasts_events += last(store, stream)?;
        lasts.record(started.elapsed());
    }
    Ok(ReadFigures {
        stream_events: plan.stream_events,
        stream_data_bytes,
        first_fold,
        folds,
        folds_time,
        lasts,
        lasts_events,
        lasts_time: begin.elapsed(),
    })
}

/// Every event of the stream in turn; gives the bytes of their data.
fn fold(store: &dyn EventStore, stream: &StreamName, expected: u64) -> Result<u64, BenchError> {
    let (mut events, mut bytes) = (0, 0);
    for event in store.read(Read::stream(stream.clone()))? {
        let event = event?;
        if event.revision.get() != events {
            let found = event.revision;
            return Err(BenchError::wrong(format!(
                "revision {found} of a stream was read at place {events}"
            )));
        }
        events += 1;
        bytes += event.data.len() as u64;
    }
    match events == expected {
        true => Ok(bytes),
        false => Err(BenchError::wrong(format!(
            "{expected} events of a stream were acknowledged and {events} were read"
        ))),
    }
}

/// How many events came; a stream the workload never chose has none.
fn last(store: &dyn EventStore, stream: StreamName) -> Result<u64, BenchError> {
    let mut count = 0;
    match store.read(Read::stream(stream).backward().limit(LAST)) {
        Ok(events) => {
            for event in events {
                event?;
                count += 1;
            }
        }
        Err(ReadError::StreamNotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use factum_core::MemoryStore;

    use super::*;
    use crate::workload::EventSpec;

    #[test]
    fn folds_one_stream_among_many() {
        let store = MemoryStore::new();
        let workload = Workload::new(EventSpec { streams: 50, ..EventSpec::default() }).unwrap();
        let plan = ReadPlan { events: 5_000, stream_events: 100, time: Duration::from_millis(5) };
        assert_eq!(prepare(&store, &workload, plan).unwrap().events, 5_000);
        let figures = read(&store, &mut workload.generator(), plan).unwrap();
        assert_eq!(figures.stream_events, 100);
        assert!(figures.stream_data_bytes >= 100 * 200);
        assert!(figures.folds.count() >= 1);
        assert!(figures.lasts_events > 0 && figures.lasts_events <= LAST * figures.lasts.count());
    }

    #[test]
    fn the_long_stream_is_spread_evenly() {
        let store = MemoryStore::new();
        let workload = Workload::new(EventSpec { streams: 50, ..EventSpec::default() }).unwrap();
        let plan = ReadPlan { events: 2_000, stream_events: 100, time: Duration::ZERO };
        prepare(&store, &workload, plan).unwrap();
        let positions = store.read(Read::stream(long_stream())).unwrap();
        let positions: Vec<_> = positions.map(|event| event.unwrap().position.get()).collect();
        assert_eq!(positions, (0..100).map(|place| place * 20).collect::<Vec<_>>());
    }

    #[test]
    fn refuses_a_stream_longer_than_the_log() {
        let workload = Workload::new(EventSpec { streams: 1, ..EventSpec::default() }).unwrap();
        for stream_events in [0, 11] {
            let plan = ReadPlan { events: 10, stream_events, time: Duration::ZERO };
            let refused = prepare(&MemoryStore::new(), &workload, plan);
            assert!(matches!(refused, Err(BenchError::Option { .. })));
        }
    }
}
