//! What a server records of itself, as operators and clients find it.

use std::process::Command;
use std::time::Duration;

use kurrentdb::operations::Client as Operator;
use kurrentdb::{
    Client, Error, EventData, PersistentSubscriptionToAllOptions, ReadAllOptions, RecordedEvent,
    StreamMetadataBuilder, StreamMetadataResult, StreamPosition, SubscribeToStreamOptions,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::Place;
use crate::serve::Server;

/// Tells a story to a client of KurrentDB.
fn with_client<F: Future<Output = kurrentdb::Result<()>>>(server: &Server, story: impl FnOnce(Client) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::new(url(server).parse().unwrap()).unwrap();
        tokio::time::timeout(Duration::from_secs(30), story(client)).await.unwrap().unwrap();
    });
}

fn url(server: &Server) -> String {
    format!("kurrentdb://{}?tls=false", server.address)
}

fn of(event: &RecordedEvent) -> (&str, &str) {
    (event.stream_id(), event.event_type.as_str())
}

fn data(event: &RecordedEvent) -> Value {
    serde_json::from_slice(&event.data).unwrap()
}

/// All events of a store that nobody has open: each type with what its data says
/// besides by whom and where.
fn told(place: &Place) -> Vec<(String, Value)> {
    let events = place.json(["events", "after", "start"]);
    let told = events.as_array().unwrap().iter().map(|event| {
        let event_type = event["type"].as_str().unwrap().to_owned();
        let mut data = event["data"].clone();
        if event["stream"] == "$server" {
            let said = data.as_object_mut().unwrap();
            assert_eq!(said.remove("version"), Some(env!("CARGO_PKG_VERSION").into()));
            let address = said.remove("address").unwrap();
            assert!(address.as_str().unwrap().starts_with("127.0.0.1:"), "{address}");
        }
        (event_type, data)
    });
    told.collect()
}

fn shown() -> (String, Value) {
    ("$metadata".to_owned(), json!({ "$maxCount": 1000 }))
}

fn started(before: &str) -> (String, Value) {
    ("$ServerStarted".to_owned(), json!({ "before": before }))
}

fn stopped(why: &str) -> (String, Value) {
    ("$ServerStopped".to_owned(), json!({ "why": why }))
}

#[test]
fn a_start_after_a_kill_says_that_the_run_before_was_broken_off() {
    let place = Place::new();
    Server::start(&place, &[]).kill();
    assert_eq!(told(&place), [shown(), started("nothing")]);
    Server::start(&place, &[]).kill();
    assert_eq!(told(&place), [shown(), started("nothing"), started("broken off")]);
}

#[test]
fn stops_say_who_asked_for_them() {
    let place = Place::new();
    for signal in [Signal::TERM, Signal::INT] {
        assert_eq!(Server::start(&place, &[]).stop(signal).0, Some(0));
    }
    let server = Server::start(&place, &[]);
    let url = url(&server);
    with_client(&server, |_| async move {
        Operator::new(url.parse().unwrap()).unwrap().shutdown(&Default::default()).await
    });
    assert_eq!(server.ended().0, Some(0));
    let rows = [
        shown(),
        started("nothing"),
        stopped("signal"),
        started("stopped"),
        stopped("signal"),
        started("stopped"),
        stopped("client"),
    ];
    assert_eq!(told(&place), rows);
}

#[test]
fn the_log_of_a_new_server_begins_with_it() {
    let place = Place::new();
    let server = Server::start(&place, &["--dev"]);
    let address = server.address.clone();
    with_client(&server, |client| async move {
        let mut all = client.read_all(&ReadAllOptions::default()).await?;
        let first = all.next().await?.unwrap();
        let first = first.get_original_event();
        assert_eq!((of(first), data(first)), (("$$$server", "$metadata"), json!({ "$maxCount": 1000 })));
        let second = all.next().await?.unwrap();
        let second = second.get_original_event();
        let said = json!({ "version": env!("CARGO_PKG_VERSION"), "address": address, "before": "nothing" });
        assert_eq!((of(second), data(second)), (("$server", "$ServerStarted"), said));
        assert!(all.next().await?.is_none());
        Ok(())
    });
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
}

