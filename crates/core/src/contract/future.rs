//! Appends in flight: many at once, by themselves or together, awaited or given up.
//!
//! ```text
//!   append_async(..)      the append is handed over here
//!        │
//!        ├── polled ──────────────▶ answered as `append` answers
//!        └── dropped ─────────────▶ recorded all the same; nobody hears of it
//! ```

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::{Append, EventStore, ExpectedRevision, InvalidAppend};

use super::PATIENCE;
use super::answer::Answer;
use super::case::Case;
use super::oracle::{counted, positions};
use super::sample::{exact, known_event, stream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    answers_every_append_in_flight(&store());
    answers_conflicts_in_flight(&store());
    records_what_is_given_up(&store());
    answers_each_of_many(&store());
}

const IN_FLIGHT: u64 = 64;

fn answers_every_append_in_flight(store: &dyn EventStore) {
    let case = Case::new("every append in flight is answered with its own receipt", "64 of three events");
    let flying: Vec<_> = (0..IN_FLIGHT)
        .map(|n| {
            let name = stream(&format!("flight-{}", n % 5));
            let events = (0..3).map(|part| known_event(&format!("flight {n} {part}")));
            store.append_async(&Append::to(name, ExpectedRevision::Any, events))
        })
        .collect();
    let answers: Vec<_> = flying.into_iter().map(|append| case.awaited(append)).collect();
    let log = case.log(store);
    case.equal("the positions", &positions(&log), &counted(0..IN_FLIGHT * 3));
    for (n, answer) in answers.into_iter().enumerate() {
        let case = case.row(format_args!("append {n} of 64 in flight"));
        let Answer::Recorded(receipt) = answer else { case.fail(format_args!("it was answered {answer:?}")) };
        let Some((first, last)) = receipt.positions else { case.fail("its receipt has no positions") };
        case.equal("how many positions it got", &(last - first), &2);
        for (part, recorded) in log[first as usize..=last as usize].iter().enumerate() {
            let new = known_event(&format!("flight {n} {part}"));
            case.equal("the event at a position of its receipt", &recorded.to_new(), &new);
        }
        let revision = Some(log[last as usize].revision.get());
        case.equal("the revision in its receipt", &receipt.revisions, &vec![revision]);
    }
}

fn answers_conflicts_in_flight(store: &dyn EventStore) {
    let case = Case::new("of appends in flight with one expectation, exactly one wins", "no stream");
    for (row, expected) in [ExpectedRevision::NoStream, exact(0), exact(1)].into_iter().enumerate() {
        let case = case.row(expected);
        let one = |n| known_event(&format!("race {row} {n}"));
        let flying: Vec<_> =
            (0..8).map(|n| store.append_async(&Append::to(stream("race"), expected, [one(n)]))).collect();
        let answers: Vec<_> = flying.into_iter().map(|append| case.awaited(append)).collect();
        let place = row as u64;
        let won = Answer::recorded((place, place), &[Some(place)]);
        let lost = Answer::conflict("race", expected, Some(place));
        case.equal("how many won", &answers.iter().filter(|answer| **answer == won).count(), &1);
        case.equal("how many lost", &answers.iter().filter(|answer| **answer == lost).count(), &7);
    }
}

fn records_what_is_given_up(store: &dyn EventStore) {
    let case = Case::new("an append whose future is dropped is recorded, whole and once", "32 given up");
    let new = |n: u64| (0..3).map(move |part| known_event(&format!("given up {n} {part}")));
    let name = |n: u64| stream(&format!("given-up-{n}"));
    for n in 0..32 {
        let mut append = store.append_async(&Append::to(name(n), ExpectedRevision::NoStream, new(n)));
        // Some are given up before they were ever polled, some after.
        if n % 2 == 1 {
            let _ = append.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        drop(append);
    }
    let deadline = Instant::now() + PATIENCE;
    let log = loop {
        let log = case.log(store);
        if log.len() >= 96 || Instant::now() > deadline {
            break log;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    case.equal("the positions", &positions(&log), &counted(0..96));
    let ids: HashSet<_> = log.iter().map(|event| event.id).collect();
    case.equal("how many different ids", &ids.len(), &96);
    for n in 0..32 {
        let case = case.row(format_args!("append {n} of 32 given up"));
        let found: Vec<_> = case.stream(store, &name(n)).iter().map(|event| event.to_new()).collect();
        case.equal("the stream's events", &found, &new(n).collect());
        let again = store.append(Append::to(name(n), ExpectedRevision::NoStream, new(n)));
        case.holds(again.is_ok_and(|receipt| receipt.repeated), "it is answered as a repetition afterwards");
    }
}

fn answers_each_of_many(store: &dyn EventStore) {
    let rule = "appends handed over together are judged in their order, each for itself";
    let case = Case::new(rule, "64 that build on one another, and others between them");
    let one = |expected, text: &str| Append::to(stream("many"), expected, [known_event(text)]);
    let (mut appends, mut expected) = (Vec::new(), Vec::new());
    for n in 0..IN_FLIGHT {
        let before = n.checked_sub(1).map_or(ExpectedRevision::NoStream, exact);
        appends.push(one(before, &format!("many {n}")));
        expected.push(Answer::recorded((n, n), &[Some(n)]));
        match n % 16 {
            3 => {
                appends.push(one(exact(n + 1), &format!("too early {n}")));
                expected.push(Answer::conflict("many", exact(n + 1), Some(n)));
            }
            7 => {
                appends.push(one(exact(0), "many 1"));
                expected.push(Answer::repeated((1, 1), &[Some(1)]));
            }
            11 => {
                let (twice, other) = (known_event("twice"), known_event("twice"));
                appends.push(Append::to(stream("many"), exact(n), [twice, other]));
                let id = known_event("twice").id;
                expected.push(Answer::Invalid(InvalidAppend::IdUsedTwice { id }));
            }
            _ => {}
        }
    }
    let answers = case.together(store, appends.clone());
    for (place, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
        case.row(format_args!("append {place} of {}", appends.len())).equal("its answer", answer, expected);
    }
    case.equal("the positions", &positions(&case.log(store)), &counted(0..IN_FLIGHT));
    case.equal("the answers to none", &case.together(store, Vec::new()), &Vec::new());
}

/// Polls a future to its end on this thread; `None` if it takes longer than
/// [`PATIENCE`]. It is polled again only when it asked for it.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> Option<T> {
    let alarm = Alarm::new();
    let waker = Waker::from(alarm.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        if !alarm.rang_within(PATIENCE) {
            return None;
        }
    }
}

/// A waker that unparks the thread that made it.
pub(super) struct Alarm {
    rang: AtomicBool,
    sleeper: Thread,
}

impl Alarm {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { rang: AtomicBool::new(false), sleeper: std::thread::current() })
    }

    /// Sleeps until it rings; whether it did in time. Only for the thread that made it.
    pub(super) fn rang_within(&self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            if self.rang.swap(false, Ordering::SeqCst) {
                return true;
            }
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            std::thread::park_timeout(deadline - now);
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rang.store(true, Ordering::SeqCst);
        self.sleeper.unpark();
    }
}
