//! The tables of `write` and `remove`, row by row, and what reads make of it.

use std::sync::{Arc, Mutex};

use factum_core::{
    Append, ContentType, EventStore, EventStoreExt, EventType, Events, ExpectedRevision, ManualClock,
    MemoryStore, NewEvent, Position, Read, ReadError, Revision, Selection, StreamName, Timestamp, Uuid,
};
use factum_wire::Failure;
use serde_json::json;

use super::clients_view::{View, is_hidden, shown_revision};
use super::link;
use super::named::Named;
use super::remove::{self, Removal};
use super::standing::TOMBSTONE_REVISION;
use super::write::{Refusal, Write, Written, write};
use crate::passing::{Otherwise, Passing};

use ExpectedRevision::{Any, Exact, Exists, NoStream};

/// A store with the stream `s` and its metadata in some state.
struct Case {
    store: Arc<dyn EventStore>,
    clock: Arc<ManualClock>,
}

const STATES: [&str; 9] = [
    "never",
    "metadata only",
    "live",
    "live, metadata",
    "deleted",
    "deleted, metadata only",
    "begun again",
    "buried",
    "buried unborn",
];

fn name(text: &str) -> StreamName {
    StreamName::new(text.to_owned()).unwrap()
}

fn named(text: &str) -> Named {
    Named::new(name(text)).unwrap()
}

/// The event with this letter; its id follows from it.
fn event(letter: char) -> NewEvent {
    NewEvent::json("Happened", &json!({ "letter": letter })).unwrap().with_id(Uuid::from_u128(letter as u128))
}

fn events(letters: &str) -> Vec<NewEvent> {
    letters.chars().map(event).collect()
}

fn exact(revision: u64) -> ExpectedRevision {
    Exact(Revision::new(revision))
}

fn metadata(value: serde_json::Value) -> NewEvent {
    NewEvent::json("$metadata", &value).unwrap()
}

/// What happened to an append or a removal, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The last revision is now this.
    At(u64),
    /// There is still no event.
    Nothing,
    /// It stands here instead.
    Wrong(u64),
    /// It has no event instead.
    WrongNone,
    Deleted,
    Done,
}

use Outcome::{At, Deleted, Done, Nothing, Wrong, WrongNone};

fn refused(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::WrongExpected(Some(revision)) => Wrong(revision.get()),
        Refusal::WrongExpected(None) => WrongNone,
        Refusal::Failed(Failure::StreamDeleted { .. }) => Deleted,
        Refusal::Failed(failure) => panic!("{failure}"),
    }
}

impl Case {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_000)));
        Self { store: Arc::new(MemoryStore::with_clock(clock.clone())), clock }
    }

    async fn in_state(state: &str) -> Self {
        let case = Self::new();
        match state {
            "never" => {}
            "metadata only" => case.says(json!({ "$maxCount": 9 })).await,
            "live" => case.appended("ab").await,
            "live, metadata" => {
                case.says(json!({ "$maxCount": 9 })).await;
                case.appended("ab").await;
            }
            "deleted" => {
                case.appended("ab").await;
                assert_eq!(case.remove("s", Any, Removal::Delete).await, Done);
            }
            "deleted, metadata only" => {
                case.says(json!({ "$maxCount": 9 })).await;
                assert_eq!(case.remove("s", Any, Removal::Delete).await, Done);
            }
            "begun again" => {
                case.appended("ab").await;
                assert_eq!(case.remove("s", Any, Removal::Delete).await, Done);
                case.appended("c").await;
            }
            "buried" => {
                case.appended("ab").await;
                assert_eq!(case.remove("s", Any, Removal::Tombstone).await, Done);
            }
            "buried unborn" => assert_eq!(case.remove("s", Any, Removal::Tombstone).await, Done),
            other => panic!("{other}"),
        }
        case
    }

    async fn try_write(
        &self,
        to: &str,
        expected: ExpectedRevision,
        events: Vec<NewEvent>,
    ) -> Result<Written, Refusal> {
        write(Arc::clone(&self.store), Write { named: named(to), expected, events }).await
    }

    async fn write(&self, to: &str, expected: ExpectedRevision, events: Vec<NewEvent>) -> Outcome {
        match self.try_write(to, expected, events).await {
            Ok(Written { revision: Some(revision), .. }) => At(revision.get()),
            Ok(Written { revision: None, position }) => {
                assert_eq!(position, None);
                Nothing
            }
            Err(refusal) => refused(refusal),
        }
    }

    async fn appended(&self, letters: &str) {
        assert!(matches!(self.write("s", Any, events(letters)).await, At(_)));
    }

    async fn says(&self, value: serde_json::Value) {
        assert!(matches!(self.write("$$s", Any, vec![metadata(value)]).await, At(_)));
    }

    async fn remove(&self, from: &str, expected: ExpectedRevision, removal: Removal) -> Outcome {
        match remove::remove(Arc::clone(&self.store), named(from), expected, removal).await {
            Ok(position) => {
                assert!(position.is_some());
                Done
            }
            Err(refusal) => refused(refusal),
        }
    }

    fn view(&self, of: &str) -> View {
        View::of(&*self.store, &named(of), factum_core::Clock::now(&*self.clock)).unwrap()
    }

    fn length(&self) -> u64 {
        self.store.last_position().unwrap().map_or(0, |last| last.get() + 1)
    }
}

