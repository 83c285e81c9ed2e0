use std::collections::HashSet;

use factum_core::{EventStore, MemoryStore, NewEvent, Position, Read};

use super::sample::{Change, NAMES, Sample};
use super::*;
use crate::demo::fold_until;
use crate::import::faulty::{Faulty, facts};
use crate::import::meter::Silent;

fn open(sample: &Sample) -> Repository {
    Repository::open(&sample.dir).unwrap()
}

fn imported(store: &dyn EventStore, sample: &Sample) -> Imported {
    import(store, &open(sample), &mut Silent).unwrap()
}

/// Folds up to every commit and asks git about each; gives how many there were.
fn check_every_commit(store: &dyn EventStore, sample: &Sample) -> usize {
    let repository = open(sample);
    let mut count = 0;
    for event in store.read(Read::stream(facts::commits_stream())).unwrap() {
        let event = event.unwrap();
        let made: CommitMade = serde_json::from_slice(&event.data).unwrap();
        let (files, _) = fold_until(store, Position::new(event.position.get() + made.files), None).unwrap();
        let tree = repository.tree(&made.commit).unwrap();
        assert_eq!(files.differences(&tree), [], "at {}", made.commit);
        assert_eq!(files.count(), tree.len());
        count += 1;
    }
    count
}

#[test]
fn every_commit_folds_to_what_git_lists() {
    let dir = tempfile::tempdir().unwrap();
    for (number, options) in [&["-q"][..], &["--bare"], &["--object-format=sha256"]].into_iter().enumerate() {
        let sample = Sample::eventful(&dir.path().join(number.to_string()), options, number as u64 + 1, 60);
        let store = MemoryStore::new();
        let done = imported(&store, &sample);
        assert_eq!((done.commits, done.commits_before, done.shallow), (60, 0, false));
        assert_eq!(check_every_commit(&store, &sample), 60);
        assert_eq!(sample.git(&["rev-parse", "main"]), done.head.to_string());
        let all: Vec<_> = EventStore::read(&store, Read::all()).unwrap().map(Result::unwrap).collect();
        assert_eq!(all.len() as u64, done.events);
        // The history was as eventful as the test believes.
        for event_type in [facts::COMMIT_MADE, facts::FILE_ADDED, facts::FILE_MODIFIED, facts::FILE_DELETED] {
            assert!(all.iter().any(|event| event.event_type.as_str() == event_type), "{event_type}");
        }
        let text = facts(&store).join("\n");
        for part in ["160000", "120000", "100755", "path_bytes", "file-new%0Aline", "%~", "\"files\":0"] {
            assert!(text.contains(part), "{part}");
        }
        let times: Vec<_> = all.iter().filter_map(|event| event.occurred_at).collect();
        assert!(times.windows(2).any(|pair| pair[1] < pair[0]), "no clock went backwards");
        let merges = sample.git(&["rev-list", "--first-parent", "--merges", "--count", "main"]);
        assert_ne!(merges, "0");
        let streams: HashSet<_> = all.iter().map(|event| event.stream.clone()).collect();
        assert!(streams.len() > NAMES.len());
    }
}

#[test]
fn events_say_who_when_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::new(dir.path(), &[]);
    sample.commit("main", 1_000, None, &[Change::Put(b"a".to_vec(), "100644", b"1".to_vec())]);
    sample.commit("main", 900, None, &[Change::Put(b"a".to_vec(), "100755", b"1".to_vec())]);
    sample.write();
    let store = MemoryStore::new();
    imported(&store, &sample);
    let all: Vec<_> = EventStore::read(&store, Read::all()).unwrap().map(Result::unwrap).collect();
    let [first, added, second, modified] = &all[..] else { panic!("{all:?}") };
    let head = sample.git(&["rev-parse", "HEAD"]);
    let blob = sample.git(&["rev-parse", "HEAD:a"]);
    assert_eq!((first.stream.as_str(), added.stream.as_str()), ("commits", "file-a"));
    assert_eq!(second.occurred_at.unwrap().to_string(), "1970-01-01T00:15:00.000000Z");
    assert_eq!(modified.causation_id, Some(second.id));
    assert_eq!((modified.correlation_id, modified.occurred_at), (second.correlation_id, second.occurred_at));
    let correlation = second.correlation_id.unwrap();
    assert_eq!(correlation.get_version_num(), 8);
    assert_eq!(correlation.simple().to_string()[..12], head[..12]);
    assert_eq!(modified.tags.iter().collect::<Vec<_>>(), ["author:ada@example.org"]);
    let data: serde_json::Value = serde_json::from_slice(&second.data).unwrap();
    let parent = sample.git(&["rev-parse", "HEAD^"]);
    assert_eq!(
        data,
        serde_json::json!({
            "commit": head, "parents": [parent], "subject": "commit 2: é 🦀 \"quoted\"", "author": "Ada",
            "author_email": "ada@example.org", "committed_at": "1970-01-01T00:16:00.000000Z", "files": 1
        })
    );
    let data: serde_json::Value = serde_json::from_slice(&modified.data).unwrap();
    assert_eq!(
        data,
        serde_json::json!({
            "path": "a", "mode": "100755", "blob": blob, "previous_mode": "100644", "previous_blob": blob
        })
    );
}

