//! The Python clients, `kurrentdbclient` and `esdbclient`, from PyPI: each in an
//! environment of its own under the build's folder, each a process of its own,
//! both running the same story (`clients/story.py`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::Host;

/// An environment with this package, made if it is not there.
fn environment(package: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{package}"));
    let python = root.join("bin/python");
    let has = |python: &Path| {
        let import = format!("import {}", package.split("==").next().unwrap());
        Command::new(python).args(["-c", &import]).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    };
    if has(&python) {
        return Some(python);
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&root).status();
    if !made.is_ok_and(|made| made.success()) {
        eprintln!("NOT TRIED: {package}, because `python3 -m venv` does not work here");
        return None;
    }
    let pip = |words: &[&str]| Command::new(&python).args(["-m", "pip", "--quiet"]).args(words).status();
    if !pip(&["--version"]).is_ok_and(|pip| pip.success()) {
        eprintln!("NOT TRIED: {package}, because Python has no pip here");
        return None;
    }
    if !pip(&["install", package]).is_ok_and(|pip| pip.success()) {
        eprintln!("NOT TRIED: {package}, because pip cannot install it here");
        return None;
    }
    Some(python)
}

fn tells_the_story(package: &str, scheme: &str) {
    let Some(python) = environment(package) else { return };
    let host = Host::start();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/story.py");
    let told = Command::new(python).arg(story).arg(host.url(scheme)).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(told.status.success(), "{package}:\n{}{}", said(&told.stdout), said(&told.stderr));
    print!("{}", said(&told.stdout));
    let chapters = said(&told.stdout).lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(chapters, 17, "{package} told another number of chapters:\n{}", said(&told.stdout));
}

#[test]
fn kurrentdbclient_works_unmodified() {
    tells_the_story("kurrentdbclient==1.3.5", "kurrentdb");
}

#[test]
fn esdbclient_works_unmodified() {
    tells_the_story("esdbclient==1.1.7", "esdb");
}
