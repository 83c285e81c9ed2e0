//! `bench`: what this machine does with the canonical workload, beside what
//! its disk does without a store.
//!
//! The measuring is in `factum-bench`; here are its flags, where its stores
//! are put, and the process that fills a store and kills itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use factum_bench::append::AppendPlan;
use factum_bench::bench::{Bench, BenchOptions};
use factum_bench::disk::ProbeOptions;
use factum_bench::machine::IS_DEBUG_BUILD;
use factum_bench::sdk::{self, SdkPlan};
use factum_bench::table::{Table, TablePlan};
use factum_bench::workload::{Choice, EventSpec};
use factum_bench::{BenchError, Outcome, page, reopen};

use crate::args::Global;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::render::Out;
use crate::render::rows::{self, Row, Rows};

/// The workloads.
#[derive(Debug, clap::Subcommand)]
#[command(after_long_help = SHARES)]
pub enum BenchVerb {
    /// Probe the raw disk alone
    #[command(after_long_help = SHARES)]
    Disk(Common),
    /// Append: one caller that waits, or many at once
    #[command(after_long_help = SHARES)]
    Append(AppendBench),
    /// Read everything, again and again, with one thread
    #[command(after_long_help = SHARES)]
    Replay(ReplayBench),
    /// Fold one long stream among many events; read last events of random streams
    #[command(after_long_help = SHARES)]
    Read(ReadBench),
    /// Append, and time each event from its commit to a subscriber
    #[command(after_long_help = SHARES)]
    Subscribe(SubscribeBench),
    /// Kill a process that fills a store, and open the store
    #[command(after_long_help = SHARES)]
    Reopen(ReopenBench),
    /// Run everything and compare it with the targets
    #[command(after_long_help = SHARES)]
    All(AllBench),
    /// Measure the SDK: folds, loads and commands
    #[command(after_long_help = SHARES)]
    Sdk(SdkBench),
    /// Fill a store and kill this process (what `reopen` starts)
    #[command(hide = true)]
    FillForReopen(FillForReopen),
}

const SHARES: &str = "\
Every result stands beside the raw disk's own, taken under the same directory immediately before and \
after; the better of the two is shown: writes with fdatasync inside a file written before, 4 KiB one at \
a time for flushes, 1 MiB one after the other for bandwidth.

The share of it, by workload:
  append, one caller, one event     raw flush p50 / append p50
  append, many callers, one event   appends per second / raw flushes per second: a multiple
  append, many events an append     bytes of event data per second / raw bytes per second
  subscribe                         appends per second / raw flushes per second: a multiple
  others                            none

With --format json each workload is one object that begins with the keys workload, events_per_s, \
bytes_per_s, p50_us, p99_us, p999_us, disk {flushes_per_s, flush_p50_us, bytes_per_s}, share, \
durability, machine, commit; latency_of and share_of say what the figures are of.

Stores are made under --dir, else beside --store if that is given, else in ./target if it is there, \
else in the system's temporary directory, and removed afterwards.";

/// What every workload takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// How long to measure, after the warm-up
    #[arg(long, value_name = "N", default_value = "5", value_parser = seconds)]
    pub seconds: Duration,
    /// How long to run before that
    #[arg(long, value_name = "N", default_value = "1", value_parser = seconds_or_none)]
    pub warm_up: Duration,
    /// How long to probe the disk for each of its figures
    #[arg(long, value_name = "N", default_value = "1", value_parser = seconds)]
    pub probe_seconds: Duration,
    /// Where to put the stores
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub events: Events,
}

/// What the events are.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Events {
    /// Bytes of data of every event, instead of 200 to 500
    #[arg(long, value_name = "BYTES")]
    pub size: Option<usize>,
    /// How many streams there are
    #[arg(long, value_name = "N", default_value_t = 131_072)]
    pub streams: usize,
    /// How the stream of an append is chosen: uniform or zipf
    #[arg(long, value_name = "uniform|zipf", default_value = "uniform")]
    pub choice: Choice,
    /// What choices and payloads are made from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// `bench append`
#[derive(Debug, clap::Args)]
pub struct AppendBench {
    /// Appends under way at any moment
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub callers: usize,
    /// Events of each append
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch: usize,
    /// Give every caller a thread of its own
    #[arg(long)]
    pub threads: bool,
    #[command(flatten)]
    pub common: Common,
}

