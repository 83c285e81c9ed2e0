//! The clients for Node, `@kurrent/kurrentdb-client` and `@eventstore/db-client`,
//! from npm: each in a folder of its own under the build's, each a process of
//! its own, both telling the same story (`clients/story.cjs`); the newer one also
//! that of what only it can do.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::compatibility::tells;
use crate::host::Host;
use crate::missing::missing;

static FETCHING: Mutex<()> = Mutex::new(());

/// Whether a program can be run.
pub fn is_there(program: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|run| run.success())
}

fn works(client: &str, package: &str, version: &str, scheme: &str, stories: &[&str]) {
    for program in ["node", "npm"] {
        if !is_there(program) {
            return missing(&format!("{package} cannot be tried, because there is no {program} here"));
        }
    }
    // Tests run beside one another, and it is fetched once.
    let alone = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("node-{}-{version}", package.replace('/', "-")));
    if !folder.join("node_modules").join(package).join("package.json").exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let mut install = Command::new("npm");
        install.args(["install", "--prefix"]).arg(&folder).args([
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
        ]);
        let install = install.arg(format!("{package}@{version}")).stdout(Stdio::null());
        if !install.status().is_ok_and(|installed| installed.success()) {
            return missing(&format!("{package} cannot be tried, because npm cannot install it here"));
        }
    }
    drop(alone);
    let host = Host::start();
    let stories = stories.iter().map(|story| {
        let mut node = Command::new("node");
        node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(story));
        node.args([package, &host.url(scheme)]).env("NODE_PATH", folder.join("node_modules"));
        node
    });
    tells(client, version, stories);
}

#[test]
fn kurrent_client_for_node_works_unmodified() {
    let stories = ["story.cjs", "sessions.cjs"];
    let package = "@kurrent/kurrentdb-client";
    works("Node `@kurrent/kurrentdb-client`", package, "1.3.1", "kurrentdb", &stories);
}

#[test]
fn eventstore_client_for_node_works_unmodified() {
    works("Node `@eventstore/db-client`", "@eventstore/db-client", "6.2.1", "esdb", &["story.cjs"]);
}
