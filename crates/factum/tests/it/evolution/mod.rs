//! What was stored long ago, read today.

mod check;
mod codecs;
mod compile_fail;
mod labels;
mod property;
mod serde_settings;
mod survey;
mod unknown;
mod upcasters;

use factum::event::{DecodeError, Decoded, Event, Stored};
use factum::{Store, StreamName, Uuid};
use factum_core::{Append, ContentType, ExpectedRevision, NewEvent};
use serde_json::Value;

/// A stored event, as some earlier program wrote it.
fn decode<E: Event>(event_type: &str, version: u32, data: &Value) -> Result<Decoded<E>, DecodeError> {
    let data = data.to_string();
    let json = ContentType::Json;
    E::decode(Stored { event_type, schema_version: version, content_type: &json, data: data.as_bytes() })
}

/// The event in stored data that can be read.
fn read<E: Event>(event_type: &str, version: u32, data: Value) -> E {
    match decode(event_type, version, &data) {
        Ok(Decoded::Event(event)) => event,
        Ok(_) => panic!("{event_type} {version} is not an event of this enum"),
        Err(error) => panic!("{error}"),
    }
}

fn data_of(event: &impl Event) -> Value {
    serde_json::from_slice(&event.encode().unwrap().data).unwrap()
}

/// Appends it as an earlier program did.
fn append(store: &Store, stream: &str, event_type: &str, version: u32, data: &Value) {
    let mut event = NewEvent::json(event_type, data).unwrap();
    event.id = Uuid::now_v7();
    event.schema_version = version;
    let stream = StreamName::new(stream.to_owned()).unwrap();
    store.events().append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
}

/// An error with all its sources, as people print it.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
