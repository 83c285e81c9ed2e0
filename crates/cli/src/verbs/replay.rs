//! `event-store replay`: every event of a stream, what it changed, and the
//! state it led to.

use std::io::Write;

use factum_core::{EventStore, Read, RecordedEvent, StreamName};
use serde::Serialize;
use serde_json::Value;

use crate::args::{Global, ReplayArgs};
use crate::failure::Failure;
use crate::format::Format;
use crate::render::event::{self, EventRow};
use crate::render::ink::Ink;
use crate::render::rows::{Row, Rows};
use crate::render::{Out, change, json, text};
use crate::state::{Change, State};
use crate::{names, open};

/// Opens the store and replays.
pub fn run(args: ReplayArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let stream = names::stream(&args.stream)?;
    open::looking(global, |store| replay(store, stream, !args.no_state, out))
}

fn replay(
    store: &dyn EventStore,
    stream: StreamName,
    with_state: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut state = State::empty();
    let mut steps = Steps::new(with_state);
    for event in store.read(Read::stream(stream))? {
        let event = event?;
        let changes = state.apply(&event);
        steps.step(out, &event, changes, &state)?;
    }
    steps.end(out)
}

/// Events with what each changed, on their way out.
pub struct Steps {
    rows: Rows,
    with_state: bool,
    events: u64,
}

#[derive(Serialize)]
struct Step<'a> {
    #[serde(flatten)]
    event: EventRow<'a>,
    changes: Vec<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a Value>,
}

impl Row for Step<'_> {
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
        "changes",
        "state",
    ];

    fn cells(&self) -> Vec<String> {
        let mut cells = self.event.cells();
        cells.push(json::text(&self.changes));
        cells.push(self.state.map_or_else(String::new, json::text));
        cells
    }
}

impl Steps {
    /// None yet.
    pub fn new(with_state: bool) -> Self {
        Self { rows: Rows::many(), with_state, events: 0 }
    }

    /// The next event.
    pub fn step(
        &mut self,
        out: &mut Out,
        event: &RecordedEvent,
        changes: Vec<Change>,
        state: &State,
    ) -> Result<(), Failure> {
        self.events += 1;
        if out.format != Format::Text {
            let state = self.with_state.then(|| state.value());
            return self.rows.row(out, &Step { event: EventRow::of(event), changes, state });
        }
        let heading = event::heading(out, event);
        writeln!(out, "{heading}")?;
        change::lines(out, &changes)?;
        if self.with_state {
            change::state(out, state.value())?;
        }
        Ok(())
    }

    /// Nothing follows.
    pub fn end(self, out: &mut Out) -> Result<(), Failure> {
        if out.format != Format::Text {
            return self.rows.end::<Step<'_>>(out);
        }
        let summary = out.paint(Ink::Dim, text::counted(self.events, "event"));
        Ok(writeln!(out, "{summary}")?)
    }
}

#[cfg(test)]
mod tests;
