//! Groups of consumers, with the Rust client as it is published.

use std::collections::BTreeMap;
use std::time::Duration;

use factum_core::StreamName;
use factum_wire::proto::client::Empty;
use factum_wire::proto::persistent_subscriptions::all_options::{AllOption, FilterOption as GroupFilter};
use factum_wire::proto::persistent_subscriptions::persistent_subscriptions_client::PersistentSubscriptionsClient;
use factum_wire::proto::persistent_subscriptions::read_resp::Content as Told;
use factum_wire::proto::persistent_subscriptions::settings::MessageTimeout;
use factum_wire::proto::persistent_subscriptions::subscription_info::Measurement;
use factum_wire::proto::persistent_subscriptions::truncate_parked_req::options::StopAtOption;
use factum_wire::proto::persistent_subscriptions::{
    AllOptions, CreateReq, GetInfoReq, ReadReq, Settings, TruncateParkedReq, create_req, get_info_req,
    read_req, truncate_parked_req,
};
use factum_wire::proto::streams::read_req::options::FilterOptions;
use factum_wire::proto::streams::read_req::options::filter_options::{Expression, Filter as Subject, Window};
use kurrentdb::{
    Client, Error, EventData, NakAction, PersistentSubscription, PersistentSubscriptionOptions,
    PersistentSubscriptionToAllOptions, ReadStreamOptions, ReplayParkedMessagesOptions, ResolvedEvent,
    StreamPosition, SubscribeToPersistentSubscriptionOptions, SubscriptionFilter, SystemConsumerStrategy,
};
use serde_json::json;
use tonic::transport::Endpoint;

use crate::calls::runtime;
use crate::host::Host;

fn on<F: Future<Output = kurrentdb::Result<()>>>(host: &Host, story: impl FnOnce(Client) -> F) {
    let url = host.url("kurrentdb");
    runtime().block_on(async {
        let client = Client::new(url.parse().unwrap()).unwrap();
        tokio::time::timeout(Duration::from_secs(60), story(client)).await.unwrap().unwrap();
    });
}

/// Runs a story against a server of its own.
fn with_client<F: Future<Output = kurrentdb::Result<()>>>(story: impl FnOnce(Client) -> F) {
    on(&Host::start(), story);
}

async fn append(client: &Client, stream: &str, numbers: std::ops::Range<u64>) -> kurrentdb::Result<()> {
    let events: Vec<_> = numbers.map(|n| EventData::json("Happened", &json!({ "n": n })).unwrap()).collect();
    client.append_to_stream(stream, &Default::default(), events).await.map(drop)
}

fn from_start() -> PersistentSubscriptionOptions {
    PersistentSubscriptionOptions::default().start_from(StreamPosition::Start)
}

async fn join(
    client: &Client,
    stream: &str,
    group: &str,
    slots: usize,
) -> kurrentdb::Result<PersistentSubscription> {
    let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(slots);
    client.subscribe_to_persistent_subscription(stream, group, &options).await
}

fn number(event: &ResolvedEvent) -> u64 {
    event.event.as_ref().unwrap().as_json::<serde_json::Value>().unwrap()["n"].as_u64().unwrap()
}

async fn next(subscription: &mut PersistentSubscription) -> kurrentdb::Result<ResolvedEvent> {
    tokio::time::timeout(Duration::from_secs(10), subscription.next()).await.expect("nothing came")
}

/// The next events, acked.
async fn handle(subscription: &mut PersistentSubscription, count: usize) -> kurrentdb::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let event = next(subscription).await?;
        subscription.ack(&event).await?;
        numbers.push(number(&event));
    }
    Ok(numbers)
}

async fn comes_nothing(subscription: &mut PersistentSubscription) {
    let waited = tokio::time::timeout(Duration::from_millis(700), subscription.next()).await;
    assert!(waited.is_err(), "something came: {:?}", waited.map(|event| event.map(|event| number(&event))));
}

