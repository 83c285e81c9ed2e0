//! The SDK's rows: what the typed path costs beside what it stands on.

pub mod commands;
pub mod counter;
pub mod fold;
pub mod hot;
pub mod load;
mod targets;
#[cfg(feature = "sqlite")]
pub mod view;

use std::path::Path;
use std::sync::Arc;

use factum::Store;
use factum::snapshot::{SnapshotPolicy, Snapshots};
use factum::store::StoreOptions;
use factum_core::EventStore;
use factum_log::Log;

use self::commands::CommandPlan;
use self::counter::{CounterId, Sum};
use crate::BenchError;
use crate::bench::{Bench, describe_latency};
use crate::fill::weaker;
use crate::latency::Latency;
use crate::outcome::{Outcome, count};
use crate::scratch::Scratch;
use crate::table::{Measured, Table, Target};

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
    /// Events that a view catches up with.
    pub view_events: u32,
    /// Rows they are spread over.
    pub view_rows: u32,
}

impl Default for SdkPlan {
    fn default() -> Self {
        Self {
            fold_events: 100_000,
            aggregate_events: 10_000,
            aggregates: 10_000,
            commands: 1_024,
            view_events: 500_000,
            view_rows: 5_000,
        }
    }
}

/// How often the log and the commands take turns.
const ROUNDS: u32 = 5;

/// Measures on a store that nothing else was put into.
fn alone<T>(dir: &Path, measure: impl FnOnce(&Log) -> Result<T, BenchError>) -> Result<T, BenchError> {
    let scratch = Scratch::new(dir)?;
    let log = scratch.open()?;
    let measured = measure(&log)?;
    log.close()?;
    Ok(measured)
}

