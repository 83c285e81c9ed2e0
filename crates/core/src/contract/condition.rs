//! Every append condition against every log: fresh, empty, and with what it
//! looks for two thousand events back.
//!
//! ```text
//!   0 Opened      course:c1
//!   1 Joined      course:c1 student:s1
//!   2 Joined      course:c2 student:s1
//!   3 Closed      course:c1
//!   4 Opened
//!   5 paid        course:c10
//!   6 Joined      course:c1 student:s2 paid
//!   7 Rung
//!   8 Manned      in desk-1
//!   9 Manned      in desk-1    course:c9
//!   ──────────────────────────────────────── and, the second time, 2,000 of Noise
//! ```

use crate::{Append, AppendCondition, EventStore, ExpectedRevision, InvalidAppend, Position, Query};

use super::answer::{Answer, Verb};
use super::case::Case;
use super::oracle::matches;
use super::sample::{NOISE, event, events, fill, first, item, item_of, query, stream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    judges_the_empty_log(&store());
    judges_every_row(&store());
    judges_everything(&store());
    judges_what_was_appended_just_now(&store());
    judges_each_of_many_keys(&store());
}

const RULE: &str = "an append condition refuses if a matching event stands after its position, and only then";

/// What a condition looks after.
#[derive(Debug, Clone, Copy)]
enum After {
    /// The caller has seen nothing.
    None,
    /// This position.
    At(u64),
    /// The last position there is now.
    Last,
    /// So many positions after the last one.
    Beyond(u64),
}

use After::{At, Beyond, Last};

/// What a condition is answered.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Holds,
    /// One of these positions is named.
    Fails(&'static [u64]),
    BeyondEnd,
}

use Outcome::{BeyondEnd, Fails, Holds};

fn history() -> Append {
    Append::to(
        stream("history"),
        ExpectedRevision::NoStream,
        [
            event("Opened", &["course:c1"]),
            event("Joined", &["course:c1", "student:s1"]),
            event("Joined", &["course:c2", "student:s1"]),
            event("Closed", &["course:c1"]),
            event("Opened", &[]),
            event("paid", &["course:c10"]),
            event("Joined", &["course:c1", "student:s2", "paid"]),
            event("Rung", &[]),
        ],
    )
    .and_to(
        stream("desk-1"),
        ExpectedRevision::NoStream,
        [event("Manned", &[]), event("Manned", &["course:c9"])],
    )
}

