//! From commit to subscriber: callers append, one subscriber in the same
//! process follows the log, and for each event it is measured how long after
//! its commit the subscriber had it.
//!
//! The moment of a commit cannot be seen from outside, so the earliest moment
//! is taken at which any caller could know of it: the log is committed in
//! order, so an answer to a later position also says that this one was
//! committed.
//!
//! ```text
//!   position 7   handed over ───────────────────────── answered
//!   position 8   handed over ─────────── answered
//!                                        ▲ known to be committed, both
//!   subscriber                                  ▲ 7 ▲ 8 delivered
//!                                        ├──────┤       commit to delivered, of 7
//!                ├──────────────────────────────┤       append to delivered, of 7
//!                                               ├──┤    delivered before its own
//!                                                       caller was answered: counts 0
//!                                                       as answer to delivered
//! ```
//!
//! A delivery before that moment counts as 0. Append to delivered has no such
//! grace: it holds the wait for the disk as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use factum_core::{Durability, EventStore, Selection, Signal, Subscribe, SubscribeFrom, Subscription};

use crate::BenchError;
use crate::drive::closed_loop;
use crate::fill::weaker;
use crate::latency::Latency;
use crate::workload::Workload;

/// Who appends, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscribePlan {
    /// Single-event appends under way at any moment.
    pub callers: usize,
    /// How long events are counted.
    pub time: Duration,
    /// How long appends go on before that.
    pub warm_up: Duration,
}

/// What subscribers waited.
#[derive(Clone)]
pub struct SubscribeFigures {
    /// Events counted.
    pub events: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// The counted time.
    pub time: Duration,
    /// From the moment any caller could know of the commit.
    pub from_commit: Latency,
    /// From the answer to the event's own caller.
    pub from_answer: Latency,
    /// From before the append was handed over.
    pub from_append: Latency,
    /// How often the subscriber was told that it is late.
    pub fell_behind: u64,
    /// The weakest durability any receipt named.
    pub durability: Option<Durability>,
}

/// How long the last events may take to arrive before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// The subscriber's word for "the appends are still going on".
const OPEN: u64 = u64::MAX;

/// What the callers know of one event.
#[derive(Clone, Copy)]
struct Sent {
    position: u64,
    started: Instant,
    answered: Instant,
    data_bytes: u64,
}

/// What the subscriber saw: deliveries, in the order of positions from the
/// first one on, and how often it was late.
struct Deliveries {
    first: u64,
    at: Vec<Instant>,
    fell_behind: u64,
}

/// Appends and follows.
pub fn subscribe(
    store: &dyn EventStore,
    workload: &Arc<Workload>,
    plan: SubscribePlan,
) -> Result<SubscribeFigures, BenchError> {
    if plan.callers == 0 {
        return Err(BenchError::Option { name: "callers", value: "0".into(), allowed: "at least 1" });
    }
    let first = store.last_position()?.map_or(0, |last| last.next().get());
    let subscription = store.subscribe(Subscribe::to(Selection::All).from(SubscribeFrom::Now))?;
    let end = AtomicU64::new(OPEN);
    let from = Instant::now() + plan.warm_up;
    let until = from + plan.time;

    let mut sent: Vec<Sent> = Vec::new();
    let mut durability = None;
    let (appended, deliveries) = thread::scope(|scope| {
        let subscriber = scope.spawn(|| follow(subscription, first, &end));
        let mut generator = workload.generator();
        let appended = closed_loop(
            store,
            plan.callers,
            || (Instant::now() < until).then(|| generator.append(1)),
            |answered| {
                let position = answered.appended.first_position().expect("a checked receipt has positions");
                sent.push(Sent {
                    position: position.get(),
                    started: answered.started,
                    answered: answered.answered,
                    data_bytes: answered.data_bytes,
                });
                durability = Some(weaker(durability, answered.appended.durability));
                Ok(())
            },
        );
        // Also after an error, or the subscriber would wait for ever.
        let last = sent.iter().map(|sent| sent.position + 1).max().unwrap_or(first);
        end.store(last, Ordering::Release);
        (appended, subscriber.join().expect("the subscriber does not panic"))
    });
    appended?;
    let deliveries = deliveries?;
    figures(sent, &deliveries, from, until, durability)
}

