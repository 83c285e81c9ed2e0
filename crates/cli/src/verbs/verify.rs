//! `event-store verify`: whether the store holds what was written to it.

use std::io::Write;

use factum_core::Position;
use factum_log::verify::{self, Damage, Depth, Report};
use indicatif::HumanCount;
use serde::Serialize;

use crate::args::{Global, VerifyArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::open;
use crate::render::ink::Ink;
use crate::render::progress::Bar;
use crate::render::rows::{self, Row, Rows};
use crate::render::{Out, text};

/// Checks the store, and fails if it is damaged.
pub fn run(args: VerifyArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let depth = if args.deep { Depth::Deep } else { Depth::Fast };
    let path = global.store_path()?;
    let report = {
        let bar = Bar::new();
        open::waiting(global, || verify::verify(path, depth, &mut |progress| bar.show(progress)))?
    };
    show(&Found::of(depth, &report, |file| path.join(file).exists()), out)
}

#[derive(Serialize)]
struct Found {
    depth: &'static str,
    whole: bool,
    segments: u64,
    batches: u64,
    events: u64,
    bytes: u64,
    torn_tail_bytes: u64,
    /// Indexes that are not there: a process that was killed had not written
    /// them yet, or somebody removed them. They hold nothing the log does not.
    indexes_missing: Vec<String>,
    damage: Vec<DamageRow>,
}

#[derive(Serialize, Clone)]
struct DamageRow {
    file: String,
    offset: u64,
    first_position: Option<u64>,
    last_position: Option<u64>,
    what: String,
    rebuildable: bool,
    advice: &'static str,
}

impl Row for Found {
    const COLUMNS: &'static [&'static str] = &[
        "depth",
        "whole",
        "segments",
        "batches",
        "events",
        "bytes",
        "torn_tail_bytes",
        "indexes_missing",
        "damage",
    ];
}

impl Row for DamageRow {
    const COLUMNS: &'static [&'static str] =
        &["file", "offset", "first_position", "last_position", "what", "rebuildable", "advice"];
}

impl Found {
    fn of(depth: Depth, report: &Report, is_there: impl Fn(&str) -> bool) -> Self {
        let (missing, damage): (Vec<_>, Vec<_>) =
            report.damage.iter().partition(|damage| damage.rebuildable && !is_there(&damage.file));
        Self {
            depth: if depth == Depth::Deep { "deep" } else { "fast" },
            whole: damage.is_empty(),
            segments: report.segments,
            batches: report.batches,
            events: report.events,
            bytes: report.bytes,
            torn_tail_bytes: report.torn_tail_bytes,
            indexes_missing: missing.into_iter().map(|damage| damage.file.clone()).collect(),
            damage: damage.into_iter().map(DamageRow::of).collect(),
        }
    }
}

impl DamageRow {
    fn of(damage: &Damage) -> Self {
        let positions = damage.positions.as_ref();
        Self {
            file: damage.file.clone(),
            offset: damage.offset,
            first_position: positions.map(|range| range.start()).copied().map(Position::get),
            last_position: positions.map(|range| range.end()).copied().map(Position::get),
            what: damage.what.clone(),
            rebuildable: damage.rebuildable,
            advice: match damage.rebuildable {
                true => "open the store once for appending: it is made again from the log",
                false => "restore this file from a copy; do not append to the store before",
            },
        }
    }

    fn positions(&self) -> String {
        match (self.first_position, self.last_position) {
            (Some(first), Some(last)) if first == last => format!("position {first}"),
            (Some(first), Some(last)) => format!("positions {first} to {last}"),
            _ => "positions not known".to_owned(),
        }
    }
}

fn show(found: &Found, out: &mut Out) -> Result<(), Failure> {
    match out.format {
        Format::Text => people(found, out)?,
        // Its rows are the damage; the header alone says there is none.
        Format::Csv => {
            let mut rows = Rows::many();
            for damage in &found.damage {
                rows.row(out, damage)?;
            }
            rows.end::<DamageRow>(out)?;
        }
        Format::Json | Format::Ndjson => rows::one(out, found)?,
    }
    if found.whole {
        return Ok(());
    }
    let places = text::counted(found.damage.len() as u64, "damaged place");
    let failure = Failure::new(Exit::Damaged, format!("the store is not whole: {places}"));
    Err(match found.depth {
        "fast" => failure.hint("--deep checks every byte and finds the whole extent"),
        _ => failure,
    })
}

fn people(found: &Found, out: &mut Out) -> std::io::Result<()> {
    for damage in &found.damage {
        let place = format!("{} at byte {}", text::escape(&damage.file), damage.offset);
        let place = out.paint(Ink::Error, place);
        writeln!(out, "{place}, {}: {}", damage.positions(), text::escape(&damage.what))?;
        writeln!(out, "    {}", damage.advice)?;
    }
    for file in &found.indexes_missing {
        writeln!(
            out,
            "{} is not there, which a kill may cause; the next opening for appending makes it from the log",
            text::escape(file)
        )?;
    }
    if found.torn_tail_bytes > 0 {
        writeln!(
            out,
            "{} after the last whole batch were never acknowledged; the next opening cuts them off",
            text::bytes(found.torn_tail_bytes)
        )?;
    }
    let checked = format!(
        "{} check of {}, {}, {}; {} of checksums recomputed",
        found.depth,
        text::counted(found.segments, "segment"),
        counted_batches(found.batches),
        text::counted(found.events, "event"),
        text::bytes(found.bytes)
    );
    match found.whole {
        true => writeln!(out, "{}: {checked}", out.paint(Ink::Added, "whole")),
        false => writeln!(out, "{}: {checked}", out.paint(Ink::Error, "damaged")),
    }
}

fn counted_batches(count: u64) -> String {
    format!("{} {}", HumanCount(count), if count == 1 { "batch" } else { "batches" })
}

#[cfg(test)]
mod tests;
