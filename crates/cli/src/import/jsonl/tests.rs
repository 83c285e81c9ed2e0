use std::path::Path;

use factum_core::{EventStore, MemoryStore, Read};

use super::*;
use crate::import::faulty::{Faulty, facts};
use crate::import::meter::Silent;

fn options(on_error: OnError, park: &Path) -> Options {
    Options {
        name: b"/data/events.jsonl".to_vec(),
        source: "events.jsonl".to_owned(),
        bytes: None,
        on_error,
        park: park.to_owned(),
    }
}

fn run(store: &dyn EventStore, text: &str, on_error: OnError) -> Result<Imported, ImportError> {
    import(store, text.as_bytes(), &options(on_error, Path::new("/nonexistent")), &mut Silent)
}

fn line(stream: &str, n: usize) -> String {
    format!("{{\"stream\":\"{stream}\",\"type\":\"T\",\"data\":{n}}}\n")
}

/// Streams that come and go, so that batches of every length are made.
fn many(lines: usize) -> String {
    (0..lines).map(|n| line(&format!("s-{}", (n / 3) * (n % 5) % 4), n)).collect()
}

/// What the lines became, without the import's own events.
fn recorded(store: &dyn EventStore) -> Vec<String> {
    let events = store.read(Read::all()).unwrap().map(Result::unwrap);
    events
        .filter(|event| !event.stream.as_str().starts_with('$'))
        .map(|event| format!("{} {}", event.stream, String::from_utf8_lossy(&event.data)))
        .collect()
}

fn expected(lines: usize) -> Vec<String> {
    (0..lines).map(|n| format!("s-{} {n}", (n / 3) * (n % 5) % 4)).collect()
}

#[test]
fn events_stand_in_the_order_of_the_lines() {
    let store = MemoryStore::new();
    let done = run(&store, &many(1000), OnError::Stop).unwrap();
    assert_eq!((done.lines, done.events, done.bad, done.repeated), (1000, 1000, 0, 0));
    assert_eq!(recorded(&store), expected(1000));
}

#[test]
fn lines_of_one_stream_share_an_append() {
    let store = MemoryStore::new();
    let text: String = (0..600).map(|n| line("s", n)).collect();
    run(&store, &text, OnError::Stop).unwrap();
    let own = stream_of(STREAM_PREFIX, b"/data/events.jsonl");
    assert_eq!(store.last_revision(&own).unwrap(), Some(Revision::new(2)));
}

#[test]
fn importing_again_adds_nothing_and_added_lines_are_added() {
    let store = MemoryStore::new();
    run(&store, &many(100), OnError::Stop).unwrap();
    let before = facts(&store);
    let again = run(&store, &many(100), OnError::Stop).unwrap();
    assert_eq!((again.lines, again.lines_before, again.events, again.durability), (0, 100, 0, None));
    assert_eq!(facts(&store), before);
    let more = run(&store, &many(150), OnError::Stop).unwrap();
    assert_eq!((more.lines, more.lines_before, more.events), (50, 100, 50));
    assert_eq!(recorded(&store), expected(150));
}

#[test]
fn a_source_that_changed_is_refused() {
    let store = MemoryStore::new();
    run(&store, &many(100), OnError::Stop).unwrap();
    let before = facts(&store);
    for text in [many(100).replace("\"data\":7}", "\"data\":8}"), many(99), String::new()] {
        let error = run(&store, &text, OnError::Stop).unwrap_err();
        assert!(matches!(error, ImportError::Changed { lines: 100, .. }), "{error}");
    }
    assert_eq!(facts(&store), before);
}

#[test]
fn empty_lines_marks_and_missing_ends_are_fine() {
    let store = MemoryStore::new();
    let text = format!("\u{feff}{}\r\n\n   \n{}", line("a", 1).trim_end(), line("b", 2).trim_end());
    let done = run(&store, &text, OnError::Stop).unwrap();
    assert_eq!((done.lines, done.events), (4, 2));
    assert_eq!(recorded(&store), ["a 1", "b 2"]);
    let done = run(&store, &format!("{text}\n{}", line("a", 3)), OnError::Stop).unwrap();
    assert_eq!((done.lines, done.events), (1, 1));
    assert_eq!(recorded(&store), ["a 1", "b 2", "a 3"]);
    assert_eq!(run(&MemoryStore::new(), "", OnError::Stop).unwrap().lines, 0);
}

/// Killed after every possible number of appends, with the last one recorded
/// or not: the second run makes the same log as one that was left alone.
#[test]
fn a_killed_import_continues_wherever_it_was() {
    let text = many(60);
    let whole = MemoryStore::new();
    run(&whole, &text, OnError::Stop).unwrap();
    let mut kills = 0;
    for records_last in [false, true] {
        for appends in 0.. {
            let store = Faulty::after(appends, records_last);
            let Err(error) = run(&store, &text, OnError::Stop) else { break };
            assert!(matches!(error, ImportError::Append { .. }), "{error}");
            kills += 1;
            run(&store.inner, &text, OnError::Stop).unwrap();
            assert_eq!(recorded(&store.inner), expected(60), "after {appends}, {records_last}");
            let ids = |store: &dyn EventStore| -> Vec<_> {
                let events = store.read(Read::all()).unwrap().map(Result::unwrap);
                events.filter(|event| !event.stream.as_str().starts_with('$')).map(|event| event.id).collect()
            };
            assert_eq!(ids(&store.inner), ids(&whole));
        }
    }
    assert!(kills > 25, "{kills}");
}

