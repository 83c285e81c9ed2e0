//! The machine is in the way: kills, limits, full and read-only disks.
//!
//! Some of these need the right to mount; where it is missing they say on
//! standard error that nothing was tried.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::import_git::{factum, log_of, run};
use crate::program::Place;

/// A small disk of its own, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, megabytes: u32) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let disk = Self(at);
        disk.mount_with(&["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).then_some(disk)
    }

    fn change(&self, how: &str) {
        assert!(self.mount_with(&["-o", &format!("remount,{how}")]), "{how}");
    }

    fn mount_with(&self, words: &[&str]) -> bool {
        let mounted = Command::new("mount").args(words).arg(&self.0).stderr(Stdio::null()).status();
        let mounted = mounted.is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("not tried: this user may not mount {words:?}");
        }
        mounted
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).stderr(Stdio::null()).status();
    }
}

/// Lines of some 8 KiB, each a stream of its own.
fn lines(path: &Path, count: usize) {
    let line = |n| format!("{{\"stream\":\"s-{n}\",\"type\":\"A\",\"data\":\"{}\"}}\n", "x".repeat(8000));
    fs::write(path, (0..count).map(line).collect::<String>()).unwrap();
}

fn import(store: &Path, file: &Path) -> (i32, String, String) {
    run(factum().arg("--store").arg(store).args(["import", "jsonl", "--name", "lines"]).arg(file))
}

fn events_of_lines(store: &Path) -> Vec<serde_json::Value> {
    let mut events = log_of(store);
    events.retain(|event| event["stream"].as_str().unwrap().starts_with("s-"));
    for event in &mut events {
        event.as_object_mut().unwrap().remove("position").unwrap();
    }
    events
}

#[test]
fn a_full_disk_loses_nothing_and_the_import_goes_on_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path().join("disk"), 70) else { return };
    let (store, file) = (disk.0.join("store"), dir.path().join("lines.jsonl"));
    lines(&file, 12_000);
    let (code, stdout, stderr) = import(&store, &file);
    assert_eq!((code, stdout.as_str()), (7, ""), "{stderr}");
    assert!(stderr.contains("were not recorded\n  the store cannot append\n  the disk is full"), "{stderr}");
    assert!(stderr.contains("free some space and append again\n"), "{stderr}");
    assert!(stderr.contains("the same command again continues there"), "{stderr}");

    // What was acknowledged is there, and the store is whole.
    let there = events_of_lines(&store);
    assert!(there.len() > 1_000, "{}", there.len());
    let told: usize = stderr.split_once("lines from ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
    assert!(there.len() >= told - 1, "{} events, and {stderr}", there.len());
    let (code, stdout, _) =
        run(factum().arg("--store").arg(&store).args(["event-store", "verify", "--deep"]));
    assert_eq!(code, 0, "{stdout}");

    disk.change("size=400m");
    let (code, _, stderr) = import(&store, &file);
    assert_eq!(code, 0, "{stderr}");
    let after = events_of_lines(&store);
    assert_eq!(after.len(), 12_000);
    assert_eq!(after[..there.len()], there);
}

#[test]
fn a_disk_too_small_for_a_store_says_how_much_is_needed() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(place.dir().join("disk"), 8) else { return };
    let append = ["--store", "disk/store", "event-store", "append", "s", r#"{"type":"A"}"#];
    let said = place.fails(7, append);
    assert!(said.contains("the store at disk/store cannot be opened\n  the disk is full"), "{said}");
    assert!(said.contains("hint: room is reserved before it is written: 64.0 MiB for a new store"), "{said}");
    disk.change("size=200m");
    place.ok(append);
}

#[test]
fn a_read_only_disk_is_read_and_not_written() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(place.dir().join("disk"), 200) else { return };
    let append = ["--store", "disk/store", "event-store", "append", "s", r#"{"type":"A"}"#];
    place.ok(append);
    disk.change("ro");
    let said = place.fails(1, append);
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(
        said.contains("hint: the file system is mounted only for reading: verbs that only look"),
        "{said}"
    );
    for words in [&["event-store", "replay", "s"][..], &["stream", "list"], &["event-store", "verify"]] {
        place.ok(["--store", "disk/store"].iter().chain(words));
    }
}

