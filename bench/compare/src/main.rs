//! The same counters over Factum and its Rust peers, in one run, as one table.
//!
//! ```text
//!   for each workload
//!     for each system     raw disk ── fresh store ── fill ── warm up ── measure ── add up ── raw disk
//! ```
//!
//! What is compared is what an application calls: a command that folds a
//! counter, decides, and appends with the guard each library has. Every system
//! is as durable as every other. No figure is printed of counters that do not
//! add up to the commands that were answered.
//!
//! `servers` compares what goes over a network instead: see [`servers`].

mod arguments;
mod counters;
mod drive;
mod failure;
mod measure;
mod patience;
mod postgres;
mod servers;
mod systems;
mod table;
mod versions;
mod workload;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Verb};
use crate::failure::{Failure, with_causes};
use crate::measure::Bench;
use crate::table::Table;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", with_causes(&*failure));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(Verb::Servers(servers)) = &arguments.verb {
        return servers::run(servers);
    }
    let bench = Bench::new(arguments)?;
    if bench.machine.is_in_memory() {
        eprintln!("warning: {} is in memory, where a flush costs nothing", bench.dir.display());
    }
    let mut table = Table::default();
    for workload in arguments.workloads() {
        for system in arguments.systems() {
            eprintln!("{}: {}", workload.name(), system.name());
            table.rows.push(bench.row(workload, system)?);
        }
    }
    let page = table.page(&bench);
    print!("{page}");
    if let Some(path) = &arguments.write {
        std::fs::write(path, &page).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
