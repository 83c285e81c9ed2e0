//! `cargo xtask guide`: runs the examples of the pages as a reader would.
//!
//! A block marked `console` is commands behind `$ ` and what they show. All
//! blocks of a page run one after another in one empty folder, with the
//! program just built before all others on the path. Shown and seen must be
//! the same line by line, but
//!
//! - a line `...` stands for any number of lines;
//! - ids, times and figures with a unit of time or size behind them are the
//!   same whatever their value;
//! - spaces at the end of a line do not count.

use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::problem::{Problem, ToolError};
use crate::tree::root;
use crate::workspace::Workspace;

const PAGES: [&str; 1] = ["README.md"];

/// A command and what the page shows of its answer.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    line: usize,
    command: String,
    shown: Vec<&'a str>,
}

/// Builds the program and runs every page.
pub fn run() -> Result<Vec<Problem>, ToolError> {
    let arguments = ["build", "--quiet", "--package", "factum-cli"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .status()
        .map_err(ToolError::io("run cargo"))?;
    if !built.success() {
        return Err(ToolError::Program { command: format!("cargo {}", arguments.join(" ")) });
    }
    let program = Workspace::read()?.target.join("debug");
    let mut problems = Vec::new();
    for page in PAGES {
        let text =
            std::fs::read_to_string(root().join(page)).map_err(ToolError::io(format!("read {page}")))?;
        let dir = tempfile::tempdir().map_err(ToolError::io("make a folder for the examples"))?;
        let steps = steps(&text);
        if steps.is_empty() {
            problems.push(Problem::new(page, 1, "no example to run", "show one in a block marked `console`"));
        }
        for step in steps {
            let seen = execute(&step.command, dir.path(), &program)?;
            problems.extend(compare(page, &step, &seen));
        }
    }
    Ok(problems)
}

/// What a shell and the program in it answer, both streams together.
fn execute(command: &str, dir: &Path, program: &Path) -> Result<String, ToolError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(program.to_path_buf()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders)
        .map_err(|error| ToolError::io("set the path")(std::io::Error::other(error)))?;
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(dir)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env_remove("FACTUM_STORE")
        .output()
        .map_err(ToolError::io("run sh"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The commands of a page.
fn steps(page: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut is_console = false;
    for (index, line) in page.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            is_console = language == "console";
        } else if !is_console {
            continue;
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: index + 1, command: command.into(), shown: Vec::new() });
        } else if let Some(step) = steps.last_mut() {
            // A command may go on over lines that end in `\`.
            if step.shown.is_empty() && step.command.ends_with('\\') {
                step.command = format!("{}\n{line}", step.command);
            } else {
                step.shown.push(line);
            }
        }
    }
    steps
}

fn compare(page: &str, step: &Step<'_>, seen: &str) -> Option<Problem> {
    let shown: Vec<String> = step.shown.iter().map(|line| mask(line)).collect();
    let found: Vec<String> = seen.lines().map(mask).collect();
    if matches(&shown, &found) {
        return None;
    }
    let what = format!("`{}` shows something else", step.command);
    Some(Problem::new(page, step.line, what, format!("correct the page; it showed\n{seen}")))
}

/// A line without what differs from run to run.
fn mask(line: &str) -> String {
    const MASKS: [(&str, &str); 3] = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", "<time>"),
        (r"\d+(\.\d+)? (s|ms|µs|KiB|MiB|GiB)\b", "<figure>"),
    ];
    let mut line = line.trim_end().to_owned();
    for (pattern, name) in MASKS {
        let pattern = Regex::new(pattern).expect("the pattern stands above");
        line = pattern.replace_all(&line, name).into_owned();
    }
    line
}

fn matches(shown: &[String], found: &[String]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        Some((first, rest)) => {
            found.split_first().is_some_and(|(line, found)| line == first && matches(rest, found))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_commands_and_answers() {
        let page = "a\n```console\n$ one \\\n  two\nx\n\n$ three\n```\n```text\n$ not this\n```\n";
        assert_eq!(
            steps(page),
            [
                Step { line: 3, command: "one \\\n  two".into(), shown: vec!["x", ""] },
                Step { line: 7, command: "three".into(), shown: vec![] },
            ]
        );
    }

    #[test]
    fn compares_loosely_where_runs_differ_and_strictly_elsewhere() {
        let agrees = |shown: &str, seen: &str| {
            let step = Step { line: 1, command: "c".into(), shown: shown.lines().collect() };
            compare("p", &step, seen).is_none()
        };
        assert!(agrees(
            "id 018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b  ",
            "id 99999999-6a2e-7cc1-9a57-2f0c6f1d2e3b\n"
        ));
        assert!(agrees("at 2026-11-21T10:00:00.000001Z in 3 ms", "at 2027-01-01T10:00:00.5Z in 40.5 ms\n"));
        assert!(agrees("a\n...\nd", "a\nb\nc\nd\n"));
        assert!(!agrees("position 1", "position 2\n"));
        assert!(!agrees("a", "a\nb\n"));
        assert!(!agrees("a\n...\nd", "a\nb\n"));
        assert!(!agrees("a", ""));
    }

    #[test]
    fn runs_a_command_in_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let seen = execute("pwd; echo no >&2", dir.path(), dir.path()).unwrap();
        let here = dir.path().canonicalize().unwrap();
        assert_eq!(seen, format!("{}\nno\n", here.display()));
    }
}
