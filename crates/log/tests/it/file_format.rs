//! `docs/file-format.md` against the bytes of a real store: every structure is
//! read at the offsets the page gives, and every number of the page is
//! compared with what the store does.
//!
//! Each structure stands in the page twice, as a drawing and as a table; the
//! two must agree before either is believed.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use factum_core::{
    Append, AppendError, Bytes, ContentType, EventStore, EventType, ExpectedRevision, InvalidAppend,
    ManualClock, NewEvent, Read, RecordedEvent, StreamName, Tag, Timestamp, Uuid,
};
use factum_log::disk::{Disk, MemoryDisk};
use factum_log::{Log, LogOptions, OpenError, Threads};
use xxhash_rust::xxh3::xxh3_128_with_seed;

const PAGE: &str = include_str!("../../../../docs/file-format.md");

/// A structure as the page draws it.
struct Structure(Vec<Field>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    at: usize,
    bytes: usize,
}

fn section(heading: &str) -> impl Iterator<Item = &'static str> {
    let begin =
        PAGE.lines().position(|line| line == heading).unwrap_or_else(|| panic!("no section {heading}"));
    PAGE.lines().skip(begin + 1).take_while(|line| !line.starts_with("## "))
}

fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let cells =
        |line: &'static str| line.trim_matches('|').split('|').map(|c| c.trim().trim_matches('`')).collect();
    let lines = section(heading).filter(|line| line.starts_with('|'));
    lines.skip_while(|line| !line.contains("---")).skip(1).map(cells).collect()
}

impl Structure {
    /// Reads the drawing and the table of a section, which must agree.
    fn of(heading: &str) -> Self {
        let drawn = drawing(heading);
        let told: Vec<Field> = rows(heading)
            .iter()
            .map(|cells| Field {
                name: cells[2].to_owned(),
                at: cells[0].parse().unwrap(),
                bytes: cells[1].parse().unwrap(),
            })
            .collect();
        assert_eq!(drawn, told, "{heading}: the drawing and the table differ");
        let mut end = 0;
        for field in &told {
            assert_eq!(field.at, end, "{heading}: a gap before {}", field.name);
            end += field.bytes;
        }
        Self(told)
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|field| field.bytes).sum()
    }

    fn field<'a>(&self, bytes: &'a [u8], name: &str) -> &'a [u8] {
        let field =
            self.0.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("no field {name}"));
        &bytes[field.at..field.at + field.bytes]
    }

    fn number(&self, bytes: &[u8], name: &str) -> u64 {
        let field = self.field(bytes, name);
        assert!(field.len() <= 8, "{name} is no number");
        field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn text<'a>(&self, bytes: &'a [u8], name: &str) -> &'a str {
        std::str::from_utf8(self.field(bytes, name)).unwrap()
    }
}

/// The fields of a drawing: eight columns a byte, eight bytes a row.
fn drawing(heading: &str) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut at = 0;
    for line in section(heading) {
        let Some((label, cells)) = line.split_once('│') else { continue };
        assert_eq!(
            label.trim().parse::<usize>().unwrap(),
            at,
            "{heading}: the row at {at} is labelled otherwise"
        );
        for cell in cells.trim_end_matches('│').split('│') {
            let width = cell.chars().count() + 1;
            assert!(width.is_multiple_of(8), "{heading}: {cell:?} is {width} columns wide");
            let (name, bytes) = (cell.trim(), width / 8);
            match fields.last_mut() {
                Some(last) if name == "\"" => last.bytes += bytes,
                _ => fields.push(Field { name: name.to_owned(), at, bytes }),
            }
            at += bytes;
        }
    }
    fields
}

/// The table of numbers.
fn number(name: &str) -> u64 {
    let rows = rows("## Numbers");
    let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no number {name}"));
    row[1].replace(',', "").parse().unwrap()
}

/// The table of flags: what, flag.
fn flag(of: &str, name: &str) -> u64 {
    let rows = rows("## Flags");
    let row =
        rows.iter().find(|row| row[0] == of && row[2] == name).unwrap_or_else(|| panic!("no flag {name}"));
    row[1].parse().unwrap()
}

/// A store on a memory disk, and its files.
struct Store {
    disk: MemoryDisk,
    log: Log,
    clock: Arc<ManualClock>,
}

const NOW: i64 = 1_767_225_600_000_000;

impl Store {
    fn new(threads: Threads) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(NOW)));
        let disk = MemoryDisk::new();
        let first = number("least segment size");
        let options = LogOptions {
            threads,
            segment_bytes_first: first,
            segment_bytes_max: 2 * first,
            clock: clock.clone(),
            ..LogOptions::default()
        };
        let log = Log::open_on(Arc::new(disk.clone()), options).unwrap();
        Self { disk, log, clock }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        let file = self.disk.open(name, false).unwrap();
        let mut bytes = vec![0; file.bytes().unwrap() as usize];
        factum_log::disk::read_exact_at(&*file, &mut bytes, 0).unwrap();
        bytes
    }

    fn append(&self, stream: &str, events: impl IntoIterator<Item = NewEvent>) {
        let stream = StreamName::new(stream.to_owned()).unwrap();
        self.log.append(Append::to(stream, ExpectedRevision::Any, events)).unwrap();
        self.clock.advance(1_000_000);
    }

    fn events(&self) -> Vec<RecordedEvent> {
        self.log.read(Read::all()).unwrap().map(Result::unwrap).collect()
    }

    /// A line of the `STORE` file.
    fn line(&self, name: &str) -> String {
        let text = String::from_utf8(self.file("STORE")).unwrap();
        let found =
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        found.unwrap_or_else(|| panic!("no line {name}"))
    }

    fn id(&self) -> Uuid {
        self.line("id").parse().unwrap()
    }

    fn secret(&self) -> u64 {
        u64::from_str_radix(&self.line("secret"), 16).unwrap()
    }

    /// As the page says.
    fn salt(&self) -> u32 {
        crc32c::crc32c(&self.secret().to_le_bytes())
    }
}

fn event(event_type: &str, data: &'static str) -> NewEvent {
    NewEvent::new(EventType::new(event_type.to_owned()).unwrap(), data)
}

fn full_event() -> NewEvent {
    let tag = |text: &str| Tag::new(text.to_owned()).unwrap();
    NewEvent {
        schema_version: 7,
        content_type: ContentType::Other("text/plain".into()),
        metadata: Bytes::from_static(b"{\"m\":1}"),
        occurred_at: Some(Timestamp::from_micros(-5)),
        correlation_id: Some(Uuid::from_u128(1)),
        causation_id: Some(Uuid::from_u128(2)),
        ..event("Noted", "something").with_tags([tag("a:1"), tag("b")]).unwrap()
    }
}

fn salted(salt: u32, parts: &[&[u8]]) -> u64 {
    u64::from(parts.iter().fold(salt, |crc, part| crc32c::crc32c_append(crc, part)))
}

#[test]
fn the_store_file_has_the_lines_of_the_page() {
    let store = Store::new(Threads::None);
    let text = String::from_utf8(store.file("STORE")).unwrap();
    let shown: Vec<&str> = section("## `STORE`")
        .skip_while(|line| !line.starts_with("```"))
        .skip(1)
        .take_while(|line| *line != "```")
        .collect();
    let names = |lines: Vec<&str>| {
        lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(shown.clone()), names(text.lines().collect()));
    assert_eq!(shown[..2], text.lines().take(2).collect::<Vec<_>>()[..]);
    let covered = &text[..text.find("crc32c ").unwrap()];
    assert_eq!(store.line("crc32c"), format!("{:08x}", crc32c::crc32c(covered.as_bytes())));
    assert_eq!(store.line("format"), number("format").to_string());
    assert_eq!(store.line("segment_bytes_first"), number("least segment size").to_string());
    assert!((text.len() as u64) < number("longest `STORE` file"));
}

