//! Commands in flight: callers that each give a command, hear the answer, and
//! give the next.
//!
//! ```text
//!   caller 1  ──────── answered ─────── answered ──
//!   caller 2  ─────────── answered ──────── answered ──
//!                 │ lead-in │     counted     │ the rest is heard, not counted
//! ```
//!
//! Callers are tasks of one tokio runtime with a thread for each core: what the
//! peers are made for, and what Factum does not need. A single caller is a
//! thread that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use factum_bench::latency::Latency;
use tokio::runtime::Runtime;

use crate::counters::{Counters, Raised};
use crate::failure::{Failure, with_causes};
use crate::workload::{COUNTERS, LONG, LONG_EVENTS};

/// Gives out counters: each once before any comes again, so that commands in
/// flight seldom meet.
#[derive(Default)]
pub struct Turn(AtomicU64);

impl Turn {
    fn next(&self) -> u32 {
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        // A prime that does not divide the number of counters.
        (turn.wrapping_mul(7_919) % u64::from(COUNTERS)) as u32
    }
}

/// How many commands, for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// At any moment.
    pub in_flight: usize,
    /// Before answers are counted.
    pub lead_in: Duration,
    /// While they are.
    pub time: Duration,
}

/// What was heard.
#[derive(Default)]
pub struct Heard {
    /// How long each counted answer took.
    pub took: Vec<Duration>,
    /// Decisions made again, of the counted.
    pub again: u64,
    /// Answers that it was done, counted or not.
    pub done: u64,
    /// Answers that it was not.
    pub refused: u64,
    /// What the first of those said.
    pub refusal: Option<String>,
}

impl Heard {
    fn hear(
        &mut self,
        answer: Result<Raised, Failure>,
        started: Instant,
        counted: &std::ops::Range<Instant>,
    ) {
        let now = Instant::now();
        match answer {
            Ok(raised) => {
                self.done += 1;
                if counted.contains(&now) {
                    self.took.push(now - started);
                    self.again += u64::from(raised.again);
                }
            }
            Err(failure) => {
                self.refused += 1;
                self.refusal.get_or_insert_with(|| with_causes(&*failure));
            }
        }
    }

    /// Also what another caller heard.
    pub fn add(&mut self, other: Self) {
        self.took.extend(other.took);
        self.again += other.again;
        self.done += other.done;
        self.refused += other.refused;
        self.refusal = self.refusal.take().or(other.refusal);
    }

    /// As a distribution.
    pub fn latency(&self) -> Latency {
        let mut latency = Latency::new();
        self.took.iter().for_each(|took| latency.record(*took));
        latency
    }
}

/// Gives commands until the time is over, and waits for all answers.
pub fn commands<C: Counters>(runtime: &Runtime, store: &Arc<C>, turn: &Arc<Turn>, plan: Plan) -> Heard {
    let counted_from = Instant::now() + plan.lead_in;
    let counted = counted_from..counted_from + plan.time;
    let mut heard = Heard::default();
    if plan.in_flight == 1 {
        while Instant::now() < counted.end {
            let started = Instant::now();
            heard.hear(store.raise_alone(runtime, turn.next()), started, &counted);
        }
        return heard;
    }
    let callers: Vec<_> = (0..plan.in_flight)
        .map(|_| {
            let (store, turn, counted) = (store.clone(), turn.clone(), counted.clone());
            runtime.spawn(async move {
                let mut heard = Heard::default();
                while Instant::now() < counted.end {
                    let started = Instant::now();
                    let answer = store.raise(turn.next()).await;
                    heard.hear(answer, started, &counted);
                }
                heard
            })
        })
        .collect();
    for caller in callers {
        heard.add(runtime.block_on(caller).expect("a caller does not panic"));
    }
    heard
}

/// Loads the long counter until the time is over.
pub fn loads<C: Counters>(runtime: &Runtime, store: &C, plan: Plan) -> Result<Heard, Failure> {
    let counted_from = Instant::now() + plan.lead_in;
    let counted = counted_from..counted_from + plan.time;
    let mut heard = Heard::default();
    while Instant::now() < counted.end {
        let started = Instant::now();
        let sum = store.sum_alone(runtime, LONG)?;
        heard.hear(Ok(Raised { again: 0 }), started, &counted);
        if sum != u64::from(LONG_EVENTS) {
            return Err(format!("{LONG_EVENTS} events of 1 came to a sum of {sum}").into());
        }
    }
    Ok(heard)
}

