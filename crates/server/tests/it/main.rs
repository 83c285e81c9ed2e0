//! The server from outside: with clients as people have them, each of which
//! proves by its own types and errors that it understands what it was told.

// What is not so fails the test, and `unwrap` says where.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod calls;
mod compatibility;
mod connections;
mod deadlines;
mod ending;
mod groups;
mod host;
mod java;
mod missing;
mod node;
mod patience;
mod probes;
mod python;
mod remote;
mod rust;
mod services;
mod sessions;
mod system;
mod venv;
mod vocabulary;

/// A file that is not named above would be tests nobody runs.
#[test]
fn every_file_here_is_part_of_the_suite() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let named: Vec<_> = include_str!("main.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    for entry in std::fs::read_dir(here).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(stem == "main" || named.contains(&stem), "{} is in no `mod` line", path.display());
    }
}
