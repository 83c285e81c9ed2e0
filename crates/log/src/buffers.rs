//! Memory for appends and batches, and its use again.
//!
//! ```text
//!   caller ─▶ append ─▶ batch ─▶ writer ─▶ tail cache, readers
//!      ▲        │         ▲                        │
//!      └────────┘         └── dropped by the last ─┘
//! ```
//!
//! Memory fresh from the system is cleared page by page, which takes longer than
//! filling it with events; what was written a moment ago is warm. So large
//! buffers have one of a few sizes, and some of those nobody uses are kept.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::segment::format::{BATCH_BYTES_MAX, BLOCK_BYTES};

/// Buffers for this much and more are used again; allocators do that with
/// smaller ones themselves.
const KEPT_BYTES_MIN: usize = 32 * 1024;

/// Batches from this size on are written past the page cache, for which a disk
/// may want them to begin on a block in memory too.
const LARGE_BYTES: usize = 128 * 1024;

/// Larger ones are rare.
const KEPT_BYTES_MAX: usize = BATCH_BYTES_MAX as usize + BLOCK;

/// So much is kept for use.
const SPARE_BYTES_MAX: usize = 8 * 1024 * 1024;

const BLOCK: usize = BLOCK_BYTES as usize;

/// The buffers nobody uses.
#[derive(Default)]
pub struct Buffers(Mutex<Spare>);

#[derive(Default)]
struct Spare {
    /// Oldest first.
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// Memory of one batch, being filled.
pub struct Buffer {
    bytes: Vec<u8>,
    /// Where the batch begins in it.
    begin: usize,
    home: Arc<Buffers>,
}

/// The size of buffers for this much: a power of two, and a block in which to
/// find the beginning of one.
fn size_for(bytes: usize) -> usize {
    bytes.saturating_sub(BLOCK).next_power_of_two().max(KEPT_BYTES_MIN) + BLOCK
}

impl Buffers {
    /// An empty buffer with room for this much.
    pub fn take(&self, bytes: usize) -> Vec<u8> {
        if !(KEPT_BYTES_MIN..=KEPT_BYTES_MAX).contains(&bytes) {
            return Vec::with_capacity(bytes);
        }
        let size = size_for(bytes);
        let mut spare = self.0.lock();
        let Some(at) = spare.buffers.iter().rposition(|buffer| buffer.capacity() == size) else {
            drop(spare);
            return Vec::with_capacity(size);
        };
        spare.bytes -= size;
        spare.buffers.remove(at)
    }

    /// Keeps a buffer for the next, if it is one of those.
    pub fn take_back(&self, mut bytes: Vec<u8>) {
        let size = bytes.capacity();
        if size < KEPT_BYTES_MIN || size != size_for(size) || size > KEPT_BYTES_MAX {
            return;
        }
        bytes.clear();
        let mut spare = self.0.lock();
        spare.buffers.push(bytes);
        spare.bytes += size;
        let mut unused = Vec::new();
        while spare.bytes > SPARE_BYTES_MAX {
            let oldest = spare.buffers.remove(0);
            spare.bytes -= oldest.capacity();
            unused.push(oldest);
        }
        drop(spare);
        drop(unused);
    }

    /// A buffer for a batch of this many bytes.
    pub fn for_batch(self: &Arc<Self>, room: usize) -> Buffer {
        let room = room.next_multiple_of(BLOCK);
        let is_large = room >= LARGE_BYTES;
        // The tail cache holds many small ones, so that they are not larger than
        // they must be.
        let mut bytes = if is_large { self.take(room + BLOCK) } else { Vec::with_capacity(room) };
        let begin = if is_large { bytes.as_ptr().align_offset(BLOCK).min(BLOCK) } else { 0 };
        bytes.resize(begin, 0);
        Buffer { bytes, begin, home: self.clone() }
    }
}

impl Buffer {
    /// How many bytes the batch has.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.begin
    }

    /// How many it may have.
    pub fn room(&self) -> usize {
        self.bytes.capacity() - self.begin
    }

    /// Adds some at the end; moves to a larger buffer if there is no room.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.make_room(self.len() + bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Fills the batch up with zeros to this length.
    pub fn pad(&mut self, length: usize) {
        self.make_room(length);
        self.bytes.resize(self.begin + length, 0);
    }

