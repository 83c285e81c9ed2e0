//! Puts a fresh store, the raw disk's figures and a workload together.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use factum_core::Durability;
use factum_log::Log;
use serde_json::{Map, Value, json};

use crate::BenchError;
use crate::append::{AppendPlan, append};
use crate::disk::{DiskFigures, DiskProbe, ProbeOptions};
use crate::fill::{BATCH, fill};
use crate::latency::Latency;
use crate::machine::{COMMIT, IS_DEBUG_BUILD, Machine};
use crate::memory;
use crate::outcome::{Outcome, bytes, count, micros, rate};
use crate::read::{LAST, ReadPlan, prepare, read};
use crate::reopen::{filled_by, reopen};
use crate::replay::replay;
use crate::scratch::Scratch;
use crate::subscribe::{SubscribePlan, subscribe};
use crate::workload::{EventSpec, Workload};

/// What all workloads have in common.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Where the stores and the probe's file are put, and removed from.
    pub dir: PathBuf,
    /// How long each workload is measured.
    pub time: Duration,
    /// How long it runs before that.
    pub warm_up: Duration,
    /// What the events are.
    pub events: EventSpec,
    /// How the raw disk is probed.
    pub probe: ProbeOptions,
}

impl BenchOptions {
    /// Five seconds after one, with the canonical events.
    pub fn at(dir: PathBuf) -> Self {
        Self {
            dir,
            time: Duration::from_secs(5),
            warm_up: Duration::from_secs(1),
            events: EventSpec::default(),
            probe: ProbeOptions::default(),
        }
    }
}

/// Ready to measure.
pub struct Bench {
    options: BenchOptions,
    machine: Machine,
    workload: Arc<Workload>,
    probe: DiskProbe,
}

/// What stood around a measurement.
pub(crate) struct Around {
    /// The stricter of the two probes.
    disk: DiskFigures,
    /// Flushes a second in each of them.
    flushes_per_s: [f64; 2],
    memory_peak_bytes: Option<u64>,
}

impl Around {
    fn new(before: DiskFigures, after: DiskFigures, memory_peak_bytes: Option<u64>) -> Self {
        let flushes_per_s = [before.flushes_per_s, after.flushes_per_s];
        Self { disk: before.stricter(after), flushes_per_s, memory_peak_bytes }
    }
}

/// How many times slower the raw disk may be at one moment than at another
/// before a share of it is not to be relied on.
pub const UNSTEADY: f64 = 2.0;

/// The raw disk in three ways of writing; see [`crate::disk`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiskContext {
    #[allow(missing_docs)]
    pub recycled: DiskFigures,
    #[allow(missing_docs)]
    pub direct: Option<DiskFigures>,
    #[allow(missing_docs)]
    pub fresh: Option<DiskFigures>,
}

impl Bench {
    /// Makes the events and the file that the raw disk is probed with.
    pub fn new(options: BenchOptions) -> Result<Self, BenchError> {
        let machine = Machine::at(&options.dir);
        let workload = Workload::new(options.events)?;
        let probe = DiskProbe::new(&options.dir, options.probe)?;
        Ok(Self { options, machine, workload, probe })
    }

    /// Where this is.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What was asked for.
    pub fn options(&self) -> &BenchOptions {
        &self.options
    }

    /// The raw disk alone, in all three ways.
    pub fn disk_context(&self) -> Result<DiskContext, BenchError> {
        Ok(DiskContext {
            recycled: self.probe.recycled()?,
            direct: self.probe.direct()?,
            fresh: self.probe.fresh()?,
        })
    }

