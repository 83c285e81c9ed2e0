//! [`MemoryStore`]: the port in the fewest words, to be read as its
//! specification and used in tests. Nothing here is fast, and nothing survives
//! the process.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use event_listener::{Event, EventListener};
use parking_lot::RwLock;
use smallvec::SmallVec;
use uuid::Uuid;

use crate::answers::Each;
use crate::{
    Answers, Append, AppendCondition, AppendError, AppendFuture, Appended, Clock, CursorSource,
    CursorSubscription, Direction, Durability, EventStore, Events, InvalidAppend, Position, Read, ReadError,
    RecordedEvent, Revision, Selection, StreamName, StreamWrite, Subscribe, SubscribeError, Subscription,
    SystemClock, Timestamp,
};

/// An event store in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    log: RwLock<Log>,
    committed: Event,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Log {
    events: Vec<RecordedEvent>,
    /// Places in `events`, by stream; the index is the revision.
    streams: HashMap<StreamName, Vec<usize>>,
    ids: HashMap<(StreamName, Uuid), usize>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store on the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store on this clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { log: RwLock::default(), committed: Event::new(), clock }))
    }
}

impl EventStore for MemoryStore {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        append.validate()?;
        let appended = self.0.log.write().append(append, self.0.clock.now())?;
        self.0.committed.notify(usize::MAX);
        Ok(appended)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        Box::pin(ready(self.append(append.clone())))
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        Box::new(Each::of(appends.map(|append| -> AppendFuture { Box::pin(ready(self.append(append))) })))
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        read.validate()?;
        self.0.log.read().read(read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        Ok(EventStore::read(self, read)?.count() as u64)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        Ok(Box::new(CursorSubscription::new(self.clone(), subscribe)?))
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        Ok(self.0.log.read().end().previous())
    }
}

/// How one write stands to what is already recorded.
enum Standing {
    /// Its expectation is met and its ids are new.
    New,
    /// Its events are all there, up to this revision.
    Repeat { first: usize, last: usize },
}

impl Log {
    fn end(&self) -> Position {
        Position::new(self.events.len() as u64)
    }

    fn last_revision(&self, stream: &StreamName) -> Option<Revision> {
        let places = self.streams.get(stream)?;
        Revision::new(places.len() as u64).previous()
    }

    fn append(&mut self, append: Append, now: Timestamp) -> Result<Appended, AppendError> {
        // A repetition is recognised before anything else is judged, so that a
        // caller who never heard the first answer gets it now.
        let standings =
            append.writes.iter().map(|write| self.standing(write)).collect::<Result<Vec<_>, _>>()?;
        if let Some(receipt) = self.first_receipt(&append, &standings)? {
            return Ok(receipt);
        }
        for check in &append.checks {
            let actual = self.last_revision(&check.stream);
            if !check.expected.is_met_by(actual) {
                let (stream, expected) = (check.stream.clone(), check.expected);
                return Err(AppendError::Conflict { stream, expected, actual });
            }
        }
        if let Some(condition) = &append.condition {
            self.check_condition(condition)?;
        }
        Ok(self.record(append.writes, now))
    }

