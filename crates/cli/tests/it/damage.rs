//! Stored bytes are damaged or gone: nobody takes a part of the log for all of it.

use std::fs;

use crate::program::Place;

const APPEND: [&str; 4] = ["event-store", "append", "s", r#"{"type":"A"}"#];

/// Four events, each in a batch of its own; the third one's is damaged.
fn damaged_in_the_middle() -> Place {
    let place = Place::new();
    for word in ["first-event", "second-event", "third-event", "fourth-event"] {
        let event = serde_json::json!({ "type": "A", "data": word }).to_string();
        place.ok(["event-store", "append", "s", &event]);
    }
    let path = place.store().join("segments/0000000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(11).position(|window| window == b"third-event").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    place
}

#[test]
fn what_is_whole_is_shown_and_then_the_verb_fails() {
    let place = damaged_in_the_middle();
    let verbs: &[&[&str]] = &[
        &["events", "after", "start"],
        &["event-store", "replay", "s"],
        &["stream", "show", "s"],
        &["stream", "list"],
        &["event-store", "stats"],
        &["events", "at-time", "s", "2101-01-01T00:00:00Z"],
        &["events", "between", "s", "0", "1"],
    ];
    for words in verbs {
        let run = place.run(*words);
        assert_eq!(run.code, 5, "{words:?}: {}{}", run.stdout, run.stderr);
        let said = run.stderr;
        assert!(said.contains("segments/0000000001.seg is damaged at byte "), "{words:?}: {said}");
        assert!(said.contains("restore this file from a copy"), "{words:?}: {said}");
        // Once is enough.
        assert_eq!(said.matches("is damaged at byte").count(), 1, "{words:?}: {said}");
    }
    // What is whole is shown: before the damage and, where nothing damaged has
    // to be read on the way, behind it.
    let run = place.run(["events", "after", "start"]);
    for (word, shown) in [("first-event", true), ("second-event", true), ("third-event", false)] {
        assert_eq!(run.stdout.contains(word), shown, "{word}: {}", run.stdout);
    }
    let run = place.run(["events", "after", "2"]);
    assert!(run.stdout.contains("fourth-event"), "{}", run.stdout);
    let said = run.stderr;
    assert!(said.contains("the store is damaged, and not all of it can be read: "), "{said}");
    // What is not there may be what was lost.
    let run = place.run(["stream", "show", "other"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("hint: the store is damaged, and not all of it"), "{}", run.stderr);
    let said = place.fails(5, ["events", "after", "start", "--follow"]);
    assert!(said.contains("not all of it can be read"), "{said}");

    let said = place.fails(5, APPEND);
    assert!(said.contains("restore this file from a copy"), "{said}");
    for depth in [&["event-store", "verify"][..], &["event-store", "verify", "--deep"]] {
        let run = place.run(depth);
        assert_eq!(run.code, 5, "{}", run.stderr);
        assert!(run.stdout.contains("position"), "{}", run.stdout);
    }
}

#[test]
fn a_missing_or_short_segment_is_named() {
    for truncate in [false, true] {
        let place = Place::with_carts();
        let path = place.store().join("segments/0000000001.seg");
        match truncate {
            true => fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5000).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
        for words in [&APPEND[..], &["stream", "list"], &["event-store", "stats"]] {
            let said = place.fails(5, words);
            assert!(said.contains("segments/0000000001.seg"), "{words:?}: {said}");
            assert!(said.contains("restore this file from a copy"), "{words:?}: {said}");
        }
        let run = place.run(["event-store", "verify"]);
        assert_eq!(run.code, 5);
        assert!(run.stdout.contains("segments/0000000001.seg at byte"), "{}", run.stdout);
    }
}

/// A directory of segments without STORE is not an empty one.
#[test]
fn a_lost_store_file_costs_no_event() {
    let place = Place::with_carts();
    let path = place.store().join("STORE");
    let kept = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    for words in [&APPEND[..], &["stream", "list"], &["event-store", "verify"]] {
        let said = place.fails(5, words);
        assert!(said.contains("STORE is damaged at byte 0: the file is missing"), "{words:?}: {said}");
    }
    place.fails(5, APPEND.iter().chain(&["--init"]));
    fs::write(&path, kept).unwrap();
    assert_eq!(place.json(["event-store", "stats"])["events"].as_u64(), Some(4));
}
