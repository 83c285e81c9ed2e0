//! Walks the batches of a segment, checking each.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use factum_core::StorageError;

use super::Segment;
use super::batch::{BatchHeader, Found, find};
use super::format::{BLOCK_BYTES, SEGMENT_HEADER_BYTES};

/// How much is read at once by whoever reads on.
/// Little enough to stay in a core's cache until it is parsed.
pub const READ_AHEAD_BYTES: u64 = 256 * 1024;

/// How much is read at once where batches are long.
const READ_AHEAD_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Reads a segment forwards, batch by batch, in large pieces.
pub struct Scan {
    segment: Arc<Segment>,
    salt: u32,
    read_ahead: u64,
    offset: u64,
    /// Where it stops looking.
    end: u64,
    chunk: Bytes,
    chunk_at: u64,
}

/// What a scan came upon.
pub enum Step {
    /// A whole batch: where it begins, and its bytes with header and padding.
    Batch(BatchHeader, u64, Bytes),
    /// No batch begins here.
    Stop(Stop),
}

/// Why a scan stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// At the end it was given.
    End,
    /// At bytes that are all zero.
    Nothing,
    /// At bytes that are neither a batch nor zeros.
    Broken,
}

impl Scan {
    /// From the segment's first batch to the end of its file.
    pub fn whole(segment: Arc<Segment>, salt: u32) -> Self {
        let end = segment.file_bytes;
        Self::new(segment, salt, SEGMENT_HEADER_BYTES, end)
    }

    /// From a batch's offset to an end.
    pub fn new(segment: Arc<Segment>, salt: u32, offset: u64, end: u64) -> Self {
        Self {
            segment,
            salt,
            read_ahead: READ_AHEAD_BYTES,
            offset,
            end,
            chunk: Bytes::new(),
            chunk_at: offset,
        }
    }

    /// Reads little more than the batches that are asked for.
    pub fn without_read_ahead(self) -> Self {
        Self { read_ahead: 4 * BLOCK_BYTES, ..self }
    }

    /// The segment it reads.
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Where it stands.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The batch here, if there is one; the scan then stands behind it.
    pub fn step(&mut self) -> Result<Step, StorageError> {
        let mut wanted = BLOCK_BYTES;
        loop {
            let room = self.end.saturating_sub(self.offset);
            if room < BLOCK_BYTES {
                return Ok(Step::Stop(Stop::End));
            }
            self.load(wanted, room)?;
            let at = (self.offset - self.chunk_at) as usize;
            match find(&self.chunk[at..], room, self.segment.number, self.salt) {
                Found::Batch(header) => {
                    let begun = self.offset;
                    let length = header.padded_bytes();
                    self.offset += length;
                    return Ok(Step::Batch(header, begun, self.chunk.slice(at..at + length as usize)));
                }
                Found::Longer(length) => {
                    wanted = length;
                    // The next is likely to be as long: read it at once.
                    if self.read_ahead >= READ_AHEAD_BYTES {
                        self.read_ahead = self.read_ahead.max(length.min(READ_AHEAD_BYTES_MAX));
                    }
                }
                Found::Nothing => return Ok(Step::Stop(Stop::Nothing)),
                Found::Broken => return Ok(Step::Stop(Stop::Broken)),
            }
        }
    }

    /// Moves to the next place where a batch may begin, whatever is here.
    pub fn skip_block(&mut self) {
        self.offset += BLOCK_BYTES;
    }

    /// Has at least `wanted` bytes from the offset on in the chunk.
    fn load(&mut self, wanted: u64, room: u64) -> Result<(), StorageError> {
        let have = (self.chunk_at + self.chunk.len() as u64).saturating_sub(self.offset);
        if have >= wanted && self.offset >= self.chunk_at {
            return Ok(());
        }
        let length = wanted.max(self.read_ahead).min(room) as usize;
        // Where nobody kept an event of the last chunk, its memory is warm.
        let mut buffer = match std::mem::take(&mut self.chunk).try_into_mut() {
            Ok(mut reused) if reused.capacity() >= length => {
                reused.resize(length, 0);
                reused
            }
            Ok(_) | Err(_) => BytesMut::zeroed(length),
        };
        self.segment.read(&mut buffer, self.offset)?;
        self.chunk = buffer.freeze();
        self.chunk_at = self.offset;
        Ok(())
    }
}