    /// The rules, by expectation:
    ///
    /// | the stream | the ids | answer |
    /// |---|---|---|
    /// | meets `Any`, `Exists` | none recorded in this stream | new |
    /// | meets `Any`, `Exists` | all recorded in it, in this order | repeat |
    /// | meets `Any`, `Exists` | some | partly repeated |
    /// | meets `NoStream`, `Exact` | (not looked at) | new |
    /// | has gone past `NoStream`, `Exact` | all recorded right after it | repeat |
    /// | anything else | | conflict |
    fn standing(&self, write: &StreamWrite) -> Result<Standing, AppendError> {
        let actual = self.last_revision(&write.stream);
        let conflict =
            || AppendError::Conflict { stream: write.stream.clone(), expected: write.expected, actual };
        let met = write.expected.is_met_by(actual);
        let Some(first) = write.events.first() else {
            return if met { Ok(Standing::New) } else { Err(conflict()) };
        };
        let place = match write.expected.first_revision() {
            Some(_) if met => None,
            Some(revision) => {
                let place = self.place(&write.stream, revision).ok_or_else(conflict)?;
                let found = self.events[place].id == first.id;
                Some(found.then_some(place).ok_or_else(conflict)?)
            }
            None if met => self.ids.get(&(write.stream.clone(), first.id)).copied(),
            None => return Err(conflict()),
        };
        let Some(place) = place else {
            // A later id known though the first is not: a mixture.
            let known = write.events.iter().find(|event| self.is_recorded(&write.stream, event.id));
            return match known {
                Some(event) if write.expected.first_revision().is_none() => {
                    Err(AppendError::PartlyRepeated { stream: write.stream.clone(), id: event.id })
                }
                _ => Ok(Standing::New),
            };
        };
        let mut last = place;
        for (step, event) in write.events.iter().enumerate() {
            let revision = Revision::new(self.events[place].revision.get() + step as u64);
            let recorded =
                self.place(&write.stream, revision).filter(|place| self.events[*place].id == event.id);
            let Some(recorded) = recorded else {
                return Err(match write.expected.first_revision() {
                    Some(_) => conflict(),
                    None => AppendError::PartlyRepeated { stream: write.stream.clone(), id: first.id },
                });
            };
            if !self.events[recorded].is_repeat_of(event) {
                return Err(AppendError::IdReused { stream: write.stream.clone(), revision, id: event.id });
            }
            last = recorded;
        }
        Ok(Standing::Repeat { first: place, last })
    }

    fn place(&self, stream: &StreamName, revision: Revision) -> Option<usize> {
        self.streams.get(stream)?.get(usize::try_from(revision.get()).ok()?).copied()
    }

    fn is_recorded(&self, stream: &StreamName, id: Uuid) -> bool {
        self.ids.contains_key(&(stream.clone(), id))
    }

    /// The receipt of the first time, if every write that has events repeats.
    fn first_receipt(
        &self,
        append: &Append,
        standings: &[Standing],
    ) -> Result<Option<Appended>, AppendError> {
        let mut repeated: Option<(usize, usize)> = None;
        let mut fresh = false;
        for (write, standing) in append.writes.iter().zip(standings) {
            match standing {
                Standing::Repeat { first, last } => {
                    let (from, to) = repeated.unwrap_or((*first, *last));
                    repeated = Some((from.min(*first), to.max(*last)));
                }
                Standing::New => fresh |= !write.events.is_empty(),
            }
        }
        let Some((first, last)) = repeated else { return Ok(None) };
        if fresh {
            let event = &self.events[first];
            return Err(AppendError::PartlyRepeated { stream: event.stream.clone(), id: event.id });
        }
        let revisions = append.writes.iter().zip(standings).map(|(write, standing)| match standing {
            Standing::Repeat { last, .. } => Some(self.events[*last].revision),
            Standing::New => self.last_revision(&write.stream),
        });
        Ok(Some(Appended {
            positions: Some(Position::new(first as u64)..=Position::new(last as u64)),
            revisions: revisions.collect(),
            recorded_at: Some(self.events[last].recorded_at),
            durability: Durability::Memory,
            repeated: true,
        }))
    }

    fn check_condition(&self, condition: &AppendCondition) -> Result<(), AppendError> {
        let last = self.end().previous();
        if let Some(after) = condition.after
            && last.is_none_or(|last| after > last)
        {
            return Err(InvalidAppend::PositionBeyondEnd { after, last }.into());
        }
        let seen = condition.after.map_or(0, |after| after.get() as usize + 1);
        match self.events[seen..].iter().rev().find(|event| condition.query.selects(event)) {
            Some(event) => Err(AppendError::ConditionFailed { position: event.position }),
            None => Ok(()),
        }
    }

    fn record(&mut self, writes: SmallVec<[StreamWrite; 1]>, now: Timestamp) -> Appended {
        let first = self.end();
        let recorded_at = self.events.last().map_or(now, |last| last.recorded_at.max(now));
        let mut revisions = SmallVec::new();
        for write in writes {
            for event in write.events {
                let place = self.events.len();
                let places = self.streams.entry(write.stream.clone()).or_default();
                self.ids.insert((write.stream.clone(), event.id), place);
                let (position, revision) = (Position::new(place as u64), Revision::new(places.len() as u64));
                self.events.push(event.recorded(write.stream.clone(), position, revision, recorded_at));
                places.push(place);
            }
            revisions.push(self.last_revision(&write.stream));
        }
        let last = self.end().previous().filter(|last| *last >= first);
        Appended {
            recorded_at: last.map(|_| recorded_at),
            positions: last.map(|last| first..=last),
            revisions,
            durability: Durability::Memory,
            repeated: false,
        }
    }

