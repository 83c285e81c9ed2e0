//! Drafts: new events on their way to become one guarded append.

use factum_core::{
    Append, AppendCondition, Bytes, EventType, ExpectedRevision, NewEvent, Selection, StreamName,
};
use uuid::Uuid;

use crate::Model;
use crate::boundary::Boundary;
use crate::command::Context;
use crate::emitted::Emitted;
use crate::fold::Folded;
use crate::idempotency::CommandDone;
use crate::store::{Store, StoreError};

/// What one command came to, in order, each event with its stream.
pub struct NewEvents {
    pub events: Vec<(StreamName, NewEvent)>,
    pub correlation_id: Option<Uuid>,
}

impl NewEvents {
    /// With ids and with what surrounds the command; `metadata` is that of the
    /// context.
    pub fn of(
        store: &Store,
        emitted: Emitted,
        context: &Context,
        metadata: &Bytes,
    ) -> Result<Self, StoreError> {
        let mut correlation_id = context.correlation_id;
        let encoded = emitted.encoded()?;
        let mut events = Vec::with_capacity(encoded.len());
        for event in encoded {
            let id = store.new_id();
            // The first event of a flow mints its id.
            let flow = *correlation_id.get_or_insert(id);
            let new = NewEvent {
                id,
                event_type: event.event_type,
                schema_version: event.schema_version,
                content_type: event.content_type,
                data: event.data.into(),
                metadata: metadata.clone(),
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

/// New events by stream, on their way to become an append.
pub struct Draft {
    append: Append,
    correlation_id: Option<Uuid>,
}

impl Draft {
    pub fn new(store: &Store, emitted: Emitted, context: &Context) -> Result<Self, StoreError> {
        let metadata = context.metadata_bytes(emitted.producer);
        let NewEvents { events, correlation_id } = NewEvents::of(store, emitted, context, &metadata)?;
        let mut append = Append::default();
        for (stream, new) in events {
            match append.writes.iter_mut().find(|write| write.stream == stream) {
                Some(write) => write.events.push(new),
                None => append = append.and_to(stream, ExpectedRevision::Any, [new]),
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
    ) -> Result<Drafted, StoreError> {
        for (at, part) in boundary.parts.iter().enumerate() {
            let (Selection::Stream(stream), Some(expected)) = (&part.read, state.expected(boundary, at))
            else {
                continue;
            };
            match self.append.writes.iter_mut().find(|write| write.stream == *stream) {
                Some(write) => write.expected = expected,
                None if self.append.checks.iter().any(|check| check.stream == *stream) => {}
                None => self.append = self.append.expecting(stream.clone(), expected),
            }
        }
        if let Some(query) = boundary.condition() {
            self.append = self.append.on_condition(AppendCondition { query, after: state.up_to });
        }
        let mut outside_boundary = Vec::new();
        for write in &self.append.writes {
            for event in &write.events {
                if !boundary.reads(&write.stream, &event.event_type, &event.tags) {
                    outside_boundary.push(event.event_type.clone());
                }
            }
        }
        if let Some(key) = key {
            let done = CommandDone::right_before(key, self.append.event_count() as u64);
            self.append.writes.push(done.write(store.new_id(), self.correlation_id));
        }
        Ok(Drafted { append: self.append, correlation_id: self.correlation_id, outside_boundary })
    }
}

/// What was handed to the store, for the receipt and the warm state.
pub struct Drafted {
    pub append: Append,
    pub correlation_id: Option<Uuid>,
    pub outside_boundary: Vec<EventType>,
}