#[test]
fn importing_again_adds_nothing_and_later_commits_are_added() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::eventful(dir.path(), &[], 7, 30);
    let store = MemoryStore::new();
    imported(&store, &sample);
    let before = facts(&store);
    let again = imported(&store, &sample);
    assert_eq!((again.commits, again.events, again.commits_before, again.durability), (0, 0, 30, None));
    assert_eq!(facts(&store), before);
    sample.grow(8, 10, 40);
    let later = imported(&store, &sample);
    assert_eq!((later.commits, later.commits_before), (10, 30));
    check_every_commit(&store, &sample);
    let at_once = MemoryStore::new();
    imported(&at_once, &sample);
    assert_eq!(facts(&store), facts(&at_once));
    // An older commit checked out: the store is ahead, and that is no harm.
    sample.git(&["update-ref", "refs/heads/main", "main~15"]);
    assert_eq!(imported(&store, &sample).commits, 0);
    assert_eq!(facts(&store), facts(&at_once));
}

#[test]
fn a_killed_import_continues_wherever_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(dir.path(), &[], 9, 12);
    let whole = MemoryStore::new();
    imported(&whole, &sample);
    for records_last in [false, true] {
        for appends in 0..12 {
            let store = Faulty::after(appends, records_last);
            let error = import(&store, &open(&sample), &mut Silent).unwrap_err();
            assert!(matches!(error, ImportError::Append { .. }), "{error}");
            let continued = imported(&store.inner, &sample);
            assert_eq!(continued.commits_before, appends);
            assert_eq!(facts(&store.inner), facts(&whole), "after {appends}, {records_last}");
        }
    }
}

#[test]
fn another_history_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(&dir.path().join("a"), &[], 1, 6);
    let store = MemoryStore::new();
    imported(&store, &sample);
    let before = facts(&store);

    let other = Sample::eventful(&dir.path().join("b"), &[], 2, 6);
    let error = import(&store, &open(&other), &mut Silent).unwrap_err();
    assert!(matches!(error, ImportError::OtherRepository { .. }), "{error}");

    // The last commit is made again with other words: what stood at its place is gone.
    sample.git(&["-c", "user.name=x", "-c", "user.email=x", "commit-tree", "-m", "other", "main^{tree}"]);
    let tree = sample.git(&[
        "-c",
        "user.name=x",
        "-c",
        "user.email=x",
        "commit-tree",
        "-p",
        "main~1",
        "-m",
        "other",
        "main^{tree}",
    ]);
    sample.git(&["update-ref", "refs/heads/main", &tree]);
    let error = import(&store, &open(&sample), &mut Silent).unwrap_err();
    assert!(matches!(error, ImportError::Rewritten { .. }), "{error}");
    assert_eq!(facts(&store), before);

    let store = MemoryStore::new();
    let event = NewEvent::json("Promised", &serde_json::json!({})).unwrap();
    let promise =
        factum_core::Append::to(facts::commits_stream(), factum_core::ExpectedRevision::Any, [event]);
    store.append(promise).unwrap();
    let error = import(&store, &open(&sample), &mut Silent).unwrap_err();
    assert!(matches!(error, ImportError::ForeignStream { .. }), "{error}");
}

#[test]
fn a_store_with_other_streams_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(dir.path(), &[], 3, 5);
    let store = MemoryStore::new();
    let event = NewEvent::json("ItemAdded", &serde_json::json!({})).unwrap();
    let stream = factum_core::StreamName::new("cart-1").unwrap();
    store.append(factum_core::Append::to(stream, factum_core::ExpectedRevision::Any, [event])).unwrap();
    imported(&store, &sample);
    assert_eq!(check_every_commit(&store, &sample), 5);
}

#[test]
fn a_shallow_clone_begins_in_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(&dir.path().join("whole"), &[], 4, 10);
    let url = format!("file://{}", sample.dir.display());
    let clone = dir.path().join("clone");
    sample.git(&["clone", "-q", "--bare", "--depth=3", &url, clone.to_str().unwrap()]);
    let clone = Sample::new(&clone, &["--bare"]);
    let store = MemoryStore::new();
    let done = imported(&store, &clone);
    assert!(done.shallow);
    assert_eq!((done.commits, check_every_commit(&store, &clone)), (3, 3));
    // Once the rest is fetched the store still continues: its last commit is there.
    clone.git(&["fetch", "-q", "--unshallow", &url]);
    assert_eq!(imported(&store, &clone).commits, 0);
}