/// What the group says of itself, until it says so.
async fn until(
    client: &Client,
    stream: &str,
    group: &str,
    is_so: impl Fn(&Stats) -> bool,
) -> kurrentdb::Result<()> {
    for _ in 0..100 {
        let info = client.get_persistent_subscription_info(stream, group, &Default::default()).await?;
        if is_so(&info.stats) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let info = client.get_persistent_subscription_info(stream, group, &Default::default()).await?;
    panic!("it never became so: {:?}", info.stats);
}

type Stats = kurrentdb::PersistentSubscriptionStats;

#[test]
fn a_group_of_a_system_stream_gets_what_its_links_lead_to() {
    let host = Host::start();
    on(&host, |client| async move {
        append(&client, "cart-1", 0..2).await?;
        append(&client, "order-1", 100..103).await?;
        append(&client, "cart-2", 2..4).await?;
        let options = from_start().resolve_link_tos(true);
        client.create_persistent_subscription("$ce-cart", "g", &options).await?;
        let mut consumer = join(&client, "$ce-cart", "g", 10).await?;
        assert_eq!(handle(&mut consumer, 4).await?, [0, 1, 2, 3]);
        append(&client, "order-1", 103..104).await?;
        append(&client, "cart-3", 4..6).await?;
        let event = next(&mut consumer).await?;
        let link = event.link.as_ref().expect("it comes by a link");
        assert_eq!((link.stream_id(), link.revision, number(&event)), ("$ce-cart", 4, 4));
        consumer.nack(&event, NakAction::Park, "not now").await?;
        assert_eq!(handle(&mut consumer, 1).await?, [5]);
        until(&client, "$ce-cart", "g", |stats| stats.parked_message_count == 1).await?;
        client.replay_parked_messages("$ce-cart", "g", &Default::default()).await?;
        assert_eq!(handle(&mut consumer, 1).await?, [4], "what is parked is found again");
        Ok(())
    });
}

/// Where nobody has read yet no group of the log begins; KurrentDB's words say so.
#[test]
fn a_group_of_the_log_begins_at_a_place_that_was_read() {
    use factum_wire::proto::persistent_subscriptions::{
        AllOptions, CreateReq, Position, Settings, UpdateReq, all_options::AllOption, create_req, update_req,
    };
    let host = Host::start();
    runtime().block_on(async {
        let mut streams = crate::calls::Client::connect(&host).await;
        let last = crate::calls::append(&mut streams, "a", &crate::calls::events("A", 3)).await;
        let endpoint = Endpoint::from_shared(format!("http://{}", host.address)).unwrap();
        let mut groups = PersistentSubscriptionsClient::new(endpoint.connect().await.unwrap());
        let from = |commit_position, prepare_position| AllOptions {
            all_option: Some(AllOption::Position(Position { commit_position, prepare_position })),
            filter_option: None,
        };
        let settings =
            || Some(Settings { read_batch_size: 1, history_buffer_size: 2, ..Settings::default() });
        let create = |commit, prepare| CreateReq {
            options: Some(create_req::Options {
                group_name: "g".to_owned(),
                settings: settings(),
                stream_option: Some(create_req::options::StreamOption::All(from(commit, prepare))),
                ..create_req::Options::default()
            }),
        };
        let update = |commit, prepare| UpdateReq {
            options: Some(update_req::Options {
                group_name: "g".to_owned(),
                settings: settings(),
                stream_option: Some(update_req::options::StreamOption::All(from(commit, prepare))),
                ..update_req::Options::default()
            }),
        };
        let refused = |status: tonic::Status, says: &str| {
            let trailer = |key: &str| status.metadata().get(key).unwrap().to_str().unwrap();
            assert_eq!(status.code(), tonic::Code::Internal, "{status}");
            assert_eq!(trailer("exception"), "persistent-subscription-failed");
            assert_eq!((trailer("stream-name"), trailer("group-name")), ("$all", "g"));
            let reason = trailer("reason");
            assert!(reason.starts_with("Invalid Start From position: ") && reason.contains(says), "{reason}");
        };
        let (end, pair) = ("last commit position in the transaction file", "equal to the commit position");
        refused(groups.create(create(last + 1, last + 1)).await.unwrap_err(), end);
        // What groups there are is written into the log as well.
        let beyond = last + 100;
        let rows = [(beyond, beyond, end), (beyond, last, end), (beyond, 0, end), (1, 2, pair)];
        for (commit, prepare, says) in rows {
            refused(groups.create(create(commit, prepare)).await.unwrap_err(), says);
        }
        groups.create(create(last, last - 1)).await.unwrap();
        for (commit, prepare, says) in rows {
            refused(groups.update(update(commit, prepare)).await.unwrap_err(), says);
        }
        groups.update(update(1, 0)).await.unwrap();
    });
}

#[test]
fn a_group_gets_the_past_and_then_what_comes() {
    with_client(|client| async move {
        append(&client, "a", 0..700).await?;
        client.create_persistent_subscription("a", "g", &from_start()).await?;
        let mut consumer = join(&client, "a", "g", 10).await?;
        assert_eq!(handle(&mut consumer, 700).await?, (0..700).collect::<Vec<_>>());
        append(&client, "a", 700..710).await?;
        assert_eq!(handle(&mut consumer, 10).await?, (700..710).collect::<Vec<_>>());
        comes_nothing(&mut consumer).await;
        // From the end: what came between its making and the first consumer is not lost.
        client.create_persistent_subscription("a", "late", &Default::default()).await?;
        append(&client, "a", 710..712).await?;
        assert_eq!(handle(&mut join(&client, "a", "late", 10).await?, 2).await?, [710, 711]);
        let from = PersistentSubscriptionOptions::default().start_from(StreamPosition::Position(708));
        client.create_persistent_subscription("a", "within", &from).await?;
        assert_eq!(handle(&mut join(&client, "a", "within", 10).await?, 4).await?, [708, 709, 710, 711]);
        Ok(())
    });
}

#[test]
fn consumers_share_events_and_none_is_lost_with_one_of_them() {
    with_client(|client| async move {
        append(&client, "a", 0..100).await?;
        client.create_persistent_subscription("a", "g", &from_start()).await?;
        let mut gone = join(&client, "a", "g", 7).await?;
        for _ in 0..7 {
            next(&mut gone).await?;
        }
        let mut stays = join(&client, "a", "g", 7).await?;
        let mut seen = handle(&mut stays, 10).await?;
        drop(gone);
        seen.extend(handle(&mut stays, 90).await?);
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
        comes_nothing(&mut stays).await;
        Ok(())
    });
}

#[test]
fn what_is_refused_comes_again_and_is_parked_in_the_end() {
    with_client(|client| async move {
        append(&client, "a", 0..4).await?;
        client.create_persistent_subscription("a", "g", &from_start().max_retry_count(2)).await?;
        let mut consumer = join(&client, "a", "g", 10).await?;
        let mut deliveries = BTreeMap::<u64, u32>::new();
        for _ in 0..6 {
            let event = next(&mut consumer).await?;
            *deliveries.entry(number(&event)).or_default() += 1;
            match number(&event) {
                0 => consumer.nack(&event, NakAction::Retry, "again").await?,
                1 => consumer.nack(&event, NakAction::Skip, "nobody needs it").await?,
                2 => consumer.nack(&event, NakAction::Park, "not now").await?,
                _ => consumer.ack(&event).await?,
            }
        }
        assert_eq!(deliveries, BTreeMap::from([(0, 3), (1, 1), (2, 1), (3, 1)]));
        until(&client, "a", "g", |stats| stats.parked_message_count == 2).await?;
        comes_nothing(&mut consumer).await;
        let parked = "$persistentsubscription-a::g-parked";
        let links = ReadStreamOptions::default().resolve_link_tos();
        let mut links = client.read_stream(parked, &links).await?;
        let mut reasons = BTreeMap::new();
        while let Some(link) = links.next().await? {
            let metadata: serde_json::Value =
                serde_json::from_slice(&link.link.as_ref().unwrap().custom_metadata).unwrap();
            assert_eq!(metadata["subscriptionEventNumber"], number(&link));
            reasons.insert(number(&link), metadata["reason"].as_str().unwrap().to_owned());
        }
        assert!(reasons[&0].contains("3 times"), "{reasons:?}");
        assert_eq!(reasons[&2], "Client explicitly NAK'ed message.\nnot now");
        // One of them comes back, then the other; both are then no longer parked.
        let first = ReplayParkedMessagesOptions::default().stop_at(1);
        client.replay_parked_messages("a", "g", &first).await?;
        let mut again = handle(&mut consumer, 1).await?;
        comes_nothing(&mut consumer).await;
        client.replay_parked_messages("a", "g", &Default::default()).await?;
        again.extend(handle(&mut consumer, 1).await?);
        again.sort_unstable();
        assert_eq!(again, [0, 2]);
        until(&client, "a", "g", |stats| stats.parked_message_count == 0).await?;
        client.replay_parked_messages("a", "g", &Default::default()).await?;
        comes_nothing(&mut consumer).await;
        Ok(())
    });
}

#[test]
fn what_takes_too_long_goes_to_others_and_a_late_ack_still_counts() {
    with_client(|client| async move {
        append(&client, "a", 0..2).await?;
        let options = from_start().message_timeout(Duration::from_millis(1_000));
        client.create_persistent_subscription("a", "g", &options).await?;
        let mut slow = join(&client, "a", "g", 2).await?;
        let held = [next(&mut slow).await?, next(&mut slow).await?];
        let mut quick = join(&client, "a", "g", 1).await?;
        let again = next(&mut quick).await?;
        assert_eq!(number(&again), 0);
        quick.ack(&again).await?;
        slow.ack(&held[1]).await?;
        until(&client, "a", "g", |stats| stats.outstanding_messages_count == 0).await?;
        Ok(())
    });
}

#[test]
fn the_log_is_shared_with_a_filter_and_without_the_groups_own_events() {
    with_client(|client| async move {
        append(&client, "x-1", 0..3).await?;
        append(&client, "y-1", 3..5).await?;
        append(&client, "x-2", 5..7).await?;
        let options = PersistentSubscriptionToAllOptions::default().start_from(StreamPosition::Start);
        let filtered = options.clone().filter(SubscriptionFilter::on_stream_name().add_prefix("x-"));
        client.create_persistent_subscription_to_all("filtered", &filtered).await?;
        let all = options.checkpoint_upper_bound(1);
        client.create_persistent_subscription_to_all("all", &all).await?;
        let join = |group: &'static str| {
            let client = client.clone();
            async move { client.subscribe_to_persistent_subscription_to_all(group, &Default::default()).await }
        };
        let mut some = join("filtered").await?;
        assert_eq!(handle(&mut some, 5).await?, [0, 1, 2, 5, 6]);
        let mut every = join("all").await?;
        let mut user_events = Vec::new();
        // Two configurations are also events of the log.
        for _ in 0..9 {
            let event = next(&mut every).await?;
            every.ack(&event).await?;
            let stream = event.get_original_stream_id().to_owned();
            if stream.starts_with('$') {
                assert_eq!(stream, "$persistentSubscriptionConfig");
            } else {
                user_events.push(number(&event));
            }
        }
        assert_eq!(user_events, [0, 1, 2, 3, 4, 5, 6]);
        // Its checkpoints, written after each event, do not come to itself.
        comes_nothing(&mut every).await;
        append(&client, "x-3", 7..8).await?;
        assert_eq!(handle(&mut some, 1).await?, [7]);
        assert_eq!(handle(&mut every, 1).await?, [7]);
        let info = client.get_persistent_subscription_info_to_all("filtered", &Default::default()).await?;
        assert_eq!((info.event_source.as_str(), info.group_name.as_str()), ("$all", "filtered"));
        assert!(info.stats.last_known_position.is_some());
        Ok(())
    });
}