    fn make_room(&mut self, length: usize) {
        if length > self.room() {
            let mut larger = self.home.for_batch(length.max(2 * self.room()));
            larger.bytes.extend_from_slice(self.as_ref());
            *self = larger;
        }
    }

    /// The batch.
    pub fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.begin..]
    }

    /// The batch, complete, to be shared, and how much memory that takes.
    pub fn freeze(self) -> (Bytes, u64) {
        // Much room left would be held for as long as the batch is. Some is left in most:
        // batches are not of one length, and buffers of a few.
        if self.bytes.capacity() > 4 * (self.len() + BLOCK) {
            let mut fitting = self.home.for_batch(self.len());
            fitting.extend(self.as_ref());
            return fitting.freeze();
        }
        let memory = self.bytes.capacity() as u64;
        (Bytes::from_owner(self), memory)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.take_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = LARGE_BYTES;

    fn filled(buffers: &Arc<Buffers>, room: usize, length: usize) -> Buffer {
        let mut buffer = buffers.for_batch(room);
        (0..length).for_each(|n| buffer.extend(&[n as u8]));
        buffer
    }

    #[test]
    fn a_batch_is_what_was_added_wherever_it_moved() {
        let buffers = Arc::new(Buffers::default());
        for (room, length) in
            [(0, 0), (1, 1), (10, 3 * BLOCK), (LARGE, 10), (BLOCK, 3 * LARGE), (0, 2 * KEPT_BYTES_MAX)]
        {
            let padded = length.next_multiple_of(BLOCK);
            let mut buffer = filled(&buffers, room, length);
            buffer.pad(padded);
            assert!(buffer.as_mut()[..length].iter().enumerate().all(|(n, byte)| *byte == n as u8));
            let (bytes, memory) = buffer.freeze();
            assert_eq!(bytes.len(), padded);
            assert!(bytes[..length].iter().enumerate().all(|(n, byte)| *byte == n as u8));
            assert!(bytes[length..].iter().all(|byte| *byte == 0));
            assert!(memory as usize >= padded, "{length}");
            assert!(memory as usize <= 4 * (padded + BLOCK), "{length}");
            assert!(length < LARGE || bytes.as_ptr().align_offset(BLOCK) == 0, "on a block");
        }
    }

    #[test]
    fn sizes_are_few_and_fit() {
        for bytes in [KEPT_BYTES_MIN, 50_000, LARGE, LARGE + 1, LARGE + BLOCK, KEPT_BYTES_MAX] {
            let size = size_for(bytes);
            assert!(size >= bytes && size <= KEPT_BYTES_MAX, "{bytes}");
            assert!((size - BLOCK).is_power_of_two() && size == size_for(size), "{bytes}");
            assert!(size <= 2 * bytes + BLOCK, "{bytes}");
        }
    }

    #[test]
    fn large_buffers_are_used_again_once_nobody_reads_them() {
        let buffers = Arc::new(Buffers::default());
        let (first, _) = filled(&buffers, LARGE, LARGE).freeze();
        let (place, reader) = (first.as_ptr(), first.slice(10..20));
        drop(first);
        let (second, _) = filled(&buffers, LARGE, LARGE).freeze();
        assert_ne!(second.as_ptr(), place, "somebody reads it");
        assert_eq!(reader[0], 10);
        drop(reader);
        let (third, _) = filled(&buffers, LARGE, LARGE).freeze();
        assert_eq!(third.as_ptr(), place);
        assert!(third.iter().enumerate().all(|(n, byte)| *byte == n as u8));
    }

    #[test]
    fn no_more_is_kept_than_a_few_megabytes() {
        let buffers = Arc::new(Buffers::default());
        let used: Vec<_> = (0..10).map(|_| buffers.take(KEPT_BYTES_MAX)).collect();
        used.into_iter().for_each(|used| buffers.take_back(used));
        for odd in [0, KEPT_BYTES_MIN - 1, KEPT_BYTES_MAX + 1] {
            buffers.take_back(buffers.take(odd));
        }
        let spare = buffers.0.lock();
        assert_eq!(spare.buffers.len(), SPARE_BYTES_MAX / KEPT_BYTES_MAX);
        assert_eq!(spare.bytes, spare.buffers.iter().map(Vec::capacity).sum::<usize>());
        assert!(spare.bytes <= SPARE_BYTES_MAX);
    }
}
