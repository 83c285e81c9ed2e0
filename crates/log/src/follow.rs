//! Follows the chain of batches through segments: what recovery, verification
//! and the rebuilding of indexes have in common.

use std::sync::Arc;

use bytes::Bytes;
use factum_core::Timestamp;

use crate::index::live::Live;
use crate::secret::Secret;
use crate::segment::batch::BatchHeader;
use crate::segment::format::{BATCH_HEADER_BYTES, SEGMENT_HEADER_BYTES};
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

/// Follows a segment from its first batch on, not beyond `until`, adding its records to `live` and
/// its batches to the segment's committed part; shows every record and batch.
pub fn follow(
    segment: &Arc<Segment>,
    until: u64,
    secret: Secret,
    chain: &mut Chain,
    live: &mut Live,
    mut each: impl FnMut(Seen<'_>),
) -> Result<Ended, factum_core::StorageError> {
    let mut scan = Scan::new(segment.clone(), secret.salt(), SEGMENT_HEADER_BYTES, until);
    loop {
        let (header, offset, bytes) = match scan.step()? {
            Step::Batch(header, offset, bytes) => (header, offset, bytes),
            Step::Stop(stop) => return Ok(Ended::At(scan.offset(), stop)),
        };
        if !chain.continues_with(&header) {
            return Ok(Ended::At(offset, Stop::Broken));
        }
        if let Err(what) = add_records(secret, &header, offset, &bytes, live, &mut each) {
            return Ok(Ended::Wrong(offset, what));
        }
        let entry =
            BatchEntry { first_position: header.first_position, recorded_at: header.recorded_at, offset };
        segment.commit(entry, header.events, scan.offset());
        chain.follow(&header);
        each(Seen::Batch(Passed { header, offset, bytes }));
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
    header: &BatchHeader,
    offset: u64,
    bytes: &[u8],
    live: &mut Live,
    each: &mut impl FnMut(Seen<'_>),
) -> Result<(), String> {
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
        let record_offset = offset + (BATCH_HEADER_BYTES + at) as u64;
        let revision = live.record(secret.stream(name), position, record_offset);
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