/// The sum of all counters.
pub fn total<C: Counters>(runtime: &Runtime, store: &Arc<C>) -> Result<u64, Failure> {
    const CALLERS: u32 = 16;
    let callers: Vec<_> = (0..CALLERS)
        .map(|first| {
            let store = store.clone();
            runtime.spawn(async move {
                let mut sum = 0;
                for id in (first..COUNTERS).step_by(CALLERS as usize) {
                    sum += store.sum(id).await?;
                }
                Ok::<_, Failure>(sum)
            })
        })
        .collect();
    let mut sum = 0;
    for caller in callers {
        sum += runtime.block_on(caller)??;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::counters::{Home, Past};

    /// Counters in memory that go wrong as often as they are told to.
    struct Fake {
        sums: Vec<AtomicU64>,
        commands: AtomicU64,
        loses_every: u64,
        refuses_every: u64,
    }

    impl Fake {
        fn new(loses_every: u64, refuses_every: u64) -> Self {
            let sums = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
            Self { sums, commands: AtomicU64::new(0), loses_every, refuses_every }
        }
    }

    impl Counters for Fake {
        async fn open(_: &Home<'_>) -> Result<Self, Failure> {
            Ok(Self::new(u64::MAX, u64::MAX))
        }

        async fn fill(&self, _: &[Past]) -> Result<(), Failure> {
            Ok(())
        }

        async fn raise(&self, id: u32) -> Result<Raised, Failure> {
            let command = self.commands.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::time::sleep(Duration::from_micros(100)).await;
            if command.is_multiple_of(self.refuses_every) {
                return Err("busy".into());
            }
            if !command.is_multiple_of(self.loses_every) {
                self.sums[id as usize].fetch_add(1, Ordering::Relaxed);
            }
            Ok(Raised { again: 2 })
        }

        async fn sum(&self, id: u32) -> Result<u64, Failure> {
            Ok(self.sums[id as usize].load(Ordering::Relaxed))
        }

        fn durability(&self) -> String {
            "memory".into()
        }
    }

    fn drive(fake: Fake, in_flight: usize) -> (Heard, u64) {
        let (runtime, store) = (Runtime::new().unwrap(), Arc::new(fake));
        let plan = Plan { in_flight, lead_in: Duration::from_millis(20), time: Duration::from_millis(60) };
        let heard = commands(&runtime, &store, &Arc::default(), plan);
        (heard, total(&runtime, &store).unwrap())
    }

    #[test]
    fn what_was_answered_is_what_is_counted() {
        for in_flight in [1, 8] {
            let (heard, total) = drive(Fake::new(u64::MAX, u64::MAX), in_flight);
            assert_eq!((heard.done, heard.refused), (total, 0), "{in_flight}");
            assert!(!heard.took.is_empty() && (heard.took.len() as u64) < heard.done, "{in_flight}");
            assert_eq!(heard.again, 2 * heard.took.len() as u64, "{in_flight}");
        }
    }

    #[test]
    fn a_store_that_loses_is_found_out_and_one_that_refuses_is_not_blamed() {
        for in_flight in [1, 8] {
            let (heard, total) = drive(Fake::new(10, u64::MAX), in_flight);
            assert!(total < heard.done, "{in_flight}: {total} of {}", heard.done);
            let (heard, total) = drive(Fake::new(u64::MAX, 10), in_flight);
            assert_eq!(heard.done, total, "{in_flight}");
            assert!(heard.refused > 0, "{in_flight}");
            assert_eq!(heard.refusal.as_deref(), Some("busy"), "{in_flight}");
        }
    }

    #[test]
    fn every_counter_comes_once_before_any_comes_again() {
        let turn = Turn::default();
        for _ in 0..2 {
            let cycle: HashSet<u32> = (0..COUNTERS).map(|_| turn.next()).collect();
            assert_eq!(cycle.len(), COUNTERS as usize);
        }
    }
}
