//! Many threads, one order.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use uuid::Uuid;

use crate::{
    Append, AppendCondition, EventStore, EventStoreExt, ExpectedRevision, NewEvent, Position, Read,
    RecordedEvent, Revision, StreamName, Until,
};

use super::answer::Answer;
use super::case::Case;
use super::oracle::{counted, positions};
use super::sample::{event, exact, known_event, query, stream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    one_expectation_has_one_winner(&store());
    one_condition_has_one_winner(&store());
    one_append_repeated_is_recorded_once(&store());
    readers_see_whole_appends(&store());
    counts_only_grow(&store());
}

const ROUNDS: u64 = 12;
const RACERS: u64 = 16;

/// Lets `RACERS` threads give `race` their number at the same moment, and
/// gathers what they bring back.
fn race<T: Send>(race: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (race, line) = (&race, &Barrier::new(RACERS as usize));
    std::thread::scope(|scope| {
        let racers = (0..RACERS).map(|racer| {
            scope.spawn(move || {
                line.wait();
                race(racer)
            })
        });
        let racers: Vec<_> = racers.collect();
        racers.into_iter().map(joined).collect()
    })
}

/// A thread's result; its failure is this thread's failure.
pub(super) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|failure| resume_unwind(failure))
}

fn one_expectation_has_one_winner(store: &dyn EventStore) {
    let case =
        &Case::new("of many appends with one expectation exactly one wins, and the others are told", "");
    let name = &stream("contended");
    for round in 0..ROUNDS {
        let expected = round.checked_sub(1).map_or(ExpectedRevision::NoStream, exact);
        let case = &case.row(format_args!("16 threads expect {expected}"));
        let won = Answer::recorded((round, round), &[Some(round)]);
        let lost = Answer::conflict(name.as_str(), expected, Some(round));
        let answers = race(|_| {
            let answer = Answer::from(store.append(Append::to(name.clone(), expected, [event("Won", &[])])));
            // Whoever is told of a conflict can read what it conflicts with.
            let last = case.ok("reading the last revision", store.last_revision(name));
            case.equal("the last revision after the answer", &last, &Some(Revision::new(round)));
            answer
        });
        case.holds(answers.contains(&won), format_args!("one is answered {won:?}, of {answers:?}"));
        for answer in answers.iter().filter(|answer| **answer != won) {
            case.equal("the answer to a loser", answer, &lost);
        }
        let winners = answers.iter().filter(|answer| **answer == won).count();
        case.equal("the number of winners", &winners, &1);
        case.equal("the stream's length", &case.stream(store, name).len(), &(round as usize + 1));
    }
}

fn one_condition_has_one_winner(store: &dyn EventStore) {
    let case = &Case::new("of many appends with one condition exactly one wins, and the others are told", "");
    let mut after = None;
    for round in 0..ROUNDS {
        let case = &case.row(format_args!("16 threads, nothing with their tag after {after:?}"));
        let answers = race(|racer| {
            // Each in a stream of its own: only the condition stands between them.
            let append = Append::to(
                stream(&format!("racer-{racer}")),
                ExpectedRevision::Any,
                [event("Taken", &["seat"])],
            );
            let condition = AppendCondition { query: query(&["Taken"], &["seat"]), after };
            let answer = Answer::from(store.append(append.on_condition(condition)));
            if let Answer::ConditionFailed { position } = &answer {
                let found = case.ok("reading it", store.event_at(Position::new(*position)));
                case.holds(found.is_some(), "what failed the condition can be read");
            }
            answer
        });
        let winners = answers.iter().filter(|answer| matches!(answer, Answer::Recorded(_))).count();
        case.equal("the number of winners", &winners, &1);
        let lost = Answer::ConditionFailed { position: round };
        for answer in answers.iter().filter(|answer| !matches!(answer, Answer::Recorded(_))) {
            case.equal("the answer to a loser", answer, &lost);
        }
        after = case.last_position(store);
        case.equal("the last position", &after, &Some(Position::new(round)));
    }
}

fn one_append_repeated_is_recorded_once(store: &dyn EventStore) {
    let case =
        &Case::new("an append repeated at the same moment is recorded once, with one receipt for all", "");
    for round in 0..ROUNDS {
        let expected = [ExpectedRevision::NoStream, ExpectedRevision::Any][round as usize % 2];
        let case = &case.row(format_args!("16 threads expect {expected}, round {round}"));
        let append = || {
            let new = |part: &str| [0, 1].map(|n| known_event(&format!("{part} {round} {n}")));
            Append::to(stream(&format!("one-{round}")), expected, new("one")).and_to(
                stream(&format!("two-{round}")),
                expected,
                new("two"),
            )
        };
        let positions = (round * 4, round * 4 + 3);
        let first = Answer::recorded(positions, &[Some(1), Some(1)]);
        let later = Answer::repeated(positions, &[Some(1), Some(1)]);
        let answers = race(|_| Answer::from(store.append(append())));
        case.equal("the number of first answers", &answers.iter().filter(|a| **a == first).count(), &1);
        for answer in answers.iter().filter(|answer| **answer != first) {
            case.equal("the answer to a repetition", answer, &later);
        }
        case.equal("the log's length", &case.log(store).len(), &(round as usize * 4 + 4));
    }
}