fn table() -> Vec<(Query, After, Outcome)> {
    let one = || query(&["Closed"], &[]);
    let both = || query(&["Joined"], &["course:c1"]);
    let either = || query(&["Closed"], &[]).or(item(&[], &["student:s2"]));
    vec![
        // types only
        (one(), After::None, Fails(&[3])),
        (one(), At(0), Fails(&[3])),
        (one(), At(2), Fails(&[3])),
        (one(), At(3), Holds),
        (one(), At(4), Holds),
        (one(), Last, Holds),
        (one(), Beyond(1), BeyondEnd),
        (one(), Beyond(1_000_000), BeyondEnd),
        (query(&["Opened"], &[]), After::None, Fails(&[0, 4])),
        (query(&["Opened"], &[]), At(0), Fails(&[4])),
        (query(&["Opened"], &[]), At(3), Fails(&[4])),
        (query(&["Opened"], &[]), At(4), Holds),
        (query(&["Closed", "Opened"], &[]), At(2), Fails(&[3, 4])),
        (query(&["Closed", "Opened"], &[]), At(4), Holds),
        (query(&["Rung"], &[]), At(6), Fails(&[7])),
        (query(&["Rung"], &[]), At(7), Holds),
        (query(&["Unheard"], &[]), After::None, Holds),
        (query(&["Unheard"], &[]), Last, Holds),
        (query(&["Unheard"], &[]), Beyond(1), BeyondEnd),
        (query(&["Open"], &[]), After::None, Holds),
        (query(&["opened"], &[]), After::None, Holds),
        (query(&["paid"], &[]), After::None, Fails(&[5])),
        (query(&["paid"], &[]), At(5), Holds),
        // tags only
        (query(&[], &["course:c1"]), After::None, Fails(&[0, 1, 3, 6])),
        (query(&[], &["course:c1"]), At(0), Fails(&[1, 3, 6])),
        (query(&[], &["course:c1"]), At(5), Fails(&[6])),
        (query(&[], &["course:c1"]), At(6), Holds),
        (query(&[], &["course:c1"]), Last, Holds),
        (query(&[], &["course:c10"]), At(4), Fails(&[5])),
        (query(&[], &["course:c10"]), At(5), Holds),
        (query(&[], &["course:c"]), After::None, Holds),
        (query(&[], &["paid"]), After::None, Fails(&[6])),
        (query(&[], &["paid"]), At(6), Holds),
        (query(&[], &["course:c1", "student:s1"]), After::None, Fails(&[1])),
        (query(&[], &["student:s1", "course:c1"]), At(0), Fails(&[1])),
        (query(&[], &["course:c1", "student:s1"]), At(1), Holds),
        (query(&[], &["course:c1", "course:c2"]), After::None, Holds),
        (query(&[], &["student:s2", "paid", "course:c1"]), At(5), Fails(&[6])),
        (query(&[], &["student:s2", "paid", "course:c2"]), After::None, Holds),
        (query(&[], &["course:c1"]), Beyond(1), BeyondEnd),
        // types and tags
        (both(), After::None, Fails(&[1, 6])),
        (both(), At(1), Fails(&[6])),
        (both(), At(5), Fails(&[6])),
        (both(), At(6), Holds),
        (query(&["Joined"], &["course:c2"]), At(1), Fails(&[2])),
        (query(&["Joined"], &["course:c2"]), At(2), Holds),
        (query(&["Closed"], &["student:s1"]), After::None, Holds),
        (query(&["Joined", "Closed"], &["course:c1"]), At(2), Fails(&[3, 6])),
        (query(&["Opened", "Closed"], &["student:s1"]), After::None, Holds),
        (query(&["paid"], &["paid"]), After::None, Holds),
        (both(), Beyond(2), BeyondEnd),
        // categories and first events
        (Query::item(item_of(&["history"], item(&[], &[]))), After::None, Holds),
        (Query::item(item_of(&["desk"], item(&[], &[]))), After::None, Fails(&[8, 9])),
        (Query::item(item_of(&["desk"], item(&[], &[]))), At(8), Fails(&[9])),
        (Query::item(item_of(&["desk"], item(&[], &[]))), At(9), Holds),
        (Query::item(item_of(&["desk"], item(&["Opened"], &[]))), After::None, Holds),
        (Query::item(item_of(&["desk"], item(&[], &["course:c9"]))), After::None, Fails(&[9])),
        (Query::item(item_of(&["desk-1", "Desk"], item(&[], &[]))), After::None, Holds),
        (Query::item(first(item_of(&["desk"], item(&[], &[])))), After::None, Fails(&[8])),
        (Query::item(first(item_of(&["desk"], item(&[], &[])))), At(8), Holds),
        (Query::item(first(item(&["Rung"], &[]))), After::None, Holds),
        (Query::item(first(item(&["Opened", "Manned"], &[]))), At(0), Fails(&[8])),
        // several items
        (either(), After::None, Fails(&[3, 6])),
        (either(), At(3), Fails(&[6])),
        (either(), At(6), Holds),
        (either(), Last, Holds),
        (query(&["Unheard"], &[]).or(item(&["Rung"], &[])), At(3), Fails(&[7])),
        (query(&["Rung"], &[]).or(item(&["Unheard"], &[])), At(3), Fails(&[7])),
        (query(&["Unheard"], &[]).or(item(&[], &["unheard"])), After::None, Holds),
        (query(&["Joined"], &["paid"]).or(item(&["Closed"], &["course:c1"])), At(2), Fails(&[3, 6])),
        (query(&["Joined"], &["course:c2"]).or(item(&["Closed"], &["course:c1"])), At(3), Holds),
        (query(&["Opened"], &["course:c2"]).or(item(&["Closed"], &["student:s1"])), After::None, Holds),
    ]
}

