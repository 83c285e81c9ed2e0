//! What a program written with a Rust client does, chapter by chapter: the same
//! story for both crates, whose words for a few things are in the file above.
//! What a chapter has shown it tells by its row in `vocabulary.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use factum_core::Uuid;
use serde_json::json;

use super::*;
use crate::calls::runtime;

/// From here on it is known that these rows go well.
fn shows(rows: &[&str]) {
    // The line before may be the test runner's, and without an end.
    rows.iter().for_each(|row| println!("\n{}", json!({ "shows": row })));
}

fn differs(how: &str, row: &str) {
    println!("\n{}", json!({ "shows": row, "differs": how }));
}

fn absent(why: &str, rows: &[&str]) {
    rows.iter().for_each(|row| println!("\n{}", json!({ "shows": row, "absent": why })));
}

/// All chapters, against this server.
pub fn tell(url: &str) {
    macro_rules! chapters {
        ($client:ident, $url:ident: $($chapter:expr),* $(,)?) => {$(
            let told = tokio::time::timeout(Duration::from_secs(60), $chapter);
            told.await.expect(stringify!($chapter)).expect(stringify!($chapter));
        )*};
    }
    runtime().block_on(async {
        let client = &Client::new(url.parse().unwrap()).unwrap();
        chapters!(client, url:
            appends_with_every_expectation(client),
            the_same_event_again_is_recorded_once(client),
            what_is_read_is_what_was_appended(client),
            batches_are_appended(client),
            streams_are_read_both_ways_and_in_parts(client),
            the_log_is_read_both_ways_and_filtered(client),
            links_are_resolved_where_asked(client),
            system_streams_link_to_what_they_are_named_after(client),
            subscriptions_catch_up_and_go_on_live(client),
            the_log_is_followed(client),
            the_log_is_followed_with_filters(client),
            a_deleted_stream_can_begin_again(client),
            a_tombstone_is_the_end(client),
            metadata_is_kept_and_obeyed(client),
            groups_share_events_and_ack_them(client),
            what_a_group_cannot_handle_is_parked_and_replayed(client),
            a_consumer_that_stops_is_dropped(client),
            groups_of_links_and_of_the_log(client),
            groups_are_made_listed_changed_and_ended(client),
            a_cluster_is_found_by_gossip(client, url),
        );
    });
    let sessions = ["session.written", "session.conflict", "session.tombstoned", "session.large"];
    absent("the client has no such call", &sessions);
    absent("the client has no such call", &["records.written", "records.checks"]);
}

fn fresh(name: &str) -> String {
    format!("{name}-{}", Uuid::new_v4().simple())
}

fn typed(kind: &str, n: u64) -> EventData {
    EventData::json(kind, &json!({ "n": n })).unwrap()
}

fn event(n: u64) -> EventData {
    typed("Happened", n)
}

fn events(numbers: std::ops::Range<u64>) -> Vec<EventData> {
    numbers.map(event).collect()
}

fn any() -> AppendToStreamOptions {
    append_at(Expected::Any)
}

fn number(found: &ResolvedEvent) -> u64 {
    found.event.as_ref().unwrap().as_json::<serde_json::Value>().unwrap()["n"].as_u64().unwrap()
}

async fn numbers(mut events: ReadStream) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    while let Some(event) = events.next().await? {
        numbers.push(number(&event));
    }
    Ok(numbers)
}

async fn read(client: &Client, stream: &str, options: &ReadStreamOptions) -> Result<Vec<u64>> {
    numbers(client.read_stream(stream, options).await?).await
}

