//! One append: whole or not at all, its events next to one another, and a
//! receipt that says where they are.

use crate::{
    Append, AppendCondition, Appended, EventStore, ExpectedRevision, NewEvent, Query, Read, ReadError,
    Revision,
};

use super::answer::{Answer, Verb};
use super::case::Case;
use super::oracle::{counted, positions};
use super::sample::{event, events, exact, known_event, query, stream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    begins_empty(&store());
    gives_receipts(&store());
    records_in_the_order_given(&store());
    records_nothing_when_refused(&store());
    never_lets_recorded_at_decrease(&store());
}

fn begins_empty(store: &dyn EventStore) {
    let case = Case::new("a new store is empty", "nothing appended");
    case.equal("the last position", &case.last_position(store), &None);
    case.equal("the log", &case.log(store), &Vec::new());
    let case = case.row("after appends that record nothing");
    let nothing = Answer::nothing_to_record;
    case.answers(store, Append::default(), nothing(&[]));
    case.answers(store, Append::to(stream("s"), ExpectedRevision::Any, []), nothing(&[None]));
    case.answers(store, Append::to(stream("s"), ExpectedRevision::NoStream, []), nothing(&[None]));
    case.answers(store, Append::default().expecting(stream("s"), ExpectedRevision::NoStream), nothing(&[]));
    case.equal("the last position", &case.last_position(store), &None);
    case.equal("the log", &case.log(store), &Vec::new());
    let missing = store.read(Read::stream(stream("s")));
    case.holds(matches!(missing, Err(ReadError::StreamNotFound { .. })), "there is no such stream");
}

