//! `event-store stats`: the store in a few lines, and its segments.

use std::io::Write;

use factum_core::Position;
use factum_log::Stats;
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::format::Format;
use crate::open;
use crate::render::rows::{self, Row};
use crate::render::{Out, table, text};

/// Opens the store and summarises it.
pub fn run(global: &Global, out: &mut Out) -> Result<(), Failure> {
    let store = global.store_path()?.display().to_string();
    open::reading(global, |log| show(&Summary::of(store, &log.stats()), out))
}

#[derive(Serialize)]
struct Summary {
    store: String,
    events: u64,
    streams: u64,
    last_position: Option<u64>,
    last_recorded_at: Option<String>,
    log_bytes: u64,
    disk_bytes: u64,
    segments: Vec<Segment>,
}

#[derive(Serialize)]
struct Segment {
    number: u32,
    first_position: Option<u64>,
    events: u64,
    log_bytes: u64,
    file_bytes: u64,
    sealed: bool,
}

impl Row for Summary {
    const COLUMNS: &'static [&'static str] = &[
        "store",
        "events",
        "streams",
        "last_position",
        "last_recorded_at",
        "log_bytes",
        "disk_bytes",
        "segments",
    ];
}

impl Summary {
    fn of(store: String, stats: &Stats) -> Self {
        let segments = stats.segments.iter().map(|segment| Segment {
            number: segment.number,
            first_position: segment.first_position.map(Position::get),
            events: segment.events,
            log_bytes: segment.log_bytes,
            file_bytes: segment.file_bytes,
            sealed: segment.sealed,
        });
        Self {
            store,
            events: stats.events,
            streams: stats.streams,
            last_position: stats.last_position.map(Position::get),
            last_recorded_at: stats.last_recorded_at.map(|time| time.to_string()),
            log_bytes: stats.log_bytes,
            disk_bytes: stats.disk_bytes,
            segments: segments.collect(),
        }
    }
}

fn show(summary: &Summary, out: &mut Out) -> Result<(), Failure> {
    if out.format != Format::Text {
        return rows::one(out, summary);
    }
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none: the log is empty".to_owned());
    table::pairs(
        out,
        &[
            ("store", text::escape(&summary.store).into_owned()),
            ("events", summary.events.to_string()),
            ("streams", summary.streams.to_string()),
            ("last position", or_none(summary.last_position.map(|position| position.to_string()))),
            ("last recorded", or_none(summary.last_recorded_at.clone())),
            ("log", text::bytes(summary.log_bytes)),
            ("on disk", text::bytes(summary.disk_bytes)),
        ],
    )?;
    if summary.segments.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let rows = summary.segments.iter().map(|segment| {
        vec![
            segment.number.to_string(),
            segment.first_position.map_or_else(String::new, |position| position.to_string()),
            segment.events.to_string(),
            text::bytes(segment.log_bytes),
            text::bytes(segment.file_bytes),
            if segment.sealed { "sealed" } else { "open" }.to_owned(),
        ]
    });
    let headings = ["segment", "first position", "events", "log", "file", "state"];
    Ok(table::write(out, &headings, &[0, 1, 2, 3, 4], rows.collect())?)
}

#[cfg(test)]
mod tests;
