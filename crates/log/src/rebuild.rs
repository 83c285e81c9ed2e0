//! Builds a sealed segment's index again from the segment itself.

use std::sync::Arc;

use factum_core::StorageError;

use crate::engine::Engine;
use crate::index::build::build;
use crate::index::keys;
use crate::index::live::Live;
use crate::index::sealed::{SealedIndex, SegmentEnd};
use crate::secret::StreamHash;
use crate::segment::format::BATCH_HEADER_BYTES;
use crate::segment::record::records;
use crate::segment::scan::{Scan, Step};
use crate::segment::{BatchEntry, Segment};

/// The index of one sealed segment, from its batches.
pub fn rebuild(engine: &Engine, segment: &Arc<Segment>) -> Result<SealedIndex, StorageError> {
    let (first_position, end_offset) = segment.committed(|c| (c.first_position, c.end_offset));
    let mut live = Live::default();
    live.begin_segment(segment.number, first_position);
    let mut scan = Scan::whole(segment.clone(), engine.salt);
    let mut batches = Vec::new();
    let mut end = SegmentEnd { end_offset, last_sequence: 0, last_crc: 0 };
    while scan.offset() < end_offset {
        let offset = scan.offset();
        let Step::Batch(header, _, bytes) = scan.step()? else {
            return Err(segment.corrupt(offset, "the checksum of a committed batch does not match".into()));
        };
        let body = &bytes[BATCH_HEADER_BYTES..BATCH_HEADER_BYTES + header.body_bytes as usize];
        for (at, view) in records(body) {
            let name = String::from_utf8_lossy(view.stream());
            let hash = engine.store.secret.stream(&name);
            if live.head(hash).is_none() && view.revision() > 0 {
                let older = older_segment(engine, hash, segment.number)?;
                live.restore(hash, view.revision(), older, 0);
            }
            let record_offset = offset + (BATCH_HEADER_BYTES + at) as u64;
            let keys = keys::of_record(engine.store.secret, &view);
            live.record(hash, view.position(), record_offset, &keys, engine.store.secret.beginning());
        }
        if header.events > 0 {
            let (first_position, recorded_at) = (header.first_position, header.recorded_at);
            batches.push(BatchEntry { first_position, recorded_at, offset });
        }
        (end.last_sequence, end.last_crc) = (header.sequence, header.crc);
    }
    live.begin_segment(segment.number + 1, 0);
    let full = live.full_segment(segment.number).unwrap_or_default();
    let bytes = build(engine.store.id, &full, &batches, end);
    SealedIndex::from_bytes(bytes.into(), engine.store.id, segment.number)
        .map_err(|why| segment.corrupt(0, why.to_string()))
}

/// The newest segment before `number` with events of a stream.
fn older_segment(engine: &Engine, stream: StreamHash, number: u32) -> Result<u32, StorageError> {
    let older =
        engine.segments.read().iter().filter(|segment| segment.number < number).cloned().collect::<Vec<_>>();
    for segment in older.iter().rev() {
        if engine.index(segment)?.find(stream).is_some() {
            return Ok(segment.number);
        }
    }
    Ok(0)
}