/// `bench replay`
#[derive(Debug, clap::Args)]
pub struct ReplayBench {
    /// Events in the store
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub events: u64,
    #[command(flatten)]
    pub common: Common,
}

/// `bench read`
#[derive(Debug, clap::Args)]
pub struct ReadBench {
    /// Events in the store
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub events: u64,
    /// Events of the stream that is folded
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub stream_events: u64,
    #[command(flatten)]
    pub common: Common,
}

/// `bench subscribe`
#[derive(Debug, clap::Args)]
pub struct SubscribeBench {
    /// Appends under way at any moment
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub callers: usize,
    #[command(flatten)]
    pub common: Common,
}

/// How large the store is that is killed.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Killed {
    /// Gigabytes of event data in the store
    #[arg(long, value_name = "N", default_value = "4", value_parser = gigabytes)]
    pub gb: Bytes,
    /// How often the process is killed; each time after the first a hundredth is added
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rounds: usize,
}

/// `bench reopen`
#[derive(Debug, clap::Args)]
pub struct ReopenBench {
    #[command(flatten)]
    pub killed: Killed,
    #[command(flatten)]
    pub common: Common,
}

/// `bench all`
#[derive(Debug, clap::Args)]
pub struct AllBench {
    #[command(flatten)]
    pub killed: Killed,
    /// Also write the table and every result to this Markdown file
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

/// `bench sdk`
#[derive(Debug, clap::Args)]
pub struct SdkBench {
    /// Also write the table and every result to this Markdown file
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

/// `bench fill-for-reopen`
#[derive(Debug, clap::Args)]
pub struct FillForReopen {
    /// The store
    #[arg(long, value_name = "DIR")]
    pub path: PathBuf,
    /// Bytes of event data
    #[arg(long, value_name = "N")]
    pub bytes: u64,
    #[command(flatten)]
    pub events: Events,
}

/// A number of bytes that was given in gigabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(u64);

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "give a number of seconds, such as 5 or 0.5".to_owned())?;
    match (0.0..=86_400.0).contains(&number) {
        true => Ok(Duration::from_secs_f64(number)),
        false => Err("give 0 to 86400 seconds".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match seconds_or_none(text)? {
        Duration::ZERO => Err("give more than 0 seconds".to_owned()),
        time => Ok(time),
    }
}

fn gigabytes(text: &str) -> Result<Bytes, String> {
    let number: f64 = text.parse().map_err(|_| "give a number of gigabytes, such as 4 or 0.1".to_owned())?;
    match (0.000_001..=100_000.0).contains(&number) {
        true => Ok(Bytes((number * 1e9) as u64)),
        false => Err("give 0.000001 to 100000 gigabytes".to_owned()),
    }
}

impl Events {
    fn spec(&self) -> EventSpec {
        let Self { size, streams, choice, seed } = *self;
        EventSpec { size, streams, choice, seed }
    }

    /// The flags that say the same.
    fn flags(&self) -> Vec<String> {
        let choice = match self.choice {
            Choice::Uniform => "uniform",
            Choice::Zipf => "zipf",
        };
        let mut flags = vec![
            format!("--streams={}", self.streams),
            format!("--choice={choice}"),
            format!("--seed={}", self.seed),
        ];
        flags.extend(self.size.map(|size| format!("--size={size}")));
        flags
    }
}

impl Common {
    /// Ready to measure; warns of what would make the numbers worthless.
    fn bench(&self, global: &Global) -> Result<Bench, Failure> {
        let dir = self.dir(global);
        let options = BenchOptions {
            time: self.seconds,
            warm_up: self.warm_up,
            events: self.events.spec(),
            probe: ProbeOptions { time: self.probe_seconds, ..ProbeOptions::default() },
            ..BenchOptions::at(dir.clone())
        };
        if IS_DEBUG_BUILD {
            say("warning: this is a debug build; its numbers mean nothing (build with --release)");
        }
        let bench = Bench::new(options).map_err(failure)?;
        if bench.machine().is_in_memory() {
            let dir = dir.display();
            say(&format!("warning: {dir} is in memory, where a flush costs nothing: use --dir on a disk"));
        }
        Ok(bench)
    }

    fn dir(&self, global: &Global) -> PathBuf {
        let beside = global.store.parent().filter(|_| global.store != Path::new(".factum"));
        let target = Path::new("target");
        match (&self.dir, beside) {
            (Some(dir), _) => dir.clone(),
            (None, Some(parent)) if parent.as_os_str().is_empty() => PathBuf::from("."),
            (None, Some(parent)) => parent.to_owned(),
            (None, None) if target.is_dir() => target.to_owned(),
            (None, None) => std::env::temp_dir(),
        }
    }
}

/// Progress and warnings; with standard error gone nobody is there to read them.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn failure(error: BenchError) -> Failure {
    let code = match &error {
        BenchError::Option { .. } => Exit::Usage,
        BenchError::Append(error) => error.kind().into(),
        BenchError::Read(error) => error.kind().into(),
        BenchError::Subscribe(error) => error.kind().into(),
        BenchError::Storage(error) => error.kind().into(),
        _ => Exit::Failure,
    };
    Failure::new(code, error)
}

impl Row for Outcome {
    const COLUMNS: &'static [&'static str] = &[
        "workload",
        "events_per_s",
        "bytes_per_s",
        "p50_us",
        "p99_us",
        "p999_us",
        "disk",
        "share",
        "durability",
        "machine",
        "commit",
    ];
}

