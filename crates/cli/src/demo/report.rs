//! What a demo did, for people and for programs.

use std::io::{self, Write};

use factum_core::Durability;
use serde::Serialize;

use super::fold::Difference;
use super::picture::{self, counted, speaks_unicode};
use super::{Stop, Travelled};
use crate::failure::quoted;
use crate::format::Format;
use crate::import::command::{rate, speed};
use crate::import::git::Imported;
use crate::import::git::history::File;
use crate::import::git::path::{STREAM_PREFIX, escape, stream_of};
use crate::render::ink::Ink;
use crate::render::rows::{self, Row};
use crate::render::{Out, text};

/// Everything there is to say.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where the repository is.
    pub repository: String,
    /// Where the store lies.
    pub store: String,
    /// Events in the store.
    pub events: u64,
    /// Commits in the store.
    pub commits: u64,
    /// Streams in the store.
    pub streams: u64,
    /// Events appended now.
    pub events_imported: u64,
    /// Moments compared with git.
    pub checks: u64,
    /// Paths that git has otherwise, over all of them.
    pub mismatches: u64,
    /// `None` if nothing was to be imported.
    pub events_per_s_imported: Option<u64>,
    #[allow(missing_docs)]
    pub events_per_s_folded: Option<u64>,
    #[allow(missing_docs)]
    pub seconds_import: f64,
    #[allow(missing_docs)]
    pub seconds_fold: f64,
    /// What the receipts promised; `None` if nothing was to be imported.
    pub durability: Option<&'static str>,
    /// The moments.
    pub stops: Vec<StopRow>,
}

/// One moment.
#[derive(Debug, Serialize)]
pub struct StopRow {
    commit: String,
    position: u64,
    authored_at: Option<String>,
    files: u64,
    events: u64,
    mismatches: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<DifferenceRow>,
}

#[derive(Debug, Serialize)]
struct DifferenceRow {
    path: String,
    git: Option<String>,
    folded: Option<String>,
}

impl Row for Report {
    const COLUMNS: &'static [&'static str] = &[
        "repository",
        "store",
        "events",
        "commits",
        "streams",
        "events_imported",
        "checks",
        "mismatches",
        "events_per_s_imported",
        "events_per_s_folded",
        "seconds_import",
        "seconds_fold",
        "durability",
        "stops",
    ];
}

/// What the store holds.
#[derive(Debug, Clone, Copy)]
pub struct Holding {
    #[allow(missing_docs)]
    pub events: u64,
    #[allow(missing_docs)]
    pub commits: u64,
    #[allow(missing_docs)]
    pub streams: u64,
}

impl Report {
    /// From what import and travel say.
    pub fn of(
        repository: String,
        store: String,
        holding: Holding,
        imported: &Imported,
        travelled: &Travelled,
    ) -> Self {
        let (folded, took) = travelled.folded();
        Self {
            repository,
            store,
            events: holding.events,
            commits: holding.commits,
            streams: holding.streams,
            events_imported: imported.events,
            checks: travelled.stops.len() as u64,
            mismatches: travelled.mismatches(),
            events_per_s_imported: rate(imported.events, imported.seconds),
            events_per_s_folded: rate(folded, took.as_secs_f64()),
            seconds_import: imported.seconds,
            seconds_fold: took.as_secs_f64(),
            durability: imported.durability.map(Durability::as_str),
            stops: travelled.stops.iter().map(StopRow::of).collect(),
        }
    }
}

impl StopRow {
    fn of(stop: &Stop) -> Self {
        Self {
            commit: stop.commit.to_string(),
            position: stop.position.get(),
            authored_at: stop.at.map(|time| time.to_string()),
            files: stop.files,
            events: stop.events,
            mismatches: stop.mismatches,
            differences: stop.listed.iter().map(DifferenceRow::of).collect(),
        }
    }
}

impl DifferenceRow {
    fn of(difference: &Difference) -> Self {
        let shown = |file: Option<File>| file.map(|file| format!("{:06o} {}", file.mode, file.blob));
        Self { path: escape(&difference.path), git: shown(difference.git), folded: shown(difference.folded) }
    }
}

