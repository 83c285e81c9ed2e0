//! The SDK's rows: what the typed path costs beside what it stands on.

pub mod commands;
pub mod counter;
pub mod fold;
pub mod hot;
pub mod load;
mod targets;
#[cfg(feature = "sqlite")]
pub mod view;

use std::sync::Arc;

use factum::Store;
use factum::snapshot::{SnapshotPolicy, Snapshots};
use factum::store::StoreOptions;
use factum_core::EventStore;

use self::commands::CommandPlan;
use self::counter::{CounterId, Sum};
use crate::BenchError;
use crate::bench::{Bench, describe_latency};
use crate::outcome::{Outcome, count};
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
