//! What surrounds a command: who, because of what, in which flow; and how it is
//! written beside the events.
//!
//! ```text
//!   correlation id   the flow: given, or carried on from the event that caused the
//!                    command, or minted by the first event (its own id)
//!   causation id     the event that caused the command
//!   metadata         {"producer": "shop 1.4.0", "actor": "ada", ...}
//! ```

use factum_core::{Bytes, RecordedEvent, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The metadata key of the program that made an event.
pub const PRODUCER: &str = "producer";
/// The metadata key of whoever gave the command.
pub const ACTOR: &str = "actor";

/// What is known about a command besides what it asks for.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The flow it belongs to.
    pub correlation_id: Option<Uuid>,
    /// The event that led to it.
    pub causation_id: Option<Uuid>,
    /// When it happened, if not when it is recorded.
    pub occurred_at: Option<Timestamp>,
    /// Further facts about the fact.
    pub metadata: Map<String, Value>,
}

impl Context {
    /// That of a command which this event led to.
    pub fn caused_by(event: &RecordedEvent) -> Self {
        Self {
            correlation_id: Some(event.correlation_id.unwrap_or(event.id)),
            causation_id: Some(event.id),
            ..Self::default()
        }
    }

    /// Has the flow of this event go on, which led to the command.
    pub(crate) fn continue_from(&mut self, event: &RecordedEvent) {
        let Self { correlation_id, causation_id, .. } = Self::caused_by(event);
        (self.correlation_id, self.causation_id) = (correlation_id, causation_id);
    }

    /// As it is stored beside every event of the command, together with
    /// [what an event says of its maker](crate::Event::PRODUCER_METADATA).
    pub fn metadata_bytes(&self, producer_metadata: &'static str) -> Bytes {
        if self.metadata.is_empty() {
            return Bytes::from_static(producer_metadata.as_bytes());
        }
        let mut metadata: Map<String, Value> = serde_json::from_str(producer_metadata).unwrap_or_default();
        metadata.extend(self.metadata.iter().map(|(key, value)| (key.clone(), value.clone())));
        Bytes::from(Value::Object(metadata).to_string())
    }
}

/// The program that made an event, e.g. `shop 1.4.0`, if it says so.
pub fn producer_of(event: &RecordedEvent) -> Option<String> {
    text_of(event, PRODUCER)
}

/// Who gave the command an event came from, if it is known.
pub fn actor_of(event: &RecordedEvent) -> Option<String> {
    text_of(event, ACTOR)
}

fn text_of(event: &RecordedEvent, key: &str) -> Option<String> {
    let metadata: Map<String, Value> = serde_json::from_slice(&event.metadata).ok()?;
    metadata.get(key)?.as_str().map(str::to_owned)
}
