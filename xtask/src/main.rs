//! `cargo xtask`: runs one of the tools in the library beside this file.

use std::process::ExitCode;

use xtask::problem::{Problem, ToolError};
use xtask::{guide, tidy};

const USAGE: &str = "usage: cargo xtask TOOL

  tidy     checks what the compiler does not: crate edges, folders, doors, words, links
  guide    runs the console examples of README.md and compares what they show";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let run: fn() -> Result<Vec<Problem>, ToolError> =
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["tidy"] => tidy::run,
            ["guide"] => guide::run,
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        };
    match run() {
        Ok(problems) if problems.is_empty() => {
            println!("{}: nothing to complain about", arguments[0]);
            ExitCode::SUCCESS
        }
        Ok(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            eprintln!("{}: {} to mend", arguments[0], problems.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
