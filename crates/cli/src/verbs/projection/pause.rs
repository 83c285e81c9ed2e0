//! `projection pause` and `projection resume`.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use factum::view::Phase;
use factum::view::sqlite::{Control, ProjectionStatus};
use serde::Serialize;

use super::failure::{found, nobody_runs};
use crate::args::{Global, ProjectionArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::render::Out;
use crate::render::rows::{Row, Rows};

/// How often is looked whether a request was heeded.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Has projections wait.
pub fn pause(args: ProjectionArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let (control, names) = named(&args)?;
    for name in &names {
        control.pause(name)?;
    }
    let heeded = |version: &ProjectionStatus| version.phase == Phase::Paused;
    answer(&control, &names, global, heeded, "paused", out)
}

/// Has projections go on.
pub fn resume(args: ProjectionArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let (control, names) = named(&args)?;
    for name in &names {
        control.resume(name)?;
    }
    let heeded = |version: &ProjectionStatus| version.phase != Phase::Paused;
    answer(&control, &names, global, heeded, "resumed", out)
}

fn named(args: &ProjectionArgs) -> Result<(Control, Vec<String>), Failure> {
    let (control, versions) = found(&args.database, args.name.as_deref())?;
    let mut names: Vec<_> = versions.into_iter().map(|version| version.name).collect();
    names.dedup();
    Ok((control, names))
}

/// Waits until whoever runs them has heeded the request, and says what became of it.
fn answer(
    control: &Control,
    names: &[String],
    global: &Global,
    heeded: impl Fn(&ProjectionStatus) -> bool,
    done: &'static str,
    out: &mut Out,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut rows = Rows::many();
    for name in names {
        let versions = loop {
            let versions = control.status_of(name)?;
            if versions.iter().all(|version| version.heartbeat.is_none() || heeded(version)) {
                break versions;
            }
            if begun.elapsed() >= Duration::from_secs(global.wait) {
                return Err(Failure::new(
                    Exit::Unavailable,
                    format!("{name} was asked, and whoever runs it has not heeded that yet"),
                )
                .hint("--wait SECONDS waits longer; `factum projection status` shows what it is doing"));
            }
            thread::sleep(LOOK_EVERY);
        };
        let running = versions.iter().any(|version| version.heartbeat.is_some());
        if out.format != Format::Text {
            rows.row(out, &Asked { name, state: done, running })?;
        } else if running {
            writeln!(out, "{name} is {done}")?;
        } else {
            writeln!(out, "{name} is {done} for whoever runs it next; {}", nobody_runs("it"))?;
        }
    }
    match out.format {
        Format::Text => Ok(()),
        _ => rows.end::<Asked<'_>>(out),
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    name: &'a str,
    state: &'static str,
    running: bool,
}

impl Row for Asked<'_> {
    const COLUMNS: &'static [&'static str] = &["name", "state", "running"];
}
