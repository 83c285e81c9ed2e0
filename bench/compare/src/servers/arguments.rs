//! What can be said after `servers`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::servers::system::System;
use crate::servers::workload::Workload;

/// Runs the same workloads over Factum's server and its peers.
#[derive(Debug, Clone, clap::Args)]
pub struct ServersArguments {
    /// How long each round is measured.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    pub seconds: f64,
    /// How often each system has its turn at each workload; the best round
    /// counts, and all are shown.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20))]
    pub rounds: u32,
    /// How many events are there to catch up with; whole thousands.
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..))]
    pub events: u64,
    /// Where data is kept, on the disk to be measured: ./target if it is
    /// there, else the system's temporary directory.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Where peers are built, once.
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// A `factum` that is built already, instead of the one of this workspace.
    #[arg(long, value_name = "FILE")]
    pub factum: Option<PathBuf>,
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

impl ServersArguments {
    /// How long each round is measured.
    pub fn time(&self) -> Result<Duration, String> {
        match Duration::try_from_secs_f64(self.seconds) {
            Ok(time) if !time.is_zero() => Ok(time),
            _ => Err(format!("--seconds is {}, and must be a positive number", self.seconds)),
        }
    }

    /// Where data is kept.
    pub fn dir(&self) -> PathBuf {
        match &self.dir {
            Some(dir) => dir.clone(),
            None if Path::new("target").is_dir() => "target".into(),
            None => std::env::temp_dir(),
        }
    }

    /// Where peers are built: outside of the clone, so that it is done once.
    pub fn cache(&self) -> Result<PathBuf, String> {
        let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = || of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")));
        match self.cache.clone().or_else(|| Some(base()?.join("factum-compare"))) {
            Some(cache) => Ok(cache),
            None => Err("there is no HOME to build the peers in: name a directory with --cache".to_owned()),
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Verb};

    fn parsed(line: &str) -> Result<ServersArguments, String> {
        let arguments = Arguments::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?;
        match arguments.verb {
            Some(Verb::Servers(servers)) => Ok(servers),
            None => Err("no servers".to_owned()),
        }
    }

    #[test]
    fn options_come_after_the_verb() {
        let servers =
            parsed("compare servers --seconds 1 --rounds 2 --only umadb,factum --workload lone,catch-up")
                .unwrap();
        assert_eq!(servers.time().unwrap(), Duration::from_secs(1));
        assert_eq!(servers.rounds, 2);
        assert_eq!(servers.systems(), [System::Factum, System::UmaDb]);
        assert_eq!(servers.workloads(), [Workload::Lone, Workload::CatchUp]);
        assert!(parsed("compare --seconds 1 servers").is_err());
        assert_eq!(parsed("compare").unwrap_err(), "no servers");
    }

    #[test]
    fn all_systems_and_workloads_unless_some_are_named() {
        let servers = parsed("compare servers").unwrap();
        assert_eq!(servers.systems(), System::ALL);
        assert_eq!(servers.workloads(), Workload::ALL);
        assert!(parsed("compare servers --rounds 0").is_err());
        assert!(parsed("compare servers --seconds 0").unwrap().time().is_err());
    }
}
