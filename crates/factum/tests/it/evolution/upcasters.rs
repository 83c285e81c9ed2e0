use factum::event::WhyUnreadable;
use factum::prelude::*;
use serde_json::{Value, json};

use super::{append, decode, read, told};

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);

// By types.

#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "AccountOpened")]
struct OpenedV1 {
    #[id]
    id: AccountId,
    owner: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "AccountOpened", version = 2, from = OpenedV1)]
struct OpenedV2 {
    #[id]
    id: AccountId,
    owner: String,
    limit: u64,
}

impl From<OpenedV1> for OpenedV2 {
    fn from(old: OpenedV1) -> Self {
        Self { id: old.id, owner: old.owner, limit: 100 }
    }
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Account {
    #[event(version = 3, from = OpenedV2)]
    Opened {
        #[id]
        id: AccountId,
        holder: String,
        limit_cents: u64,
    },
    // By functions over JSON.
    #[event(version = 3, upcast(1 = in_cents, 2 = with_source))]
    Deposited {
        #[id]
        id: AccountId,
        cents: u64,
        source: String,
    },
    // Both: the older versions lie behind the struct that `from` names.
    #[event(version = 3, from = ClosedV2)]
    Closed {
        #[id]
        id: AccountId,
        reason: Option<String>,
        by: String,
    },
}

impl From<OpenedV2> for Account {
    fn from(old: OpenedV2) -> Self {
        Self::Opened { id: old.id, holder: old.owner, limit_cents: old.limit * 100 }
    }
}

fn in_cents(mut data: Value) -> Result<Value, String> {
    let fields = data.as_object_mut().ok_or("not an object")?;
    let amount = fields.remove("amount").and_then(|amount| amount.as_u64()).ok_or("no amount")?;
    fields.insert("cents".into(), json!(amount * 100));
    Ok(data)
}

fn with_source(mut data: Value) -> Result<Value, String> {
    data["source"] = json!("cash");
    Ok(data)
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "AccountClosed", version = 2, upcast(1 = with_reason))]
struct ClosedV2 {
    #[id]
    id: AccountId,
    reason: String,
}

fn with_reason(mut data: Value) -> Result<Value, String> {
    data["reason"] = json!("unknown");
    Ok(data)
}

impl From<ClosedV2> for Account {
    fn from(old: ClosedV2) -> Self {
        Self::Closed { id: old.id, reason: Some(old.reason), by: "nobody".into() }
    }
}

#[test]
fn types_lead_from_each_version_to_the_newest() {
    let opened =
        |holder: &str, limit_cents| Account::Opened { id: "ada".into(), holder: holder.into(), limit_cents };
    let rows = [
        (1, json!({"id": "ada", "owner": "Ada"}), opened("Ada", 10_000)),
        (2, json!({"id": "ada", "owner": "Ada", "limit": 7}), opened("Ada", 700)),
        (3, json!({"id": "ada", "holder": "Ada", "limit_cents": 5}), opened("Ada", 5)),
    ];
    for (version, data, expected) in rows {
        assert_eq!(read::<Account>("AccountOpened", version, data), expected, "version {version}");
    }
}

#[test]
fn functions_over_json_lead_from_each_version_to_the_newest() {
    let deposited =
        |cents, source: &str| Account::Deposited { id: "ada".into(), cents, source: source.into() };
    let rows = [
        (1, json!({"id": "ada", "amount": 5}), deposited(500, "cash")),
        (2, json!({"id": "ada", "cents": 5}), deposited(5, "cash")),
        (3, json!({"id": "ada", "cents": 5, "source": "card"}), deposited(5, "card")),
    ];
    for (version, data, expected) in rows {
        assert_eq!(read::<Account>("AccountDeposited", version, data), expected, "version {version}");
    }
}

#[test]
fn both_kinds_can_follow_one_another() {
    let closed = |reason: Option<&str>, by: &str| Account::Closed {
        id: "ada".into(),
        reason: reason.map(Into::into),
        by: by.into(),
    };
    let rows = [
        (1, json!({"id": "ada"}), closed(Some("unknown"), "nobody")),
        (2, json!({"id": "ada", "reason": "moved"}), closed(Some("moved"), "nobody")),
        (3, json!({"id": "ada", "by": "bob"}), closed(None, "bob")),
    ];
    for (version, data, expected) in rows {
        assert_eq!(read::<Account>("AccountClosed", version, data), expected, "version {version}");
    }
}

#[test]
fn shapes_say_how_far_back_the_chains_reach() {
    let shapes = Account::shapes();
    let reach: Vec<_> = shapes.iter().map(|shape| (shape.name, shape.version, shape.oldest)).collect();
    assert_eq!(reach, [("AccountOpened", 3, 1), ("AccountDeposited", 3, 1), ("AccountClosed", 3, 1)]);
}

#[test]
fn an_upcaster_that_refuses_says_so_in_its_words() {
    let error = decode::<Account>("AccountDeposited", 1, &json!({"id": "ada"})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "AccountDeposited version 1: the upcaster from version 1 refused it: no amount"
    );
}

// Ten and more.

#[derive(Event, Clone, Debug, PartialEq)]
#[event(version = 12, upcast(
    2 = count, 3 = count, 4 = count, 5 = count, 6 = count, 7 = count, 8 = count, 9 = count, 10 = count, 11 = count
))]
struct Counted {
    #[id]
    id: AccountId,
    steps: u32,
}

fn count(mut data: Value) -> Result<Value, String> {
    data["steps"] = json!(data["steps"].as_u64().ok_or("no steps")? + 1);
    Ok(data)
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Counted)]
struct Steps {
    #[key]
    id: AccountId,
    seen: Vec<u32>,
}

impl Evolve<Counted> for Steps {
    fn evolve(&mut self, event: &Counted) {
        self.seen.push(event.steps);
    }
}

#[test]
fn versions_are_numbers_not_texts() {
    let store = Store::memory();
    for version in [9, 10, 11, 12, 2] {
        append(&store, "counted-a", "Counted", version, &json!({"id": "a", "steps": 0}));
    }
    assert_eq!(store.load(Steps::of("a")).run().unwrap().seen, [3, 2, 1, 0, 10]);
}

#[test]
fn a_missing_link_names_type_version_and_place() {
    let store = Store::memory();
    append(&store, "counted-a", "Counted", 12, &json!({"id": "a", "steps": 0}));
    append(&store, "counted-a", "Counted", 1, &json!({"id": "a", "steps": 0}));
    let error = store.load(Steps::of("a")).run().unwrap_err();
    assert_eq!(
        told(&error),
        "the event at position 1 (counted-a revision 1) cannot be read: Counted version 1: \
         no upcaster leads from version 1: add `from = ...` or `upcast(1 = ...)` to the event"
    );
    for version in [0, 1] {
        let error = decode::<Counted>("Counted", version, &json!({"id": "a", "steps": 0})).unwrap_err();
        assert!(matches!(error.why, WhyUnreadable::NoUpcaster { version: at } if at == version), "{error}");
    }
}

#[test]
fn data_of_another_shape_names_what_is_missing() {
    let error = decode::<Account>("AccountOpened", 2, &json!({"id": "ada", "owner": "Ada"})).unwrap_err();
    assert_eq!((error.event_type.as_str(), error.version), ("AccountOpened", 2));
    assert!(error.to_string().contains("missing field `limit`"), "{error}");
}
