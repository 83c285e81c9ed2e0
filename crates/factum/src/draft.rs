//! Drafts: new events on their way to become one guarded append.

use factum_core::{Append, AppendCondition, EventType, ExpectedRevision, NewEvent, Selection};
use uuid::Uuid;

use crate::Model;
use crate::boundary::Boundary;
use crate::command::Context;
use crate::emitted::Emitted;
use crate::fold::Folded;
use crate::idempotency::CommandDone;
use crate::store::{Store, StoreError};

/// New events by stream, on their way to become an append.
pub struct Draft {
    append: Append,
    correlation_id: Option<Uuid>,
}

impl Draft {
    pub fn new(store: &Store, emitted: Emitted, context: &Context) -> Result<Self, StoreError> {
        let metadata = context.metadata_bytes(emitted.producer);
        let mut correlation_id = context.correlation_id;
        let mut append = Append::default();
        for event in emitted.encoded()? {
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
            match append.writes.iter_mut().find(|write| write.stream == event.stream) {
                Some(write) => write.events.push(new),
                None => append = append.and_to(event.stream, ExpectedRevision::Any, [new]),
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
            let done = CommandDone { key: key.to_owned(), events: self.append.event_count() as u64 };
            self.append = done.beside(self.append, store.new_id(), self.correlation_id)?;
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