#[test]
fn links_are_resolved_and_acked_by_their_own_ids() {
    with_client(|client| async move {
        append(&client, "target", 0..2).await?;
        for link in ["1@target", "0@target"] {
            let link = EventData::binary("$>", link.to_owned().into());
            client.append_to_stream("links", &Default::default(), link).await?;
        }
        client.create_persistent_subscription("links", "g", &from_start().resolve_link_tos(true)).await?;
        let mut consumer = join(&client, "links", "g", 10).await?;
        let event = next(&mut consumer).await?;
        assert_eq!(number(&event), 1);
        assert_eq!(event.link.as_ref().unwrap().stream_id(), "links");
        consumer.ack(&event).await?;
        let event = next(&mut consumer).await?;
        consumer.nack(&event, NakAction::Park, "later").await?;
        until(&client, "links", "g", |stats| stats.parked_message_count == 1).await?;
        client.replay_parked_messages("links", "g", &Default::default()).await?;
        let event = next(&mut consumer).await?;
        assert_eq!((number(&event), event.event.as_ref().unwrap().stream_id()), (0, "target"));
        consumer.ack(&event).await?;
        until(&client, "links", "g", |stats| stats.parked_message_count == 0).await
    });
}

#[test]
fn groups_are_made_listed_changed_and_ended() {
    with_client(|client| async move {
        let none = client.get_persistent_subscription_info("a", "g", &Default::default()).await;
        assert!(matches!(none, Err(Error::ResourceNotFound)), "{none:?}");
        assert!(matches!(join(&client, "a", "g", 10).await, Err(Error::ResourceNotFound)));
        let options = from_start().max_subscriber_count(1).max_retry_count(7);
        client.create_persistent_subscription("a", "g", &options).await?;
        client.create_persistent_subscription("a", "h", &Default::default()).await?;
        client.create_persistent_subscription_to_all("g", &Default::default()).await?;
        let twice = client.create_persistent_subscription("a", "g", &options).await;
        assert!(matches!(twice, Err(Error::ResourceAlreadyExists)), "{twice:?}");
        let too_small =
            client.create_persistent_subscription("a", "small", &from_start().history_buffer_size(20)).await;
        assert!(matches!(too_small, Err(Error::ServerError(_))), "{too_small:?}");

        let info = client.get_persistent_subscription_info("a", "g", &Default::default()).await?;
        let settings = info.settings.unwrap();
        assert_eq!(settings.start_from, StreamPosition::Start);
        assert_eq!((settings.max_retry_count, settings.max_subscriber_count), (7, 1));
        assert_eq!(settings.consumer_strategy_name, SystemConsumerStrategy::RoundRobin);
        let all = client.list_all_persistent_subscriptions(&Default::default()).await?;
        assert_eq!(all.len(), 3);
        let of_a = client.list_persistent_subscriptions_for_stream("a", &Default::default()).await?;
        let names: Vec<_> = of_a.into_iter().map(|info| info.group_name).collect();
        assert_eq!(names, ["g", "h"]);
        assert_eq!(client.list_persistent_subscriptions_to_all(&Default::default()).await?.len(), 1);
        let none = client.list_persistent_subscriptions_for_stream("b", &Default::default()).await;
        assert!(matches!(none, Err(Error::ResourceNotFound)), "{none:?}");

        append(&client, "a", 0..3).await?;
        let mut consumer = join(&client, "a", "g", 10).await?;
        let crowd = join(&client, "a", "g", 10).await;
        match crowd {
            Err(Error::Grpc { message, .. }) => assert!(message.starts_with("Maximum subscriptions reached")),
            _ => panic!("there was room for two"),
        }
        assert_eq!(handle(&mut consumer, 2).await?, [0, 1]);
        client.update_persistent_subscription("a", "g", &from_start().max_retry_count(9)).await?;
        next(&mut consumer).await.ok();
        let dropped = next(&mut consumer).await;
        assert!(matches!(dropped, Err(Error::IllegalStateError(_))), "{dropped:?}");
        // It goes on where it was.
        let mut consumer = join(&client, "a", "g", 10).await?;
        assert_eq!(handle(&mut consumer, 1).await?, [2]);
        let info = client.get_persistent_subscription_info("a", "g", &Default::default()).await?;
        assert_eq!(info.settings.unwrap().max_retry_count, 9);
        assert_eq!(info.connections.len(), 1);

        client.restart_persistent_subscription_subsystem(&Default::default()).await?;
        assert!(matches!(next(&mut consumer).await, Err(Error::IllegalStateError(_))));
        let mut consumer = join(&client, "a", "g", 10).await?;
        comes_nothing(&mut consumer).await;

        client.delete_persistent_subscription("a", "g", &Default::default()).await?;
        assert!(matches!(next(&mut consumer).await, Err(Error::ResourceNotFound)));
        let gone = client.delete_persistent_subscription("a", "g", &Default::default()).await;
        assert!(matches!(gone, Err(Error::ResourceNotFound)), "{gone:?}");
        let gone = client.update_persistent_subscription("a", "g", &options).await;
        assert!(matches!(gone, Err(Error::ResourceNotFound)), "{gone:?}");
        // One of the same name knows nothing of it.
        client.create_persistent_subscription("a", "g", &from_start()).await?;
        assert_eq!(handle(&mut join(&client, "a", "g", 10).await?, 3).await?, [0, 1, 2]);
        Ok(())
    });
}

