//! Paths that are a store, are none, or are somebody else's.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use factum_log::{Access, Create, Log, LogOptions};

use crate::program::{Place, finished};

const APPEND: [&str; 4] = ["event-store", "append", "s", r#"{"type":"A"}"#];

/// Every verb that only looks.
const READING: [&[&str]; 8] = [
    &["event-store", "replay", "s"],
    &["event-store", "verify"],
    &["event-store", "stats"],
    &["events", "at-time", "s", "0"],
    &["events", "between", "s", "0", "1"],
    &["events", "after", "start"],
    &["stream", "list"],
    &["stream", "show", "s"],
];

#[test]
fn reading_creates_nothing() {
    let place = Place::new();
    for words in READING {
        let said = place.fails(4, words);
        assert!(said.contains("there is no store at"), "{words:?}: {said}");
        assert!(said.contains("--store DIR or FACTUM_STORE"), "{words:?}: {said}");
        assert!(!place.store().exists(), "{words:?}");
    }
}

#[test]
fn an_empty_directory_becomes_a_store_only_when_asked() {
    let place = Place::new();
    fs::create_dir(place.store()).unwrap();
    let said = place.fails(4, APPEND);
    assert!(said.contains("is an empty directory: if a disk should be mounted there"), "{said}");
    assert!(said.contains("hint: append with --init"), "{said}");
    assert_eq!(fs::read_dir(place.store()).unwrap().count(), 0);
    place.fails(4, ["stream", "list"]);
    place.ok(APPEND.iter().chain(&["--init"]));
}

#[test]
fn other_peoples_files_are_left_alone() {
    let place = Place::new();
    fs::create_dir(place.store()).unwrap();
    fs::write(place.store().join("thesis.txt"), "years of work").unwrap();
    for words in [&APPEND[..], &["stream", "list"], &["event-store", "verify"]] {
        let said = place.fails(4, words);
        assert!(said.contains("is not a store"), "{words:?}: {said}");
    }
    place.fails(4, APPEND.iter().chain(&["--init"]));
    let files: Vec<_> =
        fs::read_dir(place.store()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["thesis.txt"]);
}

#[test]
fn only_the_last_directory_is_made() {
    let place = Place::new();
    let said = place.fails(1, ["--store", "no/where"].iter().chain(&APPEND));
    assert!(said.contains("the store at no/where cannot be opened"), "{said}");
    assert!(said.contains("hint: make the directory the store is to stand in first"), "{said}");
    assert!(!place.dir().join("no").exists());
}

#[test]
fn a_newer_format_is_left_to_a_newer_program() {
    let place = Place::with_carts();
    let path = place.store().join("STORE");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\nformat 1\n"), "{text}");
    fs::write(&path, text.replace("\nformat 1\n", "\nformat 2\n")).unwrap();
    for words in READING.iter().chain(&[&APPEND[..]]) {
        let said = place.fails(1, *words);
        assert!(said.contains("store has format 2, and this program knows formats up to 1"), "{said}");
        assert!(said.contains("use a newer Factum"), "{said}");
    }
}

/// Alone, the program shows its help, also where the environment names a store.
#[test]
fn no_verb_at_all_is_a_question() {
    let place = Place::new();
    for words in [&[][..], &["events"], &["import"]] {
        let said = place.fails(2, words);
        assert!(said.contains("Commands:") && !said.contains("error"), "{words:?}: {said}");
    }
}

#[test]
fn a_file_is_no_store() {
    let place = Place::new();
    fs::write(place.store(), "just a file").unwrap();
    for words in [&APPEND[..], &["stream", "list"]] {
        let said = place.fails(4, words);
        assert!(said.contains("is not a store"), "{words:?}: {said}");
    }
    assert_eq!(fs::read_to_string(place.store()).unwrap(), "just a file");
}

#[test]
fn a_store_that_is_open_elsewhere_is_unavailable() {
    let place = Place::with_carts();
    let options = LogOptions { create: Create::Never, access: Access::Append, ..LogOptions::default() };
    let held = Log::open(&place.store(), options).unwrap();
    let said = place.fails(7, APPEND.iter().chain(&["--wait", "0"]));
    assert!(said.contains("is in use by"), "{said}");
    assert!(said.contains("hint: one process at a time may have a store open; --wait"), "{said}");
    let releasing = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        held.close().unwrap();
    });
    // It is waited for as long as --wait says.
    place.ok(APPEND.iter().chain(&["--wait", "60"]));
    releasing.join().unwrap();
}

#[test]
fn a_directory_that_may_not_be_written_says_so() {
    let place = Place::new();
    let locked = place.dir().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        // The superuser may write anywhere, so there is nothing to see.
        return;
    }
    let said = place.fails(1, ["--store", "locked/store"].iter().chain(&APPEND));
    assert!(said.contains("Permission denied"), "{said}");
}

#[test]
fn the_store_is_named_by_flag_then_environment_then_default() {
    let place = Place::new();
    place.ok(APPEND);
    assert!(place.store().exists());
    place.ok(["--store", "other"].iter().chain(&APPEND));
    assert!(place.dir().join("other").exists());
    let mut command = place.command();
    let run = finished(command.env_remove("FACTUM_STORE").args(APPEND));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(place.dir().join(".factum").exists());
    let mut command = place.command();
    let run = finished(command.args(["--store", ""]).args(APPEND));
    assert_eq!(run.code, 2, "{}", run.stderr);
}