    /// The raw disk as an outcome of its own.
    pub fn disk(&self) -> Result<Outcome, BenchError> {
        memory::begin_peak();
        let context = self.disk_context()?;
        let disk = context.recycled;
        let around = Around::new(disk, disk, memory::peak_bytes());
        let mut outcome = self.outcome("disk", "the raw disk, without a store", None, &around);
        outcome.bytes_per_s = Some(disk.bytes_per_s);
        outcome.p50_us = Some(disk.flush_p50_us);
        outcome.p99_us = Some(disk.flush_p99_us);
        outcome.p999_us = Some(disk.flush_p999_us);
        // What no store promised; the flushes themselves are to disk.
        outcome.durability = Durability::Disk.as_str().to_owned();
        for (key, label, figures) in [
            ("recycled", "recycled", Some(disk)),
            ("direct", "direct", context.direct),
            ("fresh", "fresh", context.fresh),
        ] {
            outcome = outcome.with(key, json!(figures)).line(label, describe_disk(figures));
        }
        Ok(outcome.with("latency_of", "one write and flush of 4 KiB"))
    }

    /// Appends to a fresh store.
    pub fn append(&self, callers: usize, batch: usize, threads: bool) -> Result<Outcome, BenchError> {
        let plan =
            AppendPlan { callers, batch, threads, time: self.options.time, warm_up: self.options.warm_up };
        plan.validate()?;
        let ((figures, log_bytes), around) = self.measured(|log, _| {
            let before = log.stats().log_bytes;
            let figures = append(&log, &self.workload, plan)?;
            let log_bytes = log.stats().log_bytes.saturating_sub(before);
            log.close()?;
            Ok((figures, log_bytes))
        })?;
        let seconds = figures.time.as_secs_f64();
        let (appends_per_s, events_per_s, bytes_per_s) = (
            figures.appends as f64 / seconds,
            figures.events as f64 / seconds,
            figures.data_bytes as f64 / seconds,
        );
        let log_bytes_per_s = log_bytes as f64 / figures.events_in_all as f64 * events_per_s;
        let title = format!(
            "{}{}, {}, {}",
            plural(callers, "caller"),
            if threads { " in threads" } else { "" },
            plural_of(batch, "event", "an append"),
            self.times()
        );
        let p50 = figures.latency.at_us(0.5);
        let disk = around.disk;
        let (share, share_of, told) = match (callers, batch) {
            (1, 1) => {
                let share = disk.flush_p50_us / p50;
                let text =
                    format!("p50 is {:.2} x that of the raw disk's write and flush of 4 KiB", 1.0 / share);
                (share, "raw flush p50 / append p50", text)
            }
            (_, 1) => {
                let share = appends_per_s / disk.flushes_per_s;
                (
                    share,
                    "appends / raw flushes of 4 KiB",
                    format!("{share:.1} x the raw disk's flushes per second"),
                )
            }
            (_, _) => {
                let share = bytes_per_s / disk.bytes_per_s;
                let text = format!("{:.1} % of raw sequential bandwidth, in event data", share * 100.0);
                (share, "bytes of event data / raw bytes", text)
            }
        };
        let mut outcome = self
            .outcome("append", &title, figures.durability, &around)
            .with_latency(figures.latency.percentiles())
            .line(
                "events",
                format!(
                    "{} /s; {} of data, {} written by the log",
                    count(events_per_s),
                    rate(bytes_per_s),
                    rate(log_bytes_per_s)
                ),
            )
            .line("latency", describe_latency(&figures.latency))
            .line("share", told)
            .with("callers", callers)
            .with("batch", batch)
            .with("threads", threads)
            .with("appends_per_s", appends_per_s)
            .with("log_bytes_per_s", log_bytes_per_s)
            .with("max_us", figures.latency.max_us())
            .with("share_of", share_of)
            .with("latency_of", "one append, from before it is handed over to its answer");
        outcome.events_per_s = Some(events_per_s);
        outcome.bytes_per_s = Some(bytes_per_s);
        outcome.share = Some(share);
        Ok(outcome)
    }

