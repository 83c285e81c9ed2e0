//! `cargo xtask`: runs one of the tools in the library beside this file.

use std::process::ExitCode;

use xtask::problem::{Problem, ToolError};
use xtask::{build_time, compatibility, guide, tidy, torture};

const USAGE: &str = "usage: cargo xtask TOOL

  tidy       checks what the compiler does not: crate edges, folders, doors, words, links
  guide      runs the console examples of README.md and compares what they show
  compatibility
             runs every KurrentDB client and writes what it shows into the page
  build-time
             builds a program from nothing, with the log and with the SDK, and tells how long it took
  torture    runs the suites that break the log, for as long as is asked for
  sabotage   builds the log with faults in it, and wants the suites to fail";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => report("tidy", tidy::run()),
        ["guide"] => report("guide", guide::run()),
        ["compatibility"] => report("compatibility", compatibility::run()),
        ["build-time"] => match build_time::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        ["torture", ..] => torture::torture(&arguments[1..]),
        ["sabotage", ..] => torture::sabotage(&arguments[1..]),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn report(tool: &str, found: Result<Vec<Problem>, ToolError>) -> ExitCode {
    match found {
        Ok(problems) if problems.is_empty() => {
            println!("{}: nothing to complain about", tool);
            ExitCode::SUCCESS
        }
        Ok(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            eprintln!("{}: {} to mend", tool, problems.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
