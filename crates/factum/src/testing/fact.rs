//! Facts: events in the form they are stored in, which is how a test compares
//! and shows them.
//!
//! Ids, times and metadata are left out: they are not the domain's answer.

use std::fmt;

use factum_core::{ContentType, EventType, RecordedEvent, StreamName, Tags};
use serde_json::Value;

use crate::event::{Codec, Encoded};

/// What the domain said, as it is stored.
#[derive(Debug, Clone)]
pub struct Fact {
    pub stream: StreamName,
    pub event_type: EventType,
    schema_version: u32,
    pub tags: Tags,
    content_type: ContentType,
    data: Vec<u8>,
}

impl From<&Encoded> for Fact {
    fn from(event: &Encoded) -> Self {
        Self {
            stream: event.stream.clone(),
            event_type: event.event_type.clone(),
            schema_version: event.schema_version,
            tags: event.tags.clone(),
            content_type: event.content_type.clone(),
            data: event.data.clone(),
        }
    }
}

impl From<&RecordedEvent> for Fact {
    fn from(event: &RecordedEvent) -> Self {
        Self {
            stream: event.stream.clone(),
            event_type: event.event_type.clone(),
            schema_version: event.schema_version,
            tags: event.tags.clone(),
            content_type: event.content_type.clone(),
            data: event.data.to_vec(),
        }
    }
}

impl Fact {
    /// The data as JSON, if it has such a form.
    fn value(&self) -> Option<Value> {
        Codec::of(&self.content_type).ok()?.decode(&self.data).ok()
    }

    fn sorted_tags(&self) -> Vec<&str> {
        let mut tags: Vec<_> = self.tags.iter().collect();
        tags.sort_unstable();
        tags
    }

    /// In which ways `actual` is not what was expected; none if it is.
    pub fn differences(&self, actual: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut differ = |what: &str, expected: &dyn fmt::Display, actual: &dyn fmt::Display| {
            let (expected, actual) = (expected.to_string(), actual.to_string());
            if expected != actual {
                differences.push(format!("{what}: expected {expected}, was {actual}"));
            }
        };
        differ("type", &self.event_type, &actual.event_type);
        differ("version", &self.schema_version, &actual.schema_version);
        differ("stream", &self.stream, &actual.stream);
        differ("tags", &Listed(&self.sorted_tags()), &Listed(&actual.sorted_tags()));
        differ("content type", &self.content_type.as_str(), &actual.content_type.as_str());
        match (self.value(), actual.value()) {
            (Some(expected), Some(actual)) => walk("", Some(&expected), Some(&actual), &mut differences),
            _ if self.data == actual.data => {}
            _ => differences.push("data: other bytes".to_owned()),
        }
        differences
    }
}

/// Differences of JSON values, each at its JSON pointer, in the same order
/// whatever order their keys have.
fn walk(at: &str, expected: Option<&Value>, actual: Option<&Value>, differences: &mut Vec<String>) {
    if expected == actual {
        return;
    }
    if let (Some(Value::Object(expected)), Some(Value::Object(actual))) = (expected, actual) {
        let mut keys: Vec<_> = expected.keys().chain(actual.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            walk(&format!("{at}/{key}"), expected.get(key), actual.get(key), differences);
        }
        return;
    }
    if let (Some(Value::Array(expected)), Some(Value::Array(actual))) = (expected, actual) {
        for index in 0..expected.len().max(actual.len()) {
            walk(&format!("{at}/{index}"), expected.get(index), actual.get(index), differences);
        }
        return;
    }
    let text = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    differences.push(format!("data {at}: expected {}, was {}", text(expected), text(actual)));
}

struct Listed<'a>(&'a [&'a str]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("none"),
            tags => f.write_str(&tags.join(" ")),
        }
    }
}

/// `account-ada  AccountDeposited v1  {"id":"ada","cents":500}  #account:ada`
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {} v{}  ", self.stream, self.event_type, self.schema_version)?;
        match (&self.content_type, std::str::from_utf8(&self.data)) {
            (ContentType::Json, Ok(text)) => f.write_str(text)?,
            _ => match self.value() {
                Some(value) => write!(f, "{value} ({})", self.content_type.as_str())?,
                None => write!(f, "{} bytes of {}", self.data.len(), self.content_type.as_str())?,
            },
        }
        for tag in self.tags.iter() {
            write!(f, "{} #{tag}", if Some(tag) == self.tags.iter().next() { " " } else { "" })?;
        }
        Ok(())
    }
}