const WRITERS: u64 = 8;
const APPENDS: u64 = 40;

/// An append to one to three streams whose events tell of it: they share a
/// correlation id, and their data is their place in it and its size.
fn telling(writer: u64, n: u64) -> Append {
    let whole = Uuid::now_v7();
    let sizes: Vec<u64> = (0..(writer + n) % 3 + 1).map(|part| (n + part) % 4 + 1).collect();
    let total: u64 = sizes.iter().sum();
    let mut place = 0;
    let mut append = Append::default();
    for (part, size) in sizes.iter().enumerate() {
        let events: Vec<_> = (0..*size)
            .map(|_| {
                place += 1;
                let data = format!("{place}/{total}");
                NewEvent { correlation_id: Some(whole), data: data.into(), ..event("Told", &["told"]) }
            })
            .collect();
        // Writers meet in streams, and name them in different orders.
        let meeting = (writer * 5 + n * 3 + part as u64 * (writer % 2 * 2 + 1)) % 11;
        append = append.and_to(stream(&format!("meeting-{meeting}")), ExpectedRevision::Any, events);
    }
    append
}

/// How often the readers look at least, even if the writers are faster.
const LOOKS: u64 = 3;

fn readers_see_whole_appends(store: &dyn EventStore) {
    let case = &Case::new("a reader sees a prefix of the log that ends with a whole append", "8 writers");
    let writing = &AtomicBool::new(true);
    let receipts = std::thread::scope(|scope| {
        let readers = [
            spawn_reader(scope, store, case.row("reading forward"), writing, forward),
            spawn_reader(scope, store, case.row("reading backward"), writing, backward),
            spawn_reader(scope, store, case.row("reading a query"), writing, by_query),
        ];
        let writers = (0..WRITERS).map(|writer| {
            scope.spawn(move || {
                let receipts = (0..APPENDS).map(|n| {
                    let append = telling(writer, n);
                    let receipt = case.append(store, append.clone());
                    // What was answered is there for everyone.
                    let last = case.last_position(store);
                    case.holds(last >= receipt.last_position(), "an answered append is in the log");
                    (append, receipt)
                });
                receipts.collect::<Vec<_>>()
            })
        });
        let writers: Vec<_> = writers.collect();
        let receipts: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        writing.store(false, Ordering::SeqCst);
        readers.into_iter().for_each(joined);
        receipts.into_iter().flat_map(|receipts| receipts.unwrap_or_else(|failure| resume_unwind(failure)))
    });
    let log = case.log(store);
    is_whole(&case.row("the log afterwards"), &log);
    let mut recorded = 0;
    for (append, receipt) in receipts {
        let case = case.row("a receipt of one of the writers");
        let Some(positions) = receipt.positions else { case.fail("it has no positions") };
        let range = positions.start().get() as usize..=positions.end().get() as usize;
        let found: Vec<_> = log[range].iter().map(|event| (event.stream.clone(), event.to_new())).collect();
        let wanted: Vec<(StreamName, NewEvent)> = append
            .writes
            .iter()
            .flat_map(|write| write.events.iter().map(|new| (write.stream.clone(), new.clone())))
            .collect();
        recorded += wanted.len();
        case.equal("the events at its positions", &found, &wanted);
        for (write, revision) in append.writes.iter().zip(&receipt.revisions) {
            let found = write.events.last().and_then(|last| log.iter().find(|event| event.id == last.id));
            case.equal("the last revision of a write", revision, &found.map(|event| event.revision));
        }
    }
    case.equal("the number of events", &log.len(), &recorded);
}

