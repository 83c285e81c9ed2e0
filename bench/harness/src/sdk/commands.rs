//! Commands: many in flight on many warm aggregates, beside the log taking the
//! same events without the SDK.

use std::future::IntoFuture as _;
use std::time::{Duration, Instant};

use factum::{DecideError, Event as _, Store};
use factum_core::{Append, Durability, EventStore, ExpectedRevision, NewEvent};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::counter::{Counter, CounterId, Sum, raise};
use crate::BenchError;
use crate::drive::closed_loop;
use crate::fill::weaker;
use crate::latency::Latency;
use crate::workload::Request;

/// How many, for how long.
#[derive(Debug, Clone, Copy)]
pub struct CommandPlan {
    /// Commands in flight at any moment.
    pub in_flight: usize,
    /// Aggregates they are spread over.
    pub aggregates: u32,
    #[allow(missing_docs)]
    pub time: Duration,
    #[allow(missing_docs)]
    pub warm_up: Duration,
}

/// What came of it.
pub struct CommandFigures {
    /// A second.
    pub commands_per_s: f64,
    #[allow(missing_docs)]
    pub latency: Latency,
    /// Decisions made again because another was faster.
    pub retried: u64,
    /// The weakest of all receipts.
    pub durability: Option<Durability>,
}

/// Spreads numbers over the aggregates: a full cycle before any comes again.
struct Turn(u64);

impl Turn {
    fn next(&mut self, of: u32) -> CounterId {
        self.0 += 1;
        // A prime that does not divide any round number.
        CounterId((self.0.wrapping_mul(7_919) % u64::from(of)) as u32)
    }
}

/// One event for every aggregate, so that all are warm.
pub fn warm(store: &Store, plan: CommandPlan) -> Result<(), BenchError> {
    let mut ids = 0..plan.aggregates;
    let command = |id| store.decide(Sum::of(CounterId(id)), |sum: &Sum| raise(sum, 1)).into_future();
    futures_executor::block_on(async {
        let mut waiting: FuturesUnordered<_> = ids.by_ref().take(plan.in_flight).map(command).collect();
        while let Some(answer) = waiting.next().await {
            answer.map_err(failed)?;
            waiting.extend(ids.next().map(command));
        }
        Ok(())
    })
}

/// Keeps so many commands in flight until the time is over.
pub fn commands(store: &Store, plan: CommandPlan) -> Result<CommandFigures, BenchError> {
    let mut turn = Turn(0);
    let mut figures =
        CommandFigures { commands_per_s: 0.0, latency: Latency::new(), retried: 0, durability: None };
    let begin = Instant::now();
    let counted_from = begin + plan.warm_up;
    let end = counted_from + plan.time;
    let mut counted = 0;
    futures_executor::block_on(async {
        let mut waiting = FuturesUnordered::new();
        let timed = |id: CounterId| {
            let started = Instant::now();
            let command = store.decide(Sum::of(id), |sum: &Sum| raise(sum, 1)).into_future();
            async move { (command.await, started) }
        };
        for _ in 0..plan.in_flight {
            waiting.push(timed(turn.next(plan.aggregates)));
        }
        while let Some((answer, started)) = waiting.next().await {
            let receipt = answer.map_err(failed)?;
            let now = Instant::now();
            if now < end {
                waiting.push(timed(turn.next(plan.aggregates)));
            }
            if now >= counted_from && now < end {
                counted += 1;
                figures.latency.record(now - started);
                figures.retried += u64::from(receipt.attempts - 1);
                figures.durability = Some(weaker(figures.durability, receipt.durability));
            }
        }
        Ok::<_, BenchError>(())
    })?;
    figures.commands_per_s = counted as f64 / plan.time.as_secs_f64();
    check(store, plan)?;
    Ok(figures)
}

/// Nothing counted twice, nothing lost: the sums are the events there are.
fn check(store: &Store, plan: CommandPlan) -> Result<(), BenchError> {
    let last = store.events().last_position()?.map_or(0, |last| last.get() + 1);
    let mut sum = 0;
    for id in 0..plan.aggregates {
        sum += store.load(Sum::of(CounterId(id))).run()?.sum;
    }
    match sum == last {
        true => Ok(()),
        false => Err(BenchError::wrong(format!("{last} events of 1 came to a sum of {sum}"))),
    }
}

fn failed(error: DecideError<&'static str>) -> BenchError {
    match error {
        DecideError::Store(error) => BenchError::Sdk(error),
        other => BenchError::wrong(format!("a command that can always be carried out was not: {other}")),
    }
}

/// The same events appended to the log without the SDK; appends a second.
pub fn raw_appends(store: &dyn EventStore, plan: CommandPlan) -> Result<f64, BenchError> {
    let mut turn = Turn(0);
    let metadata = factum::command::Context::default();
    let metadata = metadata.metadata_bytes(Counter::PRODUCER_METADATA);
    let begin = Instant::now();
    let counted_from = begin + plan.warm_up;
    let end = counted_from + plan.time;
    let mut counted = 0_u64;
    let encoded: Vec<_> = (0..plan.aggregates)
        .map(|id| Counter::Raised { id: CounterId(id), by: 1 }.encode().map_err(factum::StoreError::from))
        .collect::<Result<_, _>>()?;
    let request = || {
        let encoded = &encoded[turn.next(plan.aggregates).0 as usize];
        let new = NewEvent {
            tags: encoded.tags.clone(),
            metadata: metadata.clone(),
            ..NewEvent::new(encoded.event_type.clone(), encoded.data.clone())
        };
        let data_bytes = new.data.len() as u64;
        let new = NewEvent { correlation_id: Some(new.id), ..new };
        let append = Append::to(encoded.stream.clone(), ExpectedRevision::Any, [new]);
        (Instant::now() < end).then_some(Request { append, events: 1, data_bytes })
    };
    closed_loop(store, plan.in_flight, request, |answered| {
        if answered.answered >= counted_from && answered.answered < end {
            counted += 1;
        }
        Ok(())
    })?;
    Ok(counted as f64 / plan.time.as_secs_f64())
}
