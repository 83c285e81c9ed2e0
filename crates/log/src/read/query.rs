//! Reads of what a query selects: from the lists of its keys, segment by
//! segment, to the records.
//!
//! ```text
//!   positions   ├──── sealed 1 ────┤├──── sealed 2 ────┤├─ live ─┤
//!   candidates     ×    ×              (none: skipped)     × × ×
//!                  └── each read, checked, and given out ──┘
//! ```
//!
//! A record found is checked against the query itself. If it is not wanted, or
//! not there, the index is wrong or the log is: the index is built again, once,
//! and then believed no more than before. Records that are lost are candidates of
//! every query, so that a read says of them what it knows.
//!
//! Memory: some hundred ordinals at a time, and the window they are read by.

use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::sync::Arc;

use factum_core::name::category_of;
use factum_core::{Direction, Query, QueryItem, ReadError, RecordedEvent, StorageError};

use super::Bounds;
use super::all::not_a_record;
use super::window::{FoundRecord, Window, close_ones};
use crate::engine::Engine;
use crate::index::keys::Wanted;
use crate::index::search::Search;
use crate::index::units_to_offset;
use crate::segment::Segment;
use crate::segment::record::RecordView;

/// How many candidates are looked up at once.
const LOOKED_UP_AT_ONCE: u64 = 256;

/// How many records are asked about at once: whoever has a condition judged waits
/// for no longer than that takes.
const PART_MAX: u32 = 1 << 16;

/// Events of a query, one after another.
pub struct Selected<E> {
    engine: E,
    query: Query,
    wanted: Wanted,
    direction: Direction,
    /// What was not looked up yet.
    positions: Range<u64>,
    /// Where what was given out ends, in the direction.
    served: u64,
    left: u64,
    /// Candidates that were looked up, all of one segment.
    candidates: VecDeque<Candidate>,
    segment: Option<Arc<Segment>>,
    /// The last segment whose index was built again.
    rebuilt: Option<u32>,
    window: Window,
}

/// A record that the index names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    position: u64,
    /// See [`units_to_offset`].
    offset: u32,
}

impl<E: Deref<Target = Engine>> Selected<E> {
    /// Begins where what is to be passed over ends. The query must not select
    /// everything: that is a scan.
    pub fn new(engine: E, query: Query, bounds: Bounds, direction: Direction) -> Result<Self, ReadError> {
        let wanted = Wanted::of(&query, engine.store.secret);
        let mut positions = bounds.positions;
        if bounds.skip > 0 {
            positions = pass_over(&engine, &wanted, positions, bounds.skip, direction)?;
        }
        Ok(Self {
            engine,
            query,
            wanted,
            direction,
            served: if direction == Direction::Forward { positions.start } else { positions.end },
            positions,
            left: bounds.limit,
            candidates: VecDeque::new(),
            segment: None,
            rebuilt: None,
            window: Window::default(),
        })
    }

    fn step(&mut self) -> Result<Option<RecordedEvent>, StorageError> {
        while self.left > 0 {
            let Some(candidate) = self.candidates.pop_front() else {
                if self.positions.is_empty() {
                    return Ok(None);
                }
                self.look_up()?;
                continue;
            };
            let Some(segment) = self.segment.clone() else { return Ok(None) };
            let ahead = || match self.direction {
                Direction::Forward => close_ones(candidate.offset, self.candidates.iter().map(|c| c.offset)),
                Direction::Backward => units_to_offset(candidate.offset),
            };
            let found =
                self.window.record(&self.engine, &segment, units_to_offset(candidate.offset), ahead)?;
            let found = found.filter(|found| found.view().position() == candidate.position);
            match found {
                Some(found) if selects(&self.query, &found.view()) => {
                    self.left -= 1;
                    self.served = match self.direction {
                        Direction::Forward => candidate.position + 1,
                        Direction::Backward => candidate.position,
                    };
                    return match found.event() {
                        Some(event) => Ok(Some(event)),
                        None => Err(not_a_record(candidate.position)),
                    };
                }
                found => self.doubt(&segment, candidate, found)?,
            }
        }
        Ok(None)
    }

