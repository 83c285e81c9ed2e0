use std::sync::Arc;

use factum_core::{
    Append, Bytes, ContentType, ExpectedRevision, ManualClock, MemoryStore, NewEvent, Position, StreamName,
    Tag, Timestamp, Uuid,
};

use super::super::testing::{answer, at, refusal, store, stream};
use super::*;
use crate::import::jsonl::decode::decode;

fn exported(store: &MemoryStore, selection: Selection, until: Option<Moment>) -> Vec<String> {
    let text = answer(Format::Ndjson, |out| export(store, selection, until, out));
    text.lines().map(str::to_owned).collect()
}

/// An event with something in every field.
fn full(data: &'static [u8], metadata: &'static [u8], content_type: &str) -> NewEvent {
    let mut event = NewEvent::json("Measured", &serde_json::json!({})).unwrap();
    event = event.with_tags([Tag::new("sensor:7").unwrap(), Tag::new("room:ä\u{200d}").unwrap()]).unwrap();
    NewEvent {
        schema_version: 3,
        content_type: ContentType::from(content_type),
        data: Bytes::from_static(data),
        metadata: Bytes::from_static(metadata),
        occurred_at: Some(Timestamp::from_micros(-1)),
        correlation_id: Some(Uuid::from_u128(8)),
        causation_id: Some(Uuid::from_u128(9)),
        ..event
    }
}

#[test]
fn every_field_comes_back_from_the_line_of_an_event() {
    let store = MemoryStore::new();
    let events = [
        full(br#"{"b":1.50,"a":12345678901234567890}"#, br#"{"actor":"ada"}"#, "application/json"),
        full(b"\xff\x00", b"", "application/msgpack"),
        full(b"no json", b"\xfe", "application/json"),
        NewEvent::json("Plain", &serde_json::json!("x")).unwrap(),
    ];
    store.append(Append::to(stream("s-1"), ExpectedRevision::Any, events.clone())).unwrap();
    let lines = exported(&store, Selection::All, None);
    let read: Vec<(StreamName, NewEvent)> =
        lines.iter().map(|line| decode(line.as_bytes(), Uuid::nil()).unwrap().unwrap()).collect();
    let expected: Vec<_> = events.into_iter().map(|event| (stream("s-1"), event)).collect();
    assert_eq!(read, expected);
}

#[test]
fn ends_where_it_is_told() {
    let place = |lines: Vec<String>| -> Vec<u64> {
        let position =
            |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["position"].as_u64();
        lines.iter().filter_map(position).collect()
    };
    let cart = || Selection::Stream(stream("cart-1"));
    assert_eq!(place(exported(&store(), Selection::All, None)), [0, 1, 2, 3, 4, 5]);
    assert_eq!(place(exported(&store(), cart(), None)), [0, 2, 3, 4, 5]);
    let until = Some(Moment::Position(Position::new(3)));
    assert_eq!(place(exported(&store(), Selection::All, until)), [0, 1, 2, 3]);
    assert_eq!(place(exported(&store(), cart(), Some(Moment::Revision(1.into())))), [0, 2]);
    assert_eq!(place(exported(&store(), cart(), Some(Moment::Time(at("00:00:40"))))), [0, 2, 3, 4]);
}

#[test]
fn leaves_out_what_is_true_of_this_store_only() {
    let store = MemoryStore::new();
    for name in ["$import-x", "$$$server", "order-1", "$server", "$other"] {
        let event = NewEvent::json("T", &serde_json::json!({})).unwrap();
        store.append(Append::to(stream(name), ExpectedRevision::Any, [event])).unwrap();
    }
    assert_eq!(exported(&store, Selection::All, None).len(), 2);
    for name in ["$import-x", "$server"] {
        assert_eq!(exported(&store, Selection::Stream(stream(name)), None).len(), 1, "{name}");
    }
    #[cfg(feature = "serve")]
    assert_eq!(JOURNAL[0], factum_server::journal::STREAM);
}

#[test]
fn refuses_a_place_that_is_not_there() {
    let refused = |selection: Selection, until| refusal(|out| export(&store(), selection, until, out));
    assert_eq!(
        refused(Selection::All, Some(Moment::Revision(1.into()))),
        "usage: a revision is a place in one stream, and all are exported"
    );
    let far = Some(Moment::Position(Position::new(99)));
    assert!(refused(Selection::All, far).starts_with("not-found: position 99"));
    assert!(refused(Selection::Stream(stream("cart-1")), far).starts_with("not-found: position 99"));
    assert_eq!(
        refused(Selection::Stream(stream("cart-9")), None),
        "not-found: there is no stream \"cart-9\""
    );
}

/// The file that the tests of the SDK replay is one that this verb writes.
#[test]
fn the_history_in_the_tests_of_the_sdk_is_an_export() {
    let history = include_str!("../../../../factum/tests/histories/account.jsonl");
    let clock = Arc::new(ManualClock::default());
    let store = MemoryStore::with_clock(clock.clone());
    let mut expected = Vec::new();
    for (position, line) in history.lines().enumerate() {
        let (stream, event) = decode(line.as_bytes(), Uuid::nil()).unwrap().unwrap();
        let mut keys: serde_json::Value = serde_json::from_str(line).unwrap();
        clock.set(keys["recorded_at"].as_str().unwrap().parse().unwrap());
        keys["position"] = position.into();
        expected.push(keys.to_string());
        store.append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
    }
    assert_eq!(exported(&store, Selection::All, None), expected);
}
