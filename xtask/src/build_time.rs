//! `cargo xtask build-time`: what the SDK adds to a clean build beyond the log.
//!
//! ```text
//!   a program of one line that needs   factum-log ──▶ built from nothing ──▶ seconds
//!                                      factum     ──▶ the same           ──▶ seconds
//! ```
//!
//! Crates are fetched before the clock starts, and each build has a folder of its own.
//! Nothing is claimed of other machines: the number of cores stands beside the figures.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::problem::ToolError;
use crate::tree::root;

/// What is needed, and the profile's flag.
const BUILDS: [(&str, &str, &[&str]); 4] = [
    ("factum-log", "crates/log", &[]),
    ("factum", "crates/factum", &[]),
    ("factum-log", "crates/log", &["--release"]),
    ("factum", "crates/factum", &["--release"]),
];

/// Builds each, and prints how long it took.
pub fn run() -> Result<(), ToolError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("clean builds of a program that needs one crate, {cores} cores");
    let mut log = Duration::ZERO;
    for (name, folder, profile) in BUILDS {
        let took = build(name, &root().join(folder), profile)?;
        let profile = profile.first().map_or("dev", |flag| flag.trim_start_matches('-'));
        let more = took.saturating_sub(log).as_secs_f64();
        match name {
            "factum" => println!("{profile:8} {name:11} {:5.1} s, {more:.1} s more", took.as_secs_f64()),
            _ => {
                log = took;
                println!("{profile:8} {name:11} {:5.1} s", took.as_secs_f64());
            }
        }
    }
    Ok(())
}

fn build(name: &str, crate_dir: &Path, profile: &[&str]) -> Result<Duration, ToolError> {
    let dir = tempfile::tempdir().map_err(ToolError::io("make a folder for the program"))?;
    let write = |file: &str, text: &str| {
        std::fs::write(dir.path().join(file), text).map_err(ToolError::io(format!("write {file}")))
    };
    std::fs::create_dir(dir.path().join("src")).map_err(ToolError::io("make a folder for the program"))?;
    write("src/main.rs", "fn main() {}\n")?;
    write("Cargo.toml", &manifest(name, crate_dir))?;
    // The versions that this workspace has, so that every run builds the same.
    let lock = root().join("Cargo.lock");
    std::fs::copy(lock, dir.path().join("Cargo.lock")).map_err(ToolError::io("copy Cargo.lock"))?;
    cargo(dir.path(), &["fetch", "--quiet"])?;
    let begin = Instant::now();
    cargo(dir.path(), &[&["build", "--quiet"], profile].concat())?;
    Ok(begin.elapsed())
}

fn manifest(name: &str, crate_dir: &Path) -> String {
    format!(
        "[package]\nname = \"a-program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{name} = {{ path = {crate_dir:?} }}\n\n[workspace]\n"
    )
}

fn cargo(dir: &Path, arguments: &[&str]) -> Result<(), ToolError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ended = Command::new(cargo)
        .args(arguments)
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .status()
        .map_err(ToolError::io("run cargo"))?;
    match ended.success() {
        true => Ok(()),
        false => Err(ToolError::Program { command: format!("cargo {}", arguments.join(" ")) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_needs_one_crate_that_is_there() {
        for (name, folder, _) in BUILDS {
            let own = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
            assert!(own.contains(&format!("name = {name:?}\n")), "{folder}");
            let needs = manifest(name, &root().join(folder));
            assert!(needs.ends_with("[workspace]\n") && needs.contains(&format!("\n{name} = {{ path = \"")));
        }
    }
}
