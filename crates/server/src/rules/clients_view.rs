//! What of the log clients get to see, and as what.

use factum_core::{EventStore, EventStoreExt, Read, ReadError, RecordedEvent, Revision, Start, Timestamp};
use factum_wire::Failure;

use crate::failure;

use super::named::Named;
use super::standing::{Standing, State, TOMBSTONE_REVISION, is_tombstone};

/// What of a stream can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// It was never written, or is deleted; its next event will be this one.
    NotFound {
        #[allow(missing_docs)]
        next: Revision,
    },
    /// It has a tombstone.
    Buried,
    /// From its first readable revision to its last one. `first` is past `last`
    /// if nothing of it can be read.
    Range {
        #[allow(missing_docs)]
        first: Revision,
        #[allow(missing_docs)]
        last: Revision,
    },
}

impl View {
    /// Looks at a stream, or at its metadata, of which only the last counts.
    pub fn of(store: &dyn EventStore, named: &Named, now: Timestamp) -> Result<Self, Failure> {
        let mut standing = Standing::look(store, named)?;
        // The stream is looked at after its metadata: one that was deleted and
        // begun again in between would be seen with the metadata it had before.
        while store.last_revision(&named.metadata).map_err(failure::of_read)? != standing.metadata_at {
            standing = Standing::look(store, named)?;
        }
        let metadata = match &standing.state {
            State::Buried => return Ok(Self::Buried),
            _ if named.is_metadata => {
                return Ok(match standing.metadata_at {
                    Some(last) => Self::Range { first: last, last },
                    None => Self::NotFound { next: Revision::FIRST },
                });
            }
            State::Deleted(_) => return Ok(Self::NotFound { next: standing.next() }),
            State::Live(metadata) => metadata,
        };
        let Some(last) = standing.last else { return Ok(Self::NotFound { next: Revision::FIRST }) };
        let mut first = metadata.truncate_before().unwrap_or(Revision::FIRST);
        if let Some(count) = metadata.max_count() {
            first = first.max(Revision::new((last.get() + 1).saturating_sub(count)));
        }
        if let Some(age) = metadata.max_age() {
            let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            let oldest = Timestamp::from_micros(now.as_micros().saturating_sub(age));
            first = first.max(first_since(store, named, oldest)?.unwrap_or(last.next()));
        }
        Ok(Self::Range { first: first.min(last.next()), last })
    }
}

/// The first revision of a stream that was recorded at this time or later.
fn first_since(
    store: &dyn EventStore,
    named: &Named,
    oldest: Timestamp,
) -> Result<Option<Revision>, Failure> {
    match store.read(Read::stream(named.stream.clone()).from(Start::Time(oldest)).limit(1)) {
        Ok(mut events) => {
            Ok(events.next().transpose().map_err(failure::of_read)?.map(|event| event.revision))
        }
        Err(ReadError::StreamNotFound { .. }) => Ok(None),
        Err(error) => Err(failure::of_read(error)),
    }
}

/// Whether clients never see this event.
pub fn is_hidden(event: &RecordedEvent) -> bool {
    is_tombstone(event) && Named::holds_metadata(&event.stream)
}

/// The revision clients see.
pub fn shown_revision(event: &RecordedEvent) -> u64 {
    if is_tombstone(event) { TOMBSTONE_REVISION } else { event.revision.get() }
}