async fn appends_with_every_expectation(client: &Client) -> Result<()> {
    let (stream, nowhere) = (fresh("expect"), fresh("nowhere"));
    for (expected, revision) in
        [(Expected::NoStream, 0), (exactly(0), 1), (Expected::StreamExists, 2), (Expected::Any, 3)]
    {
        let written = client.append_to_stream(&*stream, &append_at(expected), event(revision)).await?;
        assert_eq!(written.next_expected_version, revision);
        assert_eq!(written.position.commit, written.position.prepare);
    }
    shows(&["append.expected"]);
    for (expected, stream, stands) in [
        (Expected::NoStream, &stream, CurrentRevision::Current(3)),
        (exactly(1), &stream, CurrentRevision::Current(3)),
        (exactly(9), &stream, CurrentRevision::Current(3)),
        (Expected::StreamExists, &nowhere, CurrentRevision::NoStream),
        (exactly(0), &nowhere, CurrentRevision::NoStream),
    ] {
        match client.append_to_stream(&**stream, &append_at(expected), event(9)).await {
            Err(Error::WrongExpectedVersion { expected: told, current }) => {
                assert_eq!((told, current), (expected, stands));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read(client, &stream, &ReadStreamOptions::default()).await?, [0, 1, 2, 3]);
    shows(&["append.conflict"]);
    Ok(())
}

async fn the_same_event_again_is_recorded_once(client: &Client) -> Result<()> {
    let (stream, pair) = (fresh("again"), fresh("twice"));
    let ids = [Uuid::new_v4(), Uuid::new_v4()];
    let same = || vec![event(0).id(ids[0]), event(1).id(ids[1])];
    let first = client.append_to_stream(&*stream, &append_at(Expected::NoStream), same()).await?;
    for expected in [Expected::NoStream, Expected::Any] {
        let again = client.append_to_stream(&*stream, &append_at(expected), same()).await?;
        assert_eq!((again.position, again.next_expected_version), (first.position, 1));
    }
    assert_eq!(read(client, &stream, &ReadStreamOptions::default()).await?, [0, 1]);
    shows(&["append.again"]);
    let twice = || vec![event(0).id(ids[0]), event(1).id(ids[0])];
    for _ in 0..2 {
        let told = client.append_to_stream(&*pair, &append_at(Expected::NoStream), twice()).await?;
        assert_eq!(told.next_expected_version, 1);
        assert_eq!(read(client, &pair, &ReadStreamOptions::default()).await?, [0, 1]);
    }
    differs("the second is recorded under an id that follows from the first", "append.twice");
    Ok(())
}

async fn what_is_read_is_what_was_appended(client: &Client) -> Result<()> {
    let stream = fresh("whole");
    let (id, bytes) = (Uuid::new_v4(), (0..=255).collect::<Vec<u8>>());
    let json = event(7).id(id).metadata_as_json(&json!({ "m": true })).unwrap();
    let binary = EventData::binary("Bytes", bytes.clone().into()).metadata(bytes.clone().into());
    client.append_to_stream(&*stream, &any(), vec![json, binary]).await?;
    let mut found = client.read_stream(&*stream, &ReadStreamOptions::default()).await?;
    let json = found.next().await?.unwrap().event.unwrap();
    assert_eq!((json.id, &*json.event_type, json.is_json), (id, "Happened", true));
    assert_eq!((&json.data[..], &json.custom_metadata[..]), (&b"{\"n\":7}"[..], &b"{\"m\":true}"[..]));
    assert_eq!((stream_of(&json), json.revision), (&*stream, 0));
    assert!(json.created.timestamp() > 1_700_000_000);
    let binary = found.next().await?.unwrap().event.unwrap();
    assert!(!binary.is_json);
    assert_eq!((&binary.data[..], &binary.custom_metadata[..]), (&bytes[..], &bytes[..]));
    shows(&["append.intact"]);
    Ok(())
}

async fn batches_are_appended(client: &Client) -> Result<()> {
    let name = fresh("batch");
    let batch = &client.batch_append(&Default::default()).await?;
    let many =
        (0..500).map(|n| batch.append_to_stream(format!("{name}-{n}"), Expected::NoStream, events(0..2)));
    for written in futures_util::future::join_all(many).await {
        let written = written?;
        assert_eq!(written.current_revision(), Some(1));
        assert!(written.current_position().is_some());
    }
    let refused = batch.append_to_stream(format!("{name}-0"), Expected::NoStream, events(0..1)).await;
    assert!(refused.is_err(), "{refused:?}");
    let whole = read(client, &format!("{name}-499"), &ReadStreamOptions::default()).await?;
    assert_eq!(whole, [0, 1]);
    shows(&["batch.append"]);
    Ok(())
}

async fn streams_are_read_both_ways_and_in_parts(client: &Client) -> Result<()> {
    let stream = fresh("both");
    let first = client.append_to_stream(&*stream, &any(), events(0..1)).await?;
    client.append_to_stream(&*stream, &any(), events(1..1_500)).await?;
    shows(&["append.several"]);
    let all = ReadStreamOptions::default().max_count(usize::MAX);
    assert_eq!(read(client, &stream, &all).await?, (0..1_500).collect::<Vec<_>>());
    let mut told = client.read_stream(&*stream, &all).await?;
    let mut end = None;
    while let Some(event) = told.next_read_event().await? {
        match event {
            ReadEvent::Event(event) => {
                let event = event.get_original_event();
                assert_eq!(event.position.commit - first.position.commit, event.revision);
            }
            ReadEvent::LastStreamPosition(last) => end = Some(last),
            ReadEvent::FirstStreamPosition(_) | ReadEvent::LastAllStreamPosition(_) => {
                panic!("nobody said where it begins")
            }
        }
    }
    assert_eq!(end, Some(1_499));
    shows(&["read.forwards"]);
    let back = all.clone().backwards().position(StreamPosition::End);
    assert_eq!(read(client, &stream, &back).await?, (0..1_500).rev().collect::<Vec<_>>());
    shows(&["read.backwards"]);
    let part = all.clone().position(StreamPosition::Position(3)).max_count(2);
    assert_eq!(read(client, &stream, &part).await?, [3, 4]);
    let part = back.clone().position(StreamPosition::Position(3)).max_count(2);
    assert_eq!(read(client, &stream, &part).await?, [3, 2]);
    shows(&["read.part"]);
    let none = read(client, &fresh("none"), &all).await;
    assert!(matches!(none, Err(Error::ResourceNotFound)), "{none:?}");
    shows(&["read.missing"]);
    Ok(())
}

async fn the_log_is_read_both_ways_and_filtered(client: &Client) -> Result<()> {
    let (x, y, kind) = (fresh("x"), fresh("y"), fresh("Kind"));
    let first = client.append_to_stream(&*x, &any(), typed(&kind, 0)).await?.position;
    client.append_to_stream(&*y, &any(), typed("Other", 1)).await?;
    let last = client.append_to_stream(&*x, &any(), typed("$C", 2)).await?.position;
    let all = ReadAllOptions::default().max_count(usize::MAX);
    let mine = |event: &ResolvedEvent| [&x, &y].iter().any(|name| **name == event.get_original_stream_id());
    let mut log = client.read_all(&all).await?;
    let mut found = Vec::new();
    while let Some(event) = log.next().await? {
        mine(&event).then(|| found.push(number(&event)));
    }
    assert_eq!(found, [0, 1, 2]);
    shows(&["read.all.forwards"]);
    let from = |options: ReadAllOptions, at| options.position(StreamPosition::Position(at));
    let after = numbers(client.read_all(&from(all.clone(), first)).await?).await?;
    assert_eq!(after, [0, 1, 2], "forward, the place is included");
    let back = all.clone().backwards();
    let before = numbers(client.read_all(&from(back.clone(), last).max_count(2)).await?).await?;
    assert_eq!(before, [1, 0], "backward it is not");
    shows(&["read.all.position"]);
    let end = back.position(StreamPosition::End).max_count(2);
    assert_eq!(numbers(client.read_all(&end).await?).await?, [2, 1]);
    shows(&["read.all.backwards"]);
    let types = SubscriptionFilter::on_event_type();
    let streams = SubscriptionFilter::on_stream_name;
    let rows = [
        (types.clone().add_prefix(&kind), vec![0]),
        (types.exclude_system_events(), vec![0, 1]),
        (streams().regex(format!("^{x}$")), vec![0, 2]),
        (streams().add_prefix(&x).add_prefix(&y), vec![0, 1, 2]),
    ];
    let filters = ["read.all.types", "read.all.streams"];
    for (filter, expected) in rows {
        let Some(options) = filtered(filter) else {
            absent("the client has no filter for reads", &filters);
            return Ok(());
        };
        assert_eq!(numbers(client.read_all(&from(options, first)).await?).await?, expected);
    }
    shows(&filters);
    Ok(())
}

async fn links_are_resolved_where_asked(client: &Client) -> Result<()> {
    let (stream, links) = (fresh("target"), fresh("links"));
    client.append_to_stream(&*stream, &any(), events(0..2)).await?;
    for n in [1, 0] {
        let link = EventData::binary("$>", format!("{n}@{stream}").into());
        client.append_to_stream(&*links, &any(), link).await?;
    }
    let plain = ReadStreamOptions::default();
    let link = client.read_stream(&*links, &plain).await?.next().await?.unwrap();
    assert_eq!((&*link.event.unwrap().event_type, link.link.is_none()), ("$>", true));
    assert_eq!(read(client, &links, &plain.resolve_link_tos()).await?, [1, 0]);
    shows(&["read.links"]);
    Ok(())
}

async fn system_streams_link_to_what_they_are_named_after(client: &Client) -> Result<()> {
    let (category, kind) = (fresh("box").replace('-', ""), fresh("Kind"));
    let (stream, system) = (|n| format!("{category}-{n}"), format!("$ce-{category}"));
    for n in 0..4 {
        client.append_to_stream(stream(n % 2), &any(), typed(&kind, n)).await?;
    }
    let links = ReadStreamOptions::default().resolve_link_tos();
    assert_eq!(read(client, &system, &links).await?, [0, 1, 2, 3]);
    let back = links.clone().backwards().position(StreamPosition::End).max_count(3);
    assert_eq!(read(client, &system, &back).await?, [3, 2, 1]);
    let some = links.clone().position(StreamPosition::Position(2));
    assert_eq!(read(client, &format!("$et-{kind}"), &some).await?, [2, 3]);
    assert_eq!(read(client, &format!("$category-{category}"), &links).await?, [0, 1]);
    let none = read(client, "$ce-none", &links).await;
    assert!(matches!(none, Err(Error::ResourceNotFound)), "{none:?}");
    shows(&["read.system"]);
    let denied = client.append_to_stream(&*system, &any(), event(9)).await;
    assert!(matches!(denied, Err(Error::AccessDenied)), "{denied:?}");
    shows(&["append.system"]);
    let after = SubscribeToStreamOptions::default().start_from(StreamPosition::Position(1));
    let mut following = client.subscribe_to_stream(&*system, &after.resolve_link_tos()).await;
    let mut seen = Vec::new();
    let mut caught_up = false;
    while seen.len() < 3 {
        match following.next_subscription_event().await? {
            SubscriptionEvent::EventAppeared(found) => {
                let link = found.link.as_ref().expect("it comes by a link");
                assert_eq!(stream_of(link), system);
                seen.push((link.revision, number(&found)));
            }
            told if is_caught_up(&told) && !caught_up => {
                caught_up = true;
                client.append_to_stream(fresh("other"), &any(), event(7)).await?;
                client.append_to_stream(stream(9), &any(), event(8)).await?;
            }
            _ => {}
        }
    }
    assert_eq!((caught_up, seen), (true, vec![(2, 2), (3, 3), (4, 8)]));
    shows(&["follow.links"]);
    Ok(())
}

async fn subscriptions_catch_up_and_go_on_live(client: &Client) -> Result<()> {
    let stream = fresh("follow");
    client.append_to_stream(&*stream, &any(), events(0..700)).await?;
    let from = |place| SubscribeToStreamOptions::default().start_from(place);
    let mut following = client.subscribe_to_stream(&*stream, &from(StreamPosition::Start)).await;
    for n in 0..700 {
        assert_eq!(number(&following.next().await?), n);
    }
    shows(&["follow.past"]);
    let told = following.next_subscription_event().await?;
    assert!(is_caught_up(&told), "{told:?}");
    shows(&["follow.caught_up"]);
    let mut late = client.subscribe_to_stream(&*stream, &from(StreamPosition::End)).await;
    while !is_caught_up(&late.next_subscription_event().await?) {}
    for n in 700..710 {
        client.append_to_stream(&*stream, &any(), event(n)).await?;
        assert_eq!((number(&following.next().await?), number(&late.next().await?)), (n, n));
    }
    shows(&["follow.live", "follow.end"]);
    let mut after = client.subscribe_to_stream(&*stream, &from(StreamPosition::Position(5))).await;
    assert_eq!(number(&after.next().await?), 6, "the place given was seen");
    shows(&["follow.revision"]);
    Ok(())
}

async fn the_log_is_followed(client: &Client) -> Result<()> {
    let stream = fresh("all");
    let from = |place| SubscribeToAllOptions::default().position(place);
    let mut late = client.subscribe_to_all(&from(StreamPosition::End)).await;
    match late.next_subscription_event().await? {
        SubscriptionEvent::Confirmed(id) => assert_eq!(id.len(), 36),
        other => panic!("{other:?}"),
    }
    while !is_caught_up(&late.next_subscription_event().await?) {}
    let first = client.append_to_stream(&*stream, &any(), event(0)).await?.position;
    assert_eq!(number(&late.next().await?), 0);
    shows(&["follow.all.end"]);
    client.append_to_stream(&*stream, &any(), event(1)).await?;
    let mut after = client.subscribe_to_all(&from(StreamPosition::Position(first))).await;
    assert_eq!(number(&after.next().await?), 1, "the place given was seen");
    shows(&["follow.all.position"]);
    for n in 2..10 {
        client.append_to_stream(&*stream, &any(), event(n)).await?;
        assert_eq!(number(&after.next().await?), n);
    }
    shows(&["follow.all.live"]);
    let mut past = client.subscribe_to_all(&from(StreamPosition::Start)).await;
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let event = past.next().await?;
        (event.get_original_stream_id() == stream).then(|| seen.push(number(&event)));
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    shows(&["follow.all.past"]);
    Ok(())
}

async fn the_log_is_followed_with_filters(client: &Client) -> Result<()> {
    let (stream, wanted) = (fresh("filtered"), fresh("wanted"));
    let start = client.append_to_stream(&*stream, &any(), event(0)).await?.position;
    client.append_to_stream(&*stream, &any(), events(1..101)).await?;
    let filter = SubscriptionFilter::on_stream_name().add_prefix(&wanted).max(10);
    let from = SubscribeToAllOptions::default().position(StreamPosition::Position(start));
    let mut log = client.subscribe_to_all(&from.filter(filter)).await;
    let mut checkpoints = Vec::new();
    loop {
        match log.next_subscription_event().await? {
            SubscriptionEvent::Checkpoint(at) => checkpoints.push(at.commit),
            SubscriptionEvent::Confirmed(_) => {}
            told if is_caught_up(&told) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(checkpoints, (1..=10).map(|n| start.commit + n * 10).collect::<Vec<_>>());
    shows(&["follow.all.checkpoints"]);
    for n in 0..5 {
        client.append_to_stream(&*stream, &any(), event(n)).await?;
        client.append_to_stream(&*wanted, &any(), event(n)).await?;
        assert_eq!(number(&log.next().await?), n);
    }
    let filter = SubscriptionFilter::on_stream_name().regex(format!("^{wanted}$"));
    let mut past = client.subscribe_to_all(&SubscribeToAllOptions::default().filter(filter)).await;
    for n in 0..5 {
        assert_eq!(number(&past.next().await?), n);
    }
    shows(&["follow.all.filter"]);
    Ok(())
}

async fn a_deleted_stream_can_begin_again(client: &Client) -> Result<()> {
    let (stream, all) = (fresh("delete"), ReadStreamOptions::default());
    client.append_to_stream(&*stream, &any(), events(0..2)).await?;
    // The client keeps the words and drops the kind.
    let refused = client.delete_stream(&*stream, &delete_at(exactly(7))).await.unwrap_err();
    assert!(refused.to_string().contains("WrongExpectedVersion"), "{refused}");
    shows(&["delete.conflict"]);
    assert!(client.delete_stream(&*stream, &delete_at(exactly(1))).await?.is_some());
    shows(&["delete.stream"]);
    let gone = read(client, &stream, &all).await;
    assert!(matches!(gone, Err(Error::ResourceNotFound)), "{gone:?}");
    shows(&["read.deleted"]);
    let written = client.append_to_stream(&*stream, &append_at(Expected::NoStream), event(2)).await?;
    assert_eq!(written.next_expected_version, 2);
    assert_eq!(read(client, &stream, &all).await?, [2]);
    shows(&["delete.again"]);
    Ok(())
}

async fn a_tombstone_is_the_end(client: &Client) -> Result<()> {
    let stream = fresh("tombstone");
    client.append_to_stream(&*stream, &any(), event(0)).await?;
    let refused = client.tombstone_stream(&*stream, &tombstone_at(exactly(5))).await.unwrap_err();
    assert!(refused.to_string().contains("WrongExpectedVersion"), "{refused}");
    shows(&["tombstone.conflict"]);
    client.tombstone_stream(&*stream, &tombstone_at(exactly(0))).await?;
    shows(&["tombstone.stream"]);
    // Known before the first event, and told so.
    let ended = client.read_stream(&*stream, &ReadStreamOptions::default()).await;
    assert!(matches!(ended, Err(Error::ResourceDeleted)), "{ended:?}");
    shows(&["read.tombstoned"]);
    let ended = client.append_to_stream(&*stream, &any(), event(1)).await;
    assert!(matches!(ended, Err(Error::ResourceDeleted)), "{ended:?}");
    shows(&["append.tombstoned"]);
    let ended = client.delete_stream(&*stream, &delete_at(Expected::Any)).await;
    assert!(matches!(ended, Err(Error::ResourceDeleted)), "{ended:?}");
    let ended = client.tombstone_stream(&*stream, &tombstone_at(Expected::Any)).await;
    assert!(matches!(ended, Err(Error::ResourceDeleted)), "{ended:?}");
    let ended = client.get_stream_metadata(&*stream, &ReadStreamOptions::default()).await;
    assert!(matches!(ended, Err(Error::ResourceDeleted)), "its metadata is ended as well");
    shows(&["tombstone.again"]);
    Ok(())
}

async fn metadata_is_kept_and_obeyed(client: &Client) -> Result<()> {
    let (stream, all) = (fresh("metadata"), ReadStreamOptions::default());
    assert!(client.get_stream_metadata(&*stream, &all).await?.is_not_found());
    shows(&["metadata.none"]);
    client.append_to_stream(&*stream, &any(), events(0..10)).await?;
    let says = StreamMetadataBuilder::new;
    let metadata = says()
        .max_count(3)
        .max_age(Duration::from_secs(3_600))
        .insert_custom_property("mine", json!(1))
        .build();
    client.set_stream_metadata(&*stream, &any(), &metadata).await?;
    let back = all.clone().backwards().position(StreamPosition::End);
    match client.get_stream_metadata(&*stream, &back).await? {
        StreamMetadataResult::Success(found) => {
            assert_eq!((found.metadata(), found.version()), (&metadata, 0));
        }
        other => panic!("{other:?}"),
    }
    shows(&["metadata.kept"]);
    assert_eq!(read(client, &stream, &all).await?, [7, 8, 9]);
    shows(&["metadata.max_count"]);
    let truncated = says().truncate_before(9).build();
    let refused = client.set_stream_metadata(&*stream, &append_at(exactly(5)), &truncated).await;
    assert!(matches!(refused, Err(Error::WrongExpectedVersion { .. })), "{refused:?}");
    shows(&["metadata.conflict"]);
    client.set_stream_metadata(&*stream, &append_at(exactly(0)), &truncated).await?;
    assert_eq!(read(client, &stream, &all).await?, [9]);
    shows(&["metadata.truncate"]);
    // The client writes milliseconds where the server, as KurrentDB, reads seconds.
    let aged = |seconds| says().max_age(Duration::from_millis(seconds)).build();
    client.set_stream_metadata(&*stream, &any(), &aged(3_600)).await?;
    assert_eq!(read(client, &stream, &all).await?.len(), 10);
    client.set_stream_metadata(&*stream, &any(), &aged(1)).await?;
    while !read(client, &stream, &all).await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    shows(&["metadata.max_age"]);
    Ok(())
}

fn from_start() -> PersistentSubscriptionOptions {
    PersistentSubscriptionOptions::default().start_from(StreamPosition::Start)
}

async fn join(client: &Client, stream: &str, group: &str) -> Result<PersistentSubscription> {
    client.subscribe_to_persistent_subscription(stream, group, &Default::default()).await
}

/// The next events, acked.
async fn handle(consumer: &mut PersistentSubscription, count: usize) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let event = consumer.next().await?;
        numbers.push(number(&event));
        ack(consumer, event).await?;
    }
    Ok(numbers)
}

/// Until the group says so of itself.
async fn until(
    client: &Client,
    stream: &str,
    group: &str,
    is_so: impl Fn(&PersistentSubscriptionStats) -> bool,
) -> Result<()> {
    let asked = Default::default();
    while !is_so(&client.get_persistent_subscription_info(stream, group, &asked).await?.stats) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn groups_share_events_and_ack_them(client: &Client) -> Result<()> {
    let (stream, group, within) = (&*fresh("group"), &*fresh("g"), &*fresh("g"));
    client.append_to_stream(stream, &any(), events(0..100)).await?;
    client.create_persistent_subscription(stream, group, &from_start()).await?;
    let mut one = join(client, stream, group).await?;
    assert_eq!(handle(&mut one, 100).await?, (0..100).collect::<Vec<_>>());
    shows(&["group.past"]);
    client.append_to_stream(stream, &any(), event(100)).await?;
    assert_eq!(handle(&mut one, 1).await?, [100]);
    until(client, stream, group, |stats| stats.outstanding_messages_count == 0).await?;
    shows(&["group.live"]);
    let from = PersistentSubscriptionOptions::default().start_from(StreamPosition::Position(99));
    client.create_persistent_subscription(stream, within, &from).await?;
    assert_eq!(handle(&mut join(client, stream, within).await?, 2).await?, [99, 100]);
    shows(&["group.revision"]);
    let mut other = join(client, stream, group).await?;
    client.append_to_stream(stream, &any(), events(101..111)).await?;
    let mut shared = handle(&mut one, 5).await?;
    shared.extend(handle(&mut other, 5).await?);
    shared.sort_unstable();
    assert_eq!(shared, (101..111).collect::<Vec<_>>());
    shows(&["group.share"]);
    Ok(())
}

async fn what_a_group_cannot_handle_is_parked_and_replayed(client: &Client) -> Result<()> {
    let (stream, group) = (&*fresh("park"), &*fresh("g"));
    client.append_to_stream(stream, &any(), events(0..4)).await?;
    client.create_persistent_subscription(stream, group, &from_start().max_retry_count(2)).await?;
    let mut consumer = join(client, stream, group).await?;
    let mut deliveries = BTreeMap::<u64, Vec<usize>>::new();
    while deliveries.values().map(Vec::len).sum::<usize>() < 6 {
        let told = consumer.next_subscription_event().await?;
        let PersistentSubscriptionEvent::EventAppeared { retry_count, event } = told else { continue };
        deliveries.entry(number(&event)).or_default().push(retry_count);
        match number(&event) {
            0 => nack(&mut consumer, event, NakAction::Retry, "again").await?,
            1 => nack(&mut consumer, event, NakAction::Skip, "nobody needs it").await?,
            2 => nack(&mut consumer, event, NakAction::Park, "not now").await?,
            _ => ack(&mut consumer, event).await?,
        }
    }
    let expected = BTreeMap::from([(0, vec![0, 1, 2]), (1, vec![0]), (2, vec![0]), (3, vec![0])]);
    assert_eq!(deliveries, expected);
    until(client, stream, group, |stats| stats.parked_message_count == 2).await?;
    shows(&["group.retry", "group.skip", "group.park"]);
    client.replay_parked_messages(stream, group, &Default::default()).await?;
    let mut again = handle(&mut consumer, 2).await?;
    again.sort_unstable();
    assert_eq!(again, [0, 2]);
    until(client, stream, group, |stats| stats.parked_message_count == 0).await?;
    shows(&["group.replay"]);
    Ok(())
}

async fn a_consumer_that_stops_is_dropped(client: &Client) -> Result<()> {
    let (stream, group) = (&*fresh("stop"), &*fresh("g"));
    client.append_to_stream(stream, &any(), event(0)).await?;
    client.create_persistent_subscription(stream, group, &from_start()).await?;
    let mut stops = join(client, stream, group).await?;
    let event = stops.next().await?;
    nack(&mut stops, event, NakAction::Stop, "enough").await?;
    let dropped = stops.next().await;
    assert!(matches!(dropped, Err(Error::IllegalStateError(_))), "{dropped:?}");
    assert_eq!(handle(&mut join(client, stream, group).await?, 1).await?, [0]);
    differs("the consumer is dropped and the event goes to another; KurrentDB skips it", "group.stop");
    Ok(())
}

async fn groups_of_links_and_of_the_log(client: &Client) -> Result<()> {
    let (category, kind, group) = (fresh("box").replace('-', ""), fresh("Kind"), &*fresh("g"));
    let (stream, system) = (format!("{category}-1"), format!("$ce-{category}"));
    let at = client.append_to_stream(&*stream, &any(), typed(&kind, 0)).await?.position;
    client.append_to_stream(&*stream, &any(), vec![event(1), typed(&kind, 2)]).await?;
    client.create_persistent_subscription(&*system, group, &from_start().resolve_link_tos(true)).await?;
    let mut consumer = join(client, &system, group).await?;
    for n in 0..3 {
        let event = consumer.next().await?;
        assert_eq!((number(&event), stream_of(event.link.as_ref().unwrap())), (n, &*system));
        ack(&mut consumer, event).await?;
    }
    until(client, &system, group, |stats| stats.outstanding_messages_count == 0).await?;
    shows(&["group.links"]);
    let from = PersistentSubscriptionToAllOptions::default().start_from(StreamPosition::Position(at));
    let filter = SubscriptionFilter::on_event_type().add_prefix(&kind);
    client.create_persistent_subscription_to_all(group, &from.filter(filter)).await?;
    let mut consumer = client.subscribe_to_persistent_subscription_to_all(group, &Default::default()).await?;
    assert_eq!(handle(&mut consumer, 2).await?, [0, 2]);
    client.delete_persistent_subscription_to_all(group, &Default::default()).await?;
    shows(&["group.all"]);
    Ok(())
}

async fn groups_are_made_listed_changed_and_ended(client: &Client) -> Result<()> {
    let (stream, group) = (&*fresh("manage"), &*fresh("g"));
    let info = || async { client.get_persistent_subscription_info(stream, group, &Default::default()).await };
    assert!(matches!(info().await, Err(Error::ResourceNotFound)));
    assert!(matches!(join(client, stream, group).await, Err(Error::ResourceNotFound)));
    shows(&["group.missing"]);
    let options = from_start().max_subscriber_count(1).max_retry_count(7);
    client.create_persistent_subscription(stream, group, &options).await?;
    let twice = client.create_persistent_subscription(stream, group, &options).await;
    assert!(matches!(twice, Err(Error::ResourceAlreadyExists)), "{twice:?}");
    shows(&["group.create"]);
    let settings = info().await?.settings.unwrap();
    assert_eq!((settings.max_retry_count, settings.max_subscriber_count), (7, 1));
    assert_eq!(settings.consumer_strategy_name, SystemConsumerStrategy::RoundRobin);
    shows(&["group.info"]);
    let listed = client.list_persistent_subscriptions_for_stream(stream, &Default::default()).await?;
    assert_eq!(listed.into_iter().map(|info| info.group_name).collect::<Vec<_>>(), [group]);
    let all = client.list_all_persistent_subscriptions(&Default::default()).await?;
    assert!(all.iter().any(|info| info.group_name == group));
    shows(&["group.list"]);
    client.append_to_stream(stream, &any(), events(0..3)).await?;
    let mut consumer = join(client, stream, group).await?;
    assert_eq!(handle(&mut consumer, 1).await?, [0]);
    match join(client, stream, group).await {
        Err(Error::Grpc { message, .. }) => assert!(message.starts_with("Maximum subscriptions reached")),
        _ => panic!("there was room for two"),
    }
    shows(&["group.full"]);
    /// What is under way comes before the end.
    async fn dropped(consumer: &mut PersistentSubscription) -> Error {
        loop {
            if let Err(error) = consumer.next().await {
                return error;
            }
        }
    }
    client.update_persistent_subscription(stream, group, &options.max_retry_count(9)).await?;
    assert!(matches!(dropped(&mut consumer).await, Error::IllegalStateError(_)));
    assert_eq!(info().await?.settings.unwrap().max_retry_count, 9);
    let mut consumer = join(client, stream, group).await?;
    assert_eq!(handle(&mut consumer, 1).await?, [1], "it goes on where it was");
    shows(&["group.update"]);
    client.restart_persistent_subscription_subsystem(&Default::default()).await?;
    assert!(matches!(dropped(&mut consumer).await, Error::IllegalStateError(_)));
    let mut consumer = join(client, stream, group).await?;
    assert_eq!(handle(&mut consumer, 1).await?, [2]);
    shows(&["group.restart"]);
    client.delete_persistent_subscription(stream, group, &Default::default()).await?;
    assert!(matches!(dropped(&mut consumer).await, Error::ResourceNotFound));
    assert!(matches!(info().await, Err(Error::ResourceNotFound)));
    shows(&["group.delete"]);
    Ok(())
}

async fn a_cluster_is_found_by_gossip(client: &Client, url: &str) -> Result<()> {
    assert!(client.server_info().await?.version() >= (26, 1));
    // Of more than one address it asks who leads.
    let (scheme, address) = url.split_once("://").unwrap();
    let host = address.split('?').next().unwrap();
    let found = Client::new(format!("{scheme}://{host},{address}").parse().unwrap()).unwrap();
    let stream = fresh("found");
    found.append_to_stream(&*stream, &any(), event(7)).await?;
    assert_eq!(read(client, &stream, &ReadStreamOptions::default()).await?, [7]);
    shows(&["gossip.read"]);
    Ok(())
}
