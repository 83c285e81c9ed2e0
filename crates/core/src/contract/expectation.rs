//! Every expected revision against every stream, used in every way.

use crate::{Append, EventStore, ExpectedRevision, StreamName};

use super::answer::{Answer, Verb};
use super::case::Case;
use super::sample::{events, exact, stream};

use ExpectedRevision::{Any, Exists, NoStream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    let store = store();
    for (row, (stood, expected, outcome)) in table().into_iter().enumerate() {
        for verb in Verb::ALL {
            for way in WAYS {
                judges(&store, &format!("s-{row}-{verb:?}-{way:?}"), stood, expected, outcome, way, verb);
            }
        }
    }
}

/// What an expectation is answered: `Met` with the revision the next event
/// gets, or `Conflict` with the revision the stream is found at.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Met(u64),
    Conflict(Option<u64>),
}

use Outcome::{Conflict, Met};

fn table() -> [(u64, ExpectedRevision, Outcome); 18] {
    const FAR: u64 = u64::MAX;
    [
        // events it has   expected     outcome
        (0, Any, Met(0)),
        (0, NoStream, Met(0)),
        (0, Exists, Conflict(None)),
        (0, exact(0), Conflict(None)),
        (0, exact(7), Conflict(None)),
        (0, exact(FAR), Conflict(None)),
        (1, Any, Met(1)),
        (1, NoStream, Conflict(Some(0))),
        (1, Exists, Met(1)),
        (1, exact(0), Met(1)),            // at the last
        (1, exact(1), Conflict(Some(0))), // beyond
        (3, Any, Met(3)),
        (3, NoStream, Conflict(Some(2))),
        (3, Exists, Met(3)),
        (3, exact(0), Conflict(Some(2))), // below
        (3, exact(1), Conflict(Some(2))), // just below
        (3, exact(2), Met(3)),            // at the last
        (3, exact(3), Conflict(Some(2))), // beyond
    ]
}

/// How an append may use an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Write,
    WriteWithoutEvents,
    CheckBesideAWrite,
    CheckAlone,
}

const WAYS: [Way; 4] = [Way::Write, Way::WriteWithoutEvents, Way::CheckBesideAWrite, Way::CheckAlone];

fn judges(
    store: &dyn EventStore,
    name: &str,
    stood: u64,
    expected: ExpectedRevision,
    outcome: Outcome,
    way: Way,
    verb: Verb,
) {
    let case = Case::new(
        "an expected revision is met or answered with a conflict",
        format_args!("a stream of {stood} events, expected {expected}, as {way:?} ({verb:?})"),
    );
    let (judged, beside): (StreamName, StreamName) = (stream(name), stream(&format!("{name}-beside")));
    if stood > 0 {
        case.append(store, Append::to(judged.clone(), NoStream, events(stood)));
    }
    let before = case.stream(store, &judged);
    let end = case.last_position(store).map_or(0, |position| position.get() + 1);

    let append = match way {
        Way::Write => Append::to(judged.clone(), expected, events(2)),
        Way::WriteWithoutEvents => Append::to(judged.clone(), expected, []),
        Way::CheckBesideAWrite => {
            Append::to(beside.clone(), NoStream, events(2)).expecting(judged.clone(), expected)
        }
        Way::CheckAlone => Append::default().expecting(judged.clone(), expected),
    };
    let wanted = match (outcome, way) {
        (Conflict(actual), _) => Answer::conflict(name, expected, actual),
        (Met(next), Way::Write) => Answer::recorded((end, end + 1), &[Some(next + 1)]),
        (Met(next), Way::WriteWithoutEvents) => Answer::nothing_to_record(&[next.checked_sub(1)]),
        (Met(_), Way::CheckBesideAWrite) => Answer::recorded((end, end + 1), &[Some(1)]),
        (Met(_), Way::CheckAlone) => Answer::nothing_to_record(&[]),
    };
    let found = verb.append(&case, store, append);
    case.equal("the answer", &found, &wanted);

    let recorded = matches!(&found, Answer::Recorded(receipt) if receipt.positions.is_some());
    let grown = |way_grows: Way| if recorded && way == way_grows { 2 } else { 0 };
    let (after, beside) = (case.stream(store, &judged), case.stream(store, &beside));
    case.equal("the events of the stream", &after.len(), &(before.len() + grown(Way::Write)));
    case.equal("its earlier events", &after[..before.len()].to_vec(), &before);
    case.equal("the events of the stream beside it", &beside.len(), &grown(Way::CheckBesideAWrite));
    let last = case.last_position(store).map_or(0, |position| position.get() + 1);
    case.equal("the end of the log", &last, &(end + if recorded { 2 } else { 0 }));
}
