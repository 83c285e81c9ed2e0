//! `projection rebuild`: asks for it, and shows how it goes on.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use factum::view::sqlite::{Control, ProjectionStatus, RebuildState, RebuildStatus};
use indicatif::HumanCount;
use serde::Serialize;

use super::failure::{found, nobody_runs};
use super::status::ShownRebuild;
use crate::args::{Global, RebuildArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::import::meter::{Meter, Stderr, Unit};
use crate::render::rows::{self, Row};
use crate::render::{Out, text};

/// How often the register is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Rebuilds, ends a rebuild, or says what there would be to do.
pub fn run(args: RebuildArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let (control, versions) = found(&args.database, args.name.as_deref())?;
    let mut in_use = versions.into_iter().filter(|version| version.is_active);
    let (Some(version), None) = (in_use.next(), in_use.next()) else {
        return Err(Failure::new(Exit::Usage, "which projection is to be rebuilt?")
            .hint("`factum projection status` shows the projections there are"));
    };
    if args.dry_run {
        return show_plan(&control, &version, out);
    }
    let rebuild = Rebuild { control, name: version.name.clone(), version: version.version };
    if args.cancel {
        return rebuild.cancel(global, out);
    }
    if version.heartbeat.is_none() {
        return Err(Failure::new(Exit::Unavailable, nobody_runs(&version.name))
            .hint("rebuild it again once that runs: the rows are made by its code"));
    }
    rebuild.follow(global, out)
}

#[derive(Serialize)]
struct Plan<'a> {
    name: &'a str,
    version: u32,
    rows: u64,
    events: u64,
    positions_total: u64,
    running: bool,
}

impl Row for Plan<'_> {
    const COLUMNS: &'static [&'static str] =
        &["name", "version", "rows", "events", "positions_total", "running"];
}

fn show_plan(control: &Control, version: &ProjectionStatus, out: &mut Out) -> Result<(), Failure> {
    let looked_at = version.position.map_or(0, |position| position.get() + 1);
    let plan = Plan {
        name: &version.name,
        version: version.version,
        rows: control.rows(&version.name)?,
        events: version.events,
        positions_total: looked_at + version.lag_events,
        running: version.heartbeat.is_some(),
    };
    if out.format != Format::Text {
        return rows::one(out, &plan);
    }
    writeln!(
        out,
        "{} {}: {} from {} would be made again, from {} positions of the log; nothing was changed",
        plan.name,
        plan.version,
        text::counted(plan.rows, "row"),
        text::counted(plan.events, "event"),
        HumanCount(plan.positions_total),
    )?;
    if !plan.running {
        writeln!(out, "{}", nobody_runs(plan.name))?;
    }
    Ok(())
}

struct Rebuild {
    control: Control,
    name: String,
    version: u32,
}

#[derive(Serialize)]
struct Ended<'a> {
    name: &'a str,
    version: u32,
    #[serde(flatten)]
    rebuild: ShownRebuild<'a>,
}

impl Row for Ended<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "version",
        "state",
        "positions_done",
        "positions_total",
        "events",
        "positions_per_s",
        "seconds_left",
        "reason",
    ];
}

impl Rebuild {
    fn look(&self) -> Result<(Option<RebuildStatus>, bool), Failure> {
        let versions = self.control.status_of(&self.name)?;
        let found = versions.into_iter().find(|status| status.version == self.version);
        Ok(found.map_or((None, false), |status| (status.rebuild, status.heartbeat.is_some())))
    }

