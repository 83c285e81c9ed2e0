//! Builds the bytes of an index file, which [`super::sealed`] draws.
//!
//! The same log gives the same bytes: streams and keys stand in the order of
//! their hashes, ordinals ascend, and nothing else is written.

use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use uuid::Uuid;

use super::keys::{KeyHash, LOST};
use super::live::{AlreadyHashed, LiveSegment};
use super::postings::{self, width};
use super::sealed::{
    CRC_AT, DIRECTORY_ENTRY_BYTES, INDEX_FORMAT, INDEX_HEADER_BYTES, INDEX_MAGIC, KEY_ENTRY_BYTES,
    RECORD_ENTRY_BYTES, STREAM_ENTRY_BYTES, SegmentEnd, checksum,
};
use crate::segment::BatchEntry;
use crate::segment::format::put;

/// Of a whole segment, none of whose records is lost.
pub fn build(store: Uuid, segment: &LiveSegment, batches: &[BatchEntry], end: SegmentEnd) -> Vec<u8> {
    let events = segment.records.len();
    let streams = streams_of(segment);
    let keys = keys_of(segment);
    let of_keys = keys.postings_but_for_every(events);
    let postings_at = INDEX_HEADER_BYTES
        + batches.len() * DIRECTORY_ENTRY_BYTES
        + streams.groups.len() * STREAM_ENTRY_BYTES
        + keys.groups.len() * KEY_ENTRY_BYTES
        + events * RECORD_ENTRY_BYTES;
    let mut bytes = Vec::with_capacity(postings_at + (events + of_keys) * width(events));
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
    let counts = [(76, events), (80, batches.len()), (84, streams.groups.len()), (88, keys.groups.len())];
    for (at, count) in counts {
        put(&mut bytes, at, &(count as u32).to_le_bytes());
    }
    for batch in batches {
        bytes.extend_from_slice(&batch.first_position.to_le_bytes());
        bytes.extend_from_slice(&batch.recorded_at.as_micros().to_le_bytes());
        bytes.extend_from_slice(&batch.offset.to_le_bytes());
    }
    let mut begins = vec![0; streams.groups.len()];
    let mut postings = 0u32;
    for number in streams.in_order() {
        let Group { first, count, .. } = streams.groups[number as usize];
        let record = &segment.records[first as usize];
        bytes.extend_from_slice(&record.stream().to_le_bytes());
        bytes.extend_from_slice(&record.revision.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&postings.to_le_bytes());
        bytes.extend_from_slice(&record.older_segment().unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        begins[number as usize] = postings;
        postings += count;
    }
    let mut key_begins = vec![0; keys.groups.len()];
    let mut postings = 0u32;
    for number in keys.in_order() {
        let Group { hash, count, .. } = keys.groups[number as usize];
        let is_every = count as usize == events;
        bytes.extend_from_slice(&hash.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&(if is_every { 0 } else { postings }).to_le_bytes());
        key_begins[number as usize] = if is_every { UNSTORED } else { events as u32 + postings };
        postings += if is_every { 0 } else { count };
    }
    for record in segment.records.iter() {
        bytes.extend_from_slice(&record.offset.to_le_bytes());
    }
    bytes.resize(postings_at + (events + of_keys) * width(events), 0);
    let postings = &mut bytes[postings_at..];
    streams.put_postings(begins, 0..events as u32, postings, width(events));
    keys.put_postings(key_begins, segment.ordinals_of_keys(), postings, width(events));
    let crc = checksum(&bytes);
    put(&mut bytes, CRC_AT, &crc.to_le_bytes());
    bytes
}

/// In place of a group's number, or of where its ordinals begin: not written.
const UNSTORED: u32 = u32::MAX;

/// Records by what they have in common. They are numbered as they are first met
/// and only the groups are sorted: of those there are fewer.
struct Groups {
    groups: Vec<Group>,
    /// Of each posting, by ordinals: the number of its group.
    members: Vec<u32>,
}

/// Records with one thing in common.
struct Group {
    hash: u128,
    first: u32,
    last: u32,
    count: u32,
}

impl Groups {
    fn with_room(postings: usize) -> Self {
        Self { groups: Vec::new(), members: Vec::with_capacity(postings) }
    }

    fn begin(&mut self, hash: u128, ordinal: u32) -> u32 {
        let number = self.groups.len() as u32;
        self.groups.push(Group { hash, first: ordinal, last: ordinal, count: 1 });
        self.members.push(number);
        number
    }

    fn add(&mut self, number: u32, ordinal: u32) {
        let group = &mut self.groups[number as usize];
        // Only what was written by something else names a tag twice.
        let is_again = group.last == ordinal;
        self.members.push(if is_again { UNSTORED } else { number });
        (group.last, group.count) = (ordinal, group.count + u32::from(!is_again));
    }

    /// The numbers of the groups, in the order of their hashes.
    fn in_order(&self) -> impl Iterator<Item = u32> {
        // In words, so that one takes 24 bytes and not 32.
        let words = |hash: u128| [(hash >> 64) as u64, hash as u64];
        let mut order: Vec<([u64; 2], u32)> =
            (0..).zip(&self.groups).map(|(number, group)| (words(group.hash), number)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, number)| number)
    }

    /// How many postings there are but for the groups of all records.
    fn postings_but_for_every(&self, events: usize) -> usize {
        self.groups.iter().map(|group| group.count as usize).filter(|count| *count != events).sum()
    }

    /// Writes the ordinals of each group from where it begins on; `ordinals` are
    /// those of all members.
    fn put_postings(
        &self,
        mut next: Vec<u32>,
        ordinals: impl Iterator<Item = u32>,
        bytes: &mut [u8],
        width: usize,
    ) {
        for (number, ordinal) in self.members.iter().zip(ordinals) {
            if let Some(next) = next.get_mut(*number as usize).filter(|next| **next != UNSTORED) {
                postings::put(bytes, *next as usize, width, ordinal);
                *next += 1;
            }
        }
    }
}

/// By their streams: each record says which was the one before it.
fn streams_of(segment: &LiveSegment) -> Groups {
    let mut streams = Groups::with_room(segment.records.len());
    for (ordinal, record) in (0..).zip(segment.records.iter()) {
        match record.previous_here() {
            // Of streams, every record has one posting.
            Some(previous) => streams.add(streams.members[previous as usize], ordinal),
            None => {
                streams.begin(record.stream(), ordinal);
            }
        }
    }
    streams
}

/// By their keys.
fn keys_of(segment: &LiveSegment) -> Groups {
    let mut keys = Groups::with_room(segment.keys_len());
    let mut numbers: HashMap<KeyHash, u32, BuildHasherDefault<AlreadyHashed>> = HashMap::default();
    // Of the record before, at the same places: types and categories are few, and
    // nearly always the same again.
    let mut before = [(LOST, UNSTORED); 4];
    for ordinal in 0..segment.records.len() as u32 {
        for (place, key) in segment.keys_of(ordinal as usize).enumerate() {
            if let Some((_, number)) =
                before.get(place).filter(|(known, number)| *known == key && *number != UNSTORED)
            {
                keys.add(*number, ordinal);
                continue;
            }
            let number = match numbers.entry(key) {
                Entry::Occupied(number) => {
                    keys.add(*number.get(), ordinal);
                    *number.get()
                }
                Entry::Vacant(entry) => *entry.insert(keys.begin(key, ordinal)),
            };
            if let Some(known) = before.get_mut(place) {
                *known = (key, number);
            }
        }
    }
    keys
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
