//! The Rust client, the crate `kurrentdb`, as it is published.

use std::time::Duration;

use kurrentdb::{
    AppendToStreamOptions, Client, CurrentRevision, DeleteStreamOptions, Error, EventData, Position,
    ReadAllOptions, ReadEvent, ReadStreamOptions, ResolvedEvent, StreamMetadataBuilder, StreamMetadataResult,
    StreamPosition, StreamState, SubscribeToAllOptions, SubscribeToStreamOptions, SubscriptionEvent,
    SubscriptionFilter, TombstoneStreamOptions,
};
use serde_json::json;

use crate::calls::runtime;
use crate::host::Host;

/// Runs a story against a server of its own.
fn with_client<F: Future<Output = kurrentdb::Result<()>>>(story: impl FnOnce(Client) -> F) {
    let host = Host::start();
    let url = host.url("kurrentdb");
    runtime().block_on(async {
        let client = Client::new(url.parse().unwrap()).unwrap();
        tokio::time::timeout(Duration::from_secs(60), story(client)).await.unwrap().unwrap();
    });
}

fn event(n: u64) -> EventData {
    EventData::json("Happened", &json!({ "n": n })).unwrap()
}

fn events(numbers: std::ops::Range<u64>) -> Vec<EventData> {
    numbers.map(event).collect()
}

fn expecting(state: StreamState) -> AppendToStreamOptions {
    AppendToStreamOptions::default().stream_state(state)
}

fn number(event: &ResolvedEvent) -> u64 {
    event.get_original_event().as_json::<serde_json::Value>().unwrap()["n"].as_u64().unwrap()
}

async fn read(client: &Client, stream: &str, options: &ReadStreamOptions) -> kurrentdb::Result<Vec<u64>> {
    let mut events = client.read_stream(stream, options).await?;
    let mut numbers = Vec::new();
    while let Some(event) = events.next().await? {
        numbers.push(number(&event));
    }
    Ok(numbers)
}

