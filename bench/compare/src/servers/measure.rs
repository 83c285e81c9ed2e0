//! One round of one system at one workload: a fresh home, a server, its
//! clients, the workload, the question whether everything is there, and the raw
//! disk around it.
//!
//! ```text
//!   raw disk ── server ── lead-in ── measured ── all read back ── end ── raw disk
//!   catch-up:   server ── fill ── end ── server again ── read, read, read ── end
//! ```
//!
//! Whatever a server says instead becomes the row.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use factum_bench::disk::{DiskFigures, DiskProbe, ProbeOptions};
use factum_bench::machine::Machine;
use factum_bench::outcome::{count, micros};

use crate::failure::{Failure, with_causes};
use crate::postgres::Installation;
use crate::servers::append::{self, Answers, Plan, STREAM_EVENTS, appends};
use crate::servers::arguments::ServersArguments;
use crate::servers::book::Book;
use crate::servers::client::Client;
use crate::servers::clients::factum::Factum;
use crate::servers::clients::factum_own::FactumOwn;
use crate::servers::clients::nats::Nats;
use crate::servers::clients::postgres::Postgres;
use crate::servers::clients::redis::Redis;
use crate::servers::clients::sierradb::SierraDb;
#[cfg(feature = "umadb")]
use crate::servers::clients::umadb::UmaDb;
use crate::servers::fan_out::{self, fan_out};
use crate::servers::flushes::Flushes;
use crate::servers::group;
use crate::servers::live::{book, delays, live};
use crate::servers::obtain::Shelf;
use crate::servers::place::{CONNECTIONS, Durability, Home, Means, Running};
use crate::servers::system::{Source, System};
use crate::servers::workload::Workload;

/// Before anything is counted.
pub const LEAD_IN: Duration = Duration::from_secs(1);
/// How long a round may take, with a fill if there is one.
const ROUND_MAX: Duration = Duration::from_secs(20 * 60);
/// How long after its answer an event may take until it can be read, and how often
/// that is tried.
const READABLE_WITHIN: Duration = Duration::from_secs(5);
const READ_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Appends in flight.
const IN_FLIGHT: u32 = 1_024;
/// Who appends at a steady rate.
const STEADY_CALLERS: u32 = 64;
/// How fast, while one follows.
const LIVE_PER_S: f64 = 5_000.0;
/// How fast, while a thousand follow.
const FAN_OUT_PER_S: f64 = 2_000.0;

/// What share of a steady rate counts as reaching it.
const RATE_REACHED: f64 = 0.95;

/// What all rounds share.
pub struct Bench {
    /// Where data is kept.
    pub dir: PathBuf,
    /// Where that is.
    pub machine: Machine,
    /// How long each round is measured.
    pub time: Duration,
    /// How many there are.
    pub rounds: u32,
    /// How much there is to catch up with.
    pub events: u64,
    /// The disk's own count.
    pub flushes: Option<Flushes>,
    shelf: Shelf,
    means: HashMap<Source, Result<Arc<Means>, String>>,
    /// What was filled in the first round and is read in every round.
    filled: HashMap<System, Home>,
    disk: DiskProbe,
}

/// One line of the table.
pub struct Row {
    /// What was done.
    pub workload: Workload,
    /// By whom.
    pub system: System,
    /// What came of each round, or why nothing did.
    pub rounds: Vec<Result<Outcome, String>>,
    /// The raw disk around them, the hardest limit of all.
    pub disk: DiskFigures,
}

/// What came of a round.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What the workload is about.
    pub figure: f64,
    /// And what else is worth telling.
    pub more: String,
    /// How many appends were answered for each flush of the disk.
    pub answers_a_flush: Option<f64>,
    /// Subscribers that did not keep up.
    pub behind: u64,
    /// Whether fewer events were appended than were asked for.
    pub is_slow: bool,
}