    /// Reads everything of a store with so many events.
    pub fn replay(&self, events: u64) -> Result<Outcome, BenchError> {
        if events == 0 {
            return Err(BenchError::Option { name: "events", value: "0".into(), allowed: "at least 1" });
        }
        let ((figures, filled), around) = self.measured(|log, scratch| {
            let mut generator = self.workload.generator();
            let mut left = events;
            let filled = fill(&log, |_| {
                let batch = left.min(BATCH as u64);
                left -= batch;
                (batch > 0).then(|| generator.append(batch as usize))
            })?;
            let log = scratch.reopen(log)?;
            let figures = replay(&log, filled.events, self.options.time)?;
            log.close()?;
            Ok((figures, filled))
        })?;
        let title = format!(
            "everything in a store of {} events, {} passes in {:.1} s after one to warm the page cache",
            count(events as f64),
            figures.passes,
            figures.time.as_secs_f64()
        );
        let bytes_per_s = (figures.data_bytes * figures.passes) as f64 / figures.time.as_secs_f64();
        let mut outcome = self
            .outcome("replay", &title, filled.durability, &around)
            .with_latency(figures.latency.percentiles())
            .line("events", format!("{} /s; {} of data", count(figures.events_per_s()), rate(bytes_per_s)))
            .line(
                "one core",
                format!(
                    "{} /s; {:.2} cores were busy",
                    count(figures.events_per_s_per_core()),
                    figures.cores()
                ),
            )
            .line("pass", describe_latency(&figures.latency))
            .with("events", events)
            .with("events_per_s_per_core", figures.events_per_s_per_core())
            .with("cores_busy", figures.cores())
            .with("fill_events_per_s", filled.events as f64 / filled.took.as_secs_f64())
            .with("latency_of", "one pass over all events");
        outcome.events_per_s = Some(figures.events_per_s());
        outcome.bytes_per_s = Some(bytes_per_s);
        Ok(outcome)
    }

    /// Folds one long stream, and reads the last events of others.
    pub fn read(&self, events: u64, stream_events: u64) -> Result<Outcome, BenchError> {
        let plan = ReadPlan { events, stream_events, time: self.options.time };
        let ((figures, filled), around) = self.measured(|log, scratch| {
            let filled = prepare(&log, &self.workload, plan)?;
            let log = scratch.reopen(log)?;
            let figures = read(&log, &mut self.workload.generator(), plan)?;
            log.close()?;
            Ok((figures, filled))
        })?;
        let title = format!(
            "fold of one stream of {} events among {}, {} times; last {LAST} events of random streams, {} times",
            count(stream_events as f64),
            count(filled.events as f64),
            count(figures.folds.count() as f64),
            count(figures.lasts.count() as f64)
        );
        let folds_per_s = figures.folds.count() as f64 / figures.folds_time.as_secs_f64();
        let lasts_per_s = figures.lasts.count() as f64 / figures.lasts_time.as_secs_f64();
        let lasts_each = figures.lasts_events as f64 / figures.lasts.count() as f64;
        let first_us = figures.first_fold.as_secs_f64() * 1e6;
        let mut outcome = self
            .outcome("read", &title, filled.durability, &around)
            .with_latency(figures.folds.percentiles())
            .line(
                "fold",
                format!(
                    "{}, page cache warm; the first, not counted, {}",
                    describe_latency(&figures.folds),
                    micros(first_us)
                ),
            )
            .line(
                "last 20",
                format!(
                    "{}; {} reads/s, {lasts_each:.1} events each",
                    describe_latency(&figures.lasts),
                    count(lasts_per_s)
                ),
            )
            .with("events", filled.events)
            .with("stream_events", stream_events)
            .with("fold_first_us", first_us)
            .with("last20_p50_us", figures.lasts.at_us(0.5))
            .with("last20_p99_us", figures.lasts.at_us(0.99))
            .with("last20_p999_us", figures.lasts.at_us(0.999))
            .with("last20_reads_per_s", lasts_per_s)
            .with("last20_events_each", lasts_each)
            .with("latency_of", "one fold of the long stream");
        outcome.events_per_s = Some(folds_per_s * figures.stream_events as f64);
        outcome.bytes_per_s = Some(folds_per_s * figures.stream_data_bytes as f64);
        Ok(outcome)
    }