/// What an append of this history is answered, row after row in one store.
fn gives_receipts(store: &dyn EventStore) {
    use ExpectedRevision::{Any, Exists, NoStream};
    type Write = (&'static str, ExpectedRevision, u64);
    let rows: &[(&[Write], Answer)] = &[
        (&[("a", NoStream, 1)], Answer::recorded((0, 0), &[Some(0)])),
        (&[("a", exact(0), 3)], Answer::recorded((1, 3), &[Some(3)])),
        (&[("b", Any, 2)], Answer::recorded((4, 5), &[Some(1)])),
        (&[("c", NoStream, 2), ("a", Exists, 1)], Answer::recorded((6, 8), &[Some(1), Some(4)])),
        (
            &[("b", Any, 1), ("a", Any, 2), ("d", Any, 1)],
            Answer::recorded((9, 12), &[Some(2), Some(6), Some(0)]),
        ),
        (&[("a", exact(6), 0), ("b", exact(2), 1)], Answer::recorded((13, 13), &[Some(6), Some(3)])),
        (&[("b", exact(3), 1), ("e", NoStream, 0)], Answer::recorded((14, 14), &[Some(4), None])),
        (&[("e", NoStream, 0), ("a", Any, 0)], Answer::nothing_to_record(&[None, Some(6)])),
        (&[("e", NoStream, 1)], Answer::recorded((15, 15), &[Some(0)])),
        (&[("f", Any, 300)], Answer::recorded((16, 315), &[Some(299)])),
        (&[("a", exact(6), 1)], Answer::recorded((316, 316), &[Some(7)])),
    ];
    for (n, (writes, wanted)) in rows.iter().enumerate() {
        let case = Case::new(
            "a receipt names the positions, and each write's last revision",
            format_args!("append {n}: {writes:?}"),
        );
        let append = writes.iter().fold(Append::default(), |append, (name, expected, count)| {
            append.and_to(stream(name), *expected, events(*count))
        });
        let verb = Verb::ALL[n % 3];
        case.equal("the answer", &verb.append(&case, store, append), wanted);
        if let Answer::Recorded(receipt) = wanted
            && let Some((_, last)) = receipt.positions
        {
            case.equal("the last position", &case.last_position(store).map(|p| p.get()), &Some(last));
        }
    }
}

fn records_in_the_order_given(store: &dyn EventStore) {
    let case = Case::new("an append's events are next to one another, in the order given", "");
    let append = |round: u64, names: &[&str]| {
        let mut append = Append::default();
        for name in names {
            let events = (0..round % 3 + 1).map(|n| known_event(&format!("{name} {round} {n}")));
            append = append.and_to(stream(name), ExpectedRevision::Any, events);
        }
        append
    };
    let orders: [&[&str]; 5] =
        [&["a", "b", "c"], &["c", "b", "a"], &["b"], &["c", "a"], &["d", "c", "b", "a"]];
    let mut wanted: Vec<(String, NewEvent)> = Vec::new();
    for round in 0..15 {
        let append = append(round, orders[round as usize % orders.len()]);
        let first = wanted.len() as u64;
        for write in &append.writes {
            wanted.extend(write.events.iter().map(|new| (write.stream.to_string(), new.clone())));
        }
        let receipt = case.row(format_args!("append {round}")).append(store, append);
        let range = receipt.positions.map(|range| (range.start().get(), range.end().get()));
        case.equal("the receipt", &range, &Some((first, wanted.len() as u64 - 1)));
    }
    let log = case.log(store);
    case.equal("the positions", &positions(&log), &counted(0..wanted.len() as u64));
    let found: Vec<_> = log.iter().map(|event| (event.stream.to_string(), event.to_new())).collect();
    for (place, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        case.row(format_args!("position {place}")).equal("the event", found, wanted);
    }
    for name in ["a", "b", "c", "d"] {
        let case = case.row(format_args!("stream {name}"));
        let events = case.stream(store, &stream(name));
        let revisions: Vec<_> = events.iter().map(|event| event.revision.get()).collect();
        case.equal("its revisions", &revisions, &counted(0..events.len() as u64));
        let in_log: Vec<_> = log.iter().filter(|event| event.stream == stream(name)).cloned().collect();
        case.equal("its events", &events, &in_log);
    }
}

/// An append over three streams, in which one thing is wrong.
fn records_nothing_when_refused(store: &dyn EventStore) {
    use ExpectedRevision::{Any, Exists, NoStream};
    let case = Case::new("an append that is refused records nothing anywhere", "");
    case.append(store, Append::to(stream("old"), Any, [event("Marked", &[]), event("Old", &["mark"])]));
    case.append(store, Append::to(stream("other"), Any, events(1)));
    let before = case.log(store);
    let good = [("new", NoStream), ("old", exact(1)), ("other", Exists)];
    let kept = || AppendCondition { query: query(&["Unheard"], &[]), after: None };
    let spoilt = |place: usize, expected| {
        let mut append = Append::default();
        for (n, (name, good)) in good.into_iter().enumerate() {
            let expected = if n == place { expected } else { good };
            let new = [known_event(&format!("{name} 0")), known_event(&format!("{name} 1"))];
            append = append.and_to(stream(name), expected, new);
        }
        append
    };
    let whole = || spoilt(usize::MAX, Any).expecting(stream("nowhere"), NoStream);
    let rows = [
        ("the first write", spoilt(0, Exists), Answer::conflict("new", Exists, None)),
        ("the first write, exact", spoilt(0, exact(0)), Answer::conflict("new", exact(0), None)),
        ("the second write", spoilt(1, exact(0)), Answer::conflict("old", exact(0), Some(1))),
        ("the second write, beyond", spoilt(1, exact(2)), Answer::conflict("old", exact(2), Some(1))),
        ("the last write", spoilt(2, NoStream), Answer::conflict("other", NoStream, Some(0))),
        (
            "an empty write after the others",
            whole().and_to(stream("empty"), Exists, []),
            Answer::conflict("empty", Exists, None),
        ),
        ("a check", whole().expecting(stream("missing"), Exists), Answer::conflict("missing", Exists, None)),
        (
            "the condition, though expectations hold",
            whole().on_condition(AppendCondition { query: query(&[], &["mark"]), after: None }),
            Answer::ConditionFailed { position: 1 },
        ),
        (
            "the condition, on everything",
            whole().on_condition(AppendCondition { query: Query::all(), after: Some(1.into()) }),
            Answer::ConditionFailed { position: 2 },
        ),
    ];
    for (row, append, wanted) in rows {
        for verb in Verb::ALL {
            let case = case.row(format_args!("wrong is {row} ({verb:?})"));
            case.equal("the answer", &verb.append(&case, store, append.clone()), &wanted);
            case.equal("the log after it", &case.log(store), &before);
            let missing = store.read(Read::stream(stream("new")));
            case.holds(matches!(missing, Err(ReadError::StreamNotFound { .. })), "no stream began");
        }
    }
    // Nothing of what was refused is remembered: its ids are still free.
    let case = case.row("nothing is wrong");
    let append = whole().on_condition(kept());
    case.answers(store, append, Answer::recorded((3, 8), &[Some(1), Some(3), Some(2)]));
    case.equal("the log's length", &case.log(store).len(), &9);
}

fn never_lets_recorded_at_decrease(store: &dyn EventStore) {
    let case = Case::new("recorded-at never decreases along the log", "50 appends");
    let mut last: Option<Appended> = None;
    for n in 0..50 {
        let append = Append::to(stream(&format!("s-{}", n % 7)), ExpectedRevision::Any, events(n % 3 + 1));
        let appended = case.append(store, append);
        if let Some(last) = last {
            let follows = appended.first_position() == last.last_position().map(|position| position.next());
            case.holds(follows, "an append's positions follow those of the one before");
        }
        last = Some(appended);
    }
    let log = case.log(store);
    let told = last.and_then(|last| last.recorded_at);
    case.equal("recorded-at in the last receipt", &told, &log.last().map(|event| event.recorded_at));
    for pair in log.windows(2) {
        let case = case.row(format_args!("positions {} and {}", pair[0].position, pair[1].position));
        case.holds(pair[0].recorded_at <= pair[1].recorded_at, "the later is not recorded earlier");
    }
    case.equal("the first revision", &log[0].revision, &Revision::FIRST);
    case.equal("a second look", &case.log(store), &log);
}