impl Bench {
    /// Looks at the machine; needs a disk, and does without any peer.
    pub fn new(arguments: &ServersArguments) -> Result<Self, Failure> {
        let dir = arguments.dir();
        let dir = dir.canonicalize().map_err(|error| format!("cannot use {}: {error}", dir.display()))?;
        let options = ProbeOptions { time: Duration::from_millis(500), ..ProbeOptions::default() };
        Ok(Self {
            machine: Machine::at(&dir),
            time: arguments.time()?,
            rounds: arguments.rounds,
            events: arguments.events / STREAM_EVENTS * STREAM_EVENTS,
            flushes: Flushes::of(&dir),
            shelf: Shelf::new(arguments.cache()?, arguments.factum.clone())?,
            means: HashMap::new(),
            filled: HashMap::new(),
            disk: DiskProbe::new(&dir, options)?,
            dir,
        })
    }

    /// Finds what a system is started from, or builds it: before anything is
    /// measured, and once.
    pub async fn obtain(&mut self, system: System) {
        let source = system.source();
        if self.means.contains_key(&source) {
            return;
        }
        let means = match source {
            Source::Postgres => Installation::find().map(Means::Postgres),
            source => self.shelf.get(source).await.map(Means::Program),
        };
        let means = means.map(Arc::new).map_err(|failure| with_causes(&*failure));
        if let Err(reason) = &means {
            eprintln!("{}: {reason}", system.name());
        }
        self.means.insert(source, means);
    }

    /// What a system was started from, for the table.
    pub fn version(&self, system: System) -> Option<String> {
        Some(self.means.get(&system.source())?.as_ref().ok()?.version())
    }

    /// The raw disk, now.
    pub fn raw_disk(&self) -> Result<DiskFigures, Failure> {
        Ok(self.disk.recycled()?)
    }

    /// Removes what was filled.
    pub fn forget(&mut self) {
        self.filled.clear();
    }

    /// One round.
    pub async fn round(&mut self, workload: Workload, system: System) -> Result<Outcome, String> {
        let means = match self.means.get(&system.source()) {
            Some(means) => Arc::clone(means.as_ref().map_err(Clone::clone)?),
            None => return Err("it was not looked for".to_owned()),
        };
        let turn = async {
            match system {
                System::Factum => self.turn::<Factum<true>>(workload, system, &means).await,
                System::FactumCalls => self.turn::<Factum<false>>(workload, system, &means).await,
                System::FactumOwn => self.turn::<FactumOwn>(workload, system, &means).await,
                #[cfg(feature = "umadb")]
                System::UmaDb => self.turn::<UmaDb>(workload, system, &means).await,
                #[cfg(not(feature = "umadb"))]
                System::UmaDb => Err("this was built without the feature `umadb`, which needs protoc".into()),
                System::SierraDb => self.turn::<SierraDb>(workload, system, &means).await,
                System::Postgres => self.turn::<Postgres>(workload, system, &means).await,
                System::Nats => self.turn::<Nats>(workload, system, &means).await,
                System::Redis => self.turn::<Redis>(workload, system, &means).await,
            }
        };
        let outcome = tokio::time::timeout(ROUND_MAX, turn).await.unwrap_or_else(|_| {
            Err(format!("nothing came of it in {} minutes", ROUND_MAX.as_secs() / 60).into())
        });
        outcome.map_err(|failure| with_causes(&*failure))
    }

    async fn turn<C: Client>(
        &mut self,
        workload: Workload,
        system: System,
        means: &Means,
    ) -> Result<Outcome, Failure> {
        if workload == Workload::CatchUp {
            return self.catch_up::<C>(system, means).await;
        }
        let home = Home::new(&self.dir, system, means)?;
        if workload == Workload::Group {
            return self.group(system, means, &home).await;
        }
        let durability = match workload {
            Workload::Lone => Durability::DiskAtOnce,
            _ => Durability::Disk,
        };
        let mut server = Running::start(system, means, &home, durability)?;
        let outcome = match workload {
            Workload::InFlight | Workload::Lone => self.appends::<C>(workload, &mut server).await,
            Workload::Live => self.live::<C>(&mut server).await,
            _ => self.fan_out::<C>(&mut server).await,
        };
        outcome.map_err(|failure| server.explain(failure))
    }

