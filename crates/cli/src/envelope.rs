//! An event as people and files write it: one JSON object.
//!
//! ```json
//! { "type": "ItemAdded", "data": { "sku": "apple" }, "tags": ["sku:apple"],
//!   "occurred_at": "2026-11-21T10:00:00Z" }
//! ```
//!
//! Only `type` must be there. A key that is not known is refused by name, so
//! that a misspelt one is not lost in silence; `null` is the same as leaving a
//! key out, except for `data`, where it is the data. Without `data` the event
//! has the data `{}`.
//!
//! | key | value |
//! |---|---|
//! | `stream` | the stream's name, where many streams come in one file |
//! | `type` | the event type |
//! | `data` | any JSON |
//! | `data_base64` | instead of `data`: bytes that are no JSON, with `content_type` |
//! | `content_type` | a media type, `application/json` if left out |
//! | `metadata` | any JSON, by convention an object |
//! | `metadata_base64` | instead of `metadata`: bytes that are no JSON |
//! | `tags` | an array of texts |
//! | `id`, `correlation_id`, `causation_id` | UUIDs; a fresh `id` if left out |
//! | `occurred_at` | an RFC 3339 time |
//! | `schema_version` | a whole number from 1; 1 if left out |

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use factum_core::name::TooManyTags;
use factum_core::{
    Bytes, ContentType, EventType, NameError, NewEvent, StreamName, Tag, Tags, Timestamp, TimestampError,
    Uuid,
};
use serde_json::{Map, Value};

/// Every key an envelope may have.
pub const KEYS: [&str; 13] = [
    "stream",
    "type",
    "data",
    "data_base64",
    "content_type",
    "metadata",
    "metadata_base64",
    "tags",
    "id",
    "occurred_at",
    "schema_version",
    "correlation_id",
    "causation_id",
];

/// Why a JSON value is no event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// It is something else altogether.
    #[error("an event is a JSON object, and this is {found}: write {{\"type\": \"...\", \"data\": {{...}}}}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A key nobody would read.
    #[error("`{key}` is not a key of an event: {advice}")]
    UnknownKey {
        /// The key.
        key: String,
        /// What to do.
        advice: String,
    },
    /// A key that must be there is not.
    #[error("`{field}` is missing: {advice}")]
    Missing {
        /// The key.
        field: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The value is of another kind than the key takes.
    #[error("`{field}` is {found}: write {wanted}")]
    WrongKind {
        /// The key.
        field: &'static str,
        /// What it is.
        found: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// A name is refused.
    #[error("`{field}` is refused: {reason}")]
    Name {
        /// The key.
        field: &'static str,
        /// Why, and what to do.
        reason: NameError,
    },
    /// There are too many tags.
    #[error("`tags` is refused: {0}")]
    Tags(TooManyTags),
    /// The text is no UUID.
    #[error("`{field}` is no UUID: write it as 018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b")]
    Id {
        /// The key.
        field: &'static str,
    },
    /// The text is no time.
    #[error("`occurred_at` is refused: {0}")]
    Time(TimestampError),
    /// The text is no base64.
    #[error("`{field}` is not base64: use the standard alphabet with padding")]
    Base64 {
        /// The key.
        field: &'static str,
    },
}

impl EnvelopeError {
    /// The key the error is about; empty for the object as a whole.
    pub fn field(&self) -> &str {
        match self {
            Self::NotAnObject { .. } => "",
            Self::UnknownKey { key, .. } => key,
            Self::Missing { field, .. }
            | Self::WrongKind { field, .. }
            | Self::Name { field, .. }
            | Self::Id { field }
            | Self::Base64 { field } => field,
            Self::Tags(_) => "tags",
            Self::Time(_) => "occurred_at",
        }
    }
}

/// The event an envelope describes, and the stream if it names one.
pub fn parse(value: Value) -> Result<(Option<StreamName>, NewEvent), EnvelopeError> {
    let mut keys = match value {
        Value::Object(keys) => keys,
        other => return Err(EnvelopeError::NotAnObject { found: kind(&other) }),
    };
    if let Some(key) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(EnvelopeError::UnknownKey { key: shown(key), advice: advice_for(key) });
    }
    let stream = text(&mut keys, "stream", "the stream's name as text")?
        .map(|name| StreamName::new(name).map_err(|reason| EnvelopeError::Name { field: "stream", reason }))
        .transpose()?;
    let event_type = text(&mut keys, "type", "the event type as text")?
        .ok_or(EnvelopeError::Missing { field: "type", advice: "say what kind of event it is" })?;
    let event_type =
        EventType::new(event_type).map_err(|reason| EnvelopeError::Name { field: "type", reason })?;

    let mut event = NewEvent::new(event_type, data(&mut keys)?);
    if let Some(content_type) = text(&mut keys, "content_type", "a media type as text")? {
        event.content_type = ContentType::from(content_type.as_str());
    }
    event.metadata = metadata(&mut keys)?;
    event.tags = tags(&mut keys)?;
    if let Some(id) = uuid(&mut keys, "id")? {
        event.id = id;
    }
    event.correlation_id = uuid(&mut keys, "correlation_id")?;
    event.causation_id = uuid(&mut keys, "causation_id")?;
    if let Some(time) = text(&mut keys, "occurred_at", "an RFC 3339 time as text")? {
        event.occurred_at = Some(time.parse::<Timestamp>().map_err(EnvelopeError::Time)?);
    }
    if let Some(version) = keys.remove("schema_version").filter(|version| !version.is_null()) {
        let number =
            version.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
        event.schema_version = number.ok_or(EnvelopeError::WrongKind {
            field: "schema_version",
            found: if version.is_number() { "out of range" } else { kind(&version) },
            wanted: "a whole number from 1 to 4294967295",
        })?;
    }
    Ok((stream, event))
}

