//! The index file of a sealed segment: `index/NNNNNNNNNN.idx`.
//!
//! ```text
//!   0  magic u64         8  format u32       12  segment u32     16  store id [16]
//!  32  first_position u64                    40  first_recorded_at i64 (µs)
//!  48  last_recorded_at i64                  56  end_offset u64
//!  64  last_sequence u64                     72  last_crc u32    76  events u32
//!  80  batches u32      84  streams u32      88  keys u32        92  crc32c u32
//!  96  batch directory: first_position u64, recorded_at i64, offset u64     × batches
//!      stream table, by hash: hash [16], first_revision u64, count u32,
//!                             postings u32, older_segment u32, zeros u32    × streams
//!      key table, by hash: hash [16], count u32, postings u32               × keys
//!      record table: offset of each record, in units of 8 bytes, u32        × events
//!      postings of the streams, then of the keys: ordinals
//! ```
//!
//! The crc covers everything but itself. `last_sequence` and `last_crc` are
//! those of the segment's last batch: by them an index can only ever match the
//! exact bytes it was built from, and the next segment's first batch, which
//! carries the same checksum, confirms both. `postings` is where a stream's or a
//! key's ordinals begin, counted in ordinals (see [`postings`](super::postings));
//! a key that every record has needs none. `older_segment` is the next older
//! segment with events of a stream, 0 for none.

use std::io;

use bytes::Bytes;
use factum_core::{StorageError, Timestamp};
use uuid::Uuid;

use super::keys::KeyHash;
use super::postings::{List, width};
use crate::disk::{Disk, read_exact_at, write_all_at};
use crate::secret::StreamHash;
use crate::segment::format::{bytes16_at, i64_at, u32_at, u64_at};
use crate::segment::{BatchEntry, io_error};

/// Directory of the index files.
pub const INDEX_DIR: &str = "index";
/// First bytes of an index file: `factidx1`.
pub const INDEX_MAGIC: u64 = u64::from_le_bytes(*b"factidx1");
/// The format of index files this program writes, and the only one it takes:
/// others are built again.
pub const INDEX_FORMAT: u32 = 2;
/// Length of the header.
pub const INDEX_HEADER_BYTES: usize = 96;
pub(super) const CRC_AT: usize = 92;
/// Length of an entry of the batch directory.
pub const DIRECTORY_ENTRY_BYTES: usize = 24;
/// Length of an entry of the stream table.
pub const STREAM_ENTRY_BYTES: usize = 40;
/// Length of an entry of the key table.
pub const KEY_ENTRY_BYTES: usize = 24;
/// Length of an entry of the record table.
pub const RECORD_ENTRY_BYTES: usize = 4;

/// Name of a segment's index file.
pub fn file_name(segment: u32) -> String {
    format!("{INDEX_DIR}/{segment:010}.idx")
}

/// What an index is built from, besides the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SegmentEnd {
    /// Where the last batch ends.
    pub end_offset: u64,
    /// Sequence of the last batch.
    pub last_sequence: u64,
    /// Checksum of the last batch.
    pub last_crc: u32,
}

/// A whole index in memory.
#[derive(Debug)]
pub struct SealedIndex {
    bytes: Bytes,
    batches: usize,
    streams: usize,
    keys: usize,
    events: usize,
}

/// Why an index cannot be used, which only means that it must be built again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It was written by a program of another version.
    #[error("its format is {0} instead of {INDEX_FORMAT}")]
    OtherFormat(u32),
    /// It is not what it should be.
    #[error("{0}")]
    Wrong(String),
}

impl From<&str> for Unusable {
    fn from(what: &str) -> Self {
        Self::Wrong(what.to_owned())
    }
}

impl From<String> for Unusable {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

/// One stream's events in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamEntry {
    #[allow(missing_docs)]
    pub hash: StreamHash,
    #[allow(missing_docs)]
    pub first_revision: u64,
    /// How many of its events are here.
    pub count: u32,
    postings: u32,
    /// The next older segment with events of it.
    pub older_segment: Option<u32>,
}

/// One key's events in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEntry {
    #[allow(missing_docs)]
    pub hash: KeyHash,
    /// How many of the events here have it.
    pub count: u32,
    postings: u32,
}

/// The checksum of an index.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..CRC_AT]), &bytes[CRC_AT + 4..])
}

