//! Many callers, one history: what they are told can have happened one after
//! another (it is linearizable).
//!
//! ```text
//!   one     ├─ append: at 4 ─┤      ├─ reads 5 events ─┤
//!   other       ├─ reads 4 events ─┤    ├─ conflict: the stream stands at 1 ─┤
//!   ──────────────────────────────────────────────────────────────────▶ time
//! ```
//!
//! Each answer must be true at one moment between its question and itself. Which
//! append came when is known once all is done: the log says so. Any other answer
//! is true of the log at some of its lengths, from one to another. So each answer
//! has a span of points: twice the length for what only looks, one between two
//! lengths for an append. Put one after another at the earliest point that lies
//! in its span and not before anything that had ended when it began, all answers
//! have a place exactly if there is such an order at all: only what ended earlier
//! pushes a point on, and an earlier point never pushes anything further.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::{Append, EventStore, ExpectedRevision, RecordedEvent, StreamName};

use super::answer::Answer;
use super::case::Case;
use super::concurrency::joined;
use super::sample::{exact, known_event, stream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    all_answers_fit_one_order(&store());
}

const CALLERS: u64 = 8;
const CALLS: u64 = 50;
const STREAMS: [&str; 3] = ["a", "b", "c"];

/// One call: when it was under way, and what came of it. Times are counted, so
/// that no two are the same.
struct Call {
    begun: u64,
    ended: u64,
    told: Told,
}

#[derive(Debug)]
enum Told {
    Appended { stream: StreamName, expected: ExpectedRevision, id: Uuid, answer: Answer },
    Stream { stream: StreamName, ids: Vec<Uuid> },
    Log { ids: Vec<Uuid> },
    Length(u64),
}

/// The same numbers for the same caller, every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn all_answers_fit_one_order(store: &dyn EventStore) {
    let case = &Case::new("what many callers are told can have happened one after another", "8 callers");
    let clock = &AtomicU64::new(0);
    let calls: Vec<Call> = std::thread::scope(|scope| {
        let callers = (0..CALLERS).map(|caller| scope.spawn(move || calls(case, store, clock, caller)));
        let callers: Vec<_> = callers.collect();
        callers.into_iter().flat_map(joined).collect()
    });
    let log = case.log(store);
    let spans: Vec<_> =
        calls.iter().map(|call| (call.begun, call.ended, span(case, &log, &call.told))).collect();
    if let Some(misfit) = misfit(&spans) {
        let Call { begun, told, .. } = &calls[misfit];
        case.fail(format_args!(
            "this was told of a past that was over when it was asked for ({begun}): {told:?}"
        ));
    }
}

/// What one caller asks for.
fn calls(case: &Case, store: &dyn EventStore, clock: &AtomicU64, caller: u64) -> Vec<Call> {
    let mut dice = Dice(caller);
    // Where each stream stood when it was last heard of.
    let mut known: HashMap<&str, Option<u64>> = HashMap::new();
    let tick = || clock.fetch_add(1, Ordering::SeqCst);
    let ids = |events: Vec<RecordedEvent>| events.iter().map(|event| event.id).collect::<Vec<_>>();
    let call = |n| {
        let name = STREAMS[dice.roll(STREAMS.len() as u64) as usize];
        let (stream, kind) = (stream(name), dice.roll(8));
        let begun = tick();
        let told = match kind {
            0 => Told::Length(case.last_position(store).map_or(0, |last| last.get() + 1)),
            1 => Told::Log { ids: ids(case.log(store)) },
            2 => Told::Stream { ids: ids(case.stream(store, &stream)), stream },
            _ => {
                let expected = match (kind, known.get(name)) {
                    (3, _) => ExpectedRevision::Any,
                    (_, Some(Some(revision))) => exact(*revision),
                    (_, Some(None) | None) => ExpectedRevision::NoStream,
                };
                let new = known_event(&format!("{caller}/{n}"));
                let id = new.id;
                let answer = Answer::from(store.append(Append::to(stream.clone(), expected, [new])));
                Told::Appended { stream, expected, id, answer }
            }
        };
        let ended = tick();
        match &told {
            Told::Appended { answer: Answer::Recorded(receipt), .. } => {
                known.insert(name, receipt.revisions.first().copied().flatten());
            }
            Told::Appended { answer: Answer::Conflict { actual, .. }, .. } => {
                known.insert(name, *actual);
            }
            Told::Stream { ids, .. } => {
                known.insert(name, (ids.len() as u64).checked_sub(1));
            }
            Told::Appended { .. } | Told::Log { .. } | Told::Length(_) => {}
        }
        Call { begun, ended, told }
    };
    (0..CALLS).map(call).collect()
}

