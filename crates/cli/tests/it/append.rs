//! `event-store append`

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::program::{Place, assert_text, finished};

const ID: &str = "018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b";

#[test]
fn what_one_process_appends_the_next_one_replays() {
    let place = Place::new();
    let receipt = place.ok(["event-store", "append", "cart-1", r#"{"type":"Opened","data":{"n":1.50}}"#]);
    assert_text!(receipt, @"
    appended 1 event to cart-1: position 0, revision 0, durability disk
      id [id]
    ");
    let replayed = place.ok(["event-store", "replay", "cart-1"]);
    assert_text!(replayed, @r#"
    position 0  revision 0  Opened  YYYY-MM-DDTHH:MM:SS.uuuuuuZ
        + /n  1.50
        = {"n":1.50}
    1 event
    "#);
}

#[test]
fn takes_events_from_standard_input_and_files() {
    let place = Place::new();
    fs::write(place.dir().join("event.json"), r#"{"type":"FromFile"}"#).unwrap();
    place.ok(["event-store", "append", "s", "@event.json"]);
    let run = finished(
        place.command().args(["event-store", "append", "s", "-"]).write_stdin(r#"[{"type":"FromPipe"}]"#),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let events = place.json(["event-store", "replay", "s"]);
    assert_eq!((&events[0]["type"], &events[1]["type"]), (&"FromFile".into(), &"FromPipe".into()));
}

#[test]
fn repeating_an_append_records_nothing_twice() {
    let place = Place::new();
    let words = ["event-store", "append", "s", r#"{"type":"A"}"#, "--id", ID];
    assert_eq!(place.json(words)["repeated"], false);
    let again = place.json(words);
    assert_eq!((again["repeated"].as_bool(), again["first_position"].as_u64()), (Some(true), Some(0)));
    assert_eq!(place.json(["event-store", "stats"])["events"].as_u64(), Some(1));
}

#[test]
fn a_conflict_has_its_own_code_and_says_where_the_stream_stands() {
    let place = Place::with_carts();
    let said = place.fails(3, ["event-store", "append", "cart-1", r#"{"type":"A"}"#, "--expected", "0"]);
    assert_text!(said, @r#"
    error: stream "cart-1" was expected at revision 0, but its last event is at revision 2: read it again and decide again
    hint: `factum stream show cart-1` shows its last events; append with --expected 2 if yours still hold
    "#);
    let beyond = place.fails(3, ["event-store", "append", "cart-1", r#"{"type":"A"}"#, "--expected", "7"]);
    assert!(beyond.contains("was expected at revision 7, but its last event is at revision 2"), "{beyond}");
    assert_eq!(place.json(["event-store", "stats"])["events"].as_u64(), Some(4), "nothing was recorded");
}

#[test]
fn a_condition_on_tags_and_positions() {
    let place = Place::with_carts();
    let guarded = ["event-store", "append", "x", r#"{"type":"A"}"#, "--fail-if-tag", "customer:c1"];
    let said = place.fails(3, guarded);
    assert!(said.contains("an event at position 0 matches the append condition"), "{said}");
    place.ok(guarded.iter().chain(&["--after", "0"]));
    let beyond = place.fails(6, guarded.iter().chain(&["--after", "99"]));
    assert!(beyond.contains("the log ends at position 4: use a position that was read"), "{beyond}");
}

#[test]
fn refused_input_leaves_no_store_behind() {
    let place = Place::new();
    let rows: &[(&[&str], i32, &str)] = &[
        (&["s", "{\n  \"type\": oops}"], 6, "error: EVENT is not JSON: expected value at line 2 column 11\n"),
        (&["s", r#"{"type":"A","dta":1}"#], 6, "`dta` is not a key of an event"),
        (&["", r#"{"type":"A"}"#], 6, "error: the stream name is empty: give it at least one character\n"),
        (&["a\u{1b}[2Jb", r#"{"type":"A"}"#], 6, "control characters"),
        (&["s", r#"{"type":"A"}"#, "--expected", "soon"], 2, "use any, none (no event yet), exists"),
        (&["s", "@missing.json"], 4, "cannot read missing.json"),
    ];
    for (words, code, reason) in rows {
        let said = place.fails(*code, ["event-store", "append"].iter().chain(*words));
        assert!(said.contains(reason), "{words:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{words:?}: {said:?}");
    }
    let long = "n".repeat(1025);
    let said = place.fails(6, ["event-store", "append", &long, r#"{"type":"A"}"#]);
    assert!(said.contains("has 1025 bytes, and at most 1024 are allowed: shorten it"), "{said}");
    let not_utf8 = OsStr::from_bytes(b"cart\xff1");
    let words = ["event-store".as_ref(), "append".as_ref(), not_utf8, r#"{"type":"A"}"#.as_ref()];
    let said = place.fails(6, words);
    assert!(said.contains("the stream name is not valid UTF-8 at byte 4"), "{said}");
    assert!(!place.store().exists());
}

#[test]
fn an_event_over_the_size_limit() {
    let place = Place::new();
    let data = format!("\"{}\"", "x".repeat(16 * 1024 * 1024));
    let mut command = place.command();
    let run = finished(command.args(["event-store", "append", "s", "-", "--type", "Huge"]).write_stdin(data));
    assert_eq!(run.code, 6);
    assert!(
        run.stderr.contains("16777218 bytes of data and metadata, and at most 16777216"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("store large content elsewhere"), "{}", run.stderr);
}

#[test]
fn failures_speak_json_to_programs() {
    let place = Place::new();
    let said = place.fails(6, ["event-store", "append", "s", "nonsense", "--format", "json"]);
    let failure: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&failure["kind"], failure["exit_code"].as_u64()), (&"invalid".into(), Some(6)));
    assert!(failure["error"].as_str().unwrap().contains("line 1 column 2"), "{said}");
    let said = place.fails(2, ["event-store", "append", "--format=json"]);
    let failure: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(failure["kind"], "usage");
}
