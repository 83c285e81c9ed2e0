//! Whether an append is one that was recorded before, told by its ids.
//!
//! The store knows ids by its own, narrower rule: the same facts, side by side.
//! To the protocol an id alone is the fact, and with *any* and *stream exists*
//! the events may stand anywhere in the stream:
//!
//! | of the ids | the append is |
//! |---|---|
//! | the first is not recorded | new |
//! | all are | a repetition, answered with the place of its last event |
//! | the first is, and not all | neither, which is a conflict |

use std::collections::HashMap;

use factum_core::{EventStore, NewEvent, Read, ReadError, RecordedEvent, Revision, Start, StreamName, Uuid};
use factum_wire::Failure;

use crate::failure;

use super::write::{Write, Written};

/// How far back in a stream ids are looked for.
const EVENTS_MAX: u64 = 4_096;
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// By the table of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    #[allow(missing_docs)]
    New,
    /// With the receipt of the first time.
    All(Written),
    #[allow(missing_docs)]
    Partly,
}

/// Looks the ids up among the last events of the stream.
pub fn known(store: &dyn EventStore, write: &Write) -> Result<Known, Failure> {
    let mut places: HashMap<Uuid, Option<Written>> =
        write.events.iter().map(|event| (event.id, None)).collect();
    let (mut missing, mut bytes) = (places.len(), 0);
    for event in events(store, Read::stream(write.named.target().clone()).backward().limit(EVENTS_MAX))? {
        if missing == 0 || bytes > BYTES_MAX {
            break;
        }
        let event = event?;
        bytes += event.data.len() + event.metadata.len();
        if let Some(place @ None) = places.get_mut(&event.id) {
            *place = Some(written_at(&event));
            missing -= 1;
        }
    }
    let place = |event: Option<&NewEvent>| event.and_then(|event| places[&event.id]);
    Ok(match (place(write.events.first()), place(write.events.last())) {
        (Some(_), Some(last)) if missing == 0 => Known::All(last),
        (Some(_), _) => Known::Partly,
        (None, _) => Known::New,
    })
}

/// The receipt of the first time, if the same ids stand side by side and only
/// what they stand for differs. `id` was found at `revision`.
pub fn same_ids(
    store: &dyn EventStore,
    stream: &StreamName,
    proposed: &[NewEvent],
    revision: Revision,
    id: Uuid,
) -> Result<Option<Written>, Failure> {
    let before = proposed.iter().position(|event| event.id == id).unwrap_or_default() as u64;
    let Some(first) = revision.get().checked_sub(before) else { return Ok(None) };
    let read =
        Read::stream(stream.clone()).from(Start::Revision(Revision::new(first))).limit(proposed.len() as u64);
    let mut last = None;
    let mut stored = events(store, read)?;
    for new in proposed {
        match stored.next().transpose()? {
            Some(event) if event.id == new.id => last = Some(written_at(&event)),
            _ => return Ok(None),
        }
    }
    Ok(last)
}

/// Whether the stream's first event has the first of the ids.
pub fn begins_with(store: &dyn EventStore, write: &Write) -> Result<bool, Failure> {
    let first = events(store, Read::stream(write.named.target().clone()).limit(1))?.next().transpose()?;
    Ok(first.is_some_and(|first| write.events.first().is_some_and(|new| new.id == first.id)))
}

fn written_at(event: &RecordedEvent) -> Written {
    Written { revision: Some(event.revision), position: Some(event.position) }
}

fn events(
    store: &dyn EventStore,
    read: Read,
) -> Result<impl Iterator<Item = Result<RecordedEvent, Failure>>, Failure> {
    let events = match store.read(read) {
        Ok(events) => events,
        Err(ReadError::StreamNotFound { .. }) => Box::new(std::iter::empty()),
        Err(error) => return Err(failure::of_read(error)),
    };
    Ok(events.map(|event| event.map_err(failure::of_read)))
}
