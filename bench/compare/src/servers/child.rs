//! A process of ours: begun, watched, and ended by its id, whatever else goes
//! wrong.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Failure;

/// How long a server may take to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(20);
/// How often it is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of its last words is told.
const LAST_LINES: usize = 4;

/// A process, which ends when this is dropped.
pub struct Child {
    name: String,
    process: std::process::Child,
    /// What it says.
    log: PathBuf,
}

impl Child {
    /// Begins it; what it says goes into a file.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self, Failure> {
        let said = File::create(log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let process = command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { name: name.to_owned(), process, log: log.to_owned() })
    }

    /// An error if it has ended, with its last words.
    pub fn is_running(&mut self) -> Result<(), Failure> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{} ended: {status}: {}", self.name, self.last_words()).into()),
        }
    }

    /// Waits until it has ended of itself, and takes it ill if it did not end well.
    pub async fn succeed(mut self) -> Result<(), Failure> {
        loop {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(_) => self.is_running()?,
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// The most memory it had resident since it began, in bytes.
    pub fn memory_peak(&self) -> Option<u64> {
        peak(&std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?)
    }

    /// The end of what it said.
    fn last_words(&self) -> String {
        last_lines(&String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Its id is its own only as long as nobody has waited for it.
        if let Ok(None) = self.process.try_wait() {
            let _ = kill_process(Pid::from_child(&self.process), Signal::INT);
        }
        let asked = Instant::now();
        while let Ok(None) = self.process.try_wait() {
            if asked.elapsed() > END_MAX {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// In a file of lines such as `VmHWM: 12345 kB`.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// The last lines that say something, as one.
fn last_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.drain(..lines.len().saturating_sub(LAST_LINES));
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &Path) -> Child {
        Child::start("the shell", Command::new("sh").args(["-c", script]), &dir.join("log")).unwrap()
    }

    #[test]
    fn ends_when_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = shell("exec sleep 600", dir.path());
        child.is_running().unwrap();
        let status = format!("/proc/{}/status", child.process.id());
        assert!(child.memory_peak().is_none_or(|peak| peak > 0));
        drop(child);
        assert!(!Path::new(&status).exists());
    }

    #[tokio::test]
    async fn tells_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        shell("exit 0", dir.path()).succeed().await.unwrap();
        let told = shell("echo one; echo; echo no such disk >&2; exit 3", dir.path()).succeed().await;
        assert_eq!(told.unwrap_err().to_string(), "the shell ended: exit status: 3: one; no such disk");
    }

    #[test]
    fn reads_the_peak_off_the_status() {
        assert_eq!(peak("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 12 kB\n"), Some(2 << 20));
        assert_eq!(peak("Name:\tx\n"), None);
    }

    #[test]
    fn keeps_the_last_lines_that_say_something() {
        assert_eq!(last_lines("a\nb\n\nc\n d \ne\n"), "b; c; d; e");
        assert_eq!(last_lines(""), "");
    }
}
