//! Drafts: new events on their way to become one guarded append.
//!
//! ```text
//!   emitted    a1  b1  a2
//!   appended   a1  a2 │ b1      the events of a stream stand together
//! ```
//!
//! They are brought into that order first, before anybody folds them ahead: what is
//! folded is what will be read.

use std::collections::HashMap;

use factum_core::{
    Append, AppendCondition, Bytes, EventType, ExpectedRevision, NewEvent, Position, RecordedEvent, Revision,
    Selection, StreamCheck, StreamName, StreamWrite, Timestamp,
};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::Model;
use crate::boundary::{Boundary, Guard, is_same};
use crate::command::Context;
use crate::emitted::{Emitted, Made, ReadBack};
use crate::event::EncodeError;
use crate::fold::Folded;
use crate::idempotency::{CommandDone, Span};
use crate::store::{Store, StoreError};

/// What one command came to, each event with its stream, in the order in which
/// they will stand in the log.
pub struct NewEvents {
    pub events: SmallVec<[(StreamName, NewEvent); 1]>,
    /// For each of them.
    pub read_back: AllReadBack,
    pub correlation_id: Option<Uuid>,
}

/// Events as they will be read back from what is stored of them.
pub type AllReadBack = SmallVec<[ReadBack; 1]>;

impl NewEvents {
    /// Of a decision on this boundary, with ids and with what surrounds the command.
    pub fn of(
        store: &Store,
        emitted: Emitted,
        boundary: &Boundary,
        context: &Context,
    ) -> Result<Self, StoreError> {
        let mut stamp = Stamp::new(store, context);
        let (mut events, mut read_back) = (SmallVec::new(), AllReadBack::new());
        for made in in_order(&emitted, boundary)? {
            let (stream, new, read) = stamp.put_on(made);
            events.push((stream, new));
            read_back.push(read);
        }
        Ok(Self { events, read_back, correlation_id: stamp.correlation_id })
    }
}

/// Gives events their ids and what surrounds the command.
struct Stamp<'a> {
    store: &'a Store,
    context: &'a Context,
    correlation_id: Option<Uuid>,
    /// What the maker of the event before says of itself, and the metadata that came
    /// of it, if there is more to that.
    metadata: Option<(&'static str, Bytes)>,
}

impl<'a> Stamp<'a> {
    fn new(store: &'a Store, context: &'a Context) -> Self {
        Self { store, context, correlation_id: context.correlation_id, metadata: None }
    }

    #[inline(always)]
    fn put_on(&mut self, made: Made) -> (StreamName, NewEvent, ReadBack) {
        let Made { encoded: event, producer_metadata, read_back } = made;
        let id = self.store.new_id();
        // The first event of a flow mints its id.
        let flow = *self.correlation_id.get_or_insert(id);
        let new = NewEvent {
            id,
            event_type: event.event_type,
            schema_version: event.schema_version,
            content_type: event.content_type,
            data: event.data.into(),
            metadata: self.metadata(producer_metadata),
            tags: event.tags,
            occurred_at: self.context.occurred_at,
            correlation_id: Some(flow),
            causation_id: self.context.causation_id,
        };
        (event.stream, new, read_back)
    }

    fn metadata(&mut self, producer: &'static str) -> Bytes {
        if self.context.metadata.is_empty() {
            return self.context.metadata_bytes(producer);
        }
        match &self.metadata {
            Some((same, metadata)) if *same == producer => metadata.clone(),
            _ => {
                let metadata = self.context.metadata_bytes(producer);
                self.metadata = Some((producer, metadata.clone()));
                metadata
            }
        }
    }
}

/// What was emitted, each ready to be stored, in the order of the log.
fn in_order(emitted: &Emitted, boundary: &Boundary) -> Result<Vec<Made>, EncodeError> {
    let mut made = emitted.each_made(boundary).collect::<Result<Vec<_>, _>>()?;
    by_stream(&mut made);
    Ok(made)
}

/// Brings the events of a stream together, the streams in the order in which they
/// first come.
pub fn by_stream(events: &mut [Made]) {
    if events.windows(2).all(|pair| pair[0].encoded.stream == pair[1].encoded.stream) {
        return;
    }
    let mut ranks = HashMap::new();
    for event in events.iter() {
        let next = ranks.len();
        ranks.entry(event.encoded.stream.clone()).or_insert(next);
    }
    events.sort_by_cached_key(|event| ranks[&event.encoded.stream]);
}

