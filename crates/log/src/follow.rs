//! Follows the chain of batches through segments: what recovery, verification
//! and the rebuilding of indexes have in common.

use std::sync::Arc;

use bytes::Bytes;
use factum_core::Timestamp;

use crate::index::keys;
use crate::index::live::Live;
use crate::secret::Secret;
use crate::segment::batch::BatchHeader;
use crate::segment::format::BATCH_HEADER_BYTES;
use crate::segment::record::{RecordView, records};
use crate::segment::scan::{Scan, Step, Stop};
use crate::segment::{BatchEntry, Segment};

/// Where the chain of batches stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Sequence of the last batch.
    pub sequence: u64,
    /// Its checksum.
    pub crc: u32,
    /// The position the next event gets.
    pub next_position: u64,
    /// Recorded-at of the last batch.
    pub recorded_at: Timestamp,
    /// Epoch of the last batch.
    pub epoch: u32,
}

impl Chain {
    /// Before the first batch of a store.
    pub const START: Self =
        Self { sequence: 0, crc: 0, next_position: 0, recorded_at: Timestamp::MIN, epoch: 0 };

    /// As if everything before this batch had been followed.
    pub fn before(header: &BatchHeader) -> Self {
        Self {
            sequence: header.sequence - 1,
            crc: header.previous_crc,
            next_position: header.first_position,
            recorded_at: header.recorded_at,
            epoch: header.epoch,
        }
    }

    /// Whether a batch is the next one.
    pub fn continues_with(&self, header: &BatchHeader) -> bool {
        header.sequence == self.sequence + 1
            && header.previous_crc == self.crc
            && header.first_position == self.next_position
            && header.recorded_at >= self.recorded_at
            && header.epoch >= self.epoch
    }

    fn follow(&mut self, header: &BatchHeader) {
        *self = Self {
            sequence: header.sequence,
            crc: header.crc,
            next_position: header.end_position(),
            recorded_at: header.recorded_at,
            epoch: header.epoch,
        };
    }
}

/// How following a segment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// No batch that continues the chain begins at this offset.
    At(u64, Stop),
    /// A whole batch that is part of the chain does not hold what it must.
    Wrong(u64, String),
}

/// A batch passed on the way.
pub struct Passed {
    pub header: BatchHeader,
    pub offset: u64,
    pub bytes: Bytes,
}

/// Which part of a segment to follow.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Where its first batch begins.
    pub from: u64,
    /// Where to stop.
    pub until: u64,
    /// Whether damage lies before it, so that records say themselves which
    /// revision they have.
    pub behind_damage: bool,
}

/// Follows a part of a segment, adding its records to `live` and its batches
/// to the segment's committed part; shows every record and batch.
pub fn follow(
    segment: &Arc<Segment>,
    part: Part,
    secret: Secret,
    chain: &mut Chain,
    live: &mut Live,
    mut each: impl FnMut(Seen<'_>),
) -> Result<Ended, factum_core::StorageError> {
    let mut scan = Scan::new(segment.clone(), secret.salt(), part.from, part.until);
    loop {
        let (header, offset, bytes) = match scan.step()? {
            Step::Batch(header, offset, bytes) => (header, offset, bytes),
            Step::Stop(stop) => return Ok(Ended::At(scan.offset(), stop)),
        };
        if !chain.continues_with(&header) {
            return Ok(Ended::At(offset, Stop::Broken));
        }
        let passed = Passed { header, offset, bytes };
        if let Err(what) = add_records(secret, &passed, part.behind_damage, live, &mut each) {
            return Ok(Ended::Wrong(offset, what));
        }
        let entry =
            BatchEntry { first_position: header.first_position, recorded_at: header.recorded_at, offset };
        segment.commit(entry, header.events, scan.offset());
        chain.follow(&header);
        each(Seen::Batch(passed));
    }
}

/// What [`follow`] comes upon.
pub enum Seen<'a> {
    /// A record, before its batch.
    Record(RecordView<'a>),
    /// A batch, after its records.
    Batch(Passed),
}

fn add_records(
    secret: Secret,
    passed: &Passed,
    behind_damage: bool,
    live: &mut Live,
    each: &mut impl FnMut(Seen<'_>),
) -> Result<(), String> {
    let Passed { header, offset, bytes } = passed;
    let body = &bytes[BATCH_HEADER_BYTES..BATCH_HEADER_BYTES + header.body_bytes as usize];
    let mut position = header.first_position;
    let mut end = 0;
    for (at, view) in records(body) {
        if view.position() != position {
            return Err(format!(
                "a record says it is at position {}, and it is at {position}",
                view.position()
            ));
        }
        let Ok(name) = std::str::from_utf8(view.stream()) else {
            return Err(format!("the stream of the event at position {position} is no UTF-8"));
        };
        let record_offset = *offset + (BATCH_HEADER_BYTES + at) as u64;
        let stream = secret.stream(name);
        let (keys, beginning) = (keys::of_record(secret, &view), secret.beginning());
        let revision = if behind_damage {
            let revision = view.revision();
            live.record_behind_damage(stream, position, record_offset, revision, &keys, beginning);
            revision
        } else {
            live.record(stream, position, record_offset, &keys, beginning)
        };
        if revision != view.revision() {
            return Err(format!(
                "the event at position {position} says it has revision {} of stream {name:?}, and it has {revision}",
                view.revision()
            ));
        }
        each(Seen::Record(view));
        position += 1;
        end = at + view.bytes().len();
    }
    if position != header.end_position() || end != body.len() {
        return Err(format!(
            "the batch holds {} records, not {}",
            position - header.first_position,
            header.events
        ));
    }
    Ok(())
}
