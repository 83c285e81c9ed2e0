//! The anchor of a checkpoint: the last event that was looked at, by which a log
//! is known again.
//!
//! ```text
//!   log         0   1   2   3   4   5
//!   projected   ●           ●
//!   next                            ▲  5: everything before it was looked at
//!   anchor                      ▲      4, with its id, though it changed no row
//! ```
//!
//! A log that has another event there, or none, is another one: what stands in it
//! before `next` was never looked at.

use factum_core::{EventStoreExt as _, Position, ReadError, RecordedEvent};

use crate::Store;

/// An event, by its place and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    pub position: Position,
    pub id: String,
}

impl From<&RecordedEvent> for Anchor {
    fn from(event: &RecordedEvent) -> Self {
        Self { position: event.position, id: event.id.to_string() }
    }
}

impl Anchor {
    /// Of a checkpoint before `next` that has just projected these events.
    pub fn before(
        next: Position,
        events: &[RecordedEvent],
        store: &Store,
    ) -> Result<Option<Self>, ReadError> {
        let Some(position) = next.previous() else { return Ok(None) };
        let last = events.last().map(Self::from);
        if last.as_ref().is_some_and(|last| last.position == position) {
            return Ok(last);
        }
        Ok(store.events().event_at(position)?.as_ref().map(Self::from).or(last))
    }

    /// Whether the log has this event there.
    pub fn is_in(&self, store: &Store) -> Result<bool, ReadError> {
        let event = store.events().event_at(self.position)?;
        Ok(event.is_some_and(|event| event.id.to_string() == self.id))
    }

    /// Where to go on after it.
    pub fn next(anchor: Option<&Self>) -> Position {
        anchor.map_or(Position::FIRST, |anchor| anchor.position.next())
    }
}
