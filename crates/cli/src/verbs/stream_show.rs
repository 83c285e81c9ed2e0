//! `stream show`: a stream in a few lines, and its last events.

use std::io::Write;

use factum_core::{EventStore, EventStoreExt, Read, ReadError, RecordedEvent, StreamName};
use serde::Serialize;

use crate::args::{Global, StreamShowArgs};
use crate::failure::Failure;
use crate::format::Format;
use crate::render::event::{EventLines, EventRow};
use crate::render::rows::{self, Row};
use crate::render::{Out, table, text};
use crate::{names, open};

/// Opens the store and shows.
pub fn run(args: StreamShowArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let stream = names::stream(&args.stream)?;
    open::looking(global, |store| show(store, &stream, args.last, out))
}

fn show(store: &dyn EventStore, stream: &StreamName, last: u64, out: &mut Out) -> Result<(), Failure> {
    // From the ends, so that a long stream is shown as soon as a short one.
    let first_event = store.read(Read::stream(stream.clone()).limit(1))?.next().transpose()?;
    let last_event = store.last_event(stream)?;
    let (Some(first_event), Some(last_event)) = (first_event, last_event) else {
        return Err(ReadError::StreamNotFound { stream: stream.clone() }.into());
    };
    let backward = store.read(Read::stream(stream.clone()).backward().limit(last))?;
    let mut last_events = backward.collect::<Result<Vec<RecordedEvent>, _>>()?;
    last_events.reverse();
    let shown = Shown {
        stream: stream.as_str(),
        category: stream.category(),
        events: last_event.revision.get() + 1,
        last_revision: last_event.revision.get(),
        first_position: first_event.position.get(),
        last_position: last_event.position.get(),
        first_recorded_at: first_event.recorded_at.to_string(),
        last_recorded_at: last_event.recorded_at.to_string(),
        last_events: last_events.iter().map(EventRow::of).collect(),
    };
    if out.format != Format::Text {
        return rows::one(out, &shown);
    }
    table::pairs(
        out,
        &[
            ("stream", text::escape(shown.stream).into_owned()),
            ("category", text::escape(shown.category).into_owned()),
            ("events", shown.events.to_string()),
            ("last revision", shown.last_revision.to_string()),
            ("first", format!("position {}, recorded {}", shown.first_position, shown.first_recorded_at)),
            ("last", format!("position {}, recorded {}", shown.last_position, shown.last_recorded_at)),
        ],
    )?;
    if !last_events.is_empty() {
        writeln!(out)?;
    }
    let mut lines = EventLines::new();
    for event in &last_events {
        lines.line(out, event)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Shown<'a> {
    stream: &'a str,
    category: &'a str,
    events: u64,
    last_revision: u64,
    first_position: u64,
    last_position: u64,
    first_recorded_at: String,
    last_recorded_at: String,
    last_events: Vec<EventRow<'a>>,
}

impl Row for Shown<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "stream",
        "category",
        "events",
        "last_revision",
        "first_position",
        "last_position",
        "first_recorded_at",
        "last_recorded_at",
        "last_events",
    ];
}

#[cfg(test)]
mod tests;