#[test]
fn pinned_streams_stay_with_one_consumer() {
    with_client(|client| async move {
        let strategy = SystemConsumerStrategy::Pinned;
        let options = PersistentSubscriptionToAllOptions::default()
            .start_from(StreamPosition::Start)
            .consumer_strategy_name(strategy)
            .filter(SubscriptionFilter::on_stream_name().add_prefix("s-"));
        client.create_persistent_subscription_to_all("g", &options).await?;
        let mut consumers = Vec::new();
        for _ in 0..3 {
            let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(100);
            consumers.push(client.subscribe_to_persistent_subscription_to_all("g", &options).await?);
        }
        for round in 0..5 {
            for stream in 0..20 {
                append(&client, &format!("s-{stream}"), round..round + 1).await?;
            }
        }
        let mut owners = BTreeMap::<String, usize>::new();
        let mut count = 0;
        for (consumer, subscription) in consumers.iter_mut().enumerate() {
            let waited = Duration::from_millis(500);
            while let Ok(event) = tokio::time::timeout(waited, subscription.next()).await {
                let event = event?;
                subscription.ack(&event).await?;
                count += 1;
                let stream = event.get_original_stream_id().to_owned();
                assert_eq!(*owners.entry(stream).or_insert(consumer), consumer);
            }
        }
        assert_eq!((count, owners.len()), (100, 20));
        assert!(owners.values().collect::<std::collections::BTreeSet<_>>().len() > 1, "one consumer has all");
        Ok(())
    });
}