/// Whoever numbers what a query selects finds each event by its number ever after.
fn counts_only_grow(store: &dyn EventStore) {
    let case = &Case::new("counts only grow, and the n-th selected event stays the n-th", "8 writers");
    let writing = &AtomicBool::new(true);
    std::thread::scope(|scope| {
        let readers = ["counted", "even"].map(|tag| {
            scope.spawn(move || {
                let case = case.row(format_args!("of those tagged {tag}"));
                let read = || Read::query(query(&["Counted"], &[tag]));
                let mut numbered: Vec<Position> = Vec::new();
                let mut looks = 0;
                while writing.load(Ordering::SeqCst) || looks < LOOKS {
                    let last = case.last_position(store);
                    let count = case.ok("a count", store.count(read()));
                    case.holds(count >= numbered.len() as u64, "a later count is no smaller");
                    // What was counted is there; also backward, from where the log ended.
                    let more = case.read(store, read().skip(numbered.len() as u64));
                    numbered.extend(more.iter().map(|event| event.position));
                    case.holds(numbered.len() as u64 >= count, "what was counted can be read");
                    for number in [0, count / 2, count.saturating_sub(1)].into_iter().filter(|n| *n < count) {
                        let found = case.read(store, read().skip(number).limit(1));
                        case.equal(
                            "the one of a number",
                            &found.first().map(|event| event.position),
                            &numbered.get(number as usize).copied(),
                        );
                    }
                    if let Some(last) = last {
                        let until = case.ok("a count", store.count(read().until(Until::Position(last))));
                        let wanted = numbered.iter().filter(|position| **position <= last).count();
                        case.equal("the count up to a position", &until, &(wanted as u64));
                    }
                    looks += 1;
                }
            })
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    for n in 0..APPENDS {
                        let parity = if n % 2 == 0 { "even" } else { "odd" };
                        let new = [event("Counted", &["counted", parity]), event("Noise", &["counted"])];
                        let name = stream(&format!("writer-{writer}"));
                        case.append(store, Append::to(name, ExpectedRevision::Any, new));
                    }
                })
            })
            .collect();
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        writing.store(false, Ordering::SeqCst);
        readers.into_iter().for_each(joined);
        written.into_iter().for_each(|writer| writer.unwrap_or_else(|failure| resume_unwind(failure)));
    });
    let count = case.ok("a count", store.count(Read::query(query(&["Counted"], &["counted"]))));
    case.equal("the count afterwards", &count, &(WRITERS * APPENDS));
}

fn forward(case: &Case, store: &dyn EventStore) -> Vec<RecordedEvent> {
    case.log(store)
}

fn backward(case: &Case, store: &dyn EventStore) -> Vec<RecordedEvent> {
    let mut log = case.read(store, Read::all().backward());
    log.reverse();
    log
}

fn by_query(case: &Case, store: &dyn EventStore) -> Vec<RecordedEvent> {
    case.read(store, Read::query(query(&[], &["told"])))
}

fn spawn_reader<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    store: &'env dyn EventStore,
    case: Case,
    writing: &'env AtomicBool,
    read: fn(&Case, &dyn EventStore) -> Vec<RecordedEvent>,
) -> ScopedJoinHandle<'scope, ()> {
    scope.spawn(move || {
        let mut before: Vec<RecordedEvent> = Vec::new();
        let mut looks = 0;
        while writing.load(Ordering::SeqCst) || looks < LOOKS {
            let last = case.last_position(store).map_or(0, |last| last.get() + 1);
            let log = read(&case, store);
            case.holds(log.len() as u64 >= last, "a read sees at least what was the last position before it");
            is_whole(&case, &log);
            case.holds(log.len() >= before.len(), "a later read sees no less");
            case.holds(log[..before.len()] == before, "a later read sees the same first events");
            before = log;
            looks += 1;
        }
    })
}

/// Positions and revisions without gaps, and no append in part.
fn is_whole(case: &Case, log: &[RecordedEvent]) {
    case.equal("the positions", &positions(log), &counted(0..log.len() as u64));
    let mut revisions: HashMap<&StreamName, u64> = HashMap::new();
    let mut finished = HashSet::new();
    let mut current: Option<(Option<Uuid>, u64, u64)> = None;
    for event in log {
        let next = revisions.entry(&event.stream).or_default();
        case.equal("the next revision of its stream", &event.revision.get(), next);
        *next += 1;
        let (place, total) = place_in_append(case, event);
        match current {
            None => {
                case.equal("the place of an append's first event", &place, &1);
                case.holds(
                    finished.insert(event.correlation_id),
                    "an append's events are next to one another",
                );
            }
            Some((whole, before, of)) => {
                let found = (event.correlation_id, place, total);
                case.equal("the next event of an append", &found, &(whole, before + 1, of));
            }
        }
        current = (place < total).then_some((event.correlation_id, place, total));
    }
    case.equal("the append that is there only in part", &current, &None);
}

fn place_in_append(case: &Case, event: &RecordedEvent) -> (u64, u64) {
    let told = std::str::from_utf8(&event.data).ok().and_then(|text| text.split_once('/'));
    match told.map(|(place, total)| (place.parse(), total.parse())) {
        Some((Ok(place), Ok(total))) => (place, total),
        _ => case.fail(format_args!("the event at position {} has other data", event.position)),
    }
}
