//! Reads of one stream: from its head along the segments that hold its events.
//!
//! A forward read first walks back to where it begins, collecting offsets (4
//! bytes for each event that it may give), then reads forwards; a backward read
//! collects as it goes. Appends are let in between two steps of a long walk.
//! Records are read singly or, where they lie close, many at once.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;

use factum_core::{Direction, Events, ReadError, RecordedEvent, StorageError, StreamName};

use super::Bounds;
use super::window::{FoundRecord, Window, close_ones};
use crate::engine::Engine;
use crate::index::live::Walked;
use crate::index::units_to_offset;
use crate::secret::StreamHash;
use crate::segment::Segment;

/// How many records of a live segment are passed before appends may go on.
const STEP_RECORDS: u32 = 1_024;

/// A stream as the engine knows it.
#[derive(Clone)]
pub struct StreamPlace {
    pub hash: StreamHash,
    pub name: StreamName,
}

/// Begins a read of a stream.
pub fn read<E>(engine: E, name: StreamName, bounds: Bounds, direction: Direction) -> Result<Events, ReadError>
where
    E: Deref<Target = Engine> + Clone + Send + 'static,
{
    let hash = engine.store.secret.stream(name.as_str());
    let place = StreamPlace { hash, name };
    let Some(newest) = newest_segment(&engine, hash, engine.committed_end())? else {
        return Err(ReadError::StreamNotFound { stream: place.name });
    };
    let mut walk = Walk { segment: Some(newest), from: None, bounds: bounds.clone() };
    let mut spans = VecDeque::new();
    let mut skip = bounds.skip;
    if direction == Direction::Forward {
        spans = walk.all(&engine, hash, bounds.limit.saturating_add(skip))?;
        for span in &mut spans {
            skip -= span.drop_first(skip);
        }
        skip = 0;
    }
    let left = bounds.limit;
    let records = Records { place, bounds, direction, walk, spans, skip, left, window: Window::default() };
    Ok(Box::new(StreamEvents { engine, records }))
}

/// How many events of a stream are within bounds, but for what is passed over
/// and the limit.
pub fn count(engine: &Engine, name: StreamName, mut bounds: Bounds) -> Result<u64, ReadError> {
    let hash = engine.store.secret.stream(name.as_str());
    let Some(newest) = newest_segment(engine, hash, engine.committed_end())? else {
        return Err(ReadError::StreamNotFound { stream: name });
    };
    bounds.limit = u64::MAX;
    let mut walk = Walk { segment: Some(newest), from: None, bounds };
    let mut count = 0;
    while let Some(span) = walk.next(engine, hash)? {
        count += span.offsets.len() as u64;
    }
    Ok(count)
}

/// The newest segment with a committed event of a stream.
fn newest_segment(engine: &Engine, hash: StreamHash, end: u64) -> Result<Option<u32>, StorageError> {
    let live = engine.live.read();
    let Some(head) = live.head(hash) else { return Ok(None) };
    let mut committed = false;
    let walked = live.walk(head.segment, hash, None, |record| {
        committed = record.position < end;
        !committed
    });
    Ok(match walked {
        // What is sealed is committed.
        Walked::NotHere | Walked::Stopped => Some(head.segment),
        // Nothing of it is committed here; what is in older segments is.
        Walked::End(older) => older,
    })
}

/// The events of a stream in one segment, oldest first.
struct Span {
    segment: Arc<Segment>,
    first_revision: u64,
    /// See [`units_to_offset`].
    offsets: VecDeque<u32>,
}

impl Span {
    /// Passes over at most so many at its beginning; says how many.
    fn drop_first(&mut self, wanted: u64) -> u64 {
        let count = wanted.min(self.offsets.len() as u64);
        self.offsets.drain(..count as usize);
        self.first_revision += count;
        count
    }

    /// The same at its end.
    fn drop_last(&mut self, wanted: u64) -> u64 {
        let count = wanted.min(self.offsets.len() as u64);
        self.offsets.truncate(self.offsets.len() - count as usize);
        count
    }
}

/// Goes along a stream's segments, newest first.
struct Walk {
    segment: Option<u32>,
    /// Where in a live segment it goes on.
    from: Option<u64>,
    bounds: Bounds,
}

