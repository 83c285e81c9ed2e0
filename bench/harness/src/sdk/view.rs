//! A view in SQLite: how fast it catches up, and how late it is once live.
//!
//! ```text
//!   append of ten ──receipt──▶ observer waits ──▶ the rows have them
//!        every ms     └────────── lag ───────────┘
//! ```

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use factum::prelude::*;
use factum::view::sqlite::{Database, DatabaseView};
use factum::{Receipt, RecordedEvent};
use factum_core::{Append, Durability, EventStore, ExpectedRevision, NewEvent};

use super::counter::{Counter, CounterId};
use crate::BenchError;
use crate::fill::{BATCH, fill, weaker};
use crate::latency::Latency;
use crate::workload::Request;

/// How many events are appended while a view is followed.
pub const APPENDED_PER_S: f64 = 10_000.0;

/// Events of one append meanwhile.
const TOGETHER: u32 = 10;

/// How long a view may take to come to where it should be.
const PATIENCE: Duration = Duration::from_secs(600);

/// The sum of every counter.
pub struct Totals;

/// One counter's.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct Total {
    /// Which.
    #[key]
    pub counter: u32,
    /// How often it was raised.
    pub times: u64,
    /// Of all it was raised by.
    pub sum: u64,
}

impl Projection for Totals {
    const NAME: &'static str = "totals";
    type Event = Counter;
    type Row = Total;

    fn project(&self, event: &Counter, _: &RecordedEvent, rows: &mut Rows<'_, Total>) {
        let Counter::Raised { id, by } = event;
        let mut total = rows.get(&id.0).unwrap_or(Total { counter: id.0, times: 0, sum: 0 });
        total.times += 1;
        total.sum += u64::from(*by);
        rows.put(total);
    }
}

/// How fast it caught up.
pub struct CatchUp {
    /// From the first event to the last in its row.
    pub events_per_s: f64,
}

/// How late it was.
pub struct Lag {
    /// From a receipt until the rows have what it is about.
    pub latency: Latency,
    /// Events a second that were appended meanwhile.
    pub appended_per_s: f64,
    /// The weakest of all receipts.
    pub durability: Option<Durability>,
}

/// One raised counter; neighbours in the log are of different counters.
fn raised(at: u32, rows: u32) -> Counter {
    Counter::Raised { id: CounterId(at.wrapping_mul(7_919) % rows), by: at % 9 + 1 }
}

/// Fills a store with so many events.
pub fn prepare(store: &dyn EventStore, events: u32, rows: u32) -> Result<Option<Durability>, BenchError> {
    let mut ats = 0..events;
    // So many neighbours are of different counters, each a stream.
    let together = BATCH.min(rows as usize);
    let filled = fill(store, |_| {
        let mut append = Append::default();
        for at in ats.by_ref().take(together) {
            let encoded = raised(at, rows).encode().ok()?;
            let new = NewEvent { tags: encoded.tags, ..NewEvent::new(encoded.event_type, encoded.data) };
            append = append.and_to(encoded.stream, ExpectedRevision::Any, [new]);
        }
        let events = append.event_count() as u64;
        (events > 0).then_some(Request { append, events, data_bytes: 0 })
    })?;
    Ok(filled.durability)
}

/// Projects all there is into a new database, and checks every row.
pub fn catch_up(store: &Store, database: &Path) -> Result<CatchUp, BenchError> {
    let events = store.events().last_position()?.map_or(0, |last| last.get() + 1);
    let begun = Instant::now();
    let view = start(store, database)?;
    wait(&view)?;
    let seconds = begun.elapsed().as_secs_f64();
    check(store, &view)?;
    Ok(CatchUp { events_per_s: events as f64 / seconds })
}

