//! The SDK's rows: what the typed path costs beside what it stands on.

pub mod commands;
pub mod counter;
pub mod fold;
pub mod hot;
pub mod load;

use std::sync::Arc;

use factum::Store;
use factum::store::StoreOptions;
use factum_core::EventStore;

use self::commands::CommandPlan;
use crate::BenchError;
use crate::bench::{Bench, describe_latency};
use crate::outcome::{Outcome, count, micros};
use crate::table::{Judged, Measured, Table, Target};

/// How large the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdkPlan {
    /// Events that are folded in memory.
    pub fold_events: usize,
    /// Events of the aggregate that is loaded.
    pub aggregate_events: u64,
    /// Aggregates that commands are given to.
    pub aggregates: u32,
    /// Commands in flight.
    pub commands: usize,
}

impl Default for SdkPlan {
    fn default() -> Self {
        Self { fold_events: 100_000, aggregate_events: 10_000, aggregates: 10_000, commands: 1_024 }
    }
}

const FOLD: Target = Target {
    name: "fold of small JSON events through the typed path, one core",
    target: "at least 5,000,000 events/s, or 70 % of the JSON decoder alone",
    judge: |outcome| {
        let typed = outcome.events_per_s.unwrap_or(0.0);
        let decoder = outcome.number("decoder_per_s").unwrap_or(f64::INFINITY);
        Judged {
            measured: format!("{} events/s; the decoder alone {} /s", count(typed), count(decoder)),
            share: format!("{:.0} % of the decoder", typed / decoder * 100.0),
            raw: String::new(),
            reached: typed >= 5e6 || typed >= 0.7 * decoder,
        }
    },
};
const LOAD: Target = Target {
    name: "load of an aggregate of 10,000 events, one in ten of its store",
    target: "p99 under 10 ms, page cache warm",
    judge: |outcome| {
        let p99 = outcome.p99_us.unwrap_or(f64::INFINITY);
        Judged {
            measured: format!("p50 {}, p99 {}", micros(outcome.p50_us.unwrap_or(0.0)), micros(p99)),
            share: format!("{:.2} x", p99 / 10e3),
            raw: String::new(),
            reached: p99 < 10e3,
        }
    },
};
const COMMANDS: Target = Target {
    name: "1,024 commands in flight on 10,000 warm aggregates",
    target: "at least 60 % of the log's single appends of the same events",
    judge: |outcome| {
        let (commands, raw) = (
            outcome.events_per_s.unwrap_or(0.0),
            outcome.number("raw_appends_per_s").unwrap_or(f64::INFINITY),
        );
        Judged {
            measured: format!(
                "{} /s, p99 {}; the log alone {} /s",
                count(commands),
                micros(outcome.p99_us.unwrap_or(0.0)),
                count(raw)
            ),
            share: format!("{:.0} % of the log", commands / raw * 100.0),
            raw: format!("{} flushes/s", count(outcome.disk.flushes_per_s)),
            reached: commands >= 0.6 * raw,
        }
    },
};

/// Measures every row, telling `progress` before each.
pub fn run(bench: &Bench, plan: SdkPlan, progress: &mut dyn FnMut(&str)) -> Result<Table, BenchError> {
    progress("the raw disk");
    let context = bench.disk_context()?;
    let mut measured: Vec<Measured> = Vec::new();
    let mut row = |targets: &'static [Target], measure: &dyn Fn() -> Result<Outcome, BenchError>| {
        progress(targets[0].name);
        measured.push((targets, measure()));
    };
    row(&[FOLD], &|| bench.sdk_fold(plan));
    row(&[LOAD], &|| bench.sdk_load(plan));
    row(&[COMMANDS], &|| bench.sdk_commands(plan));
    Ok(Table::judge(bench, context, measured))
}

impl Bench {
    fn sdk_fold(&self, plan: SdkPlan) -> Result<Outcome, BenchError> {
        let (figures, around) = self.measured(|log, _| {
            log.close()?;
            fold::fold(plan.fold_events, self.options().time)
        })?;
        let title = format!("{} stored events in memory, again and again", count(plan.fold_events as f64));
        // What is not appended is as durable as it was.
        let mut outcome = self
            .outcome("sdk fold", &title, Some(factum_core::Durability::Disk), &around)
            .line("typed", format!("{} events/s", count(figures.typed_per_s)))
            .line(
                "decoder",
                format!("{} events/s, serde_json into a plain struct", count(figures.decoder_per_s)),
            )
            .with("decoder_per_s", figures.decoder_per_s);
        outcome.events_per_s = Some(figures.typed_per_s);
        Ok(outcome)
    }

    fn sdk_load(&self, plan: SdkPlan) -> Result<Outcome, BenchError> {
        let ((latency, durability), around) = self.measured(|log, scratch| {
            let durability = load::prepare(&log, plan.aggregate_events)?;
            let log = scratch.reopen(log)?;
            let store = Store::over(Arc::new(log.clone()), StoreOptions::default());
            let latency = load::load(&store, plan.aggregate_events, self.options().time)?;
            log.close()?;
            Ok((latency, durability))
        })?;
        let title = format!(
            "an aggregate of {} events among {}, loaded {} times",
            count(plan.aggregate_events as f64),
            count((plan.aggregate_events * (u64::from(load::OTHERS_BETWEEN) + 1)) as f64),
            count(latency.count() as f64)
        );
        Ok(self
            .outcome("sdk load", &title, durability, &around)
            .with_latency(latency.percentiles())
            .line("load", describe_latency(&latency))
            .with("latency_of", "one load from the log"))
    }

    fn sdk_commands(&self, plan: SdkPlan) -> Result<Outcome, BenchError> {
        let options = self.options();
        let plan = CommandPlan {
            in_flight: plan.commands,
            aggregates: plan.aggregates,
            time: options.time,
            warm_up: options.warm_up,
        };
        let (raw, _) = self.measured(|log, _| {
            let raw = commands::raw_appends(&log, plan)?;
            log.close()?;
            Ok(raw)
        })?;
        let (figures, around) = self.measured(|log, _| {
            let port: Arc<dyn EventStore> = Arc::new(log.clone());
            let store = Store::over(port, StoreOptions::default());
            commands::warm(&store, plan)?;
            let figures = commands::commands(&store, plan)?;
            log.close()?;
            Ok(figures)
        })?;
        let title = format!(
            "{} commands in flight on {} aggregates, one event each",
            count(plan.in_flight as f64),
            count(f64::from(plan.aggregates))
        );
        let mut outcome = self
            .outcome("sdk commands", &title, figures.durability, &around)
            .with_latency(figures.latency.percentiles())
            .line(
                "commands",
                format!("{} /s, {} decided again", count(figures.commands_per_s), figures.retried),
            )
            .line("latency", describe_latency(&figures.latency))
            .line("the log", format!("{} single appends/s of the same events", count(raw)))
            .with("raw_appends_per_s", raw)
            .with("retried", figures.retried)
            .with("latency_of", "one command, from before it is given to its receipt");
        outcome.events_per_s = Some(figures.commands_per_s);
        outcome.share = Some(figures.commands_per_s / raw);
        Ok(outcome)
    }
}