fn with_bad_lines() -> String {
    format!("{}nonsense\n{}{{\"type\":\"T\"}}\n{}", line("a", 1), line("b", 2), line("a", 3))
}

#[test]
fn stops_at_a_bad_line_and_continues_once_it_is_mended() {
    let store = MemoryStore::new();
    for _ in 0..2 {
        let error = run(&store, &with_bad_lines(), OnError::Stop).unwrap_err();
        assert!(error.to_string().starts_with("events.jsonl:2:2: it is not JSON"), "{error}");
        assert_eq!(recorded(&store), ["a 1"]);
        assert_eq!(store.last_position().unwrap().unwrap().get(), 1, "running again wrote something");
    }
    let mended = with_bad_lines().replace("nonsense\n", &line("c", 9));
    let error = run(&store, &mended, OnError::Stop).unwrap_err();
    assert!(error.to_string().starts_with("events.jsonl:4:1: `stream` is missing"), "{error}");
    let mended = mended.replace("{\"type\":\"T\"}\n", "\n");
    run(&store, &mended, OnError::Stop).unwrap();
    assert_eq!(recorded(&store), ["a 1", "c 9", "b 2", "a 3"]);
}

#[test]
fn skips_bad_lines_and_says_which() {
    let store = MemoryStore::new();
    let done = run(&store, &with_bad_lines(), OnError::Skip).unwrap();
    assert_eq!((done.lines, done.events, done.bad), (5, 3, 2));
    assert_eq!(done.listed.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(recorded(&store), ["a 1", "b 2", "a 3"]);
    let again = run(&store, &with_bad_lines(), OnError::Skip).unwrap();
    assert_eq!((again.lines, again.events, again.bad), (0, 0, 0));
}

#[test]
fn parked_lines_are_imported_once_mended() {
    let dir = tempfile::tempdir().unwrap();
    let park = dir.path().join("parked.ndjson");
    let store = MemoryStore::new();
    let options = options(OnError::Park, &park);
    let done = import(&store, with_bad_lines().as_bytes(), &options, &mut Silent).unwrap();
    assert_eq!((done.events, done.bad), (3, 2));
    let parked = std::fs::read_to_string(&park).unwrap();
    assert_eq!(parked.lines().count(), 2, "{parked}");
    let mended = parked
        .replace(
            "\"text\":\"nonsense\"",
            "\"text\":\"{\\\"stream\\\":\\\"c\\\",\\\"type\\\":\\\"T\\\",\\\"data\\\":7}\"",
        )
        .replace(
            "{\\\"type\\\":\\\"T\\\"}",
            "{\\\"stream\\\":\\\"d\\\",\\\"type\\\":\\\"T\\\",\\\"data\\\":8}",
        );
    let second = Options { name: b"mended".to_vec(), source: "parked".to_owned(), ..options };
    import(&store, mended.as_bytes(), &second, &mut Silent).unwrap();
    assert_eq!(recorded(&store), ["a 1", "b 2", "a 3", "c 7", "d 8"]);
}

/// The store itself refuses some lines: ids that are taken.
#[test]
fn lines_that_the_store_refuses_are_met_like_bad_lines() {
    let id = "018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b";
    let with_id =
        |data: u32| format!("{{\"stream\":\"a\",\"type\":\"T\",\"id\":\"{id}\",\"data\":{data}}}\n");
    // The same fact twice is one fact; another fact under its id is an error.
    let text = format!("{}{}{}{}{}", with_id(1), line("b", 2), with_id(1), with_id(5), many(300));
    let store = MemoryStore::new();
    let done = run(&store, &text, OnError::Skip).unwrap();
    assert_eq!((done.lines, done.repeated, done.bad, done.events), (304, 1, 1, 302));
    assert_eq!(done.listed[0].0, 4);
    assert!(done.listed[0].1.reason.contains("already taken"), "{}", done.listed[0].1.reason);
    let mut all = vec!["a 1".to_owned(), "b 2".to_owned()];
    all.extend(expected(300));
    assert_eq!(recorded(&store), all);
    assert_eq!(run(&store, &text, OnError::Stop).unwrap().lines, 0);

    let store = MemoryStore::new();
    let error = run(&store, &text, OnError::Stop).unwrap_err();
    assert!(error.to_string().starts_with("events.jsonl:4:1: event id"), "{error}");
    assert_eq!(recorded(&store), ["a 1", "b 2"]);
}

#[test]
fn the_imports_own_stream_is_kept_apart() {
    let own = stream_of(STREAM_PREFIX, b"/data/events.jsonl");
    let store = MemoryStore::new();
    let text = format!("{}{}", line(own.as_str(), 1), line("a", 2));
    let done = run(&store, &text, OnError::Skip).unwrap();
    assert_eq!((done.bad, done.events), (1, 1));
    let store = MemoryStore::new();
    let event = NewEvent::json("Other", &serde_json::json!({})).unwrap();
    store.append(Append::to(own, ExpectedRevision::Any, [event])).unwrap();
    let error = run(&store, &text, OnError::Skip).unwrap_err();
    assert!(matches!(error, ImportError::ForeignStream { .. }), "{error}");
}

#[test]
fn many_bad_lines_at_the_end_are_read_once() {
    let store = MemoryStore::new();
    let text = format!("{}{}", line("a", 1), "x\n".repeat(1000));
    let done = run(&store, &text, OnError::Skip).unwrap();
    assert_eq!((done.lines, done.bad, done.listed.len()), (1001, 1000, LISTED_MAX));
    assert_eq!(run(&store, &text, OnError::Skip).unwrap().lines, 0);
}