/// Also over a restart, and until the last of them was replayed and handled.
#[test]
fn a_stream_is_parked_as_a_whole_where_that_is_wanted() {
    let options = || SubscribeToPersistentSubscriptionOptions::default().buffer_size(100);
    let host = Host::start();
    // The client has no words of its own for a strategy.
    let filter = FilterOptions {
        filter: Some(Subject::StreamIdentifier(Expression {
            regex: String::new(),
            prefix: vec!["s-".to_owned()],
        })),
        window: Some(Window::Count(Empty {})),
        checkpoint_interval_multiplier: 1,
    };
    let all = AllOptions {
        all_option: Some(AllOption::Start(Empty {})),
        filter_option: Some(GroupFilter::Filter(filter)),
    };
    let settings = Settings {
        message_timeout: Some(MessageTimeout::MessageTimeoutMs(30_000)),
        max_retry_count: 10,
        max_checkpoint_count: 100,
        live_buffer_size: 100,
        read_batch_size: 20,
        history_buffer_size: 100,
        consumer_strategy: "PinnedInSequence".to_owned(),
        ..Settings::default()
    };
    let made = create_req::Options {
        stream_identifier: None,
        group_name: "g".to_owned(),
        settings: Some(settings),
        stream_option: Some(create_req::options::StreamOption::All(all)),
    };
    runtime().block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", host.address)).unwrap();
        let mut groups = PersistentSubscriptionsClient::new(endpoint.connect().await.unwrap());
        groups.create(CreateReq { options: Some(made) }).await.unwrap();
    });
    on(&host, |client| async move {
        append(&client, "s-bad", 0..3).await?;
        append(&client, "s-good", 10..13).await?;
        let mut consumer = client.subscribe_to_persistent_subscription_to_all("g", &options()).await?;
        let mut handled = Vec::new();
        while handled.len() < 3 {
            let event = next(&mut consumer).await?;
            match number(&event) {
                0 => consumer.nack(&event, NakAction::Park, "no").await?,
                n => {
                    consumer.ack(&event).await?;
                    handled.push(n);
                }
            }
        }
        assert_eq!(handled, [10, 11, 12]);
        comes_nothing(&mut consumer).await;
        Ok(())
    });
    let host = host.restarted();
    on(&host, |client| async move {
        append(&client, "s-bad", 3..4).await?;
        append(&client, "s-good", 13..14).await?;
        let mut consumer = client.subscribe_to_persistent_subscription_to_all("g", &options()).await?;
        assert_eq!(handle(&mut consumer, 1).await?, [13]);
        comes_nothing(&mut consumer).await;
        client.replay_parked_messages_to_all("g", &Default::default()).await?;
        assert_eq!(handle(&mut consumer, 4).await?, [0, 1, 2, 3]);
        append(&client, "s-bad", 4..5).await?;
        assert_eq!(handle(&mut consumer, 1).await?, [4]);
        Ok(())
    });
}

