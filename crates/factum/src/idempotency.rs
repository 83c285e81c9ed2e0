//! Idempotency keys: a command that is carried out at most once, for ever.
//!
//! ```text
//!   one append   account-ada       AccountWithdrawn      what the command led to
//!                $command-<hash>   $CommandDone          expects no stream: a second one conflicts
//! ```
//!
//! Names that begin with `$` are not the user's: a program may have commands of its own.
//!
//! An append of several commands has what all of them led to first, and these
//! records after it, so each says how far before itself its events begin.

use std::ops::RangeInclusive;

use factum_core::{
    EventStoreExt as _, EventType, ExpectedRevision, NewEvent, Position, StreamName, StreamWrite,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::receipt::Receipt;
use crate::store::{Store, StoreError};

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
    /// How many of them are in the first stream it wrote, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Types that its boundary does not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<String>,
}

/// Where a command's events stand in an append.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// How many there are.
    pub events: u64,
    /// How many of them are in the first stream.
    pub first: u64,
    /// How many positions before the record they begin.
    pub back: u64,
}

impl CommandDone {
    const TYPE: &str = "$CommandDone";

    /// Keys are hashed, so that every text is a good one.
    fn stream(key: &str) -> StreamName {
        let hashed = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes());
        StreamName::new(format!("$command-{hashed}")).expect("short and printable")
    }

    /// Of events that stand there.
    pub fn of(key: &str, Span { events, first, back }: Span, outside: &[EventType]) -> Self {
        Self {
            key: key.to_owned(),
            events,
            back: (back != events).then_some(back),
            first: (first != events).then_some(first),
            outside: outside.iter().map(ToString::to_string).collect(),
        }
    }

    /// Refuses the append it is a part of if the key was used before.
    pub fn write(&self, id: Uuid, correlation_id: Option<Uuid>) -> StreamWrite {
        let data = serde_json::to_vec(self).expect("a text and numbers have a JSON form");
        let event_type = EventType::new(Self::TYPE).expect("short and printable");
        let event = NewEvent { id, correlation_id, ..NewEvent::new(event_type, data) };
        let expected = ExpectedRevision::NoStream;
        StreamWrite { stream: Self::stream(&self.key), expected, events: vec![event] }
    }

    /// The receipt of the command with this key, as it was given the first time,
    /// but for the number of attempts.
    pub fn find(store: &Store, key: &str) -> Result<Option<Receipt>, StoreError> {
        let stream = Self::stream(key);
        let events = store.events();
        let Some(event) = events.last_event(&stream)? else { return Ok(None) };
        let not_one = || StoreError::NotACommand { stream: stream.to_string() };
        let done: Self = serde_json::from_slice(&event.data).map_err(|_| not_one())?;
        let Some((positions, last_of_first)) = done.places(event.position) else { return Err(not_one()) };
        let revision = events.event_at(last_of_first)?.map(|event| event.revision);
        Ok(Some(Receipt {
            positions: Some(positions),
            revision,
            correlation_id: event.correlation_id,
            durability: store.durability(),
            attempts: 1,
            outside_boundary: done.outside.into_iter().filter_map(|name| EventType::new(name).ok()).collect(),
        }))
    }

    /// Where the command's events stand, and the last of them in the first stream;
    /// `None` if that is before the log or not before the record.
    fn places(&self, at: Position) -> Option<(RangeInclusive<Position>, Position)> {
        let (back, in_first) = (self.back.unwrap_or(self.events), self.first.unwrap_or(self.events));
        let is_sound = self.events > 0 && self.events <= back && (1..=self.events).contains(&in_first);
        let first = at.get().checked_sub(back).filter(|_| is_sound)?;
        let nth = |count: u64| Position::new(first + count - 1);
        Some((nth(1)..=nth(self.events), nth(in_first)))
    }
}
