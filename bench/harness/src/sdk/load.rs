//! Loading one long aggregate from a store with many others.

use std::time::{Duration, Instant};

use factum::{Event as _, Store};
use factum_core::{Append, Durability, EventStore, ExpectedRevision, NewEvent};

use super::counter::{Counter, CounterId, Sum};
use crate::BenchError;
use crate::fill::fill;
use crate::latency::Latency;
use crate::workload::Request;

/// How many events of others stand between two of the long aggregate.
pub const OTHERS_BETWEEN: u32 = 9;

/// Fills a store so that one event in ten is of the aggregate 0.
pub fn prepare(store: &dyn EventStore, events: u64) -> Result<Option<Durability>, BenchError> {
    let mut left = events;
    let filled = fill(store, |_| {
        left = left.checked_sub(1)?;
        let mut append = Append::default();
        for other in 0..=OTHERS_BETWEEN {
            let id = if other == 0 { 0 } else { (left % 10_000) as u32 * OTHERS_BETWEEN + other };
            let encoded = Counter::Raised { id: CounterId(id), by: 1 }.encode().ok()?;
            let new = NewEvent { tags: encoded.tags, ..NewEvent::new(encoded.event_type, encoded.data) };
            append = append.and_to(encoded.stream, ExpectedRevision::Any, [new]);
        }
        Some(Request { append, events: u64::from(OTHERS_BETWEEN) + 1, data_bytes: 0 })
    })?;
    Ok(filled.durability)
}

/// Loads it again and again, from the log each time.
pub fn load(store: &Store, events: u64, time: Duration) -> Result<Latency, BenchError> {
    let mut latency = Latency::new();
    // The first one warms the page cache and is not counted.
    store.load(Sum::of(CounterId(0))).run()?;
    let begin = Instant::now();
    while begin.elapsed() < time {
        let started = Instant::now();
        let loaded = store.load(Sum::of(CounterId(0))).run()?;
        latency.record(started.elapsed());
        if (loaded.sum, loaded.events) != (events, events) {
            return Err(BenchError::wrong(format!(
                "{} events came to a sum of {}",
                loaded.events, loaded.sum
            )));
        }
    }
    Ok(latency)
}

/// Whether no load went around the snapshot.
pub fn used_a_snapshot_each_time(store: &Store, loads: u64) -> Result<(), BenchError> {
    let stats = store.snapshot_stats();
    let used: u64 = stats.iter().map(|stats| stats.loaded).sum();
    match used >= loads {
        true => Ok(()),
        false => Err(BenchError::wrong(format!("{loads} loads used a snapshot {used} times"))),
    }
}
