//! One recorded event, as every verb shows it.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use factum_core::{ContentType, RecordedEvent};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::ink::Ink;
use super::rows::Row;
use super::{Out, json, text};

/// An event as one row. Data that is JSON is passed through as it is stored;
/// other data is base64.
#[derive(Serialize)]
pub struct EventRow<'a> {
    position: u64,
    #[serde(serialize_with = "as_text")]
    stream: &'a factum_core::StreamName,
    revision: u64,
    #[serde(serialize_with = "as_text")]
    recorded_at: factum_core::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    occurred_at: Option<factum_core::Timestamp>,
    #[serde(serialize_with = "as_text")]
    id: factum_core::Uuid,
    #[serde(rename = "type", serialize_with = "as_text")]
    event_type: &'a factum_core::EventType,
    schema_version: u32,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_base64: Option<String>,
    tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    correlation_id: Option<factum_core::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    causation_id: Option<factum_core::Uuid>,
}

fn as_text<S: Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_optional_text<S: Serializer>(
    value: &Option<impl std::fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Stored bytes as JSON if they are JSON.
fn raw(bytes: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(bytes).ok()
}

impl<'a> EventRow<'a> {
    /// The row of an event.
    pub fn of(event: &'a RecordedEvent) -> Self {
        let data = (event.content_type == ContentType::Json).then(|| raw(&event.data)).flatten();
        let metadata = raw(&event.metadata);
        Self {
            position: event.position.get(),
            stream: &event.stream,
            revision: event.revision.get(),
            recorded_at: event.recorded_at,
            occurred_at: event.occurred_at,
            id: event.id,
            event_type: &event.event_type,
            schema_version: event.schema_version,
            content_type: event.content_type.as_str(),
            data,
            data_base64: data.is_none().then(|| STANDARD.encode(&event.data)),
            metadata,
            metadata_base64: (metadata.is_none() && !event.metadata.is_empty())
                .then(|| STANDARD.encode(&event.metadata)),
            tags: event.tags.iter().collect(),
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
        }
    }
}

impl Row for EventRow<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "position",
        "stream",
        "revision",
        "recorded_at",
        "occurred_at",
        "id",
        "type",
        "schema_version",
        "content_type",
        "data",
        "data_base64",
        "metadata",
        "metadata_base64",
        "tags",
        "correlation_id",
        "causation_id",
    ];

    // By hand, because listings are long: no detour over a JSON value.
    fn cells(&self) -> Vec<String> {
        fn optional(value: &Option<impl ToString>) -> String {
            value.as_ref().map_or_else(String::new, ToString::to_string)
        }
        fn raw(value: &Option<&RawValue>) -> String {
            value.map_or_else(String::new, |value| json::text(&value))
        }
        vec![
            self.position.to_string(),
            text::escape(self.stream.as_str()).into_owned(),
            self.revision.to_string(),
            self.recorded_at.to_string(),
            optional(&self.occurred_at),
            self.id.to_string(),
            text::escape(self.event_type.as_str()).into_owned(),
            self.schema_version.to_string(),
            text::escape(self.content_type).into_owned(),
            raw(&self.data),
            optional(&self.data_base64),
            raw(&self.metadata),
            optional(&self.metadata_base64),
            if self.tags.is_empty() { String::new() } else { json::text(&self.tags) },
            optional(&self.correlation_id),
            optional(&self.causation_id),
        ]
    }
}

/// What an event says, on one line.
pub fn data_line(event: &RecordedEvent) -> String {
    match raw(&event.data).filter(|_| event.content_type == ContentType::Json) {
        Some(data) => json::text(&data),
        None => format!(
            "({}, {})",
            text::escape(event.content_type.as_str()),
            text::counted(event.data.len() as u64, "byte")
        ),
    }
}

/// Where and what an event is, as the first line of a block.
pub fn heading(out: &Out, event: &RecordedEvent) -> String {
    let mut line = format!(
        "{}  {}  {}  {}",
        out.paint(Ink::Dim, format_args!("position {}", event.position)),
        out.paint(Ink::Dim, format_args!("revision {}", event.revision)),
        out.paint(Ink::Strong, text::escape(event.event_type.as_str())),
        event.recorded_at,
    );
    if let Some(occurred_at) = event.occurred_at {
        line.push_str(&format!("  occurred {occurred_at}"));
    }
    for tag in event.tags.iter() {
        line.push_str(&format!("  {}", out.paint(Ink::Dim, format_args!("#{}", text::escape(tag)))));
    }
    line
}

/// Events as lines of a table that is written while it is read: a column is as
/// wide as what has stood in it so far.
pub struct EventLines {
    widths: [usize; 5],
    begun: bool,
}

const HEADINGS: [&str; 5] = ["position", "recorded at", "stream", "revision", "type"];
const WIDTH_MAX: usize = 40;

impl EventLines {
    /// No line yet.
    pub fn new() -> Self {
        Self { widths: [8, 27, 12, 8, 12], begun: false }
    }

    /// The next line.
    pub fn line(&mut self, out: &mut Out, event: &RecordedEvent) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            let heading = self.padded(&HEADINGS.map(str::to_owned));
            writeln!(out, "{}", out.paint(Ink::Dim, heading + "data"))?;
        }
        let cells = [
            event.position.to_string(),
            event.recorded_at.to_string(),
            text::escape(event.stream.as_str()).into_owned(),
            event.revision.to_string(),
            text::escape(event.event_type.as_str()).into_owned(),
        ];
        let place = self.padded(&cells);
        let data = out.fit(data_line(event), text::width(&place));
        writeln!(out, "{place}{data}")
    }

    fn padded(&mut self, cells: &[String; 5]) -> String {
        let mut line = String::with_capacity(96);
        for (place, cell) in cells.iter().enumerate() {
            let width = text::width(cell);
            self.widths[place] = self.widths[place].max(width.min(WIDTH_MAX));
            let gap = self.widths[place].saturating_sub(width);
            // Numbers stand to the right, so that their digits line up.
            if place == 0 || place == 3 {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(cell);
                line.push_str("  ");
            } else {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', gap + 2));
            }
        }
        line
    }
}
