//! The same ids again.
//!
//! A caller that never heard an answer appends again and must get the first
//! receipt, whatever happened meanwhile. The table works on this history, in
//! which a letter is an event, and its id follows from the letter:
//!
//! ```text
//!   revision        0  1  2           3  4
//!   the stream      a  b  c           d  e
//!   position        0  1  2  (3..=5)  6  7       after the row's first position
//!                  └──────┘          └────┘
//!                NoStream abc       Exact(2) de
//! ```

use uuid::Uuid;

use crate::{
    Append, AppendCondition, ContentType, EventStore, ExpectedRevision, NewEvent, Query, StreamName, Tags,
    Timestamp,
};

use super::answer::{Answer, Receipt, Verb};
use super::case::Case;
use super::sample::{event, events, exact, fill, known_event, letters, stream, tag};

use ExpectedRevision::{Any, Exists, NoStream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    answers_every_row(&store());
    refuses_an_id_for_another_fact(&store());
    judges_several_streams_together(&store());
    keeps_ids_apart_by_stream(&store());
    remembers_after_many_events(&store());
    tells_when_it_was_recorded_first(&store());
}

const RULE: &str = "the same ids again are answered with the first receipt, a mixture is refused";

/// What a row is answered.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// Recorded, up to this revision.
    New(u64),
    /// There was nothing to record.
    Nothing,
    /// The receipt for these revisions.
    Repeat(u64, u64),
    Conflict,
    /// Partly repeated, naming one of these.
    Partly(&'static str),
}

use Outcome::{Conflict, New, Nothing, Partly, Repeat};

fn table() -> Vec<(ExpectedRevision, &'static str, Outcome)> {
    let mut rows = vec![
        // gone past: what stands right after the expectation is compared
        (NoStream, "abc", Repeat(0, 2)),
        (NoStream, "ab", Repeat(0, 1)),
        (NoStream, "a", Repeat(0, 0)),
        (NoStream, "abcd", Repeat(0, 3)),
        (NoStream, "abcde", Repeat(0, 4)),
        (NoStream, "abz", Conflict),
        (NoStream, "az", Conflict),
        (NoStream, "abcdez", Conflict),
        (NoStream, "z", Conflict),
        (NoStream, "b", Conflict),
        (NoStream, "ba", Conflict),
        (NoStream, "acb", Conflict),
        (NoStream, "de", Conflict),
        (NoStream, "", Conflict),
        (exact(0), "bc", Repeat(1, 2)),
        (exact(0), "b", Repeat(1, 1)),
        (exact(0), "bcd", Repeat(1, 3)),
        (exact(0), "cb", Conflict),
        (exact(0), "abc", Conflict),
        (exact(0), "z", Conflict),
        (exact(0), "", Conflict),
        (exact(2), "de", Repeat(3, 4)),
        (exact(2), "d", Repeat(3, 3)),
        (exact(2), "dz", Conflict),
        (exact(2), "dez", Conflict),
        (exact(2), "e", Conflict),
        (exact(2), "abc", Conflict),
        (exact(2), "", Conflict),
        (exact(3), "e", Repeat(4, 4)),
        (exact(3), "d", Conflict),
        // met: ids are not looked at
        (exact(4), "z", New(5)),
        (exact(4), "a", New(5)),
        (exact(4), "dez", New(7)),
        (exact(4), "", Nothing),
        // not reached
        (exact(5), "a", Conflict),
        (exact(5), "z", Conflict),
        (exact(5), "", Conflict),
        (exact(u64::MAX), "a", Conflict),
    ];
    for anywhere in [Any, Exists] {
        rows.extend([
            (anywhere, "abc", Repeat(0, 2)),
            (anywhere, "a", Repeat(0, 0)),
            (anywhere, "bc", Repeat(1, 2)),
            (anywhere, "c", Repeat(2, 2)),
            (anywhere, "de", Repeat(3, 4)),
            (anywhere, "cde", Repeat(2, 4)),
            (anywhere, "abcde", Repeat(0, 4)),
            (anywhere, "z", New(5)),
            (anywhere, "xyz", New(7)),
            (anywhere, "", Nothing),
            (anywhere, "az", Partly("a")),
            (anywhere, "za", Partly("a")),
            (anywhere, "zyxe", Partly("e")),
            (anywhere, "ez", Partly("e")),
            (anywhere, "abcdez", Partly("abcde")),
            (anywhere, "ac", Partly("ac")),
            (anywhere, "ba", Partly("ab")),
            (anywhere, "abd", Partly("abd")),
        ]);
    }
    rows
}

