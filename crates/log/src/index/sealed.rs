//! The index file of a sealed segment: `index/NNNNNNNNNN.idx`.
//!
//! ```text
//!   0  magic u64         8  format u32       12  segment u32     16  store id [16]
//!  32  first_position u64                    40  first_recorded_at i64 (µs)
//!  48  last_recorded_at i64                  56  end_offset u64
//!  64  last_sequence u64                     72  last_crc u32    76  events u32
//!  80  batches u32      84  streams u32      88  zeros           92  crc32c u32
//!  96  batch directory: first_position u64, recorded_at i64, offset u64     × batches
//!      stream table, by hash: hash [16], first_revision u64, count u32,
//!                             postings u32, older_segment u32, zeros u32    × streams
//!      postings: offset of each record, in units of 8 bytes, u32            × events
//! ```
//!
//! The crc covers everything but itself. `last_sequence` and `last_crc` are
//! those of the segment's last batch: by them an index can only ever match the
//! exact bytes it was built from, and the next segment's first batch, which
//! carries the same checksum, confirms both. A stream's `postings` is where its
//! offsets begin; `older_segment` is the next older segment with events of it,
//! 0 for none.

use std::io;

use bytes::Bytes;
use factum_core::{StorageError, Timestamp};
use uuid::Uuid;

use super::live::LiveSegment;
use crate::disk::{Disk, read_exact_at, write_all_at};
use crate::secret::StreamHash;
use crate::segment::format::{FORMAT, bytes16_at, i64_at, put, u32_at, u64_at};
use crate::segment::{BatchEntry, io_error};

/// Directory of the index files.
pub const INDEX_DIR: &str = "index";
/// First bytes of an index file: `factidx1`.
pub const INDEX_MAGIC: u64 = u64::from_le_bytes(*b"factidx1");
/// Length of the header.
pub const INDEX_HEADER_BYTES: usize = 96;
const CRC_AT: usize = 92;
/// Length of an entry of the batch directory.
pub const DIRECTORY_ENTRY_BYTES: usize = 24;
/// Length of an entry of the stream table.
pub const STREAM_ENTRY_BYTES: usize = 40;
/// Length of a posting.
pub const POSTING_BYTES: usize = 4;

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
    events: usize,
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

/// Builds the bytes of an index. The same log gives the same bytes.
pub fn build(store: Uuid, segment: &LiveSegment, batches: &[BatchEntry], end: SegmentEnd) -> Vec<u8> {
    let mut order: Vec<u32> = (0..segment.records.len() as u32).collect();
    order.sort_unstable_by_key(|ordinal| (segment.records[*ordinal as usize].stream(), *ordinal));
    let groups: Vec<&[u32]> = order
        .chunk_by(|a, b| segment.records[*a as usize].stream() == segment.records[*b as usize].stream())
        .collect();
    let length = INDEX_HEADER_BYTES
        + batches.len() * DIRECTORY_ENTRY_BYTES
        + groups.len() * STREAM_ENTRY_BYTES
        + order.len() * POSTING_BYTES;
    let mut bytes = Vec::with_capacity(length);
    bytes.resize(INDEX_HEADER_BYTES, 0);
    put(&mut bytes, 0, &INDEX_MAGIC.to_le_bytes());
    put(&mut bytes, 8, &FORMAT.to_le_bytes());
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
    put(&mut bytes, 76, &(order.len() as u32).to_le_bytes());
    put(&mut bytes, 80, &(batches.len() as u32).to_le_bytes());
    put(&mut bytes, 84, &(groups.len() as u32).to_le_bytes());
    for batch in batches {
        bytes.extend_from_slice(&batch.first_position.to_le_bytes());
        bytes.extend_from_slice(&batch.recorded_at.as_micros().to_le_bytes());
        bytes.extend_from_slice(&batch.offset.to_le_bytes());
    }
    let mut postings = 0u32;
    for group in &groups {
        let first = &segment.records[group[0] as usize];
        bytes.extend_from_slice(&first.stream().to_le_bytes());
        bytes.extend_from_slice(&first.revision.to_le_bytes());
        bytes.extend_from_slice(&(group.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&postings.to_le_bytes());
        bytes.extend_from_slice(&first.older_segment().unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        postings += group.len() as u32;
    }
    for ordinal in &order {
        bytes.extend_from_slice(&segment.records[*ordinal as usize].offset.to_le_bytes());
    }
    let crc = checksum(&bytes);
    put(&mut bytes, CRC_AT, &crc.to_le_bytes());
    bytes
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..CRC_AT]), &bytes[CRC_AT + 4..])
}

