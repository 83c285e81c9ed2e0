//! Appends: how many events a second, and how long a caller waits for the
//! answer.
//!
//! One caller is a thread that appends and waits. Many callers are as many
//! appends in flight from one thread (see [`crate::drive`]), or with
//! [`AppendPlan::threads`] as many threads that each append and wait.
//!
//! ```text
//!    begin      warm-up ends                     end
//!      ├───────────┼──────────────────────────────┤
//!       not counted   answers in here are counted   what is still under way is
//!                                                   waited for, not counted
//! ```

use std::thread;
use std::time::{Duration, Instant};

use factum_core::{Durability, EventStore};

use crate::BenchError;
use crate::drive::{Answered, closed_loop};
use crate::fill::weaker;
use crate::latency::Latency;
use crate::workload::Workload;

/// Who appends what, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendPlan {
    /// Appends under way at any moment.
    pub callers: usize,
    /// Events of each append.
    pub batch: usize,
    /// Whether every caller is a thread of its own.
    pub threads: bool,
    /// How long answers are counted.
    pub time: Duration,
    /// How long appends go on before that.
    pub warm_up: Duration,
}

impl AppendPlan {
    /// Refuses what could append nothing.
    pub fn validate(&self) -> Result<(), BenchError> {
        let positive = |name, value: usize, most, allowed| match (1..=most).contains(&value) {
            true => Ok(()),
            false => Err(BenchError::Option { name, value: value.to_string(), allowed }),
        };
        positive("callers", self.callers, 1 << 20, "1 to 1,048,576")?;
        positive("batch", self.batch, 100_000, "1 to 100,000")?;
        if self.threads && self.callers > 4_096 {
            let value = self.callers.to_string();
            return Err(BenchError::Option { name: "callers", value, allowed: "at most 4,096 as threads" });
        }
        if self.time.is_zero() {
            return Err(BenchError::Option { name: "seconds", value: "0".into(), allowed: "more than 0" });
        }
        Ok(())
    }
}

/// What was answered within the counted time.
#[derive(Clone)]
pub struct AppendFigures {
    /// Appends.
    pub appends: u64,
    /// Their events.
    pub events: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// What callers waited.
    pub latency: Latency,
    /// The counted time.
    pub time: Duration,
    /// Events acknowledged in all, also before and after the counted time.
    pub events_in_all: u64,
    /// The weakest durability any receipt named.
    pub durability: Option<Durability>,
}

impl AppendFigures {
    fn new(time: Duration) -> Self {
        Self {
            appends: 0,
            events: 0,
            data_bytes: 0,
            latency: Latency::new(),
            time,
            events_in_all: 0,
            durability: None,
        }
    }

    fn note(&mut self, answered: &Answered, counted: &Counted) {
        self.events_in_all += answered.events;
        self.durability = Some(weaker(self.durability, answered.appended.durability));
        if (counted.from..counted.until).contains(&answered.answered) {
            self.appends += 1;
            self.events += answered.events;
            self.data_bytes += answered.data_bytes;
            self.latency.record(answered.took());
        }
    }

    fn add(&mut self, other: &Self) {
        self.appends += other.appends;
        self.events += other.events;
        self.data_bytes += other.data_bytes;
        self.latency.add(&other.latency);
        self.events_in_all += other.events_in_all;
        self.durability = match other.durability {
            Some(durability) => Some(weaker(self.durability, durability)),
            None => self.durability,
        };
    }
}

/// The counted time.
#[derive(Clone, Copy)]
struct Counted {
    from: Instant,
    until: Instant,
}

/// Appends as planned, and checks that the store holds what it acknowledged.
pub fn append(
    store: &dyn EventStore,
    workload: &std::sync::Arc<Workload>,
    plan: AppendPlan,
) -> Result<AppendFigures, BenchError> {
    plan.validate()?;
    let end_before = end(store)?;
    let from = Instant::now() + plan.warm_up;
    let counted = Counted { from, until: from + plan.time };
    let figures = match (plan.threads, plan.callers) {
        (false, 1) => waiting(store, workload, plan, counted)?,
        (false, _) => in_flight(store, workload, plan, counted)?,
        (true, _) => as_threads(store, workload, plan, counted)?,
    };
    let recorded = end(store)? - end_before;
    if recorded != figures.events_in_all {
        let acknowledged = figures.events_in_all;
        return Err(BenchError::wrong(format!(
            "{acknowledged} events were acknowledged and {recorded} are in the store"
        )));
    }
    if figures.appends == 0 {
        let value = format!("{:?}", plan.time);
        return Err(BenchError::Option { name: "seconds", value, allowed: "long enough for one append" });
    }
    Ok(figures)
}

