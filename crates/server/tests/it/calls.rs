//! Single calls, message by message, where the clients hide what travels.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use factum_core::{Append, AppendError, EventStore, ExpectedRevision, NewEvent, StreamName, Uuid};
use factum_wire::proto::client::{self, Empty, StreamIdentifier};
use factum_wire::proto::google::rpc::Status as InnerStatus;
use factum_wire::proto::server_features::server_features_client::ServerFeaturesClient;
use factum_wire::proto::sessions::AppendRecordsRequest;
use factum_wire::proto::streams::append_req::options::ExpectedStreamRevision;
use factum_wire::proto::streams::append_resp::Result as Appended;
use factum_wire::proto::streams::batch_append_req::options::{DeadlineOption, ExpectedStreamPosition};
use factum_wire::proto::streams::batch_append_resp::Result as BatchAppended;
use factum_wire::proto::streams::read_req::options::all_options::AllOption;
use factum_wire::proto::streams::read_req::options::filter_options::{Expression, Filter, Window};
use factum_wire::proto::streams::read_req::options::stream_options::RevisionOption;
use factum_wire::proto::streams::read_req::options::uuid_option::Content as IdOption;
use factum_wire::proto::streams::read_req::options::{
    AllOptions, ControlOption, CountOption, FilterOption, FilterOptions, Position, StreamOption,
    StreamOptions, SubscriptionOptions, UuidOption,
};
use factum_wire::proto::streams::read_resp::Content;
use factum_wire::proto::streams::streams_client::StreamsClient;
use factum_wire::proto::streams::{
    AppendReq, BatchAppendReq, Label, ReadReq, append_req, batch_append_req, read_req, tombstone_req,
};
use factum_wire::{IdForm, stream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::host::Host;
use crate::sessions;

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The generated client, connected.
pub struct Client(StreamsClient<Channel>);

impl Client {
    pub async fn connect(host: &Host) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{}", host.address)).unwrap();
        let client = StreamsClient::new(endpoint.connect().await.unwrap());
        Self(client.max_decoding_message_size(32 << 20).max_encoding_message_size(64 << 20))
    }
}

impl Deref for Client {
    type Target = StreamsClient<Channel>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

pub fn identifier(name: &str) -> Option<StreamIdentifier> {
    Some(stream::encode(&StreamName::new(name.to_owned()).unwrap()))
}

pub fn event(kind: &str) -> NewEvent {
    NewEvent::json(kind, &serde_json::json!({})).unwrap()
}

pub fn events(kind: &str, count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event(kind)).collect()
}

fn labels(event: &NewEvent) -> Vec<Label> {
    factum_wire::event::labels(&[("type", event.event_type.as_str()), ("content-type", "application/json")])
}

pub fn proposed(event: &NewEvent) -> AppendReq {
    let message = append_req::ProposedMessage {
        id: Some(IdForm::Structured.encode(event.id)),
        metadata: labels(event),
        custom_metadata: event.metadata.clone(),
        data: event.data.clone(),
    };
    AppendReq { content: Some(append_req::Content::ProposedMessage(message)) }
}

pub fn options(stream: &str, expected: ExpectedStreamRevision) -> AppendReq {
    let options = append_req::Options {
        stream_identifier: identifier(stream),
        expected_stream_revision: Some(expected),
    };
    AppendReq { content: Some(append_req::Content::Options(options)) }
}

/// What appends one event.
pub fn any_append(stream: &str) -> Vec<AppendReq> {
    vec![options(stream, ExpectedStreamRevision::Any(Empty {})), proposed(&event("A"))]
}

/// Appends and gives the position of the last event.
pub async fn append(client: &mut Client, stream: &str, events: &[NewEvent]) -> u64 {
    let mut parts = vec![options(stream, ExpectedStreamRevision::Any(Empty {}))];
    parts.extend(events.iter().map(proposed));
    let answer = client.append(tokio_stream::iter(parts)).await.unwrap().into_inner();
    let Some(Appended::Success(success)) = answer.result else { panic!("{answer:?}") };
    match success.position_option {
        Some(factum_wire::proto::streams::append_resp::success::PositionOption::Position(at)) => {
            assert_eq!(at.commit_position, at.prepare_position);
            at.commit_position
        }
        other => panic!("{other:?}"),
    }
}

