//! Idempotency keys: a command that is carried out at most once, for ever.
//!
//! ```text
//!   one append   account-ada       AccountWithdrawn      what the command led to
//!                command-<hash>    CommandDone           expects no stream: a second one conflicts
//! ```
//!
//! An append of several commands has what all of them led to first, and these
//! records after it, so each says how far before itself its events begin.

use factum_core::{
    Durability, EventStore, EventStoreExt as _, EventType, ExpectedRevision, NewEvent, Position, StreamName,
    StreamWrite,
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
    /// How many events the command led to.
    pub events: u64,
    /// How many positions before this one they begin, if not right before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<u64>,
}

impl CommandDone {
    const TYPE: &str = "CommandDone";

    /// Keys are hashed, so that every text is a good one.
    fn stream(key: &str) -> StreamName {
        let hashed = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes());
        StreamName::new(format!("command-{hashed}")).expect("short and printable")
    }

    /// Of events that stand right before it.
    pub fn right_before(key: &str, events: u64) -> Self {
        Self { key: key.to_owned(), events, back: None }
    }

    /// Of events that begin so many positions before it.
    pub fn further_back(key: &str, events: u64, back: u64) -> Self {
        Self { back: (back != events).then_some(back), ..Self::right_before(key, events) }
    }

    /// Refuses the append it is a part of if the key was used before.
    pub fn write(&self, id: Uuid, correlation_id: Option<Uuid>) -> StreamWrite {
        let data = serde_json::to_vec(self).expect("a text and numbers have a JSON form");
        let event_type = EventType::new(Self::TYPE).expect("short and printable");
        let event = NewEvent { id, correlation_id, ..NewEvent::new(event_type, data) };
        let expected = ExpectedRevision::NoStream;
        StreamWrite { stream: Self::stream(&self.key), expected, events: vec![event] }
    }

    /// The receipt of the command with this key.
    pub fn find(store: &dyn EventStore, key: &str) -> Result<Option<Receipt>, StoreError> {
        let stream = Self::stream(key);
        let Some(event) = store.last_event(&stream)? else { return Ok(None) };
        let not_one = || StoreError::NotACommand { stream: stream.to_string() };
        let done: Self = serde_json::from_slice(&event.data).map_err(|_| not_one())?;
        let back = done.back.unwrap_or(done.events);
        let first = event.position.get().checked_sub(back).ok_or_else(not_one)?;
        let last = (first + done.events).checked_sub(1).map(Position::new).ok_or_else(not_one)?;
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
