//! The tail cache: what was committed last, still in memory.
//!
//! The very buffers that were written, shared with readers. Live subscribers
//! never touch the disk.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::RwLock;

/// The last committed batches, oldest first.
pub struct Tail {
    bytes_max: u64,
    batches: RwLock<Batches>,
}

#[derive(Default)]
struct Batches {
    kept: VecDeque<TailBatch>,
    bytes: u64,
}

/// A committed batch in memory.
#[derive(Debug, Clone)]
pub struct TailBatch {
    pub segment: u32,
    /// Where it begins in its segment.
    pub offset: u64,
    pub first_position: u64,
    pub end_position: u64,
    /// All of it, with header and padding.
    pub bytes: Bytes,
    /// How many bytes of memory that takes.
    pub memory: u64,
}

impl Tail {
    /// Keeps this much.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, batches: RwLock::default() }
    }

    /// Adds the batch just committed.
    pub fn push(&self, batch: TailBatch) {
        let mut batches = self.batches.write();
        batches.bytes += batch.memory;
        batches.kept.push_back(batch);
        while batches.bytes > self.bytes_max
            && let Some(oldest) = batches.kept.pop_front()
        {
            batches.bytes -= oldest.memory;
        }
    }

    /// The batch with the event at a position.
    pub fn at_position(&self, position: u64) -> Option<TailBatch> {
        let batches = self.batches.read();
        let after = batches.kept.partition_point(|batch| batch.first_position <= position);
        let batch = batches.kept.get(after.checked_sub(1)?)?;
        (position < batch.end_position).then(|| batch.clone())
    }

    /// The batch around an offset of a segment.
    pub fn at_offset(&self, segment: u32, offset: u64) -> Option<TailBatch> {
        let batches = self.batches.read();
        let after = batches.kept.partition_point(|batch| (batch.segment, batch.offset) <= (segment, offset));
        let batch = batches.kept.get(after.checked_sub(1)?)?;
        let inside = batch.segment == segment && offset < batch.offset + batch.bytes.len() as u64;
        inside.then(|| batch.clone())
    }
}