pub fn read_options(
    of: StreamOption,
    count: CountOption,
    filter: FilterOption,
    compatibility: u32,
) -> ReadReq {
    ReadReq {
        options: Some(read_req::Options {
            stream_option: Some(of),
            read_direction: 0,
            resolve_links: false,
            count_option: Some(count),
            filter_option: Some(filter),
            uuid_option: Some(UuidOption { content: Some(IdOption::Structured(Empty {})) }),
            control_option: Some(ControlOption { compatibility }),
        }),
    }
}

pub fn of_stream(name: &str, from: RevisionOption) -> StreamOption {
    StreamOption::Stream(StreamOptions { stream_identifier: identifier(name), revision_option: Some(from) })
}

pub fn of_all(from: AllOption) -> StreamOption {
    StreamOption::All(AllOptions { all_option: Some(from) })
}

pub fn follows() -> CountOption {
    CountOption::Subscription(SubscriptionOptions {})
}

pub fn unfiltered() -> FilterOption {
    FilterOption::NoFilter(Empty {})
}

/// A subscription to everything.
pub fn follow_all() -> ReadReq {
    read_options(of_all(AllOption::Start(Empty {})), follows(), unfiltered(), 1)
}

/// A read of the first event.
pub fn read_first() -> ReadReq {
    read_options(of_all(AllOption::Start(Empty {})), CountOption::Count(1), unfiltered(), 1)
}

pub fn at(position: u64) -> AllOption {
    AllOption::Position(Position { commit_position: position, prepare_position: position })
}

/// All answers to a read, in short.
pub async fn told(client: &mut Client, request: ReadReq) -> Vec<String> {
    let mut answers = client.read(request).await.unwrap().into_inner();
    let mut told = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        told.push(short(answer.content.unwrap()));
    }
    told
}

pub fn short(content: Content) -> String {
    match content {
        Content::Event(event) => format!("event {}", event.event.unwrap().stream_revision),
        Content::StreamNotFound(_) => "not found".to_owned(),
        Content::FirstStreamPosition(first) => format!("first {first}"),
        Content::LastStreamPosition(last) => format!("last {last}"),
        Content::Confirmation(_) => "confirmed".to_owned(),
        Content::Checkpoint(at) => format!("checkpoint {}", at.commit_position),
        Content::CaughtUp(_) => "caught up".to_owned(),
        Content::FellBehind(_) => "fell behind".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_stream_tells_where_it_ends_to_who_understands_it() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "a", &events("A", 3)).await;
        let read = |from, compatibility| {
            read_options(of_stream("a", from), CountOption::Count(9), unfiltered(), compatibility)
        };
        let start = || RevisionOption::Start(Empty {});
        assert_eq!(told(&mut client, read(start(), 0)).await, ["event 0", "event 1", "event 2"]);
        assert_eq!(told(&mut client, read(start(), 1)).await, ["event 0", "event 1", "event 2", "last 2"]);
        assert_eq!(told(&mut client, read(RevisionOption::Revision(7), 1)).await, ["last 2"]);
        assert_eq!(told(&mut client, read(RevisionOption::Revision(7), 0)).await, [""; 0]);
        append(&mut client, "$$a", &[NewEvent::json("$metadata", &serde_json::json!({ "$tb": 3 })).unwrap()])
            .await;
        assert_eq!(told(&mut client, read(start(), 1)).await, ["first 3", "last 2"]);
        let nowhere = read_options(of_stream("none", start()), CountOption::Count(9), unfiltered(), 1);
        assert_eq!(told(&mut client, nowhere).await, ["not found"]);
    });
}

