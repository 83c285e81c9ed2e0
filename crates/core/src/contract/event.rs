//! What is read back is what was appended: every field, at its limits.

use uuid::Uuid;

use crate::{
    Append, Bytes, ContentType, EventStore, EventType, ExpectedRevision, NewEvent, Read, RecordedEvent,
    StreamName, Tag, Timestamp,
};

use super::case::Case;
use super::sample::{event, event_type, letters, query, stream, tag};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    gives_back_every_field(&store());
    keeps_every_name_apart(&store());
}

fn gives_back_every_field(store: &dyn EventStore) {
    let case = Case::new("an event is read back as it was appended", "");
    let rows = rows();
    // Each in an append of its own, then all of them in one.
    for (row, new) in &rows {
        case.row(row).append(store, Append::to(stream("one-by-one"), ExpectedRevision::Any, [new.clone()]));
    }
    let together = rows.iter().map(|(_, new)| NewEvent { id: Uuid::now_v7(), ..new.clone() });
    let together: Vec<_> = together.collect();
    case.row("all of them in one append")
        .append(store, Append::to(stream("together"), ExpectedRevision::NoStream, together.iter().cloned()));
    let log = case.row("all of them").log(store);
    let one_by_one = case.stream(store, &stream("one-by-one"));
    case.equal("the number of events", &log.len(), &(rows.len() * 2));
    case.equal("the number of events in the stream", &one_by_one.len(), &rows.len());
    for (place, (row, new)) in rows.iter().enumerate() {
        let case = case.row(row);
        let second = &log[rows.len() + place];
        is_same(&case, &log[place], new, place);
        is_same(&case, &one_by_one[place], new, place);
        is_same(&case, second, &together[place], rows.len() + place);
        case.equal("its revision in the second stream", &second.revision.get(), &(place as u64));
        let found = case.read(store, Read::query(query(&[new.event_type.as_str()], &[])));
        case.holds(found.contains(&log[place]), "a query of its type yields it");
        for text in new.tags.iter() {
            let found = case.read(store, Read::query(query(&[], &[text])));
            case.holds(found.contains(&log[place]), format_args!("a query of its tag {text:?} yields it"));
        }
        case.equal("a detached copy", &log[place].detached(), &log[place]);
    }
}

/// Field by field, so that a failure names the field.
fn is_same(case: &Case, found: &RecordedEvent, new: &NewEvent, position: usize) {
    case.equal("its position", &found.position.get(), &(position as u64));
    case.equal("its id", &found.id, &new.id);
    case.equal("its type", &found.event_type, &new.event_type);
    case.equal("its schema version", &found.schema_version, &new.schema_version);
    case.equal("its content type", &found.content_type, &new.content_type);
    case.holds(found.data == new.data, format_args!("its {} bytes of data are the same", new.data.len()));
    case.holds(
        found.metadata == new.metadata,
        format_args!("its {} bytes of metadata are the same", new.metadata.len()),
    );
    case.equal("its tags", &found.tags, &new.tags);
    case.equal("its occurred-at", &found.occurred_at, &new.occurred_at);
    case.equal("its correlation id", &found.correlation_id, &new.correlation_id);
    case.equal("its causation id", &found.causation_id, &new.causation_id);
}

