//! Segments: the files the log is made of.
//!
//! Invariants:
//! - segment *n* holds batches only if the file of segment *n + 1* exists, so
//!   the loss of the newest files is noticed;
//! - its size never changes once it holds a batch;
//! - a batch never spans two segments, and an append never spans two batches.

pub mod batch;
pub mod format;
pub mod record;
pub mod scan;

use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use factum_core::{Position, StorageError, Timestamp};
use parking_lot::RwLock;

use crate::disk::{Disk, DiskFile, read_exact_at, write_all_at};
use crate::store_file::StoreFile;
use format::{
    FORMAT, SEGMENT_HEADER_BYTES, SEGMENT_HEADER_COPY_AT, SEGMENT_HEADER_USED, SEGMENT_MAGIC, put, u32_at,
    u64_at,
};

/// Directory of the segment files.
pub const SEGMENTS_DIR: &str = "segments";

/// Name of a segment's file.
pub fn file_name(number: u32) -> String {
    format!("{SEGMENTS_DIR}/{number:010}.seg")
}

/// The number in the name of a file in [`SEGMENTS_DIR`].
pub fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 10).then(|| digits.parse().ok()).flatten().filter(|number| *number > 0)
}

/// One segment of an open log.
pub struct Segment {
    /// Its number, from 1.
    pub number: u32,
    /// Size of its file.
    pub file_bytes: u64,
    /// Its file.
    pub file: Arc<dyn DiskFile>,
    /// What is committed in it; grows while it is open.
    committed: RwLock<Committed>,
    /// Set once it is full and has its index.
    sealed: OnceLock<()>,
}

/// The committed part of a segment.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Position of its first event (of the next one while it has none).
    pub first_position: u64,
    /// Position after its last event.
    pub end_position: u64,
    /// Where its last batch ends.
    pub end_offset: u64,
    /// When its last event was recorded.
    pub last_recorded_at: Timestamp,
    /// Its batches with events, in order. Emptied once it is sealed: then they
    /// are in the index.
    pub batches: Vec<BatchEntry>,
}

/// Where a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchEntry {
    #[allow(missing_docs)]
    pub first_position: u64,
    #[allow(missing_docs)]
    pub recorded_at: Timestamp,
    /// Where it begins in its segment.
    pub offset: u64,
}

impl Segment {
    /// A segment whose committed part begins at this position.
    pub fn new(number: u32, file: Arc<dyn DiskFile>, file_bytes: u64, first_position: u64) -> Self {
        let committed = Committed {
            first_position,
            end_position: first_position,
            end_offset: SEGMENT_HEADER_BYTES,
            last_recorded_at: Timestamp::MIN,
            batches: Vec::new(),
        };
        Self { number, file_bytes, file, committed: RwLock::new(committed), sealed: OnceLock::new() }
    }

    /// Name of its file.
    pub fn name(&self) -> String {
        file_name(self.number)
    }

    /// A look at the committed part.
    pub fn committed<T>(&self, look: impl FnOnce(&Committed) -> T) -> T {
        look(&self.committed.read())
    }

    /// Adds a committed batch; `end_offset` is where it ends.
    pub fn commit(&self, batch: BatchEntry, events: u32, end_offset: u64) {
        let mut committed = self.committed.write();
        if events > 0 {
            committed.batches.push(batch);
            committed.end_position = batch.first_position + u64::from(events);
            committed.last_recorded_at = batch.recorded_at;
        }
        committed.end_offset = end_offset;
    }

    /// Counts events that are lost in it among its own: reading them says so.
    pub fn lose_until(&self, end_position: u64) {
        self.committed.write().end_position = end_position;
    }

    /// Takes over what a sealed segment's index says of it.
    pub fn restore(&self, restored: Committed) {
        *self.committed.write() = restored;
    }

    /// Sets where an empty segment begins, once the one before it is full.
    pub fn begin_at(&self, position: u64) {
        let mut committed = self.committed.write();
        committed.first_position = position;
        committed.end_position = position;
    }

    /// From now on its index answers what its list of batches did.
    pub fn seal(&self) {
        if self.sealed.set(()).is_ok() {
            self.committed.write().batches = Vec::new();
        }
    }

    /// Whether it is full and has its index.
    pub fn is_sealed(&self) -> bool {
        self.sealed.get().is_some()
    }

