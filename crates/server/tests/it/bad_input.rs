//! What clients send that they should not, and what becomes of what they asked
//! for and did not wait for.

use std::time::Duration;

use factum_core::NewEvent;
use factum_wire::proto::client::Empty;
use factum_wire::proto::streams::ReadReq;
use factum_wire::proto::streams::append_req::options::ExpectedStreamRevision;
use factum_wire::proto::streams::read_req::options::CountOption;
use factum_wire::proto::streams::read_req::options::all_options::AllOption;
use factum_wire::proto::streams::read_req::options::stream_options::RevisionOption;
use factum_wire::proto::streams::{AppendReq, append_req};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Code, Request};

use crate::calls::{
    Client, append, event, events, of_all, of_stream, options, proposed, read_options, runtime, told,
    unfiltered,
};
use crate::host::Host;

fn any() -> ExpectedStreamRevision {
    ExpectedStreamRevision::Any(Empty {})
}

/// An append to a stream whose name is these bytes.
fn append_to(name: &[u8]) -> Vec<AppendReq> {
    let mut begin = options("a", any());
    if let Some(append_req::Content::Options(options)) = &mut begin.content {
        options.stream_identifier.as_mut().unwrap().stream_name = name.to_vec().into();
    }
    vec![begin, proposed(&event("A"))]
}

#[test]
fn messages_that_are_none_are_refused_and_harm_nobody() {
    let host = Host::start();
    runtime().block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", host.address)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        // Where a message is expected stands a number.
        let wrong_type = prost_types::Duration { seconds: 5, nanos: 7 };
        for call in [
            "/event_store.client.streams.Streams/Delete",
            "/event_store.client.streams.Streams/Tombstone",
            "/event_store.client.operations.Operations/StartScavenge",
            "/event_store.client.projections.Projections/Enable",
            "/event_store.client.users.Users/Create",
        ] {
            let mut grpc = tonic::client::Grpc::new(channel.clone());
            grpc.ready().await.unwrap();
            let codec = tonic_prost::ProstCodec::<prost_types::Duration, Empty>::default();
            let path = PathAndQuery::from_static(call);
            let status = grpc.unary(Request::new(wrong_type), path, codec).await.unwrap_err();
            assert_eq!(status.code(), Code::Internal, "{call}: {status}");
        }
        // Lists in lists in lists, where a list of records is expected.
        let mut nested = prost_types::Value { kind: None };
        for _ in 0..200 {
            let list = prost_types::ListValue { values: vec![nested] };
            nested = prost_types::Value { kind: Some(prost_types::value::Kind::ListValue(list)) };
        }
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<prost_types::Value, Empty>::default();
        let path = PathAndQuery::from_static("/kurrentdb.protocol.v2.streams.StreamsService/AppendRecords");
        assert!(grpc.unary(Request::new(nested), path, codec).await.is_err());
        assert_eq!(append(&mut Client::connect(&host).await, "a", &events("A", 1)).await, 1);
    });
}

#[test]
fn names_are_opaque_or_refused() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        let long = "x".repeat(1_023);
        let refused: [&[u8]; 11] = [
            b"",
            b"$$",
            long.as_bytes(),
            b"a\0b",
            b"a\nb",
            b"a\r\nb: c",
            b"a\x1b[31mb",
            "a\u{202e}b".as_bytes(),
            "a\u{2028}b".as_bytes(),
            b"\xff\xfe",
            b"a\xc3",
        ];
        for name in refused {
            let status = client.append(tokio_stream::iter(append_to(name))).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{name:?}: {status}");
        }
        assert_eq!(host.store.last_position().unwrap(), None);
        let before: Vec<_> =
            std::fs::read_dir(host.dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
        let mut count = 0;
        // One word, composed and not: two streams.
        for name in [
            "../../etc/passwd",
            "%2e%2e%2f",
            "..\\",
            "/absolute",
            "CON",
            "$own",
            "\u{e9}",
            "e\u{301}",
            " ",
            "a b",
        ] {
            client.append(tokio_stream::iter(append_to(name.as_bytes()))).await.unwrap();
            count += 1;
            let read = read_options(
                of_stream(name, RevisionOption::Start(Empty {})),
                CountOption::Count(9),
                unfiltered(),
                0,
            );
            assert_eq!(told(&mut client, read).await, ["event 0"], "{name:?}");
            assert_eq!(host.store.last_position().unwrap().unwrap().get() + 1, count);
        }
        let after: Vec<_> =
            std::fs::read_dir(host.dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(before, after, "no name is a path");
    });
}

