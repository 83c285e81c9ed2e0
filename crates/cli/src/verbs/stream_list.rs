//! `stream list`: the streams there are, found in one pass over the log.

use std::collections::HashMap;
use std::io::Write;

use factum_core::{EventStore, Read, RecordedEvent, StreamName, Timestamp};
use serde::Serialize;

use crate::args::{Global, StreamListArgs};
use crate::failure::Failure;
use crate::format::Format;
use crate::render::ink::Ink;
use crate::render::rows::{Row, Rows};
use crate::render::{Out, table, text};
use crate::{names, open};

/// Opens the store and lists.
pub fn run(args: StreamListArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let wanted = Wanted {
        prefix: args.prefix.as_deref().map(names::part).transpose()?,
        category: args.category.as_deref().map(names::part).transpose()?,
        limit: args.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
    };
    open::looking(global, |store| list(store, &wanted, out))
}

struct Wanted {
    prefix: Option<String>,
    category: Option<String>,
    limit: usize,
}

impl Wanted {
    fn takes(&self, stream: &StreamName) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| stream.as_str().starts_with(prefix))
            && self.category.as_ref().is_none_or(|category| stream.category() == category)
    }
}

/// What is known of a stream so far.
struct Summary {
    events: u64,
    first: (u64, Timestamp),
    last: (u64, Timestamp),
    last_revision: u64,
}

impl Summary {
    fn add(&mut self, event: &RecordedEvent) {
        self.events += 1;
        self.last = (event.position.get(), event.recorded_at);
        self.last_revision = event.revision.get();
    }
}

fn list(store: &dyn EventStore, wanted: &Wanted, out: &mut Out) -> Result<(), Failure> {
    // Names are copied: one kept from an event would keep all that was read with it.
    let mut streams: HashMap<Box<str>, Summary> = HashMap::new();
    for event in store.read(Read::all())? {
        let event = event?;
        if !wanted.takes(&event.stream) {
            continue;
        }
        match streams.get_mut(event.stream.as_str()) {
            Some(summary) => summary.add(&event),
            None => {
                let place = (event.position.get(), event.recorded_at);
                let last_revision = event.revision.get();
                let summary = Summary { events: 1, first: place, last: place, last_revision };
                streams.insert(event.stream.as_str().into(), summary);
            }
        }
    }
    let found = streams.len();
    let mut streams: Vec<_> = streams.iter().collect();
    streams.sort_unstable_by_key(|(stream, _)| *stream);
    let listed = streams.into_iter().take(wanted.limit).map(|(stream, summary)| Listed::of(stream, summary));
    if out.format != Format::Text {
        let mut rows = Rows::many();
        for row in listed {
            rows.row(out, &row)?;
        }
        return rows.end::<Listed<'_>>(out);
    }
    let cells: Vec<_> = listed.map(|row| row.cells_for_people()).collect();
    let shown = cells.len();
    if shown > 0 {
        table::write(
            out,
            &["stream", "events", "last revision", "first recorded", "last recorded"],
            &[1, 2],
            cells,
        )?;
    }
    let mut summary = text::counted(found as u64, "stream");
    if shown < found {
        summary.push_str(&format!(", {shown} shown"));
    }
    let summary = out.paint(Ink::Dim, summary);
    Ok(writeln!(out, "{summary}")?)
}

#[derive(Serialize)]
struct Listed<'a> {
    stream: &'a str,
    events: u64,
    last_revision: u64,
    first_position: u64,
    last_position: u64,
    first_recorded_at: String,
    last_recorded_at: String,
}

impl Row for Listed<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "stream",
        "events",
        "last_revision",
        "first_position",
        "last_position",
        "first_recorded_at",
        "last_recorded_at",
    ];
}

impl<'a> Listed<'a> {
    fn of(stream: &'a str, summary: &Summary) -> Self {
        Self {
            stream,
            events: summary.events,
            last_revision: summary.last_revision,
            first_position: summary.first.0,
            last_position: summary.last.0,
            first_recorded_at: summary.first.1.to_string(),
            last_recorded_at: summary.last.1.to_string(),
        }
    }

    fn cells_for_people(self) -> Vec<String> {
        vec![
            text::escape(self.stream).into_owned(),
            self.events.to_string(),
            self.last_revision.to_string(),
            self.first_recorded_at,
            self.last_recorded_at,
        ]
    }
}

#[cfg(test)]
mod tests;
