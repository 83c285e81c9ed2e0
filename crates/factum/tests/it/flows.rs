//! Flows: what one action led to, what led to what, and how long it takes.

use std::time::Duration;

use factum::prelude::*;
use factum::{Position, RecordedEvent, Uuid, testing};
use factum_core::{Read, ReadError};

#[derive(Id, Clone, Debug, PartialEq)]
struct OrderId(String);

#[derive(Id, Clone, Debug, PartialEq)]
struct PaymentId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Order {
    Placed { #[id] id: OrderId },
    Shipped { #[id] id: OrderId },
}

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Payment {
    Charged { #[id] id: PaymentId, #[tag] order: OrderId },
}

fn placed(id: &str) -> Order {
    Order::Placed { id: id.into() }
}

fn shipped(id: &str) -> Order {
    Order::Shipped { id: id.into() }
}

fn last(store: &Store) -> RecordedEvent {
    store.events().read(Read::all().backward()).unwrap().next().unwrap().unwrap()
}

/// Places, charges and ships, each caused by the one before; others come in between.
fn bought(store: &Store, clock: &testing::ManualClock, order: &str, seconds: i64) -> Vec<RecordedEvent> {
    let mut flow = Vec::new();
    store.record(placed(order)).run().unwrap();
    flow.push(last(store));
    store.record(placed("another")).run().unwrap();
    clock.advance(seconds * 1_000_000);
    let charged = Payment::Charged { id: format!("p-{order}").into(), order: order.into() };
    store.record(charged).caused_by(&flow[0]).run().unwrap();
    flow.push(last(store));
    clock.advance(seconds * 1_000_000);
    store.record(shipped(order)).caused_by(&flow[1]).run().unwrap();
    flow.push(last(store));
    flow
}

#[test]
fn a_flow_has_every_event_of_one_action_and_what_led_to_what() {
    let (store, clock) = testing::store();
    bought(&store, &clock, "0", 1);
    let bought = bought(&store, &clock, "1", 30);
    let id = bought[0].id;
    let flow = store.flow(id).run().unwrap();
    assert_eq!((flow.correlation_id, &flow.events), (id, &bought));
    assert_eq!(pollster::block_on(async { store.flow(id).await }).unwrap(), flow);
    let chain: Vec<_> = flow.chain(bought[2].id).into_iter().map(|event| event.id).collect();
    assert_eq!(chain, [bought[0].id, bought[1].id, bought[2].id]);
    assert_eq!(flow.chain(Uuid::from_u128(99)), Vec::<&RecordedEvent>::new());
    let caused: Vec<_> = flow.caused_by(bought[0].id).map(|event| event.id).collect();
    assert_eq!(caused, [bought[1].id]);
    assert_eq!(flow.duration(), Duration::from_secs(60));

    let shown = flow.to_string();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], format!("flow {id}: 3 events in 60s"));
    assert!(lines[1].ends_with("Z  OrderPlaced  order-1 revision 0"), "{shown}");
    assert!(lines[2].ends_with("Z    PaymentCharged  payment-p-1 revision 0"), "{shown}");
    assert!(lines[3].ends_with("Z      OrderShipped  order-1 revision 1"), "{shown}");
}

#[test]
fn a_flow_is_looked_for_between_two_moments() {
    let (store, clock) = testing::store();
    let bought = bought(&store, &clock, "1", 30);
    let flow = || store.flow(bought[0].id);
    assert_eq!(flow().from(bought[1].position).run().unwrap().events, bought[1..]);
    assert_eq!(flow().from(bought[1].recorded_at).run().unwrap().events, bought[1..]);
    assert_eq!(flow().until(bought[1].position).run().unwrap().events, bought[..2]);
    assert_eq!(flow().until(bought[1].recorded_at).run().unwrap().events, bought[..2]);
    assert_eq!(flow().until(Position::new(99)).run().unwrap().events, bought);
    let error = flow().from(factum::Revision::FIRST).run().unwrap_err();
    assert!(matches!(error, StoreError::Read(ReadError::RevisionWithoutStream)), "{error:?}");
    assert_eq!(Store::memory().flow(bought[0].id).run().unwrap().events, []);
}

#[test]
fn times_are_taken_in_each_flow_and_open_ones_counted() {
    let (store, clock) = testing::store();
    let ends = (
        |order: &Order| matches!(order, Order::Placed { .. }),
        |order: &Order| matches!(order, Order::Shipped { .. }),
    );
    let none = store.time_between(ends.0, ends.1).run().unwrap();
    assert_eq!((none.percentile(50), none.open), (None, 0));
    for seconds in [3, 1, 2] {
        bought(&store, &clock, &format!("o{seconds}"), seconds);
    }
    // Sent without having been placed, and placed once more in the same flow.
    store.record(shipped("gift")).run().unwrap();
    let again = last(&store);
    store.record(placed("gift")).caused_by(&again).run().unwrap();
    let times = store.time_between(ends.0, ends.1).run().unwrap();
    let seconds = |seconds| Duration::from_secs(seconds);
    assert_eq!(times.durations, [seconds(2), seconds(4), seconds(6)]);
    // The three others that were placed in between, and the gift.
    assert_eq!(times.open, 4);
    assert_eq!((times.percentile(0), times.percentile(50)), (Some(seconds(2)), Some(seconds(4))));
    assert_eq!((times.percentile(67), times.percentile(100)), (Some(seconds(6)), Some(seconds(6))));
    assert_eq!(pollster::block_on(async { store.time_between(ends.0, ends.1).await }).unwrap(), times);
    // Only of the last that was bought.
    let from = last(&store).position.get() - 5;
    let times = store.time_between(ends.0, ends.1).from(Position::new(from)).run().unwrap();
    assert_eq!(times.durations, [seconds(4)]);
}

#[test]
fn times_are_those_at_which_it_happened() {
    let (store, _) = testing::store();
    let at = Timestamp::from_seconds;
    store.record(placed("1")).occurred_at(at(100)).run().unwrap();
    let cause = last(&store);
    store.record(shipped("1")).caused_by(&cause).occurred_at(at(160)).run().unwrap();
    let is_placed = |order: &Order| matches!(order, Order::Placed { .. });
    let times = store.time_between(is_placed, |order: &Order| !is_placed(order)).run().unwrap();
    assert_eq!(times.durations, [Duration::from_secs(60)]);
    assert_eq!(store.flow(cause.id).run().unwrap().duration(), Duration::from_secs(60));
}