#[test]
fn segments_have_the_header_and_sizes_of_the_page() {
    let header = Structure::of("## Segment header");
    let store = Store::new(Threads::None);
    let bytes = store.file("segments/0000000001.seg");
    for at in [0, number("copy of the segment header at") as usize] {
        let copy = &bytes[at..at + header.bytes()];
        assert_eq!(header.text(copy, "magic"), "factseg1");
        assert_eq!(header.number(copy, "format"), number("format"));
        assert_eq!(header.number(copy, "segment"), 1);
        assert_eq!(header.field(copy, "store id"), store.id().as_bytes());
        assert_eq!(header.number(copy, "file bytes"), bytes.len() as u64);
        assert!(header.field(copy, "zeros").iter().all(|byte| *byte == 0));
        let crc_at = header.bytes() - 4;
        assert_eq!(header.number(copy, "crc32c"), u64::from(crc32c::crc32c(&copy[..crc_at])));
    }
    assert_eq!(bytes.len() as u64, number("least segment size"));
    // The last file is only its header, and each is twice the one before up to the maximum.
    store.log.pump().unwrap();
    let sizes: Vec<usize> = (1..=3).map(|n| store.file(&format!("segments/{n:010}.seg")).len()).collect();
    assert_eq!(sizes, [bytes.len(), 2 * bytes.len(), number("segment header") as usize]);
}