/// Measures what was asked for.
pub fn run(verb: BenchVerb, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let outcome = match verb {
        BenchVerb::FillForReopen(args) => {
            return reopen::fill_and_die(&args.path, args.bytes, args.events.spec(), out).map_err(failure);
        }
        BenchVerb::All(args) => return all(args, global, out),
        BenchVerb::Sdk(args) => return sdk(args, global, out),
        BenchVerb::Disk(common) => common.bench(global)?.disk(),
        BenchVerb::Append(args) => {
            let AppendBench { callers, batch, threads, common } = args;
            let plan = AppendPlan { callers, batch, threads, time: common.seconds, warm_up: common.warm_up };
            // Before the disk is made to work for nothing.
            plan.validate().map_err(failure)?;
            common.bench(global)?.append(callers, batch, threads)
        }
        BenchVerb::Replay(args) => args.common.bench(global)?.replay(args.events),
        BenchVerb::Read(args) => args.common.bench(global)?.read(args.events, args.stream_events),
        BenchVerb::Subscribe(args) => args.common.bench(global)?.subscribe(args.callers),
        BenchVerb::Reopen(args) => {
            let bench = args.common.bench(global)?;
            let filler = filler(&args.common.events)?;
            bench.reopen(args.killed.gb.0, args.killed.rounds, &filler)
        }
    };
    let outcome = outcome.map_err(failure)?;
    match out.format {
        Format::Text => write!(out, "{outcome}")?,
        Format::Json | Format::Ndjson | Format::Csv => rows::one(out, &outcome)?,
    }
    Ok(())
}

/// Every row, the page if one is wanted, and a failure if a row has no figure.
/// A target that was missed is a result, no failure.
fn all(args: AllBench, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let bench = args.common.bench(global)?;
    let filler = filler(&args.common.events)?;
    let plan = TablePlan {
        reopen_bytes: args.killed.gb.0,
        reopen_rounds: args.killed.rounds,
        ..TablePlan::default()
    };
    let table =
        Table::run(&bench, plan, &filler, &mut |name| say(&format!("measuring: {name}"))).map_err(failure)?;
    tell(&table, args.write.as_deref(), page::page, out)
}

/// The rows of the SDK, told likewise.
fn sdk(args: SdkBench, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let bench = args.common.bench(global)?;
    let plan = SdkPlan::default();
    let table = sdk::run(&bench, plan, &mut |name| say(&format!("measuring: {name}"))).map_err(failure)?;
    tell(&table, args.write.as_deref(), page::sdk_page, out)
}