/// A letter's event in one row.
fn letter(row: &str, letter: char) -> NewEvent {
    known_event(&format!("{row} {letter}"))
}

fn word(row: &str, letters: &str) -> Vec<NewEvent> {
    letters.chars().map(|one| letter(row, one)).collect()
}

/// The history drawn above; gives the position of `a`.
fn history(case: &Case, store: &dyn EventStore, row: &str) -> u64 {
    let first = case.append(store, Append::to(stream(row), NoStream, word(row, "abc")));
    case.append(store, Append::to(stream("between"), Any, events(3)));
    case.append(store, Append::to(stream(row), exact(2), word(row, "de")));
    first.first_position().map_or(0, |position| position.get())
}

fn answers_every_row(store: &dyn EventStore) {
    for (n, (expected, letters, outcome)) in table().into_iter().enumerate() {
        let row = format!("row-{n}");
        let case = Case::new(RULE, format_args!("abc, de, then {letters:?} expecting {expected}"));
        let first = history(&case, store, &row);
        judges(&case, store, &row, first, expected, letters, outcome);
    }
    // A stream without events has nothing that could be repeated.
    for (n, (expected, wanted)) in
        [(Any, true), (NoStream, true), (Exists, false), (exact(0), false)].into_iter().enumerate()
    {
        let row = format!("missing-{n}");
        let case = Case::new(RULE, format_args!("no stream, then \"ab\" expecting {expected}"));
        let next = case.last_position(store).map_or(0, |last| last.get() + 1);
        let answer = match wanted {
            true => Answer::recorded((next, next + 1), &[Some(1)]),
            false => Answer::conflict(&row, expected, None),
        };
        case.answers(store, Append::to(stream(&row), expected, word(&row, "ab")), answer);
    }
}

fn judges(
    case: &Case,
    store: &dyn EventStore,
    row: &str,
    first: u64,
    expected: ExpectedRevision,
    letters: &str,
    outcome: Outcome,
) {
    let position = |revision: u64| first + revision + if revision >= 3 { 3 } else { 0 };
    let before = case.stream(store, &stream(row));
    let next = case.last_position(store).map_or(0, |last| last.get() + 1);
    let append = Append::to(stream(row), expected, word(row, letters));
    // What is not recorded may be asked again, the other way.
    let verbs: &[Verb] = if let New(_) = outcome { &Verb::ALL[..1] } else { &Verb::ALL };
    for verb in verbs {
        let found = verb.append(case, store, append.clone());
        let wanted = match outcome {
            New(last) => Answer::recorded((next, next + letters.len() as u64 - 1), &[Some(last)]),
            Nothing => Answer::nothing_to_record(&[Some(4)]),
            Repeat(from, to) => Answer::repeated((position(from), position(to)), &[Some(to)]),
            Conflict => Answer::conflict(row, expected, Some(4)),
            Partly(fitting) => {
                let ids = fitting.chars().map(|one| letter(row, one).id);
                Answer::PartlyRepeated { stream: row.to_owned(), id: one_of(&found, ids) }
            }
        };
        case.equal("the answer", &found, &wanted);
    }
    let after = case.stream(store, &stream(row));
    let grown = if let New(_) = outcome { letters.len() } else { 0 };
    case.equal("the stream's length after it", &after.len(), &(before.len() + grown));
    case.equal("the stream's earlier events", &after[..before.len()].to_vec(), &before);
}

