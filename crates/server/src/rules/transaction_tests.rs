//! The table of `transaction`, row by row, and what counts as a repetition.

use std::sync::Arc;

use factum_core::{
    EventStore, EventStoreExt, ExpectedRevision, MemoryStore, NewEvent, Position, Read, RecordedEvent,
    Revision, StreamName, Uuid,
};
use factum_wire::session::{Actual, Expected};
use serde_json::json;

use super::clients_view::View;
use super::named::Named;
use super::remove::{self, Removal};
use super::transaction::{Part, Recorded, Refusal, record};
use super::write::{Write, write};

use Actual::{At, Deleted, NoStream, Tombstoned};

/// What an append came to, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// Every written stream's last revision.
    Recorded(Vec<u64>),
    /// Which parts found what instead.
    Wrong(Vec<(usize, Actual)>),
}

use Outcome::{Recorded as Done, Wrong};

struct Case(Arc<dyn EventStore>);

fn named(name: &str) -> Named {
    Named::new(StreamName::new(name.to_owned()).unwrap()).unwrap()
}

/// The event with this letter; its id follows from it.
fn event(letter: char) -> NewEvent {
    NewEvent::json("Happened", &json!({ "letter": letter })).unwrap().with_id(Uuid::from_u128(letter as u128))
}

fn part(name: &str, expected: Expected, letters: &str) -> Part {
    Part { named: named(name), expected, events: letters.chars().map(event).collect() }
}

fn exact(revision: u64) -> Expected {
    Expected::Exact(Revision::new(revision))
}

fn at(revision: u64) -> Actual {
    At(Revision::new(revision))
}

impl Case {
    fn new() -> Self {
        Self(Arc::new(MemoryStore::new()))
    }

    /// A store with the stream `s` in some state; of `ab` the ids are letters.
    async fn in_state(state: &str) -> Self {
        let case = Self::new();
        match state {
            "not found" => {}
            "metadata only" => case.says(json!({ "$maxCount": 9 })).await,
            "live" => case.wrote("s", "ab").await,
            "live, metadata" => {
                case.wrote("s", "ab").await;
                case.says(json!({ "$maxCount": 9 })).await;
            }
            "deleted" => {
                case.wrote("s", "ab").await;
                case.remove(Removal::Delete).await;
            }
            "tombstoned" => {
                case.wrote("s", "ab").await;
                case.remove(Removal::Tombstone).await;
            }
            other => panic!("{other}"),
        }
        case
    }

    async fn wrote(&self, stream: &str, letters: &str) {
        let events = letters.chars().map(event).collect();
        let one = Write { named: named(stream), expected: ExpectedRevision::Any, events };
        write(Arc::clone(&self.0), one).await.unwrap();
    }

    async fn says(&self, metadata: serde_json::Value) {
        let events = vec![NewEvent::json("$metadata", &metadata).unwrap()];
        let one = Write { named: named("$$s"), expected: ExpectedRevision::Any, events };
        write(Arc::clone(&self.0), one).await.unwrap();
    }

    async fn remove(&self, removal: Removal) {
        remove::remove(Arc::clone(&self.0), named("s"), ExpectedRevision::Any, removal).await.unwrap();
    }

    async fn record(&self, parts: Vec<Part>) -> Result<Recorded, Refusal> {
        record(Arc::clone(&self.0), parts).await
    }

    async fn outcome(&self, parts: Vec<Part>) -> Outcome {
        match self.record(parts).await {
            Ok(recorded) => Done(recorded.revisions.iter().map(|(_, revision)| revision.get()).collect()),
            Err(Refusal::Wrong(found)) => Wrong(found),
            Err(Refusal::Failed(failure)) => panic!("{failure}"),
        }
    }

    fn events(&self) -> Vec<RecordedEvent> {
        self.0.read(Read::all()).unwrap().map(Result::unwrap).collect()
    }

    /// The last revision of a stream, if clients can read it.
    fn readable(&self, name: &str) -> Option<(u64, u64)> {
        match View::of(&*self.0, &named(name), factum_core::Timestamp::from_seconds(0)).unwrap() {
            View::Range { first, last } => Some((first.get(), last.get())),
            _ => None,
        }
    }
}

