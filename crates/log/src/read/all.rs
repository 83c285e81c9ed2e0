//! Reads of everything: batch by batch.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use factum_core::{Position, ReadError, RecordedEvent, StorageError};

use super::Bounds;
use crate::engine::Engine;
use crate::segment::Segment;
use crate::segment::format::BATCH_HEADER_BYTES;
use crate::segment::record::{RecordView, records};
use crate::segment::scan::{Scan, Step};

/// Oldest first.
pub struct Forward<E> {
    engine: E,
    /// The position to give out next.
    next: u64,
    end: u64,
    left: u64,
    /// The batch being given out, and where in it.
    body: Body,
    /// Reads ahead while batches come from the disk.
    scan: Option<Scan>,
}

/// Newest first.
pub struct Backward<E> {
    engine: E,
    start: u64,
    /// One after the position to give out next.
    end: u64,
    left: u64,
    body: Bytes,
    /// Where the records of `body` begin that are still to be given out.
    places: Vec<usize>,
    /// Position of the first record of `body`.
    first: u64,
}

/// The records of a batch.
#[derive(Default)]
struct Body {
    bytes: Bytes,
    at: usize,
    end: usize,
}

impl Body {
    fn of_batch(bytes: Bytes, body_bytes: usize) -> Self {
        Self { at: BATCH_HEADER_BYTES, end: BATCH_HEADER_BYTES + body_bytes, bytes }
    }
}

impl<E: Deref<Target = Engine>> Forward<E> {
    /// From the first of the bounds' positions.
    pub fn new(engine: E, bounds: Bounds) -> Self {
        Self {
            engine,
            next: bounds.positions.start,
            end: bounds.positions.end,
            left: bounds.limit,
            body: Body::default(),
            scan: None,
        }
    }

    fn load(&mut self) -> Result<(), StorageError> {
        if let Some(batch) = self.engine.tail.at_position(self.next) {
            let body_bytes = crate::segment::format::u32_at(&batch.bytes, 36).unwrap_or_default();
            self.body = Body::of_batch(batch.bytes, body_bytes as usize);
            self.scan = None;
            return self.skip_to_next(batch.first_position);
        }
        // Lets the scan have its memory back.
        self.body = Body::default();
        loop {
            let scan = match &mut self.scan {
                Some(scan) => scan,
                none => none.insert(locate(&self.engine, self.next)?),
            };
            let offset = scan.offset();
            match scan.step()? {
                Step::Batch(header, _, _) if header.end_position() <= self.next => {}
                Step::Batch(header, begun, bytes) => {
                    if header.first_position > self.next {
                        let what = format!(
                            "a batch begins at position {} where {} was due",
                            header.first_position, self.next
                        );
                        return Err(self.engine.corrupt(scan.segment(), begun, what));
                    }
                    self.body = Body::of_batch(bytes, header.body_bytes as usize);
                    return self.skip_to_next(header.first_position);
                }
                Step::Stop(_) => {
                    let segment = scan.segment().clone();
                    let (end_offset, end_position) = segment.committed(|c| (c.end_offset, c.end_position));
                    self.scan = if offset < end_offset {
                        // The segment has grown since the scan began, or it is damaged here.
                        Some(self.rescan(segment, offset, end_offset)?)
                    } else if self.next < end_position {
                        return Err(self.engine.corrupt(&segment, offset, "committed events are missing"));
                    } else {
                        None
                    };
                }
            }
        }
    }

    /// A scan with a fresh look at a place where a committed batch begins.
    fn rescan(&self, segment: Arc<Segment>, offset: u64, end: u64) -> Result<Scan, StorageError> {
        let salt = self.engine.salt;
        if let Step::Batch(..) = Scan::new(segment.clone(), salt, offset, end).step()? {
            return Ok(Scan::new(segment, salt, offset, end));
        }
        // Have the batches at hand, so that the positions can be named.
        if segment.is_sealed() {
            let _ = self.engine.index(&segment);
        }
        let error = self.engine.corrupt(&segment, offset, "the checksum of a committed batch does not match");
        // What comes before the event that is due was given out.
        Err(match error {
            StorageError::Corrupt { file, offset, positions: Some(range), what } => {
                let first = (*range.start()).max(Position::new(self.next)).min(*range.end());
                StorageError::Corrupt { file, offset, positions: Some(first..=*range.end()), what }
            }
            other => other,
        })
    }

    /// Passes over the events of a batch before the one that is due.
    fn skip_to_next(&mut self, first_position: u64) -> Result<(), StorageError> {
        for _ in first_position..self.next {
            let Some(view) = RecordView::first(&self.body.bytes[self.body.at..self.body.end]) else { break };
            self.body.at += view.bytes().len();
        }
        Ok(())
    }
}

