//! What is refused whatever the store holds, and what just fits.

use uuid::Uuid;

use crate::{
    Append, AppendCondition, ContentType, EventStore, ExpectedRevision, InvalidAppend, NewEvent, Position,
    Query,
};

use super::answer::{Answer, Verb};
use super::case::Case;
use super::sample::{event, exact, known_event, letters, stream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    refuses_what_makes_no_sense(&store());
    accepts_the_largest_event(&store());
}

fn refuses_what_makes_no_sense(store: &dyn EventStore) {
    let any = ExpectedRevision::Any;
    let case = Case::new("an append that makes no sense is refused before anything else is judged", "");
    let held = Append::to(stream("held"), ExpectedRevision::NoStream, [known_event("held")]);
    case.append(store, held.clone());

    let twice = |name: &str| Answer::Invalid(InvalidAppend::StreamNamedTwice { stream: stream(name) });
    let id = Uuid::now_v7();
    let same_id = || event("Same", &[]).with_id(id);
    let sized = |data: usize, metadata: usize| NewEvent {
        data: vec![7; data].into(),
        metadata: letters(metadata),
        ..event("Large", &[])
    };
    let limit = NewEvent::BYTES_MAX;
    let too_large = |index, bytes| Answer::Invalid(InvalidAppend::EventTooLarge { index, bytes, limit });
    let media = |length: usize| NewEvent {
        content_type: ContentType::Other("m".repeat(length).into()),
        ..event("Typed", &[])
    };
    let content_type = |index, bytes| Answer::Invalid(InvalidAppend::ContentType { index, bytes });

    let rows = [
        (
            "a stream written twice",
            Append::to(stream("a"), any, [event("A", &[])]).and_to(stream("a"), any, [event("A", &[])]),
            twice("a"),
        ),
        (
            "a stream written and checked",
            Append::to(stream("a"), any, [event("A", &[])]).expecting(stream("a"), any),
            twice("a"),
        ),
        (
            "a stream checked twice",
            Append::to(stream("a"), any, [event("A", &[])])
                .expecting(stream("b"), any)
                .expecting(stream("b"), any),
            twice("b"),
        ),
        (
            "a stream written twice, without events",
            Append::to(stream("a"), any, []).and_to(stream("a"), any, []),
            twice("a"),
        ),
        (
            "an id twice in one stream",
            Append::to(stream("a"), any, [same_id(), event("A", &[]), same_id()]),
            Answer::Invalid(InvalidAppend::IdUsedTwice { id }),
        ),
        (
            "an id twice in the second write",
            Append::to(stream("a"), any, [event("A", &[])]).and_to(stream("b"), any, [same_id(), same_id()]),
            Answer::Invalid(InvalidAppend::IdUsedTwice { id }),
        ),
        (
            "data one byte too large",
            Append::to(stream("a"), any, [sized(limit as usize + 1, 0)]),
            too_large(0, limit + 1),
        ),
        (
            "data and metadata together one byte too large, in the second write",
            Append::to(stream("a"), any, [event("A", &[])]).and_to(
                stream("b"),
                any,
                [event("A", &[]), sized(limit as usize, 1)],
            ),
            too_large(2, limit + 1),
        ),
        ("an empty media type", Append::to(stream("a"), any, [media(0)]), content_type(0, 0)),
        (
            "a media type of 256 bytes, second event",
            Append::to(stream("a"), any, [event("A", &[]), media(256)]),
            content_type(1, 256),
        ),
        (
            "a stream twice in what would otherwise be a repetition",
            held.clone().expecting(stream("held"), any),
            twice("held"),
        ),
        (
            "a stream twice in what would otherwise conflict",
            Append::to(stream("held"), exact(7), [event("A", &[])])
                .expecting(stream("c"), ExpectedRevision::Exists)
                .expecting(stream("c"), ExpectedRevision::Exists)
                .on_condition(AppendCondition { query: Query::all(), after: None }),
            twice("c"),
        ),
        (
            "an id twice, after a position beyond the end",
            Append::to(stream("a"), any, [same_id(), same_id()])
                .on_condition(AppendCondition { query: Query::all(), after: Some(Position::MAX) }),
            Answer::Invalid(InvalidAppend::IdUsedTwice { id }),
        ),
    ];
    for (row, append, wanted) in rows {
        for verb in Verb::ALL {
            let case = case.row(format_args!("{row} ({verb:?})"));
            case.equal("the answer", &verb.append(&case, store, append.clone()), &wanted);
            case.equal("the log's length after it", &case.log(store).len(), &1);
        }
    }
    let sensible = Append::to(stream("a"), ExpectedRevision::NoStream, [same_id()]);
    case.row("afterwards, the same id used once").answers(
        store,
        sensible,
        Answer::recorded((1, 1), &[Some(0)]),
    );
    let unhurried = Append::to(stream("b"), ExpectedRevision::NoStream, [event("A", &[])]).or_refuse();
    case.row("an idle store, asked not to wait").answers(
        store,
        unhurried,
        Answer::recorded((2, 2), &[Some(0)]),
    );
}

fn accepts_the_largest_event(store: &dyn EventStore) {
    let case = Case::new("an event of the largest size is accepted", "16 MiB of data and metadata");
    let large =
        NewEvent { data: vec![9; 15 << 20].into(), metadata: vec![5; 1 << 20].into(), ..event("Large", &[]) };
    case.equal("its size", &((large.data.len() + large.metadata.len()) as u64), &NewEvent::BYTES_MAX);
    let append = Append::to(stream("large"), ExpectedRevision::NoStream, [large.clone()]);
    case.append(store, append);
    case.append(store, Append::to(stream("small"), ExpectedRevision::NoStream, [event("Small", &[])]));
    let log = case.log(store);
    case.equal("the number of events", &log.len(), &2);
    case.holds(log[0].data == large.data && log[0].metadata == large.metadata, "it is read back the same");
    case.equal("the stream after it", &log[1].stream, &stream("small"));
}
