//! `events at-time`: what a stream's state was at a time or place.

use std::io::Write;

use factum_core::{EventStore, EventStoreExt, Read, RecordedEvent, StreamName};
use serde::Serialize;
use serde_json::Value;

use crate::args::{AtTimeArgs, By, Global};
use crate::failure::Failure;
use crate::format::Format;
use crate::moment::Moment;
use crate::render::rows::{self, Row};
use crate::render::{Out, json, table, text};
use crate::state::State;
use crate::{history, names, open};

/// Opens the store and looks.
pub fn run(args: AtTimeArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let stream = names::stream(&args.stream)?;
    let at = Moment::parse(&args.at)?;
    open::looking(global, |store| show(store, &stream, at, args.by, out))
}

fn show(
    store: &dyn EventStore,
    stream: &StreamName,
    at: Moment,
    by: By,
    out: &mut Out,
) -> Result<(), Failure> {
    history::check_reached(store, stream, at)?;
    let mut read = Read::stream(stream.clone());
    let occurred_until = match by {
        By::Recorded => {
            read = read.until(at.until());
            None
        }
        By::Occurred => Some(history::time_of(at)?),
    };
    let mut state = State::empty();
    let mut events = 0;
    let mut ended_with: Option<RecordedEvent> = None;
    for event in store.read(read)? {
        let event = event?;
        if occurred_until.is_some_and(|until| history::occurred(&event) > until) {
            continue;
        }
        state.advance(&event);
        events += 1;
        ended_with = Some(event);
    }
    let Some(last) = ended_with else {
        return Err(history::not_begun(store, stream, at, by)?);
    };
    let of = store.last_revision(stream)?.map_or(events, |revision| revision.get() + 1);
    let answer = Answer {
        stream: stream.as_str(),
        at: at.to_string(),
        by: if by == By::Recorded { "recorded" } else { "occurred" },
        events,
        events_left_out: of.saturating_sub(events),
        position: last.position.get(),
        revision: last.revision.get(),
        event_type: last.event_type.as_str(),
        id: last.id.to_string(),
        recorded_at: last.recorded_at.to_string(),
        occurred_at: last.occurred_at.map(|time| time.to_string()),
        state: state.value(),
    };
    match out.format {
        Format::Text => Ok(people(&answer, out)?),
        _ => rows::one(out, &answer),
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    stream: &'a str,
    at: String,
    by: &'static str,
    events: u64,
    events_left_out: u64,
    position: u64,
    revision: u64,
    #[serde(rename = "type")]
    event_type: &'a str,
    id: String,
    recorded_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
    state: &'a Value,
}

impl Row for Answer<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "stream",
        "at",
        "by",
        "events",
        "events_left_out",
        "position",
        "revision",
        "type",
        "id",
        "recorded_at",
        "occurred_at",
        "state",
    ];
}

fn people(answer: &Answer<'_>, out: &mut Out) -> std::io::Result<()> {
    let mut ended_with = format!(
        "{} at position {}, revision {}, recorded {}",
        text::escape(answer.event_type),
        answer.position,
        answer.revision,
        answer.recorded_at
    );
    if let Some(occurred_at) = &answer.occurred_at {
        ended_with.push_str(&format!(", occurred {occurred_at}"));
    }
    let left_out = match answer.events_left_out {
        0 => "none: this is the stream as it is now".to_owned(),
        count => text::counted(count, "event"),
    };
    table::pairs(
        out,
        &[
            ("stream", text::escape(answer.stream).into_owned()),
            ("at", format!("{} (by {} time)", answer.at, answer.by)),
            ("events", answer.events.to_string()),
            ("ended with", ended_with),
            ("left out", left_out),
        ],
    )?;
    writeln!(out, "{}", json::pretty(answer.state))
}

#[cfg(test)]
mod tests;