impl<E: Deref<Target = Engine>> Iterator for Forward<E> {
    type Item = Result<RecordedEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end || self.left == 0 {
            return None;
        }
        if self.body.at >= self.body.end
            && let Err(error) = self.load()
        {
            self.left = 0;
            return Some(Err(error.into()));
        }
        let at = self.body.at;
        let view = RecordView::first(&self.body.bytes[at..self.body.end]);
        let Some(view) = view.filter(|view| view.position() == self.next) else {
            self.left = 0;
            return Some(Err(not_a_record(self.next).into()));
        };
        self.body.at += view.bytes().len();
        self.next += 1;
        self.left -= 1;
        Some(match view.into_event(&self.body.bytes, at) {
            Some(event) => Ok(event),
            None => Err(not_a_record(self.next - 1).into()),
        })
    }
}

impl<E: Deref<Target = Engine>> Backward<E> {
    /// From the last of the bounds' positions.
    pub fn new(engine: E, bounds: Bounds) -> Self {
        Self {
            engine,
            start: bounds.positions.start,
            end: bounds.positions.end,
            left: bounds.limit,
            body: Bytes::new(),
            places: Vec::new(),
            first: u64::MAX,
        }
    }

    /// Has the batch with the event at `end - 1` at hand.
    fn load(&mut self) -> Result<(), StorageError> {
        let position = self.end - 1;
        let (bytes, first) = match self.engine.tail.at_position(position) {
            Some(batch) => (batch.bytes, batch.first_position),
            None => {
                let mut scan = locate(&self.engine, position)?.without_read_ahead();
                let offset = scan.offset();
                match scan.step()? {
                    Step::Batch(header, _, bytes)
                        if header.first_position <= position && position < header.end_position() =>
                    {
                        (bytes, header.first_position)
                    }
                    _ => {
                        let what = "the checksum of a committed batch does not match";
                        return Err(self.engine.corrupt(scan.segment(), offset, what));
                    }
                }
            }
        };
        let body_bytes = crate::segment::format::u32_at(&bytes, 36).unwrap_or_default() as usize;
        let body = &bytes[BATCH_HEADER_BYTES..BATCH_HEADER_BYTES + body_bytes];
        let wanted = (self.end - first) as usize;
        self.places = records(body).take(wanted).map(|(at, _)| BATCH_HEADER_BYTES + at).collect();
        self.first = first;
        self.body = bytes;
        if self.places.len() == wanted { Ok(()) } else { Err(not_a_record(position)) }
    }
}

impl<E: Deref<Target = Engine>> Iterator for Backward<E> {
    type Item = Result<RecordedEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end <= self.start || self.left == 0 {
            return None;
        }
        if self.places.is_empty()
            && let Err(error) = self.load()
        {
            self.left = 0;
            return Some(Err(error.into()));
        }
        let at = self.places.pop()?;
        self.end -= 1;
        let Some(view) = RecordView::first(&self.body[at..]) else {
            self.left = 0;
            return Some(Err(not_a_record(self.end).into()));
        };
        self.left -= 1;
        Some(match view.into_event(&self.body, at) {
            Some(event) => Ok(event),
            None => Err(not_a_record(self.end).into()),
        })
    }
}

/// A scan that stands at the batch with the event at a position.
fn locate(engine: &Engine, position: u64) -> Result<Scan, StorageError> {
    let Some(segment) = engine.segment_at(position) else {
        return Err(not_a_record(position));
    };
    let live = segment.committed(|committed| {
        let after = committed.batches.partition_point(|batch| batch.first_position <= position);
        after.checked_sub(1).map(|at| committed.batches[at].offset)
    });
    let offset = match live {
        Some(offset) => offset,
        None => {
            let index = engine.index(&segment)?;
            let (mut low, mut high) = (0, index.batches());
            while low < high {
                let middle = low + (high - low) / 2;
                if index.batch(middle).first_position <= position { low = middle + 1 } else { high = middle }
            }
            index.batch(low.saturating_sub(1)).offset
        }
    };
    let end = segment.committed(|committed| committed.end_offset);
    Ok(Scan::new(segment, engine.salt, offset, end))
}

/// A batch with a right checksum that does not hold what it should: written by
/// something else than this format, or found through a wrong index.
pub fn not_a_record(position: u64) -> StorageError {
    let position = Position::new(position);
    StorageError::Corrupt {
        file: crate::segment::SEGMENTS_DIR.into(),
        offset: 0,
        positions: Some(position..=position),
        what: "there is no whole record where this event should be".into(),
    }
}