#[test]
fn what_was_acked_does_not_come_again_after_a_restart() {
    let host = Host::start();
    on(&host, |client| async move {
        append(&client, "a", 0..100).await?;
        client.create_persistent_subscription("a", "g", &from_start()).await?;
        let mut consumer = join(&client, "a", "g", 100).await?;
        // One takes long, one is parked, the others are done.
        for _ in 0..100 {
            let event = next(&mut consumer).await?;
            match number(&event) {
                3 => {}
                50 => consumer.nack(&event, NakAction::Park, "why not").await?,
                _ => consumer.ack(&event).await?,
            }
        }
        until(&client, "a", "g", |stats| stats.outstanding_messages_count == 1).await
    });
    let host = host.restarted();
    on(&host, |client| async move {
        append(&client, "a", 100..101).await?;
        let mut consumer = join(&client, "a", "g", 10).await?;
        assert_eq!(handle(&mut consumer, 2).await?, [3, 100]);
        comes_nothing(&mut consumer).await;
        client.replay_parked_messages("a", "g", &Default::default()).await?;
        assert_eq!(handle(&mut consumer, 1).await?, [50]);
        Ok(())
    });
}

#[test]
fn after_a_crash_only_what_no_checkpoint_covers_comes_again() {
    let host = Host::start();
    on(&host, |client| async move {
        append(&client, "a", 0..1_000).await?;
        let options = from_start().checkpoint_upper_bound(100).checkpoint_lower_bound(10);
        client.create_persistent_subscription("a", "g", &options).await?;
        let mut consumer = join(&client, "a", "g", 20).await?;
        for _ in 0..1_000 {
            let event = next(&mut consumer).await?;
            match number(&event) {
                n if n % 100 == 99 => consumer.nack(&event, NakAction::Park, "one in a hundred").await?,
                0 => {}
                _ => consumer.ack(&event).await?,
            }
        }
        until(&client, "a", "g", |stats| stats.parked_message_count == 10).await
    });
    let crashed = host.crashed();
    on(&crashed, |client| async move {
        until(&client, "a", "g", |stats| stats.parked_message_count == 10).await?;
        let mut consumer = join(&client, "a", "g", 500).await?;
        let mut again = Vec::new();
        let waited = Duration::from_millis(700);
        while let Ok(event) = tokio::time::timeout(waited, consumer.next()).await {
            let event = event?;
            consumer.ack(&event).await?;
            again.push(number(&event));
        }
        assert_eq!(again[0], 0, "the one that took long");
        assert!(again.len() <= 101, "{} came again", again.len());
        assert!(again.iter().all(|n| n % 100 != 99), "what is parked came again: {again:?}");
        Ok(())
    });
}

