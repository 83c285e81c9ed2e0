//! Folding a batch: from events to changes of rows, up to the first event that
//! cannot be projected.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use factum_core::{Position, RecordedEvent, Revision, StreamName};

use super::rows::{Below, Change, Changes, Committed, Trouble};
use super::{Projection, Row, RowKey, Rows};
use crate::event::{Decoded, unwind};

/// An event that cannot be projected. The projection stands before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the event at position {position} ({event_type}, {stream} revision {revision}) cannot be projected: {reason}"
)]
pub struct Poison {
    /// Of the event.
    pub position: Position,
    /// Of the event.
    pub stream: StreamName,
    /// Of the event.
    pub revision: Revision,
    /// Of the event.
    pub event_type: String,
    /// Why not.
    pub reason: String,
}

impl Poison {
    fn of(event: &RecordedEvent, reason: String) -> Self {
        Self {
            position: event.position,
            stream: event.stream.clone(),
            revision: event.revision,
            event_type: event.event_type.to_string(),
            reason,
        }
    }
}

/// What a batch came to.
pub(crate) struct FoldedBatch<R> {
    pub changes: Changes<R>,
    /// How many events that took.
    pub events: usize,
    /// Why those that follow were not projected.
    pub poison: Option<Poison>,
}

/// How closely rows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Once the batch is whole.
    AtTheEnd,
    /// After each event, to find the one that made a row nobody can store.
    AtEach,
}

/// Projects events in order. An event that is poison leaves no trace.
pub(crate) fn fold<P: Projection>(
    projection: &P,
    events: &[RecordedEvent],
    committed: &dyn Committed<P::Row>,
    look: Look,
) -> Result<FoldedBatch<P::Row>, Below> {
    let mut end = events.len();
    let mut poison = None;
    loop {
        let mut changes = Changes::new();
        match fold_all(projection, &events[..end], committed, &mut changes, look) {
            Ok(()) => return Ok(FoldedBatch { changes, events: end, poison }),
            Err(Failed::Below(error)) => return Err(error),
            // Once more without it.
            Err(Failed::At(index, reason)) => {
                poison = Some(Poison::of(&events[index], reason));
                end = index;
            }
        }
    }
}

enum Failed {
    At(usize, String),
    Below(Below),
}

fn fold_all<P: Projection>(
    projection: &P,
    events: &[RecordedEvent],
    committed: &dyn Committed<P::Row>,
    changes: &mut Changes<P::Row>,
    look: Look,
) -> Result<(), Failed> {
    for (index, recorded) in events.iter().enumerate() {
        let event = match unwind::decode::<P::Event>(recorded.into()) {
            Ok(Decoded::Event(event)) => event,
            // Declared to be passed over by whoever defined the event.
            Ok(Decoded::SkippedVersion) => continue,
            Ok(Decoded::UnknownType) => {
                return Err(Failed::At(index, "no event of the projection has this type".to_owned()));
            }
            Err(error) => return Err(Failed::At(index, error.to_string())),
        };
        let mut rows = Rows::new(committed, changes);
        let caught = catch_unwind(AssertUnwindSafe(|| projection.project(&event, recorded, &mut rows)));
        match (caught, rows.into_trouble()) {
            (_, Some(Trouble::Below(error))) => return Err(Failed::Below(error)),
            (Err(panic), _) => {
                return Err(Failed::At(index, format!("the projection panicked: {}", unwind::said(&*panic))));
            }
            (_, Some(Trouble::Refused(reason))) => return Err(Failed::At(index, reason)),
            (Ok(()), None) => {}
        }
        if look == Look::AtEach {
            let mut changed = changes.values().filter_map(|change| change.row.as_ref());
            if let Some(error) = changed.find_map(|row| row.cells().err()) {
                return Err(Failed::At(index, error.to_string()));
            }
        }
    }
    Ok(())
}

/// Rows in memory.
pub(crate) type Table<R> = HashMap<RowKey, R>;

impl<R: Row> Committed<R> for Table<R> {
    fn find(&self, key: &RowKey) -> Result<Option<R>, Below> {
        Ok(self.get(key).cloned())
    }
}

/// Stores what a batch changed.
pub(crate) fn store<R: Row>(changes: Changes<R>, table: &mut Table<R>) {
    for (key, Change { row, is_changed }) in changes {
        match row {
            _ if !is_changed => {}
            Some(row) => {
                table.insert(key, row);
            }
            None => {
                table.remove(&key);
            }
        }
    }
}

/// The rows in the order of their keys.
pub(crate) fn in_order<R: Row>(table: &Table<R>) -> Vec<R> {
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows.into_iter().map(|(_, row)| row.clone()).collect()
}