    /// A candidate is not what it should be.
    fn doubt(
        &mut self,
        segment: &Arc<Segment>,
        candidate: Candidate,
        found: Option<FoundRecord>,
    ) -> Result<(), StorageError> {
        if segment.is_sealed() && self.rebuilt != Some(segment.number) {
            self.engine.rebuild_index(segment)?;
            self.rebuilt = Some(segment.number);
            // Once more, from what was given out last.
            match self.direction {
                Direction::Forward => self.positions.start = self.served,
                Direction::Backward => self.positions.end = self.served,
            }
            self.candidates.clear();
            self.window = Window::default();
            return Ok(());
        }
        match found {
            // Two texts with one hash.
            Some(_) => Ok(()),
            None => {
                let what = format!("the event at position {} is not whole", candidate.position);
                Err(self.engine.corrupt(segment, units_to_offset(candidate.offset), what))
            }
        }
    }

    /// Has the next candidates at hand, or fewer positions to look at.
    fn look_up(&mut self) -> Result<(), StorageError> {
        let part = part_of(&self.engine, &self.positions, self.direction)?;
        let most = LOOKED_UP_AT_ONCE.min(self.left);
        let (wanted, direction) = (&self.wanted, self.direction);
        let found: Vec<u32> = part.search(&self.engine, wanted, |search| {
            search.matches(part.ordinals.clone(), direction).take(most as usize).collect()
        })?;
        let is_all = (found.len() as u64) < most;
        self.candidates = part.places(&self.engine, found)?;
        let edge = match (is_all, self.candidates.back()) {
            (false, Some(last)) => last.position,
            _ => match direction {
                Direction::Forward => part.positions().end - 1,
                Direction::Backward => part.positions().start,
            },
        };
        match direction {
            Direction::Forward => self.positions.start = edge + 1,
            Direction::Backward => self.positions.end = edge,
        }
        self.segment = Some(part.segment);
        Ok(())
    }
}

impl<E: Deref<Target = Engine>> Iterator for Selected<E> {
    type Item = Result<RecordedEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(event) => Ok(event).transpose(),
            Err(error) => {
                self.left = 0;
                Some(Err(error.into()))
            }
        }
    }
}

/// What of some positions is in one segment, or as much of it as is asked about
/// at once.
struct Part {
    segment: Arc<Segment>,
    /// Position of its first event.
    first: u64,
    ordinals: Range<u32>,
}

/// The first part in a direction of positions, of which there are some, all
/// committed.
fn part_of(engine: &Engine, positions: &Range<u64>, direction: Direction) -> Result<Part, StorageError> {
    let position = match direction {
        Direction::Forward => positions.start,
        Direction::Backward => positions.end - 1,
    };
    let segment = engine.segment_at(position).ok_or_else(|| not_a_record(position))?;
    let (first, end) = segment.committed(|committed| (committed.first_position, committed.end_position));
    let ordinal = |position: u64| (position.clamp(first, end) - first) as u32;
    let Range { start, end } = ordinal(positions.start)..ordinal(positions.end);
    let ordinals = match direction {
        Direction::Forward => start..end.min(start.saturating_add(PART_MAX)),
        Direction::Backward => start.max(end.saturating_sub(PART_MAX))..end,
    };
    Ok(Part { segment, first, ordinals })
}

impl Part {
    fn positions(&self) -> Range<u64> {
        self.first + u64::from(self.ordinals.start)..self.first + u64::from(self.ordinals.end)
    }

