//! Histories in files: what happened once in production, replayed in a test.
//!
//! ```text
//!   factum stream export order-7 > tests/order-7.jsonl      one event per line
//!   given_history("tests/order-7.jsonl")                    in this world's store
//! ```
//!
//! Events keep their stream, id, type, version, data, tags, times and flow.
//! Positions are given anew from 0; the clock shows each event's own recorded-at
//! while it is recorded, so a look at a time finds what it would have found then.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use factum_core::{Bytes, ContentType, EventType, NewEvent, StreamName, Tag, Tags, Timestamp, Uuid};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::given::Given;

/// The history in a file as `factum stream export` writes it: one JSON object
/// per line, with the keys that `factum import jsonl` reads.
///
/// The path is looked up from the directory of the package under test, which is
/// where `cargo test` runs its tests.
#[must_use = "nothing is tested until `when` or `then_model`"]
#[track_caller]
pub fn given_history(path: impl AsRef<Path>) -> Given {
    let path = path.as_ref();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => panic!(
            "the history {} cannot be read: {error}; write it by `factum stream export STREAM`",
            path.display()
        ),
    };
    let mut given = Given::nothing();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match Line::parse(line) {
            Ok((stream, event, recorded_at)) => {
                if let Some(time) = recorded_at {
                    given = given.at(time);
                }
                given = given.and_stored(stream, event);
            }
            Err(error) => panic!("{}:{}: this is no event: {error}", path.display(), number + 1),
        }
    }
    given
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    stream: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
    content_type: Option<String>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    metadata_base64: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    id: Option<String>,
    correlation_id: Option<String>,
    causation_id: Option<String>,
    occurred_at: Option<String>,
    recorded_at: Option<String>,
    schema_version: Option<u32>,
    #[serde(rename = "position")]
    _position: Option<u64>,
    #[serde(rename = "revision")]
    _revision: Option<u64>,
}

type AnyError = Box<dyn std::error::Error>;

impl Line<'_> {
    fn parse(text: &str) -> Result<(StreamName, NewEvent, Option<Timestamp>), AnyError> {
        let line: Line<'_> = serde_json::from_str(text)?;
        let bytes = |json: Option<&RawValue>, base64: Option<&String>| -> Result<Bytes, AnyError> {
            Ok(match (json, base64) {
                (_, Some(encoded)) => STANDARD.decode(encoded)?.into(),
                (Some(json), None) => Bytes::copy_from_slice(json.get().as_bytes()),
                (None, None) => Bytes::new(),
            })
        };
        let uuid = |text: &Option<String>| text.as_deref().map(Uuid::parse_str).transpose();
        let time = |text: &Option<String>| text.as_deref().map(str::parse::<Timestamp>).transpose();
        let data = match (line.data, &line.data_base64) {
            (None, None) => Bytes::from_static(b"{}"),
            (json, base64) => bytes(json, base64.as_ref())?,
        };
        let mut event = NewEvent::new(EventType::new(line.event_type)?, data);
        event.metadata = bytes(line.metadata, line.metadata_base64.as_ref())?;
        event.content_type = line.content_type.as_deref().map_or(ContentType::Json, ContentType::from);
        event.tags = Tags::new(line.tags.into_iter().map(Tag::new).collect::<Result<Vec<_>, _>>()?)?;
        event.id = uuid(&line.id)?.unwrap_or(event.id);
        event.correlation_id = uuid(&line.correlation_id)?;
        event.causation_id = uuid(&line.causation_id)?;
        event.occurred_at = time(&line.occurred_at)?;
        event.schema_version = line.schema_version.unwrap_or(1);
        Ok((StreamName::new(line.stream)?, event, time(&line.recorded_at)?))
    }
}
