//! Reads: of everything, of one stream, and of what a query selects.
//!
//! A read sees the committed end once, when it begins, and never looks beyond.
//! Every byte that comes from the disk is checked before it is given out:
//! whole batches by their checksum, single records by theirs.

pub mod all;
pub mod query;
pub mod stream;
mod window;

use std::ops::{Deref, Range};

use factum_core::{Direction, Events, Read, ReadError, Selection, Start, StorageError, Timestamp, Until};

use crate::engine::Engine;
use crate::index::keys::Wanted;
use query::Selected;

/// What a read may give out, all as half-open ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    pub positions: Range<u64>,
    pub revisions: Range<u64>,
    /// So many of them are passed over.
    pub skip: u64,
    pub limit: u64,
}

impl Bounds {
    /// These positions, all of them.
    pub fn positions(positions: Range<u64>) -> Self {
        Self { positions, revisions: 0..u64::MAX, skip: 0, limit: u64::MAX }
    }

    fn of(engine: &Engine, read: &Read) -> Result<Self, StorageError> {
        let mut bounds = Self::positions(0..engine.committed_end());
        bounds.skip = read.skip;
        bounds.limit = read.limit.unwrap_or(u64::MAX);
        let forward = read.direction == Direction::Forward;
        // The lower end is where a forward read begins and a backward one ends.
        let (lower, upper) = match (read.from, read.until) {
            (from, until) if forward => (End::from(from), End::from(until)),
            (from, until) => (End::from(until), End::from(from)),
        };
        match lower {
            End::Edge => {}
            End::Position(position) => bounds.positions.start = position,
            End::Revision(revision) => bounds.revisions.start = revision,
            End::Time(time) => bounds.positions.start = first_position(engine, |recorded| recorded >= time)?,
        }
        match upper {
            End::Edge => {}
            End::Position(position) => {
                bounds.positions.end = bounds.positions.end.min(position.saturating_add(1));
            }
            End::Revision(revision) => bounds.revisions.end = revision.saturating_add(1),
            End::Time(time) => {
                let end = first_position(engine, |recorded| recorded > time)?;
                bounds.positions.end = bounds.positions.end.min(end);
            }
        }
        Ok(bounds)
    }
}

impl Bounds {
    /// Where every event counts, those that are passed over are known without
    /// a look.
    fn passed_over(mut self, direction: Direction) -> Self {
        let Range { start, end } = &mut self.positions;
        match direction {
            Direction::Forward => *start = start.saturating_add(self.skip),
            Direction::Backward => *end = end.saturating_sub(self.skip).max((*start).min(*end)),
        }
        self
    }
}

/// One end of a read, whichever way it goes.
enum End {
    Edge,
    Position(u64),
    Revision(u64),
    Time(Timestamp),
}

impl From<Start> for End {
    fn from(start: Start) -> Self {
        match start {
            Start::Edge => Self::Edge,
            Start::Position(position) => Self::Position(position.get()),
            Start::Revision(revision) => Self::Revision(revision.get()),
            Start::Time(time) => Self::Time(time),
        }
    }
}

impl From<Until> for End {
    fn from(until: Until) -> Self {
        match until {
            Until::Edge => Self::Edge,
            Until::Position(position) => Self::Position(position.get()),
            Until::Revision(revision) => Self::Revision(revision.get()),
            Until::Time(time) => Self::Time(time),
        }
    }
}

/// Position of the first committed event whose recorded-at satisfies `late`,
/// which must not become false again along the log; the committed end if none
/// does. All events of a batch are recorded at the same time.
fn first_position(engine: &Engine, late: impl Fn(Timestamp) -> bool) -> Result<u64, StorageError> {
    let segments = engine.segments.read().clone();
    let found = segments
        .iter()
        .find(|segment| segment.committed(|c| c.end_position > c.first_position && late(c.last_recorded_at)));
    let Some(segment) = found else { return Ok(engine.committed_end()) };
    let live = segment.committed(|committed| {
        let at = committed.batches.partition_point(|batch| !late(batch.recorded_at));
        committed.batches.get(at).map(|batch| batch.first_position)
    });
    if let Some(position) = live {
        return Ok(position);
    }
    let index = engine.index(segment)?;
    let (mut low, mut high) = (0, index.batches());
    while low < high {
        let middle = low + (high - low) / 2;
        if late(index.batch(middle).recorded_at) { high = middle } else { low = middle + 1 }
    }
    Ok(if low < index.batches() { index.batch(low).first_position } else { index.end_position() })
}

/// Begins a read.
pub fn read<E>(engine: E, read: Read) -> Result<Events, ReadError>
where
    E: Deref<Target = Engine> + Clone + Send + 'static,
{
    read.validate()?;
    if engine.is_closed() {
        return Err(StorageError::Closed.into());
    }
    let bounds = Bounds::of(&engine, &read)?;
    match read.selection {
        Selection::Stream(stream) => stream::read(engine, stream, bounds, read.direction),
        Selection::Query(query) if !query.selects_all() => {
            Ok(Box::new(Selected::new(engine, query, bounds, read.direction)?))
        }
        Selection::All | Selection::Query(_) => {
            let bounds = bounds.passed_over(read.direction);
            Ok(match read.direction {
                Direction::Forward => Box::new(all::Forward::new(engine, bounds)),
                Direction::Backward => Box::new(all::Backward::new(engine, bounds)),
            })
        }
    }
}

/// How many events [`read`] would yield.
pub fn count(engine: &Engine, read: Read) -> Result<u64, ReadError> {
    read.validate()?;
    if engine.is_closed() {
        return Err(StorageError::Closed.into());
    }
    let bounds = Bounds::of(engine, &read)?;
    let (skip, limit) = (bounds.skip, bounds.limit);
    let between = match read.selection {
        Selection::Stream(stream) => stream::count(engine, stream, bounds)?,
        Selection::Query(query) if !query.selects_all() => {
            query::count(engine, &Wanted::of(&query, engine.store.secret), bounds.positions)?
        }
        Selection::All | Selection::Query(_) => bounds.positions.end.saturating_sub(bounds.positions.start),
    };
    Ok(between.saturating_sub(skip).min(limit))
}
