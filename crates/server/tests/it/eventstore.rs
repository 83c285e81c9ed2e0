//! The older Rust client, the crate `eventstore`, as it is published.

use std::time::Duration;

use eventstore::{
    AppendToStreamOptions, Client, CurrentRevision, DeleteStreamOptions, Error, EventData, ExpectedRevision,
    ReadAllOptions, ReadStreamOptions, ResolvedEvent, StreamMetadataBuilder, StreamMetadataResult,
    StreamPosition, SubscribeToAllOptions, SubscribeToStreamOptions, SubscriptionEvent, SubscriptionFilter,
    TombstoneStreamOptions,
};
use serde_json::json;

use crate::calls::runtime;
use crate::host::Host;

/// Runs a story against a server of its own.
fn with_client<F: Future<Output = eventstore::Result<()>>>(story: impl FnOnce(Client) -> F) {
    let host = Host::start();
    let url = host.url("esdb");
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

fn expecting(revision: ExpectedRevision) -> AppendToStreamOptions {
    AppendToStreamOptions::default().expected_revision(revision)
}

fn any() -> AppendToStreamOptions {
    expecting(ExpectedRevision::Any)
}

fn number(event: &ResolvedEvent) -> u64 {
    event.get_original_event().as_json::<serde_json::Value>().unwrap()["n"].as_u64().unwrap()
}

async fn read(client: &Client, stream: &str, options: &ReadStreamOptions) -> eventstore::Result<Vec<u64>> {
    let mut events = client.read_stream(stream, options).await?;
    let mut numbers = Vec::new();
    while let Some(event) = events.next().await? {
        numbers.push(number(&event));
    }
    Ok(numbers)
}

#[test]
fn eventstore_appends_with_every_expectation() {
    with_client(|client| async move {
        for (expected, revision) in [
            (ExpectedRevision::NoStream, 0),
            (ExpectedRevision::Exact(0), 1),
            (ExpectedRevision::StreamExists, 2),
            (ExpectedRevision::Any, 3),
        ] {
            let written = client.append_to_stream("a", &expecting(expected), event(revision)).await?;
            assert_eq!(written.next_expected_version, revision);
        }
        for (expected, stream, found) in [
            (ExpectedRevision::NoStream, "a", CurrentRevision::Current(3)),
            (ExpectedRevision::Exact(1), "a", CurrentRevision::Current(3)),
            (ExpectedRevision::StreamExists, "none", CurrentRevision::NoStream),
        ] {
            match client.append_to_stream(stream, &expecting(expected), event(9)).await {
                Err(Error::WrongExpectedVersion { current, .. }) => assert_eq!(current, found),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(read(&client, "a", &ReadStreamOptions::default()).await?, [0, 1, 2, 3]);
        Ok(())
    });
}

#[test]
fn eventstore_reads_streams_and_the_log_both_ways() {
    with_client(|client| async move {
        client.append_to_stream("a", &any(), events(0..1_000)).await?;
        let all = ReadStreamOptions::default().max_count(usize::MAX);
        assert_eq!(read(&client, "a", &all).await?, (0..1_000).collect::<Vec<_>>());
        let back = all.clone().backwards().position(StreamPosition::End).max_count(2);
        assert_eq!(read(&client, "a", &back).await?, [999, 998]);
        let part = all.clone().position(StreamPosition::Position(7)).max_count(2);
        assert_eq!(read(&client, "a", &part).await?, [7, 8]);
        assert!(matches!(read(&client, "none", &all).await, Err(Error::ResourceNotFound)));
        let mut log = client.read_all(&ReadAllOptions::default().max_count(usize::MAX)).await?;
        let mut count = 0;
        while let Some(event) = log.next().await? {
            assert_eq!(number(&event), count);
            count += 1;
        }
        assert_eq!(count, 1_000);
        let back = ReadAllOptions::default().backwards().position(StreamPosition::End).max_count(1);
        assert_eq!(number(&client.read_all(&back).await?.next().await?.unwrap()), 999);
        Ok(())
    });
}

#[test]
fn eventstore_follows_streams_and_the_filtered_log() {
    with_client(|client| async move {
        client.append_to_stream("a", &any(), events(0..700)).await?;
        let from_start = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
        let mut stream = client.subscribe_to_stream("a", &from_start).await;
        for n in 0..700 {
            assert_eq!(number(&stream.next().await?), n);
        }
        let filter = SubscriptionFilter::on_stream_name().add_prefix("b").max(10);
        let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter);
        let mut log = client.subscribe_to_all(&options).await;
        let mut checkpoints = 0;
        loop {
            match log.next_subscription_event().await? {
                SubscriptionEvent::Checkpoint(_) => checkpoints += 1,
                SubscriptionEvent::CaughtUp => break,
                SubscriptionEvent::Confirmed(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(checkpoints >= 70, "{checkpoints}");
        for n in 700..705 {
            client.append_to_stream("a", &any(), event(n)).await?;
            client.append_to_stream("b", &any(), event(n)).await?;
            assert_eq!((number(&stream.next().await?), number(&log.next().await?)), (n, n));
        }
        Ok(())
    });
}

#[test]
fn eventstore_deletes_ends_and_describes_streams() {
    with_client(|client| async move {
        client.append_to_stream("a", &any(), events(0..10)).await?;
        let metadata = StreamMetadataBuilder::new().max_count(3).build();
        client.set_stream_metadata("a", &any(), &metadata).await?;
        match client.get_stream_metadata("a", &ReadStreamOptions::default()).await? {
            StreamMetadataResult::Success(found) => assert_eq!(found.metadata(), &metadata),
            other => panic!("{other:?}"),
        }
        let all = ReadStreamOptions::default();
        assert_eq!(read(&client, "a", &all).await?, [7, 8, 9]);
        let at =
            |revision| DeleteStreamOptions::default().expected_revision(ExpectedRevision::Exact(revision));
        let refused = client.delete_stream("a", &at(2)).await.unwrap_err();
        assert!(refused.to_string().contains("WrongExpectedVersion"), "{refused}");
        client.delete_stream("a", &at(9)).await?;
        assert!(matches!(read(&client, "a", &all).await, Err(Error::ResourceNotFound)));
        client.append_to_stream("a", &expecting(ExpectedRevision::NoStream), event(10)).await?;
        assert_eq!(read(&client, "a", &all).await?, [10]);
        client.tombstone_stream("a", &TombstoneStreamOptions::default()).await?;
        assert!(matches!(read(&client, "a", &all).await, Err(Error::ResourceDeleted)));
        match client.append_to_stream("a", &any(), event(11)).await {
            Err(Error::ResourceDeleted) => {}
            other => panic!("{other:?}"),
        }
        Ok(())
    });
}

#[test]
fn eventstore_appends_in_batches() {
    with_client(|client| async move {
        let batch = client.batch_append(&Default::default()).await?;
        for n in 0..50 {
            let stream = format!("s-{n}");
            let written = batch.append_to_stream(stream, ExpectedRevision::NoStream, events(0..2)).await?;
            assert_eq!(written.current_revision(), Some(1));
        }
        assert!(batch.append_to_stream("s-0", ExpectedRevision::NoStream, events(0..1)).await.is_err());
        Ok(())
    });
}
