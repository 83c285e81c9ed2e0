//! `projection remove`: the rows and the checkpoint of a version that is not in
//! use, for good.

use std::io::Write;

use serde::Serialize;

use super::failure::found;
use crate::args::RemoveArgs;
use crate::failure::Failure;
use crate::format::Format;
use crate::render::rows::{self, Row};
use crate::render::{Out, text};

/// Removes a version, or says what that would remove.
pub fn run(args: RemoveArgs, out: &mut Out) -> Result<(), Failure> {
    let (control, versions) = found(&args.database, Some(&args.name))?;
    let removal = control.removal(&args.name, args.version)?;
    let running = versions.iter().any(|status| status.version == args.version && status.heartbeat.is_some());
    if !args.dry_run {
        control.remove(&args.name, args.version)?;
    }
    let shown = Shown {
        name: &args.name,
        version: args.version,
        rows: removal.rows,
        events: removal.events,
        running,
        removed: !args.dry_run,
    };
    if out.format != Format::Text {
        return rows::one(out, &shown);
    }
    let what = format!("{} from {}", text::counted(shown.rows, "row"), text::counted(shown.events, "event"));
    match args.dry_run {
        true => {
            writeln!(out, "{} {}: {what} would be removed; nothing was changed", shown.name, shown.version)?
        }
        false => writeln!(out, "{} {} is removed: {what}", shown.name, shown.version)?,
    }
    if running {
        writeln!(out, "a program still runs it: end that, or it will complain until it is started again")?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    version: u32,
    rows: u64,
    events: u64,
    running: bool,
    removed: bool,
}

impl Row for Shown<'_> {
    const COLUMNS: &'static [&'static str] = &["name", "version", "rows", "events", "running", "removed"];
}
