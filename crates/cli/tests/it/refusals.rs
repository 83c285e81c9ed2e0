//! What is given is wrong: every refusal has its code and says what to do.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::program::{Place, finished};

const EVENT: &str = r#"{"type":"A"}"#;

/// Names come in four places: as a stream, a type, a tag, and inside JSON.
#[test]
fn names() {
    let place = Place::with_carts();
    let long = "n".repeat(1025);
    let bytes = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    let append = |rest: &[&OsStr]| {
        let words = ["event-store", "append"].map(OsStr::new);
        place.fails(6, words.iter().chain(rest))
    };
    let (data, stream, event) = (OsStr::new("{}"), OsStr::new("s"), OsStr::new(EVENT));
    let (kind, tag) = (OsStr::new("--type"), OsStr::new("--tag"));
    let rows: [(&OsStr, &str); 6] = [
        (OsStr::new(""), "is empty: give it at least one character"),
        (OsStr::new(&long), "has 1025 bytes, and at most"),
        (OsStr::new("a\u{7}b"), "at byte 1: control characters"),
        (OsStr::new("a\u{2028}b"), "line separators"),
        (OsStr::new("a\u{202e}b"), "direction overrides are refused; remove or escape it"),
        (bytes(b"ab\xff"), "is not valid UTF-8 at byte 2: names are text; escape other bytes first"),
    ];
    for (name, reason) in rows {
        for said in
            [append(&[name, event]), append(&[stream, data, kind, name]), append(&[stream, event, tag, name])]
        {
            assert!(said.contains(reason), "{name:?}: {said}");
        }
        for words in [["event-store", "replay"], ["stream", "show"]] {
            let said = place.fails(6, words.map(OsStr::new).iter().chain(&[name]));
            assert!(said.contains(reason), "{words:?} {name:?}: {said}");
        }
        let Some(text) = name.to_str() else { continue };
        for key in ["type", "tags"] {
            let mut event = serde_json::json!({ "type": "A" });
            event[key] = if key == "tags" { serde_json::json!([text]) } else { text.into() };
            let said = append(&[stream, OsStr::new(&event.to_string())]);
            assert!(said.contains(&format!("`{key}` is refused")) && said.contains(reason), "{said}");
        }
    }
    assert_eq!(place.json(["event-store", "stats"])["events"].as_u64(), Some(4), "nothing was recorded");
}

#[test]
fn json() {
    let place = Place::new();
    fs::write(place.dir().join("bytes.json"), b"{\"type\":\"A\",\"data\":\"\xff\"}").unwrap();
    let many: Vec<_> = (0..65).map(|n| format!("t{n}")).collect();
    let many_tags = serde_json::json!({ "type": "A", "tags": many }).to_string();
    let rows: &[(&str, &str)] = &[
        ("", "it is empty: give the event as '{\"type\""),
        ("nonsense", "give the event as '{\"type\""),
        (r#"{"type":"A""#, "EVENT is not JSON: EOF while parsing an object at line 1 column 11"),
        (r#"{"type":"A"} x"#, "trailing characters at line 1 column 14"),
        ("@bytes.json", "bytes.json is not JSON: invalid unicode code point at line 1 column"),
        ("[]", "the array is empty: give at least one event"),
        ("[1]", "event 0: an event is a JSON object, and this is a number"),
        ("{}", "`type` is missing"),
        (r#"{"type":"A","id":"x"}"#, "`id` is no UUID: write it as 018f3b1c-"),
        (r#"{"type":"A","occurred_at":"noon"}"#, "`occurred_at` is refused"),
        (r#"{"type":"A","schema_version":0}"#, "write a whole number from 1 to 4294967295"),
        (&many_tags, "65 tags, and an event may carry at most 64"),
    ];
    for (event, reason) in rows {
        let said = place.fails(6, ["event-store", "append", "s", event]);
        assert!(said.contains(reason), "{event}: {said}");
    }
    assert!(!place.store().exists(), "a refused event leaves no store behind");
}

#[test]
fn an_append_of_many_events_is_one_and_of_too_many_bytes_is_none() {
    let place = Place::new();
    let array = |count: usize, bytes: usize| {
        let event = serde_json::json!({ "type": "A", "data": "x".repeat(bytes) }).to_string();
        format!("[{}]", vec![event; count].join(","))
    };
    let append = |text: String| {
        finished(place.command().args(["event-store", "append", "many", "-"]).write_stdin(text))
    };
    let run = append(array(100_000, 1));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.starts_with("appended 100,000 events to many: positions 0 to 99999"),
        "{}",
        run.stdout
    );
    assert_eq!(run.stdout.lines().count(), 5, "not every id is told to people");
    assert!(run.stdout.contains("and 99,997 ids more; --format json gives them all"), "{}", run.stdout);

    let run = append(array(4_000, 10_000));
    assert_eq!((run.code, run.stdout.as_str()), (6, ""));
    assert!(run.stderr.contains("bytes and at most") && run.stderr.contains("split it"), "{}", run.stderr);
    assert_eq!(place.json(["event-store", "stats"])["events"].as_u64(), Some(100_000));
}

#[test]
fn times_and_places_beyond_the_ends() {
    let place = Place::with_carts();
    let (early, late) = ("2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z");
    let rows: &[(&[&str], i32, &str)] = &[
        (&["events", "at-time", "cart-1", early], 4, "its first one was recorded at"),
        (&["events", "at-time", "cart-1", "99"], 4, "whose last position is 3: use 3 or less"),
        (&["events", "at-time", "cart-1", "rev:9"], 4, "whose last revision is 2: use 2 or less"),
        (&["events", "at-time", "nobody", early], 4, "`factum stream list` shows the streams there are"),
        (&["events", "at-time", "cart-1", "noon"], 6, "write a time as 2026-11-21T10:00:00Z"),
        (&["events", "between", "cart-1", "99", "100"], 4, "use 3 or less"),
        (&["events", "between", "cart-1", late, early], 6, "give the earlier one first"),
        (&["events", "between", "nobody", early, late], 4, "there is no stream"),
        (&["events", "after", "99"], 4, "hint: `--follow` waits until the log has come that far"),
        (&["events", "after", "-1"], 6, "`start` for none, or `end` for all there are"),
        (
            &["event-store", "append", "cart-1", EVENT, "--expected", "99"],
            3,
            "append with --expected 2 if yours still hold",
        ),
        (
            &["event-store", "append", "cart-1", EVENT, "--fail-if-type", "B", "--after", "99"],
            6,
            "use a position that was read",
        ),
    ];
    for (words, code, reason) in rows {
        let said = place.fails(*code, *words);
        assert!(said.contains(reason), "{words:?}: {said}");
    }
    let now = place.ok(["events", "at-time", "cart-1", late]);
    assert!(now.contains("none: this is the stream as it is now"), "{now}");
    for range in [[early, early], [late, late]] {
        let mut words = vec!["events", "between", "cart-1"];
        words.extend(range);
        assert_eq!(place.ok(words), "0 events\n");
    }
    assert_eq!(place.ok(["events", "after", "3"]), "0 events\n");
}
