use factum_core::{Append, ExpectedRevision, MemoryStore, NewEvent, StreamName};

use super::*;
use crate::import::git::import;
use crate::import::git::sample::Sample;
use crate::import::meter::Silent;

fn travelled(commits: u32) -> (tempfile::TempDir, MemoryStore, Repository, Travelled) {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(dir.path(), &[], u64::from(commits), commits);
    let repository = Repository::open(&sample.dir).unwrap();
    let store = MemoryStore::new();
    let imported = import(&store, &repository, &mut Silent).unwrap();
    let travelled = travel(&store, &repository, &imported.head, &mut Silent).unwrap();
    (dir, store, repository, travelled)
}

#[test]
fn makes_ten_stops_and_head_and_finds_no_difference() {
    let (_dir, store, _, travelled) = travelled(40);
    assert_eq!((travelled.stops.len(), travelled.mismatches()), (11, 0));
    assert!(travelled.stops.windows(2).all(|pair| pair[0].position < pair[1].position));
    let last = travelled.stops.last().unwrap();
    assert_eq!(Some(last.position), store.last_position().unwrap());
    assert_eq!(last.events, last.position.get() + 1);
    assert_eq!(travelled.samples.len(), 40);
    assert_eq!(travelled.samples.last().unwrap().files, last.files);
    assert_eq!(travelled.samples.iter().map(|sample| sample.events).sum::<u64>(), last.events);
    assert!(travelled.busiest.is_some());
}

#[test]
fn a_short_history_is_seen_whole() {
    for commits in [1, 2, 11] {
        let (_dir, _, _, travelled) = travelled(commits);
        assert_eq!((travelled.stops.len() as u32, travelled.mismatches()), (commits, 0));
    }
}

#[test]
fn spreads_its_stops() {
    let revisions = |last| stops(Revision::new(last)).iter().map(|stop| stop.get()).collect::<Vec<_>>();
    assert_eq!(revisions(0), [0]);
    assert_eq!(revisions(10), (0..=10).collect::<Vec<_>>());
    assert_eq!(revisions(110), [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110]);
    assert!(revisions(u64::MAX - 1).is_sorted());
}

/// The comparison must be able to fail: a file event too many, of each kind.
#[test]
fn every_difference_is_found() {
    let (_dir, store, repository, before) = travelled(20);
    let head = repository.head().unwrap();
    let tree = repository.tree(&head).unwrap();
    let (path, file) = tree.iter().find(|(path, _)| std::str::from_utf8(path).is_ok()).unwrap();
    let path = std::str::from_utf8(path).unwrap();
    let other = "0".repeat(40);
    let mode = format!("{:06o}", file.mode);
    let rows = [
        ("FileAdded", serde_json::json!({ "path": "never/was", "mode": "100644", "blob": other })),
        ("FileModified", serde_json::json!({ "path": path, "mode": mode, "blob": other })),
        ("FileModified", serde_json::json!({ "path": path, "mode": "100640", "blob": file.blob })),
        ("FileDeleted", serde_json::json!({ "path": path, "previous_mode": mode, "previous_blob": other })),
    ];
    let position = before.stops.last().unwrap().position;
    for (event_type, data) in rows {
        let copy = MemoryStore::new();
        for event in EventStore::read(&store, Read::all()).unwrap() {
            let event = event.unwrap();
            let new = NewEvent { id: event.id, ..NewEvent::new(event.event_type, event.data) };
            copy.append(Append::to(event.stream, ExpectedRevision::Any, [new])).unwrap();
        }
        let event = NewEvent::json(event_type, &data).unwrap();
        let stream = StreamName::new("file-x").unwrap();
        copy.append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
        let (files, _) = fold_until(&copy, position.next(), None).unwrap();
        let differences = files.differences(&tree);
        assert_eq!(differences.len(), 1, "{event_type} {data}");
        let (files, _) = fold_until(&copy, position, None).unwrap();
        assert_eq!(files.differences(&tree), []);
    }
}

#[test]
fn an_event_no_import_wrote_is_named() {
    for data in ["{}", "[]", "{\"path\":\"a\",\"mode\":\"9\",\"blob\":\"x\"}", "{\"path_bytes\":\"%\"}"] {
        let store = MemoryStore::new();
        let event =
            NewEvent::new(factum_core::EventType::new("FileAdded").unwrap(), data.as_bytes().to_vec());
        let stream = StreamName::new("file-x").unwrap();
        store.append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
        let error = fold_until(&store, Position::FIRST, None).unwrap_err().to_string();
        assert!(error.contains("position 0 in stream \"file-x\""), "{data}: {error}");
    }
}