/// The position the next event will get.
fn end(store: &dyn EventStore) -> Result<u64, BenchError> {
    Ok(store.last_position()?.map_or(0, |last| last.next().get()))
}

/// One caller that appends and waits.
fn waiting(
    store: &dyn EventStore,
    workload: &std::sync::Arc<Workload>,
    plan: AppendPlan,
    counted: Counted,
) -> Result<AppendFigures, BenchError> {
    let mut generator = workload.generator();
    let mut figures = AppendFigures::new(plan.time);
    while Instant::now() < counted.until {
        figures.note(&Answered::of(store, generator.append(plan.batch))?, &counted);
    }
    Ok(figures)
}

fn in_flight(
    store: &dyn EventStore,
    workload: &std::sync::Arc<Workload>,
    plan: AppendPlan,
    counted: Counted,
) -> Result<AppendFigures, BenchError> {
    let mut generator = workload.generator();
    let mut figures = AppendFigures::new(plan.time);
    closed_loop(
        store,
        plan.callers,
        || (Instant::now() < counted.until).then(|| generator.append(plan.batch)),
        |answered| {
            figures.note(&answered, &counted);
            Ok(())
        },
    )?;
    Ok(figures)
}

fn as_threads(
    store: &dyn EventStore,
    workload: &std::sync::Arc<Workload>,
    plan: AppendPlan,
    counted: Counted,
) -> Result<AppendFigures, BenchError> {
    let mut all = AppendFigures::new(plan.time);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..plan.callers)
            .map(|_| {
                thread::Builder::new()
                    .stack_size(256 * 1_024)
                    .spawn_scoped(scope, || waiting(store, workload, plan, counted))
                    .map_err(BenchError::io("start a thread for a caller"))
            })
            .collect::<Result<_, _>>()?;
        for caller in callers {
            all.add(&caller.join().expect("a caller does not panic")?);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use factum_core::MemoryStore;

    use super::*;
    use crate::workload::EventSpec;

    fn figures(callers: usize, batch: usize, threads: bool) -> AppendFigures {
        let workload = Workload::new(EventSpec { streams: 64, ..EventSpec::default() }).unwrap();
        let time = Duration::from_millis(300);
        let plan = AppendPlan { callers, batch, threads, time, warm_up: Duration::from_millis(5) };
        append(&MemoryStore::new(), &workload, plan).unwrap()
    }

    #[test]
    fn counts_what_was_answered_in_each_way_of_calling() {
        for (callers, batch, threads) in [(1, 1, false), (64, 1, false), (8, 10, false), (3, 2, true)] {
            let figures = figures(callers, batch, threads);
            assert!(figures.appends > 0);
            assert_eq!(figures.events, figures.appends * batch as u64);
            assert!(figures.events_in_all >= figures.events);
            assert!(figures.data_bytes >= 200 * figures.events);
            assert_eq!(figures.latency.count(), figures.appends);
            assert_eq!(figures.durability, Some(Durability::Memory));
        }
    }

    #[test]
    fn refuses_a_plan_that_appends_nothing() {
        let workload = Workload::new(EventSpec { streams: 1, ..EventSpec::default() }).unwrap();
        let second = Duration::from_secs(1);
        let plan = AppendPlan { callers: 1, batch: 1, threads: false, time: second, warm_up: second };
        for plan in [
            AppendPlan { callers: 0, ..plan },
            AppendPlan { batch: 0, ..plan },
            AppendPlan { time: Duration::ZERO, ..plan },
            AppendPlan { threads: true, callers: 10_000, ..plan },
        ] {
            let refused = append(&MemoryStore::new(), &workload, plan);
            assert!(matches!(refused, Err(BenchError::Option { .. })), "{plan:?}");
        }
    }
}