fn range(first: u64, last: u64) -> View {
    View::Range { first: Revision::new(first), last: Revision::new(last) }
}

#[tokio::test]
async fn appends_follow_the_table() {
    // By state: any, no stream, exists, exactly 0, exactly 1, exactly 2.
    let rows: [(&str, [Outcome; 6]); 9] = [
        ("never", [At(0), At(0), WrongNone, WrongNone, WrongNone, WrongNone]),
        ("metadata only", [At(0), At(0), At(0), WrongNone, WrongNone, WrongNone]),
        ("live", [At(2), Wrong(1), At(2), Wrong(1), At(2), Wrong(1)]),
        ("live, metadata", [At(2), Wrong(1), At(2), Wrong(1), At(2), Wrong(1)]),
        ("deleted", [At(2), At(2), Deleted, Wrong(1), At(2), Wrong(1)]),
        ("deleted, metadata only", [At(0), At(0), Deleted, WrongNone, WrongNone, WrongNone]),
        ("begun again", [At(3), Wrong(2), At(3), Wrong(2), Wrong(2), At(3)]),
        ("buried", [Deleted; 6]),
        ("buried unborn", [Deleted; 6]),
    ];
    assert_eq!(rows.map(|(state, _)| state), STATES);
    let expectations = [Any, NoStream, Exists, exact(0), exact(1), exact(2)];
    for (state, outcomes) in rows {
        for (expected, outcome) in expectations.into_iter().zip(outcomes) {
            let case = Case::in_state(state).await;
            let before = case.length();
            assert_eq!(case.write("s", expected, events("z")).await, outcome, "{state}, {expected}");
            let is_recorded = matches!(outcome, At(_));
            let begins_again = is_recorded && state.starts_with("deleted");
            assert_eq!(
                case.length() - before,
                u64::from(is_recorded) + u64::from(begins_again),
                "{state}, {expected}"
            );
        }
    }
}