/// Notes when each event arrived, until the position that `end` comes to hold.
fn follow(
    mut subscription: Box<dyn Subscription>,
    first: u64,
    end: &AtomicU64,
) -> Result<Deliveries, BenchError> {
    let mut deliveries = Deliveries { first, at: Vec::new(), fell_behind: 0 };
    let mut last_arrival = Instant::now();
    loop {
        let next = first + deliveries.at.len() as u64;
        let end = end.load(Ordering::Acquire);
        if end != OPEN && next >= end {
            return Ok(deliveries);
        }
        match subscription.next_within(Duration::from_millis(20))? {
            Some(Signal::Event(event)) => {
                last_arrival = Instant::now();
                if event.position.get() != next {
                    let found = event.position;
                    return Err(BenchError::wrong(format!(
                        "the subscriber got position {found} where {next} was next"
                    )));
                }
                deliveries.at.push(last_arrival);
            }
            Some(Signal::FellBehind { .. }) => deliveries.fell_behind += 1,
            Some(Signal::Checkpoint(_) | Signal::CaughtUp(_)) => {}
            None if last_arrival.elapsed() > PATIENCE => {
                return Err(BenchError::wrong(format!(
                    "position {next} was not delivered within {} seconds",
                    PATIENCE.as_secs()
                )));
            }
            None => {}
        }
    }
}

/// Brings together what the callers and the subscriber noted.
fn figures(
    mut sent: Vec<Sent>,
    deliveries: &Deliveries,
    from: Instant,
    until: Instant,
    durability: Option<Durability>,
) -> Result<SubscribeFigures, BenchError> {
    sent.sort_unstable_by_key(|sent| sent.position);
    let mut figures = SubscribeFigures {
        events: 0,
        data_bytes: 0,
        time: until - from,
        from_commit: Latency::new(),
        from_answer: Latency::new(),
        from_append: Latency::new(),
        fell_behind: deliveries.fell_behind,
        durability,
    };
    let mut committed = None;
    // From the last position back: the earliest answer seen so far is that of
    // this position or a later one.
    for sent in sent.iter().rev() {
        let known = committed.map_or(sent.answered, |known: Instant| known.min(sent.answered));
        committed = Some(known);
        let place = (sent.position - deliveries.first) as usize;
        let delivered = *deliveries.at.get(place).ok_or_else(|| {
            BenchError::wrong(format!("position {} was answered and not delivered", sent.position))
        })?;
        if !(from..until).contains(&sent.answered) {
            continue;
        }
        figures.events += 1;
        figures.data_bytes += sent.data_bytes;
        figures.from_commit.record(delivered.saturating_duration_since(known));
        figures.from_answer.record(delivered.saturating_duration_since(sent.answered));
        figures.from_append.record(delivered.saturating_duration_since(sent.started));
    }
    match figures.events {
        0 => Err(BenchError::Option {
            name: "seconds",
            value: format!("{:?}", until - from),
            allowed: "long enough for one append",
        }),
        _ => Ok(figures),
    }
}

#[cfg(test)]
mod tests {
    use factum_core::MemoryStore;

    use super::*;
    use crate::workload::EventSpec;

    #[test]
    fn every_event_is_delivered_and_counted() {
        let workload = Workload::new(EventSpec { streams: 64, ..EventSpec::default() }).unwrap();
        // The memory store makes each read look at the whole log: keep it short.
        let plan =
            SubscribePlan { callers: 8, time: Duration::from_millis(300), warm_up: Duration::from_millis(5) };
        let store = MemoryStore::new();
        store.append(workload.generator().append(5).append).unwrap();
        let figures = subscribe(&store, &workload, plan).unwrap();
        assert!(figures.events > 0);
        assert_eq!(figures.from_commit.count(), figures.events);
        assert_eq!(figures.from_answer.count(), figures.events);
        // Each begins no later than the one after it.
        assert!(figures.from_answer.max_us() <= figures.from_commit.max_us());
        assert!(figures.from_commit.max_us() <= figures.from_append.max_us());
    }

    #[test]
    fn a_commit_is_known_from_the_earliest_answer_to_it_or_a_later_position() {
        let zero = Instant::now();
        let at = |micros| zero + Duration::from_micros(micros);
        let sent =
            |position, answered| Sent { position, started: zero, answered: at(answered), data_bytes: 1 };
        // Position 4 is answered late, but 5 was answered at 100.
        let sent = vec![sent(5, 100), sent(4, 300)];
        let deliveries = Deliveries { first: 4, at: vec![at(150), at(160)], fell_behind: 0 };
        let figures = figures(sent, &deliveries, zero, at(1_000), None).unwrap();
        assert!((figures.from_commit.at_us(0.0) - 50.0).abs() < 1.0);
        assert!((figures.from_commit.max_us() - 60.0).abs() < 1.0);
        assert!(figures.from_answer.at_us(0.0) < 1.0, "4 came before its caller was answered");
    }

    #[test]
    fn an_event_that_never_came_is_no_figure() {
        let now = Instant::now();
        let sent = vec![Sent { position: 0, started: now, answered: now, data_bytes: 1 }];
        let deliveries = Deliveries { first: 0, at: Vec::new(), fell_behind: 0 };
        let refused = figures(sent, &deliveries, now, now + Duration::from_secs(1), None);
        assert!(matches!(refused, Err(BenchError::Wrong { .. })));
    }
}