/// As the tests of KurrentDB and of its clients have it: the first thing said.
#[test]
fn who_reads_from_before_the_first_event_is_told_first_which_that_is() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "a", &events("A", 100)).await;
        let start = || RevisionOption::Start(Empty {});
        let from = RevisionOption::Revision;
        let rows = [
            ("$tb", 81, start(), 3, vec!["first 81", "event 81", "event 82", "event 83", "last 99"]),
            ("$maxCount", 2, start(), 10, vec!["first 98", "event 98", "event 99", "last 99"]),
            ("$tb", 98, from(66), 100, vec!["first 98", "event 98", "event 99", "last 99"]),
            // Events of the first page can be read.
            ("$tb", 98, from(67), 100, vec!["event 98", "event 99", "last 99"]),
            ("$tb", 2, start(), 3, vec!["event 2", "event 3", "event 4", "last 99"]),
            ("$tb", 3, start(), 3, vec!["first 3", "event 3", "event 4", "event 5", "last 99"]),
        ];
        for (key, value, from, count, expected) in rows {
            let says = NewEvent::json("$metadata", &serde_json::json!({ key: value })).unwrap();
            append(&mut client, "$$a", &[says]).await;
            let read = |compatibility| {
                let of = of_stream("a", from);
                read_options(of, CountOption::Count(count), unfiltered(), compatibility)
            };
            assert_eq!(told(&mut client, read(1)).await, expected, "{key} {value}");
            let only_events: Vec<_> = expected.into_iter().filter(|said| said.starts_with("event")).collect();
            assert_eq!(told(&mut client, read(0)).await, only_events);
        }
        // Backwards everything that can be read comes first.
        let mut backwards = read_options(
            of_stream("a", RevisionOption::End(Empty {})),
            CountOption::Count(1),
            unfiltered(),
            1,
        );
        backwards.options.as_mut().unwrap().read_direction = 1;
        assert_eq!(told(&mut client, backwards).await, ["event 99", "last 99"]);
    });
}

#[test]
fn what_fails_before_the_first_answer_fails_the_call() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        let last = append(&mut client, "a", &events("A", 1)).await;
        let bury = tombstone_req::Options {
            stream_identifier: identifier("a"),
            expected_stream_revision: Some(tombstone_req::options::ExpectedStreamRevision::Any(Empty {})),
        };
        let bury = factum_wire::proto::streams::TombstoneReq { options: Some(bury) };
        client.tombstone(bury).await.unwrap();
        let start = || RevisionOption::Start(Empty {});
        for count in [CountOption::Count(1), follows()] {
            let request = read_options(of_stream("a", start()), count, unfiltered(), 1);
            let status = client.read(request).await.unwrap_err();
            assert_eq!(status.code(), Code::FailedPrecondition);
            assert_eq!(status.metadata().get("exception").unwrap(), "stream-deleted");
            assert_eq!(status.metadata().get("stream-name").unwrap(), "a");
        }
        let filter = || FilterOption::Filter(prefix_filter("A", 1));
        let rows = [
            (CountOption::Count(1), unfiltered(), Code::Unknown, "Unexpected ReadAllResult: InvalidPosition"),
            (
                CountOption::Count(1),
                filter(),
                Code::Unknown,
                "Unexpected FilteredReadAllResult: InvalidPosition",
            ),
            (follows(), unfiltered(), Code::InvalidArgument, "Trying to read from an invalid position."),
        ];
        for (count, filter, code, text) in rows {
            let request = read_options(of_all(at(last + 1_000)), count, filter, 1);
            let status = client.read(request).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (code, text));
        }
        let without_ids = ReadReq {
            options: follow_all().options.map(|options| read_req::Options { uuid_option: None, ..options }),
        };
        let status = client.read(without_ids).await.unwrap_err();
        assert!(status.message().starts_with("'uuidOption' is a required argument"), "{status}");
    });
}