fn tell(
    table: &Table,
    write: Option<&Path>,
    page: fn(&Table) -> String,
    out: &mut Out,
) -> Result<(), Failure> {
    match out.format {
        Format::Text => write!(out, "{table}")?,
        Format::Json | Format::Ndjson | Format::Csv => {
            let mut rows = Rows::many();
            for outcome in &table.outcomes {
                rows.row(out, outcome)?;
            }
            rows.end::<Outcome>(out)?;
        }
    }
    if let Some(path) = write {
        std::fs::write(path, page(table)).map_err(|source| {
            failure(BenchError::Io { doing: format!("write {}", path.display()), source })
        })?;
        say(&format!("written: {}", path.display()));
    }
    let without: Vec<_> = table.rows.iter().filter(|row| !row.has_figure).map(|row| row.name).collect();
    match without.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Failure, format!("no figure for: {}", without.join("; ")))),
    }
}

/// Makes the command that fills a store and kills itself: this program.
fn filler(events: &Events) -> Result<impl Fn(&Path, u64) -> Command + use<>, Failure> {
    let program = std::env::current_exe()
        .map_err(|source| failure(BenchError::Io { doing: "find this program's own file".into(), source }))?;
    let events = events.flags();
    Ok(move |path: &Path, bytes: u64| {
        let mut command = Command::new(&program);
        command.args(["bench", "fill-for-reopen", "--path"]).arg(path).arg(format!("--bytes={bytes}"));
        command.args(&events);
        command
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{self, Verb};

    fn parsed(words: &[&str]) -> (Global, BenchVerb) {
        let line = ["factum", "bench"].iter().chain(words).map(Into::into).collect();
        match args::parse(line).unwrap() {
            args::Args { global, verb: Verb::Bench(verb) } => (global, verb),
            other => panic!("{other:?}"),
        }
    }

    fn refused(words: &[&str]) -> String {
        let line = ["factum", "bench"].iter().chain(words).map(Into::into).collect();
        args::parse(line).unwrap_err().to_string()
    }

    #[test]
    fn the_filler_is_told_the_same_events() {
        let events = Events { size: Some(300), streams: 77, choice: Choice::Zipf, seed: 9 };
        let command = filler(&events).unwrap()(Path::new("/a b/store"), 4_000);
        let words: Vec<_> = command.get_args().skip(1).map(|word| word.to_str().unwrap()).collect();
        let (_, BenchVerb::FillForReopen(told)) = parsed(&words) else { panic!("{words:?}") };
        assert_eq!(
            (told.path.as_path(), told.bytes, &told.events),
            (Path::new("/a b/store"), 4_000, &events)
        );
    }

    #[test]
    fn stores_go_where_they_were_asked_to() {
        let dir = |words: &[&str]| match parsed(words) {
            (global, BenchVerb::Disk(common)) => common.dir(&global),
            (_, other) => panic!("{other:?}"),
        };
        assert_eq!(dir(&["disk", "--dir", "/there", "--store", "/here/store"]), Path::new("/there"));
        assert_eq!(dir(&["disk", "--store", "/here/store"]), Path::new("/here"));
        assert_eq!(dir(&["disk", "--store", "store"]), Path::new("."));
    }

    #[test]
    fn numbers_that_measure_nothing_are_refused() {
        assert!(refused(&["append", "--seconds", "0"]).contains("more than 0 seconds"));
        assert!(refused(&["append", "--seconds", "soon"]).contains("such as 5 or 0.5"));
        assert!(refused(&["reopen", "--gb=-1"]).contains("0.000001 to"));
        assert!(refused(&["append", "--choice", "random"]).contains("uniform or zipf"));
        let mut out = Out::to(Vec::new(), Format::Text);
        let (global, verb) = parsed(&["append", "--callers", "0"]);
        let failure = run(verb, &global, &mut out).unwrap_err();
        assert_eq!(failure.code, Exit::Usage);
    }

    #[test]
    fn a_workload_is_measured_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let dir_flag = format!("--dir={}", dir.path().display());
        let tiny = [&*dir_flag, "--seconds=0.02", "--warm-up=0", "--probe-seconds=0.02", "--streams=64"];
        let (global, verb) = parsed(&[&["append", "--callers=4"], &tiny[..]].concat());
        let file = dir.path().join("answer");
        let mut out = Out::to(std::fs::File::create(&file).unwrap(), Format::Json);
        run(verb, &global, &mut out).unwrap();
        out.flush().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(told["workload"], "append");
        assert!(told["disk"]["flushes_per_s"].as_f64().unwrap() > 0.0, "{told}");
        let keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(&keys[..Outcome::COLUMNS.len()], Outcome::COLUMNS);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the answer is left");
    }
}