fn tells_when_it_was_recorded_first(store: &dyn EventStore) {
    let case = Case::new(RULE, "\"ab\" twice, with another append between");
    let append = Append::to(stream("told"), NoStream, word("told", "ab"));
    let first = case.append(store, append.clone());
    case.append(store, Append::to(stream("between"), Any, events(1)));
    let again = case.append(store, append);
    let recorded_at = case.stream(store, &stream("told")).last().map(|event| event.recorded_at);
    case.equal("recorded-at in the receipt", &first.recorded_at, &recorded_at);
    case.equal("recorded-at in the repeated receipt", &again.recorded_at, &recorded_at);
}

/// The id that was named, if it is one of these; else the first of these.
fn one_of(found: &Answer, mut fitting: impl Iterator<Item = Uuid> + Clone) -> Uuid {
    match found {
        Answer::PartlyRepeated { id, .. } if fitting.clone().any(|fits| fits == *id) => *id,
        _ => fitting.next().unwrap_or_default(),
    }
}

/// One field at a time differs from what was recorded under the id.
fn refuses_an_id_for_another_fact(store: &dyn EventStore) {
    let case = Case::new("an id recorded before for another fact is refused", "");
    let original = || NewEvent {
        tags: Tags::new([tag("a"), tag("b")]).expect("two tags are allowed"),
        metadata: letters(10),
        occurred_at: Some(Timestamp::from_micros(5)),
        correlation_id: Some(Uuid::max()),
        causation_id: Some(Uuid::max()),
        ..known_event("original")
    };
    let (name, before) = (stream("facts"), known_event("before"));
    let (after, unique) = (known_event("after"), |n: usize| known_event(&format!("unique {n}")));
    case.append(store, Append::to(name.clone(), NoStream, [before.clone(), original(), after.clone()]));

    let others: Vec<(&str, NewEvent)> = vec![
        ("the type", NewEvent { event_type: event("Other", &[]).event_type, ..original() }),
        ("the schema version", NewEvent { schema_version: 2, ..original() }),
        ("the content type", NewEvent { content_type: ContentType::Binary, ..original() }),
        ("the data", NewEvent { data: letters(8), ..original() }),
        ("the data, which is empty", NewEvent { data: letters(0), ..original() }),
        ("the metadata", NewEvent { metadata: letters(9), ..original() }),
        ("no tags", NewEvent { tags: Tags::none(), ..original() }),
        ("one tag less", original().with_tags([tag("a")]).expect("one tag is allowed")),
        ("occurred-at", NewEvent { occurred_at: Some(Timestamp::from_micros(6)), ..original() }),
        ("no occurred-at", NewEvent { occurred_at: None, ..original() }),
        ("the correlation id", NewEvent { correlation_id: Some(Uuid::nil()), ..original() }),
        ("no causation id", NewEvent { causation_id: None, ..original() }),
    ];
    for (n, (field, other)) in others.into_iter().enumerate() {
        let wanted = Answer::IdReused { stream: "facts".to_owned(), revision: 1, id: original().id };
        for (way, append) in [
            ("any", Append::to(name.clone(), Any, [other.clone()])),
            ("exists", Append::to(name.clone(), Exists, [other.clone()])),
            ("gone past", Append::to(name.clone(), exact(0), [other.clone()])),
            (
                "among repeated ones",
                Append::to(name.clone(), Any, [before.clone(), other.clone(), after.clone()]),
            ),
            (
                "among repeated ones, gone past",
                Append::to(name.clone(), NoStream, [before.clone(), other.clone(), after.clone()]),
            ),
            (
                "beside a new write",
                Append::to(name.clone(), Any, [other.clone()]).and_to(stream("new"), Any, [unique(n)]),
            ),
            (
                "after a new write",
                Append::to(stream("new"), Any, [unique(n)]).and_to(name.clone(), Any, [other]),
            ),
        ] {
            let case = case.row(format_args!("{field} differs, {way}"));
            case.answers(store, append, wanted.clone());
        }
    }
    let whole = Append::to(name.clone(), NoStream, [before, original(), after]);
    case.row("nothing differs").answers(store, whole, Answer::repeated((0, 2), &[Some(2)]));
    // The met expectation does not look at ids: the id may be taken again.
    let met = Append::to(name, exact(2), [NewEvent { schema_version: 3, ..original() }]);
    case.row("everything differs, the expectation is met").answers(
        store,
        met,
        Answer::recorded((3, 3), &[Some(3)]),
    );
}

