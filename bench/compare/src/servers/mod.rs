//! The same workloads over Factum's server and its peers, in one run, as one
//! table.
//!
//! ```text
//!   for each workload
//!     for each round
//!       for each system     fresh store ── server ── clients ── measure ── read back ── end
//! ```
//!
//! What is compared is what a program on the same machine meets: a server of
//! its own, started by this program on loopback, spoken to through the client
//! its makers publish. Every server is told to have an append on the disk
//! before it answers, and the disk's own count of flushes says whether it has.

mod append;
pub mod arguments;
mod book;
mod child;
mod client;
mod clients;
mod fan_out;
mod flushes;
mod group;
mod live;
mod measure;
mod obtain;
mod place;
mod stamp;
mod system;
mod table;
mod workload;

use factum_bench::disk::DiskFigures;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;
use crate::servers::arguments::ServersArguments;
use crate::servers::measure::{Bench, Row};
use crate::servers::table::Table;

/// Runs all of it, or until somebody asks for the end: whatever was started
/// ends with it.
pub fn run(arguments: &ServersArguments) -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let ran = runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            ran = measure(arguments) => ran,
            _ = interrupt.recv() => Err("it was interrupted".into()),
            _ = terminate.recv() => Err("it was told to end".into()),
        }
    });
    // A client that waits for a server which is gone would wait for long.
    runtime.shutdown_background();
    ran
}

async fn measure(arguments: &ServersArguments) -> Result<(), Failure> {
    let mut bench = Bench::new(arguments)?;
    if bench.machine.is_in_memory() {
        eprintln!("warning: {} is in memory, where a flush costs nothing", bench.dir.display());
    }
    let systems = arguments.systems();
    for system in &systems {
        bench.obtain(*system).await;
    }
    let mut table = Table::default();
    for workload in arguments.workloads() {
        let mut disk: Option<DiskFigures> = None;
        let asked = systems.iter().filter(|system| system.takes_part(workload));
        let mut rounds: Vec<_> = asked.map(|system| (*system, Vec::new())).collect();
        for round in 1..=bench.rounds {
            for (system, outcomes) in &mut rounds {
                eprintln!("{}, round {round}: {}", workload.name(), system.name());
                let raw = bench.raw_disk()?;
                disk = Some(disk.map_or(raw, |before| before.stricter(raw)));
                outcomes.push(bench.round(workload, *system).await);
            }
        }
        let raw = bench.raw_disk()?;
        let disk = disk.map_or(raw, |before| before.stricter(raw));
        let row = |(system, rounds)| Row { workload, system, rounds, disk };
        table.rows.extend(rounds.into_iter().map(row));
        bench.forget();
    }
    let page = table.page(&bench);
    print!("{page}");
    if let Some(path) = &arguments.write {
        std::fs::write(path, &page).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