#[test]
fn kurrentdb_appends_with_every_expectation() {
    with_client(|client| async move {
        for (state, revision) in [
            (StreamState::NoStream, 0),
            (StreamState::StreamRevision(0), 1),
            (StreamState::StreamExists, 2),
            (StreamState::Any, 3),
        ] {
            let written = client.append_to_stream("a", &expecting(state), event(revision)).await?;
            assert_eq!(written.next_expected_version, revision);
            assert_eq!(written.position.commit, written.position.prepare);
        }
        for (state, stream, current) in [
            (StreamState::NoStream, "a", CurrentRevision::Current(3)),
            (StreamState::StreamRevision(1), "a", CurrentRevision::Current(3)),
            (StreamState::StreamRevision(9), "a", CurrentRevision::Current(3)),
            (StreamState::StreamExists, "none", CurrentRevision::NoStream),
            (StreamState::StreamRevision(0), "none", CurrentRevision::NoStream),
        ] {
            match client.append_to_stream(stream, &expecting(state), event(9)).await {
                Err(Error::WrongExpectedVersion { expected, current: found }) => {
                    assert_eq!((expected, found), (state, current));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(read(&client, "a", &ReadStreamOptions::default()).await?, [0, 1, 2, 3]);
        Ok(())
    });
}

#[test]
fn kurrentdb_reads_both_ways_and_knows_where_it_is() {
    with_client(|client| async move {
        let first = client.append_to_stream("a", &expecting(StreamState::Any), events(0..1)).await?;
        let last = client.append_to_stream("a", &expecting(StreamState::Any), events(1..1_500)).await?;
        let all = ReadStreamOptions::default();
        assert_eq!(read(&client, "a", &all).await?, (0..1_500).collect::<Vec<_>>());
        let back = all.clone().backwards().position(StreamPosition::End);
        assert_eq!(read(&client, "a", &back).await?, (0..1_500).rev().collect::<Vec<_>>());
        let some = all.clone().position(StreamPosition::Position(3)).max_count(2);
        assert_eq!(read(&client, "a", &some).await?, [3, 4]);
        let some = back.clone().position(StreamPosition::Position(3)).max_count(2);
        assert_eq!(read(&client, "a", &some).await?, [3, 2]);
        let mut told = client.read_stream("a", &all).await?;
        let mut end = None;
        while let Some(event) = told.next_read_event().await? {
            match event {
                ReadEvent::Event(event) => {
                    let event = event.get_original_event();
                    assert!(event.is_json && event.created.timestamp() > 1_700_000_000);
                    assert_eq!(event.position.commit - first.position.commit, event.revision);
                }
                ReadEvent::LastStreamPosition(last) => end = Some(last),
                ReadEvent::FirstStreamPosition(_) | ReadEvent::LastAllStreamPosition(_) => {
                    panic!("nobody said where it begins")
                }
            }
        }
        assert_eq!(end, Some(1_499));
        match read(&client, "none", &all).await {
            Err(Error::ResourceNotFound) => {}
            other => panic!("{other:?}"),
        }
        let log = ReadAllOptions::default();
        let mut events = client
            .read_all(&log.clone().forwards().position(StreamPosition::Position(last.position)))
            .await?;
        assert_eq!(events.next().await?.map(|event| number(&event)), Some(1_499));
        assert!(events.next().await?.is_none());
        let back = log.clone().backwards().position(StreamPosition::Position(last.position)).max_count(1);
        let mut events = client.read_all(&back).await?;
        assert_eq!(events.next().await?.map(|event| number(&event)), Some(1_498));
        Ok(())
    });
}

#[test]
fn kurrentdb_filters_the_log() {
    with_client(|client| async move {
        for (stream, kind) in [("x-1", "A"), ("y-1", "B"), ("x-2", "B"), ("$sys", "$C")] {
            let event = EventData::json(kind, &json!({ "n": 0 })).unwrap();
            client.append_to_stream(stream, &expecting(StreamState::Any), event).await?;
        }
        let rows = [
            (SubscriptionFilter::on_event_type().add_prefix("B"), vec!["y-1", "x-2"]),
            (SubscriptionFilter::on_event_type().exclude_system_events(), vec!["x-1", "y-1", "x-2"]),
            (SubscriptionFilter::on_stream_name().regex("^x-"), vec!["x-1", "x-2"]),
            (SubscriptionFilter::on_stream_name().add_prefix("y").add_prefix("$"), vec!["y-1", "$sys"]),
        ];
        for (filter, expected) in rows {
            let mut events = client.read_all(&ReadAllOptions::default().filter(filter)).await?;
            let mut found = Vec::new();
            while let Some(event) = events.next().await? {
                found.push(event.get_original_stream_id().to_owned());
            }
            assert_eq!(found, expected);
        }
        Ok(())
    });
}

#[test]
fn kurrentdb_follows_streams_and_the_log() {
    with_client(|client| async move {
        client.append_to_stream("a", &expecting(StreamState::Any), events(0..700)).await?;
        let from_start = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
        let mut stream = client.subscribe_to_stream("a", &from_start).await;
        for n in 0..700 {
            assert_eq!(number(&stream.next().await?), n);
        }
        let caught_up = |event: SubscriptionEvent| match event {
            SubscriptionEvent::CaughtUp(Some(at)) => at,
            other => panic!("{other:?}"),
        };
        caught_up(stream.next_subscription_event().await?);
        let from_end = SubscribeToAllOptions::default().position(StreamPosition::End);
        let mut log = client.subscribe_to_all(&from_end).await;
        match log.next_subscription_event().await? {
            SubscriptionEvent::Confirmed(id) => assert_eq!(id.len(), 36),
            other => panic!("{other:?}"),
        }
        caught_up(log.next_subscription_event().await?);
        for n in 700..710 {
            client.append_to_stream("a", &expecting(StreamState::Any), event(n)).await?;
            assert_eq!((number(&stream.next().await?), number(&log.next().await?)), (n, n));
        }
        let seen = Position { commit: 5, prepare: 5 };
        let after = SubscribeToAllOptions::default().position(StreamPosition::Position(seen));
        assert_eq!(number(&client.subscribe_to_all(&after).await.next().await?), 5);
        let after = SubscribeToStreamOptions::default().start_from(StreamPosition::Position(5));
        assert_eq!(number(&client.subscribe_to_stream("a", &after).await.next().await?), 6);
        Ok(())
    });
}

#[test]
fn kurrentdb_is_told_checkpoints() {
    with_client(|client| async move {
        client.append_to_stream("a", &expecting(StreamState::Any), events(0..100)).await?;
        let filter = SubscriptionFilter::on_event_type().add_prefix("Nothing").max(10);
        let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter);
        let mut log = client.subscribe_to_all(&options).await;
        let mut checkpoints = Vec::new();
        loop {
            match log.next_subscription_event().await? {
                SubscriptionEvent::Checkpoint(at) => checkpoints.push(at.commit),
                SubscriptionEvent::CaughtUp(_) => break,
                SubscriptionEvent::Confirmed(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(checkpoints, (1..=10).map(|n| n * 10).collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn kurrentdb_deletes_and_begins_again() {
    with_client(|client| async move {
        client.append_to_stream("a", &expecting(StreamState::Any), events(0..2)).await?;
        let at = |state| DeleteStreamOptions::default().stream_state(state);
        let refused = client.delete_stream("a", &at(StreamState::StreamRevision(7))).await.unwrap_err();
        assert!(refused.to_string().contains("WrongExpectedVersion"), "{refused}");
        assert!(client.delete_stream("a", &at(StreamState::StreamRevision(1))).await?.is_some());
        let all = ReadStreamOptions::default();
        assert!(matches!(read(&client, "a", &all).await, Err(Error::ResourceNotFound)));
        let written = client.append_to_stream("a", &expecting(StreamState::NoStream), event(2)).await?;
        assert_eq!(written.next_expected_version, 2);
        assert_eq!(read(&client, "a", &all).await?, [2]);
        client.tombstone_stream("a", &TombstoneStreamOptions::default()).await?;
        // Known before the first event, and told so.
        match client.read_stream("a", &all).await {
            Err(Error::ResourceDeleted) => {}
            other => panic!("{:?}", other.map(|_| ())),
        }
        match client.append_to_stream("a", &expecting(StreamState::Any), event(3)).await {
            Err(Error::ResourceDeleted) => {}
            other => panic!("{other:?}"),
        }
        Ok(())
    });
}

#[test]
fn kurrentdb_keeps_metadata() {
    with_client(|client| async move {
        let any = expecting(StreamState::Any);
        assert!(client.get_stream_metadata("a", &ReadStreamOptions::default()).await?.is_not_found());
        client.append_to_stream("a", &any, events(0..10)).await?;
        let metadata = StreamMetadataBuilder::new()
            .max_count(3)
            .max_age(Duration::from_secs(3_600))
            .insert_custom_property("mine", json!(1))
            .build();
        client.set_stream_metadata("a", &any, &metadata).await?;
        let back = ReadStreamOptions::default().backwards().position(StreamPosition::End);
        match client.get_stream_metadata("a", &back).await? {
            StreamMetadataResult::Success(found) => {
                assert_eq!((found.metadata(), found.version()), (&metadata, 0));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(read(&client, "a", &ReadStreamOptions::default()).await?, [7, 8, 9]);
        client.tombstone_stream("a", &TombstoneStreamOptions::default()).await?;
        match client.get_stream_metadata("a", &back).await {
            Err(Error::ResourceDeleted) => {}
            other => panic!("{:?}", other.map(|_| ())),
        }
        Ok(())
    });
}

#[test]
fn kurrentdb_appends_in_batches() {
    with_client(|client| async move {
        let batch = client.batch_append(&Default::default()).await?;
        let many = (0..500).map(|n| {
            let batch = &batch;
            async move { batch.append_to_stream(format!("s-{n}"), StreamState::NoStream, events(0..2)).await }
        });
        for written in futures_util::future::join_all(many).await {
            let written = written?;
            assert_eq!(written.current_revision(), Some(1));
            assert!(written.current_position().is_some());
        }
        let refused = batch.append_to_stream("s-0", StreamState::NoStream, events(0..1)).await;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(read(&client, "s-499", &ReadStreamOptions::default()).await?, [0, 1]);
        Ok(())
    });
}

#[test]
fn kurrentdb_knows_what_the_server_can_do() {
    with_client(|client| async move {
        let info = client.server_info().await?;
        assert!(info.version() >= (26, 1));
        // Had it not read that there is such a call, it would have tried HTTP.
        assert!(client.list_all_persistent_subscriptions(&Default::default()).await?.is_empty());
        Ok(())
    });
}

#[test]
fn kurrentdb_reads_and_follows_system_streams() {
    with_client(|client| async move {
        for n in 0..4 {
            let stream = format!("cart-{}", n % 2);
            client.append_to_stream(stream, &expecting(StreamState::Any), event(n)).await?;
        }
        let links = ReadStreamOptions::default().resolve_link_tos();
        assert_eq!(resolved(&client, "$ce-cart", &links).await?, [0, 1, 2, 3]);
        let back = links.clone().backwards().position(StreamPosition::End).max_count(3);
        assert_eq!(resolved(&client, "$ce-cart", &back).await?, [3, 2, 1]);
        let some = links.clone().position(StreamPosition::Position(2));
        assert_eq!(resolved(&client, "$et-Happened", &some).await?, [2, 3]);
        assert_eq!(resolved(&client, "$category-cart", &links).await?, [0, 1]);
        assert_eq!(resolved(&client, "$streams", &links).await?, [0, 1]);
        match resolved(&client, "$ce-none", &links).await {
            Err(Error::ResourceNotFound) => {}
            other => panic!("{other:?}"),
        }
        match client.append_to_stream("$ce-cart", &expecting(StreamState::Any), event(9)).await {
            Err(Error::AccessDenied) => {}
            other => panic!("{other:?}"),
        }
        // Followed from the second on, past and live.
        let options =
            SubscribeToStreamOptions::default().start_from(StreamPosition::Position(1)).resolve_link_tos();
        let mut following = client.subscribe_to_stream("$ce-cart", &options).await;
        let mut seen = Vec::new();
        let mut caught_up = false;
        while seen.len() < 3 {
            match following.next_subscription_event().await? {
                SubscriptionEvent::EventAppeared(found) => {
                    let link = found.link.as_ref().expect("it comes by a link");
                    assert_eq!(link.stream_id(), "$ce-cart");
                    seen.push((link.revision, shown(&found)));
                }
                SubscriptionEvent::CaughtUp(_) if !caught_up => {
                    caught_up = true;
                    client.append_to_stream("order-1", &expecting(StreamState::Any), event(7)).await?;
                    client.append_to_stream("cart-9", &expecting(StreamState::Any), event(8)).await?;
                }
                _ => {}
            }
        }
        assert!(caught_up);
        assert_eq!(seen, [(2, 2), (3, 3), (4, 8)]);
        Ok(())
    });
}

/// What links lead to, each asked for by its number.
async fn resolved(client: &Client, stream: &str, options: &ReadStreamOptions) -> kurrentdb::Result<Vec<u64>> {
    let mut events = client.read_stream(stream, options).await?;
    let mut numbers = Vec::new();
    while let Some(event) = events.next().await? {
        numbers.push(shown(&event));
    }
    Ok(numbers)
}

fn shown(found: &ResolvedEvent) -> u64 {
    found.event.as_ref().unwrap().as_json::<serde_json::Value>().unwrap()["n"].as_u64().unwrap()
}