/// Shows it in the form that was asked for.
pub fn show(
    report: &Report,
    imported: &Imported,
    travelled: &Travelled,
    out: &mut Out,
) -> Result<(), crate::failure::Failure> {
    if out.format != Format::Text {
        return rows::one(out, report);
    }
    people(report, imported, travelled, out)?;
    if report.mismatches == 0 {
        next_steps(report, travelled, out)?;
    }
    Ok(())
}

fn people(report: &Report, imported: &Imported, travelled: &Travelled, out: &mut Out) -> io::Result<()> {
    let repository = text::escape(&report.repository).into_owned();
    let repository = out.paint(Ink::Strong, repository);
    let durable = match imported.durability {
        Some(Durability::Disk) => ", every commit flushed to the disk",
        _ => "",
    };
    match imported.commits {
        0 => writeln!(
            out,
            "{repository}: everything was imported before, {} as {}",
            text::counted(report.commits, "commit"),
            text::counted(report.events, "event")
        )?,
        new => writeln!(
            out,
            "{repository}: {} became {}{durable}",
            text::counted(new, "commit"),
            speed(&imported.events, imported.seconds)
        )?,
    }
    if imported.shallow {
        writeln!(out, "It is a shallow clone, so its history begins in the middle.")?;
    }
    writeln!(
        out,
        "Each commit is one atomic append: to the stream `commits`, and to one stream per path ({} streams).",
        counted(report.streams)
    )?;
    let picture = picture::lines(&travelled.samples, speaks_unicode());
    if !picture.is_empty() {
        writeln!(out)?;
        for line in picture {
            writeln!(out, "  {line}")?;
        }
    }
    writeln!(out)?;
    writeln!(
        out,
        "Travelled to {} and asked `git ls-tree -r` about each:",
        text::counted(report.checks, "moment")
    )?;
    for stop in &travelled.stops {
        stop_line(stop, out)?;
    }
    let (folded, took) = travelled.folded();
    writeln!(out, "Folded {} from the log.", speed(&folded, took.as_secs_f64()))?;
    let verdict = match report.mismatches {
        0 => out.paint(Ink::Added, "Every path, mode and blob id is the same as in git."),
        n => out.paint(Ink::Error, format_args!("{} paths are not as in git.", counted(n))),
    };
    writeln!(out, "{verdict}")
}

fn stop_line(stop: &Stop, out: &mut Out) -> io::Result<()> {
    let day = stop.at.map_or_else(|| "?".to_owned(), |time| time.to_string().chars().take(10).collect());
    let verdict = match stop.mismatches {
        0 => out.paint(Ink::Added, "the same"),
        n => out.paint(Ink::Error, format_args!("{n} differ")),
    };
    let commit: String = stop.commit.to_string().chars().take(10).collect();
    writeln!(
        out,
        "  {commit}  {day:<10}  position {:>9}  {:>7} files  {verdict}",
        counted(stop.position.get()),
        counted(stop.files)
    )?;
    for difference in &stop.listed {
        let shown = |file: Option<File>| match file {
            Some(file) => format!("{:06o} {}", file.mode, file.blob),
            None => "nothing".to_owned(),
        };
        writeln!(
            out,
            "    {}: git has {}, the fold has {}",
            escape(&difference.path),
            shown(difference.git),
            shown(difference.folded)
        )?;
    }
    Ok(())
}

fn next_steps(report: &Report, travelled: &Travelled, out: &mut Out) -> io::Result<()> {
    let store = quoted(&report.store);
    writeln!(out)?;
    writeln!(out, "The store lies in {}. Try:", text::escape(&report.store))?;
    let mut tries = vec!["stream show commits --last 3".to_owned()];
    if let Some(path) = &travelled.busiest {
        let stream = stream_of(STREAM_PREFIX, path);
        let stream = quoted(stream.as_str());
        tries.push(format!("event-store replay {stream}"));
        if let Some(stop) = travelled.stops.iter().rev().nth(1) {
            tries.push(format!("events at-time {stream} pos:{}", stop.position));
        }
    }
    tries.push("event-store stats".to_owned());
    for line in tries {
        writeln!(out, "  factum --store {store} {line}")?;
    }
    Ok(())
}
