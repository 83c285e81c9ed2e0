//! Code of events that panics: the event is named, and nothing else stops.

use factum_core::{Append, ExpectedRevision, NewEvent, StreamName};
use serde_json::{Value, json};

use super::*;
use crate::view::{Phase, ViewError};

#[derive(Event, Clone, Debug, PartialEq)]
pub enum Parcel {
    #[event(version = 2, upcast(1 = weigh))]
    Sent {
        #[id]
        id: AccountId,
        grams: u64,
    },
    #[event(version = 2, from = LostV1)]
    Lost {
        #[id]
        id: AccountId,
    },
    #[event(version = 1)]
    Kept {
        #[id]
        id: AccountId,
        place: Shelf,
    },
}

fn weigh(_: Value) -> Result<Value, String> {
    panic!("no scale is that old")
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "ParcelLost")]
pub struct LostV1 {
    #[id]
    id: AccountId,
}

impl From<LostV1> for Parcel {
    fn from(_: LostV1) -> Self {
        panic!("nobody knows where")
    }
}

#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Shelf(u8);

impl<'de> Deserialize<'de> for Shelf {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let shelf = u8::deserialize(deserializer)?;
        assert!(shelf != 13, "there is no such shelf");
        Ok(Self(shelf))
    }
}

#[derive(Row, Clone, Debug, PartialEq)]
pub struct ParcelRow {
    #[key]
    id: AccountId,
}

pub struct Parcels;

impl Projection for Parcels {
    const NAME: &'static str = "parcels";
    type Event = Parcel;
    type Row = ParcelRow;

    fn project(&self, event: &Parcel, _: &RecordedEvent, rows: &mut Rows<'_, ParcelRow>) {
        let (Parcel::Sent { id, .. } | Parcel::Lost { id } | Parcel::Kept { id, .. }) = event;
        rows.put(ParcelRow { id: id.clone() });
    }
}

fn append(store: &Store, event_type: &str, version: u32, data: &Value) {
    let mut event = NewEvent::json(event_type, data).unwrap();
    event.id = uuid::Uuid::now_v7();
    event.schema_version = version;
    let stream = StreamName::new("parcel-p").unwrap();
    store.events().append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
}

/// One that cannot be upcast.
pub fn record_old_parcel(store: &Store) {
    append(store, "ParcelSent", 1, &json!({"id": "p"}));
}

#[test]
fn an_event_whose_code_panics_is_poison_and_named() {
    let cases = [
        ("ParcelSent", json!({"id": "p"}), "the upcaster from version 1 panicked: no scale is that old"),
        ("ParcelLost", json!({"id": "p"}), "panicked: nobody knows where"),
        ("ParcelKept", json!({"id": "p", "place": 13}), "panicked: there is no such shelf"),
    ];
    for (event_type, data, why) in cases {
        let store = Store::memory();
        append(&store, event_type, 1, &data);
        let Err(ViewError::Poison(poison)) = store.view(Parcels).run() else { panic!("it is no poison") };
        assert_eq!(poison.event_type, event_type);
        assert!(poison.reason.contains(why), "{}", poison.reason);
        let said = poison.reason.contains(&format!("{event_type} version 1"));
        assert!(said, "{}", poison.reason);

        // What looks at the whole log goes on after it.
        store.record(Parcel::Sent { id: "q".into(), grams: 1 }).run().unwrap();
        let surveyed = crate::evolution::survey::<Parcel>(&store).run().unwrap();
        assert_eq!(surveyed.unreadable.len(), 1);
        assert!(surveyed.unreadable[0].why.to_string().contains(why), "{surveyed}");
        assert_eq!(surveyed.counted.iter().map(|counted| counted.events).sum::<u64>(), 2);
    }
}

#[test]
fn a_projector_survives_it() {
    let store = Store::memory();
    let parcels = store.project(Parcels).in_memory().unwrap();
    record_old_parcel(&store);
    let error = parcels.wait_for(crate::Position::FIRST).run().unwrap_err();
    let crate::view::WaitError::Failed { poison, .. } = error else { panic!("{error}") };
    assert_eq!((poison.position.get(), poison.event_type.as_str()), (0, "ParcelSent"));
    assert_eq!(parcels.status().unwrap().phase, Phase::Failed);
}
