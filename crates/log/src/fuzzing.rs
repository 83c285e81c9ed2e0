//! Doors to the decoders for the fuzz targets. Each takes any bytes, and must
//! neither panic nor take more room than the bytes give reason for.

use std::sync::Arc;

use bytes::Bytes;
use factum_core::{Direction, Timestamp};
use uuid::Uuid;

use crate::disk::{Disk, MemoryDisk, write_all_at};
use crate::index::build;
use crate::index::keys::Wanted;
use crate::index::sealed::{SealedIndex, Unusable};
use crate::index::search::Search;
use crate::segment::batch::{BatchHeader, Found, find, padded_bytes};
use crate::segment::format::{
    BATCH_HEADER_BYTES, BLOCK_BYTES, RECORD_ALIGN, SEGMENT_HEADER_BYTES, put, round_to_block,
};
use crate::segment::record::{RecordView, is_intact, records};
use crate::segment::scan::{Scan, Step};
use crate::segment::{SEGMENTS_DIR, Segment, file_name};
use crate::store_file::StoreFile;

const SALT: u32 = 7;
const SEGMENT: u32 = 1;

/// A segment whose first bytes after the header are these.
pub fn segment(bytes: &[u8]) {
    let disk = MemoryDisk::new();
    let file_bytes = SEGMENT_HEADER_BYTES + round_to_block(bytes.len() as u64) + BLOCK_BYTES;
    let made = disk.create_root().and_then(|_| disk.create_dir(SEGMENTS_DIR));
    let file = made.and_then(|()| disk.create(&file_name(SEGMENT))).expect("memory has room");
    file.allocate(file_bytes).expect("memory has room");
    write_all_at(&*file, bytes, SEGMENT_HEADER_BYTES).expect("memory has room");
    let mut scan = Scan::whole(Arc::new(Segment::new(SEGMENT, file, file_bytes, 0)), SALT);
    while scan.offset() < file_bytes {
        match scan.step().expect("memory can be read") {
            Step::Batch(header, _, bytes) => body(&header, &bytes),
            Step::Stop(_) => scan.skip_block(),
        }
    }
    if let Some(view) = RecordView::first(bytes) {
        record(&view, &Bytes::copy_from_slice(bytes), 0);
    }
}

/// The first bytes are a batch's header and the others its body, with a
/// checksum that is right.
pub fn sealed_batch(bytes: &[u8]) {
    let Some((header, content)) = bytes.split_at_checked(BATCH_HEADER_BYTES) else { return };
    let body_bytes = content.len();
    let mut batch = vec![0; padded_bytes(body_bytes as u64) as usize];
    put(&mut batch, BATCH_HEADER_BYTES, content);
    let field = |at: usize| crate::segment::format::u64_at(header, at).unwrap_or_default();
    let header = BatchHeader {
        flags: field(0) as u16,
        segment: SEGMENT,
        epoch: field(4) as u32,
        sequence: field(8),
        first_position: field(16),
        events: field(24) as u32,
        body_bytes: body_bytes as u32,
        recorded_at: Timestamp::from_micros(field(32) as i64),
        durable_sequence: field(40),
        previous_crc: field(48) as u32,
        crc: 0,
    };
    header.seal(&mut batch, SALT);
    let found = find(&batch, batch.len() as u64, SEGMENT, SALT);
    let Found::Batch(found) = found else { panic!("a sealed batch is {found:?}") };
    let _ = found.end_position();
    body(&found, &batch.into());
    segment(bytes);
}

fn body(header: &BatchHeader, bytes: &Bytes) {
    let end = BATCH_HEADER_BYTES + header.body_bytes as usize;
    let mut after = 0;
    for (at, view) in records(&bytes[BATCH_HEADER_BYTES..end]) {
        assert!(at >= after, "records lie one after another");
        after = at + RECORD_ALIGN;
        record(&view, bytes, BATCH_HEADER_BYTES + at);
    }
}

fn record(view: &RecordView<'_>, source: &Bytes, at: usize) {
    let _ = is_intact(view.bytes(), SALT);
    let _ = view.tag_texts().count();
    if let Some(event) = view.into_event(source, at) {
        assert_eq!(event.stream.as_str().as_bytes(), view.stream());
        let _ = (event.tags.iter().count(), event.detached());
    }
}

/// An index file, as it is, and with its identity and checksum made right.
pub fn index(bytes: &[u8]) {
    let store = Uuid::nil();
    look_up(SealedIndex::from_bytes(Bytes::copy_from_slice(bytes), store, SEGMENT));
    look_up(SealedIndex::from_bytes(build::completed(bytes, store, SEGMENT).into(), store, SEGMENT));
}

fn look_up(index: Result<SealedIndex, Unusable>) {
    let Ok(index) = index else { return };
    let _ = (index.first_position(), index.end_position(), index.last_recorded_at(), index.end());
    for at in 0..index.batches() {
        let _ = index.batch(at);
    }
    for at in 0..index.streams() {
        let stream = index.stream(at);
        let _ = index.find(stream.hash);
        let list = index.stream_list(&stream);
        for place in [0, list.len() / 2, list.len().saturating_sub(1)].into_iter().filter(|n| *n < list.len())
        {
            let _ = crate::index::units_to_offset(index.record_offset(list.at(place)));
        }
    }
    for at in 0..index.keys() {
        let hash = index.key(at).hash;
        let other = index.key(at / 2).hash;
        let one = Wanted { items: vec![vec![[hash].into_iter().collect()]], all: false };
        let both = Wanted {
            items: vec![vec![[hash].into_iter().collect(), [other].into_iter().collect()]],
            all: false,
        };
        for wanted in [one, both] {
            let search = Search::new(&wanted, |key| index.key_list(key));
            let end = index.events() as u32;
            for direction in [Direction::Forward, Direction::Backward] {
                assert!(search.matches(0..end, direction).count() <= index.events());
                let _ = search.nth(end / 3..end, direction, 1);
            }
            let _ = (search.count(0..end), search.meets_lost(&(0..end)));
        }
    }
}

/// A `STORE` file, as it is, and with its checksum made right.
pub fn store_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    use_store(&text);
    for first in ["", "factum store\nformat 1\n"] {
        let covered = format!("{first}{text}\n");
        use_store(&format!("{covered}crc32c {:08x}\n", crc32c::crc32c(covered.as_bytes())));
    }
    // Its numbers, which chance alone would seldom make.
    let number = |at| crate::segment::format::u64_at(bytes, at).unwrap_or_default();
    let covered = format!(
        "factum store\nformat 1\nid {}\nsecret {:x}\nsegment_bytes_first {}\nsegment_bytes_max {}\n",
        Uuid::nil(),
        number(0),
        number(8) >> (number(24) % 64),
        number(16) >> (number(32) % 64),
    );
    use_store(&format!("{covered}crc32c {:08x}\n", crc32c::crc32c(covered.as_bytes())));
}

fn use_store(text: &str) {
    if let Ok(store) = StoreFile::parse(text, "here") {
        assert!(store.append_bytes_max() > 0);
        for number in [1, 2, 3, 64, u32::MAX] {
            assert!(store.segment_bytes(number) >= store.append_bytes_max());
        }
    }
}