#[test]
fn segment_sizes_outside_the_page_are_refused() {
    let open = |first, max| {
        let options =
            LogOptions { segment_bytes_first: first, segment_bytes_max: max, ..LogOptions::default() };
        Log::open_on(Arc::new(MemoryDisk::new()), LogOptions { threads: Threads::None, ..options })
    };
    let (least, most, block) =
        (number("least segment size"), number("largest segment size"), number("block"));
    for (first, max) in [(least - block, least), (least + 1, most), (least, most + block), (2 * least, least)]
    {
        assert!(matches!(open(first, max), Err(OpenError::Option { .. })), "{first} {max}");
    }
    assert!(open(least, most).is_ok());
}

#[test]
fn batches_stand_where_the_page_says() {
    let header = Structure::of("## Batch header");
    assert_eq!(header.bytes() as u64, number("batch header"));
    let store = Store::new(Threads::None);
    store.append("cart-1", [event("A", "1"), event("B", "2")]);
    store.append("cart-1", [event("C", "3")]);
    let (disk, salt) = (store.disk.clone(), store.salt());
    let before_close = Store { disk: disk.clone(), log: store.log.clone(), clock: store.clock.clone() };
    drop(store);
    before_close.log.clone().close().unwrap();
    let bytes = before_close.file("segments/0000000001.seg");
    let block = number("block");
    let mut at = number("segment header");
    let (mut previous_crc, mut position) = (0, 0);
    let opened = flag("batch", "opened");
    let closed = flag("batch", "closed");
    for (sequence, events, flags) in [(1, 2, opened), (2, 1, 0), (3, 0, closed)] {
        let batch = &bytes[at as usize..];
        assert_eq!(header.text(batch, "magic"), "fbat");
        assert_eq!(header.number(batch, "format"), number("format"));
        assert_eq!(header.number(batch, "flags"), flags);
        assert_eq!(header.number(batch, "segment"), 1);
        assert_eq!(header.number(batch, "epoch"), 1);
        assert_eq!(header.number(batch, "sequence"), sequence);
        assert_eq!(header.number(batch, "first position"), position);
        assert_eq!(header.number(batch, "events"), events);
        let recorded = NOW as u64 + 1_000_000 * (sequence - 1).min(1);
        assert_eq!(header.number(batch, "recorded at"), recorded);
        assert_eq!(header.number(batch, "durable sequence"), sequence - 1);
        assert_eq!(header.number(batch, "previous crc"), previous_crc);
        let body = header.number(batch, "body bytes");
        let length = (header.bytes() as u64 + body).next_multiple_of(block);
        let batch = &batch[..length as usize];
        let crc_at = header.bytes() - 4;
        assert_eq!(
            header.number(batch, "crc32c"),
            salted(salt, &[&batch[..crc_at], &batch[header.bytes()..]])
        );
        assert!(batch[header.bytes() + body as usize..].iter().all(|byte| *byte == 0), "padding");
        previous_crc = header.number(batch, "crc32c");
        position += events;
        at += length;
    }
    assert!(bytes[at as usize..].iter().all(|byte| *byte == 0), "nothing follows");
}