/// At which points of the log this is true.
fn span(case: &Case, log: &[RecordedEvent], told: &Told) -> RangeInclusive<u64> {
    let of = |stream: &StreamName| log.iter().filter(|event| event.stream == *stream).collect::<Vec<_>>();
    let length = |events: &[&RecordedEvent], length: u64| {
        let first = length.checked_sub(1).map_or(0, |last| events[last as usize].position.get() + 1);
        let last = events.get(length as usize).map_or(log.len() as u64, |next| next.position.get());
        2 * first..=2 * last
    };
    let begins = |events: &[&RecordedEvent], ids: &[Uuid]| {
        let found = ids.len() <= events.len() && events.iter().zip(ids).all(|(event, id)| event.id == *id);
        case.holds(found, format_args!("what was read is how the log begins: {told:?}"));
    };
    match told {
        Told::Length(length) => 2 * length..=2 * length,
        Told::Log { ids } => {
            begins(&log.iter().collect::<Vec<_>>(), ids);
            2 * ids.len() as u64..=2 * ids.len() as u64
        }
        Told::Stream { stream, ids } => {
            let events = of(stream);
            begins(&events, ids);
            length(&events, ids.len() as u64)
        }
        Told::Appended { stream, expected, id, answer: Answer::Recorded(receipt) } => {
            let at = receipt.positions.map_or(0, |(first, _)| first);
            let found = log.get(at as usize).map(|event| (event.id, event.revision.get()));
            let revision = receipt.revisions.first().copied().flatten();
            case.equal("the event at the place of a receipt", &found, &revision.map(|r| (*id, r)));
            let stood = revision.and_then(|revision| revision.checked_sub(1));
            case.holds(is_met(*expected, stood), format_args!("its expectation was met: {told:?}"));
            case.holds(of(stream).iter().any(|event| event.id == *id), "it is in its stream");
            2 * at + 1..=2 * at + 1
        }
        Told::Appended { stream, expected, answer: Answer::Conflict { actual, .. }, .. } => {
            let (events, stands) = (of(stream), actual.map_or(0, |revision| revision + 1));
            case.holds(stands <= events.len() as u64, format_args!("the stream stood there: {told:?}"));
            case.holds(!is_met(*expected, *actual), format_args!("its expectation was not met: {told:?}"));
            length(&events, stands)
        }
        Told::Appended { .. } => case.fail(format_args!("an append is recorded or refused: {told:?}")),
    }
}

fn is_met(expected: ExpectedRevision, stood: Option<u64>) -> bool {
    match expected {
        ExpectedRevision::Any => true,
        ExpectedRevision::NoStream => stood.is_none(),
        ExpectedRevision::Exists => stood.is_some(),
        ExpectedRevision::Exact(revision) => stood == Some(revision.get()),
    }
}

/// The first call, by its beginning, that has no place: of calls with when they
/// began and ended, and where they are true.
fn misfit(calls: &[(u64, u64, RangeInclusive<u64>)]) -> Option<usize> {
    let mut moments: Vec<_> = calls
        .iter()
        .enumerate()
        .flat_map(|(at, (begun, ended, _))| [(*begun, at, false), (*ended, at, true)])
        .collect();
    moments.sort_unstable();
    let mut points = vec![0; calls.len()];
    let mut over = 0;
    for (_, at, is_end) in moments {
        if is_end {
            over = over.max(points[at]);
            continue;
        }
        let span = &calls[at].2;
        points[at] = over.max(*span.start());
        if points[at] > *span.end() {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_fits_or_it_does_not() {
        // An append at position 0 is at point 1; to see no event is 0, one is 2.
        let rows = [
            ("nothing happened", vec![], None),
            ("seen after it", vec![(0, 1, 1..=1), (2, 3, 2..=2)], None),
            ("not seen after it", vec![(0, 1, 1..=1), (2, 3, 0..=0)], Some(1)),
            ("not seen beside it", vec![(0, 2, 1..=1), (1, 3, 0..=0)], None),
            ("seen beside it and then no longer", vec![(0, 5, 1..=1), (1, 2, 2..=2), (3, 4, 0..=0)], Some(2)),
            ("seen before it", vec![(0, 1, 2..=2), (2, 3, 1..=1)], Some(1)),
            ("a stream without it, after it", vec![(0, 1, 1..=1), (2, 3, 0..=6)], None),
            ("two appends against the time", vec![(0, 1, 3..=3), (2, 3, 1..=1)], Some(1)),
            ("a wide answer holds nobody up", vec![(0, 1, 0..=6), (2, 3, 1..=1)], None),
        ];
        for (row, calls, expected) in rows {
            assert_eq!(misfit(&calls), expected, "{row}");
        }
    }
}
