//! The table: every target, what was measured in one run, and whether it was
//! reached. A row that was missed, or came to no figure, stays in it.
//!
//! A disk that was disturbed while it was probed is a low limit, and a share
//! of it flatters. So a row that is judged by the raw disk counts as reached
//! only if the disk did, around that row, at least half of the best it did in
//! the whole run ([`UNSTEADY`]).

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::process::Command;

use serde::Serialize;
use serde_json::json;

use crate::BenchError;
use crate::bench::{Bench, DiskContext, UNSTEADY};
use crate::disk::DiskFigures;
use crate::machine::{COMMIT, Machine};
use crate::outcome::{Outcome, bytes, count, micros, rate};

/// One target and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was done.
    pub name: &'static str,
    /// What was to be reached.
    pub target: &'static str,
    /// What was measured.
    pub measured: String,
    /// The same against the target's own measure.
    pub share: String,
    /// The raw disk in the same minute, as far as the target is about it.
    pub raw: String,
    /// Whether there is a figure at all, or an error in its place.
    pub has_figure: bool,
    /// Whether the target was reached.
    pub reached: bool,
}

/// All rows of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// In the order they were measured.
    pub rows: Vec<Row>,
    /// What the rows were judged from.
    pub outcomes: Vec<Outcome>,
    /// The raw disk in other ways of writing.
    pub context: DiskContext,
    /// Where it was measured.
    pub machine: Machine,
    /// What was measured.
    pub commit: &'static str,
    /// How long each row was measured.
    pub seconds: f64,
}

/// How large the stores of a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TablePlan {
    /// Events that are replayed.
    pub replay_events: u64,
    /// Events among which a stream is folded.
    pub read_events: u64,
    /// Events of that stream.
    pub stream_events: u64,
    /// Bytes of event data in the store that is killed and reopened.
    pub reopen_bytes: u64,
    /// How often it is killed.
    pub reopen_rounds: usize,
}

impl Default for TablePlan {
    fn default() -> Self {
        Self {
            replay_events: 2_000_000,
            read_events: 1_000_000,
            stream_events: 10_000,
            reopen_bytes: 4_000_000_000,
            reopen_rounds: 3,
        }
    }
}

/// A row's words, and how it is judged.
pub(crate) struct Target {
    pub name: &'static str,
    pub target: &'static str,
    pub judge: fn(&Outcome) -> Judged,
}

pub(crate) struct Judged {
    pub measured: String,
    pub share: String,
    pub raw: String,
    pub reached: bool,
}

