//! The process that is killed.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The variable that tells a process it is one: seed and life.
pub const VARIABLE: &str = "FACTUM_RIG_LIFE";
/// The variable with the store's path.
pub const PATH: &str = "FACTUM_RIG_PATH";
/// What its own lines begin with; the test harness prints others.
pub const MARK: &str = "@";
/// Its last line, if it closed the store in order.
pub const CLOSED: &str = "closed";

/// A running process. Dropping it kills it.
pub struct Prey {
    child: Child,
    heard: Arc<(Mutex<Vec<String>>, Condvar)>,
    listener: Option<JoinHandle<()>>,
}

/// How it ended, and the whole lines heard until then.
pub enum End {
    Killed(Vec<String>),
    Closed(Vec<String>),
    Failed(String),
}

impl Prey {
    pub fn start(path: &Path, seed: u64, life: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["rig::prey_process", "--exact", "--ignored", "--nocapture"])
            .env(VARIABLE, format!("{seed} {life}"))
            .env(PATH, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let heard = Arc::<(Mutex<Vec<String>>, Condvar)>::default();
        let (output, ear) = (child.stdout.take().unwrap(), heard.clone());
        let listener = std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            // A line without its end was cut off by the kill, and says nothing.
            while matches!(output.read_line(&mut line), Ok(read) if read > 0) {
                if let Some(told) = line.strip_prefix(MARK).and_then(|line| line.strip_suffix('\n')) {
                    ear.0.lock().unwrap().push(told.to_owned());
                    ear.1.notify_all();
                }
                line.clear();
            }
        });
        Self { child, heard, listener: Some(listener) }
    }

    /// Waits until it has said so much, or a moment is over.
    pub fn wait_for_lines(&self, lines: usize) {
        let heard = self.heard.0.lock().unwrap();
        let wait = Duration::from_millis(500);
        drop(self.heard.1.wait_timeout_while(heard, wait, |heard| heard.len() < lines).unwrap());
    }

    /// Kills it, if it has not ended by itself.
    pub fn end(mut self) -> End {
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        self.listener.take().unwrap().join().unwrap();
        let lines = std::mem::take(&mut *self.heard.0.lock().unwrap());
        match status.code() {
            None => End::Killed(lines),
            Some(0) if lines.last().is_some_and(|line| line == CLOSED) => End::Closed(lines),
            Some(code) => {
                let mut said = String::new();
                let _ = self.child.stderr.take().unwrap().read_to_string(&mut said);
                End::Failed(format!("the process ended with {code} by itself:\n{said}\n{}", lines.join("\n")))
            }
        }
    }
}

impl Drop for Prey {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
