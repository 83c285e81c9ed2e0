//! Stores written by every format there ever was, opened by today's program.
//!
//! `tests/formats/v1/store` holds a store as its version left it, and
//! `tests/formats/v1/events.json` what was in it; `v1-index-2` is the same with
//! indexes of format 2. None of them ever changes. A new
//! format gets a folder of its own, written once by
//!
//! ```text
//!   cargo test -p factum-log --test it -- --ignored write_a_store_of_today
//! ```
//!
//! which refuses to touch a folder that is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factum_core::{
    Append, Bytes, ContentType, EventStore, EventType, ExpectedRevision, ManualClock, NewEvent, Position,
    Query, Read, RecordedEvent, Revision, Selection, StreamName, Tag, Timestamp, Uuid,
};
use factum_log::verify::{Depth, verify};
use factum_log::{Access, Log, LogOptions, Threads};
use serde_json::{Value, json};

/// Where the stores are.
pub fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

/// Copies a store, so that opening it changes nothing here.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&source, &target);
        } else {
            fs::write(&target, fs::read(&source).unwrap()).unwrap();
        }
    }
}

/// All an event has, as `events.json` has it.
fn described(event: &RecordedEvent) -> Value {
    let bytes = |bytes: &Bytes| match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    };
    json!({
        "position": event.position.get(),
        "stream": event.stream.as_str(),
        "revision": event.revision.get(),
        "recorded_at": event.recorded_at.to_string(),
        "id": event.id.to_string(),
        "type": event.event_type.as_str(),
        "schema_version": event.schema_version,
        "content_type": event.content_type.as_str(),
        "data": bytes(&event.data),
        "metadata": bytes(&event.metadata),
        "tags": event.tags.iter().collect::<Vec<_>>(),
        "occurred_at": event.occurred_at.map(|time| time.to_string()),
        "correlation_id": event.correlation_id.map(|id| id.to_string()),
        "causation_id": event.causation_id.map(|id| id.to_string()),
    })
}

fn read(log: &Log, read: Read) -> Vec<Value> {
    log.read(read).unwrap().map(|event| described(&event.unwrap())).collect()
}

/// Every store of `tests/formats`: its name, a copy of it, what is in it.
fn each_store(check: impl Fn(&str, &Path, &[Value])) {
    let mut count = 0;
    for entry in fs::read_dir(formats()).unwrap() {
        let folder = entry.unwrap().path();
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        copy(&folder.join("store"), &store);
        let expected: Vec<Value> =
            serde_json::from_slice(&fs::read(folder.join("events.json")).unwrap()).unwrap();
        assert!(expected.len() >= 20, "{} shows little", folder.display());
        check(&folder.display().to_string(), &store, &expected);
        count += 1;
    }
    assert!(count >= 1, "there is no store of any format");
}

#[test]
fn every_store_reads_as_it_was_written() {
    each_store(|name, store, expected| {
        for access in [Access::Read, Access::Append] {
            let log = Log::open(store, LogOptions { access, ..LogOptions::default() }).unwrap();
            assert_eq!(read(&log, Read::all()), expected, "{name}");
            let backward: Vec<Value> = expected.iter().rev().cloned().collect();
            assert_eq!(read(&log, Read::all().backward()), backward, "{name}");
            for event_type in ["ItemAdded", "Counted"] {
                let of_type: Vec<_> = expected.iter().filter(|event| event["type"] == event_type).collect();
                let query = Query::types([EventType::new(event_type).unwrap()]);
                assert_eq!(log.count(Read::query(query.clone())).unwrap(), of_type.len() as u64, "{name}");
                let found = read(&log, Read::query(query).skip(1));
                assert_eq!(found.iter().collect::<Vec<_>>(), of_type[1..], "{name}");
            }
            let stream = &expected[expected.len() / 2]["stream"];
            let of_stream: Vec<_> =
                expected.iter().filter(|event| event["stream"] == *stream).cloned().collect();
            let selection = Selection::Stream(StreamName::new(stream.as_str().unwrap().to_owned()).unwrap());
            assert_eq!(read(&log, Read::of(selection)), of_stream, "{name}");
            // Indexes of an earlier format are built again, and kept if that is allowed.
            let is_earlier = |(_, why): &(u32, String)| why == "its format is 1 instead of 2";
            assert!(log.recovery().indexes_rebuilt.iter().all(is_earlier), "{name}: {:?}", log.recovery());
            log.close().unwrap();
        }
        let log = Log::open(store, LogOptions::default()).unwrap();
        assert_eq!(log.recovery().indexes_rebuilt, [], "{name}: they were built again and kept");
    });
}