    /// What a read has to look at, oldest first.
    fn looked_at<'a>(
        &'a self,
        read: &Read,
    ) -> Result<Box<dyn DoubleEndedIterator<Item = &'a RecordedEvent> + 'a>, ReadError> {
        let is_reached = |event: &RecordedEvent| read.from.is_reached_by(event, read.direction);
        let is_passed = |event: &RecordedEvent| read.until.is_passed_by(event, read.direction);
        let Selection::Stream(stream) = &read.selection else {
            return Ok(Box::new(between(&self.events, read.direction, is_reached, is_passed).iter()));
        };
        let places =
            self.streams.get(stream).ok_or_else(|| ReadError::StreamNotFound { stream: stream.clone() })?;
        let at = |place: &usize| &self.events[*place];
        let places =
            between(places, read.direction, |place| is_reached(at(place)), |place| is_passed(at(place)));
        Ok(Box::new(places.iter().map(|place| &self.events[*place])))
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        let looked_at = self.looked_at(&read)?;
        let in_direction: Box<dyn Iterator<Item = &RecordedEvent>> = match read.direction {
            Direction::Forward => looked_at,
            Direction::Backward => Box::new(looked_at.rev()),
        };
        let events: Vec<_> = in_direction
            .filter(|event| read.selection.selects(event))
            .skip(count(read.skip))
            .take(read.limit.map_or(usize::MAX, count))
            .cloned()
            .map(Ok)
            .collect();
        Ok(Box::new(events.into_iter()))
    }
}

/// Those from the beginning of a read to its end, of events oldest first:
/// positions, revisions and times never decrease along them.
fn between<T>(
    events: &[T],
    direction: Direction,
    is_reached: impl Fn(&T) -> bool,
    is_passed: impl Fn(&T) -> bool,
) -> &[T] {
    let (first, end) = match direction {
        Direction::Forward => (
            events.partition_point(|event| !is_reached(event)),
            events.partition_point(|event| !is_passed(event)),
        ),
        Direction::Backward => (events.partition_point(is_passed), events.partition_point(is_reached)),
    };
    // An end before the beginning leaves nothing.
    events.get(first..end).unwrap_or_default()
}

/// As many as there can be in memory.
fn count(events: u64) -> usize {
    usize::try_from(events).unwrap_or(usize::MAX)
}

impl CursorSource for MemoryStore {
    fn committed_end(&self) -> Result<Position, SubscribeError> {
        Ok(self.0.log.read().end())
    }

    fn listen(&self) -> EventListener {
        self.0.committed.listen()
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        EventStore::read(self, read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExpectedRevision, NewEvent, Query, Start, Until};

    #[test]
    fn obeys_the_contract() {
        crate::contract::check(&MemoryStore::new);
    }

    /// Who follows a query reads the log piece by piece.
    #[test]
    fn a_read_looks_at_nothing_outside_its_ends() {
        let store = MemoryStore::new();
        for name in ["a", "b"] {
            let events = (0..5_000).map(|_| NewEvent::json("A", &().into()).unwrap());
            let stream = StreamName::new(name).unwrap();
            store.append(Append::to(stream, ExpectedRevision::Any, events)).unwrap();
        }
        let log = store.0.log.read();
        let piece = |read: Read| {
            let (from, until) =
                (Start::Position(Position::new(6_000)), Until::Position(Position::new(6_099)));
            let (from, until) = match read.direction {
                Direction::Forward => (from, until),
                Direction::Backward => {
                    (Start::Position(Position::new(6_099)), Until::Position(Position::new(6_000)))
                }
            };
            log.looked_at(&read.from(from).until(until)).unwrap().count()
        };
        let stream = || Read::stream(StreamName::new("b").unwrap());
        for read in [Read::all(), Read::query(Query::all()), stream()] {
            assert_eq!(piece(read.clone()), 100, "{read:?}");
            assert_eq!(piece(read.clone().backward()), 100, "{read:?}, backward");
        }
        let nothing =
            Read::all().from(Start::Position(Position::new(7))).until(Until::Position(Position::FIRST));
        assert_eq!(log.looked_at(&nothing).unwrap().count(), 0);
    }
}