impl Walk {
    /// All events within the bounds, oldest first, of which the first `limit`
    /// are wanted: the newest ones are let go when enough older ones are found.
    fn all(&mut self, engine: &Engine, hash: StreamHash, limit: u64) -> Result<VecDeque<Span>, StorageError> {
        self.bounds.limit = u64::MAX;
        let mut spans = VecDeque::<Span>::new();
        let mut wanted = 0;
        while let Some(span) = self.next(engine, hash)? {
            wanted += span.offsets.len() as u64;
            spans.push_front(span);
            while let Some(newest) = spans.back()
                && wanted - newest.offsets.len() as u64 >= limit
            {
                wanted -= newest.offsets.len() as u64;
                spans.pop_back();
            }
        }
        Ok(spans)
    }

    /// The next older segment's events within the bounds, at most as many as
    /// are wanted.
    fn next(&mut self, engine: &Engine, hash: StreamHash) -> Result<Option<Span>, StorageError> {
        while let Some(number) = self.segment {
            let Some(segment) = engine.segment(number) else { return Ok(None) };
            let span = match self.walk_live(engine, hash, &segment) {
                Some(span) => span,
                None => self.walk_sealed(engine, hash, &segment)?,
            };
            if !span.offsets.is_empty() {
                return Ok(Some(span));
            }
        }
        Ok(None)
    }

    fn walk_live(&mut self, engine: &Engine, hash: StreamHash, segment: &Arc<Segment>) -> Option<Span> {
        let Bounds { positions, revisions, limit, .. } = &mut self.bounds;
        let mut offsets = VecDeque::new();
        let (mut first_revision, mut passed, mut next) = (0, 0, None);
        let live = engine.live.read();
        let walked = live.walk(segment.number, hash, self.from.take(), |record| {
            if record.position < positions.start || record.revision < revisions.start {
                return false;
            }
            if passed == STEP_RECORDS {
                // If the segment is sealed meanwhile, its index has the rest.
                revisions.end = revisions.end.min(record.revision + 1);
                next = Some(record.position);
                return false;
            }
            passed += 1;
            if record.position < positions.end && record.revision < revisions.end {
                offsets.push_front(record.offset);
                first_revision = record.revision;
            }
            (offsets.len() as u64) < *limit
        });
        self.from = next;
        self.segment = match walked {
            Walked::NotHere => return None,
            Walked::Stopped => next.map(|_| segment.number),
            Walked::End(older) => older,
        };
        Some(Span { segment: segment.clone(), first_revision, offsets })
    }

    fn walk_sealed(
        &mut self,
        engine: &Engine,
        hash: StreamHash,
        segment: &Arc<Segment>,
    ) -> Result<Span, StorageError> {
        let Bounds { positions, revisions, limit, .. } = &self.bounds;
        let (first, end) = segment.committed(|committed| (committed.first_position, committed.end_position));
        let nothing = || Span { segment: segment.clone(), first_revision: 0, offsets: VecDeque::new() };
        if end <= positions.start {
            // Not worth a look at its index.
            self.segment = None;
            return Ok(nothing());
        }
        let index = engine.index(segment)?;
        let Some(stream) = index.find(hash) else {
            return Err(engine.corrupt(
                segment,
                0,
                "an index names this segment for a stream that is not in it",
            ));
        };
        if stream.older_segment.is_some_and(|older| older >= segment.number) {
            return Err(engine.corrupt(segment, 0, "an index names as older a segment that is not"));
        }
        self.segment = stream.older_segment;
        if stream.first_revision + u64::from(stream.count) <= revisions.start {
            self.segment = None;
            return Ok(nothing());
        }
        if stream.first_revision <= revisions.start || first <= positions.start {
            self.segment = None;
        }
        let list = index.stream_list(&stream);
        let place =
            |revision: u64| revision.saturating_sub(stream.first_revision).min(list.len() as u64) as usize;
        let rank = |position: u64| list.rank(position.saturating_sub(first));
        let to = place(revisions.end).min(rank(positions.end));
        let from = place(revisions.start).max(rank(positions.start)).min(to);
        let from = from.max(to.saturating_sub(usize::try_from(*limit).unwrap_or(usize::MAX)));
        Ok(Span {
            segment: segment.clone(),
            first_revision: stream.first_revision + from as u64,
            offsets: (from..to).map(|at| index.record_offset(list.at(at))).collect(),
        })
    }
}

/// The events of a stream within bounds, one after another.
struct Records {
    place: StreamPlace,
    bounds: Bounds,
    direction: Direction,
    walk: Walk,
    spans: VecDeque<Span>,
    /// So many are passed over, of those a backward read comes to first.
    skip: u64,
    left: u64,
    window: Window,
}