#[test]
fn every_store_is_whole_and_goes_on() {
    each_store(|name, store, expected| {
        let report = verify(store, Depth::Deep, &mut |_| {}).unwrap();
        assert_eq!(report.damage, [], "{name}");
        assert_eq!(report.events, expected.len() as u64, "{name}");
        let log = Log::open(store, LogOptions::default()).unwrap();
        let stream = StreamName::new(expected[0]["stream"].as_str().unwrap().to_owned()).unwrap();
        let revision =
            expected.iter().filter(|event| event["stream"] == expected[0]["stream"]).count() as u64;
        let more = NewEvent::new(EventType::new("More").unwrap(), "{}");
        let expectation = ExpectedRevision::Exact(Revision::new(revision - 1));
        let appended = log.append(Append::to(stream, expectation, [more])).unwrap();
        assert_eq!(appended.first_position(), Some(Position::new(expected.len() as u64)), "{name}");
        log.close().unwrap();
        assert_eq!(verify(store, Depth::Deep, &mut |_| {}).unwrap().damage, [], "{name}");
    });
}

const MIDNIGHT: i64 = 1_767_225_600_000_000;

fn options(clock: &Arc<ManualClock>) -> LogOptions {
    LogOptions {
        threads: Threads::None,
        segment_bytes_first: 64 * 1024,
        segment_bytes_max: 64 * 1024,
        clock: clock.clone(),
        ..LogOptions::default()
    }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x4000_8000_0000_0000_0000 + n)
}

fn event(n: u128, event_type: &str, data: impl Into<Bytes>) -> NewEvent {
    NewEvent::new(EventType::new(event_type.to_owned()).unwrap(), data).with_id(id(n))
}

/// One append for every feature of the format, then enough to fill a segment.
fn story() -> Vec<Append> {
    let stream = |name: &str| StreamName::new(name.to_owned()).unwrap();
    let tag = |text: &str| Tag::new(text.to_owned()).unwrap();
    let full = NewEvent {
        schema_version: 3,
        metadata: Bytes::from_static(b"{\"by\":\"a test\"}"),
        occurred_at: Some(Timestamp::from_micros(-1)),
        correlation_id: Some(id(1000)),
        causation_id: Some(id(1)),
        ..event(2, "ItemAdded", "{\"sku\":\"pear\"}").with_tags([tag("sku:pear"), tag("Größe:1")]).unwrap()
    };
    let partly = NewEvent { causation_id: Some(id(2)), ..event(3, "CustomerSeen", "") };
    let binary =
        NewEvent { content_type: ContentType::Binary, ..event(4, "PhotoTaken", vec![0, 255, 128, 1]) };
    let other = NewEvent {
        content_type: ContentType::Other("text/plain; charset=utf-8".into()),
        ..event(5, "NoteWritten", "früh")
    };
    let large = event(6, "ReportFiled", format!("\"{}\"", "x".repeat(9_000)));
    let any = ExpectedRevision::Any;
    let mut appends = vec![
        Append::to(
            stream("cart-1"),
            ExpectedRevision::NoStream,
            [event(1, "ItemAdded", "{\"sku\":\"apple\"}")],
        ),
        Append::to(stream("cart-1"), ExpectedRevision::Exact(Revision::new(0)), [full]).and_to(
            stream("customer-7"),
            ExpectedRevision::NoStream,
            [partly],
        ),
        Append::to(stream("cart-1"), any, [binary, other]),
        Append::to(stream("reports"), any, [large]),
    ];
    for n in 0..18 {
        let data = format!("{{\"n\":{n}}}");
        appends.push(Append::to(
            stream(&format!("counter-{}", n % 3)),
            any,
            [event(100 + n, "Counted", data)],
        ));
    }
    appends
}

#[test]
#[ignore = "writes into the repository; for a new format only"]
fn write_a_store_of_today() {
    let folder = formats().join("v1-index-2");
    assert!(!folder.exists(), "{} is there; it never changes", folder.display());
    fs::create_dir_all(&folder).unwrap();
    let store = folder.join("store");
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(MIDNIGHT)));
    // Two lives, so that the second life's marks are there as well.
    let mut log = Log::open(&store, options(&clock)).unwrap();
    for (n, append) in story().into_iter().enumerate() {
        if n == 12 {
            log.close().unwrap();
            log = Log::open(&store, options(&clock)).unwrap();
        }
        log.append(append).unwrap();
        clock.advance(1_000_000);
    }
    let events = read(&log, Read::all());
    assert!(log.stats().segments[0].sealed, "the first segment has its index");
    log.close().unwrap();
    fs::remove_file(store.join("LOCK")).unwrap();
    let text = serde_json::to_string_pretty(&events).unwrap();
    fs::write(folder.join("events.json"), text + "\n").unwrap();
}
