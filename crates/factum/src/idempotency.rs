//! Idempotency keys: a command that is carried out at most once, for ever.
//!
//! ```text
//!   one append   account-ada       AccountWithdrawn      what the command led to
//!                command-<hash>    CommandDone           expects no stream: a second one conflicts
//! ```

use factum_core::{
    Append, Durability, EventStore, EventStoreExt as _, EventType, ExpectedRevision, NewEvent, Position,
    StreamName,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::receipt::Receipt;
use crate::store::StoreError;

/// The record of a command with an idempotency key: the only event of a stream
/// named by the key, appended together with what the command led to, and last.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommandDone {
    pub key: String,
    /// How many events stand right before this one.
    pub events: u64,
}

impl CommandDone {
    const TYPE: &str = "CommandDone";

    /// Keys are hashed, so that every text is a good one.
    fn stream(key: &str) -> StreamName {
        let hashed = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes());
        StreamName::new(format!("command-{hashed}")).expect("short and printable")
    }

    pub fn beside(
        &self,
        append: Append,
        id: Uuid,
        correlation_id: Option<Uuid>,
    ) -> Result<Append, StoreError> {
        let data = serde_json::to_vec(self).expect("a text and a number have a JSON form");
        let event_type = EventType::new(Self::TYPE).expect("short and printable");
        let event = NewEvent { id, correlation_id, ..NewEvent::new(event_type, data) };
        Ok(append.and_to(Self::stream(&self.key), ExpectedRevision::NoStream, [event]))
    }

    /// The receipt of the command with this key.
    pub fn find(store: &dyn EventStore, key: &str) -> Result<Option<Receipt>, StoreError> {
        let stream = Self::stream(key);
        let Some(event) = store.last_event(&stream)? else { return Ok(None) };
        let not_one = || StoreError::NotACommand { stream: stream.to_string() };
        let done: Self = serde_json::from_slice(&event.data).map_err(|_| not_one())?;
        let end = event.position.get();
        let first = end.checked_sub(done.events).ok_or_else(not_one)?;
        let last = event.position.previous().ok_or_else(not_one)?;
        let revision = store.event_at(last)?.map(|event| event.revision);
        Ok(Some(Receipt {
            positions: Some(Position::new(first)..=last),
            revision,
            correlation_id: event.correlation_id,
            durability: Durability::Disk,
            attempts: 1,
            outside_boundary: Vec::new(),
        }))
    }
}