impl SealedIndex {
    /// Takes the bytes of an index file of this segment of this store.
    pub fn from_bytes(bytes: Bytes, store: Uuid, segment: u32) -> Result<Self, Unusable> {
        let field = |at| u32_at(&bytes, at).unwrap_or_default();
        if bytes.len() < INDEX_HEADER_BYTES || u64_at(&bytes, 0) != Some(INDEX_MAGIC) {
            return Err("this is not an index".into());
        }
        if field(8) != INDEX_FORMAT {
            return Err(Unusable::OtherFormat(field(8)));
        }
        if bytes16_at(&bytes, 16) != Some(*store.as_bytes()) {
            return Err("it belongs to another store".into());
        }
        if field(12) != segment {
            return Err(format!("it belongs to segment {}", field(12)).into());
        }
        let [events, batches, streams, keys] = [76, 80, 84, 88].map(|at| field(at) as usize);
        let index = Self { bytes, batches, streams, keys, events };
        let short =
            |length| Unusable::Wrong(format!("it has {} bytes instead of {length}", index.bytes.len()));
        let fixed = index.postings_at(0);
        if index.bytes.len() < fixed {
            return Err(short(fixed));
        }
        let of_keys: usize = (0..keys)
            .map(|at| index.key(at))
            .filter(|key| key.count as usize != events)
            .map(|key| key.count as usize)
            .sum();
        let length = fixed + (events + of_keys) * width(events);
        if index.bytes.len() != length {
            return Err(short(length));
        }
        if checksum(&index.bytes) != u32_at(&index.bytes, CRC_AT).unwrap_or_default() {
            return Err("its checksum does not match".into());
        }
        // What is looked up later costs as much as it says there is.
        let is_inside = |stream: StreamEntry| {
            stream.postings as usize + stream.count as usize <= events
                && stream.first_revision.checked_add(u64::from(stream.count)).is_some()
        };
        if !(0..streams).all(|at| is_inside(index.stream(at))) {
            return Err("a stream has more events than there are".into());
        }
        let is_inside = |key: KeyEntry| {
            key.count as usize == events
                || (key.count as usize) < events && key.postings as usize + key.count as usize <= of_keys
        };
        if !(0..keys).all(|at| is_inside(index.key(at))) {
            return Err("a key has more events than there are".into());
        }
        Ok(index)
    }

