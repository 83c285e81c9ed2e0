//! The clients for Node, `@kurrent/kurrentdb-client` and `@eventstore/db-client`,
//! from npm: each in a folder of its own under the build's, each a process of
//! its own, both telling the same story (`clients/story.cjs`); the newer one also
//! those of what only it can do.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::host::Host;

static FETCHING: Mutex<()> = Mutex::new(());

/// Whether a program can be run.
pub fn is_there(program: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|run| run.success())
}

fn tells(story: &str, chapter_count: usize, package: &str, version: &str, scheme: &str) {
    for program in ["node", "npm"] {
        if !is_there(program) {
            eprintln!("NOT TRIED: {package}, because there is no {program} here");
            return;
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
            eprintln!("NOT TRIED: {package}, because npm cannot install it here");
            return;
        }
    }
    drop(alone);
    let host = Host::start();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(story);
    let mut node = Command::new("node");
    node.arg(story).args([package, &host.url(scheme)]).env("NODE_PATH", folder.join("node_modules"));
    let told = node.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(told.status.success(), "{package}:\n{}{}", said(&told.stdout), said(&told.stderr));
    let chapters = said(&told.stdout).lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(chapters, chapter_count, "{package} told another number of chapters:\n{}", said(&told.stdout));
}

#[test]
fn kurrent_client_for_node_works_unmodified() {
    tells("story.cjs", 11, "@kurrent/kurrentdb-client", "1.3.1", "kurrentdb");
}

#[test]
fn eventstore_client_for_node_works_unmodified() {
    tells("story.cjs", 11, "@eventstore/db-client", "6.2.1", "esdb");
}

#[test]
fn kurrent_client_for_node_appends_to_several_streams_as_one() {
    tells("sessions.cjs", 4, "@kurrent/kurrentdb-client", "1.3.1", "kurrentdb");
}
