use std::collections::BTreeMap;

use factum::event::{Decoded, Encoded, Stored};
use factum::prelude::*;
use factum_core::ContentType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::read;

#[derive(Id, Clone, Debug, PartialEq)]
struct SensorId(Uuid);

/// What each form treats differently: ids, lists, options, maps, nested enums.
#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "SensorRead", codec = msgpack)]
struct ReadV1 {
    #[id]
    id: SensorId,
    batch: Uuid,
    celsius: f64,
    raw: Vec<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Quality {
    Good,
    Doubtful { reason: String },
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(codec = msgpack)]
enum Sensor {
    #[event(version = 2, from = ReadV1)]
    Read {
        #[id]
        id: SensorId,
        batch: Uuid,
        millikelvin: u64,
        raw: Vec<i64>,
        quality: Quality,
        extra: BTreeMap<String, Option<u64>>,
    },
    #[event(version = 2, upcast(1 = with_reason))]
    Removed {
        #[id]
        id: SensorId,
        reason: String,
    },
    #[event(codec = json)]
    Named {
        #[id]
        id: SensorId,
    },
}

impl From<ReadV1> for Sensor {
    fn from(old: ReadV1) -> Self {
        let millikelvin = ((old.celsius + 273.15) * 1000.0).round() as u64;
        let (quality, extra) = (Quality::Good, BTreeMap::new());
        Self::Read { id: old.id, batch: old.batch, millikelvin, raw: old.raw, quality, extra }
    }
}

fn with_reason(mut data: Value) -> Result<Value, String> {
    data["reason"] = json!("unknown");
    Ok(data)
}

/// Before version 2.
#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "SensorRemoved", codec = msgpack)]
struct RemovedV1 {
    #[id]
    id: SensorId,
}

fn decoded(encoded: &Encoded) -> Sensor {
    let stored = Stored {
        event_type: encoded.event_type.as_str(),
        schema_version: encoded.schema_version,
        content_type: &encoded.content_type,
        data: &encoded.data,
    };
    match Sensor::decode(stored).unwrap() {
        Decoded::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn id() -> SensorId {
    SensorId(Uuid::from_u128(7))
}

fn reading() -> Sensor {
    Sensor::Read {
        id: id(),
        batch: Uuid::from_u128(8),
        millikelvin: u64::MAX,
        raw: vec![i64::MIN, -1, 0, i64::MAX],
        quality: Quality::Doubtful { reason: "shaken".into() },
        extra: BTreeMap::from([("a".into(), None), ("b".into(), Some(1))]),
    }
}

#[test]
fn message_pack_says_the_same_as_json() {
    let encoded = reading().encode().unwrap();
    assert_eq!(encoded.content_type, ContentType::from("application/msgpack"));
    assert_eq!(decoded(&encoded), reading());
    let json = json!({
        "id": Uuid::from_u128(7),
        "batch": Uuid::from_u128(8),
        "millikelvin": u64::MAX,
        "raw": [i64::MIN, -1, 0, i64::MAX],
        "quality": {"Doubtful": {"reason": "shaken"}},
        "extra": {"a": null, "b": 1},
    });
    assert_eq!(read::<Sensor>("SensorRead", 2, json.clone()), reading());
    assert!(encoded.data.len() < json.to_string().len());
}

#[test]
fn message_pack_of_older_versions_goes_through_both_kinds_of_upcasters() {
    let old = ReadV1 { id: id(), batch: Uuid::from_u128(8), celsius: 20.0, raw: vec![1] };
    let Sensor::Read { millikelvin, batch, .. } = decoded(&old.encode().unwrap()) else { panic!() };
    assert_eq!((millikelvin, batch), (293_150, Uuid::from_u128(8)));
    let removed = decoded(&RemovedV1 { id: id() }.encode().unwrap());
    assert_eq!(removed, Sensor::Removed { id: id(), reason: "unknown".into() });
}

#[test]
fn a_variant_can_ask_for_another_codec_than_its_enum() {
    let encoded = Sensor::Named { id: id() }.encode().unwrap();
    assert_eq!(encoded.content_type, ContentType::Json);
}

#[test]
fn a_form_nobody_reads_is_an_error() {
    let stored = Stored {
        event_type: "SensorNamed",
        schema_version: 1,
        content_type: &ContentType::from("application/avro"),
        data: b"",
    };
    let error = Sensor::decode(stored).unwrap_err();
    assert_eq!(error.to_string(), "SensorNamed version 1: nothing here reads application/avro");
}
