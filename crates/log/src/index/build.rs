//! Builds the bytes of an index file, which [`super::sealed`] draws.
//!
//! The same log gives the same bytes: streams and keys stand in the order of
//! their hashes, ordinals ascend, and nothing else is written.

use uuid::Uuid;

use super::keys::KeyHash;
use super::live::LiveSegment;
use super::postings::{self, width};
use super::sealed::{
    CRC_AT, DIRECTORY_ENTRY_BYTES, INDEX_FORMAT, INDEX_HEADER_BYTES, INDEX_MAGIC, KEY_ENTRY_BYTES,
    RECORD_ENTRY_BYTES, STREAM_ENTRY_BYTES, SegmentEnd, checksum,
};
use crate::segment::BatchEntry;
use crate::segment::format::put;

/// Of a whole segment.
pub fn build(store: Uuid, segment: &LiveSegment, batches: &[BatchEntry], end: SegmentEnd) -> Vec<u8> {
    let events = segment.records.len();
    let mut by_stream: Vec<u32> = (0..events as u32).collect();
    by_stream.sort_unstable_by_key(|ordinal| (segment.records[*ordinal as usize].stream(), *ordinal));
    let streams: Vec<&[u32]> = by_stream
        .chunk_by(|a, b| segment.records[*a as usize].stream() == segment.records[*b as usize].stream())
        .collect();
    let by_key = keys_of(segment);
    let keys: Vec<&[Posting]> = by_key.chunk_by(|a, b| a.key == b.key).collect();
    let length = INDEX_HEADER_BYTES
        + batches.len() * DIRECTORY_ENTRY_BYTES
        + streams.len() * STREAM_ENTRY_BYTES
        + keys.len() * KEY_ENTRY_BYTES
        + events * RECORD_ENTRY_BYTES
        + (events + by_key.len()) * width(events);
    let mut bytes = Vec::with_capacity(length);
    bytes.resize(INDEX_HEADER_BYTES, 0);
    put(&mut bytes, 0, &INDEX_MAGIC.to_le_bytes());
    put(&mut bytes, 8, &INDEX_FORMAT.to_le_bytes());
    put(&mut bytes, 12, &segment.number.to_le_bytes());
    put(&mut bytes, 16, store.as_bytes());
    put(&mut bytes, 32, &segment.first_position.to_le_bytes());
    let recorded_at =
        |batch: Option<&BatchEntry>| batch.map_or(i64::MIN, |batch| batch.recorded_at.as_micros());
    put(&mut bytes, 40, &recorded_at(batches.first()).to_le_bytes());
    put(&mut bytes, 48, &recorded_at(batches.last()).to_le_bytes());
    put(&mut bytes, 56, &end.end_offset.to_le_bytes());
    put(&mut bytes, 64, &end.last_sequence.to_le_bytes());
    put(&mut bytes, 72, &end.last_crc.to_le_bytes());
    for (at, count) in [(76, events), (80, batches.len()), (84, streams.len()), (88, keys.len())] {
        put(&mut bytes, at, &(count as u32).to_le_bytes());
    }
    for batch in batches {
        bytes.extend_from_slice(&batch.first_position.to_le_bytes());
        bytes.extend_from_slice(&batch.recorded_at.as_micros().to_le_bytes());
        bytes.extend_from_slice(&batch.offset.to_le_bytes());
    }
    let mut postings = 0u32;
    for stream in &streams {
        let first = &segment.records[stream[0] as usize];
        bytes.extend_from_slice(&first.stream().to_le_bytes());
        bytes.extend_from_slice(&first.revision.to_le_bytes());
        bytes.extend_from_slice(&(stream.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&postings.to_le_bytes());
        bytes.extend_from_slice(&first.older_segment().unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        postings += stream.len() as u32;
    }
    let mut postings = 0u32;
    for key in &keys {
        let stored = if key.len() == events { 0 } else { key.len() as u32 };
        bytes.extend_from_slice(&key[0].key().to_le_bytes());
        bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(if stored == 0 { 0 } else { postings }).to_le_bytes());
        postings += stored;
    }
    for record in &segment.records {
        bytes.extend_from_slice(&record.offset.to_le_bytes());
    }
    for ordinal in &by_stream {
        postings::put(*ordinal, width(events), &mut bytes);
    }
    for posting in keys.into_iter().filter(|key| key.len() != events).flatten() {
        postings::put(posting.ordinal, width(events), &mut bytes);
    }
    let crc = checksum(&bytes);
    put(&mut bytes, CRC_AT, &crc.to_le_bytes());
    bytes
}

/// That a record has a key. In words, so that it takes 24 bytes and not 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Posting {
    key: [u64; 2],
    ordinal: u32,
}

