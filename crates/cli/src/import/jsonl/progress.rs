//! What an import of lines writes down about itself: one `LinesImported` event
//! in its own stream with every append.
//!
//! ```text
//!   $import-<name>   LinesImported { source, lines, bytes, hash, ended, bad }
//! ```
//!
//! `lines`, `bytes` and `hash` describe the beginning of the source up to which
//! everything is recorded. The hash is what makes continuing safe: a source
//! whose beginning changed is refused, never continued in the wrong place.

use factum_core::{EventStore, EventStoreExt, EventType, NewEvent, ReadError, Revision, StreamName};
use serde::{Deserialize, Serialize};

use super::lines::Mark;

/// The type of the event.
pub const LINES_IMPORTED: &str = "LinesImported";

#[derive(Serialize, Deserialize)]
struct LinesImported {
    source: String,
    lines: u64,
    bytes: u64,
    /// XXH3 with 128 bits, hexadecimal.
    hash: String,
    ended: bool,
    bad: u64,
}

/// How far an import had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Place in the import's stream.
    pub revision: Revision,
    /// The part of the source that is recorded.
    pub mark: Mark,
    /// Lines that were passed over or parked.
    pub bad: u64,
}

/// How far the import that writes to this stream has come: `Ok(Err(revision))`
/// if something else was written there.
pub fn reached(
    store: &dyn EventStore,
    stream: &StreamName,
) -> Result<Result<Option<Reached>, Revision>, ReadError> {
    let Some(last) = store.last_event(stream)? else { return Ok(Ok(None)) };
    let told = serde_json::from_slice::<LinesImported>(&last.data).ok();
    let told = told.filter(|_| last.event_type.as_str() == LINES_IMPORTED);
    let reached = told.and_then(|told| {
        let hash = u128::from_str_radix(&told.hash, 16).ok()?;
        let mark = Mark { lines: told.lines, bytes: told.bytes, hash, ended: told.ended };
        Some(Reached { revision: last.revision, mark, bad: told.bad })
    });
    Ok(reached.map(Some).ok_or(last.revision))
}

/// The event that says everything up to `mark` is recorded.
pub fn event(source: &str, mark: &Mark, bad: u64) -> NewEvent {
    let told = LinesImported {
        source: source.to_owned(),
        lines: mark.lines,
        bytes: mark.bytes,
        hash: format!("{:032x}", mark.hash),
        ended: mark.ended,
        bad,
    };
    let event_type = EventType::new(LINES_IMPORTED).expect("it is a plain word");
    NewEvent::new(event_type, serde_json::to_vec(&told).expect("texts and numbers have a JSON form"))
}