#[tokio::test]
async fn appends_of_nothing_check_and_begin_again() {
    let rows: [(&str, [Outcome; 5]); 9] = [
        ("never", [Nothing, Nothing, WrongNone, WrongNone, WrongNone]),
        ("metadata only", [Nothing, Nothing, Nothing, WrongNone, WrongNone]),
        ("live", [At(1), Wrong(1), At(1), Wrong(1), At(1)]),
        ("live, metadata", [At(1), Wrong(1), At(1), Wrong(1), At(1)]),
        ("deleted", [At(1), At(1), Deleted, Wrong(1), At(1)]),
        ("deleted, metadata only", [Nothing, Nothing, Deleted, WrongNone, WrongNone]),
        ("begun again", [At(2), Wrong(2), At(2), Wrong(2), Wrong(2)]),
        ("buried", [Deleted; 5]),
        ("buried unborn", [Deleted; 5]),
    ];
    let expectations = [Any, NoStream, Exists, exact(0), exact(1)];
    for (state, outcomes) in rows {
        for (expected, outcome) in expectations.into_iter().zip(outcomes) {
            let case = Case::in_state(state).await;
            assert_eq!(case.write("s", expected, Vec::new()).await, outcome, "{state}, {expected}");
            assert_eq!(
                case.store.last_revision(&name("s")).unwrap().is_some(),
                !state.contains("only") && state != "never"
            );
        }
    }
    let case = Case::in_state("deleted").await;
    assert_eq!(case.view("s"), View::NotFound { next: Revision::new(2) });
    assert_eq!(case.write("s", Any, Vec::new()).await, At(1));
    assert_eq!(case.view("s"), range(2, 1), "it is there, and nothing of it can be read");
}

#[tokio::test]
async fn removals_follow_the_table() {
    // By state, for a delete and for a tombstone: any, no stream, exists, exactly 1.
    let rows: [(&str, [Outcome; 4], [Outcome; 4]); 9] = [
        ("never", [WrongNone; 4], [Done, Done, WrongNone, WrongNone]),
        ("metadata only", [Done, Done, Done, WrongNone], [Done, Done, Done, WrongNone]),
        ("live", [Done, Wrong(1), Done, Done], [Done, Wrong(1), Done, Done]),
        ("live, metadata", [Done, Wrong(1), Done, Done], [Done, Wrong(1), Done, Done]),
        ("deleted", [Done, Done, Deleted, Done], [Done, Done, Deleted, Done]),
        ("deleted, metadata only", [Done, Done, Deleted, WrongNone], [Done, Done, Deleted, WrongNone]),
        ("begun again", [Done, Wrong(2), Done, Wrong(2)], [Done, Wrong(2), Done, Wrong(2)]),
        ("buried", [Deleted; 4], [Deleted; 4]),
        ("buried unborn", [Deleted; 4], [Deleted; 4]),
    ];
    assert_eq!(rows.map(|(state, ..)| state), STATES);
    for (state, deletes, tombstones) in rows {
        for (removal, outcomes) in [(Removal::Delete, deletes), (Removal::Tombstone, tombstones)] {
            for (expected, outcome) in [Any, NoStream, Exists, exact(1)].into_iter().zip(outcomes) {
                let case = Case::in_state(state).await;
                let found = case.remove("s", expected, removal).await;
                assert_eq!(found, outcome, "{state}, {removal:?}, {expected}");
                let gone = match removal {
                    Removal::Delete => matches!(case.view("s"), View::NotFound { .. }),
                    Removal::Tombstone => case.view("s") == View::Buried,
                };
                assert!(outcome != Done || gone, "{state}, {removal:?}, {expected}");
            }
        }
    }
}

