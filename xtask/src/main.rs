//! `cargo xtask`: the tools of this workspace.

use std::process::ExitCode;

mod torture;

const USAGE: &str = "usage: cargo xtask TOOL

  torture    runs the suites that break the log, for as long as is asked for
  sabotage   builds the log with faults in it, and wants the suites to fail";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("torture") => torture::torture(&arguments[1..]),
        Some("sabotage") => torture::sabotage(&arguments[1..]),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
