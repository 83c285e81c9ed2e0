//! Memory for batches, and its use again.
//!
//! ```text
//!   open batch ─▶ writer ─▶ tail cache, readers ─▶ dropped by the last of them
//!       ▲                                               │
//!       └───────────── a few large ones ────────────────┘
//! ```
//!
//! Under load a batch is as large as the one before it. Memory fresh from the
//! system is cleared page by page, which takes longer than filling it with
//! events; what was written a moment ago is warm.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::segment::format::BLOCK_BYTES;

/// Buffers from this size on are used again; allocators do that with smaller
/// ones themselves. The same are written past the page cache, and begin on a
/// block in memory too, since a disk may want that.
const LARGE_BYTES: usize = 128 * 1024;

/// Large buffers have a multiple of this, so that they fit again.
const LARGE_STEP: usize = 64 * 1024;

/// So many are kept for use.
const SPARE_MAX: usize = 4;

const BLOCK: usize = BLOCK_BYTES as usize;

/// The buffers nobody uses.
#[derive(Default)]
pub struct Buffers(Mutex<Vec<Vec<u8>>>);

/// Memory of one batch, being filled.
pub struct Buffer {
    bytes: Vec<u8>,
    /// Where the batch begins in it.
    begin: usize,
    home: Arc<Buffers>,
}

impl Buffers {
    /// An empty buffer with room for a batch of this many bytes, and some more.
    pub fn with_room(self: &Arc<Self>, room: usize) -> Buffer {
        let is_large = room >= LARGE_BYTES;
        let mut bytes = match is_large {
            true => self.spare(room + BLOCK),
            false => Vec::with_capacity(room.next_multiple_of(BLOCK)),
        };
        let begin = if is_large { bytes.as_ptr().align_offset(BLOCK).min(BLOCK) } else { 0 };
        bytes.resize(begin, 0);
        Buffer { bytes, begin, home: self.clone() }
    }

    fn spare(&self, room: usize) -> Vec<u8> {
        let mut spare = self.0.lock();
        let fits = |buffer: &Vec<u8>| (room..=2 * room).contains(&buffer.capacity());
        match spare.iter().position(fits) {
            Some(at) => spare.swap_remove(at),
            None => Vec::with_capacity(room.next_multiple_of(LARGE_STEP)),
        }
    }

    fn take_back(&self, mut bytes: Vec<u8>) {
        if bytes.capacity() >= LARGE_BYTES {
            bytes.clear();
            let mut spare = self.0.lock();
            // The oldest is the one that fits today's batches least.
            let unused = (spare.len() == SPARE_MAX).then(|| spare.remove(0));
            spare.push(bytes);
            drop(spare);
            drop(unused);
        }
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
            let mut larger = self.home.with_room(length.max(2 * self.room()));
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
        // Much room left would be held for as long as the batch is.
        if self.bytes.capacity() > 2 * (self.len() + BLOCK) {
            let mut fitting = self.home.with_room(self.len());
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

    fn filled(buffers: &Arc<Buffers>, room: usize, length: usize) -> Buffer {
        let mut buffer = buffers.with_room(room);
        (0..length).for_each(|n| buffer.extend(&[n as u8]));
        buffer
    }

    #[test]
    fn a_batch_is_what_was_added_wherever_it_moved() {
        let buffers = Arc::new(Buffers::default());
        for (room, length) in [(0, 0), (1, 1), (10, 3 * BLOCK), (LARGE_BYTES, 10), (BLOCK, 3 * LARGE_BYTES)] {
            let mut buffer = filled(&buffers, room, length);
            buffer.pad(length.next_multiple_of(BLOCK));
            assert!(buffer.as_mut()[..length].iter().enumerate().all(|(n, byte)| *byte == n as u8));
            let (bytes, memory) = buffer.freeze();
            assert_eq!(bytes.len(), length.next_multiple_of(BLOCK));
            assert!(bytes[..length].iter().enumerate().all(|(n, byte)| *byte == n as u8));
            assert!(bytes[length..].iter().all(|byte| *byte == 0));
            assert!(memory as usize >= bytes.len() && memory as usize <= 2 * (bytes.len() + BLOCK));
            assert!(length < LARGE_BYTES || bytes.as_ptr().align_offset(BLOCK) == 0, "on a block");
        }
    }

    #[test]
    fn large_buffers_are_used_again_once_nobody_reads_them() {
        let buffers = Arc::new(Buffers::default());
        let (first, _) = filled(&buffers, LARGE_BYTES, LARGE_BYTES).freeze();
        let (place, reader) = (first.as_ptr(), first.slice(10..20));
        drop(first);
        let (second, _) = filled(&buffers, LARGE_BYTES, LARGE_BYTES).freeze();
        assert_ne!(second.as_ptr(), place, "somebody reads it");
        assert_eq!(reader[0], 10);
        drop(reader);
        let (third, _) = filled(&buffers, LARGE_BYTES, LARGE_BYTES).freeze();
        assert_eq!(third.as_ptr(), place);
        assert!(third.iter().enumerate().all(|(n, byte)| *byte == n as u8));
    }

    #[test]
    fn no_more_is_kept_than_a_few_large_buffers() {
        let buffers = Arc::new(Buffers::default());
        let used: Vec<_> = (0..10).map(|_| filled(&buffers, LARGE_BYTES, 1)).collect();
        drop(used);
        drop(filled(&buffers, 1, BLOCK));
        assert_eq!(buffers.0.lock().len(), SPARE_MAX);
        assert!(buffers.0.lock().iter().all(|buffer| buffer.capacity() >= LARGE_BYTES));
    }
}