#[tokio::test]
async fn the_same_ids_again_are_answered_with_the_first_receipt() {
    for with_metadata in [false, true] {
        let case = Case::new();
        if with_metadata {
            case.says(json!({ "mine": 1 })).await;
        }
        let first = case.try_write("s", NoStream, events("abc")).await.unwrap();
        case.appended("de").await;
        let length = case.length();
        let rows = [
            (NoStream, "abc", At(2)),
            (NoStream, "ab", At(1)),
            (NoStream, "abcde", At(4)),
            (NoStream, "abcdez", Wrong(4)),
            (NoStream, "abz", Wrong(4)),
            (NoStream, "b", Wrong(4)),
            (exact(0), "bc", At(2)),
            (exact(2), "de", At(4)),
            (exact(2), "dz", Wrong(4)),
            (exact(9), "de", Wrong(4)),
            (Any, "abc", At(2)),
            (Any, "d", At(3)),
            (Exists, "de", At(4)),
            (Any, "dez", Wrong(4)),
            (Exists, "abz", Wrong(4)),
            // They need not stand side by side.
            (Any, "ac", At(2)),
            (Exists, "eb", At(1)),
            (Any, "acz", Wrong(4)),
            (exact(0), "bd", Wrong(4)),
        ];
        for (expected, letters, outcome) in rows {
            let found = case.write("s", expected, events(letters)).await;
            assert_eq!(found, outcome, "{expected}, {letters}, metadata {with_metadata}");
        }
        assert_eq!(case.try_write("s", NoStream, events("abc")).await.unwrap(), first);
        assert_eq!(case.length(), length, "nothing was recorded twice");
        // Other data under the same ids is the same append to the protocol.
        let other: Vec<_> =
            events("abc").into_iter().map(|event| NewEvent { data: "{}".into(), ..event }).collect();
        for expected in [NoStream, Any, Exists] {
            assert_eq!(case.try_write("s", expected, other.clone()).await.unwrap(), first, "{expected}");
        }
        let mixed: Vec<_> = other.into_iter().chain(events("z")).collect();
        assert_eq!(case.write("s", Any, mixed).await, Wrong(4));
        assert_eq!(case.length(), length);
        // Where the first id is new, so is the append.
        assert_eq!(case.write("s", Any, events("ya")).await, At(6));
        assert_eq!(case.length(), length + 2);
    }
}

#[tokio::test]
async fn the_same_event_several_times_in_one_append_is_recorded_as_often() {
    // As KurrentDB answers the same append again, by expectation and metadata.
    for (expected, again) in [(Any, At(0)), (NoStream, At(5))] {
        for with_metadata in [false, true] {
            let case = Case::in_state(if with_metadata { "metadata only" } else { "never" }).await;
            let before = case.length();
            assert_eq!(case.write("s", expected, events("xxxxxx")).await, At(5));
            assert_eq!(case.write("s", expected, events("xxxxxx")).await, again, "{expected}");
            assert_eq!(case.length(), before + 6);
            // The first has the id that was sent: sent alone, it is the same.
            assert_eq!(case.write("s", expected, events("x")).await, At(0));
            // The last one's first place counts.
            assert_eq!(case.write("s", exact(5), events("abcb")).await, At(9));
            assert_eq!(case.write("s", Exists, events("abcb")).await, At(7));
            assert_eq!(case.write("s", exact(5), events("abcb")).await, At(9));
            assert_eq!(case.length(), before + 10);
        }
    }
}

#[tokio::test]
async fn repetitions_survive_a_delete_and_end_with_a_tombstone() {
    let case = Case::in_state("deleted").await;
    let length = case.length();
    for expected in [Any, NoStream] {
        assert_eq!(case.write("s", expected, events("ab")).await, At(1), "{expected}");
    }
    assert_eq!(case.write("s", Exists, events("ab")).await, Deleted);
    let other = |letters: &str| -> Vec<NewEvent> {
        events(letters).into_iter().map(|event| NewEvent { data: "{}".into(), ..event }).collect()
    };
    let rows = [
        (Any, events("az"), Wrong(1)),
        (NoStream, events("az"), Wrong(1)),
        (Any, events("ba"), At(0)),
        (Any, other("ab"), At(1)),
        (NoStream, other("ab"), At(1)),
        (Exists, other("ab"), Deleted),
        (exact(0), other("b"), At(1)),
        (exact(0), events("b"), At(1)),
        (Any, other("az"), Wrong(1)),
    ];
    for (expected, events, outcome) in rows {
        assert_eq!(case.write("s", expected, events.clone()).await, outcome, "{expected}, {events:?}");
    }
    assert_eq!(case.length(), length);
    assert_eq!(case.view("s"), View::NotFound { next: Revision::new(2) });
    // Where the first id is new, so is the append, and it begins the stream again.
    assert_eq!(case.write("s", Any, events("zb")).await, At(3));
    let case = Case::in_state("buried").await;
    for expected in [Any, NoStream, Exists, exact(0)] {
        assert_eq!(case.write("s", expected, events("ab")).await, Deleted, "{expected}");
    }
}

