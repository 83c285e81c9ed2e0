//! One row: a fresh store, filled, closed and opened again, warmed up,
//! measured, and counted out.
//!
//! Whatever a system says instead of a figure becomes the row; only what keeps
//! every row from being measured, such as a disk that cannot be probed, ends
//! the run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eventcore_fs::FileEventStore;
use eventcore_postgres::PostgresEventStore;
use eventcore_sqlite::SqliteEventStore;
use factum_bench::disk::{DiskFigures, DiskProbe, ProbeOptions};
use factum_bench::machine::Machine;
use tokio::runtime::Runtime;

use crate::arguments::Arguments;
use crate::counters::{Counters, Home};
use crate::drive::{Heard, Plan, Turn, commands, loads, total};
use crate::failure::{Failure, with_causes};
use crate::postgres::{Installation, Server};
use crate::systems::System;
use crate::systems::cqrs_es::CqrsEs;
use crate::systems::disintegrate::Disintegrate;
use crate::systems::eventcore::Eventcore;
use crate::systems::factum::Factum;
use crate::workload::Workload;

/// Before anything is counted, so many commands at once for so long.
pub const WARM_UP: (usize, Duration) = (64, Duration::from_secs(2));
/// Then the workload itself, not yet counted.
pub const LEAD_IN: Duration = Duration::from_secs(1);

/// What all rows share.
pub struct Bench {
    /// Where stores are made.
    pub dir: PathBuf,
    /// Where that is.
    pub machine: Machine,
    /// How long each row is measured.
    pub time: Duration,
    /// Or why there is none.
    pub postgres: Result<Installation, String>,
    disk: DiskProbe,
}

/// One line of the table.
pub struct Row {
    /// What was done.
    pub workload: Workload,
    /// By whom.
    pub system: System,
    /// What came of it, or why nothing did.
    pub outcome: Result<Outcome, String>,
    /// The raw disk immediately before and after, the harder limit of both.
    pub disk: DiskFigures,
}

/// What came of it.
pub struct Outcome {
    /// Commands, or loads.
    pub per_s: f64,
    /// Half took at most this.
    pub p50_us: f64,
    /// All but one in a hundred took at most this.
    pub p99_us: f64,
    /// Decisions made again; `None` if none were made.
    pub again: Option<u64>,
    /// Commands that were not done, and what the first of them was told.
    pub refused: (u64, Option<String>),
    /// What an answered command survives.
    pub durability: String,
    /// Whether the counters add up.
    pub tally: Tally,
}

/// What the counters came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// What was there before, and every command that was answered as done.
    pub answered: u64,
    /// The sum of all counters.
    pub counted: u64,
}

impl Bench {
    /// Looks at the machine; needs a disk, and does without PostgreSQL.
    pub fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let dir = arguments.dir();
        let dir = dir.canonicalize().map_err(|error| format!("cannot use {}: {error}", dir.display()))?;
        let options = ProbeOptions { time: Duration::from_millis(500), ..ProbeOptions::default() };
        Ok(Self {
            machine: Machine::at(&dir),
            time: arguments.time()?,
            postgres: Installation::find().map_err(|failure| with_causes(&*failure)),
            disk: DiskProbe::new(&dir, options)?,
            dir,
        })
    }

    /// Measures one system at one workload.
    pub fn row(&self, workload: Workload, system: System) -> Result<Row, Failure> {
        let before = self.disk.recycled()?;
        let outcome = self.outcome(workload, system).map_err(|failure| with_causes(&*failure));
        let disk = before.stricter(self.disk.recycled()?);
        Ok(Row { workload, system, outcome, disk })
    }

    fn outcome(&self, workload: Workload, system: System) -> Result<Outcome, Failure> {
        let runtime = Runtime::new()?;
        let server = match (system.needs_postgres(), &self.postgres) {
            (false, _) => None,
            (true, Ok(installation)) => Some(runtime.block_on(installation.start(&self.dir))?),
            (true, Err(reason)) => return Err(reason.clone().into()),
        };
        let place = Place { bench: self, runtime: &runtime, server: server.as_ref(), workload };
        match system {
            System::Factum => place.measure::<Factum<true>>(),
            System::FactumCold => place.measure::<Factum<false>>(),
            System::CqrsEs => place.measure::<CqrsEs>(),
            System::Disintegrate => place.measure::<Disintegrate>(),
            System::EventcorePostgres => place.measure::<Eventcore<PostgresEventStore>>(),
            System::EventcoreSqlite => place.measure::<Eventcore<SqliteEventStore>>(),
            System::EventcoreFs => place.measure::<Eventcore<FileEventStore>>(),
        }
    }
}

/// Where one measurement takes place.
struct Place<'a> {
    bench: &'a Bench,
    runtime: &'a Runtime,
    server: Option<&'a Server>,
    workload: Workload,
}

impl Place<'_> {
    fn measure<C: Counters>(&self) -> Result<Outcome, Failure> {
        let scratch = tempfile::Builder::new().prefix("factum-compare-").tempdir_in(&self.bench.dir)?;
        let url = self.server.map(Server::url).unwrap_or_default();
        let home = Home { dir: scratch.path(), postgres_url: &url };
        let past = self.runtime.block_on(self.fill::<C>(&home))?;

        let store = Arc::new(self.runtime.block_on(C::open(&home))?);
        let plan = Plan { in_flight: 1, lead_in: LEAD_IN, time: self.bench.time };
        let (heard, done) = match self.workload.in_flight() {
            None => (loads(self.runtime, &*store, plan)?, 0),
            Some(in_flight) => {
                let turn = Arc::new(Turn::default());
                let (warm, time) = WARM_UP;
                let warm = Plan { in_flight: warm, lead_in: Duration::ZERO, time };
                let mut warm = commands(self.runtime, &store, &turn, warm);
                let mut heard = commands(self.runtime, &store, &turn, Plan { in_flight, ..plan });
                heard.refused += std::mem::take(&mut warm.refused);
                heard.refusal = warm.refusal.take().or(heard.refusal.take());
                let done = warm.done + heard.done;
                (heard, done)
            }
        };
        let tally = Tally { answered: past + done, counted: total(self.runtime, &store)? };
        Ok(self.told(&*store, heard, tally))
    }

    /// Fills a fresh store and closes it; how many events it got.
    async fn fill<C: Counters>(&self, home: &Home<'_>) -> Result<u64, Failure> {
        let store = C::open(home).await?;
        let mut filled = 0;
        for part in self.workload.past() {
            store.fill(&part).await?;
            filled += part.len() as u64;
        }
        if let Some(server) = self.server {
            server.settle().await?;
        }
        Ok(filled)
    }

    fn told<C: Counters>(&self, store: &C, heard: Heard, tally: Tally) -> Outcome {
        let latency = heard.latency();
        let percentiles = latency.percentiles();
        Outcome {
            per_s: latency.count() as f64 / self.bench.time.as_secs_f64(),
            p50_us: percentiles.map_or(f64::NAN, |told| told.p50_us),
            p99_us: percentiles.map_or(f64::NAN, |told| told.p99_us),
            again: self.workload.in_flight().map(|_| heard.again),
            refused: (heard.refused, heard.refusal),
            durability: store.durability(),
            tally,
        }
    }
}
