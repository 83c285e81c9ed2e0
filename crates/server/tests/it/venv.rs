//! Python with a package from PyPI, in an environment of its own under the
//! build's folder. The tests of the program use it as well.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

static MAKING: Mutex<()> = Mutex::new(());

/// An environment with this package, made if it is not there.
pub fn environment(package: &str) -> Option<PathBuf> {
    // Tests run beside one another, and it is made once.
    let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
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
