//! `factum demo` as a program.

use crate::import_git::{factum, run};
use crate::sample::Sample;

#[test]
fn shows_a_history_and_finds_git_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(&dir.path().join("a repository"), &[], 1, 30);
    let inside = sample.dir.join("inside");
    std::fs::create_dir(&inside).unwrap();
    let mut command = factum();
    // No argument, from a directory inside; a store of the environment's is let alone.
    command.current_dir(&inside).env("XDG_CACHE_HOME", dir.path().join("cache"));
    command.env("FACTUM_STORE", dir.path().join("precious")).arg("demo");
    let (code, stdout, stderr) = run(&mut command);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for words in ["30 commits became", "live files", "Travelled to 11 moments", "the same as in git", "Try:"]
    {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    let cache = dir.path().join("cache/factum/demo/a_repository-");
    assert!(stdout.contains(cache.to_str().unwrap()), "{stdout}");
    assert!(!dir.path().join("precious").exists());
    assert!(stdout.is_ascii(), "a terminal without UTF-8 gets blocks: {stdout}");
}

#[test]
fn gives_the_same_as_data() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(&dir.path().join("repository"), &[], 2, 12);
    let mut command = factum();
    command.args(["demo", "--format", "json", "--store"]).arg(dir.path().join("store")).arg(&sample.dir);
    let (code, stdout, stderr) = run(&mut command);
    assert_eq!(code, 0, "{stderr}");
    let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&told["commits"], &told["checks"], &told["mismatches"]), (&12.into(), &11.into(), &0.into()));
    assert_eq!(told["events"], told["events_imported"]);
    for key in ["repository", "store", "streams", "seconds_import", "seconds_fold", "durability"] {
        assert!(!told[key].is_null(), "{key}: {told}");
    }
    for key in ["events_per_s_imported", "events_per_s_folded"] {
        assert!(told[key].as_u64().unwrap() > 0, "{key}: {told}");
    }
}

#[test]
fn says_when_there_is_no_repository() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = factum();
    command.current_dir(dir.path()).env("GIT_CEILING_DIRECTORIES", "/").arg("demo");
    let (code, _, stderr) = run(&mut command);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("no git repository"), "{stderr}");
}

#[test]
fn a_second_run_imports_only_what_is_new_and_fresh_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let mut sample = Sample::eventful(&dir.path().join("repository"), &[], 3, 10);
    let demo = |sample: &Sample, more: &[&str]| {
        let mut command = factum();
        command.args(["demo", "--format", "json", "--store"]).arg(&store).arg(&sample.dir).args(more);
        run(&mut command)
    };
    let told = |stdout: &str| serde_json::from_str::<serde_json::Value>(stdout).unwrap();
    assert_eq!(demo(&sample, &[]).0, 0);
    assert_eq!(told(&demo(&sample, &[]).1)["events_imported"], 0);
    sample.grow(4, 5, 40);
    let (code, stdout, _) = demo(&sample, &[]);
    assert_eq!((code, &told(&stdout)["commits"], &told(&stdout)["mismatches"]), (0, &15.into(), &0.into()));

    let other = Sample::eventful(&dir.path().join("other"), &[], 5, 4);
    let (code, _, stderr) = demo(&other, &[]);
    assert_eq!(code, 3);
    assert!(stderr.contains("--fresh"), "{stderr}");
    let (code, stdout, _) = demo(&other, &["--fresh"]);
    assert_eq!((code, &told(&stdout)["commits"]), (0, &4.into()));
}

#[test]
fn fresh_removes_nothing_that_is_not_a_demo() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(&dir.path().join("repository"), &[], 6, 3);
    let fresh = |store: &std::path::Path| {
        let mut command = factum();
        command.args(["demo", "--fresh", "--store"]).arg(store).arg(&sample.dir);
        run(&mut command)
    };
    let letters = dir.path().join("letters");
    std::fs::create_dir(&letters).unwrap();
    std::fs::write(letters.join("dear.txt"), "all my love").unwrap();
    assert_eq!(fresh(&letters).0, 4);
    assert!(letters.join("dear.txt").exists());

    let shop = dir.path().join("shop");
    let mut command = factum();
    command.arg("--store").arg(&shop).args(["event-store", "append", "cart-1", "{\"type\":\"Opened\"}"]);
    assert_eq!(run(&mut command).0, 0);
    assert_eq!(fresh(&shop).0, 6);
    assert!(shop.exists());
}
