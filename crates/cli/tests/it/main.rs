//! The `factum` program from outside: one process appends, the next one reads.

// What is not so fails the test, and `unwrap` says where.
#![allow(clippy::unwrap_used)]

mod append;
mod damage;
mod demo;
mod follow;
mod history;
mod import_git;
mod import_jsonl;
#[cfg(feature = "serve")]
mod journal;
#[cfg(feature = "serve")]
mod killed;
mod machine;
mod meta;
mod program;
#[cfg(feature = "sqlite")]
mod projection;
#[cfg(feature = "serve")]
mod quick_start;
mod refusals;
#[cfg(all(feature = "serve", feature = "client"))]
mod remote;
#[cfg(feature = "serve")]
mod serve;
mod stores;
mod streams;
mod terminal;
mod verify;

/// Python, and what to do without it: the same as in the tests of the server.
#[cfg(feature = "serve")]
#[path = "../../../server/tests/it/missing.rs"]
mod missing;
#[cfg(feature = "serve")]
#[path = "../../../server/tests/it/venv.rs"]
mod venv;

/// Git repositories: the same as in the tests of the importer itself.
#[path = "../../src/import/git/sample.rs"]
mod sample;

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
