//! One event in three versions, read by the programs of three years, which all
//! run at once: each reads what the others stored.
//!
//! ```text
//!   stored      first: a receipt           second: the tax      third: the packing
//!   version 1   as it is                   through an upcaster  through two
//!   version 2   what it knows of it        as it is             through an upcaster
//!   version 3   its amount it cannot know  what it knows of it  as it is
//! ```
//!
//! The data each program stores lies in `stored/`, and `events.lock` keeps the
//! newest program from ever losing the ability to read it.
//!
//! `cargo run -p factum-examples --bin order-created`

mod first;
mod second;
mod third;

use std::collections::BTreeMap;
use std::error::Error;

use factum::event::Encoded;
use factum::prelude::*;
use serde_json::Value;

#[derive(Id, Clone, Debug, PartialEq)]
struct OrderId(String);

#[derive(Id, Clone, Debug, PartialEq)]
struct CustomerId(String);

const STORED: [(u32, &str); 3] = [
    (1, include_str!("stored/order_created.1.json")),
    (2, include_str!("stored/order_created.2.json")),
    (3, include_str!("stored/order_created.3.json")),
];

fn main() -> Result<(), Box<dyn Error>> {
    let store = Store::memory();
    let one = first::Order::Created {
        order_id: "o1".into(),
        customer_id: "c1".into(),
        amount: Some(10_000),
        timestamp: "2023-11-24T14:30:15Z".into(),
    };
    let two = second::Order::Created {
        order_id: "o2".into(),
        customer_id: "c1".into(),
        amount: Some(10_000),
        currency: "EUR".into(),
        tax: 825,
        timestamp: "2024-11-24T14:30:15Z".into(),
    };
    let three = third::Order::Created {
        order_id: "o3".into(),
        customer_id: "c1".into(),
        line_items: vec![third::LineItem { product_id: "PROD_111".into(), quantity: 2, unit_price: 5_000 }],
        currency: "EUR".into(),
        tax: 825,
        timestamp: "2025-11-24T14:30:15Z".into(),
        metadata: BTreeMap::from([("channel".into(), "web".into())]),
    };
    for ((version, stored), encoded) in
        STORED.into_iter().zip([one.encode()?, two.encode()?, three.encode()?])
    {
        assert_eq!(version, encoded.schema_version);
        assert_eq!(data(&encoded)?, serde_json::from_str::<Value>(stored)?);
    }
    store.record((one, two, three)).run()?;

    let outcomes = [
        ["100.00", "0.00 USD tax", "1 x everything, channel unknown"],
        ["100.00", "8.25 EUR tax", "1 x everything, channel unknown"],
        ["an amount this program cannot know", "8.25 EUR tax", "2 x PROD_111, channel web"],
    ];
    for (order, expected) in ["o1", "o2", "o3"].into_iter().zip(outcomes) {
        let receipt = store.load(first::Receipt::of(order)).run()?;
        let tax = store.load(second::Tax::of(order)).run()?;
        let packing = store.load(third::Packing::of(order)).run()?;
        let found = [&receipt.text, &tax.text, &packing.text];
        assert_eq!(found, expected);
    }
    Ok(())
}

fn data(encoded: &Encoded) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(&encoded.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_shows_is_so() {
        main().unwrap();
    }

    #[test]
    fn the_lock_grew_with_the_programs() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("events.lock");
        factum::evolution::accept::<first::Order>(&lock).unwrap();
        factum::evolution::accept::<second::Order>(&lock).unwrap();
        factum::evolution::accept::<third::Order>(&lock).unwrap();
        assert_eq!(std::fs::read_to_string(lock).unwrap(), include_str!("events.lock"));
    }

    #[test]
    fn what_was_stored_stays_readable() -> Result<(), factum::evolution::LockError> {
        factum::evolution::check::<third::Order>("06-order-created/events.lock")
    }
}
