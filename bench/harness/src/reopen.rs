//! Reopening after a kill: another process fills a store and kills itself,
//! with appends under way and nothing closed; this one opens it.
//!
//! ```text
//!   filler   open ── append, append, ... ── report ── append, append, KILL
//!   here                                      │                          open ── append ── read
//!                                             │                          ├────────────────────┤
//!                                             └ acknowledged until here: must be there
//! ```
//!
//! The page cache survives the death of a process, so the files are warm, as
//! they are when a crashed program is started again at once. The filler also
//! reports its peak of resident memory at each quarter of the way, which is
//! how one sees whether memory grows with what is imported.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use factum_core::{Durability, EventStore, EventStoreExt};
use factum_log::{Log, LogOptions};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::fill::{BATCH, IN_FLIGHT, fill};
use crate::memory;
use crate::workload::{EventSpec, Workload};

/// What the filler did before it killed itself; one line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FillReport {
    /// Events acknowledged.
    pub events: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// How long that took.
    pub seconds: f64,
    /// Whether the receipts promised that they survive the process.
    pub is_durable: bool,
    /// The position after the last acknowledged one.
    pub end: u64,
    /// Peak of resident memory when a quarter, half, three quarters and all
    /// was done; 0 where the system does not tell.
    pub memory_peaks: [u64; 4],
}

/// Fills the store at `path` with `bytes` of data, reports to `report`, and
/// kills this process while further appends are under way. Returns only with
/// an error.
pub fn fill_and_die(
    path: &Path,
    bytes: u64,
    spec: EventSpec,
    report: &mut dyn Write,
) -> Result<(), BenchError> {
    let log = Log::open(path, LogOptions::default())?;
    let mut generator = Workload::new(spec)?.generator();
    let mut peaks = [0; 4];
    let filled = fill(&log, |filled| {
        for (quarter, peak) in (1..).zip(&mut peaks) {
            if *peak == 0 && filled.data_bytes >= bytes / 4 * quarter {
                *peak = memory::peak_bytes().unwrap_or(0);
            }
        }
        (filled.data_bytes < bytes).then(|| generator.append(BATCH))
    })?;
    peaks[3] = memory::peak_bytes().unwrap_or(0);
    let told = FillReport {
        events: filled.events,
        data_bytes: filled.data_bytes,
        seconds: filled.took.as_secs_f64(),
        is_durable: filled.durability == Some(Durability::Disk),
        end: log.last_position()?.map_or(0, |last| last.next().get()),
        memory_peaks: peaks,
    };
    let line = serde_json::to_string(&told).expect("numbers have a JSON form");
    writeln!(report, "{line}")
        .and_then(|()| report.flush())
        .map_err(BenchError::io("report to the process that measures"))?;
    // Nobody hears the answers to these; the kill falls among them.
    let _unheard: Vec<_> =
        (0..IN_FLIGHT).map(|_| log.append_async(&generator.append(BATCH).append)).collect();
    kill_process(getpid(), Signal::KILL).map_err(|error| BenchError::io("kill this process")(error.into()))
}

/// Starts the filler, hears its report, and makes sure that it was killed.
pub fn filled_by(filler: &mut Command) -> Result<FillReport, BenchError> {
    let mut child = filler
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(BenchError::io("start the process that fills the store"))?;
    let output = child.stdout.take().expect("its output is piped");
    // A test runner may print before it; the report is the line that is one.
    let report =
        BufReader::new(output).lines().map_while(Result::ok).filter_map(|line| line_report(&line)).last();
    let status = child.wait().map_err(BenchError::io("wait for the process that fills the store"))?;
    match (report, status.signal()) {
        (Some(report), Some(signal)) if signal == Signal::KILL.as_raw() => Ok(report),
        (_, _) => Err(BenchError::Filler { what: format!("ended with {status} and not by its own kill") }),
    }
}

fn line_report(line: &str) -> Option<FillReport> {
    serde_json::from_str(&line[line.find('{')?..]).ok()
}

/// How long it took until the store was of use again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reopened {
    /// Until the log was open.
    pub open: Duration,
    /// Until, after that, one append was answered.
    pub append: Duration,
    /// Until, after that, its event was read back.
    pub read: Duration,
    /// Bytes of all files of the store, before the append.
    pub disk_bytes: u64,
    /// Committed events found.
    pub events: u64,
}

impl Reopened {
    /// All of it.
    pub fn in_all(&self) -> Duration {
        self.open + self.append + self.read
    }
}

/// Opens the store, appends one event and reads it back. Refuses a store that
/// has lost what was acknowledged.
pub fn reopen(path: &Path, spec: EventSpec, filled: &FillReport) -> Result<Reopened, BenchError> {
    let request = Workload::new(EventSpec { streams: 1, ..spec })?.generator().append(1);

    let begin = Instant::now();
    let log = Log::open(path, LogOptions::default())?;
    let open = begin.elapsed();
    let end = log.last_position()?.map_or(0, |last| last.next().get());
    let disk_bytes = log.stats().disk_bytes;
    if end < filled.end {
        return Err(BenchError::wrong(format!(
            "{} events were acknowledged before the kill and {end} are in the reopened store",
            filled.end
        )));
    }

    let begin = Instant::now();
    let appended = log.append(request.append)?;
    let append = begin.elapsed();

    let begin = Instant::now();
    let position = appended.first_position().ok_or_else(|| BenchError::wrong("an event got no position"))?;
    let found = log.event_at(position)?;
    let read = begin.elapsed();
    if found.is_none_or(|event| event.position != position) {
        return Err(BenchError::wrong(format!("the event appended at {position} cannot be read")));
    }
    log.close()?;
    Ok(Reopened { open, append, read, disk_bytes, events: end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const STORE: &str = "FACTUM_BENCH_TEST_STORE";

    /// Not a test of its own: the process that the next test starts.
    #[test]
    fn filler() {
        let Some(path) = std::env::var_os(STORE) else { return };
        let spec = EventSpec { streams: 100, ..EventSpec::default() };
        let error = fill_and_die(Path::new(&path), 400_000, spec, &mut std::io::stdout());
        panic!("still alive: {error:?}");
    }

    #[test]
    fn a_killed_store_holds_what_it_acknowledged() {
        let scratch = Scratch::new(&std::env::temp_dir()).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "reopen::tests::filler", "--nocapture"]).env(STORE, scratch.store());
        let filled = filled_by(&mut command).unwrap();
        assert!(filled.data_bytes >= 400_000, "{filled:?}");
        assert_eq!(filled.events, filled.end);
        assert!(filled.memory_peaks.is_sorted(), "{filled:?}");

        let reopened = reopen(&scratch.store(), EventSpec::default(), &filled);
        if filled.is_durable {
            assert!(reopened.unwrap().events >= filled.events);
        } else {
            // What was only in memory is gone, and that must be noticed.
            assert!(matches!(reopened, Err(BenchError::Wrong { .. })), "{reopened:?}");
        }
    }

    #[test]
    fn a_filler_that_ends_by_itself_is_refused() {
        let refused = filled_by(&mut Command::new("true"));
        assert!(matches!(refused, Err(BenchError::Filler { .. })));
    }
}