fn rows() -> Vec<(String, NewEvent)> {
    let plain = || event("Plain", &[]);
    let mut rows: Vec<(String, NewEvent)> = Vec::new();
    let mut row = |name: &str, new: NewEvent| rows.push((name.to_owned(), new));

    row("nothing but the necessary", plain());
    for content_type in [
        ContentType::Json,
        ContentType::Binary,
        ContentType::Other("text/plain; charset=utf-8".into()),
        ContentType::Other("x".into()),
        ContentType::Other("grün/🦀".into()),
        ContentType::Other("m".repeat(ContentType::BYTES_MAX).into()),
    ] {
        row(&format!("content type {content_type:?}"), NewEvent { content_type, ..plain() });
    }
    for length in [0, 1, 2, 7, 8, 255, 256, 4_095, 4_096, 65_535, 65_536, 1 << 20] {
        row(&format!("{length} bytes of data"), NewEvent { data: letters(length), ..plain() });
        row(&format!("{length} bytes of metadata"), NewEvent { metadata: letters(length), ..plain() });
    }
    row(
        "data and metadata of 300 bytes each",
        NewEvent { data: letters(300), metadata: letters(301), ..plain() },
    );
    let every_byte: Bytes = (0..=255).collect::<Vec<u8>>().into();
    row(
        "bytes that are no text",
        NewEvent { data: every_byte, content_type: ContentType::Binary, ..plain() },
    );
    row("zero bytes", NewEvent { data: vec![0; 4_096].into(), ..plain() });
    row("bytes of all ones", NewEvent { data: vec![0xff; 4_096].into(), ..plain() });
    row("data that is no JSON, declared as JSON", NewEvent { data: Bytes::from_static(b"{"), ..plain() });

    for schema_version in [0, 1, 2, 255, 256, 65_535, 65_536, u32::MAX - 1, u32::MAX] {
        row(&format!("schema version {schema_version}"), NewEvent { schema_version, ..plain() });
    }
    for micros in [i64::MIN, -1_000_001, -1, 0, 1, 253_402_300_800_000_000, i64::MAX] {
        let occurred_at = Some(Timestamp::from_micros(micros));
        row(&format!("occurred {micros} microseconds after 1970"), NewEvent { occurred_at, ..plain() });
    }
    let (one, two) = (Some(Uuid::now_v7()), Some(Uuid::now_v7()));
    row("a correlation id", NewEvent { correlation_id: one, ..plain() });
    row("a causation id", NewEvent { causation_id: one, ..plain() });
    row("both ids", NewEvent { correlation_id: one, causation_id: two, ..plain() });
    row("ids that are all zeros", {
        NewEvent { correlation_id: Some(Uuid::nil()), causation_id: Some(Uuid::nil()), ..plain() }
    });
    row("an id that is all zeros", plain().with_id(Uuid::nil()));
    row("an id that is all ones", plain().with_id(Uuid::max()));

    row("one tag", event("Plain", &["course:c1"]));
    row("tags that are not in alphabetical order", event("Plain", &["b", "c", "a"]));
    row("tags of any script", event("Plain", &["größe:ä", "🦀", "a b", "$x", "=", "\"", "'"]));
    let most = |tags: Vec<Tag>| plain().with_tags(tags).expect("64 tags are allowed");
    row("64 tags", most((0..64).map(|n| tag(&format!("tag:{n}"))).collect()));
    row(
        "64 of the longest tags",
        most((0..64).map(|n| tag(&format!("{n:0>width$}", width = Tag::BYTES_MAX))).collect()),
    );
    let named = |text: &str| NewEvent { event_type: event_type(text), ..plain() };
    row("a type of one letter", named("x"));
    row("a type of any script", named("Bestellung größer 🦀"));
    row("the longest type", named(&"t".repeat(EventType::BYTES_MAX)));
    row("everything at once", {
        NewEvent {
            schema_version: u32::MAX,
            content_type: ContentType::Other("application/cbor".into()),
            data: letters(70_000),
            metadata: letters(5_000),
            occurred_at: Some(Timestamp::from_micros(-5)),
            correlation_id: one,
            causation_id: two,
            ..event("Everything", &["a", "b", "course:c1"])
        }
    });
    rows
}

fn keeps_every_name_apart(store: &dyn EventStore) {
    let case = Case::new("names are compared byte for byte, and each has a stream of its own", "");
    let long = |last: char| "n".repeat(StreamName::BYTES_MAX - last.len_utf8()) + &last.to_string();
    let mut names: Vec<String> = [
        "x",
        "X",
        "cart",
        "cart-1",
        "cart-10",
        "cart-01",
        "Cart-1",
        "cart-1 ",
        " cart-1",
        "caf\u{e9}",
        "cafe\u{301}",
        "Grüße 🦀",
        "日本語",
        "العربية",
        "$all",
        "$system",
        "*",
        "%",
        "_",
        ".",
        "..",
        "../etc/passwd",
        "C:\\CON",
        "a/b",
        "a'b\"c",
        "{\"json\":1}",
        "-",
        "0",
        "null",
    ]
    .map(str::to_owned)
    .into();
    names.extend([long('1'), long('2'), long('é')]);
    names.push("🦀".repeat(StreamName::BYTES_MAX / 4));
    for (place, name) in names.iter().enumerate() {
        let expected = ExpectedRevision::NoStream;
        let appended = case
            .row(format_args!("the stream {name:?}"))
            .append(store, Append::to(stream(name), expected, [event("First", &[]), event("Second", &[])]));
        let last = (place as u64) * 2 + 1;
        case.equal("its last position", &appended.last_position().map(|p| p.get()), &Some(last));
    }
    for (place, name) in names.iter().enumerate() {
        let case = case.row(format_args!("the stream {name:?}"));
        let events = case.stream(store, &stream(name));
        let found: Vec<_> =
            events.iter().map(|e| (e.stream.as_str(), e.position.get(), e.revision.get())).collect();
        let first = place as u64 * 2;
        case.equal("its events", &found, &vec![(name.as_str(), first, 0), (name.as_str(), first + 1, 1)]);
    }
}