impl Posting {
    fn key(&self) -> KeyHash {
        KeyHash::from(self.key[0]) << 64 | KeyHash::from(self.key[1])
    }
}

/// All of a segment, in the order of their keys, and of their ordinals.
fn keys_of(segment: &LiveSegment) -> Vec<Posting> {
    let mut postings: Vec<Posting> = (0..segment.records.len())
        .flat_map(|ordinal| {
            segment
                .keys_of(ordinal)
                .iter()
                .map(move |key| Posting { key: [(key >> 64) as u64, *key as u64], ordinal: ordinal as u32 })
        })
        .collect();
    postings.sort_unstable();
    // Only what was written by something else names a tag twice.
    postings.dedup();
    postings
}

/// These bytes as an index of this segment, as far as a forger could go: the
/// identity, the length of its parts, and the checksum are right.
#[cfg(feature = "fuzzing")]
pub fn completed(bytes: &[u8], store: Uuid, segment: u32) -> Vec<u8> {
    use crate::segment::format::u32_at;

    let mut index = bytes.to_vec();
    index.resize(index.len().max(INDEX_HEADER_BYTES), 0);
    put(&mut index, 0, &INDEX_MAGIC.to_le_bytes());
    put(&mut index, 8, &INDEX_FORMAT.to_le_bytes());
    put(&mut index, 12, &segment.to_le_bytes());
    put(&mut index, 16, store.as_bytes());
    let mut left = index.len() - INDEX_HEADER_BYTES;
    let mut take = |wanted: u8, size: usize| {
        let count = usize::from(wanted).min(left / size);
        left -= count * size;
        count
    };
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let streams = take(byte(0), STREAM_ENTRY_BYTES);
    let keys = take(byte(1), KEY_ENTRY_BYTES);
    let batches = take(byte(2) / 16, DIRECTORY_ENTRY_BYTES);
    // Each with its offset and its place in a stream.
    let events = take(byte(3), RECORD_ENTRY_BYTES + 1);
    for (at, count) in [(76, events), (80, batches), (84, streams), (88, keys)] {
        put(&mut index, at, &(count as u32).to_le_bytes());
    }
    let streams_at = INDEX_HEADER_BYTES + batches * DIRECTORY_ENTRY_BYTES;
    let keys_at = streams_at + streams * STREAM_ENTRY_BYTES;
    // Half of them are left as wrong as they are.
    if byte(4) % 2 == 0 {
        let counts = (0..streams).flat_map(|n| [24, 28].map(|at| streams_at + n * STREAM_ENTRY_BYTES + at));
        for field in counts {
            let number = u32_at(&index, field).unwrap_or_default() % (events as u32 / 2 + 1);
            put(&mut index, field, &number.to_le_bytes());
        }
    }
    let mut postings = 0u32;
    for key in 0..keys {
        let at = keys_at + key * KEY_ENTRY_BYTES + 16;
        let count = u32_at(&index, at).unwrap_or_default() % (events as u32 + 1);
        put(&mut index, at, &count.to_le_bytes());
        if byte(4) % 2 == 0 {
            put(&mut index, at + 4, &postings.to_le_bytes());
        }
        postings += if count as usize == events { 0 } else { count };
    }
    let length = keys_at + keys * KEY_ENTRY_BYTES + events * (RECORD_ENTRY_BYTES + 1) + postings as usize;
    index.resize(length, byte(5));
    let crc = checksum(&index);
    put(&mut index, CRC_AT, &crc.to_le_bytes());
    index
}