    async fn appends<C: Client>(&self, workload: Workload, server: &mut Running) -> Result<Outcome, Failure> {
        let is_lone = workload == Workload::Lone;
        let callers = if is_lone { 1 } else { IN_FLIGHT };
        let clients = server.connect::<C>(if is_lone { 1 } else { CONNECTIONS }).await?;
        let plan = Plan { callers, streams: callers, per_s: None, lead_in: LEAD_IN, time: self.time };
        let before = self.flushed();
        let answers = appends(&clients, plan).await;
        let flushed = self.flushed().zip(before).map(|(after, before)| after - before);
        self.read_back(&*clients[0], &answers).await?;
        self.is_flushed(&answers, flushed, is_lone)?;

        let latency = answers.latency();
        let told = latency.percentiles().ok_or("nothing was answered while it was counted")?;
        let per_s = latency.count() as f64 / self.time.as_secs_f64();
        let (figure, more) = match is_lone {
            true => (told.p50_us, format!("p99 {}, {} /s", micros(told.p99_us), count(per_s))),
            false => (per_s, format!("p50 {}, p99 {}", micros(told.p50_us), micros(told.p99_us))),
        };
        let answers_a_flush =
            flushed.filter(|flushed| *flushed > 0).map(|flushed| answers.count() as f64 / flushed as f64);
        Ok(Outcome { figure, more, answers_a_flush, ..Outcome::default() })
    }

