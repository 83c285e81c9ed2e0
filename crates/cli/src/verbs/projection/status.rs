//! `projection status`: what each projection is doing, and how late it is.

use std::io::Write;
use std::time::Duration;

use factum::view::sqlite::{ProjectionStatus, RebuildStatus};
use indicatif::{HumanCount, HumanDuration};
use serde::Serialize;

use super::failure::{found, nobody_runs};
use crate::args::ProjectionArgs;
use crate::failure::Failure;
use crate::format::Format;
use crate::render::ink::Ink;
use crate::render::rows::{Row, Rows};
use crate::render::{Out, table, text};

/// Shows them.
pub fn run(args: ProjectionArgs, out: &mut Out) -> Result<(), Failure> {
    let (_, versions) = found(&args.database, args.name.as_deref())?;
    if out.format == Format::Text {
        return show(&versions, out);
    }
    let mut rows = Rows::many();
    for version in &versions {
        rows.row(out, &Shown::of(version))?;
    }
    rows.end::<Shown<'_>>(out)
}

fn show(versions: &[ProjectionStatus], out: &mut Out) -> Result<(), Failure> {
    if versions.is_empty() {
        return Ok(writeln!(out, "0 projections")?);
    }
    let headings = ["projection", "version", "state", "position", "events", "behind", "late"];
    let rows = versions.iter().map(|version| {
        let in_use = if version.is_active { "" } else { " (not in use)" };
        vec![
            version.name.clone(),
            format!("{}{in_use}", version.version),
            version.phase.as_str().to_owned(),
            version.position.map_or_else(|| "none".to_owned(), |position| position.to_string()),
            HumanCount(version.events).to_string(),
            HumanCount(version.lag_events).to_string(),
            late(version.lag),
        ]
    });
    table::write(out, &headings, &[1, 3, 4, 5, 6], rows.collect())?;
    for version in versions {
        let remark = |out: &mut Out, ink, remark: String| {
            let remark = out.paint(ink, text::escape(&remark));
            writeln!(out, "{remark}")
        };
        let ProjectionStatus { name, version: number, .. } = version;
        if let Some(failure) = &version.failure {
            let place = format!(
                "position {} ({}, {} revision {})",
                failure.position, failure.event_type, failure.stream, failure.revision
            );
            remark(out, Ink::Error, format!("{name} {number} stands before {place}: {}", failure.reason))?;
        }
        if let Some(rebuild) = &version.rebuild {
            remark(out, Ink::Dim, format!("{name} {number} rebuild {}", told(rebuild)))?;
        }
        if version.is_paused {
            remark(out, Ink::Hint, format!("{name} {number} waits until `factum projection resume {name}`"))?;
        }
        if version.heartbeat.is_none() {
            remark(out, Ink::Hint, nobody_runs(&format!("{name} {number}")))?;
        }
    }
    Ok(())
}

fn late(lag: Duration) -> String {
    format!("{:.1} s", lag.as_secs_f64())
}

fn told(rebuild: &RebuildStatus) -> String {
    let mut told = format!(
        "{}: {} of {} positions, {}",
        rebuild.state.as_str(),
        HumanCount(rebuild.done),
        HumanCount(rebuild.total),
        text::counted(rebuild.events, "event")
    );
    if rebuild.state.is_under_way() {
        told.push_str(&format!(", {}/s", HumanCount(rebuild.per_second as u64)));
    }
    if let Some(remaining) = rebuild.remaining {
        told.push_str(&format!(", {} left", HumanDuration(remaining)));
    }
    if let Some(reason) = &rebuild.reason {
        told.push_str(&format!(" ({reason})"));
    }
    told
}

/// One version of a projection, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    version: u32,
    in_use: bool,
    state: &'static str,
    paused: bool,
    running: bool,
    heartbeat_at: Option<String>,
    position: Option<u64>,
    events: u64,
    lag_events: u64,
    lag_seconds: f64,
    failure: Option<ShownFailure<'a>>,
    rebuild: Option<ShownRebuild<'a>>,
}

#[derive(Serialize)]
struct ShownFailure<'a> {
    position: u64,
    #[serde(rename = "type")]
    event_type: &'a str,
    stream: &'a str,
    revision: u64,
    reason: &'a str,
}

/// A rebuild, for programs.
#[derive(Serialize)]
pub struct ShownRebuild<'a> {
    state: &'static str,
    positions_done: u64,
    positions_total: u64,
    events: u64,
    positions_per_s: f64,
    seconds_left: Option<f64>,
    reason: Option<&'a str>,
}

impl Row for Shown<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "version",
        "in_use",
        "state",
        "paused",
        "running",
        "heartbeat_at",
        "position",
        "events",
        "lag_events",
        "lag_seconds",
        "failure",
        "rebuild",
    ];
}

impl<'a> Shown<'a> {
    fn of(status: &'a ProjectionStatus) -> Self {
        Self {
            name: &status.name,
            version: status.version,
            in_use: status.is_active,
            state: status.phase.as_str(),
            paused: status.is_paused,
            running: status.heartbeat.is_some(),
            heartbeat_at: status.heartbeat.map(|at| at.to_string()),
            position: status.position.map(|position| position.get()),
            events: status.events,
            lag_events: status.lag_events,
            lag_seconds: status.lag.as_secs_f64(),
            failure: status.failure.as_ref().map(|failure| ShownFailure {
                position: failure.position.get(),
                event_type: &failure.event_type,
                stream: &failure.stream,
                revision: failure.revision,
                reason: &failure.reason,
            }),
            rebuild: status.rebuild.as_ref().map(ShownRebuild::of),
        }
    }
}

impl<'a> ShownRebuild<'a> {
    /// Of what the register says.
    pub fn of(rebuild: &'a RebuildStatus) -> Self {
        Self {
            state: rebuild.state.as_str(),
            positions_done: rebuild.done,
            positions_total: rebuild.total,
            events: rebuild.events,
            positions_per_s: rebuild.per_second,
            seconds_left: rebuild.remaining.map(|remaining| remaining.as_secs_f64()),
            reason: rebuild.reason.as_deref(),
        }
    }
}