fn judges_every_row(store: &dyn EventStore) {
    let case = Case::new(RULE, "");
    case.append(store, history());
    for (query, after, outcome) in table() {
        judges(store, "fresh", query, after, outcome);
    }
    fill(&case.row("2,000 events"), store, 2_000);
    for (query, after, outcome) in table() {
        judges(store, "2,000 events back", query, after, outcome);
    }
    // The same once more, now with events in the appends that are accepted;
    // they are of a type no row asks for.
    for (query, after, outcome) in table() {
        if let Holds = outcome {
            accepts(store, query, after);
        }
    }
}

/// One row, in appends that leave the log as it is whatever is answered.
fn judges(store: &dyn EventStore, when: &str, query: Query, after: After, outcome: Outcome) {
    let case = Case::new(RULE, format_args!("{when}: {query:?} after {after:?}"));
    let before = case.last_position(store);
    let after = position(after, before);
    let condition = AppendCondition { query, after };
    let appends = [
        ("alone", Append::default()),
        ("with a write without events", Append::to(stream("untouched"), ExpectedRevision::NoStream, [])),
        ("with an event", Append::to(stream("untouched"), ExpectedRevision::NoStream, events(1))),
    ];
    for verb in Verb::ALL {
        for (row, append) in &appends {
            let records = append.event_count() > 0;
            if records && matches!(outcome, Holds) {
                continue;
            }
            let case = case.row(format_args!("{when}: {condition:?} {row} ({verb:?})"));
            let found = verb.append(&case, store, append.clone().on_condition(condition.clone()));
            let revisions = vec![None; append.writes.len()];
            match outcome {
                Holds => case.equal("the answer", &found, &Answer::nothing_to_record(&revisions)),
                Fails(fitting) => names_one_of(&case, &found, fitting),
                BeyondEnd => case.equal("the answer", &found, &beyond(after, before)),
            }
            case.equal("the last position", &case.last_position(store), &before);
        }
    }
}

fn accepts(store: &dyn EventStore, query: Query, after: After) {
    let case = Case::new(RULE, format_args!("with an event: {query:?} after {after:?}"));
    let last = case.last_position(store);
    let condition = AppendCondition { query, after: position(after, last) };
    let append = Append::to(stream("accepted"), ExpectedRevision::Any, [event("Accepted", &["accepted"])]);
    let next = last.map_or(0, |last| last.get() + 1);
    let found = Answer::from(store.append(append.on_condition(condition)));
    let Answer::Recorded(receipt) = found else { case.fail(format_args!("it was answered {found:?}")) };
    case.equal("its positions", &receipt.positions, &Some((next, next)));
}

fn position(after: After, last: Option<Position>) -> Option<Position> {
    match after {
        After::None => None,
        At(n) => Some(Position::new(n)),
        Last => last,
        Beyond(n) => Some(Position::new(last.map_or(n - 1, |last| last.get() + n))),
    }
}

fn beyond(after: Option<Position>, last: Option<Position>) -> Answer {
    let after = after.unwrap_or(Position::MAX);
    Answer::Invalid(InvalidAppend::PositionBeyondEnd { after, last })
}

#[track_caller]
fn names_one_of(case: &Case, found: &Answer, fitting: &[u64]) {
    let fits = matches!(found, Answer::ConditionFailed { position } if fitting.contains(position));
    if !fits {
        case.fail(format_args!("the condition fails for one of {fitting:?}, but it was answered {found:?}"));
    }
}

fn judges_the_empty_log(store: &dyn EventStore) {
    let rows = [
        (query(&["Opened"], &[]), After::None, Holds),
        (Query::all(), After::None, Holds),
        (Query::all(), Last, Holds),
        (query(&["Opened"], &[]), At(0), BeyondEnd),
        (Query::all(), At(0), BeyondEnd),
        (Query::all(), At(5), BeyondEnd),
        (Query::all(), At(u64::MAX), BeyondEnd),
    ];
    for (query, after, outcome) in rows {
        judges(store, "the empty log", query, after, outcome);
    }
    accepts(store, Query::all(), After::None);
    judges(store, "a log of one event", Query::all(), After::None, Fails(&[0]));
    judges(store, "a log of one event", Query::all(), At(0), Holds);
    judges(store, "a log of one event", Query::all(), At(1), BeyondEnd);
}