/// Appends at a steady rate beside a live view, and observes how late it is.
pub fn follow(store: &Store, database: &Path, rows: u32, time: Duration) -> Result<Lag, BenchError> {
    let view = start(store, database)?;
    wait(&view)?;
    let (tell, told) = mpsc::channel::<(Receipt, Instant)>();
    let lag = thread::scope(|scope| {
        let observer = scope.spawn(|| {
            let mut latency = Latency::new();
            for (receipt, answered) in told {
                view.wait_for(&receipt).within(PATIENCE).run().map_err(late)?;
                latency.record(answered.elapsed());
            }
            Ok::<_, BenchError>(latency)
        });
        let appended = append_steadily(store, rows, time, &tell);
        drop(tell);
        let latency =
            observer.join().map_err(|_| BenchError::wrong("the observer broke off".to_owned()))??;
        let (appended_per_s, durability) = appended?;
        Ok::<_, BenchError>(Lag { latency, appended_per_s, durability })
    })?;
    check(store, &view)?;
    Ok(lag)
}

fn append_steadily(
    store: &Store,
    rows: u32,
    time: Duration,
    tell: &mpsc::Sender<(Receipt, Instant)>,
) -> Result<(f64, Option<Durability>), BenchError> {
    let every = Duration::from_secs_f64(f64::from(TOGETHER) / APPENDED_PER_S);
    let begin = Instant::now();
    let (mut appends, mut durability) = (0_u32, None);
    while begin.elapsed() < time {
        let events: Vec<_> = (0..TOGETHER).map(|at| raised(appends * TOGETHER + at, rows)).collect();
        let receipt = store.record(events).run()?;
        durability = Some(weaker(durability, receipt.durability));
        // The observer has gone only with an error of its own, which is told.
        let _ = tell.send((receipt, Instant::now()));
        appends += 1;
        if let Some(ahead) = (every * appends).checked_sub(begin.elapsed()) {
            thread::sleep(ahead);
        }
    }
    Ok((f64::from(appends * TOGETHER) / begin.elapsed().as_secs_f64(), durability))
}

fn start(store: &Store, database: &Path) -> Result<DatabaseView<Totals>, BenchError> {
    let wrong = |what: String| BenchError::wrong(format!("the view did not start: {what}"));
    let database = Database::open(database).map_err(|error| wrong(error.to_string()))?;
    store.project(Totals).in_database(&database).map_err(|error| wrong(error.to_string()))
}

fn wait(view: &DatabaseView<Totals>) -> Result<(), BenchError> {
    view.progress().wait_for_all()?.within(PATIENCE).run().map_err(late)
}

fn late(error: impl std::fmt::Display) -> BenchError {
    BenchError::wrong(format!("the view did not come to its end: {error}"))
}

/// Nothing counted twice, nothing left out.
fn check(store: &Store, view: &DatabaseView<Totals>) -> Result<(), BenchError> {
    let events = store.events().last_position()?.map_or(0, |last| last.get() + 1);
    let rows = view.rows().map_err(|error| BenchError::wrong(error.to_string()))?;
    let times: u64 = rows.iter().map(|row| row.times).sum();
    let memory = store.project(Totals).in_memory().map_err(|error| BenchError::wrong(error.to_string()))?;
    match times == events && rows == memory.rows() {
        true => Ok(()),
        false => Err(BenchError::wrong(format!("{events} events came to {times} in the rows"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use factum_core::MemoryStore;

    use super::*;
    use factum::store::StoreOptions;

    #[test]
    fn every_event_is_in_its_row_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = Arc::new(MemoryStore::new());
        prepare(&*memory, 1_234, 50).expect("events");
        let store = Store::over(memory, StoreOptions::default());
        let caught_up = catch_up(&store, &folder.path().join("views.db")).expect("a figure");
        assert!(caught_up.events_per_s > 0.0);
        let view = start(&store, &folder.path().join("views.db")).expect("a view");
        assert_eq!(view.rows().expect("rows").len(), 50);
    }

    #[test]
    fn a_live_view_is_observed_for_every_append() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::memory();
        let lag = follow(&store, &folder.path().join("views.db"), 20, Duration::from_millis(300));
        let lag = lag.expect("a figure");
        let appended = store.events().last_position().expect("a position").expect("events").get() + 1;
        assert_eq!(lag.latency.count() * u64::from(TOGETHER), appended);
        assert_eq!(lag.durability, Some(Durability::Memory));
    }
}
