//! Where a server's data is, and the server that runs there: begun on a free
//! port of this machine, waited for, and ended.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::Failure;
use crate::postgres::Installation;
use crate::servers::child::Child;
use crate::servers::client::Client;
use crate::servers::obtain::Program;
use crate::servers::system::System;

/// Over how many connections appends go, for every system.
pub const CONNECTIONS: usize = 4;
/// How long a server may take to start; some first read what they hold.
const START_MAX: Duration = Duration::from_secs(120);
/// How long one attempt to connect may take.
const TRY_MAX: Duration = Duration::from_secs(20);
/// How often it is asked whether it has.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What a server is started from.
pub enum Means {
    /// A program.
    Program(Program),
    /// The programs of PostgreSQL.
    Postgres(Installation),
}

impl Means {
    /// For the table.
    pub fn version(&self) -> String {
        match self {
            Self::Program(program) => program.version.clone(),
            Self::Postgres(installation) => format!("PostgreSQL {}", installation.version()),
        }
    }
}

/// What an answer has to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The machine's end: what is measured.
    Disk,
    /// The same, where a server has a setting by which it does not wait for others
    /// before it flushes: appends that come one after the other.
    DiskAtOnce,
    /// Nothing: to fill a store that is closed before anything is measured,
    /// where a server has a setting for it.
    Filling,
}

/// A directory with a server's data, which goes when this is dropped.
pub struct Home(TempDir);

impl Home {
    /// An empty one under `dir`.
    pub fn new(dir: &Path, system: System, means: &Means) -> Result<Self, Failure> {
        let home = tempfile::Builder::new().prefix("factum-compare-").tempdir_in(dir)?;
        if let Means::Postgres(installation) = means {
            installation.give(home.path())?;
            installation.init(&home.path().join("data"))?;
        } else if !system.is_factum() {
            std::fs::create_dir(home.path().join("data"))?;
        }
        Ok(Self(home))
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn setting(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.0.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

/// A server that runs.
pub struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Begins a server where its data is.
    pub fn start(
        system: System,
        means: &Means,
        home: &Home,
        durability: Durability,
    ) -> Result<Self, Failure> {
        let port = free_port()?;
        let mut command = command(system, means, home, durability, port)?;
        let child = Child::start(system.name(), &mut command, &home.0.path().join("server.log"))?;
        Ok(Self { child, port })
    }

    /// So many connections to it, as soon as it answers.
    pub async fn connect<C: Client>(&mut self, count: usize) -> Result<Vec<Arc<C>>, Failure> {
        let asked = Instant::now();
        let first = loop {
            self.child.is_running()?;
            match tokio::time::timeout(TRY_MAX, C::connect(self.port)).await {
                Ok(Ok(client)) => break client,
                Ok(Err(failure)) if asked.elapsed() > START_MAX => return Err(failure),
                Err(_) if asked.elapsed() > START_MAX => return Err("it does not answer".into()),
                _ => tokio::time::sleep(ASK_EVERY).await,
            }
        };
        let mut clients = vec![Arc::new(first)];
        while clients.len() < count {
            clients.push(Arc::new(C::connect(self.port).await?));
        }
        Ok(clients)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The most memory it had resident, in bytes.
    pub fn memory_peak(&self) -> Option<u64> {
        self.child.memory_peak()
    }

    /// Adds to what went wrong that the server has ended, if it has.
    pub fn explain(&mut self, failure: Failure) -> Failure {
        match self.child.is_running() {
            Ok(()) => failure,
            Err(end) => format!("{end} ({failure})").into(),
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn command(
    system: System,
    means: &Means,
    home: &Home,
    durability: Durability,
    port: u16,
) -> Result<Command, Failure> {
    let program = match means {
        Means::Postgres(installation) => {
            let mut command = installation.server(&home.data());
            command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
            command.arg("-p").arg(port.to_string());
            return Ok(command);
        }
        Means::Program(program) => program,
    };
    let mut command = Command::new(&program.path);
    command.current_dir(home.0.path());
    let data = home.data();
    let listen = format!("127.0.0.1:{port}");
    match system {
        System::Factum | System::FactumCalls | System::FactumOwn => {
            command.arg("--store").arg(&data).args(["serve", "--init", "--listen", &listen]);
        }
        System::UmaDb => {
            command.args(["--listen", &listen, "--db-path"]).arg(&data);
        }
        System::SierraDb => {
            let mut text = format!("[network]\ncluster_enabled = false\nclient_address = \"{listen}\"\n");
            if durability == Durability::DiskAtOnce {
                text += "[sync]\nmax_batch_size = 1\n";
            }
            command.arg("--dir").arg(&data).arg("--config").arg(home.setting("sierra.toml", &text)?);
        }
        System::Nats => {
            let text = nats_settings(&listen, &data, durability);
            command.arg("--config").arg(home.setting("nats.conf", &text)?);
        }
        System::Redis => {
            let fsync = if durability == Durability::Filling { "no" } else { "always" };
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(&data);
            command.args(["--save", "", "--appendonly", "yes", "--appendfsync", fsync]);
        }
        System::Postgres => unreachable!("it has no program of its own"),
    }
    Ok(command)
}

fn nats_settings(listen: &str, data: &Path, durability: Durability) -> String {
    let sync = if durability == Durability::Filling { "" } else { "sync_interval: always\n" };
    format!("listen: \"{listen}\"\njetstream {{\nstore_dir: \"{}\"\n{sync}}}\n", data.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(system: System, durability: Durability) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let program = Program { path: "/bin/x".into(), version: String::new() };
        let means = Means::Program(program);
        let home = Home::new(dir.path(), system, &means).unwrap();
        let command = command(system, &means, &home, durability, 4_000).unwrap();
        command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_measured_is_on_the_disk() {
        let fsync = |durability| {
            let arguments = arguments(System::Redis, durability);
            let at = arguments.iter().position(|argument| argument == "--appendfsync").unwrap();
            arguments[at + 1].clone()
        };
        assert_eq!(fsync(Durability::Disk), "always");
        assert_eq!(fsync(Durability::DiskAtOnce), "always");
        assert_eq!(fsync(Durability::Filling), "no");
        let settings = |durability| nats_settings("127.0.0.1:1", Path::new("/d"), durability);
        assert!(settings(Durability::Disk).contains("sync_interval: always"));
        assert!(settings(Durability::DiskAtOnce).contains("sync_interval: always"));
        assert!(!settings(Durability::Filling).contains("sync_interval"));
    }

    #[test]
    fn all_listen_on_this_machine_only() {
        for system in [System::Factum, System::UmaDb, System::Redis] {
            let arguments = arguments(system, Durability::Disk).join(" ");
            assert!(arguments.contains("127.0.0.1"), "{arguments}");
            assert!(arguments.contains("4000"), "{arguments}");
        }
    }

    #[test]
    fn a_free_port_can_be_listened_on() {
        let port = free_port().unwrap();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
