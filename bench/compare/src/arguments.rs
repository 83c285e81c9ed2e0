//! What can be said on the command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::servers::arguments::ServersArguments;
use crate::systems::System;
use crate::workload::Workload;

/// Runs the same counters over Factum and its Rust peers and prints one table
/// in Markdown.
#[derive(Debug, clap::Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Something else than that.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// How long each row is measured.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    pub seconds: f64,
    /// Where stores are made, on the disk to be measured: ./target if it is
    /// there, else the system's temporary directory.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Writes the table to a file, too.
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Only these systems.
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
    pub only: Vec<System>,
    /// Only these workloads.
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',')]
    pub workload: Vec<Workload>,
}

/// What else can be compared.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Runs the same workloads over Factum's server and its peers and prints
    /// one table in Markdown.
    Servers(ServersArguments),
}

impl Arguments {
    /// How long each row is measured.
    pub fn time(&self) -> Result<Duration, String> {
        match Duration::try_from_secs_f64(self.seconds) {
            Ok(time) if !time.is_zero() => Ok(time),
            _ => Err(format!("--seconds is {}, and must be a positive number", self.seconds)),
        }
    }

    /// Where stores are made.
    pub fn dir(&self) -> PathBuf {
        match &self.dir {
            Some(dir) => dir.clone(),
            None if Path::new("target").is_dir() => "target".into(),
            None => std::env::temp_dir(),
        }
    }

    /// In the order of the table.
    pub fn systems(&self) -> Vec<System> {
        System::ALL.into_iter().filter(|system| self.only.is_empty() || self.only.contains(system)).collect()
    }

    /// In the order of the table.
    pub fn workloads(&self) -> Vec<Workload> {
        let asked = |workload: &Workload| self.workload.is_empty() || self.workload.contains(workload);
        Workload::ALL.into_iter().filter(asked).collect()
    }
}
