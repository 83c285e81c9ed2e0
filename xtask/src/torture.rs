//! The long runs of the suites that break the log, and the proof that they can
//! fail.
//!
//! ```text
//!   torture    kill    a process under load is killed with -9, again and again
//!              sim     seeded stories over a disk that fails and loses power
//!              fuzz    bytes that nobody wrote, into every decoder
//!   sabotage   the same suites, short, over a log with one fault built in:
//!              each must fail, or the suites prove nothing
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: cargo xtask torture [--minutes N] [--seed S] [--suite kill|sim|fuzz]
       cargo xtask sabotage

  --minutes N  how long, all suites together (10)
  --seed S     where chance begins (the time of day)
  --suite      only this one";

const SUITES: [&str; 3] = ["kill", "sim", "fuzz"];
/// Stories told between two looks at the clock.
const SEEDS_AT_ONCE: u64 = 2_000;
/// Faults that `crates/log/src/commit.rs` can be built with.
const SABOTAGES: [(&str, &str); 3] = [
    ("no_flush", "nothing is flushed: acknowledged once it is written"),
    ("early_ack", "acknowledged before it is written"),
    ("trust_cache", "what only the page cache holds is served after a restart"),
];

struct Asked {
    minutes: u64,
    seed: u64,
    suites: Vec<&'static str>,
}

fn parse(arguments: &[String]) -> Option<Asked> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = now.map_or(1, |since| since.as_secs());
    let mut asked = Asked { minutes: 10, seed, suites: SUITES.to_vec() };
    for pair in arguments.chunks(2) {
        let [flag, value] = pair else { return None };
        match flag.as_str() {
            "--minutes" => asked.minutes = value.parse().ok().filter(|minutes| *minutes > 0)?,
            "--seed" => asked.seed = value.parse().ok()?,
            "--suite" => asked.suites = vec![SUITES.into_iter().find(|suite| suite == value)?],
            _ => return None,
        }
    }
    Some(asked)
}

/// Runs the suites for as long as is asked for; stops at the first failure.
pub fn torture(arguments: &[String]) -> ExitCode {
    let Some(asked) = parse(arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let share = Duration::from_secs(60 * asked.minutes) / asked.suites.len() as u32;
    println!("seed {}, {} s for each of {}", asked.seed, share.as_secs(), asked.suites.join(", "));
    for suite in &asked.suites {
        let whole = match *suite {
            "kill" => kill(asked.seed, share),
            "sim" => sim(asked.seed, share),
            _ => fuzz(asked.seed, share),
        };
        if !whole {
            eprintln!("{suite} failed; once more: cargo xtask torture --suite {suite} --seed {}", asked.seed);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn log_tests(filter: &str) -> Command {
    let mut command = cargo();
    command.args(["test", "--release", "-p", "factum-log", "--test", "it", "--", "--nocapture", filter]);
    command
}

fn kill(seed: u64, share: Duration) -> bool {
    let mut command = log_tests("rig::");
    command.env("FACTUM_RIG_SEED", seed.to_string());
    succeeds(command.env("FACTUM_RIG_SECONDS", share.as_secs().to_string()))
}

fn sim(seed: u64, share: Duration) -> bool {
    let until = Instant::now() + share;
    for round in 0.. {
        let first = seed.wrapping_mul(1_000_003).wrapping_add(round * SEEDS_AT_ONCE) >> 1;
        let mut command = log_tests("sim::the_log_keeps_its_word");
        command.env("FACTUM_SIM_FIRST", first.to_string());
        if !succeeds(command.env("FACTUM_SIM_SEEDS", SEEDS_AT_ONCE.to_string())) {
            return false;
        }
        if Instant::now() >= until {
            break;
        }
    }
    true
}

fn fuzz(seed: u64, share: Duration) -> bool {
    let mut command = cargo();
    command.args(["test", "--release", "-p", "factum-fuzz", "--", "--nocapture", "--test-threads=2"]);
    command.env("BOLERO_RANDOM_SEED", seed.to_string());
    command.env("BOLERO_RANDOM_ITERATIONS", u32::MAX.to_string());
    // The targets share two threads.
    let each = share.as_millis() * 2 / FUZZ_TARGETS;
    succeeds(command.env("BOLERO_RANDOM_TEST_TIME_MS", each.to_string()))
}

/// How many targets there are in `fuzz/`.
const FUZZ_TARGETS: u128 = 6;

/// Builds each sabotage, and wants at least one test to notice.
pub fn sabotage(arguments: &[String]) -> ExitCode {
    if !arguments.is_empty() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let mut unnoticed = 0;
    for (name, what) in SABOTAGES {
        println!("{name}: {what}");
        let Some(failed) = failing_tests(name) else {
            eprintln!("  it could not be built or run");
            return ExitCode::FAILURE;
        };
        for (test, why) in &failed {
            println!("  fails   {test}{}{why}", if why.is_empty() { "" } else { "\n          " });
        }
        if failed.is_empty() {
            println!("  nothing failed: the suites are worth nothing against this");
            unnoticed += 1;
        }
    }
    if unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The tests of the log that fail with this fault built in, each with the end
/// of what it said; `None` if it does not even build.
fn failing_tests(sabotage: &str) -> Option<BTreeMap<String, String>> {
    // A directory of its own, so that no sabotaged build is ever found by another.
    let target = target().join("sabotage").join(sabotage);
    let test = |arguments: &[&str]| {
        let mut command = cargo();
        command.args(["test", "-p", "factum-log", "--test", "it"]).args(arguments);
        command.env("CARGO_TARGET_DIR", &target);
        command.env("RUSTFLAGS", format!("--cfg factum_sabotage=\"{sabotage}\""));
        command.env("RUST_BACKTRACE", "0");
        command
    };
    if !succeeds(test(&["--no-run"]).stderr(Stdio::null())) {
        return None;
    }
    let output = test(&["--", "--skip", "contract::"]).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = said.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    Some(failed.map(|test| (test.to_owned(), reason(&said, test))).collect())
}

/// The last line that a test said of its failure.
fn reason(said: &str, test: &str) -> String {
    let section = said.split(&format!("---- {test} stdout ----")).nth(1).unwrap_or_default();
    let section = section.split("\n---- ").next().unwrap_or_default().split("\nfailures:").next();
    let lines = section.unwrap_or_default().lines().map(str::trim);
    let noise = ["note:", "to tell", "left:", "right:"];
    let is_noise = |line: &str| line.is_empty() || noise.iter().any(|noise| line.starts_with(noise));
    let told = lines.rev().find(|line| !is_noise(line));
    told.unwrap_or_default().chars().take(110).collect()
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