/// Expected, then: not found, metadata only, live at 1, deleted at 1, tombstoned.
/// The first letter is for a stream that is written, the second for one that is
/// only checked.
const MATRIX: [(&str, Expected, [&str; 5]); 8] = [
    ("any", Expected::Any, ["yy", "yy", "yy", "yy", "ny"]),
    ("no stream", Expected::NoStream, ["yy", "yy", "nn", "yy", "ny"]),
    ("exists", Expected::Exists, ["nn", "yy", "yy", "nn", "nn"]),
    ("exactly 0", Expected::Exact(Revision::FIRST), ["nn", "nn", "nn", "nn", "nn"]),
    ("exactly 1", Expected::Exact(Revision::new(1)), ["nn", "nn", "yy", "yy", "nn"]),
    ("exactly 2", Expected::Exact(Revision::new(2)), ["nn", "nn", "nn", "nn", "nn"]),
    ("deleted", Expected::Deleted, ["nn", "nn", "nn", "yy", "nn"]),
    ("tombstoned", Expected::Tombstoned, ["nn", "nn", "nn", "nn", "ny"]),
];

const STATES: [(&str, Actual, u64); 5] = [
    ("not found", NoStream, 0),
    ("metadata only", NoStream, 0),
    ("live", At(Revision::new(1)), 2),
    ("deleted", Deleted, 2),
    ("tombstoned", Tombstoned, 0),
];

#[tokio::test]
async fn every_expectation_against_every_state() {
    for (expectation, expected, answers) in MATRIX {
        for ((state, actual, next), answer) in STATES.into_iter().zip(answers) {
            let row = format!("{expectation} against {state}");
            // Written, beside another stream that stands well.
            let case = Case::in_state(state).await;
            let before = case.events().len();
            let outcome = case.outcome(vec![part("o", Expected::Any, "x"), part("s", expected, "yz")]).await;
            if answer.starts_with('y') {
                assert_eq!(outcome, Done(vec![0, next + 1]), "{row}, written");
                assert_eq!(
                    case.readable("s"),
                    Some((if state == "deleted" { 2 } else { 0 }, next + 1)),
                    "{row}"
                );
            } else {
                assert_eq!(outcome, Wrong(vec![(1, actual)]), "{row}, written");
                assert_eq!(case.events().len(), before, "{row}: nothing is recorded anywhere");
            }
            // Only checked.
            let case = Case::in_state(state).await;
            let before = case.events().len();
            let outcome = case.outcome(vec![part("o", Expected::Any, "x"), part("s", expected, "")]).await;
            if answer.ends_with('y') {
                assert_eq!(outcome, Done(vec![0]), "{row}, checked");
                assert_eq!(case.events().len(), before + 1, "{row}: a check changes nothing");
            } else {
                assert_eq!(outcome, Wrong(vec![(1, actual)]), "{row}, checked");
                assert_eq!(case.events().len(), before, "{row}: nothing is recorded anywhere");
            }
        }
    }
}

#[tokio::test]
async fn all_that_do_not_hold_are_told() {
    let case = Case::in_state("deleted").await;
    let parts = vec![
        part("a", exact(7), "x"),
        part("b", Expected::Any, "y"),
        part("s", Expected::Exists, ""),
        part("c", Expected::NoStream, ""),
    ];
    assert_eq!(case.outcome(parts).await, Wrong(vec![(0, NoStream), (2, Deleted)]));
}

#[tokio::test]
async fn the_receipt_names_the_last_event_and_every_stream() {
    let case = Case::in_state("deleted").await;
    let before = case.events().len() as u64;
    let parts = vec![part("s", exact(1), "cd"), part("t", Expected::NoStream, "e")];
    let recorded = case.record(parts).await.unwrap();
    let revisions = vec![(0, Revision::new(3)), (1, Revision::new(0))];
    assert_eq!(recorded, Recorded { revisions, position: Position::new(before + 2) });
    let last = case.0.event_at(recorded.position).unwrap().unwrap();
    assert_eq!(last.stream.as_str(), "t");
    assert_eq!(case.readable("s"), Some((2, 3)));
}