    /// Follows a store that is appended to.
    pub fn subscribe(&self, callers: usize) -> Result<Outcome, BenchError> {
        let plan = SubscribePlan { callers, time: self.options.time, warm_up: self.options.warm_up };
        let (figures, around) = self.measured(|log, _| {
            let figures = subscribe(&log, &self.workload, plan)?;
            log.close()?;
            Ok(figures)
        })?;
        let seconds = figures.time.as_secs_f64();
        let (events_per_s, bytes_per_s) =
            (figures.events as f64 / seconds, figures.data_bytes as f64 / seconds);
        let share = events_per_s / around.disk.flushes_per_s;
        let title = format!(
            "{}, 1 event an append, one subscriber in the process, {}",
            plural(callers, "caller"),
            self.times()
        );
        let mut outcome = self
            .outcome("subscribe", &title, figures.durability, &around)
            .with_latency(figures.from_commit.percentiles())
            .line("events", format!("{} /s; {} of data", count(events_per_s), rate(bytes_per_s)))
            .line(
                "commit",
                format!(
                    "{} until delivered, from the earliest answer that proved the commit",
                    describe_latency(&figures.from_commit)
                ),
            )
            .line(
                "answer",
                format!("{} until delivered, from the answer to the event's caller", describe_latency(&figures.from_answer)),
            )
            .line(
                "append",
                format!("{} until delivered, from before the append", describe_latency(&figures.from_append)),
            )
            .line("share", format!("{share:.1} x the raw disk's flushes per second"))
            .with("callers", callers)
            .with("answer_to_delivered_p50_us", figures.from_answer.at_us(0.5))
            .with("answer_to_delivered_p99_us", figures.from_answer.at_us(0.99))
            .with("append_to_delivered_p50_us", figures.from_append.at_us(0.5))
            .with("append_to_delivered_p99_us", figures.from_append.at_us(0.99))
            .with("fell_behind", figures.fell_behind)
            .with("share_of", "appends / raw flushes of 4 KiB")
            .with(
                "latency_of",
                "from the earliest answer that proved the event's commit until the subscriber had it; 0 if it had it before",
            );
        outcome.events_per_s = Some(events_per_s);
        outcome.bytes_per_s = Some(bytes_per_s);
        outcome.share = Some(share);
        Ok(outcome)
    }

