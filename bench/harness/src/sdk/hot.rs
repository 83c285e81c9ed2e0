//! One hot aggregate: every command is for the same counter, through a queue.

use std::future::IntoFuture as _;
use std::time::{Duration, Instant};

use factum::Store;
use factum::hot::{Queue, QueueError, QueueOptions};
use factum_core::Durability;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::counter::{CounterId, Sum, raise};
use crate::BenchError;
use crate::fill::weaker;
use crate::latency::Latency;

/// What came of it.
pub struct HotFigures {
    /// A second.
    pub commands_per_s: f64,
    #[allow(missing_docs)]
    pub latency: Latency,
    /// The weakest of all receipts.
    pub durability: Option<Durability>,
}

/// So many submitters, each with one command on its way, until the time is
/// over. The counter must be new.
pub fn queued(
    store: &Store,
    submitters: usize,
    time: Duration,
    warm_up: Duration,
) -> Result<HotFigures, BenchError> {
    let queue = Queue::start(store, QueueOptions::default())
        .map_err(|source| BenchError::wrong(format!("the queue did not start: {source}")))?;
    let mut figures = HotFigures { commands_per_s: 0.0, latency: Latency::new(), durability: None };
    let counted_from = Instant::now() + warm_up;
    let end = counted_from + time;
    let (mut carried_out, mut counted) = (0_u64, 0_u64);
    futures_executor::block_on(async {
        let mut waiting = FuturesUnordered::new();
        let timed = || {
            let started = Instant::now();
            let command = queue.decide(Sum::of(CounterId(0)), |sum: &Sum| raise(sum, 1)).into_future();
            async move { (command.await, started) }
        };
        for _ in 0..submitters {
            waiting.push(timed());
        }
        while let Some((answer, started)) = waiting.next().await {
            let receipt = answer.map_err(failed)?;
            carried_out += 1;
            let now = Instant::now();
            if now < end {
                waiting.push(timed());
            }
            if now >= counted_from && now < end {
                counted += 1;
                figures.latency.record(now - started);
                figures.durability = Some(weaker(figures.durability, receipt.durability));
            }
        }
        Ok::<_, BenchError>(())
    })?;
    queue.close();
    let sum = store.load(Sum::of(CounterId(0))).run()?.sum;
    if sum != carried_out {
        return Err(BenchError::wrong(format!("{carried_out} commands came to a sum of {sum}")));
    }
    figures.commands_per_s = counted as f64 / time.as_secs_f64();
    Ok(figures)
}

fn failed(error: QueueError<&'static str>) -> BenchError {
    match error {
        QueueError::Store(error) => BenchError::Sdk(error),
        other => BenchError::wrong(format!("a command that can always be carried out was not: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_every_command_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("store")).expect("a store");
        let time = Duration::from_millis(300);
        let figures = queued(&store, 64, time, Duration::from_millis(50)).expect("a figure");
        assert!(figures.commands_per_s > 0.0);
        assert_eq!(figures.durability, Some(Durability::Disk));
    }
}
