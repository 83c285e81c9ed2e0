use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

/// Its first sample, as JSON.
fn first<T: DeserializeOwned + Serialize>() -> Value {
    serde_json::to_value(&sample::<T>().unwrap()[0]).unwrap()
}

fn all<T: DeserializeOwned + Serialize>() -> Vec<Value> {
    sample::<T>().unwrap().iter().map(|value| serde_json::to_value(value).unwrap()).collect()
}

#[test]
fn answers_whatever_a_type_asks_for() {
    assert_eq!(first::<(bool, u8, i64, f64, char, String)>(), json!([true, 1, 1, 1.5, "a", "text"]));
    assert_eq!(first::<Option<Vec<u8>>>(), json!([1]));
    assert_eq!(first::<[u16; 3]>(), json!([1, 1, 1]));
    assert_eq!(first::<NonZeroU8>(), json!(1));
    assert_eq!(first::<HashMap<String, u8>>(), json!({"key": 1}));
    assert_eq!(first::<BTreeMap<u8, ()>>(), json!({"1": null}));
    assert_eq!(first::<Uuid>().as_str().unwrap().len(), 36);
    assert_eq!(first::<IpAddr>(), json!({"V4": "127.0.0.1"}).get("V4").unwrap().clone());
    assert_eq!(first::<Duration>(), json!({"secs": 1, "nanos": 1}));
    assert_eq!(first::<Value>(), json!("text"));
    assert_eq!(first::<(u128, i128)>(), json!([1, 1]));
    assert_eq!(first::<()>(), json!(null));
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Person {
    name: String,
    #[serde(alias = "nick_name", alias = "called")]
    nick: Option<String>,
    since: Day,
    #[serde(rename = "limit")]
    max: Limit,
}

/// Accepts one form of text only.
#[derive(Debug, Serialize, PartialEq)]
struct Day(String);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_date = text.len() == 10 && text.as_bytes()[4] == b'-';
        if is_date { Ok(Self(text)) } else { Err(serde::de::Error::custom("a day is wanted")) }
    }
}

/// Accepts numbers over 5.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(try_from = "u32")]
struct Limit(u32);

impl TryFrom<u32> for Limit {
    type Error = String;
    fn try_from(number: u32) -> Result<Self, String> {
        if number > 5 { Ok(Self(number)) } else { Err("too low".into()) }
    }
}

#[test]
fn tries_until_the_type_accepts() {
    assert_eq!(
        first::<Person>(),
        json!({"name": "name", "nick": "called", "since": "2026-01-31", "limit": 10})
    );
}

#[derive(Debug, Serialize, Deserialize)]
enum Payment {
    Cash,
    Card { number: String, kind: Kind },
    Both(Kind, u8),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Credit,
    Debit,
}

#[test]
fn has_a_sample_of_every_variant_also_inside_of_others() {
    let card = |kind| json!({"Card": {"number": "number", "kind": kind}});
    assert_eq!(
        all::<Payment>(),
        [
            json!("Cash"),
            card("credit"),
            json!({"Both": ["credit", 1]}),
            card("debit"),
            json!({"Both": ["debit", 1]}),
            json!({"Both": ["credit", 255]}),
            json!({"Both": ["debit", 255]})
        ]
    );
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Grams(i64);

#[derive(Debug, Serialize, Deserialize)]
struct Load {
    grams: Grams,
    label: Option<Option<String>>,
    limit: Limit,
}

#[test]
fn is_also_sparse_and_also_wide() {
    assert_eq!(
        all::<Load>(),
        [
            json!({"grams": 1, "label": "label", "limit": 10}),
            json!({"grams": 1, "label": null, "limit": 10}),
            json!({"grams": i64::MIN, "label": "label", "limit": u32::MAX}),
        ]
    );
    assert_eq!(all::<Duration>()[1], json!({"secs": u64::MAX, "nanos": 1}), "as wide as it goes");
    assert_eq!(sample::<(u128, i128, f32)>().unwrap()[1], (u128::MAX, i128::MIN, f32::MAX));
    assert_eq!(all::<(String, bool)>().len(), 1, "there is nothing to vary");
}

#[derive(Debug, Serialize, Deserialize)]
struct Tree {
    left: Option<Box<Tree>>,
    children: Vec<Tree>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Expression {
    Sum(Box<Expression>, Box<Expression>),
    One,
}

#[test]
fn types_that_contain_themselves_have_an_end() {
    let leaf = json!({"left": null, "children": []});
    assert_eq!(first::<Tree>(), json!({"left": leaf, "children": [leaf]}));
    assert_eq!(all::<Expression>(), [json!({"Sum": ["One", "One"]}), json!("One")]);
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Parcel { grams: u32 },
    Letter,
}

#[derive(Debug, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    street: String,
    house: u16,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Words(Vec<String>),
}

#[test]
fn learns_keys_from_what_is_missed() {
    assert_eq!(all::<Tagged>(), [json!({"kind": "Parcel", "grams": 1}), json!({"kind": "Letter"})]);
    assert_eq!(first::<Flat>(), json!({"id": 1, "street": "street", "house": 1}));
    assert_eq!(first::<Untagged>(), json!(1));
}

#[test]
fn says_which_field_cannot_be_guessed() {
    #[derive(Debug, Deserialize)]
    struct Deep {
        #[serde(rename = "inner")]
        _inner: Inner,
    }
    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(rename = "before")]
        _before: u8,
        #[serde(rename = "sum")]
        _sum: Checksum,
    }
    #[derive(Debug)]
    struct Checksum;
    impl<'de> Deserialize<'de> for Checksum {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Checksum;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a checksum")
                }
                fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Checksum, E> {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }
            deserializer.deserialize_str(Visitor)
        }
    }
    let error = sample::<Deep>().unwrap_err();
    assert_eq!(error.field, "inner.sum");
    assert!(error.reason.contains("expected a checksum"), "{error}");
    assert!(error.to_string().contains("#[event(example = a_function)]"));
}
