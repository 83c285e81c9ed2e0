use std::time::Duration;

use factum::prelude::*;
use serde_json::json;

use super::{data_of, read};

#[derive(Id, Clone, Debug, PartialEq)]
struct BoxId(u32);

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Ok(Duration::from_secs(u64::deserialize(deserializer)?))
    }
}

fn one() -> u8 {
    1
}

/// The same fields as a variant and as a struct.
macro_rules! boxes {
    ($($head:tt)*) => {
        $($head)* {
            #[id]
            #[serde(rename = "box")]
            id: BoxId,
            #[serde(default)]
            label: String,
            #[serde(default = "one")]
            layers: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            note: Option<String>,
            #[serde(with = "seconds")]
            wait: Duration,
            #[serde(alias = "colour")]
            color: String,
            #[serde(skip)]
            cache: Vec<u8>,
            r#type: u8,
        }
    };
}

boxes! { #[derive(Event, Clone, Debug, PartialEq)] struct BoxPacked }

#[derive(Event, Clone, Debug, PartialEq)]
enum Boxes {
    Packed {
        #[id]
        #[serde(rename = "box")]
        id: BoxId,
        #[serde(default)]
        label: String,
        #[serde(default = "one")]
        layers: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        #[serde(with = "seconds")]
        wait: Duration,
        #[serde(alias = "colour")]
        color: String,
        #[serde(skip)]
        cache: Vec<u8>,
        r#type: u8,
    },
}

#[test]
fn settings_of_fields_hold_in_structs_and_variants() {
    let packed = BoxPacked {
        id: BoxId(7),
        label: String::new(),
        layers: 1,
        note: None,
        wait: Duration::from_secs(3),
        color: "red".into(),
        cache: vec![1],
        r#type: 2,
    };
    let written = json!({"box": 7, "label": "", "layers": 1, "wait": 3, "color": "red", "type": 2});
    let BoxPacked { id, label, layers, note, wait, color, cache, r#type } = packed.clone();
    let variant = Boxes::Packed { id, label, layers, note, wait, color, cache, r#type };
    assert_eq!(data_of(&packed), written);
    assert_eq!(data_of(&variant), written);

    let short = json!({"box": 7, "wait": 3, "colour": "red", "type": 2});
    let read_back = read::<BoxPacked>("BoxPacked", 1, short.clone());
    assert_eq!(read_back, BoxPacked { cache: Vec::new(), ..packed });
    let Boxes::Packed { layers, cache, .. } = read("BoxesPacked", 1, short);
    assert_eq!((layers, cache), (1, Vec::new()));
}

#[test]
fn shapes_name_fields_as_they_are_stored() {
    for shape in [&BoxPacked::shapes()[0], &Boxes::shapes()[0]] {
        let fields: Vec<_> =
            shape.fields.iter().map(|field| (field.name, field.type_name, field.optional)).collect();
        assert_eq!(
            fields,
            [
                ("box", "BoxId", false),
                ("label", "String", true),
                ("layers", "u8", true),
                ("note", "Option<String>", true),
                ("wait", "Duration", false),
                ("color", "String", false),
                ("type", "u8", false),
            ]
        );
    }
}

#[derive(Event, Clone, Debug, PartialEq)]
#[serde(rename_all_fields = "camelCase")]
enum Parcel {
    Sent {
        #[id]
        box_id: BoxId,
        sent_by: String,
    },
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    Lost {
        #[id]
        box_id: BoxId,
    },
}

#[derive(Event, Clone, Debug, PartialEq)]
#[serde(rename_all = "kebab-case", default)]
struct Returned {
    #[id]
    box_id: BoxId,
    sent_by: String,
}

impl Default for Returned {
    fn default() -> Self {
        Self { box_id: BoxId(9), sent_by: "nobody".into() }
    }
}

#[test]
fn fields_can_be_renamed_all_at_once() {
    let sent = Parcel::Sent { box_id: BoxId(1), sent_by: "ada".into() };
    assert_eq!(data_of(&sent), json!({"boxId": 1, "sentBy": "ada"}));
    assert_eq!(read::<Parcel>("ParcelSent", 1, data_of(&sent)), sent);
    let lost = Parcel::Lost { box_id: BoxId(1) };
    assert_eq!(data_of(&lost), json!({"BOX_ID": 1}));
    assert_eq!(read::<Parcel>("ParcelLost", 1, data_of(&lost)), lost);
    let returned = Returned { box_id: BoxId(1), sent_by: "ada".into() };
    assert_eq!(data_of(&returned), json!({"box-id": 1, "sent-by": "ada"}));
    assert_eq!(read::<Returned>("Returned", 1, json!({"box-id": 1})).sent_by, "nobody");

    let names = |shapes: Vec<factum::event::Shape>| -> Vec<_> {
        shapes
            .iter()
            .flat_map(|shape| shape.fields.clone())
            .map(|field| (field.name, field.optional))
            .collect()
    };
    assert_eq!(names(Parcel::shapes()), [("boxId", false), ("sentBy", false), ("BOX_ID", false)]);
    assert_eq!(names(Returned::shapes()), [("box-id", true), ("sent-by", true)]);
}
