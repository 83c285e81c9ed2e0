//! Whatever the order of old and new events: folding them through upcasters is
//! folding today's events.

use factum::prelude::*;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::append;

#[derive(Id, Clone, Debug, PartialEq)]
struct TillId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "TillPaid")]
struct PaidV1 {
    #[id]
    id: TillId,
    dollars: u32,
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "TillPaid", version = 2, from = PaidV1)]
struct PaidV2 {
    #[id]
    id: TillId,
    cents: u64,
}

impl From<PaidV1> for PaidV2 {
    fn from(old: PaidV1) -> Self {
        Self { id: old.id, cents: u64::from(old.dollars) * 100 }
    }
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Till {
    #[event(version = 3, from = PaidV2)]
    Paid {
        #[id]
        id: TillId,
        cents: u64,
        currency: String,
    },
    #[event(version = 2, upcast(1 = signed))]
    Refunded {
        #[id]
        id: TillId,
        cents: i64,
    },
}

impl From<PaidV2> for Till {
    fn from(old: PaidV2) -> Self {
        Self::Paid { id: old.id, cents: old.cents, currency: "USD".into() }
    }
}

/// Refunds were positive once.
fn signed(mut data: Value) -> Result<Value, String> {
    data["cents"] = json!(-data["cents"].as_i64().ok_or("cents is no number")?);
    Ok(data)
}

#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Till)]
struct Takings {
    #[key]
    id: TillId,
    by_currency: std::collections::BTreeMap<String, u64>,
    refunded: i64,
    order: Vec<i128>,
}

impl Evolve<Till> for Takings {
    fn evolve(&mut self, event: &Till) {
        match event {
            Till::Paid { cents, currency, .. } => {
                *self.by_currency.entry(currency.clone()).or_default() += cents;
                self.order.push(i128::from(*cents));
            }
            Till::Refunded { cents, .. } => {
                self.refunded += cents;
                self.order.push(i128::from(*cents));
            }
        }
    }
}

/// What was stored, and what it means today.
fn stored() -> impl Strategy<Value = (&'static str, u32, Value, Till)> {
    let id = || TillId::from("t");
    let paid = move |cents, currency: &str| Till::Paid { id: id(), cents, currency: currency.into() };
    let refunded = move |cents| Till::Refunded { id: id(), cents };
    prop_oneof![
        any::<u32>().prop_map(move |dollars| {
            ("TillPaid", 1, json!({"id": "t", "dollars": dollars}), paid(u64::from(dollars) * 100, "USD"))
        }),
        any::<u32>().prop_map(move |cents| {
            ("TillPaid", 2, json!({"id": "t", "cents": cents}), paid(cents.into(), "USD"))
        }),
        (any::<u32>(), "[A-Z]{3}").prop_map(move |(cents, currency)| {
            let data = json!({"id": "t", "cents": cents, "currency": currency});
            ("TillPaid", 3, data, paid(cents.into(), &currency))
        }),
        any::<u32>().prop_map(move |cents| {
            ("TillRefunded", 1, json!({"id": "t", "cents": cents}), refunded(-i64::from(cents)))
        }),
        any::<i32>().prop_map(move |cents| {
            ("TillRefunded", 2, json!({"id": "t", "cents": cents}), refunded(cents.into()))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn upcast_then_fold_is_fold_of_current_events(history in prop::collection::vec(stored(), 0..40)) {
        let store = Store::memory();
        let mut expected = Takings::of("t");
        for (event_type, version, data, today) in &history {
            append(&store, "till-t", event_type, *version, data);
            expected.evolve(today);
        }
        let loaded = store.load(Takings::of("t")).run().unwrap();
        prop_assert_eq!(loaded.events, history.len() as u64);
        prop_assert_eq!(loaded.model, expected);
    }
}