    /// Kills a process that fills a store, and opens the store, `rounds` times:
    /// the first fills it with `data_bytes`, the further ones add a hundredth.
    ///
    /// `filler` makes the command that calls
    /// [`fill_and_die`](crate::reopen::fill_and_die) for a path and so many bytes.
    pub fn reopen(
        &self,
        data_bytes: u64,
        rounds: usize,
        filler: &dyn Fn(&Path, u64) -> Command,
    ) -> Result<Outcome, BenchError> {
        if data_bytes == 0 || rounds == 0 {
            let (name, value) = if rounds == 0 { ("rounds", rounds as u64) } else { ("gb", data_bytes) };
            return Err(BenchError::Option { name, value: value.to_string(), allowed: "more than 0" });
        }
        let before = self.probe.recycled()?;
        let scratch = Scratch::new(&self.options.dir)?;
        let mut latency = Latency::new();
        let mut opening = Latency::new();
        let mut first = None;
        let mut last = None;
        memory::begin_peak();
        for round in 0..rounds {
            let part = if round == 0 { data_bytes } else { (data_bytes / 100).max(1) };
            let filled = filled_by(&mut filler(&scratch.store(), part))?;
            let reopened = reopen(&scratch.store(), self.options.events, &filled)?;
            latency.record(reopened.in_all());
            opening.record(reopened.open);
            first.get_or_insert(filled);
            last = Some(reopened);
        }
        let memory_peak_bytes = memory::peak_bytes();
        let around = Around::new(before, self.probe.recycled()?, memory_peak_bytes);
        let (Some(filled), Some(reopened)) = (first, last) else {
            unreachable!("there is at least one round")
        };

        let durability = if filled.is_durable { Durability::Disk } else { Durability::Memory };
        let title = format!(
            "killed with appends under way, opened, one append, one read; {} in a store of {} events, {}",
            plural(rounds, "time"),
            count(reopened.events as f64),
            bytes(reopened.disk_bytes as f64)
        );
        let peaks: Vec<_> = filled.memory_peaks.iter().map(|peak| bytes(*peak as f64)).collect();
        let fill_rate = filled.data_bytes as f64 / filled.seconds;
        let mut outcome = self
            .outcome("reopen", &title, Some(durability), &around)
            .with_latency(latency.percentiles())
            .line(
                "reopen",
                format!("{} in all; longest {}", describe_latency(&latency), micros(latency.max_us())),
            )
            .line("of it open", describe_latency(&opening))
            .line(
                "fill",
                format!(
                    "{} of data in {:.1} s: {} events/s, {}",
                    bytes(filled.data_bytes as f64),
                    filled.seconds,
                    count(filled.events as f64 / filled.seconds),
                    rate(fill_rate)
                ),
            )
            .line("fill memory", format!("peak {} at each quarter of the way", peaks.join(", ")))
            .with("max_us", latency.max_us())
            .with("open_p50_us", opening.at_us(0.5))
            .with("rounds", rounds)
            .with("events", reopened.events)
            .with("store_bytes", reopened.disk_bytes)
            .with("fill_data_bytes", filled.data_bytes)
            .with("fill_seconds", filled.seconds)
            .with("fill_memory_peaks_bytes", filled.memory_peaks.to_vec())
            .with("latency_of", "opening the killed store, one append, and reading it back");
        outcome.events_per_s = Some(filled.events as f64 / filled.seconds);
        outcome.bytes_per_s = Some(fill_rate);
        Ok(outcome)
    }

    /// Does it on a fresh store, with the raw disk's figures from immediately
    /// before and after, of which the stricter count.
    pub(crate) fn measured<T>(
        &self,
        measure: impl FnOnce(Log, &Scratch) -> Result<T, BenchError>,
    ) -> Result<(T, Around), BenchError> {
        let scratch = Scratch::new(&self.options.dir)?;
        let before = self.probe.recycled()?;
        memory::begin_peak();
        let measured = measure(scratch.open()?, &scratch)?;
        let memory_peak_bytes = memory::peak_bytes();
        Ok((measured, Around::new(before, self.probe.recycled()?, memory_peak_bytes)))
    }

    pub(crate) fn outcome(
        &self,
        workload: &str,
        title: &str,
        durability: Option<Durability>,
        around: &Around,
    ) -> Outcome {
        let mut more = Map::new();
        if IS_DEBUG_BUILD {
            more.insert("debug_build".to_owned(), Value::Bool(true));
        }
        let outcome = Outcome {
            workload: workload.to_owned(),
            events_per_s: None,
            bytes_per_s: None,
            p50_us: None,
            p99_us: None,
            p999_us: None,
            disk: around.disk,
            share: None,
            durability: durability.map_or("none", Durability::as_str).to_owned(),
            machine: self.machine.summary(),
            commit: COMMIT.to_owned(),
            more,
            title: title.to_owned(),
            lines: Vec::new(),
        }
        .with("memory_peak_bytes", around.memory_peak_bytes)
        .with("disk_flushes_per_s_before_after", around.flushes_per_s.to_vec());
        let [before, after] = around.flushes_per_s;
        match before.max(after) > UNSTEADY * before.min(after) {
            true => outcome.line(
                "UNSTEADY",
                format!(
                    "{} flushes/s before and {} after: measure again when the machine is quiet",
                    count(before),
                    count(after)
                ),
            ),
            false => outcome,
        }
    }

