//! Where a store is, who has it, and what the system allows.

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use factum_core::*;
use factum_log::verify::{Depth, verify};
use factum_log::{Access, Create, Log, LogOptions, OpenError, Threads};

use crate::fixture::{KIB, append, read_all, segment, told};

const HOLD: &str = "FACTUM_HOLD";

fn options() -> LogOptions {
    LogOptions { threads: Threads::Own, segment_bytes_first: 64 * KIB, ..crate::fixture::options() }
}

fn try_open(path: &Path) -> Result<Log, OpenError> {
    Log::open(path, options())
}

/// Another process that has a store open, until it is killed.
struct Holder(Child);

impl Holder {
    fn of(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["places::holds_a_store", "--exact", "--ignored", "--nocapture"])
            .env(HOLD, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "held"), "it has the store open");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the process that has a store open; it ends when its parent does"]
fn holds_a_store() {
    let Some(path) = std::env::var_os(HOLD) else { return };
    let log = try_open(Path::new(&path)).unwrap();
    append(&log, 0).unwrap();
    println!("\nheld");
    let _ = std::io::stdin().read(&mut [0]);
}

/// C03, C04
#[test]
fn a_store_has_one_process_at_a_time_and_outlives_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let holder = Holder::of(&path);
    let process = format!("process {}", holder.0.id());
    for access in [Access::Append, Access::Read] {
        let opened = Log::open(&path, LogOptions { access, ..options() });
        let Err(error @ OpenError::Locked { .. }) = opened else { panic!("{:?}", opened.err()) };
        assert!(told(&error).contains(&process), "{}", told(&error));
    }
    assert!(matches!(verify(&path, Depth::Fast, &mut |_| {}), Err(OpenError::Locked { .. })));
    // kill -9: what it wrote into LOCK is stale, and in nobody's way.
    drop(holder);
    assert!(fs::read_to_string(path.join("LOCK")).unwrap().contains(&process));
    let log = try_open(&path).unwrap();
    assert_eq!(read_all(&log).unwrap(), [0]);

    // C03, in one process.
    let opened = try_open(&path);
    let Err(error @ OpenError::Locked { .. }) = opened else { panic!("{:?}", opened.err()) };
    assert!(told(&error).contains(&format!("process {}", std::process::id())), "{}", told(&error));
    append(&log, 1).unwrap();
    log.close().unwrap();
    assert_eq!(read_all(&try_open(&path).unwrap()).unwrap(), [0, 1]);
}

/// A20, C07: as far as a process that may do everything can be refused.
#[test]
fn what_the_system_does_not_allow_is_said_with_the_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let log = try_open(&path).unwrap();
    append(&log, 0).unwrap();
    log.close().unwrap();
    let files = [path.clone(), path.join("LOCK"), path.join("STORE"), path.join(segment(1))];
    for file in &files {
        let before = fs::metadata(file).unwrap().permissions();
        fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
        let opened = try_open(&path);
        fs::set_permissions(file, before).unwrap();
        match opened {
            // Whoever is root may.
            Ok(log) => assert_eq!(read_all(&log).unwrap(), [0]),
            Err(error) => assert!(told(&error).contains("ermission denied"), "{}", told(&error)),
        }
    }
    for (wrong, words) in [
        (dir.path().join("no/such/directory"), "No such file"),
        (path.join("STORE"), "is not a store"),
        (path.join("STORE/below"), "is not a store"),
    ] {
        let error = try_open(&wrong).err().unwrap();
        assert!(told(&error).contains(words), "{wrong:?}: {}", told(&error));
    }
}

/// C08
#[test]
fn every_path_that_the_system_takes_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(255);
    let names = ["with spaces", "ünïcödé-日本-🦀", "new\nline", "-rf", "quote'\"", "a.b", long.as_str()];
    for name in names {
        let path = dir.path().join(name);
        let log = try_open(&path).unwrap_or_else(|error| panic!("{name:?}: {}", told(&error)));
        append(&log, 0).unwrap();
        log.close().unwrap();
        for path in [path.clone(), path.join(""), path.join("."), path.join("../").join(name)] {
            assert_eq!(read_all(&try_open(&path).unwrap()).unwrap(), [0], "{path:?}");
            assert_eq!(verify(&path, Depth::Deep, &mut |_| {}).unwrap().damage, []);
        }
    }
    // One byte more than a name may have.
    let error = try_open(&dir.path().join("x".repeat(256))).err().unwrap();
    assert!(told(&error).contains("name too long"), "{}", told(&error));
    // Through a link to the directory.
    symlink(dir.path().join("a.b"), dir.path().join("link")).unwrap();
    assert_eq!(read_all(&try_open(&dir.path().join("link")).unwrap()).unwrap(), [0]);
}

/// C08: relative to where the process is; in a process of its own, because
/// that is the process's.
#[test]
fn a_relative_path_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["places::holds_a_store", "--exact", "--ignored", "--nocapture"])
        .env(HOLD, "relative store/")
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(read_all(&try_open(&dir.path().join("relative store")).unwrap()).unwrap(), [0]);
}

/// B16, on a real file system.
#[test]
fn what_is_no_plain_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let log = try_open(&whole).unwrap();
    append(&log, 0).unwrap();
    log.close().unwrap();
    let begun = Instant::now();
    for name in ["STORE".to_owned(), segment(1), segment(2), segment(3), "LOCK".to_owned()] {
        type Make<'a> = &'a dyn Fn(&Path);
        let kinds: [(&str, Make<'_>); 3] = [
            ("a pipe", &|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
            ("a directory", &|path| fs::create_dir(path).unwrap()),
            ("a link", &|path| symlink("/dev/zero", path).unwrap()),
        ];
        for (kind, make) in kinds {
            let path = dir.path().join("store");
            assert!(Command::new("cp").arg("-r").arg(&whole).arg(&path).status().unwrap().success());
            fs::remove_file(path.join(&name)).unwrap();
            make(&path.join(&name));
            let error = try_open(&path).err().unwrap_or_else(|| panic!("{name} is {kind}"));
            assert!(told(&error).contains("not a plain file"), "{name} is {kind}: {}", told(&error));
            drop(verify(&path, Depth::Deep, &mut |_| {}));
            fs::remove_dir_all(&path).unwrap();
        }
    }
    for other in ["something", "else"] {
        fs::create_dir_all(dir.path().join("other").join(other)).unwrap();
    }
    let opened = Log::open(&dir.path().join("other"), LogOptions { create: Create::IfEmpty, ..options() });
    assert!(matches!(opened, Err(OpenError::NotAStore { .. })), "{:?}", opened.err());
    assert!(begun.elapsed() < Duration::from_secs(20), "it waited for something");
}

/// A19: the process is at its limit for the size of files, and not killed
/// where it ignores the signal, as a program should.
#[test]
fn a_size_limit_is_an_error_where_its_signal_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let exe = std::env::current_exe().unwrap();
    // In units of 512 bytes: less than a segment.
    let script =
        "trap '' XFSZ; ulimit -f 64; exec \"$0\" places::holds_a_store --exact --ignored --nocapture";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(&exe)
        .env(HOLD, &path)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code().is_some_and(|code| code != 0), "{said}");
    assert!(said.contains("File too large"), "{said}");
    // Nothing of it is in the way.
    let log = try_open(&path).unwrap();
    append(&log, 0).unwrap();
    assert_eq!(log.last_position().unwrap(), Some(Position::FIRST));
}