/// What is to be handed over, and what is kept of it for the answer.
#[derive(Default)]
pub struct Draft {
    pub append: Append,
    /// For each of its events.
    pub read_back: AllReadBack,
    pub correlation_id: Option<Uuid>,
    pub outside_boundary: Vec<EventType>,
}

impl Draft {
    /// Adds what was emitted by a decision on this boundary, by stream, with nothing
    /// that guards it.
    pub fn emit(
        &mut self,
        store: &Store,
        mut emitted: Emitted,
        boundary: &Boundary,
        context: &Context,
    ) -> Result<(), StoreError> {
        let one = if emitted.events.len() == 1 { emitted.events.pop() } else { None };
        let Some(event) = one else {
            self.add(store, in_order(&emitted, boundary)?, context);
            return Ok(());
        };
        // Usually it is one, which has an order and is made where it stays.
        let mut stamp = Stamp::new(store, context);
        self.push(stamp.put_on(Made::of(event, boundary)?));
        self.correlation_id = stamp.correlation_id;
        Ok(())
    }

    /// Adds what is in the order of the log already.
    pub fn add(&mut self, store: &Store, made: Vec<Made>, context: &Context) {
        let mut stamp = Stamp::new(store, context);
        made.into_iter().for_each(|made| self.push(stamp.put_on(made)));
        self.correlation_id = stamp.correlation_id;
    }

    #[inline(always)]
    fn push(&mut self, (stream, new, read_back): (StreamName, NewEvent, ReadBack)) {
        self.read_back.push(read_back);
        match self.append.writes.last_mut() {
            Some(write) if write.stream == stream => write.events.push(new),
            _ => {
                let expected = ExpectedRevision::Any;
                self.append.writes.push(StreamWrite { stream, expected, events: vec![new] });
            }
        }
    }

    /// Adds everything that the decision rests on as its guard.
    pub fn guard<M: Model>(
        &mut self,
        boundary: &Boundary,
        state: &Folded<M>,
        key: Option<&str>,
        store: &Store,
    ) {
        let (mut has_condition, mut unread) = (false, self.append.writes.len());
        for (at, part) in boundary.parts.iter().enumerate() {
            has_condition |= matches!(part.guard, Guard::Condition(_));
            let (Selection::Stream(stream), Some(expected)) = (&part.read, state.expected(part, at)) else {
                continue;
            };
            match self.append.writes.iter_mut().find(|write| is_same(&write.stream, stream)) {
                Some(write) => {
                    unread -= usize::from(write.expected == ExpectedRevision::Any);
                    write.expected = expected;
                }
                None if self.append.checks.iter().any(|check| check.stream == *stream) => {}
                None => {
                    let check = StreamCheck { stream: stream.clone(), expected };
                    self.append.checks.push(check);
                }
            }
        }
        if has_condition && let Some(query) = boundary.condition() {
            self.append.condition = Some(AppendCondition { query, after: state.up_to });
        }
        // A stream that is read is read whole.
        if unread > 0 {
            self.outside_boundary = self.outside(boundary);
        }
        if let Some(key) = key {
            let events = self.append.event_count() as u64;
            let first = self.append.writes.first().map_or(0, |write| write.events.len()) as u64;
            let done = CommandDone::of(key, Span { events, first, back: events }, &self.outside_boundary);
            self.append.writes.push(done.write(store.new_id(), self.correlation_id));
        }
    }

    /// The types of the events that the boundary does not read.
    fn outside(&self, boundary: &Boundary) -> Vec<EventType> {
        let mut outside = Vec::new();
        for write in &self.append.writes {
            for event in &write.events {
                if !boundary.reads(&write.stream, &event.event_type, &event.tags) {
                    outside.push(event.event_type.clone());
                }
            }
        }
        outside
    }
}

/// The event as recorded, but for its place.
pub fn unplaced(event: NewEvent, stream: StreamName) -> RecordedEvent {
    event.recorded(stream, Position::MAX, Revision::MAX, Timestamp::MAX)
}
