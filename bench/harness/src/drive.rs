//! Appends in flight: one thread that hands over appends and hears the
//! answers, as a server's connection does.
//!
//! ```text
//!   in flight  ── append 1 ──────── answered ─ append 5 ─────────
//!              ── append 2 ──────────── answered ─ append 6 ─────
//!              ── append 3 ──────── answered ─ append 7 ─────────
//!              ── append 4 ──────────── answered ─ append 8 ─────
//! ```
//!
//! The loop is closed: each of the callers has one append under way and makes
//! the next when the last is answered. What is measured is from before the
//! append is handed over until the caller has the answer.

use std::future::Future;
use std::time::{Duration, Instant};

use factum_core::{AppendError, Appended, EventStore};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::BenchError;
use crate::workload::Request;

/// An append that was answered.
pub struct Answered {
    /// Before it was handed over.
    pub started: Instant,
    /// When its caller had the answer.
    pub answered: Instant,
    /// The receipt.
    pub appended: Appended,
    /// How many events it carried.
    pub events: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
}

impl Answered {
    /// What the caller waited.
    pub fn took(&self) -> Duration {
        self.answered - self.started
    }

    /// Appends and waits.
    pub fn of(store: &dyn EventStore, request: Request) -> Result<Self, BenchError> {
        let Request { append, events, data_bytes } = request;
        let started = Instant::now();
        let appended = store.append(append)?;
        Self { started, answered: Instant::now(), appended, events, data_bytes }.checked()
    }

    /// Refuses a receipt that does not fit the request: every event of a
    /// benchmark is new, and all of them must have got a place.
    fn checked(self) -> Result<Self, BenchError> {
        let places = self.appended.positions.as_ref().map_or(0, |p| p.end().get() - p.start().get() + 1);
        if places != self.events || self.appended.repeated {
            return Err(BenchError::wrong(format!(
                "an append of {} new events was answered with {places} positions{}",
                self.events,
                if self.appended.repeated { " as a repetition" } else { "" }
            )));
        }
        Ok(self)
    }
}

/// Keeps `in_flight` appends under way until `next` has no more, and hears all
/// answers.
pub fn closed_loop(
    store: &dyn EventStore,
    in_flight: usize,
    mut next: impl FnMut() -> Option<Request>,
    mut hear: impl FnMut(Answered) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    futures_executor::block_on(async {
        let mut waiting = FuturesUnordered::new();
        for _ in 0..in_flight {
            match next() {
                Some(request) => waiting.push(send(store, request)),
                None => break,
            }
        }
        while let Some(answered) = waiting.next().await {
            hear(answered?.checked()?)?;
            if let Some(request) = next() {
                waiting.push(send(store, request));
            }
        }
        Ok(())
    })
}

/// Hands the append over at once; the future is its answer.
fn send(
    store: &dyn EventStore,
    request: Request,
) -> impl Future<Output = Result<Answered, AppendError>> + use<> {
    let Request { append, events, data_bytes } = request;
    let started = Instant::now();
    let answer = store.append_async(&append);
    async move {
        let appended = answer.await?;
        Ok(Answered { started, answered: Instant::now(), appended, events, data_bytes })
    }
}