    /// Reads a segment's index; `Ok(Err(..))` says why it cannot be used,
    /// which only means that it must be built again.
    pub fn load(disk: &dyn Disk, store: Uuid, segment: u32) -> Result<Result<Self, Unusable>, StorageError> {
        let name = file_name(segment);
        let failed = |error| io_error("read", &name, error);
        let file = match disk.open(&name, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err("it is missing".into())),
            Err(error) => return Ok(Err(error.to_string().into())),
        };
        // An index is a small part of its segment; one that is not is no index.
        let length = file.bytes().map_err(failed)?;
        if length > 1 << 32 {
            return Ok(Err(format!("it has {length} bytes").into()));
        }
        let mut bytes = vec![0; length as usize];
        match read_exact_at(&*file, &mut bytes, 0) {
            Ok(()) => Ok(Self::from_bytes(bytes.into(), store, segment)),
            Err(error) => Ok(Err(error.to_string().into())),
        }
    }

    /// Its length.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    #[allow(missing_docs)]
    pub fn first_position(&self) -> u64 {
        u64_at(&self.bytes, 32).unwrap_or_default()
    }

    #[allow(missing_docs)]
    pub fn end_position(&self) -> u64 {
        self.first_position().saturating_add(self.events as u64)
    }

    #[allow(missing_docs)]
    pub fn last_recorded_at(&self) -> Timestamp {
        Timestamp::from_micros(i64_at(&self.bytes, 48).unwrap_or_default())
    }

    /// Of the segment it was built from.
    pub fn end(&self) -> SegmentEnd {
        SegmentEnd {
            end_offset: u64_at(&self.bytes, 56).unwrap_or_default(),
            last_sequence: u64_at(&self.bytes, 64).unwrap_or_default(),
            last_crc: u32_at(&self.bytes, 72).unwrap_or_default(),
        }
    }

    /// How many batches with events the segment has.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// One of its batches.
    pub fn batch(&self, index: usize) -> BatchEntry {
        let at = INDEX_HEADER_BYTES + index * DIRECTORY_ENTRY_BYTES;
        BatchEntry {
            first_position: u64_at(&self.bytes, at).unwrap_or_default(),
            recorded_at: Timestamp::from_micros(i64_at(&self.bytes, at + 8).unwrap_or_default()),
            offset: u64_at(&self.bytes, at + 16).unwrap_or_default(),
        }
    }

    /// How many streams have events in the segment.
    pub fn streams(&self) -> usize {
        self.streams
    }

    /// One of its streams, in the order of their hashes.
    pub fn stream(&self, index: usize) -> StreamEntry {
        let at = self.stream_at(index);
        StreamEntry {
            hash: self.hash(index),
            first_revision: u64_at(&self.bytes, at + 16).unwrap_or_default(),
            count: u32_at(&self.bytes, at + 24).unwrap_or_default(),
            postings: u32_at(&self.bytes, at + 28).unwrap_or_default(),
            older_segment: u32_at(&self.bytes, at + 32).filter(|number| *number != 0),
        }
    }

    fn stream_at(&self, index: usize) -> usize {
        INDEX_HEADER_BYTES + self.batches * DIRECTORY_ENTRY_BYTES + index * STREAM_ENTRY_BYTES
    }

    fn hash(&self, index: usize) -> StreamHash {
        StreamHash::from_le_bytes(bytes16_at(&self.bytes, self.stream_at(index)).unwrap_or_default())
    }

    /// A stream's events in the segment.
    pub fn find(&self, stream: StreamHash) -> Option<StreamEntry> {
        let (mut low, mut high) = (0, self.streams);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.hash(middle).cmp(&stream) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.stream(middle)),
            }
        }
        None
    }

    /// The ordinals of a stream's events, in the order of their revisions.
    pub fn stream_list(&self, stream: &StreamEntry) -> List<'_> {
        self.packed(0, stream.postings, stream.count)
    }

    /// How many keys events of the segment have.
    #[cfg(feature = "fuzzing")]
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// One of them, in the order of their hashes.
    pub fn key(&self, index: usize) -> KeyEntry {
        let at = self.key_at(index);
        KeyEntry {
            hash: self.key_hash(index),
            count: u32_at(&self.bytes, at + 16).unwrap_or_default(),
            postings: u32_at(&self.bytes, at + 20).unwrap_or_default(),
        }
    }

    fn key_at(&self, index: usize) -> usize {
        self.stream_at(self.streams) + index * KEY_ENTRY_BYTES
    }

    fn key_hash(&self, index: usize) -> KeyHash {
        KeyHash::from_le_bytes(bytes16_at(&self.bytes, self.key_at(index)).unwrap_or_default())
    }

    /// The ordinals of the events with a key, if there are any.
    pub fn key_list(&self, key: KeyHash) -> Option<List<'_>> {
        let (mut low, mut high) = (0, self.keys);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key_hash(middle) < key { low = middle + 1 } else { high = middle }
        }
        let entry = (low < self.keys).then(|| self.key(low)).filter(|entry| entry.hash == key)?;
        Some(match entry.count as usize == self.events {
            true => List::Every(entry.count),
            false => self.packed(self.events, entry.postings, entry.count),
        })
    }

    /// Where a record is; see [`super::units_to_offset`].
    pub fn record_offset(&self, ordinal: u32) -> u32 {
        let at = self.key_at(self.keys) + ordinal as usize * RECORD_ENTRY_BYTES;
        if (ordinal as usize) < self.events { u32_at(&self.bytes, at).unwrap_or_default() } else { 0 }
    }

    /// How many records the segment has.
    #[cfg(feature = "fuzzing")]
    pub fn events(&self) -> usize {
        self.events
    }

    /// Where the `index`-th posting is.
    fn postings_at(&self, index: usize) -> usize {
        self.key_at(self.keys) + self.events * RECORD_ENTRY_BYTES + index * width(self.events)
    }

    fn packed(&self, base: usize, first: u32, count: u32) -> List<'_> {
        let begin = self.postings_at(base + first as usize);
        let width = width(self.events);
        List::Packed { bytes: &self.bytes[begin..begin + count as usize * width], width }
    }
}

/// Writes an index file over whatever is there. Durable when it returns.
pub fn write(disk: &dyn Disk, segment: u32, bytes: &[u8]) -> Result<(), StorageError> {
    let (name, temporary) = (file_name(segment), format!("{}.tmp", file_name(segment)));
    let failed = |doing| {
        let name = name.clone();
        move |error| io_error(doing, &name, error)
    };
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove")(error)),
        _ => {}
    }
    let file = disk.create(&temporary).map_err(failed("create"))?;
    write_all_at(&*file, bytes, 0).map_err(failed("write"))?;
    file.sync().map_err(failed("flush"))?;
    disk.rename(&temporary, &name).map_err(failed("rename"))?;
    disk.sync_dir(INDEX_DIR).map_err(failed("flush"))
}
