//! Appends over several streams, message by message. What the clients make of
//! them is told by `clients/sessions.py` and `clients/sessions.cjs`.

use std::time::Duration;

use factum_core::Uuid;
use factum_wire::proto::google::rpc;
use factum_wire::proto::sessions::streams_service_client::StreamsServiceClient;
use factum_wire::proto::sessions::{
    AppendRecord, AppendRecordsRequest, AppendRequest, ConsistencyCheck, SchemaFormat, SchemaInfo,
    consistency_check,
};
use prost::Message;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::calls::{Client, append, events, runtime};
use crate::host::Host;

pub async fn connect(host: &Host) -> StreamsServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", host.address)).unwrap();
    StreamsServiceClient::new(endpoint.connect().await.unwrap()).max_encoding_message_size(100 << 20)
}

pub fn record(stream: Option<&str>, bytes: usize) -> AppendRecord {
    AppendRecord {
        record_id: Some(Uuid::new_v4().to_string()),
        properties: Default::default(),
        schema: Some(SchemaInfo { format: SchemaFormat::Bytes as i32, name: "A".to_owned(), id: None }),
        data: vec![b'x'; bytes].into(),
        stream: stream.map(str::to_owned),
    }
}

fn request(stream: &str, expected: Option<i64>, bytes: &[usize]) -> AppendRequest {
    AppendRequest {
        stream: stream.to_owned(),
        records: bytes.iter().map(|bytes| record(None, *bytes)).collect(),
        expected_revision: expected,
    }
}

fn check(stream: &str, expected_state: i64) -> ConsistencyCheck {
    let check = consistency_check::StreamStateCheck { stream: stream.to_owned(), expected_state };
    ConsistencyCheck { r#type: Some(consistency_check::Type::StreamState(check)) }
}

/// The reason that the details of a status give.
fn reason(status: &Status) -> String {
    let rich = rpc::Status::decode(status.details()).unwrap();
    assert_eq!((rich.code, rich.message.as_str()), (status.code() as i32, status.message()));
    rpc::ErrorInfo::decode(&rich.details[0].value[..]).unwrap().reason
}

#[test]
fn one_answer_for_the_whole_session() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = connect(&host).await;
        let session = vec![request("a", Some(-1), &[1, 2]), request("b", None, &[0])];
        let answer = client.append_session(tokio_stream::iter(session)).await.unwrap().into_inner();
        assert_eq!(answer.position, Some(3));
        let output: Vec<_> = answer
            .output
            .iter()
            .map(|told| (told.stream.as_str(), told.stream_revision, told.position))
            .collect();
        assert_eq!(output, [("a", 1, Some(3)), ("b", 0, Some(3))]);
        let records = AppendRecordsRequest {
            records: vec![record(Some("b"), 1), record(Some("c"), 1)],
            checks: vec![check("a", 1), check("d", -1)],
        };
        let answer = client.append_records(records).await.unwrap().into_inner();
        let told: Vec<_> =
            answer.revisions.iter().map(|told| (told.stream.as_str(), told.revision)).collect();
        assert_eq!((told, answer.position), (vec![("b", 1), ("c", 0)], Some(5)));
    });
}

/// An id belongs to its stream: who sends the same events to two gets them in both.
#[test]
fn the_same_ids_may_go_to_several_streams() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = connect(&host).await;
        let records = request("", None, &[1, 2]).records;
        let to = |stream: &str| AppendRequest {
            stream: stream.to_owned(),
            records: records.clone(),
            expected_revision: None,
        };
        for _ in 0..2 {
            let session = tokio_stream::iter([to("a"), to("b")]);
            let answer = client.append_session(session).await.unwrap().into_inner();
            let told: Vec<_> = answer.output.iter().map(|told| told.stream_revision).collect();
            assert_eq!((told, answer.position), (vec![1, 1], Some(4)));
        }
        let ids = |stream: &str| -> Vec<_> {
            let stream = factum_core::StreamName::new(stream.to_owned()).unwrap();
            let events = host.store.read(factum_core::Read::stream(stream)).unwrap();
            events.map(|event| Some(event.unwrap().id.to_string())).collect()
        };
        let sent: Vec<_> = records.iter().map(|record| record.record_id.clone()).collect();
        assert_eq!((ids("a"), ids("b")), (sent.clone(), sent), "and keep them");
        let mut twice = to("c");
        twice.records.extend(records.first().cloned());
        for _ in 0..2 {
            let answer = client.append_session(tokio_stream::iter([twice.clone()])).await.unwrap();
            assert_eq!(answer.into_inner().output[0].stream_revision, 2, "and twice in one, if sent twice");
        }
        assert_eq!(ids("c").len(), 3);
    });
}

