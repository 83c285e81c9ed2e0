//! Which of several reasons is answered, when an append could be refused for
//! more than one:
//!
//! ```text
//!   1  makes no sense          (see `limits`)
//!   2  is a repetition         each write in turn: a conflict, a mixture of old and new ...
//!   3  a write's expectation   ... so conflicts of writes come in their order
//!   4  a check's expectation   in their order
//!   5  the append condition
//! ```

use crate::{Append, AppendCondition, EventStore, ExpectedRevision, InvalidAppend, NewEvent, Position};

use super::answer::{Answer, Verb};
use super::case::Case;
use super::sample::{event, events, exact, known_event, query, stream};

use ExpectedRevision::{Any, Exists, NoStream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    answers_the_first_reason(&store());
}

fn answers_the_first_reason(store: &dyn EventStore) {
    let case = Case::new("repetition is judged first, then writes, then checks, then the condition", "");
    let old = |n: u64| known_event(&format!("old {n}"));
    let olds = || -> Vec<NewEvent> { (0..3).map(old).collect() };
    case.append(store, Append::to(stream("old"), NoStream, olds()));
    case.append(store, Append::to(stream("marked"), NoStream, [event("Marked", &["mark"])]));

    let fails = || AppendCondition { query: query(&[], &["mark"]), after: None };
    let holds = || AppendCondition { query: query(&[], &["mark"]), after: Some(Position::new(3)) };
    let beyond = || AppendCondition { query: query(&[], &["unheard"]), after: Some(Position::new(4)) };
    let after_end = Answer::Invalid(InvalidAppend::PositionBeyondEnd {
        after: Position::new(4),
        last: Some(Position::new(3)),
    });
    let receipt = Answer::repeated((0, 2), &[Some(2)]);
    let repeat = || Append::to(stream("old"), NoStream, olds());
    let fresh = || Append::to(stream("new"), NoStream, events(2));
    let conflict = || Append::to(stream("old"), exact(0), events(1));
    let was_conflict = Answer::conflict("old", exact(0), Some(2));
    let mixed = || Append::to(stream("old"), Any, [old(2), event("New", &[])]);
    let was_mixed = Answer::PartlyRepeated { stream: "old".to_owned(), id: old(2).id };

    let rows = [
        ("a repetition, a failing check", repeat().expecting(stream("no"), Exists), receipt.clone()),
        ("a repetition, a failing condition", repeat().on_condition(fails()), receipt.clone()),
        ("a repetition, a condition beyond the end", repeat().on_condition(beyond()), receipt.clone()),
        (
            "a repetition, both failing",
            repeat().expecting(stream("no"), exact(3)).on_condition(fails()),
            receipt.clone(),
        ),
        (
            "a repetition expecting any, both failing",
            Append::to(stream("old"), Any, olds()).expecting(stream("no"), Exists).on_condition(fails()),
            receipt.clone(),
        ),
        (
            "a repetition, then a conflict",
            repeat().and_to(stream("no"), Exists, events(1)),
            Answer::conflict("no", Exists, None),
        ),
        (
            "a repetition, then a conflict of a write without events",
            repeat().and_to(stream("marked"), NoStream, []),
            Answer::conflict("marked", NoStream, Some(0)),
        ),
        (
            "a mixture, a failing check and condition",
            mixed().expecting(stream("no"), Exists).on_condition(fails()),
            was_mixed.clone(),
        ),
        ("a mixture, then a conflict", mixed().and_to(stream("no"), Exists, events(1)), was_mixed.clone()),
        (
            "a conflict, then a mixture",
            Append::to(stream("no"), Exists, events(1)).and_to(
                stream("old"),
                Any,
                [old(2), event("New", &[])],
            ),
            Answer::conflict("no", Exists, None),
        ),
        (
            "a new write, then a repetition, a failing check",
            fresh().and_to(stream("old"), Any, [old(1)]).expecting(stream("no"), Exists),
            Answer::PartlyRepeated { stream: "old".to_owned(), id: old(1).id },
        ),
        (
            "a conflict, a failing check and condition",
            conflict().expecting(stream("no"), Exists).on_condition(fails()),
            was_conflict.clone(),
        ),
        ("a conflict, a failing condition", conflict().on_condition(fails()), was_conflict.clone()),
        ("a conflict, a condition beyond the end", conflict().on_condition(beyond()), was_conflict.clone()),
        ("two conflicts", conflict().and_to(stream("marked"), NoStream, events(1)), was_conflict.clone()),
        (
            "two conflicts, the other way round",
            Append::to(stream("marked"), NoStream, events(1)).and_to(stream("old"), exact(0), events(1)),
            Answer::conflict("marked", NoStream, Some(0)),
        ),
        (
            "a good write, two conflicts",
            fresh().and_to(stream("no"), exact(1), []).and_to(stream("old"), NoStream, events(1)),
            Answer::conflict("no", exact(1), None),
        ),
        (
            "two failing checks",
            fresh().expecting(stream("no"), Exists).expecting(stream("old"), NoStream),
            Answer::conflict("no", Exists, None),
        ),
        (
            "two failing checks, the other way round",
            fresh().expecting(stream("old"), NoStream).expecting(stream("no"), Exists),
            Answer::conflict("old", NoStream, Some(2)),
        ),
        (
            "a check that holds, one that fails, a failing condition",
            fresh().expecting(stream("old"), Exists).expecting(stream("no"), exact(0)).on_condition(fails()),
            Answer::conflict("no", exact(0), None),
        ),
        (
            "a failing check, a condition beyond the end",
            fresh().expecting(stream("no"), Exists).on_condition(beyond()),
            Answer::conflict("no", Exists, None),
        ),
        (
            "only the condition fails",
            fresh().expecting(stream("old"), exact(2)).on_condition(fails()),
            Answer::ConditionFailed { position: 3 },
        ),
        (
            "only the condition is beyond the end",
            fresh().expecting(stream("old"), exact(2)).on_condition(beyond()),
            after_end,
        ),
    ];
    let before = case.log(store);
    for (row, append, wanted) in rows {
        for verb in Verb::ALL {
            let case = case.row(format_args!("{row} ({verb:?})"));
            case.equal("the answer", &verb.append(&case, store, append.clone()), &wanted);
            case.equal("the log after it", &case.log(store), &before);
        }
    }
    case.row("nothing fails").answers(
        store,
        fresh().expecting(stream("old"), exact(2)).on_condition(holds()),
        Answer::recorded((4, 5), &[Some(1)]),
    );
}
