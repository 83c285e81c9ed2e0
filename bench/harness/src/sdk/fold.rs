//! Folding in memory: stored events through the typed path, beside the JSON
//! decoder alone on the same bytes.

use std::time::{Duration, Instant};

use factum::{Event as _, Model as _, RecordedEvent};
use factum_core::{Append, EventStore as _, ExpectedRevision, MemoryStore, NewEvent, Read, StreamName};
use serde::Deserialize;

use super::counter::{Counter, CounterId, Sum};
use crate::BenchError;
use crate::memory;

/// How fast events were folded by one core.
#[derive(Debug, Clone, Copy)]
pub struct FoldFigures {
    /// Through the typed path, by second of processor time.
    pub typed_per_s: f64,
    /// The JSON decoder alone, into a plain struct.
    pub decoder_per_s: f64,
}

/// What the decoder alone reads: the fields of the event.
#[derive(Deserialize)]
struct Plain {
    id: u32,
    by: u32,
}

/// Folds the same events again and again, in turn with the decoder.
pub fn fold(events: usize, time: Duration) -> Result<FoldFigures, BenchError> {
    let recorded = recorded(events)?;
    let wanted: u64 = (0..events as u64).map(|n| n % 1_000).sum();
    let (mut typed, mut decoder) = (Tally::default(), Tally::default());
    let begin = Instant::now();
    while begin.elapsed() < time {
        let sum = typed.time(events, || {
            let mut sum = Sum::of(CounterId(1));
            for event in &recorded {
                sum.apply(0, event).map_err(factum::StoreError::from)?;
            }
            Ok(sum.sum)
        })?;
        let plain = decoder.time(events, || {
            recorded.iter().try_fold(0, |sum, event| {
                let plain: Plain = serde_json::from_slice(&event.data)
                    .map_err(|_| BenchError::wrong("an event is no JSON"))?;
                Ok(sum + u64::from(plain.by) + u64::from(plain.id - 1))
            })
        })?;
        if (sum, plain) != (wanted, wanted) {
            return Err(BenchError::wrong(format!("a fold came to {sum}, not {wanted}")));
        }
    }
    Ok(FoldFigures { typed_per_s: typed.per_s(), decoder_per_s: decoder.per_s() })
}

#[derive(Default)]
struct Tally {
    events: usize,
    busy: Duration,
}

impl Tally {
    fn time<T>(
        &mut self,
        events: usize,
        work: impl FnOnce() -> Result<T, BenchError>,
    ) -> Result<T, BenchError> {
        let before = memory::processor_time();
        let result = work()?;
        self.busy += memory::processor_time() - before;
        self.events += events;
        Ok(result)
    }

    fn per_s(&self) -> f64 {
        self.events as f64 / self.busy.as_secs_f64()
    }
}

fn recorded(events: usize) -> Result<Vec<RecordedEvent>, BenchError> {
    let store = MemoryStore::new();
    let stream = StreamName::new("counter-1").expect("short and printable");
    let new = (0..events).map(|n| {
        let encoded = Counter::Raised { id: CounterId(1), by: n as u32 % 1_000 }.encode();
        let encoded = encoded.map_err(factum::StoreError::from)?;
        Ok(NewEvent { tags: encoded.tags, ..NewEvent::new(encoded.event_type, encoded.data) })
    });
    let new = new.collect::<Result<Vec<_>, BenchError>>()?;
    store.append(Append::to(stream.clone(), ExpectedRevision::Any, new))?;
    Ok(store.read(Read::stream(stream))?.collect::<Result<Vec<_>, _>>()?)
}
