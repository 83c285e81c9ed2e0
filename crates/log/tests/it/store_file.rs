//! A store whose STORE file is lost.

use std::fs;
use std::path::{Path, PathBuf};

use factum_core::{Append, EventStore, EventType, ExpectedRevision, NewEvent, StorageError, StreamName};
use factum_log::verify::{Depth, verify};
use factum_log::{Access, Create, Log, LogOptions, OpenError};

fn options() -> LogOptions {
    LogOptions {
        create: Create::IfEmpty,
        segment_bytes_first: 64 << 10,
        segment_bytes_max: 64 << 10,
        ..LogOptions::default()
    }
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for part in ["segments", "index"] {
        for entry in fs::read_dir(dir.join(part)).unwrap() {
            let path = entry.unwrap().path();
            files.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Without STORE the directory once passed for a creation that did not finish,
/// and the next append removed every event in it.
#[test]
fn events_without_a_store_file_are_never_removed() {
    for events in [1_u64, 3000] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let log = Log::open(&path, options()).unwrap();
        for n in 0..events.div_ceil(100) {
            let count = events.min(100);
            let event = |i: u64| NewEvent::new(EventType::new("Counted").unwrap(), (n * 100 + i).to_string());
            let stream = StreamName::new("numbers").unwrap();
            log.append(Append::to(stream, ExpectedRevision::Any, (0..count).map(event))).unwrap();
        }
        log.close().unwrap();
        fs::remove_file(path.join("STORE")).unwrap();
        let before = files(&path);
        for (create, access) in [
            (Create::IfEmpty, Access::Append),
            (Create::IfAbsent, Access::Append),
            (Create::Never, Access::Append),
            (Create::Never, Access::Read),
        ] {
            let opened = Log::open(&path, LogOptions { create, access, ..options() }).map(|_| ());
            let Err(OpenError::Storage(StorageError::Corrupt { file, .. })) = opened else {
                panic!("{create:?} {access:?}: {opened:?}");
            };
            assert_eq!(file, "STORE");
        }
        assert!(verify(&path, Depth::Fast, &mut |_| {}).is_err());
        assert_eq!(files(&path), before);
    }
}

#[test]
fn a_creation_that_did_not_finish_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    Log::open(&path, options()).unwrap().close().unwrap();
    fs::remove_file(path.join("STORE")).unwrap();
    // As a creation leaves it: two files without a batch.
    for entry in fs::read_dir(path.join("segments")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("0000000001.seg") && !path.ends_with("0000000002.seg") {
            fs::remove_file(path).unwrap();
        }
    }
    Log::open(&path, options()).unwrap().close().unwrap();
}