    /// Asks for it, which begins one that is under way anew, and waits for its end.
    fn follow(&self, global: &Global, out: &mut Out) -> Result<(), Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let handler = Arc::clone(&stop);
        ctrlc::set_handler(move || handler.store(true, Ordering::SeqCst))
            .map_err(|error| Failure::new(Exit::Failure, format!("cannot wait for an interrupt: {error}")))?;
        self.control.rebuild(&self.name)?;
        let mut meter = Stderr::new();
        let ended = self.watch(&stop, &mut meter, Duration::from_secs(global.wait));
        meter.end();
        self.show(&ended?, out)
    }

    /// `patience`: how long nobody may run it.
    fn watch(
        &self,
        stop: &AtomicBool,
        meter: &mut impl Meter,
        patience: Duration,
    ) -> Result<RebuildStatus, Failure> {
        let mut heard = Instant::now();
        let (mut has_begun, mut is_cancelled) = (false, false);
        loop {
            let (rebuild, is_run) = self.look()?;
            if let Some(rebuild) = rebuild {
                if !rebuild.state.is_under_way() {
                    return Ok(rebuild);
                }
                if !has_begun && rebuild.state == RebuildState::Running {
                    has_begun = true;
                    meter.begin("rebuild", Unit::Positions, Some(rebuild.total));
                }
                if has_begun {
                    meter.at(rebuild.done, rebuild.events);
                }
            }
            if stop.load(Ordering::SeqCst) && !is_cancelled {
                is_cancelled = true;
                self.control.cancel_rebuild(&self.name)?;
            }
            if is_run {
                heard = Instant::now();
            } else if heard.elapsed() >= patience {
                return Err(Failure::new(Exit::Unavailable, nobody_runs(&self.name))
                    .hint("the rebuild goes on when it is started again; --cancel ends it"));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    fn cancel(&self, global: &Global, out: &mut Out) -> Result<(), Failure> {
        let under_way = |rebuild: &RebuildStatus| rebuild.state.is_under_way();
        if !self.look()?.0.as_ref().is_some_and(under_way) {
            return Err(Failure::not_found(format!("no rebuild of {} is under way", self.name)));
        }
        self.control.cancel_rebuild(&self.name)?;
        let begun = Instant::now();
        loop {
            let (rebuild, is_run) = self.look()?;
            match rebuild {
                Some(rebuild) if rebuild.state == RebuildState::Cancelled => {
                    return self.show_end(&rebuild, out);
                }
                Some(rebuild) if !rebuild.state.is_under_way() => return self.show(&rebuild, out),
                _ if begun.elapsed() >= Duration::from_secs(global.wait) => {
                    let why =
                        if is_run { "it has not ended yet".to_owned() } else { nobody_runs(&self.name) };
                    return Err(Failure::new(Exit::Unavailable, format!("the rebuild is to end, but {why}")));
                }
                _ => thread::sleep(LOOK_EVERY),
            }
        }
    }

    /// How it ended; anything but new rows is a failure.
    fn show(&self, rebuild: &RebuildStatus, out: &mut Out) -> Result<(), Failure> {
        let name = &self.name;
        match rebuild.state {
            RebuildState::Failed => Err(Failure::new(
                Exit::Failure,
                format!(
                    "the rebuild of {name} failed: {}",
                    rebuild.reason.as_deref().unwrap_or("nobody knows why")
                ),
            )
            .hint("the rows in use are as they were")),
            RebuildState::Cancelled => {
                Err(Failure::new(Exit::Failure, format!("the rebuild of {name} was cancelled"))
                    .hint("the rows in use are as they were"))
            }
            _ => self.show_end(rebuild, out),
        }
    }

    fn show_end(&self, rebuild: &RebuildStatus, out: &mut Out) -> Result<(), Failure> {
        if out.format != Format::Text {
            let ended = Ended { name: &self.name, version: self.version, rebuild: ShownRebuild::of(rebuild) };
            return rows::one(out, &ended);
        }
        match rebuild.state {
            RebuildState::Done => writeln!(
                out,
                "{} {} is rebuilt from {} at {} positions, {} positions/s",
                self.name,
                self.version,
                text::counted(rebuild.events, "event"),
                HumanCount(rebuild.total),
                HumanCount(rebuild.per_second as u64)
            )?,
            _ => {
                writeln!(out, "the rebuild of {} is cancelled; the rows in use are as they were", self.name)?
            }
        }
        Ok(())
    }
}
