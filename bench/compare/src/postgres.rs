//! A PostgreSQL of our own: made empty, started, and gone again with its data.
//!
//! It is as durable as Factum: `fsync`, `synchronous_commit` and
//! `full_page_writes` are on, and asked back from the server before anything is
//! measured. Everything else is as `initdb` leaves it, but for the collation: C,
//! with which text compares fastest. Connections come over a socket in the file
//! system.
//!
//! PostgreSQL refuses to run as root, so root runs it as the user `postgres`,
//! or `nobody`.

use std::fs::File;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use crate::failure::Failure;

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// What must hold for a commit to be on the disk.
const DURABLE: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];

/// Where the programs are, and who runs them.
pub struct Installation {
    bin: PathBuf,
    user: Option<User>,
    version: String,
}

/// A server that runs.
pub struct Server {
    process: Child,
    socket: TempDir,
    /// Goes after the process.
    _data: TempDir,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl Installation {
    /// Looks for the programs on `PATH`, then where Debian puts them.
    pub fn find() -> Result<Self, Failure> {
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let mut places: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
        let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
            .unwrap_or_default();
        packaged.sort();
        places.extend(packaged.into_iter().rev());
        let is_whole = |bin: &PathBuf| bin.join("initdb").is_file() && bin.join("postgres").is_file();
        let bin = places.into_iter().find(is_whole).ok_or(
            "PostgreSQL is not installed: neither PATH nor /usr/lib/postgresql has initdb and postgres",
        )?;
        let told = Command::new(bin.join("postgres")).arg("--version").output()?;
        let told = String::from_utf8_lossy(&told.stdout);
        let version = told.split_whitespace().nth(2).unwrap_or("of unknown version").to_owned();
        let user = match getuid().is_root() {
            false => None,
            true => {
                let users = std::fs::read_to_string("/etc/passwd")?;
                let found = ["postgres", "nobody"].into_iter().find_map(|name| User::find(&users, name));
                Some(
                    found
                        .ok_or("PostgreSQL does not run as root, and there is no user postgres or nobody")?,
                )
            }
        };
        Ok(Self { bin, user, version })
    }

    /// For the table.
    pub fn version(&self) -> &str {
        &self.version
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// A directory the server's user can write to.
    fn directory(&self, prefix: &str, within: &Path) -> Result<TempDir, Failure> {
        let dir = tempfile::Builder::new().prefix(prefix).tempdir_in(within)?;
        self.give(dir.path())?;
        Ok(dir)
    }

    /// Lets the server's user write to a directory.
    pub fn give(&self, dir: &Path) -> Result<(), Failure> {
        if let Some(user) = &self.user {
            chown(dir, Some(user.uid), Some(user.gid))?;
        }
        Ok(())
    }

    /// Makes an empty database in a directory that is not there yet.
    pub fn init(&self, data: &Path) -> Result<(), Failure> {
        let made = self
            .command("initdb")
            .args(["--auth=trust", "--username=factum", "--encoding=UTF8", "--no-locale"])
            .arg("--pgdata")
            .arg(data)
            .output()?;
        match made.status.success() {
            true => Ok(()),
            false => Err(self.cannot("initdb", data, &String::from_utf8_lossy(&made.stderr))),
        }
    }

    /// The server of a database that [`Self::init`] made: durable, and not yet
    /// told where to listen.
    pub fn server(&self, data: &Path) -> Command {
        let mut command = self.command("postgres");
        command.arg("-D").arg(data);
        command.args(DURABLE.iter().flat_map(|setting| ["-c".to_owned(), format!("{setting}=on")]));
        command
    }

    /// Makes an empty database under `dir` and starts it.
    pub async fn start(&self, dir: &Path) -> Result<Server, Failure> {
        let home = self.directory("factum-compare-postgres-", dir)?;
        // The path of a socket must be short.
        let socket = self.directory("pg-", &std::env::temp_dir())?;
        let data = home.path().join("data");
        self.init(&data)?;
        let log = home.path().join("server.log");
        let process = self
            .server(&data)
            .arg("-k")
            .arg(socket.path())
            .args(["-c", "listen_addresses="])
            .stderr(File::create(&log)?)
            .spawn()?;
        let mut server = Server { process, socket, _data: home };
        match server.wait_until_ready().await {
            Ok(()) => Ok(server),
            Err(failure) => {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                Err(self.cannot("postgres", dir, &format!("{failure}; {log}")))
            }
        }
    }

    fn cannot(&self, program: &str, dir: &Path, told: &str) -> Failure {
        let whom = self.user.as_ref().map_or_else(String::new, |user| format!(" as {}", user.name));
        let told = told.trim().replace('\n', "; ");
        format!(
            "{program} failed{whom}: {told} (whoever runs it must be able to reach {}: choose another place with --dir)",
            dir.display()
        )
        .into()
    }
}

impl User {
    /// A line is `name:password:uid:gid:...`.
    fn find(users: &str, name: &str) -> Option<Self> {
        let mut fields =
            users.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?;
        let (uid, gid) = (fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { name: name.to_owned(), uid, gid })
    }
}

impl Server {
    /// For whoever connects.
    pub fn url(&self) -> String {
        format!("postgres://factum@localhost/postgres?host={}", self.socket.path().display())
    }

    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        let mut connection = loop {
            match PgConnection::connect(&self.url()).await {
                Ok(connection) => break connection,
                Err(error) if begin.elapsed() > START_MAX => return Err(error.into()),
                Err(_) => {}
            }
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("it ended: {status}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        is_durable(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// After a store was filled: lets the planner know what is there, and
    /// writes out what would otherwise be written while something is measured.
    pub async fn settle(&self) -> Result<(), Failure> {
        let mut connection = PgConnection::connect(&self.url()).await?;
        for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    }
}

/// Asks a server whether a commit is on the disk.
pub async fn is_durable(connection: &mut PgConnection) -> Result<(), Failure> {
    for setting in DURABLE {
        let value: String =
            sqlx::query_scalar(&format!("SHOW {setting}")).fetch_one(&mut *connection).await?;
        if value != "on" {
            return Err(format!("{setting} is {value}, and must be on").into());
        }
    }
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fast shutdown: whoever is connected is sent away. If it cannot be
        // told, it is gone already.
        let _ = kill_process(Pid::from_child(&self.process), Signal::INT);
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_user_by_its_whole_name() {
        let users = "postgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:a,b:/var:/bin/bash\n";
        let wanted = User { name: "postgres".into(), uid: 101, gid: 104 };
        assert_eq!(User::find(users, "postgres"), Some(wanted));
        assert_eq!(User::find(users, "nobody"), None);
    }
}
