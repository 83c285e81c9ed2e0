//! The rules, each as given, when, then.

use factum::testing::{fold_is_deterministic, given};

use crate::command::{AddItem, Create, Invalid, RemoveItem, Submit};
use crate::event::OrderEvent;
use crate::state::{Order, Rejection};

fn order() -> Order {
    Order::of("7")
}

fn created() -> OrderEvent {
    OrderEvent::Created { id: "7".into(), customer: "ada".into() }
}

fn added(product: &str, quantity: u32, unit_price_cents: u32) -> OrderEvent {
    OrderEvent::ItemAdded { id: "7".into(), product: product.into(), quantity, unit_price_cents }
}

fn removed(product: &str) -> OrderEvent {
    OrderEvent::ItemRemoved { id: "7".into(), product: product.into() }
}

fn submitted(total_cents: u64, items: usize) -> OrderEvent {
    OrderEvent::Submitted { id: "7".into(), total_cents, items }
}

fn add(product: &str, quantity: i64, unit_price_cents: i64) -> AddItem {
    AddItem::parse(product, quantity, unit_price_cents).unwrap()
}

#[test]
fn it_runs() {
    crate::main().unwrap();
}

#[test]
fn a_command_that_is_wrong_by_itself_never_becomes_one() {
    assert_eq!(AddItem::parse("apple", 0, 1), Err(Invalid::Quantity));
    assert_eq!(AddItem::parse("apple", -1, 1), Err(Invalid::Quantity));
    assert_eq!(AddItem::parse("apple", 1, -1), Err(Invalid::Price));
    assert_eq!(AddItem::parse("", 1, 1), Err(Invalid::Product));
    assert!(AddItem::parse("gift", 1, 0).is_ok());
}

#[test]
fn an_order_is_created_once() {
    given(()).when_command(order(), Create { customer: "ada".into() }).then(created());
    given(created())
        .when_command(order(), Create { customer: "ada".into() })
        .then_rejected(Rejection::Exists);
    given(()).when_command(order(), add("apple", 1, 120)).then_rejected(Rejection::Missing);
    given(()).when_command(order(), Submit).then_rejected(Rejection::Missing);
}

#[test]
fn items_add_up() {
    given((created(), [added("apple", 3, 120), added("pear", 1, 200)]))
        .when_command(order(), add("apple", 2, 120))
        .then(added("apple", 2, 120))
        .then_state(|order| assert_eq!((order.total_cents(), order.items.len()), (800, 2)));
}

#[test]
fn only_what_is_in_the_order_is_removed() {
    given((created(), added("apple", 3, 120)))
        .when_command(order(), RemoveItem { product: "apple".into() })
        .then(removed("apple"))
        .then_state(|order| assert_eq!(order.total_cents(), 0))
        .and(())
        .when_command(order(), RemoveItem { product: "apple".into() })
        .then_rejected(Rejection::NotInOrder("apple".into()));
}

#[test]
fn a_submission_says_what_was_submitted() {
    given((created(), [added("apple", 3, 120), added("pear", 1, 200)]))
        .when_command(order(), Submit)
        .then(submitted(560, 2));
}

#[test]
fn an_empty_order_is_not_submitted() {
    given(created()).when_command(order(), Submit).then_rejected(Rejection::Empty);
    given((created(), [added("apple", 1, 120), removed("apple")]))
        .when_command(order(), Submit)
        .then_rejected(Rejection::Empty);
    assert_eq!(Rejection::Empty.to_string(), "cannot submit empty order");
}

#[test]
fn a_submitted_order_stays_as_it_is() {
    let history = || (created(), added("apple", 1, 120), submitted(120, 1));
    given(history()).when_command(order(), add("pear", 1, 200)).then_rejected(Rejection::Submitted);
    given(history())
        .when_command(order(), RemoveItem { product: "apple".into() })
        .then_rejected(Rejection::Submitted);
    given(history()).when_command(order(), Submit).then_rejected(Rejection::AlreadySubmitted);
}

#[test]
fn another_order_is_another_order() {
    let elsewhere = OrderEvent::Created { id: "8".into(), customer: "ada".into() };
    given(elsewhere).when_command(order(), Submit).then_rejected(Rejection::Missing);
}

#[test]
fn the_same_events_are_the_same_order() {
    fold_is_deterministic(
        order(),
        [created(), added("apple", 3, 120), added("pear", 1, 200), removed("apple"), submitted(200, 1)],
    );
}