fn judges_several_streams_together(store: &dyn EventStore) {
    let case = Case::new("an append to several streams repeats only as a whole", "");
    let (a, b) = (|| word("several-a", "ab"), || word("several-b", "cde"));
    let (to_a, to_b) = (|| stream("several-a"), || stream("several-b"));
    let first = || Append::to(to_a(), NoStream, a()).and_to(to_b(), NoStream, b());
    case.append(store, first());
    case.append(store, Append::to(stream("between"), Any, events(2)));
    case.append(store, Append::to(to_a(), exact(1), word("several-a", "f")));

    let whole = Answer::repeated((0, 4), &[Some(1), Some(2)]);
    // Whichever of its recorded ids it names.
    let mixed = || Answer::PartlyRepeated { stream: "several-b".to_owned(), id: Uuid::nil() };
    let rows = [
        ("the same", first(), whole.clone()),
        ("the same, any", Append::to(to_a(), Any, a()).and_to(to_b(), Any, b()), whole.clone()),
        (
            "the same, one by revision and one by id",
            Append::to(to_a(), NoStream, a()).and_to(to_b(), Exists, b()),
            whole.clone(),
        ),
        (
            "the same in another order",
            Append::to(to_b(), NoStream, b()).and_to(to_a(), NoStream, a()),
            Answer::repeated((0, 4), &[Some(2), Some(1)]),
        ),
        ("only the first write", Append::to(to_a(), NoStream, a()), Answer::repeated((0, 1), &[Some(1)])),
        ("only the second write", Append::to(to_b(), Any, b()), Answer::repeated((2, 4), &[Some(2)])),
        (
            "the same, and a write without events",
            first().and_to(stream("between"), Exists, []),
            Answer::repeated((0, 4), &[Some(1), Some(2), Some(1)]),
        ),
        (
            "the same, and a write without events to no stream",
            first().and_to(stream("nowhere"), NoStream, []),
            Answer::repeated((0, 4), &[Some(1), Some(2), None]),
        ),
        (
            "the same, and a write without events that conflicts",
            first().and_to(stream("nowhere"), Exists, []),
            Answer::conflict("nowhere", Exists, None),
        ),
        (
            "the same, and a new write",
            Append::to(to_b(), NoStream, b()).and_to(stream("nowhere"), NoStream, events(1)),
            mixed(),
        ),
        (
            "a new write, and one of the same",
            Append::to(stream("nowhere"), Any, events(1)).and_to(to_b(), Any, b()),
            mixed(),
        ),
        (
            "one the same, one met with a new event",
            Append::to(to_a(), exact(2), word("several-a", "z")).and_to(to_b(), NoStream, b()),
            mixed(),
        ),
        (
            "one the same, one conflicting",
            Append::to(to_b(), NoStream, b()).and_to(to_a(), NoStream, word("several-a", "z")),
            Answer::conflict("several-a", NoStream, Some(2)),
        ),
        (
            "one conflicting, one the same",
            Append::to(to_a(), NoStream, word("several-a", "bz")).and_to(to_b(), NoStream, b()),
            Answer::conflict("several-a", NoStream, Some(2)),
        ),
        (
            "one the same, one partly the same",
            Append::to(to_a(), Any, a()).and_to(to_b(), Any, word("several-b", "ez")),
            mixed(),
        ),
        (
            "the same ids, each in the other's stream",
            Append::to(to_a(), NoStream, b()).and_to(to_b(), NoStream, a()),
            Answer::conflict("several-a", NoStream, Some(2)),
        ),
    ];
    let before = case.log(store);
    for (row, append, wanted) in rows {
        for verb in Verb::ALL {
            let case = case.row(format_args!("{row} ({verb:?})"));
            let found = verb.append(&case, store, append.clone());
            let wanted = match wanted.clone() {
                Answer::PartlyRepeated { stream, .. } => {
                    let ids = append.writes.iter().flat_map(|write| write.events.iter().map(|new| new.id));
                    let recorded = ids.filter(|id| before.iter().any(|event| event.id == *id));
                    Answer::PartlyRepeated { stream, id: one_of(&found, recorded) }
                }
                other => other,
            };
            case.equal("the answer", &found, &wanted);
            case.equal("the log after it", &case.log(store), &before);
        }
    }
}