    /// An error if what was answered cannot be read; what can be read a moment later
    /// is there.
    async fn read_back<C: Client>(&self, client: &C, answers: &Answers) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            let mut back = Book::default();
            client.read_all(&mut |payload| back.see(payload)).await?;
            match answers.are_in(&back) {
                Err(_) if begin.elapsed() < READABLE_WITHIN => tokio::time::sleep(READ_AGAIN_AFTER).await,
                is_there => return is_there,
            }
        }
    }

    /// What the disk counts.
    fn flushed(&self) -> Option<u64> {
        self.flushes.as_ref()?.count()
    }

    /// An error if answers cannot have been on the disk: where nothing gets there
    /// without a flush, lone appends have one each, and others at least some.
    fn is_flushed(&self, answers: &Answers, flushed: Option<u64>, is_lone: bool) -> Result<(), Failure> {
        match (&self.flushes, flushed) {
            (Some(disk), Some(flushed)) if disk.is_telling => {
                is_enough(answers.count(), flushed, is_lone).map_err(Failure::from)
            }
            _ => Ok(()),
        }
    }

    async fn catch_up<C: Client>(&mut self, system: System, means: &Means) -> Result<Outcome, Failure> {
        let streams = u32::try_from(self.events / STREAM_EVENTS)?;
        let home = match self.filled.remove(&system) {
            Some(home) => home,
            None => {
                let home = Home::new(&self.dir, system, means)?;
                let mut server = Running::start(system, means, &home, Durability::Filling)?;
                let clients = server.connect::<C>(CONNECTIONS).await?;
                append::fill(&clients, 0..streams).await.map_err(|failure| server.explain(failure))?;
                drop(clients);
                home
            }
        };
        let mut server = Running::start(system, means, &home, Durability::Disk)?;
        let clients = server.connect::<C>(1).await?;
        let (begin, mut passes) = (Instant::now(), 0_u32);
        while passes == 0 || begin.elapsed() < self.time {
            let mut back = Book::default();
            let read = clients[0].read_all(&mut |payload| back.see(payload)).await;
            read.map_err(|failure| server.explain(failure))?;
            back.holds((0..streams).map(|stream| (stream, STREAM_EVENTS)))?;
            passes += 1;
        }
        let seconds = begin.elapsed().as_secs_f64();
        drop(clients);
        drop(server);
        self.filled.insert(system, home);
        let figure = (u64::from(passes) * self.events) as f64 / seconds;
        let more = format!("{} events, {passes} times", count(self.events as f64));
        Ok(Outcome { figure, more, ..Outcome::default() })
    }

    async fn live<C: Client>(&self, server: &mut Running) -> Result<Outcome, Failure> {
        let writers = server.connect::<C>(1).await?;
        let follower = server.connect::<C>(1).await?.remove(0);
        let (answers, delivered) = live(&writers, follower, self.steady(STEADY_CALLERS, LIVE_PER_S)).await?;
        answers.are_in(&book(&delivered))?;
        self.delivered(&answers, &delays(&answers, &delivered), LIVE_PER_S)
    }

    async fn fan_out<C: Client>(&self, server: &mut Running) -> Result<Outcome, Failure> {
        let writers = server.connect::<C>(1).await?;
        let plan = self.steady(fan_out::SUBSCRIBERS, FAN_OUT_PER_S);
        let fan_out = fan_out(server.port(), &writers, plan).await?;
        let mut outcome = self.delivered(&fan_out.answers, &fan_out.delays, FAN_OUT_PER_S)?;
        outcome.behind = fan_out.behind;
        let peak = server.memory_peak().map_or_else(|| "unknown".to_owned(), |peak| count(peak as f64 / 1e6));
        outcome.more =
            format!("{} behind, {}, server's memory at most {peak} MB", fan_out.behind, outcome.more);
        Ok(outcome)
    }

    fn steady(&self, streams: u32, per_s: f64) -> Plan {
        Plan { callers: STEADY_CALLERS, streams, per_s: Some(per_s), lead_in: LEAD_IN, time: self.time }
    }

    fn delivered(
        &self,
        answers: &Answers,
        delays: &factum_bench::latency::Latency,
        asked_per_s: f64,
    ) -> Result<Outcome, Failure> {
        let told = delays.percentiles().ok_or("nothing was delivered while it was counted")?;
        let per_s = answers.took.len() as f64 / self.time.as_secs_f64();
        let more =
            format!("p50 {}, longest {}, {} /s", micros(told.p50_us), micros(delays.max_us()), count(per_s));
        let is_slow = per_s < RATE_REACHED * asked_per_s;
        Ok(Outcome { figure: told.p99_us, more, is_slow, ..Outcome::default() })
    }

    async fn group(&self, system: System, means: &Means, home: &Home) -> Result<Outcome, Failure> {
        let mut server = Running::start(system, means, home, Durability::Disk)?;
        let clients = server.connect::<Factum<true>>(1).await?;
        let took = async {
            group::fill(&clients[0]).await?;
            group::consume(server.port()).await
        };
        let took = took.await.map_err(|failure| server.explain(failure))?;
        let more = format!("{} events, one in a hundred parked", count(group::EVENTS as f64));
        Ok(Outcome { figure: group::EVENTS as f64 / took.as_secs_f64(), more, ..Outcome::default() })
    }
}

/// Whether so many flushes can have put so many appends onto the disk.
fn is_enough(answered: u64, flushed: u64, is_lone: bool) -> Result<(), String> {
    // A flush may be under way for the disk's other users when one is asked for.
    let needed = if is_lone { answered * 9 / 10 } else { 1 };
    match flushed >= needed {
        true => Ok(()),
        false => Err(format!(
            "{} appends were answered, and the disk was flushed {} times: they were not on it",
            count(answered as f64),
            count(flushed as f64)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_append_has_a_flush_of_its_own() {
        is_enough(1_000, 1_000, true).unwrap();
        is_enough(1_000, 900, true).unwrap();
        let told = is_enough(1_000, 899, true).unwrap_err();
        assert_eq!(
            told,
            "1,000 appends were answered, and the disk was flushed 899 times: they were not on it"
        );
    }

    #[test]
    fn appends_in_flight_share_flushes_and_have_some() {
        is_enough(1_000_000, 1, false).unwrap();
        assert!(is_enough(1_000_000, 0, false).is_err());
    }
}