#[tokio::test]
async fn metadata_is_written_beside_its_stream() {
    let metadata = |value: serde_json::Value| Part {
        named: named("$$s"),
        expected: Expected::Any,
        events: vec![NewEvent::json("$metadata", &value).unwrap()],
    };
    for (state, readable) in
        [("not found", (0, 0)), ("live", (0, 2)), ("live, metadata", (0, 2)), ("deleted", (2, 2))]
    {
        let case = Case::in_state(state).await;
        let parts = vec![metadata(json!({ "mine": 1 })), part("s", Expected::Any, "c")];
        let recorded = case.record(parts).await.unwrap();
        let at = case.0.event_at(recorded.position).unwrap().unwrap();
        assert_eq!(at.stream.as_str(), "s", "{state}");
        assert_eq!(at.id, Uuid::from_u128('c' as u128));
        let written = case.events().into_iter().find(|event| event.data.starts_with(b"{\"mine\"")).unwrap();
        assert_eq!(recorded.revisions[0], (0, written.revision), "{state}");
        assert_eq!(case.readable("s"), Some(readable), "{state}");
    }
    // Alone, it begins a deleted stream again, and is the last that was asked for.
    let case = Case::in_state("deleted").await;
    let recorded = case.record(vec![metadata(json!({ "mine": 1 }))]).await.unwrap();
    assert_eq!(case.0.event_at(recorded.position).unwrap().unwrap().revision, recorded.revisions[0].1);
    case.wrote("s", "c").await;
    assert_eq!(case.readable("s"), Some((2, 2)));
    // Metadata can be expected like any stream, and ends with its tombstone.
    let case = Case::in_state("live, metadata").await;
    let checks = |number| vec![part("o", Expected::Any, "x"), part("$$s", exact(number), "")];
    assert_eq!(case.outcome(checks(1)).await, Wrong(vec![(1, at(0))]));
    assert_eq!(case.outcome(checks(0)).await, Done(vec![0]));
    let case = Case::in_state("tombstoned").await;
    assert_eq!(case.outcome(vec![metadata(json!({}))]).await, Wrong(vec![(0, Tombstoned)]));
}

#[tokio::test]
async fn the_same_again_is_recorded_once() {
    for expected in [Expected::Any, Expected::NoStream] {
        let case = Case::new();
        let parts =
            || vec![part("a", expected, "ab"), part("b", expected, "c"), part("k", Expected::NoStream, "")];
        let first = case.record(parts()).await.unwrap();
        assert_eq!(case.record(parts()).await.unwrap(), first);
        // What is only checked does not matter any more, nor do other data.
        case.wrote("k", "z").await;
        let mut other = parts();
        other[0].events[0].data = "{}".into();
        assert_eq!(case.record(other).await.unwrap(), first);
        assert_eq!(case.events().len(), 4);
    }
    // Also where it began a deleted stream again.
    for expected in [Expected::Any, exact(1), Expected::Deleted] {
        let case = Case::in_state("deleted").await;
        let parts = || vec![part("s", expected, "cd"), part("t", Expected::Any, "e")];
        let first = case.record(parts()).await.unwrap();
        let count = case.events().len();
        assert_eq!(case.record(parts()).await.unwrap(), first, "{expected:?}");
        assert_eq!(case.events().len(), count);
    }
}

#[tokio::test]
async fn what_is_partly_known_is_refused() {
    let case = Case::new();
    case.wrote("a", "ab").await;
    // One stream has its events, the other not.
    let mixed = vec![part("a", Expected::Any, "ab"), part("b", Expected::Any, "c")];
    assert_eq!(case.outcome(mixed).await, Wrong(vec![(0, at(1))]));
    let mixed = vec![part("b", Expected::Any, "c"), part("a", Expected::NoStream, "ab")];
    assert_eq!(case.outcome(mixed).await, Wrong(vec![(1, at(1))]));
    // A stream has the first of them.
    let partly = vec![part("a", Expected::Any, "bc"), part("b", Expected::Any, "d")];
    assert_eq!(case.outcome(partly).await, Wrong(vec![(0, at(1))]));
    assert_eq!(case.events().len(), 2);
    // Not the first, but a later one: they are new, as in a single append.
    let new = vec![part("a", Expected::Any, "ea"), part("b", Expected::Any, "f")];
    assert_eq!(case.outcome(new).await, Done(vec![3, 0]));
}