/// Events are there on both sides of it, whichever way it is read.
#[test]
fn a_place_between_two_events_is_before_the_later_one() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "a", &events("A", 4)).await;
        let between = |commit_position, prepare_position| {
            of_all(AllOption::Position(Position { commit_position, prepare_position }))
        };
        let count = || CountOption::Count(9);
        let forward = read_options(between(3, 1), count(), unfiltered(), 1);
        assert_eq!(told(&mut client, forward.clone()).await, ["event 2", "event 3"]);
        let mut backward = forward;
        backward.options.as_mut().unwrap().read_direction = 1;
        assert_eq!(told(&mut client, backward).await, ["event 1", "event 0"]);
        for (commit, first) in [(3, 2), (1, 0)] {
            let follow = read_options(between(commit, commit - 1), follows(), unfiltered(), 1);
            let mut answers = client.read(follow).await.unwrap().into_inner();
            let mut told = Vec::new();
            while told.last().is_none_or(|last| last != "caught up") {
                told.push(short(answers.message().await.unwrap().unwrap().content.unwrap()));
            }
            let shown = (first..4).map(|revision| format!("event {revision}"));
            let expected = ["confirmed".to_owned()].into_iter().chain(shown).chain(["caught up".to_owned()]);
            assert_eq!(told, expected.collect::<Vec<_>>(), "after {commit}");
        }
        for count in [CountOption::Count(9), follows()] {
            let status = client.read(read_options(between(2, 3), count, unfiltered(), 1)).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        }
    });
}

/// Who expects it to exist is told that it is deleted, and not where it stands.
#[test]
fn a_deleted_stream_that_has_to_exist_is_told_as_deleted() {
    use factum_wire::proto::streams::{DeleteReq, TombstoneReq, delete_req};
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "a", &events("A", 2)).await;
        let delete = |expected| DeleteReq {
            options: Some(delete_req::Options {
                stream_identifier: identifier("a"),
                expected_stream_revision: Some(expected),
            }),
        };
        client.delete(delete(delete_req::options::ExpectedStreamRevision::Any(Empty {}))).await.unwrap();
        let before = host.store.last_position().unwrap();
        let exists = ExpectedStreamRevision::StreamExists(Empty {});
        let parts = vec![options("a", exists), proposed(&event("A"))];
        let exists = tombstone_req::options::ExpectedStreamRevision::StreamExists(Empty {});
        let bury = TombstoneReq {
            options: Some(tombstone_req::Options {
                stream_identifier: identifier("a"),
                expected_stream_revision: Some(exists),
            }),
        };
        let exists = delete_req::options::ExpectedStreamRevision::StreamExists(Empty {});
        let refusals = [
            client.append(tokio_stream::iter(parts)).await.map(drop),
            client.delete(delete(exists)).await.map(drop),
            client.tombstone(bury).await.map(drop),
        ];
        for status in refusals.map(Result::unwrap_err) {
            assert_eq!(status.code(), Code::FailedPrecondition);
            assert_eq!(status.message(), "Event stream 'a' is deleted.");
            assert_eq!(status.metadata().get("exception").unwrap(), "stream-deleted");
            assert_eq!(status.metadata().get("stream-name").unwrap(), "a");
        }
        let mut request = batch(IdForm::Text.encode(Uuid::from_u128(1)), Some("a"), &events("A", 1), true);
        request.options.as_mut().unwrap().expected_stream_position =
            Some(ExpectedStreamPosition::StreamExists(()));
        let mut answers = client.batch_append(tokio_stream::iter([request])).await.unwrap().into_inner();
        let Some(BatchAppended::Error(status)) = answers.message().await.unwrap().unwrap().result else {
            panic!("it was appended");
        };
        assert!(status.details[0].type_url.ends_with("StreamDeleted"), "{status:?}");
        assert_eq!(host.store.last_position().unwrap(), before);
    });
}

pub fn prefix_filter(prefix: &str, multiplier: u32) -> FilterOptions {
    FilterOptions {
        filter: Some(Filter::EventType(Expression { regex: String::new(), prefix: vec![prefix.to_owned()] })),
        window: Some(Window::Max(5)),
        checkpoint_interval_multiplier: multiplier,
    }
}