#[test]
fn every_range_has_its_answer() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "a", &events("A", 3)).await;
        let start = || RevisionOption::Start(Empty {});
        let end = || RevisionOption::End(Empty {});
        let at = RevisionOption::Revision;
        let rows: Vec<(RevisionOption, bool, u64, &[&str])> = vec![
            (start(), false, u64::MAX, &["event 0", "event 1", "event 2"]),
            (start(), false, i64::MAX as u64, &["event 0", "event 1", "event 2"]),
            (start(), false, 1, &["event 0"]),
            (at(2), false, 9, &["event 2"]),
            (at(3), false, 9, &[]),
            (at(u64::MAX), false, 9, &[]),
            (end(), false, 9, &[]),
            (start(), true, 9, &["event 0"]),
            (at(1), true, 9, &["event 1", "event 0"]),
            (at(99), true, 2, &["event 2", "event 1"]),
            (at(u64::MAX), true, 1, &["event 2"]),
            (end(), true, u64::MAX, &["event 2", "event 1", "event 0"]),
        ];
        let turned = |mut request: ReadReq, backwards: bool| {
            request.options.as_mut().unwrap().read_direction = i32::from(backwards);
            request
        };
        for (from, backwards, count, expected) in rows {
            let row = format!("{from:?} {backwards} {count}");
            let read = read_options(of_stream("a", from), CountOption::Count(count), unfiltered(), 0);
            assert_eq!(told(&mut client, turned(read, backwards)).await, expected, "{row}");
        }
        let all = |from| read_options(of_all(from), CountOption::Count(u64::MAX), unfiltered(), 0);
        for (from, backwards, count) in [
            (AllOption::Start(Empty {}), false, 3),
            (AllOption::Start(Empty {}), true, 0),
            (AllOption::End(Empty {}), false, 0),
            (AllOption::End(Empty {}), true, 3),
        ] {
            assert_eq!(told(&mut client, turned(all(from), backwards)).await.len(), count);
        }
        let nothing = read_options(of_stream("a", start()), CountOption::Count(0), unfiltered(), 0);
        assert_eq!(client.read(nothing).await.unwrap_err().code(), Code::InvalidArgument);
    });
}

/// Who does not wait for the answer asks again with the same ids, and then each
/// event is there once.
#[test]
fn an_append_nobody_waited_for_is_resolved_by_its_ids() {
    let host = Host::start();
    let parts = |events: &[NewEvent]| {
        let mut parts = vec![options("a", any())];
        parts.extend(events.iter().map(proposed));
        parts
    };
    runtime().block_on(async {
        let mut sent = Vec::new();
        for n in 0..60_u64 {
            let events = events("A", 3);
            let mut client = Client::connect(&host).await;
            let mut request = Request::new(tokio_stream::iter(parts(&events)));
            match n % 3 {
                // Its deadline has all but passed.
                0 => request.set_timeout(Duration::from_micros(n * 20)),
                1 => request.set_timeout(Duration::from_millis(1)),
                _ => {}
            }
            let asking = tokio::spawn(async move { client.append(request).await.map(|_| ()) });
            if n % 3 == 2 {
                // The client is gone, at some moment of the call.
                tokio::time::sleep(Duration::from_micros(n * 50)).await;
                asking.abort();
            }
            let _ = asking.await;
            sent.push(events);
        }
        let mut client = Client::connect(&host).await;
        for events in &sent {
            append(&mut client, "a", events).await;
        }
        let read = factum_core::Read::all();
        let mut stored: Vec<_> = host.store.read(read).unwrap().map(|event| event.unwrap().id).collect();
        let mut expected: Vec<_> = sent.iter().flatten().map(|event| event.id).collect();
        stored.sort();
        expected.sort();
        assert_eq!(stored, expected);
    });
}