fn keeps_ids_apart_by_stream(store: &dyn EventStore) {
    let case = Case::new("an id belongs to its stream: in another stream it is new", "");
    let name = |n: u64| -> StreamName { stream(&format!("apart-{n}")) };
    let same = || word("apart", "abc");
    for n in 0..6 {
        let expected = [NoStream, Any][n as usize % 2];
        let append = Append::to(name(n), expected, same());
        let case = case.row(format_args!("stream {n}, expecting {expected}"));
        let positions = (n * 3, n * 3 + 2);
        case.answers(store, append, Answer::recorded(positions, &[Some(2)]));
    }
    for n in 0..6 {
        let positions = (n * 3, n * 3 + 2);
        for expected in [NoStream, Any, Exists] {
            let case = case.row(format_args!("stream {n} again, expecting {expected}"));
            let append = Append::to(name(n), expected, same());
            case.answers(store, append, Answer::repeated(positions, &[Some(2)]));
        }
    }
    // One append may use them for two streams.
    let both = |first, second| Append::to(name(6), first, same()).and_to(name(7), second, same());
    let positions = (18, 23);
    let row = case.row("two streams in one append");
    row.answers(store, both(NoStream, Any), Answer::recorded(positions, &[Some(2), Some(2)]));
    for (first, second) in [(NoStream, Any), (Any, NoStream), (Exists, Any), (NoStream, NoStream)] {
        let row = case.row(format_args!("the two again, expecting {first} and {second}"));
        row.answers(store, both(first, second), Answer::repeated(positions, &[Some(2), Some(2)]));
    }
    for (n, positions) in [(6, (18, 20)), (7, (21, 23))] {
        let row = case.row(format_args!("only stream {n} of the two again"));
        row.answers(store, Append::to(name(n), Any, same()), Answer::repeated(positions, &[Some(2)]));
    }
}

/// The most events after which an id must still be known where only ids tell.
const REMEMBERED: u64 = 10_000;

fn remembers_after_many_events(store: &dyn EventStore) {
    let case = Case::new("a repetition is known for ever by revision, and by id for 10,000 events", "");
    let condition = || AppendCondition { query: Query::all(), after: None };
    let several = || {
        Append::to(stream("long"), NoStream, word("long", "abc")).and_to(
            stream("ago"),
            Any,
            word("ago", "de"),
        )
    };
    case.append(store, several().on_condition(condition()));
    case.append(store, Append::to(stream("lone"), Any, word("lone", "a")));
    let own = 6;
    let mut passed = 0;
    for (after, ids) in [(0, true), (5_000, true), (REMEMBERED - own, true), (REMEMBERED + 2_000, false)] {
        fill(&case, store, after - passed);
        passed = after;
        let case = case.row(format_args!("after {after} other events"));
        let by_revision = Append::to(stream("long"), NoStream, word("long", "abc"));
        case.answers(store, by_revision, Answer::repeated((0, 2), &[Some(2)]));
        let later = Append::to(stream("long"), exact(0), word("long", "bc"));
        case.answers(store, later, Answer::repeated((1, 2), &[Some(2)]));
        if ids {
            let whole = Receipt { positions: Some((0, 4)), revisions: vec![Some(2), Some(1)] };
            case.answers(store, several(), Answer::Repeated(whole.clone()));
            case.answers(store, several().on_condition(condition()), Answer::Repeated(whole));
            for expected in [Any, Exists] {
                let lone = Append::to(stream("lone"), expected, word("lone", "a"));
                case.answers(store, lone, Answer::repeated((5, 5), &[Some(0)]));
                let partly = Append::to(stream("lone"), expected, word("lone", "az"));
                let id = letter("lone", 'a').id;
                case.answers(store, partly, Answer::PartlyRepeated { stream: "lone".to_owned(), id });
            }
        }
    }
}
