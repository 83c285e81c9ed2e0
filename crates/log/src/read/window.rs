//! Windows: pieces of a segment in memory, in which records are found by their
//! offsets. Records that lie close are read together; what was committed last is
//! not read at all, but shared with the tail cache.

use bytes::Bytes;
use factum_core::{RecordedEvent, StorageError};

use crate::engine::Engine;
use crate::index::units_to_offset;
use crate::segment::Segment;
use crate::segment::format::{RECORD_HEADER_BYTES, u32_at};
use crate::segment::record::{RecordView, is_intact};

/// Records further apart than this are read one by one.
const GAP_BYTES_MAX: u64 = 16 * 1024;
/// How much is read at once at most.
const WINDOW_BYTES_MAX: u64 = 64 * 1024;
/// What the last record of a window is assumed to need.
const RECORD_BYTES_LIKELY: u64 = 1024;

/// Offset of the last of the records ahead that are worth reading together
/// with the one at `offset`.
pub fn close_ones(offset: u32, ahead: impl Iterator<Item = u32>) -> u64 {
    let begin = units_to_offset(offset);
    let mut last = begin;
    for next in ahead {
        let next = units_to_offset(next);
        if next < last || next - last > GAP_BYTES_MAX || next - begin > WINDOW_BYTES_MAX {
            break;
        }
        last = next;
    }
    last
}

/// A whole record somewhere in shared bytes.
pub struct FoundRecord {
    bytes: Bytes,
    at: usize,
}

impl FoundRecord {
    /// Its fields.
    pub fn view(&self) -> RecordView<'_> {
        RecordView::first(&self.bytes[self.at..]).expect("only whole records are found")
    }

    /// The event; `None` if a text of it is no UTF-8.
    pub fn event(&self) -> Option<RecordedEvent> {
        self.view().into_event(&self.bytes, self.at)
    }
}

/// A piece of a segment in memory.
#[derive(Default)]
pub struct Window {
    segment: u32,
    offset: u64,
    bytes: Bytes,
}

impl Window {
    /// The record at an offset, with its checksum checked; `None` if there is
    /// no whole one. Reads on to `ahead`.
    pub fn record(
        &mut self,
        engine: &Engine,
        segment: &Segment,
        offset: u64,
        ahead: impl FnOnce() -> u64,
    ) -> Result<Option<FoundRecord>, StorageError> {
        if let Some(found) = self.inside(segment, offset, engine.salt) {
            return Ok(Some(found));
        }
        if let Some(batch) = engine.tail.at_offset(segment.number, offset) {
            *self = Self { segment: segment.number, offset: batch.offset, bytes: batch.bytes };
            return Ok(self.inside(segment, offset, engine.salt));
        }
        let end = segment.committed(|committed| committed.end_offset);
        let wanted = (ahead() - offset).saturating_add(RECORD_BYTES_LIKELY).min(WINDOW_BYTES_MAX);
        self.load(segment, offset, wanted, end)?;
        let Some(length) = u32_at(&self.bytes, 0).map(u64::from) else { return Ok(None) };
        if length < RECORD_HEADER_BYTES as u64 || length > end.saturating_sub(offset) {
            return Ok(None);
        }
        if length > self.bytes.len() as u64 {
            self.load(segment, offset, length, end)?;
        }
        Ok(self.inside(segment, offset, engine.salt))
    }

    fn load(&mut self, segment: &Segment, offset: u64, wanted: u64, end: u64) -> Result<(), StorageError> {
        let mut buffer = vec![0; wanted.min(end.saturating_sub(offset)) as usize];
        segment.read(&mut buffer, offset)?;
        *self = Self { segment: segment.number, offset, bytes: buffer.into() };
        Ok(())
    }

    fn inside(&self, segment: &Segment, offset: u64, salt: u32) -> Option<FoundRecord> {
        if self.segment != segment.number {
            return None;
        }
        let at = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        let view = RecordView::first(self.bytes.get(at..)?)?;
        is_intact(view.bytes(), salt).then(|| FoundRecord { bytes: self.bytes.clone(), at })
    }
}