#[tokio::test]
async fn a_repetition_is_none_once_the_stream_has_ended() {
    let case = Case::new();
    let parts = |expected| vec![part("s", expected, "ab"), part("t", Expected::Any, "c")];
    case.record(parts(Expected::NoStream)).await.unwrap();
    case.remove(Removal::Delete).await;
    assert_eq!(case.outcome(parts(Expected::Any)).await, Done(vec![1, 0]));
    assert_eq!(case.outcome(parts(Expected::Exists)).await, Wrong(vec![(0, Deleted)]));
    case.remove(Removal::Tombstone).await;
    assert_eq!(case.outcome(parts(Expected::Any)).await, Wrong(vec![(0, Tombstoned)]));
}

/// Many at once over the same two streams: each is recorded whole, or refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_whole_or_absent() {
    let case = Arc::new(Case::in_state("deleted").await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64_u32 {
        let case = Arc::clone(&case);
        tasks.spawn(async move {
            let event = |m: u32| NewEvent::json("Happened", &json!({ "by": n, "m": m })).unwrap();
            let expected = if n % 2 == 0 { Expected::Any } else { Expected::NoStream };
            let parts = vec![
                Part { named: named("s"), expected, events: vec![event(0)] },
                Part { named: named("t"), expected: Expected::Any, events: vec![event(1)] },
            ];
            match case.record(parts).await {
                Ok(_) => Some(n),
                Err(Refusal::Wrong(_)) => None,
                Err(Refusal::Failed(failure)) => panic!("{failure}"),
            }
        });
    }
    let mut winners: Vec<u32> = tasks.join_all().await.into_iter().flatten().collect();
    let by = |name: &str| -> Vec<u32> {
        let events = case.events().into_iter().filter(|event| event.stream.as_str() == name);
        let said = events.filter_map(|event| serde_json::from_slice::<serde_json::Value>(&event.data).ok());
        said.filter_map(|said| said["by"].as_u64().map(|by| by as u32)).collect()
    };
    let (mut in_s, mut in_t) = (by("s"), by("t"));
    assert_eq!(in_s, in_t, "in the same order in both");
    for list in [&mut winners, &mut in_s, &mut in_t] {
        list.sort_unstable();
    }
    assert_eq!(winners, in_s);
    assert!(winners.len() >= 32, "who expects nothing is never refused: {winners:?}");
    assert!(winners.iter().filter(|n| *n % 2 == 1).count() <= 1, "a deleted stream begins again once");
}

#[tokio::test]
async fn ids_may_be_used_once_in_each_stream() {
    let case = Case::new();
    let both = |expected| vec![part("a", expected, "xy"), part("b", expected, "xy")];
    assert_eq!(case.outcome(both(Expected::NoStream)).await, Done(vec![1, 1]));
    assert_eq!(case.outcome(both(Expected::Any)).await, Done(vec![1, 1]), "the same again");
    assert_eq!(case.events().len(), 4);
    // Of one that is new, the other is no repetition.
    let mixed = vec![part("b", Expected::Any, "xy"), part("c", Expected::Any, "xy")];
    assert_eq!(case.outcome(mixed).await, Wrong(vec![(0, at(1))]));
    // Twice in one of them, it is recorded twice, and known by that again.
    let twice = || vec![part("a", Expected::Any, "aba")];
    assert_eq!(case.outcome(twice()).await, Done(vec![4]));
    assert_eq!(case.outcome(twice()).await, Done(vec![4]));
    assert_eq!(case.events().len(), 7);
}