/// A measurement, and the targets it is judged by.
pub(crate) type Measured = (&'static [Target], Result<Outcome, BenchError>);

const ONE_CALLER: Target = Target {
    name: "one caller, single appends",
    target: "p50 at most 1.5 x the raw disk's write and flush of 4 KiB",
    judge: |outcome| {
        let p50 = outcome.p50_us.unwrap_or(f64::INFINITY);
        let raw = outcome.disk.flush_p50_us;
        Judged {
            measured: format!("p50 {}, p99 {}", micros(p50), micros(outcome.p99_us.unwrap_or(0.0))),
            share: format!("{:.2} x", p50 / raw),
            raw: format!("p50 {}", micros(raw)),
            reached: p50 <= 1.5 * raw,
        }
    },
};
const CALLERS_64: Target = Target {
    name: "64 callers, single appends",
    target: "at least 20 x the raw disk's flushes per second",
    judge: |outcome| multiple(outcome, 20.0),
};
const CALLERS_1024: Target = Target {
    name: "1,024 callers, single appends",
    target: "at least 90 x the raw disk's flushes per second",
    judge: |outcome| multiple(outcome, 90.0),
};
const BULK: Target = Target {
    name: "32 callers, 100 events an append",
    target: "at least 60 % of raw sequential bandwidth with a flush every 1 MiB, in event data alone",
    judge: |outcome| {
        let share = outcome.share.unwrap_or(0.0);
        let (events, data) = (outcome.events_per_s.unwrap_or(0.0), outcome.bytes_per_s.unwrap_or(0.0));
        let written = outcome.number("log_bytes_per_s").unwrap_or(0.0);
        Judged {
            measured: format!(
                "{} events/s, {} of data ({} written)",
                count(events),
                rate(data),
                rate(written)
            ),
            share: format!("{:.0} %", share * 100.0),
            raw: rate(outcome.disk.bytes_per_s),
            reached: share >= 0.6,
        }
    },
};
const REPLAY: Target = Target {
    name: "replay of everything, page cache warm, one core",
    target: "at least 5,000,000 events/s",
    judge: |outcome| {
        let per_core = outcome.number("events_per_s_per_core").unwrap_or(0.0);
        Judged {
            measured: format!("{} events/s, {}", count(per_core), rate(outcome.bytes_per_s.unwrap_or(0.0))),
            share: format!("{:.2} x", per_core / 5e6),
            raw: String::new(),
            reached: per_core >= 5e6,
        }
    },
};
const FOLD: Target = Target {
    name: "fold of one stream of 10,000 events among 1,000,000",
    target: "p99 under 20 ms, page cache warm",
    judge: |outcome| {
        let p99 = outcome.p99_us.unwrap_or(f64::INFINITY);
        Judged {
            measured: format!(
                "p50 {}, p99 {}; the first, from the disk, {}",
                micros(outcome.p50_us.unwrap_or(0.0)),
                micros(p99),
                micros(outcome.number("fold_first_us").unwrap_or(0.0))
            ),
            share: format!("{:.2} x", p99 / 20e3),
            raw: String::new(),
            reached: p99 < 20e3,
        }
    },
};
const SUBSCRIBER: Target = Target {
    name: "commit to a subscriber in the process, 64 callers",
    target: "p99 under 300 us",
    judge: |outcome| {
        let p99 = outcome.p99_us.unwrap_or(f64::INFINITY);
        Judged {
            measured: format!("p50 {}, p99 {}", micros(outcome.p50_us.unwrap_or(0.0)), micros(p99)),
            share: format!("{:.2} x", p99 / 300.0),
            raw: String::new(),
            reached: p99 < 300.0,
        }
    },
};
const REOPEN: Target = Target {
    name: "reopen after kill -9, store of 4 GB",
    target: "under 1 s to the first append and read, the slowest of all kills",
    judge: |outcome| {
        let max = outcome.number("max_us").unwrap_or(f64::INFINITY);
        let store = outcome.number("store_bytes").unwrap_or(0.0);
        Judged {
            measured: format!("{} with {}", micros(max), bytes(store)),
            share: format!("{:.2} x", max / 1e6),
            raw: String::new(),
            reached: max < 1e6 && store >= 4e9,
        }
    },
};
const MEMORY: Target = Target {
    name: "memory while writing that store",
    target: "bounded: under a quarter of the data, and at most a tenth (and 16 MB) more at its end than half-way",
    judge: |outcome| {
        let peak = |place: usize| {
            outcome.more.get("fill_memory_peaks_bytes").and_then(|peaks| peaks.get(place)?.as_f64())
        };
        let (half, end) = (peak(1).unwrap_or(0.0), peak(3).unwrap_or(f64::INFINITY));
        let data = outcome.number("fill_data_bytes").unwrap_or(0.0);
        Judged {
            measured: format!("peak {} half-way, {} at the end of {}", bytes(half), bytes(end), bytes(data)),
            share: format!("{:.0} % of the data", end / data * 100.0),
            raw: String::new(),
            reached: half > 0.0 && end < data / 4.0 && end <= half * 1.1 + 16e6,
        }
    },
};

fn multiple(outcome: &Outcome, target: f64) -> Judged {
    let share = outcome.share.unwrap_or(0.0);
    let p99 = outcome.p99_us.unwrap_or(0.0);
    Judged {
        measured: format!("{} /s, p99 {}", count(outcome.events_per_s.unwrap_or(0.0)), micros(p99)),
        share: format!("{share:.1} x"),
        raw: format!("{} flushes/s", count(outcome.disk.flushes_per_s)),
        reached: share >= target,
    }
}

impl Target {
    /// A result that was never durable reaches nothing, however fast; nor does
    /// a share of a disk that was far from its `best` of the run.
    fn row(&self, outcome: &Result<Outcome, BenchError>, best: DiskFigures) -> Row {
        let Self { name, target, judge } = *self;
        match outcome {
            Ok(outcome) => {
                let Judged { mut measured, share, raw, reached } = judge(outcome);
                let durable = outcome.durability == "disk";
                if !durable {
                    measured.push_str(&format!("; durability: {}", outcome.durability));
                }
                let steady = raw.is_empty() || is_steady(outcome.disk, best);
                if !steady {
                    let best = count(best.flushes_per_s);
                    measured.push_str(&format!("; the disk was disturbed: {best} flushes/s at its best"));
                }
                let reached = reached && durable && steady;
                Row { name, target, measured, share, raw, has_figure: true, reached }
            }
            Err(error) => Row {
                name,
                target,
                measured: format!("no figure: {}", with_sources(error)),
                share: String::new(),
                raw: String::new(),
                has_figure: false,
                reached: false,
            },
        }
    }
}

/// Whether the disk did what it can, or nearly.
fn is_steady(disk: DiskFigures, best: DiskFigures) -> bool {
    disk.flushes_per_s * UNSTEADY >= best.flushes_per_s
        && disk.bytes_per_s * UNSTEADY >= best.bytes_per_s
        && disk.flush_p50_us <= best.flush_p50_us * UNSTEADY
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

impl Table {
    /// Measures every row, telling `progress` before each.
    pub fn run(
        bench: &Bench,
        plan: TablePlan,
        filler: &dyn Fn(&Path, u64) -> Command,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, BenchError> {
        progress("the raw disk");
        let context = bench.disk_context()?;
        let mut measured: Vec<Measured> = Vec::new();
        let mut row = |targets: &'static [Target], measure: &dyn Fn() -> Result<Outcome, BenchError>| {
            progress(targets[0].name);
            measured.push((targets, measure()));
        };
        row(&[ONE_CALLER], &|| bench.append(1, 1, false));
        row(&[CALLERS_64], &|| bench.append(64, 1, false));
        row(&[CALLERS_1024], &|| bench.append(1_024, 1, false));
        row(&[BULK], &|| bench.append(32, 100, false));
        row(&[REPLAY], &|| bench.replay(plan.replay_events));
        row(&[FOLD], &|| bench.read(plan.read_events, plan.stream_events));
        row(&[SUBSCRIBER], &|| bench.subscribe(64));
        row(&[REOPEN, MEMORY], &|| bench.reopen(plan.reopen_bytes, plan.reopen_rounds, filler));
        Ok(Self::judge(bench, context, measured))
    }

    /// Judges what was measured.
    pub(crate) fn judge(bench: &Bench, context: DiskContext, measured: Vec<Measured>) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            outcomes: Vec::new(),
            context,
            machine: bench.machine().clone(),
            commit: COMMIT,
            seconds: bench.options().time.as_secs_f64(),
        };
        let probes = measured.iter().filter_map(|(_, outcome)| Some(outcome.as_ref().ok()?.disk));
        let best = probes.fold(context.recycled, DiskFigures::stricter);
        for (targets, outcome) in measured {
            let rows: Vec<_> = targets.iter().map(|target| target.row(&outcome, best)).collect();
            table.outcomes.extend(outcome.map(|outcome| outcome.with("targets", json!(rows))));
            table.rows.extend(rows);
        }
        table
    }

    /// How many rows reached their target.
    pub fn reached(&self) -> usize {
        self.rows.iter().filter(|row| row.reached).count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{:<8} {}", if row.reached { "reached" } else { "MISSED" }, row.name)?;
            writeln!(f, "         target    {}", row.target)?;
            writeln!(f, "         measured  {}", row.measured)?;
            if !row.share.is_empty() {
                let raw = if row.raw.is_empty() { String::new() } else { format!("; raw disk {}", row.raw) };
                writeln!(f, "         share     {}{raw}", row.share)?;
            }
        }
        writeln!(
            f,
            "{} of {} reached; {}; commit {}",
            self.reached(),
            self.rows.len(),
            self.machine.summary(),
            self.commit
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::tests::tiny;
    use crate::outcome::tests::example;

    /// Runs all rows, tiny, with a filler that fails.
    pub(crate) fn run(dir: &Path) -> Table {
        let plan = TablePlan {
            replay_events: 1_000,
            read_events: 1_000,
            stream_events: 100,
            reopen_bytes: 1_000,
            reopen_rounds: 1,
        };
        let mut told = 0;
        let table = Table::run(&tiny(dir), plan, &|_, _| Command::new("false"), &mut |_| told += 1).unwrap();
        assert_eq!(told, 9);
        table
    }

    #[test]
    fn every_row_is_there_also_one_without_a_figure() {
        let dir = tempfile::tempdir().unwrap();
        let table = run(dir.path());
        assert_eq!(table.rows.len(), 9);
        assert_eq!(table.outcomes.len(), 7);
        let reopen = &table.rows[7];
        assert!(!reopen.reached);
        assert!(reopen.measured.starts_with("no figure: the process that fills the store"), "{reopen:?}");
        assert!(table.to_string().contains("MISSED   reopen after kill -9"), "{table}");
    }

    /// Judges the example with these changes.
    fn judged(target: &Target, change: impl FnOnce(Outcome) -> Outcome) -> bool {
        target.row(&Ok(change(example())), example().disk).reached
    }

    #[test]
    fn targets_are_reached_at_their_limit_and_missed_beyond_it() {
        let p50 = |p50| move |outcome| Outcome { p50_us: Some(p50), ..outcome };
        assert!(judged(&ONE_CALLER, p50(180.0)));
        assert!(!judged(&ONE_CALLER, p50(180.1)));
        let share = |share| move |outcome| Outcome { share: Some(share), ..outcome };
        assert!(judged(&CALLERS_64, share(20.0)) && !judged(&CALLERS_64, share(19.9)));
        assert!(judged(&CALLERS_1024, share(90.0)) && !judged(&CALLERS_1024, share(89.9)));
        assert!(judged(&BULK, share(0.6)) && !judged(&BULK, share(0.59)));
        let p99 = |p99| move |outcome| Outcome { p99_us: Some(p99), ..outcome };
        assert!(judged(&FOLD, p99(19_999.0)) && !judged(&FOLD, p99(20_000.0)));
        assert!(judged(&SUBSCRIBER, p99(299.0)) && !judged(&SUBSCRIBER, p99(300.0)));
        let replay = |rate: f64| move |outcome: Outcome| outcome.with("events_per_s_per_core", rate);
        assert!(judged(&REPLAY, replay(5e6)) && !judged(&REPLAY, replay(4.9e6)));
        let reopen = |us: f64, store: f64| {
            move |outcome: Outcome| outcome.with("max_us", us).with("store_bytes", store)
        };
        assert!(judged(&REOPEN, reopen(999e3, 4e9)));
        assert!(!judged(&REOPEN, reopen(1e6, 4e9)) && !judged(&REOPEN, reopen(1.0, 3e9)));
        let memory = |half: f64, end: f64| {
            move |outcome: Outcome| {
                outcome
                    .with("fill_memory_peaks_bytes", json!([half, half, end, end]))
                    .with("fill_data_bytes", 4e9)
            }
        };
        assert!(judged(&MEMORY, memory(300e6, 340e6)));
        assert!(!judged(&MEMORY, memory(300e6, 600e6)) && !judged(&MEMORY, memory(2e9, 2e9)));
    }

    #[test]
    fn what_is_not_durable_reaches_nothing() {
        let fast = |durability: &str| Outcome { durability: durability.into(), ..example() };
        assert!(CALLERS_64.row(&Ok(fast("disk")), example().disk).reached);
        assert!(!CALLERS_64.row(&Ok(fast("memory")), example().disk).reached);
    }

    #[test]
    fn a_share_of_a_disturbed_disk_reaches_nothing() {
        let best = |flushes_per_s| DiskFigures { flushes_per_s, ..example().disk };
        let row = |best| CALLERS_64.row(&Ok(example()), best);
        assert!(row(best(16_000.0)).reached);
        let disturbed = row(best(16_001.0));
        assert!(!disturbed.reached);
        assert!(disturbed.measured.contains("16,001 flushes/s at its best"), "{disturbed:?}");
        // What is not judged by the disk is not concerned.
        let quick = Outcome { p99_us: Some(1.0), ..example() };
        assert!(FOLD.row(&Ok(quick), best(16_001.0)).reached);
    }
}
