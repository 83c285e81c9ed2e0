//! The Rust clients, the crates `kurrentdb` and `eventstore`, as they are
//! published: each in a process of its own, both telling the same story
//! (`clients/story.rs`). What only needs some client is tried with the newer one
//! beside it, consumer groups in `groups.rs`.

mod eventstore;
mod kurrentdb;

use std::process::Command;

use crate::compatibility::tells;
use crate::host::Host;

/// Where the process that tells a story finds the server.
const URL: &str = "FACTUM_STORY_URL";

fn works(client: &str, package: &str) {
    let host = Host::start();
    let mut story = Command::new(std::env::current_exe().unwrap());
    story.args([&format!("rust::{package}::tells_its_story"), "--exact", "--ignored", "--nocapture"]);
    story.env(URL, host.url(if package == "kurrentdb" { "kurrentdb" } else { "esdb" }));
    tells(client, &locked(package), [story]);
}

/// The version that is built into these tests.
fn locked(package: &str) -> String {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let after = lock.split(&format!("name = \"{package}\"\nversion = \"")).nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

#[test]
fn kurrentdb_works_unmodified() {
    works("Rust `kurrentdb`", "kurrentdb");
}

#[test]
fn eventstore_works_unmodified() {
    works("Rust `eventstore`", "eventstore");
}