#[test]
fn checkpoints_come_after_so_many_events_were_looked_at() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "a", &events("A", 12)).await;
        append(&mut client, "a", &events("B", 1)).await;
        append(&mut client, "a", &events("A", 10)).await;
        let filter = FilterOption::Filter(prefix_filter("B", 2));
        let request = read_options(of_all(AllOption::Start(Empty {})), follows(), filter, 1);
        let mut answers = client.read(request).await.unwrap().into_inner();
        let mut told = Vec::new();
        while told.last().is_none_or(|last| last != "caught up") {
            told.push(short(answers.message().await.unwrap().unwrap().content.unwrap()));
        }
        assert_eq!(
            told,
            ["confirmed", "checkpoint 10", "event 12", "checkpoint 20", "checkpoint 23", "caught up"]
        );
    });
}

/// A client that does not read is not read for, loses nothing, and is told.
#[test]
fn a_slow_subscriber_falls_behind_and_misses_nothing() {
    const COUNT: usize = 60_000;
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "a", &events("A", 1)).await;
        let from_end = read_options(of_all(AllOption::End(Empty {})), follows(), unfiltered(), 2);
        let mut slow = client.read(from_end).await.unwrap().into_inner();
        assert_eq!(short(slow.message().await.unwrap().unwrap().content.unwrap()), "confirmed");
        assert_eq!(short(slow.message().await.unwrap().unwrap().content.unwrap()), "caught up");
        for _ in 0..COUNT / 1_000 {
            append(&mut client, "a", &events("A", 1_000)).await;
        }
        let (mut next, mut is_behind, mut fell) = (1, false, 0);
        while next <= COUNT as u64 || is_behind {
            match slow.message().await.unwrap().unwrap().content.unwrap() {
                Content::Event(event) => {
                    assert_eq!(event.event.unwrap().stream_revision, next);
                    next += 1;
                }
                Content::FellBehind(at) => {
                    assert_eq!(at.position.unwrap().commit_position, next);
                    (is_behind, fell) = (true, fell + 1);
                }
                Content::CaughtUp(at) => {
                    assert!(at.position.unwrap().commit_position >= next);
                    is_behind = false;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(fell > 0, "it was not slow enough for this test to show anything");
    });
}

fn batch(id: client::Uuid, stream: Option<&str>, events: &[NewEvent], is_final: bool) -> BatchAppendReq {
    let options = stream.map(|stream| batch_append_req::Options {
        stream_identifier: identifier(stream),
        expected_stream_position: Some(ExpectedStreamPosition::NoStream(())),
        deadline_option: Some(DeadlineOption::Deadline(prost_types::Duration {
            seconds: 315_576_000_000,
            nanos: 999_999_999,
        })),
    });
    let proposed = events.iter().map(|event| batch_append_req::ProposedMessage {
        id: Some(IdForm::Text.encode(event.id)),
        metadata: labels(event),
        custom_metadata: event.metadata.clone(),
        data: event.data.clone(),
    });
    BatchAppendReq { correlation_id: Some(id), options, proposed_messages: proposed.collect(), is_final }
}