/// The system tells of it with a signal that ends a process without a word.
#[test]
fn a_limit_on_file_sizes_is_an_error_and_not_a_death() {
    let place = Place::new();
    let append = r#"ulimit -f 2000; exec "$FACTUM" event-store append s '{"type":"A"}'"#;
    let mut command = Command::new("sh");
    command.args(["-c", append]).env("FACTUM", env!("CARGO_BIN_EXE_factum"));
    command.env("FACTUM_STORE", place.store()).current_dir(place.dir());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{} {said}", output.status);
    assert!(said.contains("File too large"), "{said}");
    assert!(said.contains("a limit on the size of files is in force (`ulimit -f`)"), "{said}");
    place.ok(["event-store", "append", "s", r#"{"type":"A"}"#]);
}

/// What an append was answered is shown by the very next verb that only looks,
/// whatever became of the process that appended.
#[test]
fn after_a_kill_a_reader_shows_everything_that_was_acknowledged() {
    let place = Place::new();
    let mut shell = Command::new("sh");
    // The program's own receipts, from a process that is killed in between.
    let script = r#"n=0; while "$FACTUM" --format ndjson event-store append "s-$n" '{"type":"A"}' --wait 60; do n=$((n+1)); done"#;
    shell.args(["-c", script]).env("FACTUM", env!("CARGO_BIN_EXE_factum")).env("FACTUM_STORE", place.store());
    let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut receipts = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged: Vec<String> = receipts.by_ref().take(20).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(receipts);
    let listed = place.json(["events", "after", "start", "--wait", "60"]);
    let there = listed.as_array().unwrap();
    assert!(there.len() >= acknowledged.len());
    for receipt in acknowledged {
        let receipt: serde_json::Value = serde_json::from_str(&receipt).unwrap();
        let event = &there[receipt["first_position"].as_u64().unwrap() as usize];
        assert_eq!((&event["id"], &event["stream"]), (&receipt["ids"][0], &receipt["stream"]));
    }

    // An import has many appends under way when it is killed.
    let file = place.dir().join("lines.jsonl");
    lines(&file, 12_000);
    let store = place.dir().join("imported");
    let mut child = factum();
    child.arg("--store").arg(&store).args(["import", "jsonl", "--name", "lines"]).arg(&file);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while fs::metadata(store.join("STORE")).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
    // The reader, then the writer that recovers: both see the same events.
    let seen = log_of(&store);
    let (code, _, stderr) =
        run(factum().arg("--store").arg(&store).args(["event-store", "append", "t", r#"{"type":"A"}"#]));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(log_of(&store)[..seen.len()], seen);
    assert_eq!(log_of(&store).len(), seen.len() + 1);
}

#[test]
fn a_store_of_another_users_says_so() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only the superuser can become somebody else");
        return;
    }
    let place = Place::with_carts();
    let mut path = String::from("/usr/bin:/bin");
    let program = place.dir().join("factum");
    fs::copy(env!("CARGO_BIN_EXE_factum"), &program).unwrap();
    Command::new("chmod").arg("755").arg(place.dir()).arg(&program).status().unwrap();
    path.push_str(":/usr/sbin:/sbin");
    let as_nobody = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(words);
        command.current_dir(place.dir()).env_clear().env("PATH", &path).env("FACTUM_STORE", "store");
        command.output()
    };
    let Ok(output) = as_nobody(&["event-store", "append", "s", r#"{"type":"A"}"#]) else {
        eprintln!("not tried: there is no program setpriv");
        return;
    };
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the store at store cannot be opened"), "{said}");
    assert!(said.contains("Permission denied"), "{said}");
    assert!(said.contains("hint: run as the user the store belongs to"), "{said}");
    let listed = as_nobody(&["stream", "list"]).unwrap();
    assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stderr));
}