/// What a session has sent holds its room until the session is done.
#[test]
fn sessions_have_the_room_that_all_appends_share() {
    let host = Host::start_as(|services| services.with_room(1 << 20, Duration::from_millis(100)));
    runtime().block_on(async {
        let mut client = connect(&host).await;
        let (sender, parts) = tokio::sync::mpsc::channel(2);
        sender.send(request("slow", None, &[700 << 10])).await.unwrap();
        let mut other = client.clone();
        let slow = tokio::spawn(async move {
            other.append_session(tokio_stream::wrappers::ReceiverStream::new(parts)).await.unwrap()
        });
        let large =
            || AppendRecordsRequest { records: vec![record(Some("a"), 700 << 10)], checks: Vec::new() };
        let mut tries = 0;
        let status = loop {
            // It may come before the slow one.
            match client.append_records(large()).await {
                Ok(_) => tries += 1,
                Err(status) => break status,
            }
            assert!(tries < 100, "there is always room");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "Server Is Too Busy"));
        drop(sender);
        slow.await.unwrap();
        client.append_records(large()).await.unwrap();
    });
}

#[test]
fn a_deleted_stream_that_has_to_exist_is_told_as_ended() {
    let host = Host::start();
    runtime().block_on(async {
        let mut streams = Client::connect(&host).await;
        append(&mut streams, "a", &events("A", 1)).await;
        let gone = factum_core::NewEvent::json("$metadata", &serde_json::json!({ "$tb": i64::MAX })).unwrap();
        append(&mut streams, "$$a", &[gone]).await;
        let mut client = connect(&host).await;
        for (expected, told) in [(Some(-4), "STREAM_TOMBSTONED"), (Some(7), "STREAM_REVISION_CONFLICT")] {
            let session = vec![request("a", expected, &[1])];
            let status = client.append_session(tokio_stream::iter(session)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, told));
        }
    });
}

#[test]
fn sessions_that_cannot_be_are_told_why() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = connect(&host).await;
        let megabytes = 1 << 20;
        let rows = [
            (vec![], Code::FailedPrecondition, "APPEND_SESSION_NO_REQUESTS"),
            (vec![request("a", None, &[])], Code::InvalidArgument, "BAD_REQUEST"),
            (vec![request("$$", None, &[1])], Code::InvalidArgument, "BAD_REQUEST"),
            (vec![request("$$$$a", None, &[1])], Code::InvalidArgument, "BAD_REQUEST"),
            (
                vec![request("a", None, &[1]), request("a", None, &[1])],
                Code::Aborted,
                "STREAM_ALREADY_IN_APPEND_SESSION",
            ),
            (
                vec![request("a", Some(3), &[1]), request("b", None, &[1])],
                Code::FailedPrecondition,
                "STREAM_REVISION_CONFLICT",
            ),
            (
                vec![request("a", None, &[16 * megabytes])],
                Code::InvalidArgument,
                "APPEND_RECORD_SIZE_EXCEEDED",
            ),
            (
                (0..5).map(|n| request(&format!("s-{n}"), None, &[8 * megabytes])).collect(),
                Code::Aborted,
                "APPEND_TRANSACTION_SIZE_EXCEEDED",
            ),
            (
                (0..1_025).map(|n| request(&format!("s-{n}"), None, &[1])).collect(),
                Code::InvalidArgument,
                "BAD_REQUEST",
            ),
        ];
        for (session, code, expected) in rows {
            let status = client.append_session(tokio_stream::iter(session)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{status}");
        }
        let large = AppendRecordsRequest {
            records: (0..3).map(|_| record(Some("a"), 12 * megabytes)).collect(),
            checks: Vec::new(),
        };
        let status = client.append_records(large).await.unwrap_err();
        assert_eq!(reason(&status), "APPEND_TRANSACTION_SIZE_EXCEEDED");
        let refused =
            AppendRecordsRequest { records: vec![record(Some("a"), 1)], checks: vec![check("a", 0)] };
        let status = client.append_records(refused).await.unwrap_err();
        assert_eq!(reason(&status), "APPEND_CONSISTENCY_VIOLATION");
        assert_eq!(host.store.last_position().unwrap(), None, "nothing of any of them is recorded");
    });
}
