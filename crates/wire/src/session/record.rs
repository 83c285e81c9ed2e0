//! Records: events with a schema and properties instead of labels and bytes.
//!
//! They are stored so that readers of the first version see them: the schema's
//! name is the type, and the properties, with the schema among them, are the
//! metadata, as one JSON object with its keys in order.

use std::collections::BTreeMap;

use bytes::Bytes;
use factum_core::{ContentType, EventType, NewEvent, StreamName, Tags};
use prost_types::value::Kind;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use crate::event::EVENT_BYTES_MAX;
use crate::proto::sessions::{AppendRecord, SchemaFormat, SchemaInfo};

use super::failure::SessionFailure;
use super::invalid;

const NAME: &str = "$schema.name";
const FORMAT: &str = "$schema.format";
const ID: &str = "$schema.id";

/// How deep properties may nest.
pub const PROPERTIES_DEPTH_MAX: usize = 32;

/// Understands a record for a stream.
pub fn event(stream: &StreamName, record: AppendRecord) -> Result<NewEvent, SessionFailure> {
    let id = match record.record_id {
        None => factum_core::event::fresh_id(),
        Some(text) => Uuid::try_parse(&text).ok().filter(|id| !id.is_nil()).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            invalid(format!("record id {shown:?} is not a UUID: send one that is not all zeros, or none"))
        })?,
    };
    let schema = record.schema.unwrap_or_default();
    let format = format(&schema, id)?;
    let event_type = event_type(&schema)?;
    let metadata = Bytes::from(metadata(record.properties, schema, format)?);
    let bytes = (record.data.len() + metadata.len() + event_type.as_str().len()) as u64;
    if bytes > EVENT_BYTES_MAX {
        let limit = EVENT_BYTES_MAX;
        return Err(SessionFailure::RecordTooLarge { stream: stream.clone(), id, bytes, limit });
    }
    Ok(NewEvent {
        id,
        event_type,
        schema_version: 1,
        content_type: match format {
            "Json" => ContentType::Json,
            _ => ContentType::Binary,
        },
        data: record.data,
        metadata,
        tags: Tags::none(),
        occurred_at: None,
        correlation_id: None,
        causation_id: None,
    })
}

fn format(schema: &SchemaInfo, id: Uuid) -> Result<&'static str, SessionFailure> {
    match SchemaFormat::try_from(schema.format) {
        Ok(SchemaFormat::Json) => Ok("Json"),
        Ok(SchemaFormat::Protobuf) => Ok("Protobuf"),
        Ok(SchemaFormat::Avro) => Ok("Avro"),
        Ok(SchemaFormat::Bytes) => Ok("Bytes"),
        Ok(SchemaFormat::Unspecified) | Err(_) => Err(invalid(format!(
            "record {id} says nothing of its format: send a schema with the format JSON, PROTOBUF, AVRO or BYTES"
        ))),
    }
}

fn event_type(schema: &SchemaInfo) -> Result<EventType, SessionFailure> {
    let name = &schema.name;
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "_.$:-".contains(character);
    if name.is_empty() || !name.chars().all(is_allowed) {
        let shown: String = name.chars().take(64).collect();
        return Err(invalid(format!(
            "schema name {shown:?} is not one: send letters, digits and _ . $ : - only"
        )));
    }
    EventType::new(name.clone()).map_err(|error| invalid(error.to_string()))
}

fn metadata(
    properties: BTreeMap<String, prost_types::Value>,
    schema: SchemaInfo,
    format: &str,
) -> Result<Vec<u8>, SessionFailure> {
    let mut object = Map::new();
    for (key, value) in properties {
        let value = json(value, 1).map_err(|what| invalid(format!("property {key:?} {what}")))?;
        object.insert(key, value);
    }
    object.insert(NAME.to_owned(), schema.name.into());
    object.insert(FORMAT.to_owned(), format.into());
    if let Some(id) = schema.id {
        object.insert(ID.to_owned(), id.into());
    }
    serde_json::to_vec(&object).map_err(|error| invalid(format!("the properties cannot be written: {error}")))
}

fn json(value: prost_types::Value, depth: usize) -> Result<Value, &'static str> {
    if depth > PROPERTIES_DEPTH_MAX {
        return Err("is nested too deep: at most 32 levels are stored");
    }
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::NumberValue(number)) => Value::Number(json_number(number)?),
        Some(Kind::ListValue(list)) => Value::Array(
            list.values.into_iter().map(|value| json(value, depth + 1)).collect::<Result<_, _>>()?,
        ),
        Some(Kind::StructValue(fields)) => {
            let fields = fields.fields.into_iter().map(|(key, value)| Ok((key, json(value, depth + 1)?)));
            Value::Object(fields.collect::<Result<_, &'static str>>()?)
        }
    })
}

/// Whole numbers without a point, as far as a double tells them apart.
fn json_number(number: f64) -> Result<Number, &'static str> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Ok(Number::from(number as i64));
    }
    Number::from_f64(number).ok_or("is not a number that JSON knows: send a finite one, or a text")
}