#[test]
fn a_batch_keeps_appends_apart_by_their_ids() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        let id = |n, form: IdForm| form.encode(Uuid::from_u128(n));
        let (one, two, three) = (id(1, IdForm::Text), id(2, IdForm::Structured), id(3, IdForm::Text));
        let mut late = batch(id(4, IdForm::Text), Some("late"), &events("A", 1), true);
        late.options.as_mut().unwrap().deadline_option =
            Some(DeadlineOption::Deadline(prost_types::Duration { seconds: -1, nanos: 0 }));
        let mut unlabelled = batch(id(5, IdForm::Text), Some("a"), &events("A", 1), true);
        unlabelled.proposed_messages[0].metadata.clear();
        let requests = vec![
            batch(one.clone(), Some("one"), &events("A", 2), false),
            batch(two.clone(), Some("two"), &events("A", 1), true),
            batch(id(9, IdForm::Text), None, &events("A", 1), true),
            batch(one.clone(), None, &events("A", 1), true),
            batch(three.clone(), Some("two"), &events("A", 1), true),
            late,
            unlabelled,
        ];
        let mut answers = client.batch_append(tokio_stream::iter(requests)).await.unwrap().into_inner();
        let mut found = Vec::new();
        while let Some(answer) = answers.message().await.unwrap() {
            assert!(answer.expected_stream_position.is_none() && answer.stream_identifier.is_some());
            found.push((answer.correlation_id.unwrap(), answer.result.unwrap()));
        }
        assert_eq!(found.len(), 5, "{found:?}");
        let of = |id: client::Uuid| {
            found.iter().find(|(found, _)| *found == id).map(|(_, result)| result).unwrap()
        };
        use factum_wire::proto::streams::batch_append_resp::success::CurrentRevisionOption::CurrentRevision;
        for (id, revision) in [(one, 2), (two, 0)] {
            let BatchAppended::Success(success) = of(id) else { panic!("{found:?}") };
            assert_eq!(success.current_revision_option, Some(CurrentRevision(revision)));
        }
        let error = |id: client::Uuid| -> InnerStatus {
            match of(id) {
                BatchAppended::Error(status) => status.clone(),
                other => panic!("{other:?}"),
            }
        };
        let conflict = error(three);
        assert_eq!((conflict.code, conflict.message.as_str()), (6, "WrongExpectedVersion"));
        assert_eq!(error(id(4, IdForm::Text)).code, 4);
        let bad = error(id(5, IdForm::Text));
        assert_eq!((bad.code, bad.message.as_str()), (3, "BadRequest"));
    });
}

/// Metadata costs an append a second look at its stream, which must not let
/// others pass.
#[test]
fn a_batch_keeps_the_order_of_a_stream_with_metadata() {
    const COUNT: u64 = 300;
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        for (stream, by_revision) in [("any", false), ("exact", true)] {
            let metadata = NewEvent::json("$metadata", &serde_json::json!({ "$maxCount": 1_000 })).unwrap();
            append(&mut client, &format!("$${stream}"), &[metadata]).await;
            let requests = (0..COUNT).map(|n| {
                let event = event("A").with_id(Uuid::from_u128(u128::from(n) + 1));
                let mut request =
                    batch(IdForm::Text.encode(Uuid::from_u128(n.into())), Some(stream), &[event], true);
                request.options.as_mut().unwrap().expected_stream_position = Some(match n.checked_sub(1) {
                    _ if !by_revision => ExpectedStreamPosition::Any(()),
                    None => ExpectedStreamPosition::NoStream(()),
                    Some(before) => ExpectedStreamPosition::StreamPosition(before),
                });
                request
            });
            let requests: Vec<_> = requests.collect();
            let mut answers = client.batch_append(tokio_stream::iter(requests)).await.unwrap().into_inner();
            while let Some(answer) = answers.message().await.unwrap() {
                assert!(matches!(answer.result, Some(BatchAppended::Success(_))), "{stream}: {answer:?}");
            }
            let stream = StreamName::new(stream.to_owned()).unwrap();
            let recorded = host.store.read(factum_core::Read::stream(stream)).unwrap();
            let ids: Vec<u128> = recorded.map(|event| event.unwrap().id.as_u128()).collect();
            assert_eq!(ids, (1..=u128::from(COUNT)).collect::<Vec<_>>());
        }
    });
}

/// More appends than may be in flight, each answered once.
#[test]
fn a_batch_takes_any_number() {
    const COUNT: u128 = 10_000;
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        let requests = (0..COUNT).map(|n| {
            batch(IdForm::Text.encode(Uuid::from_u128(n)), Some(&format!("s-{n}")), &events("A", 1), true)
        });
        let requests: Vec<_> = requests.collect();
        let mut answers = client.batch_append(tokio_stream::iter(requests)).await.unwrap().into_inner();
        let mut seen = std::collections::HashSet::new();
        while let Some(answer) = answers.message().await.unwrap() {
            assert!(matches!(answer.result, Some(BatchAppended::Success(_))), "{answer:?}");
            assert!(seen.insert(answer.correlation_id.unwrap()));
        }
        assert_eq!(seen.len() as u128, COUNT);
        assert_eq!(host.store.last_position().unwrap().unwrap().get() as u128, COUNT - 1);
    });
}

