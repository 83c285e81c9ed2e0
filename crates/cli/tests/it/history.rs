//! `event-store replay`, `events at-time`, `events between`, `events after`

use std::thread::sleep;
use std::time::Duration;

use crate::program::{Place, assert_text};

#[test]
fn the_state_at_a_time_is_what_was_recorded_by_then() {
    let place = Place::new();
    let mut recorded = Vec::new();
    for n in 0..3 {
        let event = format!(r#"{{"type":"Set","data":{{"n":{n}}}}}"#);
        place.ok(["event-store", "append", "s", &event]);
        sleep(Duration::from_millis(2));
    }
    for event in place.json(["event-store", "replay", "s"]).as_array().unwrap() {
        recorded.push(event["recorded_at"].as_str().unwrap().to_owned());
    }
    for (n, time) in recorded.iter().enumerate() {
        let at = place.json(["events", "at-time", "s", time]);
        assert_eq!(at["state"]["n"].as_u64(), Some(n as u64), "at {time}");
        assert_eq!((at["position"].as_u64(), at["events"].as_u64()), (Some(n as u64), Some(n as u64 + 1)));
    }
    let text = place.ok(["events", "at-time", "s", &recorded[1]]);
    assert_text!(text, @r#"
    stream      s
    at          YYYY-MM-DDTHH:MM:SS.uuuuuuZ (by recorded time)
    events      2
    ended with  Set at position 1, revision 1, recorded YYYY-MM-DDTHH:MM:SS.uuuuuuZ
    left out    1 event
    {
      "n": 1
    }
    "#);
    let between = place.json(["events", "between", "s", &recorded[1], &recorded[2]]);
    assert_eq!(between.as_array().unwrap().len(), 2);
    let change = &between[0]["changes"][0];
    assert_eq!((change["from"].as_u64(), change["to"].as_u64()), (Some(0), Some(1)));
}

#[test]
fn before_the_first_and_after_the_last_event() {
    let place = Place::with_carts();
    let said = place.fails(4, ["events", "at-time", "cart-1", "2001-01-01T00:00:00Z"]);
    assert_text!(said, @r#"error: stream "cart-1" had no event at YYYY-MM-DDTHH:MM:SS.uuuuuuZ: its first one was recorded at YYYY-MM-DDTHH:MM:SS.uuuuuuZ, position 0"#);
    let later = place.ok(["events", "at-time", "cart-1", "2999-01-01T00:00:00Z"]);
    assert!(later.contains("left out    none: this is the stream as it is now"), "{later}");
    let nothing = place.ok(["events", "between", "cart-1", "2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z"]);
    assert_eq!(nothing, "0 events\n");
}

#[test]
fn places_that_are_not_there() {
    let place = Place::with_carts();
    let rows: &[(&[&str], i32, &str)] = &[
        (
            &["events", "at-time", "cart-1", "99"],
            4,
            "position 99 is beyond the end of the log, whose last position is 3: use 3 or less",
        ),
        (
            &["events", "at-time", "cart-1", "rev:9"],
            4,
            "revision 9 is beyond the end of stream \"cart-1\", whose last revision is 2",
        ),
        (&["events", "at-time", "cart-9", "1"], 4, "there is no stream \"cart-9\""),
        (
            &["events", "at-time", "cart-1", "noon"],
            6,
            "\"noon\" is no time and no place: write a time as 2026-",
        ),
        (&["events", "at-time", "cart-1", "1", "--by", "occurred"], 6, "--by occurred compares times"),
        (
            &["events", "between", "cart-1", "rev:2", "rev:1"],
            6,
            "the range begins at revision 2 and ends before it",
        ),
        (&["events", "after", "99"], 4, "position 99 is beyond the end of the log, whose last position is 3"),
        (&["events", "after", "-1"], 6, "\"-1\" is no position"),
        (&["events", "after", "0", "--stream", "cart-9"], 4, "there is no stream \"cart-9\""),
        (&["event-store", "replay", "cart-9"], 4, "hint: `factum stream list` shows the streams there are"),
    ];
    for (words, code, reason) in rows {
        let said = place.fails(*code, *words);
        assert!(said.contains(reason), "{words:?}: {said}");
    }
}

#[test]
fn events_after_a_position() {
    let place = Place::with_carts();
    assert_text!(place.ok(["events", "after", "1"]), @r#"
    position  recorded at                  stream        revision  type          data
           2  YYYY-MM-DDTHH:MM:SS.uuuuuuZ  cart-1               1  ItemAdded     {"items":{"apple":1}}
           3  YYYY-MM-DDTHH:MM:SS.uuuuuuZ  cart-1               2  ItemAdded     {"items":{"apple":2}}
    "#);
    let opened = place.json(["events", "after", "start", "--type", "Opened", "--tag", "customer:c1"]);
    assert_eq!(opened.as_array().unwrap().len(), 1);
    assert_eq!(place.ok(["events", "after", "3", "--format", "json"]), "[]\n");
    let csv = place.ok(["events", "after", "start", "-n", "2", "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.records().map(Result::unwrap).count(), 2);
}

#[test]
fn answers_to_its_other_names() {
    let place = Place::with_carts();
    for name in ["event-store", "events", "projection"] {
        let link = place.dir().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_factum"), &link).unwrap();
        let mut command = assert_cmd::Command::new(&link);
        command.current_dir(place.dir()).env_clear().env("FACTUM_STORE", "store");
        let (words, code): (&[&str], _) = match name {
            "event-store" => (&["replay", "cart-1"], 0),
            "events" => (&["after", "start"], 0),
            _ => (&["status", "--database", "none.db"], 4),
        };
        let run = crate::program::finished(command.args(words));
        assert_eq!(run.code, code, "{name}: {}", run.stderr);
        if name == "projection" {
            assert!(run.stderr.starts_with("error: there is no database none.db"), "{}", run.stderr);
        }
    }
}
