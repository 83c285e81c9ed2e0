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
    Append, AppendCondition, Appended, Bytes, EventType, ExpectedRevision, NewEvent, Position, RecordedEvent,
    Revision, Selection, StreamCheck, StreamName, StreamWrite, Timestamp,
};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::Model;
use crate::boundary::Boundary;
use crate::command::Context;
use crate::emitted::{Emitted, Made};
use crate::fold::Folded;
use crate::idempotency::{CommandDone, Span};
use crate::store::{Store, StoreError};

/// What one command came to, each event with its stream, in the order in which
/// they will stand in the log.
pub struct NewEvents {
    pub events: SmallVec<[(StreamName, NewEvent); 1]>,
    pub correlation_id: Option<Uuid>,
}

impl NewEvents {
    /// With ids and with what surrounds the command.
    pub fn of(store: &Store, emitted: Emitted, context: &Context) -> Result<Self, StoreError> {
        let mut stamped: Option<(&'static str, Bytes)> = None;
        let mut correlation_id = context.correlation_id;
        let mut events = SmallVec::new();
        let mut made = emitted.made()?;
        by_stream(&mut made);
        for Made { encoded: event, producer_metadata } in made {
            let metadata = match stamped.take() {
                Some((same, metadata)) if same == producer_metadata => metadata,
                _ => context.metadata_bytes(producer_metadata),
            };
            stamped = Some((producer_metadata, metadata.clone()));
            let id = store.new_id();
            // The first event of a flow mints its id.
            let flow = *correlation_id.get_or_insert(id);
            let new = NewEvent {
                id,
                event_type: event.event_type,
                schema_version: event.schema_version,
                content_type: event.content_type,
                data: event.data.into(),
                metadata,
                tags: event.tags,
                occurred_at: context.occurred_at,
                correlation_id: Some(flow),
                causation_id: context.causation_id,
            };
            events.push((event.stream, new));
        }
        Ok(Self { events, correlation_id })
    }
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

/// New events by stream, on their way to become an append.
pub struct Draft {
    append: Append,
    correlation_id: Option<Uuid>,
}

impl Draft {
    pub fn new(store: &Store, emitted: Emitted, context: &Context) -> Result<Self, StoreError> {
        let NewEvents { events, correlation_id } = NewEvents::of(store, emitted, context)?;
        let mut append = Append::default();
        for (stream, new) in events {
            match append.writes.last_mut() {
                Some(write) if write.stream == stream => write.events.push(new),
                _ => append.writes.push(StreamWrite {
                    stream,
                    expected: ExpectedRevision::Any,
                    events: vec![new],
                }),
            }
        }
        Ok(Self { append, correlation_id })
    }

    pub fn unguarded(self) -> (Append, Option<Uuid>) {
        (self.append, self.correlation_id)
    }

    /// With everything that the decision rests on as its guard.
    pub fn guarded<M: Model>(
        mut self,
        boundary: &Boundary,
        state: &Folded<M>,
        key: Option<&str>,
        store: &Store,
    ) -> Result<(Append, Drafted), StoreError> {
        for (at, part) in boundary.parts.iter().enumerate() {
            let (Selection::Stream(stream), Some(expected)) = (&part.read, state.expected(boundary, at))
            else {
                continue;
            };
            match self.append.writes.iter_mut().find(|write| write.stream == *stream) {
                Some(write) => write.expected = expected,
                None if self.append.checks.iter().any(|check| check.stream == *stream) => {}
                None => {
                    let check = StreamCheck { stream: stream.clone(), expected };
                    self.append.checks.push(check);
                }
            }
        }
        if let Some(query) = boundary.condition() {
            self.append.condition = Some(AppendCondition { query, after: state.up_to });
        }
        let (read_back, outside_boundary) = self.read_back(boundary);
        if let Some(key) = key {
            let events = self.append.event_count() as u64;
            let first = self.append.writes.first().map_or(0, |write| write.events.len()) as u64;
            let done = CommandDone::of(key, Span { events, first, back: events }, &outside_boundary);
            self.append.writes.push(done.write(store.new_id(), self.correlation_id));
        }
        let correlation_id = self.correlation_id;
        Ok((self.append, Drafted { correlation_id, read_back, outside_boundary }))
    }

    /// The events that the boundary reads, and the types it does not.
    fn read_back(&self, boundary: &Boundary) -> (Vec<ReadBack>, Vec<EventType>) {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        let mut at = 0;
        for (write, written) in self.append.writes.iter().enumerate() {
            for (step, event) in written.events.iter().enumerate() {
                let parts = boundary.parts.iter().enumerate();
                let parts =
                    parts.filter(|(_, part)| part.reads(&written.stream, &event.event_type, &event.tags));
                let before = inside.len();
                inside.extend(parts.map(|(part, bounds)| ReadBack {
                    part,
                    is_stream: matches!(bounds.read, Selection::Stream(_)),
                    write,
                    at,
                    before_last: (written.events.len() - 1 - step) as u64,
                    event: unplaced(event, &written.stream),
                }));
                if inside.len() == before {
                    outside.push(event.event_type.clone());
                }
                at += 1;
            }
        }
        (inside, outside)
    }
}

/// What is kept of an append that was handed to the store.
pub struct Drafted {
    pub correlation_id: Option<Uuid>,
    pub read_back: Vec<ReadBack>,
    pub outside_boundary: Vec<EventType>,
}

/// An event of an append as a part of its boundary will read it.
pub struct ReadBack {
    pub part: usize,
    /// Whether that part is a stream.
    pub is_stream: bool,
    /// Which of the append's writes it stands in.
    write: usize,
    /// Its place in the append.
    at: u64,
    /// How many of its write's events follow it.
    before_last: u64,
    event: RecordedEvent,
}

impl ReadBack {
    /// The event at the place it was given.
    pub fn placed_by(self, appended: &Appended) -> Option<RecordedEvent> {
        let last = appended.revisions.get(self.write).copied().flatten()?;
        Some(RecordedEvent {
            position: Position::new(appended.first_position()?.get() + self.at),
            revision: Revision::new(last.get().checked_sub(self.before_last)?),
            recorded_at: appended.recorded_at?,
            ..self.event
        })
    }
}

/// The event as recorded, but for its place.
pub fn unplaced(event: &NewEvent, stream: &StreamName) -> RecordedEvent {
    RecordedEvent {
        position: Position::MAX,
        stream: stream.clone(),
        revision: Revision::MAX,
        recorded_at: Timestamp::MAX,
        id: event.id,
        event_type: event.event_type.clone(),
        schema_version: event.schema_version,
        content_type: event.content_type.clone(),
        data: event.data.clone(),
        metadata: event.metadata.clone(),
        tags: event.tags.clone(),
        occurred_at: event.occurred_at,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
    }
}