#[test]
fn the_largest_event_passes_and_a_larger_one_is_told_its_limit() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        let sized = |bytes: usize| NewEvent { data: vec![b'x'; bytes].into(), ..event("A") };
        append(&mut client, "a", &[sized((16 << 20) - 2)]).await;
        let read = read_options(
            of_stream("a", RevisionOption::Start(Empty {})),
            CountOption::Count(1),
            unfiltered(),
            0,
        );
        assert_eq!(told(&mut client, read).await, ["event 0"]);
        let parts =
            vec![options("a", ExpectedStreamRevision::Any(Empty {})), proposed(&sized((16 << 20) - 1))];
        let status = client.append(tokio_stream::iter(parts)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let trailer = |key: &str| status.metadata().get(key).unwrap().to_str().unwrap().to_owned();
        assert_eq!(trailer("exception"), "maximum-append-event-size-exceeded");
        assert_eq!(trailer("maximum-append-event-size"), (16 << 20).to_string());
        let parts = std::iter::once(options("a", ExpectedStreamRevision::Any(Empty {})))
            .chain((0..5).map(|_| proposed(&sized(8 << 20))));
        let status = client.append(tokio_stream::iter(parts.collect::<Vec<_>>())).await.unwrap_err();
        assert_eq!(status.metadata().get("exception").unwrap(), "maximum-append-size-exceeded");
    });
}

/// There is room for one of these events, over all calls.
#[test]
fn what_has_no_room_is_told_that_the_server_is_too_busy() {
    let host = Host::start_as(|services| services.with_room(1 << 20, Duration::from_millis(100)));
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        let large = || NewEvent { data: vec![b'x'; 700 << 10].into(), ..event("A") };
        let (sender, parts) = tokio::sync::mpsc::channel(2);
        sender.send(options("slow", ExpectedStreamRevision::Any(Empty {}))).await.unwrap();
        sender.send(proposed(&large())).await.unwrap();
        let mut other = client.clone();
        let slow = tokio::spawn(async move {
            other.append(tokio_stream::wrappers::ReceiverStream::new(parts)).await.unwrap()
        });
        let parts = || vec![options("a", ExpectedStreamRevision::Any(Empty {})), proposed(&large())];
        let mut tries = 0;
        let status = loop {
            // It may come before the slow one.
            match client.append(tokio_stream::iter(parts())).await {
                Ok(_) => tries += 1,
                Err(status) => break status,
            }
            assert!(tries < 100, "there is always room");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "Server Is Too Busy"));
        let id = IdForm::Text.encode(Uuid::from_u128(1));
        let requests = vec![batch(id, Some("b"), &[large()], true)];
        let mut answers = client.batch_append(tokio_stream::iter(requests)).await.unwrap().into_inner();
        let Some(BatchAppended::Error(status)) = answers.message().await.unwrap().unwrap().result else {
            panic!("there was room");
        };
        assert_eq!((status.code, status.message.as_str()), (Code::Unavailable as i32, "Server Is Too Busy"));
        let records = vec![sessions::record(Some("c"), 700 << 10)];
        let records = AppendRecordsRequest { records, checks: Vec::new() };
        let status = sessions::connect(&host).await.append_records(records).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "Server Is Too Busy"));
        let remote = crate::remote::connect(host.address);
        let other = Append::to(StreamName::new("d").unwrap(), ExpectedRevision::Any, [large()]);
        let refused = tokio::task::spawn_blocking(move || remote.append(other)).await.unwrap();
        let refused = refused.unwrap_err();
        let AppendError::Overloaded { queued_bytes, limit_bytes } = refused else { panic!("{refused:?}") };
        assert!(queued_bytes > 700 << 10 && limit_bytes == 1 << 20, "{refused:?}");
        // Small ones have room, and when the slow one is done, so has any.
        append(&mut client, "a", &events("A", 3)).await;
        drop(sender);
        slow.await.unwrap();
        append(&mut client, "a", &[large()]).await;
    });
}