#[test]
fn how_late_a_group_is_can_be_read_over_http() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = Host::start();
    on(&host, |client| async move {
        append(&client, "a", 0..5).await?;
        client.create_persistent_subscription("a", "g", &from_start()).await?;
        let mut consumer = join(&client, "a", "g", 10).await?;
        assert_eq!(handle(&mut consumer, 2).await?, [0, 1]);
        until(&client, "a", "g", |stats| stats.outstanding_messages_count == 3).await
    });
    let told: serde_json::Value = runtime().block_on(async {
        let mut socket = tokio::net::TcpStream::connect(host.address).await.unwrap();
        let request = "GET /subscriptions HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/json"), "{head}");
        serde_json::from_str(body).unwrap()
    });
    let group = &told[0];
    assert_eq!((&group["eventStreamId"], &group["groupName"]), (&json!("a"), &json!("g")));
    assert_eq!((&group["lagEvents"], &group["lastKnownEventPosition"]), (&json!(3), &json!("4")));
    assert!(group["lagSeconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn parked_events_are_given_up_when_asked() {
    let host = Host::start();
    on(&host, |client| async move {
        append(&client, "a", 0..3).await?;
        client.create_persistent_subscription("a", "g", &from_start()).await?;
        let mut consumer = join(&client, "a", "g", 10).await?;
        for _ in 0..3 {
            let event = next(&mut consumer).await?;
            consumer.nack(&event, NakAction::Park, "no").await?;
        }
        until(&client, "a", "g", |stats| stats.parked_message_count == 3).await
    });
    // The client has no such call yet.
    let truncate = |stop_at| TruncateParkedReq {
        options: Some(truncate_parked_req::Options {
            group_name: "g".to_owned(),
            stream_option: Some(truncate_parked_req::options::StreamOption::StreamIdentifier(
                factum_wire::stream::encode(&StreamName::new("a").unwrap()),
            )),
            stop_at_option: Some(stop_at),
        }),
    };
    let call = |stop_at| {
        runtime().block_on(async {
            let endpoint = Endpoint::from_shared(format!("http://{}", host.address)).unwrap();
            let mut groups = PersistentSubscriptionsClient::new(endpoint.connect().await.unwrap());
            groups.truncate_parked(truncate(stop_at)).await.map(drop)
        })
    };
    call(StopAtOption::StopAt(1)).unwrap();
    on(&host, |client| async move {
        until(&client, "a", "g", |stats| stats.parked_message_count == 2).await?;
        client.replay_parked_messages("a", "g", &Default::default()).await?;
        let mut consumer = join(&client, "a", "g", 10).await?;
        assert_eq!(number(&next(&mut consumer).await?), 1);
        // Deleting the stream gives up the rest; what is in flight is delivered still.
        assert_eq!(number(&next(&mut consumer).await?), 2);
        client.delete_stream("$persistentsubscription-a::g-parked", &Default::default()).await?;
        until(&client, "a", "g", |stats| stats.parked_message_count == 0).await?;
        append(&client, "a", 3..4).await?;
        let event = next(&mut consumer).await?;
        assert_eq!(number(&event), 3);
        consumer.nack(&event, NakAction::Park, "once more").await?;
        until(&client, "a", "g", |stats| stats.parked_message_count == 1).await
    });
    call(StopAtOption::NoLimit(Empty {})).unwrap();
    on(
        &host,
        |client| async move { until(&client, "a", "g", |stats| stats.parked_message_count == 0).await },
    );
}

#[test]
fn a_consumer_that_stops_is_dropped_and_loses_nothing() {
    with_client(|client| async move {
        append(&client, "a", 0..2).await?;
        client.create_persistent_subscription("a", "g", &from_start()).await?;
        let mut stops = join(&client, "a", "g", 1).await?;
        let event = next(&mut stops).await?;
        stops.nack(&event, NakAction::Stop, "enough").await?;
        assert!(matches!(next(&mut stops).await, Err(Error::IllegalStateError(_))));
        let mut other = join(&client, "a", "g", 2).await?;
        assert_eq!(handle(&mut other, 2).await?, [0, 1]);
        Ok(())
    });
}

/// How a group stands follows from how far it has read, not from who is there.
#[test]
fn a_group_that_nobody_reads_is_live_as_soon_as_it_has_read_what_there_is() {
    with_client(|client| async move {
        append(&client, "a", 0..3).await?;
        append(&client, "b", 0..700).await?;
        let from_start = from_start();
        client.create_persistent_subscription("a", "start", &from_start).await?;
        client.create_persistent_subscription("a", "end", &Default::default()).await?;
        client.create_persistent_subscription("none", "g", &from_start).await?;
        client.create_persistent_subscription("b", "g", &from_start).await?;
        let options = PersistentSubscriptionToAllOptions::default().start_from(StreamPosition::Start);
        let filter = SubscriptionFilter::on_stream_name().add_prefix("a");
        client.create_persistent_subscription_to_all("all", &options.filter(filter)).await?;
        let status = async |stream: &str, group: &str| {
            let info = client.get_persistent_subscription_info(stream, group, &Default::default()).await;
            info.unwrap().status
        };
        for (stream, group) in [("a", "start"), ("a", "end"), ("none", "g")] {
            assert_eq!(status(stream, group).await, "Live", "{stream}::{group}");
        }
        let all = client.get_persistent_subscription_info_to_all("all", &Default::default()).await?;
        assert_eq!(all.status, "Live");
        // More than there is room for: it is behind until somebody takes them.
        assert_eq!(status("b", "g").await, "Behind");
        let mut consumer = join(&client, "b", "g", 100).await?;
        assert_eq!(handle(&mut consumer, 700).await?.len(), 700);
        until(&client, "b", "g", |stats| stats.outstanding_messages_count == 0).await?;
        assert_eq!(status("b", "g").await, "Live");
        drop(consumer);
        assert_eq!(status("b", "g").await, "Live");
        // One that is live falls behind when its room is full.
        append(&client, "a", 3..1_000).await?;
        for _ in 0..100 {
            if status("a", "start").await == "Behind" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(status("a", "start").await, "Behind");
        assert_eq!(handle(&mut join(&client, "a", "start", 100).await?, 1_000).await?.len(), 1_000);
        Ok(())
    });
}

/// One that does not say what it calls itself, and what it took for its events.
#[test]
fn consumers_are_told_with_their_names_and_what_was_measured() {
    let host = Host::start();
    on(&host, |client| async move {
        append(&client, "a", 0..2).await?;
        let options = from_start().extra_statistics(true);
        client.create_persistent_subscription("a", "g", &options).await?;
        Ok(())
    });
    let stream = factum_wire::stream::encode(&StreamName::new("a").unwrap());
    runtime().block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", host.address)).unwrap();
        let mut groups = PersistentSubscriptionsClient::new(endpoint.connect().await.unwrap());
        let (say, saying) = tokio::sync::mpsc::channel(4);
        let join = read_req::Options {
            group_name: "g".to_owned(),
            buffer_size: 10,
            uuid_option: None,
            stream_option: Some(read_req::options::StreamOption::StreamIdentifier(stream.clone())),
        };
        say.send(ReadReq { content: Some(read_req::Content::Options(join)) }).await.unwrap();
        let saying = tokio_stream::wrappers::ReceiverStream::new(saying);
        let mut told = groups.read(saying).await.unwrap().into_inner();
        let mut first = None;
        while first.is_none() {
            if let Some(Told::Event(event)) = told.message().await.unwrap().unwrap().content {
                first = event.event.unwrap().id;
            }
        }
        let info = || GetInfoReq {
            options: Some(get_info_req::Options {
                group_name: "g".to_owned(),
                stream_option: Some(get_info_req::options::StreamOption::StreamIdentifier(stream.clone())),
            }),
        };
        let mut consumer = groups.get_info(info()).await.unwrap().into_inner().subscription_info.unwrap();
        let consumer = consumer.connections.remove(0);
        assert_eq!(
            (consumer.connection_name.as_str(), consumer.username.as_str()),
            ("<unknown>", "anonymous")
        );
        let keys = |measured: &[Measurement]| -> Vec<String> {
            measured.iter().map(|measured| measured.key.clone()).collect()
        };
        assert_eq!(keys(&consumer.observed_measurements), ["delivered", "per_second"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let ack = read_req::Ack { id: Vec::new(), ids: vec![first.unwrap()] };
        say.send(ReadReq { content: Some(read_req::Content::Ack(ack)) }).await.unwrap();
        let mut measured = Vec::new();
        while measured.len() <= 2 {
            let told = groups.get_info(info()).await.unwrap().into_inner().subscription_info.unwrap();
            measured = told.connections[0].observed_measurements.clone();
        }
        let fastest = measured.iter().find(|measured| measured.key == "Fastest").unwrap();
        assert!((50..5_000).contains(&fastest.value), "{measured:?}");
        assert_eq!(keys(&measured)[0], "Mean");
    });
}

/// Four consumers share so many events, the first of them parking every
/// hundredth it gets; how long that takes from the first event to the last.
fn four_consumers(count: u64) -> Duration {
    let host = Host::start();
    let (tell, told) = std::sync::mpsc::channel();
    on(&host, |client| async move {
        for first in (0..count).step_by(1_000) {
            append(&client, "a", first..(first + 1_000).min(count)).await?;
        }
        let options = from_start().history_buffer_size(5_000).read_batch_size(500);
        client.create_persistent_subscription("a", "g", &options).await?;
        let handled = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let begun = std::time::Instant::now();
        let consumers = (0..4).map(|n| {
            let (client, handled) = (client.clone(), handled.clone());
            tokio::spawn(async move {
                use std::sync::atomic::Ordering::SeqCst;
                let mut consumer = join(&client, "a", "g", 500).await?;
                let (mut acked, mut parked, mut last) = (Vec::new(), Vec::new(), begun.elapsed());
                while handled.load(SeqCst) < count {
                    let waited = Duration::from_millis(300);
                    let Ok(event) = tokio::time::timeout(waited, consumer.next()).await else { continue };
                    let event = event?;
                    if n == 0 && (acked.len() + parked.len()) % 100 == 99 {
                        consumer.nack(&event, NakAction::Park, "one in a hundred").await?;
                        parked.push(number(&event));
                    } else {
                        consumer.ack(&event).await?;
                        acked.push(number(&event));
                    }
                    handled.fetch_add(1, SeqCst);
                    last = begun.elapsed();
                }
                // Gone, it could take answers with it that are still on their way.
                Ok::<_, Error>((acked, parked, last, consumer))
            })
        });
        let consumers: Vec<_> = consumers.collect();
        let (mut all, mut parked_count, mut took) = (Vec::new(), 0, Duration::ZERO);
        let mut still_here = Vec::new();
        for consumer in consumers {
            let (acked, parked, last, consumer) = consumer.await.unwrap()?;
            still_here.push(consumer);
            assert!(!acked.is_empty(), "one of them got nothing");
            parked_count += parked.len();
            all.extend(acked);
            all.extend(parked);
            took = took.max(last);
        }
        all.sort_unstable();
        let twice: Vec<_> = all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert!(twice.is_empty(), "came twice: {twice:?}");
        assert!(all.iter().copied().eq(0..count), "some were lost");
        until(&client, "a", "g", |stats| stats.parked_message_count == parked_count).await?;
        tell.send(took).unwrap();
        Ok(())
    });
    told.recv().unwrap()
}

#[test]
fn four_consumers_share_events_and_none_is_lost_or_comes_twice() {
    four_consumers(5_000);
}

/// The figure: with optimisation, on a machine with nothing else to do.
#[test]
#[ignore = "a measurement, for a quiet machine: cargo test --release -p factum-server --test it -- --ignored"]
fn four_consumers_handle_20_000_events_a_second() {
    let (count, took) = (200_000_u32, four_consumers(200_000));
    let rate = f64::from(count) / took.as_secs_f64();
    println!("4 consumers, one parking every 100th event: {rate:.0} events/s");
    assert!(rate >= 20_000.0, "{rate:.0} events/s");
}