#[tokio::test]
async fn a_stream_begun_again_goes_on_where_it_was() {
    let case = Case::new();
    case.says(json!({ "mine": "kept?", "$maxCount": 5 })).await;
    case.appended("ab").await;
    assert_eq!(case.remove("s", exact(1), Removal::Delete).await, Done);
    assert_eq!(case.view("s"), View::NotFound { next: Revision::new(2) });
    let says = |case: &Case| case.store.last_event(&name("$$s")).unwrap().unwrap().data;
    assert_eq!(&says(&case)[..], br#"{"$tb":9223372036854775807}"#, "a delete keeps nothing else");
    let written = case.try_write("s", NoStream, events("cd")).await.unwrap();
    assert_eq!(written, Written { revision: Some(Revision::new(3)), position: Some(Position::new(5)) });
    assert_eq!((case.view("s"), &says(&case)[..]), (range(2, 3), &br#"{"$tb":2}"#[..]));
    // And by metadata.
    assert_eq!(case.remove("s", Any, Removal::Delete).await, Done);
    let before = case.store.last_revision(&name("$$s")).unwrap().unwrap().get();
    assert_eq!(case.write("$$s", exact(before), vec![metadata(json!({ "mine": 2 }))]).await, At(before + 1));
    assert_eq!(case.view("s"), range(4, 3));
    let both: serde_json::Value = serde_json::from_slice(&says(&case)).unwrap();
    assert_eq!(both, json!({ "mine": 2, "$tb": 4 }));
}

#[tokio::test]
async fn metadata_is_a_stream_of_which_the_last_counts() {
    let case = Case::new();
    let one = || vec![metadata(json!({ "$maxCount": 1 })).with_id(Uuid::from_u128(1))];
    assert_eq!(case.write("$$s", Exists, one()).await, WrongNone);
    assert_eq!(case.write("$$s", exact(0), one()).await, WrongNone);
    assert_eq!(case.write("$$s", NoStream, one()).await, At(0));
    assert_eq!(case.write("$$s", NoStream, one()).await, At(0), "the same again");
    assert_eq!(case.write("$$s", Any, one()).await, At(0), "the same again");
    assert_eq!(case.write("$$s", NoStream, vec![metadata(json!({}))]).await, Wrong(0));
    assert_eq!(case.write("$$s", exact(0), vec![metadata(json!({}))]).await, At(1));
    assert_eq!(case.write("$$s", Any, vec![metadata(json!({}))]).await, At(2));
    assert_eq!(case.write("$$s", Exists, Vec::new()).await, At(2));
    assert_eq!((case.view("$$s"), case.view("$$t")), (range(2, 2), View::NotFound { next: Revision::FIRST }));
    for removal in [Removal::Delete, Removal::Tombstone] {
        let removed = remove::remove(Arc::clone(&case.store), named("$$s"), Any, removal).await;
        assert!(matches!(removed, Err(Refusal::Failed(Failure::Invalid(_)))), "{removed:?}");
    }
    assert_eq!(case.remove("s", Any, Removal::Tombstone).await, Done);
    assert_eq!((case.view("$$s"), case.view("s")), (View::Buried, View::Buried));
    assert_eq!(case.write("$$s", Any, vec![metadata(json!({}))]).await, Deleted);
}

#[tokio::test]
async fn metadata_again_is_answered_with_the_first_receipt() {
    let says = |id: u128, value| metadata(value).with_id(Uuid::from_u128(id));
    for expected in [Any, Exists] {
        let case = Case::new();
        case.says(json!({})).await;
        let (one, two) = (says(1, json!({ "$maxCount": 1 })), says(2, json!({ "$maxCount": 2 })));
        assert_eq!(case.write("$$s", expected, vec![one.clone()]).await, At(1));
        assert_eq!(case.write("$$s", expected, vec![two.clone(), says(3, json!({}))]).await, At(3));
        assert_eq!(case.write("$$s", expected, vec![one.clone()]).await, At(1));
        assert_eq!(case.write("$$s", expected, vec![one.clone(), two.clone()]).await, At(2));
        assert_eq!(case.write("$$s", expected, vec![one, says(4, json!({}))]).await, Wrong(3));
        assert_eq!(case.length(), 4, "{expected}");
        assert_eq!(case.write("$$s", expected, vec![says(4, json!({})), two]).await, At(5));
    }
    // What begins a deleted stream again stays its last word.
    let case = Case::in_state("deleted").await;
    let mine = || vec![says(1, json!({ "mine": 1 }))];
    assert_eq!(case.write("$$s", Any, mine()).await, At(1));
    assert_eq!((case.view("s"), case.length()), (range(2, 1), 5));
    assert_eq!(case.write("$$s", Any, mine()).await, At(1));
    assert_eq!((case.view("s"), case.length()), (range(2, 1), 5), "deleted events stay deleted");
}

#[tokio::test]
async fn reads_see_what_metadata_leaves() {
    let case = Case::new();
    case.appended("abcde").await;
    let rows = [
        (json!({}), range(0, 4)),
        (json!({ "$maxCount": 2 }), range(3, 4)),
        (json!({ "$maxCount": 9 }), range(0, 4)),
        (json!({ "$tb": 2 }), range(2, 4)),
        (json!({ "$tb": 5 }), range(5, 4)),
        (json!({ "$tb": 99 }), range(5, 4)),
        (json!({ "$tb": 2, "$maxCount": 1 }), range(4, 4)),
        (json!({ "$tb": 4, "$maxCount": 3 }), range(4, 4)),
        (json!({ "$tb": i64::MAX }), View::NotFound { next: Revision::new(5) }),
    ];
    for (says, expected) in rows {
        case.says(says.clone()).await;
        assert_eq!(case.view("s"), expected, "{says}");
    }
    // What is no JSON says nothing.
    let bytes = NewEvent { content_type: ContentType::Binary, ..metadata(json!({ "$tb": 2 })) };
    let case = Case::new();
    case.appended("abcde").await;
    assert_eq!(case.write("$$s", Any, vec![bytes]).await, At(0));
    assert_eq!(case.view("s"), range(0, 4));
}

/// A store in which something happens right before a stream is read.
struct Between {
    store: Arc<dyn EventStore>,
    stream: StreamName,
    happens: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Otherwise for Between {
    fn store(&self) -> &dyn EventStore {
        &*self.store
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        if read.selection == Selection::Stream(self.stream.clone())
            && let Some(happens) = self.happens.lock().unwrap().take()
        {
            happens();
        }
        self.store.read(read)
    }
}

#[tokio::test]
async fn a_view_is_never_of_two_times() {
    let case = Case::in_state("live").await;
    let store = Arc::clone(&case.store);
    let begun_again = move || {
        let says = |value| Append::to(name("$$s"), Any, [metadata(value)]);
        store.append(says(json!({ "$tb": i64::MAX }))).unwrap();
        let again =
            Append::to(name("s"), Any, events("c")).and_to(name("$$s"), Any, [metadata(json!({ "$tb": 2 }))]);
        store.append(again).unwrap();
    };
    let happens = Mutex::new(Some(Box::new(begun_again) as Box<dyn FnOnce() + Send>));
    let between = Passing(Between { store: Arc::clone(&case.store), stream: name("s"), happens });
    let view = View::of(&between, &named("s"), factum_core::Clock::now(&*case.clock)).unwrap();
    assert_eq!(view, range(2, 2), "the deleted events stay deleted");
}

#[tokio::test]
async fn old_events_are_no_longer_read() {
    let case = Case::new();
    case.says(json!({ "$maxAge": 10 })).await;
    for letter in ["a", "b", "c"] {
        case.appended(letter).await;
        case.clock.advance(4_000_000);
    }
    // Recorded 12, 8 and 4 seconds ago.
    assert_eq!(case.view("s"), range(1, 2));
    case.clock.advance(2_000_000);
    assert_eq!(case.view("s"), range(1, 2), "ten seconds are not more than ten");
    case.clock.advance(1);
    assert_eq!(case.view("s"), range(2, 2));
    case.clock.advance(60_000_000);
    assert_eq!(case.view("s"), range(3, 2));
}

#[tokio::test]
async fn a_tombstone_is_seen_once_and_is_not_to_be_forged() {
    let case = Case::in_state("buried").await;
    let log: Vec<_> = case.store.read(Read::all()).unwrap().map(Result::unwrap).collect();
    let seen: Vec<_> = log.iter().filter(|event| !is_hidden(event)).collect();
    assert_eq!(seen.len() + 1, log.len());
    let last = seen.last().unwrap();
    assert_eq!((last.stream.as_str(), last.event_type.as_str()), ("s", "$streamDeleted"));
    assert_eq!(shown_revision(last), TOMBSTONE_REVISION);
    let case = Case::new();
    let forged = |to: &'static str| {
        let event = NewEvent::new(EventType::new("$streamDeleted").unwrap(), "{}");
        case.write(to, Any, vec![event])
    };
    assert_eq!(forged("s").await, At(0));
    assert_eq!(forged("$$s").await, At(0));
    assert_eq!(case.view("s"), range(0, 0));
    assert_eq!(case.write("s", Any, events("a")).await, At(1));
}

#[tokio::test]
async fn links_lead_to_what_can_be_read() {
    let case = Case::new();
    case.appended("abc").await;
    let links = ["0@s", "2@s", "3@s", "1@gone", "0@$$s", "nonsense"];
    let links = links.map(|to| NewEvent::new(EventType::new("$>").unwrap(), to));
    case.store.append(Append::to(name("links"), Any, links)).unwrap();
    let resolved = |case: &Case| -> Vec<Option<u64>> {
        let links = case.store.read(Read::stream(name("links"))).unwrap().map(Result::unwrap);
        let now = factum_core::Clock::now(&*case.clock);
        let found = links.map(|event| {
            assert!(link::is_link(&event));
            link::resolve(&*case.store, &event, now).unwrap()
        });
        found.map(|event| event.map(|event| event.position.get())).collect()
    };
    assert_eq!(resolved(&case), [Some(0), Some(2), None, None, None, None]);
    case.says(json!({ "$tb": 1 })).await;
    assert_eq!(resolved(&case), [None, Some(2), None, None, Some(9), None]);
    assert_eq!(case.remove("s", Any, Removal::Delete).await, Done);
    assert_eq!(resolved(&case)[1], None);
    assert_eq!(case.remove("s", Any, Removal::Tombstone).await, Done);
    assert_eq!(resolved(&case), [None; 6]);
}

/// Appends and a tombstone at the same time: nothing comes after it.
#[test]
fn nothing_is_appended_behind_a_tombstone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        for round in 0..50 {
            let case = Case::new();
            if round % 2 == 0 {
                case.says(json!({ "$maxCount": 3 })).await;
            }
            let writers = (0..4).map(|_| {
                let store = Arc::clone(&case.store);
                tokio::spawn(async move {
                    loop {
                        let event = NewEvent::json("Happened", &json!({})).unwrap();
                        let write = write(
                            Arc::clone(&store),
                            Write { named: named("s"), expected: Any, events: vec![event] },
                        );
                        match write.await {
                            Ok(_) => {}
                            Err(refusal) => return assert_eq!(refused(refusal), Deleted),
                        }
                    }
                })
            });
            let writers: Vec<_> = writers.collect();
            tokio::task::yield_now().await;
            assert_eq!(case.remove("s", Any, Removal::Tombstone).await, Done);
            for writer in writers {
                writer.await.unwrap();
            }
            let last = case.store.last_event(&name("s")).unwrap().unwrap();
            assert_eq!(shown_revision(&last), TOMBSTONE_REVISION);
        }
    });
}