#[test]
fn appends_that_make_no_sense_are_told_why() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        let any = || ExpectedStreamRevision::Any(Empty {});
        let mut nameless = proposed(&event("A"));
        if let Some(append_req::Content::ProposedMessage(message)) = &mut nameless.content {
            message.metadata.retain(|label| label.key != "type");
        }
        let rows: Vec<(Vec<AppendReq>, &str)> = vec![
            (vec![], "it has no options"),
            (vec![proposed(&event("A"))], "its first message must be its options"),
            (vec![options("a", any()), options("a", any())], "its options came twice"),
            (vec![options("$$$$a", any()), proposed(&event("A"))], "metadata has no metadata"),
            (vec![options("a", any()), nameless], "Required Metadata Property 'type' is missing"),
            (vec![AppendReq { content: None }], "is empty"),
        ];
        for (parts, says) in rows {
            let status = client.append(tokio_stream::iter(parts)).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
            assert!(status.message().contains(says), "{status}");
        }
        assert_eq!(host.store.last_position().unwrap(), None);
    });
}

#[test]
fn calls_that_are_not_here_say_so() {
    let host = Host::start();
    runtime().block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", host.address)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        for call in [
            "/kurrent.client.redaction.Redaction/SwitchChunks",
            "/event_store.client.streams.Streams/Nothing",
            // Events were told in another form.
            "/factum.store.v1.Store/Read",
        ] {
            let path = tonic::codegen::http::uri::PathAndQuery::from_static(call);
            grpc.ready().await.unwrap();
            let codec = tonic_prost::ProstCodec::<Empty, Empty>::default();
            let status = grpc.unary(Request::new(Empty {}), path, codec).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{call}: {status}");
            assert!(
                call.contains("Streams")
                    || status.message().contains(call.rsplit_once('.').unwrap().1)
                        && status.message().contains("is not here yet"),
                "{status}"
            );
        }
        let mut features = ServerFeaturesClient::new(channel);
        let supported = features.get_supported_methods(Empty {}).await.unwrap().into_inner();
        assert!(supported.event_store_server_version.split('.').all(|part| part.parse::<u32>().is_ok()));
        let names: Vec<_> = supported.methods.iter().map(|method| method.method_name.as_str()).collect();
        assert!(names.contains(&"batchappend") && !names.contains(&"switchchunks"), "{names:?}");
    });
}

#[test]
fn a_subscriber_that_goes_away_is_forgotten() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        // Of which the connection itself holds some, once it is used.
        let start = of_stream("none", RevisionOption::Start(Empty {}));
        told(&mut client, read_options(start, CountOption::Count(1), unfiltered(), 1)).await;
        let before = Arc::strong_count(&host.store);
        // The client's HTTP/2 ends a connection on which it has broken off a thousand calls.
        for _ in 0..20 {
            let mut passing = Client::connect(&host).await;
            for _ in 0..500 {
                let mut answers = passing.read(follow_all()).await.unwrap().into_inner();
                assert_eq!(short(answers.message().await.unwrap().unwrap().content.unwrap()), "confirmed");
            }
        }
        // Each held the store.
        let mut waited = Duration::ZERO;
        while Arc::strong_count(&host.store) > before {
            assert!(waited < Duration::from_secs(10), "{} are left", Arc::strong_count(&host.store) - before);
            tokio::time::sleep(Duration::from_millis(20)).await;
            waited += Duration::from_millis(20);
        }
        // It still answers at once.
        let one = events("A", 1);
        let answered = tokio::time::timeout(Duration::from_secs(5), append(&mut client, "a", &one));
        assert_eq!(answered.await.unwrap(), 1);
    });
}