    /// Reads a part of it.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), StorageError> {
        read_exact_at(&*self.file, buffer, offset).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                self.corrupt(offset, "the file ends before it should".into())
            } else {
                io_error("read", &self.name(), error)
            }
        })
    }

    /// Damage in it.
    pub fn corrupt(&self, offset: u64, what: String) -> StorageError {
        let positions = self.committed(|committed| positions_at(committed, offset));
        StorageError::Corrupt { file: self.name(), offset, positions, what }
    }
}

/// The positions of the batch around an offset, or of the whole segment where
/// the batches are not at hand.
fn positions_at(committed: &Committed, offset: u64) -> Option<RangeInclusive<Position>> {
    let after = committed.batches.partition_point(|batch| batch.offset <= offset);
    let first = after
        .checked_sub(1)
        .map_or(committed.first_position, |index| committed.batches[index].first_position);
    let end = committed.batches.get(after).map_or(committed.end_position, |batch| batch.first_position);
    let last = end.checked_sub(1).filter(|last| *last >= first)?;
    Some(Position::new(first)..=Position::new(last))
}

/// The header of a segment, one of its two copies.
fn header(store: &StoreFile, number: u32, file_bytes: u64) -> [u8; SEGMENT_HEADER_USED] {
    let mut header = [0; SEGMENT_HEADER_USED];
    put(&mut header, 0, &SEGMENT_MAGIC.to_le_bytes());
    put(&mut header, 8, &FORMAT.to_le_bytes());
    put(&mut header, 12, &number.to_le_bytes());
    put(&mut header, 16, store.id.as_bytes());
    put(&mut header, 32, &file_bytes.to_le_bytes());
    let crc = crc32c::crc32c(&header[..60]);
    put(&mut header, 60, &crc.to_le_bytes());
    header
}

/// Creates a segment's file with only its header in it: proof that the segment
/// before it may be used. Durable when it returns, with its directory entry.
pub fn create_stub(disk: &dyn Disk, store: &StoreFile, number: u32) -> Result<(), StorageError> {
    let name = file_name(number);
    let at = |doing: &'static str| {
        let name = name.clone();
        move |error| io_error(doing, &name, error)
    };
    let file = disk.create(&name).map_err(at("create"))?;
    write_header(&*file, store, number)?;
    disk.sync_dir(SEGMENTS_DIR).map_err(|error| io_error("flush", SEGMENTS_DIR, error))
}

/// Writes a segment's header, and flushes it.
pub fn write_header(file: &dyn DiskFile, store: &StoreFile, number: u32) -> Result<(), StorageError> {
    let name = file_name(number);
    let mut block = [0; SEGMENT_HEADER_BYTES as usize];
    let header = header(store, number, store.segment_bytes(number));
    put(&mut block, 0, &header);
    put(&mut block, SEGMENT_HEADER_COPY_AT as usize, &header);
    write_all_at(file, &block, 0).map_err(|error| io_error("write", &name, error))?;
    file.sync().map_err(|error| io_error("flush", &name, error))
}

/// Checks that a file is the segment its name says it is.
pub fn check_header(file: &dyn DiskFile, store: &StoreFile, number: u32) -> Result<(), StorageError> {
    let name = file_name(number);
    let corrupt = |what: &str| StorageError::Corrupt {
        file: name.clone(),
        offset: 0,
        positions: None,
        what: what.into(),
    };
    let mut block = [0; SEGMENT_HEADER_BYTES as usize];
    read_exact_at(file, &mut block, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => corrupt("the file is shorter than its header"),
        _ => io_error("read", &name, error),
    })?;
    let expected = header(store, number, store.segment_bytes(number));
    let copies = [0, SEGMENT_HEADER_COPY_AT as usize].map(|at| &block[at..at + SEGMENT_HEADER_USED]);
    if copies.iter().any(|copy| **copy == expected) {
        return Ok(());
    }
    let whole = copies.iter().find(|copy| u32_at(copy, 60) == Some(crc32c::crc32c(&copy[..60])));
    Err(corrupt(&match whole {
        None => "neither copy of the header is whole".to_owned(),
        Some(copy) if u64_at(copy, 0) != Some(SEGMENT_MAGIC) => "this is not a segment".to_owned(),
        Some(copy) if copy[16..32] != *store.id.as_bytes() => {
            "this segment belongs to another store".to_owned()
        }
        Some(copy) => format!("this is segment {}, not {number}", u32_at(copy, 12).unwrap_or_default()),
    }))
}

/// An operation on a file that the system failed.
pub fn io_error(doing: &'static str, file: &str, error: io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StorageError::DiskFull { file: file.to_owned() }
        }
        _ => StorageError::Io { doing, file: file.to_owned(), source: Arc::new(error) },
    }
}