async fn max_count(client: &Client) -> kurrentdb::Result<Option<u64>> {
    match client.get_stream_metadata("$server", &Default::default()).await? {
        StreamMetadataResult::Success(found) => Ok(found.metadata().max_count),
        none => panic!("{none:?}"),
    }
}

#[test]
fn clients_follow_it_and_cannot_write_it() {
    let place = Place::new();
    let server = Server::start(&place, &["--dev"]);
    with_client(&server, |client| async move {
        let event = || EventData::json("$ServerStopped", &json!({ "why": "nobody" })).unwrap();
        let refused = [
            client.append_to_stream("$server", &Default::default(), event()).await.map(drop),
            client.delete_stream("$server", &Default::default()).await.map(drop),
            client.tombstone_stream("$server", &Default::default()).await.map(drop),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(Error::AccessDenied)), "{refused:?}");
        }
        let from_start = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
        let mut following = client.subscribe_to_stream("$server", &from_start).await;
        let event = following.next().await?;
        assert_eq!(of(event.get_original_event()), ("$server", "$ServerStarted"));
        // Its metadata is as that of any stream.
        assert_eq!(max_count(&client).await?, Some(1000));
        let fewer = StreamMetadataBuilder::new().max_count(7).build();
        client.set_stream_metadata("$server", &Default::default(), &fewer).await?;
        assert_eq!(max_count(&client).await?, Some(7));
        Ok(())
    });
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
}

/// Made before anybody appended: nobody has to, for it to have something to do.
#[test]
fn a_group_of_all_of_a_new_log_is_given_three_events() {
    let place = Place::new();
    let server = Server::start(&place, &["--dev"]);
    with_client(&server, |client| async move {
        let from_start = PersistentSubscriptionToAllOptions::default().start_from(StreamPosition::Start);
        client.create_persistent_subscription_to_all("g", &from_start).await?;
        let mut consumer =
            client.subscribe_to_persistent_subscription_to_all("g", &Default::default()).await?;
        let expected = [
            ("$$$server", "$metadata"),
            ("$server", "$ServerStarted"),
            ("$persistentSubscriptionConfig", "$PersistentConfig"),
        ];
        for expected in expected {
            let event = tokio::time::timeout(Duration::from_secs(5), consumer.next()).await.unwrap()?;
            assert_eq!(of(event.get_original_event()), expected);
            consumer.ack(&event).await?;
        }
        Ok(())
    });
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
}

/// A store that takes no more appends: it ends beyond the last byte that the server may
/// write into a file.
#[test]
fn where_nothing_can_be_recorded_it_is_said_and_served_all_the_same() {
    let place = Place::new();
    let large = json!({ "type": "A", "data": "x".repeat(3_000_000) });
    std::fs::write(place.dir().join("large.json"), large.to_string()).unwrap();
    place.ok(["event-store", "append", "a", "@large.json"]);
    let serve = r#"ulimit -f 2000; exec "$FACTUM" serve --format ndjson --listen 127.0.0.1:0"#;
    let mut command = Command::new("sh");
    command.args(["-c", serve]).current_dir(place.dir());
    command.env("FACTUM", env!("CARGO_BIN_EXE_factum")).env("FACTUM_STORE", "store");
    let server = Server::of(command);
    let streams = place.json(["--url", &url(&server), "stream", "list"]);
    assert_eq!((&streams[0]["stream"], &streams[1]), (&"a".into(), &Value::Null));
    let (code, _, said) = server.stop(Signal::TERM);
    assert_eq!(code, Some(1), "the store cannot be closed in order");
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [start, stop, failure] = &lines[..] else { panic!("{said}") };
    assert!(failure["error"].as_str().unwrap().contains("an earlier write failed"), "{failure}");
    let is = |warning: &Value, says: &str| {
        let warning = warning["warning"].as_str().unwrap();
        warning.starts_with(&format!("$server may not say that this run {says}: "))
            && warning.contains("too large")
    };
    assert!(is(start, "began; clients are served all the same"), "{start}");
    assert!(is(stop, "ended; the next start may call it broken off"), "{stop}");
    // Nothing of that run is there for the next one.
    assert_eq!(Server::start(&place, &[]).stop(Signal::TERM).0, Some(0));
    assert_eq!(told(&place)[1..], [shown(), started("nothing"), stopped("signal")]);
}