impl Records {
    fn next(&mut self, engine: &Engine) -> Result<Option<FoundRecord>, StorageError> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            let Some(span) = self.spans.front_mut() else {
                if self.direction == Direction::Forward {
                    return Ok(None);
                }
                self.walk.bounds.limit = self.left.saturating_add(self.skip);
                match self.walk.next(engine, self.place.hash)? {
                    Some(mut span) => {
                        self.skip -= span.drop_last(self.skip);
                        self.spans.push_back(span);
                    }
                    None => return Ok(None),
                }
                continue;
            };
            let (revision, offset) = match self.direction {
                Direction::Forward => {
                    let Some(offset) = span.offsets.pop_front() else {
                        self.spans.pop_front();
                        continue;
                    };
                    span.first_revision += 1;
                    (span.first_revision - 1, offset)
                }
                Direction::Backward => {
                    let Some(offset) = span.offsets.pop_back() else {
                        self.spans.pop_front();
                        continue;
                    };
                    (span.first_revision + span.offsets.len() as u64, offset)
                }
            };
            let ahead = || match self.direction {
                Direction::Forward => close_ones(offset, span.offsets.iter().copied()),
                Direction::Backward => units_to_offset(offset),
            };
            let segment = span.segment.clone();
            let found = self.window.record(engine, &segment, units_to_offset(offset), ahead)?;
            let found = self.check(engine, &segment, found, revision)?;
            if !self.bounds.positions.contains(&found.view().position()) {
                continue;
            }
            self.left -= 1;
            return Ok(Some(found));
        }
    }

    /// An index is never believed over the log: is this the record it names?
    fn check(
        &mut self,
        engine: &Engine,
        segment: &Arc<Segment>,
        found: Option<FoundRecord>,
        revision: u64,
    ) -> Result<FoundRecord, StorageError> {
        let is_it = |found: &FoundRecord, name: &StreamName| {
            found.view().stream() == name.as_str().as_bytes() && found.view().revision() == revision
        };
        if let Some(found) = found.filter(|found| is_it(found, &self.place.name)) {
            return Ok(found);
        }
        let not_there = |at| {
            engine.corrupt(
                segment,
                at,
                format!("the event at revision {revision} of stream {:?} is not whole", self.place.name),
            )
        };
        if !segment.is_sealed() {
            return Err(not_there(0));
        }
        // Either the index is wrong, which the log can mend, or the log is.
        let index = engine.rebuild_index(segment)?;
        let stream = index.find(self.place.hash).ok_or_else(|| not_there(0))?;
        let at = revision.checked_sub(stream.first_revision).filter(|at| *at < u64::from(stream.count));
        let at = at.ok_or_else(|| not_there(0))? as usize;
        let offset = units_to_offset(index.record_offset(index.stream_list(&stream).at(at)));
        self.window = Window::default();
        let found = self.window.record(engine, segment, offset, || offset)?;
        found.filter(|found| is_it(found, &self.place.name)).ok_or_else(|| not_there(offset))
    }
}

struct StreamEvents<E> {
    engine: E,
    records: Records,
}

impl<E: Deref<Target = Engine>> Iterator for StreamEvents<E> {
    type Item = Result<RecordedEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = match self.records.next(&self.engine) {
            Ok(found) => found?,
            Err(error) => {
                self.records.left = 0;
                return Some(Err(error.into()));
            }
        };
        let event = found.event();
        let broken = || {
            let what =
                format!("an event of stream {:?} has texts that are no UTF-8", self.records.place.name);
            StorageError::Corrupt {
                file: crate::segment::SEGMENTS_DIR.into(),
                offset: 0,
                positions: None,
                what,
            }
            .into()
        };
        Some(event.ok_or_else(broken))
    }
}

/// The record of one event of a stream, if it is committed.
pub fn find_revision(
    engine: &Engine,
    place: &StreamPlace,
    revision: u64,
) -> Result<Option<FoundRecord>, StorageError> {
    let end = engine.committed_end();
    let Some(newest) = newest_segment(engine, place.hash, end)? else { return Ok(None) };
    let mut bounds = Bounds::positions(0..end);
    bounds.revisions = revision..revision.saturating_add(1);
    bounds.limit = 1;
    let walk = Walk { segment: Some(newest), from: None, bounds: bounds.clone() };
    let mut records = Records {
        place: place.clone(),
        bounds,
        direction: Direction::Backward,
        walk,
        spans: VecDeque::new(),
        skip: 0,
        left: 1,
        window: Window::default(),
    };
    records.next(engine)
}

#[cfg(test)]
mod tests;