/// These bytes as an index of this segment, as far as a forger could go: the
/// identity, the length of its parts, and the checksum are right.
#[cfg(feature = "fuzzing")]
pub fn completed(bytes: &[u8], store: Uuid, segment: u32) -> Vec<u8> {
    let mut index = bytes.to_vec();
    index.resize(index.len().max(INDEX_HEADER_BYTES), 0);
    put(&mut index, 0, &INDEX_MAGIC.to_le_bytes());
    put(&mut index, 8, &FORMAT.to_le_bytes());
    put(&mut index, 12, &segment.to_le_bytes());
    put(&mut index, 16, store.as_bytes());
    let content = index.len() - INDEX_HEADER_BYTES;
    let streams = usize::from(bytes.first().copied().unwrap_or_default()).min(content / STREAM_ENTRY_BYTES);
    let left = content - streams * STREAM_ENTRY_BYTES;
    let batches =
        (usize::from(bytes.last().copied().unwrap_or_default()) / 16).min(left / DIRECTORY_ENTRY_BYTES);
    let events = (left - batches * DIRECTORY_ENTRY_BYTES) / POSTING_BYTES;
    put(&mut index, 76, &(events as u32).to_le_bytes());
    put(&mut index, 80, &(batches as u32).to_le_bytes());
    put(&mut index, 84, &(streams as u32).to_le_bytes());
    index.truncate(
        INDEX_HEADER_BYTES
            + batches * DIRECTORY_ENTRY_BYTES
            + streams * STREAM_ENTRY_BYTES
            + events * POSTING_BYTES,
    );
    for stream in 0..streams {
        let at = INDEX_HEADER_BYTES + batches * DIRECTORY_ENTRY_BYTES + stream * STREAM_ENTRY_BYTES;
        // Half of them are left as wrong as they are.
        if bytes.get(1).is_some_and(|byte| byte % 2 == 0) {
            for field in [at + 24, at + 28] {
                let number = u32_at(&index, field).unwrap_or_default() % (events as u32 / 2 + 1);
                put(&mut index, field, &number.to_le_bytes());
            }
        }
    }
    let crc = checksum(&index);
    put(&mut index, CRC_AT, &crc.to_le_bytes());
    index
}

impl SealedIndex {
    /// Takes the bytes of an index file of this segment of this store; the
    /// text says what is wrong with them.
    pub fn from_bytes(bytes: Bytes, store: Uuid, segment: u32) -> Result<Self, String> {
        let field = |at| u32_at(&bytes, at).unwrap_or_default();
        if bytes.len() < INDEX_HEADER_BYTES || u64_at(&bytes, 0) != Some(INDEX_MAGIC) {
            return Err("this is not an index".into());
        }
        if field(8) > FORMAT {
            return Err(format!("its format is {}, newer than {FORMAT}", field(8)));
        }
        if bytes16_at(&bytes, 16) != Some(*store.as_bytes()) {
            return Err("it belongs to another store".into());
        }
        if field(12) != segment {
            return Err(format!("it belongs to segment {}", field(12)));
        }
        let (events, batches, streams) = (field(76) as usize, field(80) as usize, field(84) as usize);
        let length = INDEX_HEADER_BYTES
            + batches * DIRECTORY_ENTRY_BYTES
            + streams * STREAM_ENTRY_BYTES
            + events * POSTING_BYTES;
        if bytes.len() != length {
            return Err(format!("it has {} bytes instead of {length}", bytes.len()));
        }
        if checksum(&bytes) != field(CRC_AT) {
            return Err("its checksum does not match".into());
        }
        let index = Self { bytes, batches, streams, events };
        // What is looked up later costs as much as it says there is.
        let is_inside = |stream: StreamEntry| {
            stream.postings as usize + stream.count as usize <= events
                && stream.first_revision.checked_add(u64::from(stream.count)).is_some()
        };
        if !(0..streams).all(|at| is_inside(index.stream(at))) {
            return Err("a stream has more events than there are".into());
        }
        Ok(index)
    }

    /// Reads a segment's index; `Ok(Err(..))` says why it cannot be used,
    /// which only means that it must be built again.
    pub fn load(disk: &dyn Disk, store: Uuid, segment: u32) -> Result<Result<Self, String>, StorageError> {
        let name = file_name(segment);
        let failed = |error| io_error("read", &name, error);
        let file = match disk.open(&name, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err("it is missing".into())),
            Err(error) => return Ok(Err(error.to_string())),
        };
        // An index is a small part of its segment; one that is not is no index.
        let length = file.bytes().map_err(failed)?;
        if length > 1 << 32 {
            return Ok(Err(format!("it has {length} bytes")));
        }
        let mut bytes = vec![0; length as usize];
        match read_exact_at(&*file, &mut bytes, 0) {
            Ok(()) => Ok(Self::from_bytes(bytes.into(), store, segment)),
            Err(error) => Ok(Err(error.to_string())),
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

    /// Where the `index`-th event of a stream here is; see [`super::units_to_offset`].
    pub fn posting(&self, stream: &StreamEntry, index: u32) -> u32 {
        let at = self.stream_at(self.streams) + (stream.postings as usize + index as usize) * POSTING_BYTES;
        u32_at(&self.bytes, at).unwrap_or_default()
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