    /// Asks the lists of the segment, live or sealed.
    fn search<T>(
        &self,
        engine: &Engine,
        wanted: &Wanted,
        ask: impl Fn(Search<'_>) -> T,
    ) -> Result<T, StorageError> {
        loop {
            let live = engine.live.read();
            let Some(segment) = live.live_segment(self.segment.number) else { break };
            // A piece at a time: between them the sequencer has its turn.
            let Some(lists) = segment.lists(self.ordinals.end) else { continue };
            drop(live);
            let lists = lists.lock();
            return Ok(ask(Search::new(wanted, |key| lists.find(key))));
        }
        let index = engine.index(&self.segment)?;
        Ok(ask(Search::new(wanted, |key| index.key_list(key))))
    }

    /// Where records are.
    fn places(&self, engine: &Engine, ordinals: Vec<u32>) -> Result<VecDeque<Candidate>, StorageError> {
        let place = |ordinal: u32, offset| Candidate { position: self.first + u64::from(ordinal), offset };
        {
            let live = engine.live.read();
            if let Some(segment) = live.live_segment(self.segment.number) {
                let offset = |ordinal: u32| segment.records[ordinal as usize].offset;
                return Ok(ordinals.into_iter().map(|ordinal| place(ordinal, offset(ordinal))).collect());
            }
        }
        // It may have been sealed since it was asked.
        let index = engine.index(&self.segment)?;
        Ok(ordinals.into_iter().map(|ordinal| place(ordinal, index.record_offset(ordinal))).collect())
    }
}

/// How many events between positions are wanted.
pub fn count(engine: &Engine, wanted: &Wanted, mut positions: Range<u64>) -> Result<u64, StorageError> {
    let mut count = 0;
    while !positions.is_empty() {
        let part = part_of(engine, &positions, Direction::Forward)?;
        count += part.count(engine, wanted)?;
        positions.start = part.positions().end;
    }
    Ok(count)
}

impl Part {
    fn count(&self, engine: &Engine, wanted: &Wanted) -> Result<u64, StorageError> {
        let ordinals = || self.ordinals.clone();
        let counted = self.search(engine, wanted, |search| {
            (!search.meets_lost(&ordinals())).then(|| search.count(ordinals()))
        })?;
        counted.ok_or_else(|| {
            engine.corrupt(&self.segment, 0, "events are lost here, and what they were is not known")
        })
    }
}

/// The positions behind the first `skip` that are wanted, in a direction.
fn pass_over(
    engine: &Engine,
    wanted: &Wanted,
    mut positions: Range<u64>,
    mut skip: u64,
    direction: Direction,
) -> Result<Range<u64>, StorageError> {
    while skip > 0 && !positions.is_empty() {
        let part = part_of(engine, &positions, direction)?;
        let count = part.count(engine, wanted)?;
        let passed = part.positions();
        // The last one to be passed over, or all that is in this part.
        let last = match skip <= count {
            true => {
                part.search(engine, wanted, |search| search.nth(part.ordinals.clone(), direction, skip - 1))?
            }
            false => None,
        };
        let last = last.map(|ordinal| part.first + u64::from(ordinal));
        match direction {
            Direction::Forward => positions.start = last.map_or(passed.end, |last| last + 1),
            Direction::Backward => positions.end = last.unwrap_or(passed.start),
        }
        skip = if last.is_some() { 0 } else { skip - count };
    }
    Ok(positions)
}

/// Whether a query selects a record.
fn selects(query: &Query, view: &RecordView<'_>) -> bool {
    query.items().iter().any(|item| matches(item, view))
}

fn matches(item: &QueryItem, view: &RecordView<'_>) -> bool {
    let is_type = |name: &factum_core::EventType| name.as_str().as_bytes() == view.event_type();
    let category = || std::str::from_utf8(view.stream()).ok().and_then(category_of);
    (item.types.is_empty() || item.types.iter().any(is_type))
        && (item.categories.is_empty() || {
            let category = category();
            item.categories.iter().any(|named| Some(named.as_str()) == category)
        })
        && item.tags.iter().all(|tag| view.tag_texts().any(|text| text == tag.as_str().as_bytes()))
        && (!item.begins_stream || view.revision() == 0)
}
