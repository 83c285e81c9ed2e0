//! Commit: one write and one flush make a batch durable, then its events are
//! visible and its callers get their answers.
//!
//! ```text
//!   batch ─▶ seal ─▶ write ─▶ flush ─▶ publish ─▶ answer
//!                                │
//!                                └─ failed: poison; nothing is answered
//!                                   as recorded, nothing is retried
//! ```
//!
//! Invariants:
//! - one batch at a time, in the order of their sequence;
//! - the committed end moves only after a flush that succeeded, and only to
//!   the end of a batch;
//! - after a failed write or flush no other is tried in this life of the log.

use std::io;
use std::sync::Arc;

use factum_core::{AppendError, StorageError, Timestamp};

use crate::buffers::Buffer;
use crate::disk::write_all_at;
use crate::engine::Engine;
use crate::housekeeper::Job;
use crate::index::sealed::SegmentEnd;
use crate::reply::Replies;
use crate::segment::batch::{BatchHeader, padded_bytes};
use crate::segment::format::{BATCH_HEADER_BYTES, batch_flags};
use crate::segment::{BatchEntry, Segment, io_error};
use crate::tail::TailBatch;

/// Whole appends that are to be committed together.
pub struct Batch {
    pub segment: Arc<Segment>,
    /// Where it begins in the segment.
    pub offset: u64,
    pub first_position: u64,
    pub events: u32,
    pub recorded_at: Timestamp,
    /// Room for the header, and records with their places.
    pub buffer: Buffer,
    /// Who gets which receipt when it is durable.
    pub replies: Replies,
    /// [`batch_flags`] besides those the writer sets itself.
    pub flags: u16,
}

#[cfg(factum_sabotage = "early_ack")]
impl Batch {
    /// Everyone is told it is durable, and nothing was written yet.
    fn answered(mut self) -> Self {
        std::mem::take(&mut self.replies).send();
        self
    }
}

/// What the next batch's header must say; owned by whoever commits.
pub struct Writer {
    /// The segment the last batch went to.
    pub segment: u32,
    /// Sequence of the last batch; every one up to it is durable.
    pub sequence: u64,
    /// Checksum of the last batch.
    pub crc: u32,
    /// How often the store was opened for appending, including this time.
    pub epoch: u32,
    /// Where the last batch ends.
    pub end_offset: u64,
    /// Whether the next batch is the first since the store was opened.
    pub first_of_epoch: bool,
    /// Whether the last batch has events and no later batch says it is durable.
    pub uncovered: bool,
}

impl Writer {
    /// Makes a batch durable, visible and answered; or poisons the log.
    pub fn commit(&mut self, engine: &Engine, batch: Batch) {
        if let Some(cause) = engine.poisoned() {
            return batch.replies.refuse(|| AppendError::Storage(cause.clone()));
        }
        // Built only to see the suites fail: `cargo xtask sabotage`.
        #[cfg(factum_sabotage = "early_ack")]
        let batch = batch.answered();
        let mut batch = batch;
        let header = self.seal(engine, &mut batch);
        if let Err(error) = engine.lone.timed(|| self.write(&batch)) {
            let error = engine.poison(error);
            return batch.replies.refuse(|| AppendError::Unknown(error.clone()));
        }
        if batch.segment.number != self.segment {
            let end =
                SegmentEnd { end_offset: self.end_offset, last_sequence: self.sequence, last_crc: self.crc };
            engine.housekeeper.push(Job::Seal { segment: self.segment, end });
        }
        self.segment = batch.segment.number;
        self.sequence = header.sequence;
        self.crc = header.crc;
        self.end_offset = batch.offset + batch.buffer.len() as u64;
        self.first_of_epoch = false;
        self.uncovered = batch.events > 0;
        let replies = std::mem::take(&mut batch.replies);
        self.publish(engine, batch);
        replies.send();
    }

    /// Completes the batch in its buffer.
    fn seal(&self, engine: &Engine, batch: &mut Batch) -> BatchHeader {
        let body_bytes = batch.buffer.len() - BATCH_HEADER_BYTES;
        batch.buffer.pad(padded_bytes(body_bytes as u64) as usize);
        let opened = if self.first_of_epoch { batch_flags::OPENED } else { 0 };
        let mut header = BatchHeader {
            flags: batch.flags | opened,
            segment: batch.segment.number,
            epoch: self.epoch,
            sequence: self.sequence + 1,
            first_position: batch.first_position,
            events: batch.events,
            body_bytes: body_bytes as u32,
            recorded_at: batch.recorded_at,
            durable_sequence: self.sequence,
            previous_crc: self.crc,
            crc: 0,
        };
        header.crc = header.seal(batch.buffer.as_mut(), engine.salt);
        header
    }

    fn write(&self, batch: &Batch) -> Result<(), StorageError> {
        let failed = |doing| {
            let name = batch.segment.name();
            move |error: io::Error| io_error(doing, &name, error)
        };
        write_all_at(&*batch.segment.file, batch.buffer.as_ref(), batch.offset).map_err(failed("write"))?;
        #[cfg(factum_sabotage = "no_flush")]
        return Ok(());
        #[cfg(not(factum_sabotage = "no_flush"))]
        batch.segment.file.sync().map_err(failed("flush"))
    }

    fn publish(&self, engine: &Engine, batch: Batch) {
        let entry = BatchEntry {
            first_position: batch.first_position,
            recorded_at: batch.recorded_at,
            offset: batch.offset,
        };
        batch.segment.commit(entry, batch.events, self.end_offset);
        if batch.events == 0 {
            return;
        }
        let end_position = batch.first_position + u64::from(batch.events);
        let (bytes, memory) = batch.buffer.freeze();
        engine.tail.push(TailBatch {
            segment: batch.segment.number,
            offset: batch.offset,
            first_position: batch.first_position,
            end_position,
            bytes,
            memory,
        });
        engine.publish(end_position);
    }
}

/// The writer's thread.
pub fn run(engine: &Engine) {
    while let Some(batch) = engine.mailbox.next_batch() {
        engine.writer.lock().commit(engine, batch);
        engine.mailbox.written();
    }
}