    fn times(&self) -> String {
        let (time, warm_up) = (self.options.time.as_secs_f64(), self.options.warm_up.as_secs_f64());
        format!("{time:.1} s after {warm_up:.1} s of warm-up")
    }
}

fn plural(number: usize, noun: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{} {noun}{many}", count(number as f64))
}

fn plural_of(number: usize, noun: &str, each: &str) -> String {
    format!("{} {each}", plural(number, noun))
}

pub(crate) fn describe_latency(latency: &Latency) -> String {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| micros(latency.at_us(share)));
    format!("p50 {p50}, p99 {p99}, p99.9 {p999}")
}

fn describe_disk(figures: Option<DiskFigures>) -> String {
    figures.map_or_else(
        || "not to be had on this file system".to_owned(),
        |disk| {
            format!(
                "{} flushes/s of 4 KiB, p50 {}, p99 {}; {} in flushed writes of 1 MiB",
                count(disk.flushes_per_s),
                micros(disk.flush_p50_us),
                micros(disk.flush_p99_us),
                rate(disk.bytes_per_s)
            )
        },
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A bench whose figures mean nothing but are there in no time.
    pub(crate) fn tiny(dir: &Path) -> Bench {
        let options = BenchOptions {
            time: Duration::from_millis(400),
            warm_up: Duration::from_millis(5),
            events: EventSpec { streams: 256, ..EventSpec::default() },
            probe: ProbeOptions {
                time: Duration::from_millis(10),
                recycled_bytes: 2 << 20,
                fresh_bytes: 16 << 20,
            },
            ..BenchOptions::at(dir.to_owned())
        };
        Bench::new(options).unwrap()
    }

    fn assert_common(outcome: &Outcome, workload: &str) {
        assert_eq!(outcome.workload, workload);
        assert!(outcome.disk.flushes_per_s > 0.0 && outcome.disk.bytes_per_s > 0.0, "{outcome:?}");
        assert!(outcome.p50_us <= outcome.p99_us && outcome.p99_us <= outcome.p999_us, "{outcome:?}");
        assert!(outcome.machine.contains("cores"), "{outcome:?}");
        assert!(outcome.more.contains_key("latency_of"), "{outcome:?}");
        let json = serde_json::to_string(outcome).unwrap();
        assert!(json.starts_with(&format!(r#"{{"workload":"{workload}","events_per_s":"#)), "{json}");
    }

    #[test]
    fn every_workload_but_reopen_comes_to_an_outcome_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let bench = tiny(dir.path());
        assert_common(&bench.disk().unwrap(), "disk");
        assert_common(&bench.append(1, 1, false).unwrap(), "append");
        assert_common(&bench.replay(2_050).unwrap(), "replay");
        let read = bench.read(2_000, 100).unwrap();
        assert_common(&read, "read");
        assert_eq!(read.number("events"), Some(2_000.0));
        assert_common(&bench.subscribe(4).unwrap(), "subscribe");
        drop(bench);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_share_is_of_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let bench = tiny(dir.path());
        let near = |one: Option<f64>, other: f64| (one.unwrap() / other - 1.0).abs() < 1e-9;
        let one = bench.append(1, 1, false).unwrap();
        assert!(near(one.share, one.disk.flush_p50_us / one.p50_us.unwrap()));
        let many = bench.append(8, 1, false).unwrap();
        assert!(near(many.share, many.events_per_s.unwrap() / many.disk.flushes_per_s));
        let bulk = bench.append(2, 10, false).unwrap();
        assert!(near(bulk.share, bulk.bytes_per_s.unwrap() / bulk.disk.bytes_per_s));
    }
}