/// Settings that change what `git log` prints, or run programs.
#[test]
fn nobodys_configuration_changes_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::eventful(dir.path(), &[], 5, 20);
    let modules = b"[submodule \"x\"]\n\tpath = vendor/library\n\turl = x\n\tignore = all\n";
    sample.commit(
        "main",
        5_000,
        None,
        &[
            Change::Put(b".gitmodules".to_vec(), "100644", modules.to_vec()),
            Change::Put(b".gitattributes".to_vec(), "100644", b"* diff=x\n".to_vec()),
            Change::Submodule(b"vendor/library".to_vec(), "5".repeat(40)),
        ],
    );
    sample.commit("main", 6_000, None, &[Change::Submodule(b"vendor/library".to_vec(), "6".repeat(40))]);
    sample.write();
    let plain = MemoryStore::new();
    imported(&plain, &sample);
    let touched = dir.path().join("touched");
    let program = format!("touch {}", touched.display());
    for (key, value) in [
        ("log.showSignature", "true"),
        ("log.showRoot", "false"),
        ("log.follow", "true"),
        ("log.mailmap", "true"),
        ("log.decorate", "full"),
        ("log.diffMerges", "off"),
        ("log.date", "relative"),
        ("log.abbrevCommit", "true"),
        ("format.pretty", "oneline"),
        ("notes.displayRef", "*"),
        ("color.ui", "always"),
        ("core.quotePath", "true"),
        ("core.abbrev", "4"),
        ("core.pager", &program),
        ("core.fsmonitor", &program),
        ("core.precomposeUnicode", "true"),
        ("diff.renames", "copies"),
        ("diff.external", &program),
        ("diff.x.textconv", &program),
        ("diff.x.command", &program),
        ("diff.ignoreSubmodules", "all"),
        ("diff.submodule", "log"),
        ("diff.orderFile", "/nonexistent"),
        ("diff.relative", "true"),
        ("diff.noprefix", "true"),
        ("i18n.logOutputEncoding", "UTF-16"),
        ("gpg.program", &program),
    ] {
        sample.git(&["config", key, value]);
    }
    let store = MemoryStore::new();
    imported(&store, &sample);
    assert_eq!(facts(&store), facts(&plain));
    assert_eq!(check_every_commit(&store, &sample), 22);
    assert!(!touched.exists(), "git ran a program from the repository's configuration");
}

#[test]
fn what_is_no_history_is_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir(path("plain")).unwrap();
    std::fs::write(path("file"), "").unwrap();
    let rows = [("absent", "check the path"), ("file", "not a directory"), ("plain", "give the path of one")];
    for (name, advice) in rows {
        let error = Repository::open(&path(name)).unwrap_err().to_string();
        assert!(error.contains(advice), "{name}: {error}");
    }
    let empty = Sample::new(&path("empty"), &[]);
    let error = import(&MemoryStore::new(), &open(&empty), &mut Silent).unwrap_err().to_string();
    assert!(error.contains("has no commit yet"), "{error}");
}

#[test]
fn an_unowned_repository_is_explained() {
    use std::os::unix::process::ExitStatusExt;
    let complaint = "fatal: detected dubious ownership in repository at '/srv/x'\nTo add an exception ...";
    let error = GitError::of_complaint("log", std::process::ExitStatus::from_raw(128 << 8), complaint);
    assert!(error.to_string().contains("safe.directory"), "{error}");
}

/// Extended headers, missing authors and times that no calendar has, as old
/// converters wrote them.
#[test]
fn broken_commits_are_imported_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::new(dir.path(), &[]);
    sample.commit("main", 1_000, None, &[Change::Put(b"a".to_vec(), "100644", b"1".to_vec())]);
    sample.write();
    let tree = sample.git(&["rev-parse", "main^{tree}"]);
    let mut parent = sample.git(&["rev-parse", "main"]);
    let long_line = "x".repeat(100_000);
    for (author, subject) in [
        ("No Mail <> 1000 +0000", "plain"),
        ("<only@mail> 99999999999999999999 +0000", "far future"),
        ("nothing at all", "no time"),
        ("A <a@b> -5 +0000", "before 1970"),
        ("A\u{1b}[31m <a\u{202e}b> 5 +9999", "\u{1b}[2J\u{7f} control"),
        ("A <a@b> 5 +0000", long_line.as_str()),
        ("A <a@b> 5 +0000", ""),
    ] {
        let text =
            format!("tree {tree}\nparent {parent}\nauthor {author}\ncommitter {author}\n\n{subject}\n");
        std::fs::write(dir.path().join("raw"), text).unwrap();
        let raw = dir.path().join("raw");
        parent = sample.git(&["hash-object", "-t", "commit", "-w", "--literally", raw.to_str().unwrap()]);
    }
    sample.git(&["update-ref", "refs/heads/main", &parent]);
    let store = MemoryStore::new();
    assert_eq!(imported(&store, &sample).commits, 8);
    assert_eq!(check_every_commit(&store, &sample), 8);
    for event in EventStore::read(&store, Read::all()).unwrap() {
        assert!(event.unwrap().data.len() < 10_000, "a subject was not cut");
    }
}