#[test]
fn a_quiet_log_confirms_its_last_batch() {
    let header = Structure::of("## Batch header");
    let store = Store::new(Threads::Own);
    store.append("cart-1", [event("A", "1")]);
    let at = (number("segment header") + number("block")) as usize;
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let bytes = store.file("segments/0000000001.seg");
        let batch = &bytes[at..];
        if header.number(batch, "sequence") == 2 {
            assert_eq!(header.number(batch, "flags"), flag("batch", "heartbeat"));
            assert_eq!(header.number(batch, "durable sequence"), 1);
            assert_eq!(header.number(batch, "events"), 0);
            return;
        }
        assert!(Instant::now() < deadline, "no empty batch came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn records_hold_what_the_page_says() {
    let (header, batch) = (Structure::of("## Record"), Structure::of("## Batch header"));
    assert_eq!(header.bytes() as u64, number("record header"));
    let store = Store::new(Threads::None);
    let binary = NewEvent { content_type: ContentType::Binary, ..event("Seen", "") };
    let late = NewEvent { causation_id: Some(Uuid::from_u128(9)), ..event("Late", "{}") };
    store.append("nötes", [event("Plain", "{}"), full_event(), binary, late]);
    let bytes = store.file("segments/0000000001.seg");
    let mut at = number("segment header") as usize + batch.bytes();
    for event in store.events() {
        let record = &bytes[at..];
        let length = header.number(record, "bytes") as usize;
        assert!(length.is_multiple_of(number("record alignment") as usize));
        let record = &record[..length];
        assert_eq!(
            header.number(record, "crc32c"),
            salted(store.salt(), &[&record[32..], &record[..4], &record[8..32]])
        );
        assert_eq!(header.number(record, "position"), event.position.get());
        assert_eq!(header.number(record, "revision"), event.revision.get());
        assert_eq!(header.number(record, "recorded at"), event.recorded_at.as_micros() as u64);
        assert_eq!(header.field(record, "event id"), event.id.as_bytes());
        assert_eq!(header.number(record, "schema version"), u64::from(event.schema_version));
        let media_type = match &event.content_type {
            ContentType::Other(text) => text.to_string(),
            ContentType::Json | ContentType::Binary => String::new(),
        };
        let flags = [
            (event.occurred_at.is_some(), "occurred at"),
            (event.correlation_id.is_some(), "correlation"),
            (event.causation_id.is_some(), "causation"),
            (event.content_type == ContentType::Binary, "binary"),
            (!media_type.is_empty(), "other content"),
        ];
        let flags: u64 =
            flags.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| flag("record", name)).sum();
        assert_eq!(header.number(record, "flags"), flags);
        // The tail, in the order of the page.
        let parts: Vec<(&str, Vec<u8>)> = vec![
            (
                "occurred at",
                event.occurred_at.map(|time| time.as_micros().to_le_bytes().to_vec()).unwrap_or_default(),
            ),
            ("correlation id", event.correlation_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default()),
            ("causation id", event.causation_id.map(|id| id.as_bytes().to_vec()).unwrap_or_default()),
            ("stream", event.stream.as_str().into()),
            ("event type", event.event_type.as_str().into()),
            ("content type", media_type.clone().into()),
            ("tags", tags(&event)),
            ("metadata", event.metadata.to_vec()),
            ("data", event.data.to_vec()),
        ];
        let told: Vec<&str> = rows("## The rest of a record").iter().map(|row| row[0]).collect();
        assert_eq!(told, parts.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let lengths = [
            ("stream bytes", 3),
            ("type bytes", 4),
            ("media bytes", 5),
            ("tags bytes", 6),
            ("metadata bytes", 7),
            ("data bytes", 8),
        ];
        for (name, part) in lengths {
            assert_eq!(header.number(record, name), parts[part].1.len() as u64, "{name}");
        }
        let rest: Vec<u8> = parts.into_iter().flat_map(|(_, bytes)| bytes).collect();
        let end = header.bytes() + rest.len();
        assert_eq!(record[header.bytes()..end], rest);
        assert!(
            record[end..].iter().all(|byte| *byte == 0) && length - end < number("record alignment") as usize
        );
        at += length;
    }
}

/// For each tag its length as u16, then its text.
fn tags(event: &RecordedEvent) -> Vec<u8> {
    event.tags.iter().flat_map(|tag| [&(tag.len() as u16).to_le_bytes(), tag.as_bytes()].concat()).collect()
}

#[test]
fn an_index_holds_what_the_page_says() {
    let header = Structure::of("## Index header");
    let directory = Structure::of("## Batch directory");
    let table = Structure::of("## Stream table");
    let (keys, records) = (Structure::of("## Key table"), Structure::of("## Record table"));
    assert_eq!(header.bytes() as u64, number("index header"));
    let (batch, record) = (Structure::of("## Batch header"), Structure::of("## Record"));
    let store = Store::new(Threads::None);
    // Two segments of the least sizes and a little: 15, then 31 blocks of one append each.
    for n in 0..50u32 {
        let tag = Tag::new(["red", "blue"][n as usize % 2]).unwrap();
        let kind = if n % 5 == 0 { "Fifth" } else { "A" };
        store.append(&format!("s-{}", n % 4), [event(kind, "{}").with_tags([tag]).unwrap()]);
    }
    store.log.pump().unwrap();
    let events = store.events();
    let mut first_position = 0;
    for number_of_segment in [1u64, 2] {
        let segment = store.file(&format!("segments/{number_of_segment:010}.seg"));
        let index = store.file(&format!("index/{number_of_segment:010}.idx"));
        assert_eq!(header.text(&index, "magic"), "factidx1");
        assert_eq!(header.number(&index, "format"), number("index format"));
        assert_eq!(header.number(&index, "segment"), number_of_segment);
        assert_eq!(header.field(&index, "store id"), store.id().as_bytes());
        assert_eq!(header.number(&index, "first position"), first_position);
        let crc_at = header.bytes() - 4;
        let crc =
            u64::from(crc32c::crc32c_append(crc32c::crc32c(&index[..crc_at]), &index[header.bytes()..]));
        assert_eq!(header.number(&index, "crc32c"), crc);
        let [count, batches, streams, key_count] =
            ["events", "batches", "streams", "keys"].map(|name| header.number(&index, name) as usize);
        let table_at = header.bytes() + batches * directory.bytes();
        let keys_at = table_at + streams * table.bytes();
        let records_at = keys_at + key_count * keys.bytes();
        let postings_at = records_at + count * records.bytes();
        // So few events have ordinals of one byte.
        let width =
            rows("## Postings").iter().find(|row| row[0] == "256").unwrap()[1].parse::<usize>().unwrap();
        assert_eq!(width, 1);
        let ordinal = |at: usize| usize::from(index[postings_at + at]);
        let here = &events[first_position as usize..first_position as usize + count];
        let recorded = |event: &RecordedEvent| event.recorded_at.as_micros() as u64;
        assert_eq!(header.number(&index, "first recorded at"), recorded(&here[0]));
        assert_eq!(header.number(&index, "last recorded at"), recorded(&here[count - 1]));

        for n in 0..batches {
            let entry = &index[header.bytes() + n * directory.bytes()..];
            let found = &segment[directory.number(entry, "offset") as usize..];
            assert_eq!(batch.text(found, "magic"), "fbat");
            for field in ["first position", "recorded at"] {
                assert_eq!(directory.number(entry, field), batch.number(found, field));
            }
            if n + 1 == batches {
                assert_eq!(header.number(&index, "last sequence"), batch.number(found, "sequence"));
                assert_eq!(header.number(&index, "last crc"), batch.number(found, "crc32c"));
                let end = directory.number(entry, "offset") + number("block");
                assert_eq!(header.number(&index, "end offset"), end);
            }
        }
        let mut last_hash = 0;
        for n in 0..streams {
            let entry = &index[table_at + n * table.bytes()..];
            let hash = u128::from_le_bytes(table.field(entry, "hash").try_into().unwrap());
            assert!(hash > last_hash, "sorted");
            last_hash = hash;
            let is_its = |event: &&RecordedEvent| {
                xxh3_128_with_seed(event.stream.as_str().as_bytes(), store.secret()) == hash
            };
            let its: Vec<_> = here.iter().filter(is_its).collect();
            assert_eq!(table.number(entry, "count"), its.len() as u64);
            assert_eq!(table.number(entry, "first revision"), its[0].revision.get());
            assert_eq!(table.number(entry, "older segment"), number_of_segment - 1);
            for (n, event) in its.iter().enumerate() {
                let at = table.number(entry, "postings") as usize + n;
                assert_eq!(first_position + ordinal(at) as u64, event.position.get());
            }
        }
        for (n, event) in here.iter().enumerate() {
            let offset = records.number(&index[records_at + n * records.bytes()..], "offset");
            let found = &segment[(offset * number("record alignment")) as usize..];
            assert_eq!(record.number(found, "position"), event.position.get());
        }
        let hash =
            |seed: u64, text: &str| xxh3_128_with_seed(text.as_bytes(), store.secret().wrapping_add(seed));
        type Has = fn(&RecordedEvent) -> bool;
        let mut expected: Vec<(u128, Has)> = vec![
            (hash(1, "s"), |_| true),
            (hash(2, "A"), |event| event.event_type.as_str() == "A"),
            (hash(2, "Fifth"), |event| event.event_type.as_str() == "Fifth"),
            (hash(3, "red"), |event| event.tags.iter().any(|tag| tag == "red")),
            (hash(3, "blue"), |event| event.tags.iter().any(|tag| tag == "blue")),
            (hash(4, ""), |event| event.revision.get() == 0),
        ];
        expected.retain(|(_, has)| here.iter().any(has));
        expected.sort_by_key(|(hash, _)| *hash);
        assert_eq!(key_count, expected.len());
        let mut stored = count;
        for (n, (hash, has)) in expected.iter().enumerate() {
            let entry = &index[keys_at + n * keys.bytes()..];
            assert_eq!(u128::from_le_bytes(keys.field(entry, "hash").try_into().unwrap()), *hash, "sorted");
            let its: Vec<usize> = (0..count).filter(|n| has(&here[*n])).collect();
            assert_eq!(keys.number(entry, "count"), its.len() as u64);
            let first = keys.number(entry, "postings") as usize;
            if its.len() == count {
                assert_eq!(first, 0, "every event has it: nothing is stored");
                continue;
            }
            assert_eq!(count + first, stored);
            let found: Vec<usize> = (0..its.len()).map(|n| ordinal(stored + n)).collect();
            assert_eq!(found, its);
            stored += its.len();
        }
        assert_eq!(index.len(), postings_at + stored * width);
        first_position += count as u64;
    }
    assert!(first_position < events.len() as u64, "the third segment is being filled");
}

#[test]
fn appends_are_as_large_as_the_page_says() {
    let limit = |first: u64, parts: &[usize]| {
        let options = LogOptions {
            threads: Threads::None,
            segment_bytes_first: first,
            segment_bytes_max: first,
            zero_segments: false,
            ..LogOptions::default()
        };
        let log = Log::open_on(Arc::new(MemoryDisk::new()), options).unwrap();
        let events =
            parts.iter().map(|bytes| NewEvent::new(EventType::new("A").unwrap(), vec![b' '; *bytes]));
        let stream = StreamName::new("s").unwrap();
        match log.append(Append::to(stream, ExpectedRevision::Any, events)) {
            Err(AppendError::Invalid(InvalidAppend::TooLarge { limit, .. })) => limit,
            other => panic!("{other:?}"),
        }
    };
    let (least, block) = (number("least segment size"), number("block"));
    assert_eq!(limit(least, &[least as usize]), least - 3 * block);
    let third = 12 << 20;
    assert_eq!(limit(64 << 20, &[third, third, third]), number("largest append"));
    assert_eq!(NewEvent::BYTES_MAX, number("largest event"));
    assert_eq!(StreamName::BYTES_MAX as u64, number("longest stream name"));
    assert_eq!(EventType::BYTES_MAX as u64, number("longest event type"));
    assert_eq!(Tag::BYTES_MAX as u64, number("longest tag"));
    assert_eq!(factum_core::Tags::COUNT_MAX as u64, number("most tags of an event"));
}

#[test]
fn the_worked_example_is_what_the_first_format_wrote() {
    let bytes = fs::read(super::formats::formats().join("v1/store/segments/0000000001.seg")).unwrap();
    let mut shown = 0;
    for line in section("## Worked example") {
        let Some((at, rest)) = line.split_once("  ") else { continue };
        let Ok(at) = usize::from_str_radix(at, 16) else { continue };
        let hex = rest.split('|').next().unwrap().split_whitespace();
        for (n, byte) in hex.enumerate() {
            assert_eq!(u8::from_str_radix(byte, 16).unwrap(), bytes[at + n], "byte {}", at + n);
            shown += 1;
        }
    }
    assert!(shown >= 160, "{shown} bytes are shown");
}