/// The one in the middle.
fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Measures every row, telling `progress` before each.
pub fn run(bench: &Bench, plan: SdkPlan, progress: &mut dyn FnMut(&str)) -> Result<Table, BenchError> {
    progress("the raw disk");
    let context = bench.disk_context()?;
    let mut measured: Vec<Measured> = Vec::new();
    let mut row = |targets: &'static [Target], measure: &dyn Fn() -> Result<Outcome, BenchError>| {
        progress(targets[0].name);
        measured.push((targets, measure()));
    };
    row(&[targets::FOLD], &|| bench.sdk_fold(plan));
    row(&[targets::LOAD], &|| bench.sdk_load(plan));
    row(&[targets::SNAPSHOT], &|| bench.sdk_snapshot(plan));
    row(&[targets::COMMANDS], &|| bench.sdk_commands(plan));
    row(&[targets::HOT], &|| bench.sdk_hot(plan));
    #[cfg(feature = "sqlite")]
    {
        row(&[targets::VIEW], &|| bench.sdk_view(plan));
        row(&[targets::LAG], &|| bench.sdk_lag(plan));
    }
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

    fn sdk_snapshot(&self, plan: SdkPlan) -> Result<Outcome, BenchError> {
        let ((latency, durability), around) = self.measured(|log, scratch| {
            let durability = load::prepare(&log, plan.aggregate_events)?;
            let log = scratch.reopen(log)?;
            let snapshots =
                Snapshots::in_directory(scratch.beside("snapshots")).of::<Sum>(SnapshotPolicy::Manual);
            let options = StoreOptions { snapshots: Some(snapshots), ..StoreOptions::default() };
            let store = Store::over(Arc::new(log.clone()), options);
            let taken = store.snapshot(Sum::of(CounterId(0))).run();
            taken.map_err(|error| BenchError::wrong(format!("no snapshot was taken: {error}")))?;
            let latency = load::load(&store, plan.aggregate_events, self.options().time)?;
            load::used_a_snapshot_each_time(&store, latency.count())?;
            log.close()?;
            Ok((latency, durability))
        })?;
        let title = format!(
            "the snapshot of an aggregate of {} events, loaded {} times",
            count(plan.aggregate_events as f64),
            count(latency.count() as f64)
        );
        Ok(self
            .outcome("sdk load snapshot", &title, durability, &around)
            .with_latency(latency.percentiles())
            .line("load", describe_latency(&latency))
            .with("latency_of", "one load: the snapshot's file, and what came after it"))
    }

    fn sdk_hot(&self, plan: SdkPlan) -> Result<Outcome, BenchError> {
        let options = self.options();
        let (figures, around) = self.measured(|log, _| {
            let port: Arc<dyn EventStore> = Arc::new(log.clone());
            let store = Store::over(port, StoreOptions::default());
            let figures = hot::queued(&store, plan.commands, options.time, options.warm_up)?;
            log.close()?;
            Ok(figures)
        })?;
        let title =
            format!("{} commands in flight on one aggregate, one event each", count(plan.commands as f64));
        let mut outcome = self
            .outcome("sdk hot", &title, figures.durability, &around)
            .with_latency(figures.latency.percentiles())
            .line("commands", format!("{} /s", count(figures.commands_per_s)))
            .line("latency", describe_latency(&figures.latency))
            .with("latency_of", "one command, from before it is given to its receipt");
        outcome.events_per_s = Some(figures.commands_per_s);
        Ok(outcome)
    }

    #[cfg(feature = "sqlite")]
    fn sdk_view(&self, plan: SdkPlan) -> Result<Outcome, BenchError> {
        let ((figures, durability), around) = self.measured(|log, scratch| {
            let durability = view::prepare(&log, plan.view_events, plan.view_rows)?;
            let log = scratch.reopen(log)?;
            let store = Store::over(Arc::new(log.clone()), StoreOptions::default());
            let figures = view::catch_up(&store, &scratch.beside("views.db"))?;
            log.close()?;
            Ok((figures, durability))
        })?;
        let title = format!(
            "{} events into {} rows, until the last is in its row",
            count(f64::from(plan.view_events)),
            count(f64::from(plan.view_rows))
        );
        let mut outcome = self
            .outcome("sdk view", &title, durability, &around)
            .line("view", format!("{} events/s", count(figures.events_per_s)))
            .line("rows", "every sum is that of the log: nothing twice, nothing left out".to_owned());
        outcome.events_per_s = Some(figures.events_per_s);
        Ok(outcome)
    }

    #[cfg(feature = "sqlite")]
    fn sdk_lag(&self, plan: SdkPlan) -> Result<Outcome, BenchError> {
        let (figures, around) = self.measured(|log, scratch| {
            let store = Store::over(Arc::new(log.clone()), StoreOptions::default());
            let figures =
                view::follow(&store, &scratch.beside("views.db"), plan.view_rows, self.options().time)?;
            log.close()?;
            Ok(figures)
        })?;
        let title =
            format!("a view of {} rows beside one appending caller", count(f64::from(plan.view_rows)));
        Ok(self
            .outcome("sdk view live", &title, figures.durability, &around)
            .with_latency(figures.latency.percentiles())
            .line("lag", describe_latency(&figures.latency))
            .line("appended", format!("{} events/s", count(figures.appended_per_s)))
            .with("appended_per_s", figures.appended_per_s)
            .with("latency_of", "an append of ten events, from its receipt until all are in their rows"))
    }

    /// The log and the commands take turns, each time with a fresh store: a minute
    /// in which the machine is slow then counts against both.
    fn sdk_commands(&self, plan: SdkPlan) -> Result<Outcome, BenchError> {
        let options = self.options();
        let plan = CommandPlan {
            in_flight: plan.commands,
            aggregates: plan.aggregates,
            time: options.time.mul_f64(2.0 / f64::from(ROUNDS)),
            warm_up: options.warm_up / 2,
        };
        let (rounds, around) = self.measured(|log, _| {
            log.close()?;
            (0..ROUNDS)
                .map(|_| {
                    let raw = alone(&options.dir, |log| commands::raw_appends(log, plan))?;
                    let figures = alone(&options.dir, |log| {
                        let store = Store::over(Arc::new(log.clone()), StoreOptions::default());
                        commands::warm(&store, plan)?;
                        commands::commands(&store, plan)
                    })?;
                    Ok((raw, figures))
                })
                .collect::<Result<Vec<_>, BenchError>>()
        })?;
        let title = format!(
            "{} commands in flight on {} aggregates, one event each; the log and the commands in turn, {ROUNDS} times",
            count(plan.in_flight as f64),
            count(f64::from(plan.aggregates))
        );
        let raw = median(rounds.iter().map(|(raw, _)| *raw));
        let commands_per_s = median(rounds.iter().map(|(_, figures)| figures.commands_per_s));
        let mut latency = Latency::new();
        rounds.iter().for_each(|(_, figures)| latency.add(&figures.latency));
        let retried: u64 = rounds.iter().map(|(_, figures)| figures.retried).sum();
        let durability = rounds
            .iter()
            .filter_map(|(_, figures)| figures.durability)
            .fold(None, |so_far, now| Some(weaker(so_far, now)));
        let each = rounds
            .iter()
            .map(|(raw, figures)| format!("{} of {}", count(figures.commands_per_s), count(*raw)));
        let mut outcome = self
            .outcome("sdk commands", &title, durability, &around)
            .with_latency(latency.percentiles())
            .line("commands", format!("{} /s, the median; {retried} decided again", count(commands_per_s)))
            .line("latency", describe_latency(&latency))
            .line("the log", format!("{} single appends/s of the same events, the median", count(raw)))
            .line("each round", each.collect::<Vec<_>>().join(", "))
            .with("raw_appends_per_s", raw)
            .with("retried", retried)
            .with("latency_of", "one command, from before it is given to its receipt");
        outcome.events_per_s = Some(commands_per_s);
        outcome.share = Some(commands_per_s / raw);
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::tests::tiny;

    #[test]
    fn every_row_comes_to_a_figure() {
        let dir = tempfile::tempdir().unwrap();
        let plan = SdkPlan {
            fold_events: 1_000,
            aggregate_events: 100,
            aggregates: 50,
            commands: 16,
            view_events: 1_000,
            view_rows: 50,
        };
        let mut told = Vec::new();
        let table = run(&tiny(dir.path()), plan, &mut |name| told.push(name.to_owned())).unwrap();
        assert_eq!(told.len(), table.rows.len() + 1);
        for row in &table.rows {
            assert!(row.has_figure, "{row:?}");
        }
    }
}