fn judges_everything(store: &dyn EventStore) {
    Case::new(RULE, "").append(store, history());
    let all = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    let rows = [
        (Query::all(), After::None, Fails(all)),
        (Query::all(), At(0), Fails(&all[1..])),
        (Query::all(), At(3), Fails(&all[4..])),
        (Query::all(), At(8), Fails(&[9])),
        (Query::all(), At(9), Holds),
        (Query::all(), Last, Holds),
        (Query::all(), Beyond(1), BeyondEnd),
        (Query::all(), At(u64::MAX), BeyondEnd),
        (query(&[], &[]), After::None, Fails(all)),
        (query(&[], &[]), At(9), Holds),
        (query(&["Unheard"], &[]).or(item(&[], &[])), At(8), Fails(&[9])),
        (query(&["Unheard"], &[]).or(item(&[], &[])), At(9), Holds),
    ];
    for (query, after, outcome) in rows {
        judges(store, "everything", query, after, outcome);
    }
    accepts(store, Query::all(), Last);
}

/// The use conditions are made for: read, decide, append; and someone else
/// was first.
fn judges_what_was_appended_just_now(store: &dyn EventStore) {
    let seat = |n: u64| query(&["SeatTaken"], &[&format!("seat:{n}")]);
    let take = |n: u64, after| {
        let taken = event("SeatTaken", &[&format!("seat:{n}"), "show:1"]);
        Append::to(stream(&format!("seat-{n}")), ExpectedRevision::Any, [taken])
            .on_condition(AppendCondition { query: seat(n), after })
    };
    let mut seen = None;
    for n in 0..20 {
        let case = Case::new(
            "an append's own events do not fail its condition; the next one's condition sees them",
            format_args!("seat {n}"),
        );
        // The first one to come, the second one with what the first one had
        // read, and one that has read again.
        case.answers(store, take(n, seen), Answer::recorded((2 * n, 2 * n), &[Some(0)]));
        case.answers(store, take(n, seen), Answer::ConditionFailed { position: 2 * n });
        case.answers(store, take(n, None), Answer::ConditionFailed { position: 2 * n });
        seen = case.last_position(store);
        case.answers(store, take(n, seen), Answer::recorded((2 * n + 1, 2 * n + 1), &[Some(1)]));
        seen = case.last_position(store);
    }
}

/// Many types and tags, most of them far back: an index must not mix them up.
fn judges_each_of_many_keys(store: &dyn EventStore) {
    let case = Case::new(RULE, "2,000 tags, each of one event");
    let kind = |n: u64| format!("Kind{}", n % 40);
    let key = |n: u64| format!("key:{n}");
    for hundred in 0..20 {
        let new = (hundred * 100..hundred * 100 + 100).map(|n| event(&kind(n), &["every", &key(n)]));
        case.append(store, Append::to(stream("keys"), ExpectedRevision::Any, new));
    }
    let log = case.log(store);
    for n in (0..2_000).step_by(37) {
        let with_tag = query(&[], &["every", &key(n)]);
        let right_kind = query(&[&kind(n)], &[&key(n)]);
        let wrong_kind = query(&[&kind(n + 1)], &[&key(n)]);
        let fitting: Vec<_> = log.iter().filter(|event| matches(&right_kind, event)).collect();
        case.equal("how many events have this tag", &fitting.len(), &1);
        for (query, after, fails) in [
            (&with_tag, None, true),
            (&with_tag, n.checked_sub(1), true),
            (&with_tag, Some(n), false),
            (&right_kind, None, true),
            (&right_kind, Some(n), false),
            (&wrong_kind, None, false),
        ] {
            let case = case.row(format_args!("{query:?} after {after:?}"));
            let condition = AppendCondition { query: query.clone(), after: after.map(Position::new) };
            let wanted =
                if fails { Answer::ConditionFailed { position: n } } else { Answer::nothing_to_record(&[]) };
            case.answers(store, Append::default().on_condition(condition), wanted);
        }
    }
    let noise = AppendCondition { query: query(&[NOISE], &[]), after: None };
    case.answers(store, Append::default().on_condition(noise), Answer::nothing_to_record(&[]));
}