/// The bytes a JSON value is stored as: compact, keys in their order.
pub fn bytes_of(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn data(keys: &mut Map<String, Value>) -> Result<Bytes, EnvelopeError> {
    let encoded = text(keys, "data_base64", "base64 as text")?;
    match (keys.remove("data"), encoded) {
        (Some(_), Some(_)) => Err(given_twice("data", "data_base64")),
        (Some(data), None) => Ok(bytes_of(&data)),
        (None, Some(encoded)) => {
            if keys.get("content_type").is_none_or(Value::is_null) {
                return Err(EnvelopeError::Missing {
                    field: "content_type",
                    advice: "`data_base64` needs it; application/octet-stream says bytes",
                });
            }
            decoded(&encoded, "data_base64")
        }
        (None, None) => Ok(Bytes::from_static(b"{}")),
    }
}

fn metadata(keys: &mut Map<String, Value>) -> Result<Bytes, EnvelopeError> {
    let encoded = text(keys, "metadata_base64", "base64 as text")?;
    match (keys.remove("metadata").filter(|metadata| !metadata.is_null()), encoded) {
        (Some(_), Some(_)) => Err(given_twice("metadata", "metadata_base64")),
        (Some(metadata), None) => Ok(bytes_of(&metadata)),
        (None, Some(encoded)) => decoded(&encoded, "metadata_base64"),
        (None, None) => Ok(Bytes::new()),
    }
}

fn decoded(encoded: &str, field: &'static str) -> Result<Bytes, EnvelopeError> {
    STANDARD.decode(encoded).map(Bytes::from).map_err(|_| EnvelopeError::Base64 { field })
}

fn given_twice(key: &str, encoded: &str) -> EnvelopeError {
    EnvelopeError::UnknownKey {
        key: encoded.to_owned(),
        advice: format!("`{key}` is there already; give one of the two"),
    }
}

fn tags(keys: &mut Map<String, Value>) -> Result<Tags, EnvelopeError> {
    let wrong = |found| EnvelopeError::WrongKind {
        field: "tags",
        found,
        wanted: "an array of texts, [\"sku:apple\"]",
    };
    let given = match keys.remove("tags") {
        None | Some(Value::Null) => return Ok(Tags::none()),
        Some(Value::Array(given)) => given,
        Some(other) => return Err(wrong(kind(&other))),
    };
    let tag = |value| match value {
        Value::String(text) => Tag::new(text).map_err(|reason| EnvelopeError::Name { field: "tags", reason }),
        Value::Null => Err(wrong("an array with null in it")),
        Value::Bool(_) => Err(wrong("an array with a boolean in it")),
        Value::Number(_) => Err(wrong("an array with a number in it")),
        Value::Array(_) => Err(wrong("an array with an array in it")),
        Value::Object(_) => Err(wrong("an array with an object in it")),
    };
    Tags::new(given.into_iter().map(tag).collect::<Result<Vec<_>, _>>()?).map_err(EnvelopeError::Tags)
}

fn uuid(keys: &mut Map<String, Value>, field: &'static str) -> Result<Option<Uuid>, EnvelopeError> {
    text(keys, field, "a UUID as text")?
        .map(|text| Uuid::parse_str(&text).map_err(|_| EnvelopeError::Id { field }))
        .transpose()
}

fn text(
    keys: &mut Map<String, Value>,
    field: &'static str,
    wanted: &'static str,
) -> Result<Option<String>, EnvelopeError> {
    match keys.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(EnvelopeError::WrongKind { field, found: kind(&other), wanted }),
    }
}

/// What a JSON value is, in words that follow "is".
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn advice_for(key: &str) -> String {
    match key {
        "position" | "revision" | "recorded_at" => {
            "the store assigns it when the event is recorded; leave it out".to_owned()
        }
        _ => format!("remove it, or use one of {}", KEYS.join(", ")),
    }
}

/// A foreign key, cut short.
fn shown(key: &str) -> String {
    key.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
