use factum_core::{Append, ExpectedRevision, NewEvent};

use super::super::testing::{answer, refusal, store, stream, written};
use super::*;

fn after(position: u64) -> From {
    From::After(Position::new(position))
}

#[test]
fn lists_what_stands_behind_a_position() {
    let text = answer(Format::Text, |out| list(&store(), Selection::All, after(2), None, out));
    insta::assert_snapshot!(text, @r#"
    position  recorded at                  stream        revision  type          data
           3  2026-01-01T00:00:30.000000Z  cart-1               2  ItemAdded     {"items":{"apple":2,"pear":1}}
           4  2026-01-01T00:00:40.000000Z  cart-1               3  CouponGiven   "TEN"
           5  2026-01-01T00:00:50.000000Z  cart-1               4  ItemRemoved   {"items":{"apple":null}}
    "#);
}

#[test]
fn selects_by_stream_type_tag_and_count() {
    let args = |stream: Option<&str>, types: &[&str], tags: &[&str]| AfterArgs {
        position: "start".into(),
        follow: false,
        stream: stream.map(Into::into),
        types: types.iter().map(Into::into).collect(),
        tags: tags.iter().map(Into::into).collect(),
        limit: None,
    };
    let rows = [
        (args(None, &[], &[]), From::Start, None, 6),
        (args(None, &[], &[]), From::Start, Some(2), 2),
        (args(None, &[], &[]), From::Start, Some(0), 0),
        (args(None, &[], &[]), From::End, None, 0),
        (args(Some("cart-1"), &[], &[]), after(2), None, 3),
        (args(None, &["Opened", "CouponGiven"], &[]), From::Start, None, 3),
        (args(None, &["Opened"], &["customer:c1"]), From::Start, None, 1),
        (args(None, &[], &["customer:c2"]), From::Start, None, 0),
        (args(None, &[], &[]), after(5), None, 0),
    ];
    for (args, from, limit, expected) in rows {
        let selection = selection(&args).unwrap();
        let lines = answer(Format::Ndjson, |out| list(&store(), selection, from, limit, out));
        assert_eq!(lines.lines().count(), expected, "{args:?} {from:?} {limit:?}");
    }
}

#[test]
fn nothing_is_still_an_answer_to_a_program() {
    let nothing = |format| answer(format, |out| list(&store(), Selection::All, From::End, None, out));
    assert_eq!(nothing(Format::Json), "[]\n");
    assert_eq!(nothing(Format::Ndjson), "");
    assert_eq!(
        nothing(Format::Csv),
        format!("{}\n", <EventRow<'_> as crate::render::rows::Row>::COLUMNS.join(","))
    );
    assert_eq!(nothing(Format::Text), "0 events\n");
}

#[test]
fn a_position_beyond_the_end_names_the_last_one() {
    let refused = refusal(|out| list(&store(), Selection::All, after(6), None, out));
    assert_eq!(
        refused,
        "not-found: position 6 is beyond the end of the log, whose last position is 5: use 5 or less"
    );
    let refused = refusal(|out| list(&factum_core::MemoryStore::new(), Selection::All, after(0), None, out));
    assert!(refused.ends_with("which has no event yet"), "{refused}");
}

#[test]
fn reads_positions() {
    assert_eq!(From::parse(OsStr::new("7")).unwrap(), after(7));
    assert_eq!(From::parse(OsStr::new("pos:7")).unwrap(), after(7));
    assert_eq!(From::parse(OsStr::new("start")).unwrap(), From::Start);
    assert_eq!(From::parse(OsStr::new("end")).unwrap(), From::End);
    for text in ["", "-1", "+1", "x", "2026-01-01T00:00:00Z"] {
        let failure = From::parse(OsStr::new(text)).unwrap_err();
        assert!(failure.error.to_string().contains("`start` for none"), "{text}");
    }
}

#[test]
fn follows_what_comes_later_up_to_the_limit() {
    let store = store();
    let writer = store.clone();
    let appending = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let event = NewEvent::json("Late", &serde_json::json!({})).unwrap();
        writer.append(Append::to(stream("cart-3"), ExpectedRevision::NoStream, [event])).unwrap();
    });
    let never = AtomicBool::new(false);
    let lines = answer(Format::Ndjson, |out| {
        Follower::new(Selection::All, after(4), Some(2)).follow(|| Ok(Some(store.clone())), out, &never)
    });
    appending.join().unwrap();
    let types: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].clone())
        .collect();
    assert_eq!(types, ["ItemRemoved", "Late"]);
}

#[test]
fn following_ends_when_it_is_told_to() {
    let stop = Arc::new(AtomicBool::new(false));
    let teller = Arc::clone(&stop);
    let telling = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        teller.store(true, Ordering::SeqCst);
    });
    let begun = Instant::now();
    let (text, done) = written(Format::Json, |out| {
        Follower::new(Selection::All, after(4), None).follow(|| Ok(Some(store())), out, &stop)
    });
    telling.join().unwrap();
    done.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    let events: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(events.len(), 1, "the array is closed");
}

/// What a follower has written after each look at a growing store.
#[test]
fn each_look_goes_on_where_the_last_one_ended() {
    let never = AtomicBool::new(false);
    let rows: [(From, Selection, &[u64]); 4] = [
        (From::Start, Selection::All, &[0, 1, 2, 3]),
        (From::End, Selection::All, &[2, 3]),
        (after(2), Selection::All, &[3]),
        (From::Start, Selection::Stream(stream("odd")), &[1, 3]),
    ];
    for (from, selection, expected) in rows {
        let store = factum_core::MemoryStore::new();
        let add = |name: &str| {
            let event = NewEvent::json("E", &serde_json::json!({})).unwrap();
            store.append(Append::to(stream(name), ExpectedRevision::Any, [event])).unwrap();
        };
        add("even");
        add("odd");
        let lines = answer(Format::Ndjson, |out| {
            let mut follower = Follower::new(selection.clone(), from, None);
            follower.catch_up(&store, out, &never)?;
            follower.catch_up(&store, out, &never)?;
            add("even");
            add("odd");
            follower.catch_up(&store, out, &never)
        });
        let positions: Vec<_> = lines
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["position"].as_u64().unwrap()
            })
            .collect();
        assert_eq!(positions, expected, "{from:?} {selection:?}");
    }
}

#[test]
fn following_an_empty_log_from_its_end_sees_the_first_event() {
    let never = AtomicBool::new(false);
    let empty = factum_core::MemoryStore::new();
    let lines = answer(Format::Ndjson, |out| {
        let mut follower = Follower::new(Selection::All, From::End, None);
        follower.catch_up(&empty, out, &never)?;
        follower.catch_up(&store(), out, &never)
    });
    assert_eq!(lines.lines().count(), 6);
}
