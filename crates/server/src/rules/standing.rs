//! Where a stream stands: its last event, and what its metadata makes of it.

use factum_core::{
    ContentType, EventStore, EventStoreExt, EventType, ExpectedRevision, NewEvent, RecordedEvent, Revision,
    Tag, Uuid,
};
use factum_wire::Failure;

use crate::failure;

use super::metadata::StreamMetadata;
use super::named::Named;

const TOMBSTONE_TYPE: &str = "$streamDeleted";
const TOMBSTONE_TAG: &str = "$tombstone";

/// What clients are shown as the revision of a tombstone.
pub const TOMBSTONE_REVISION: u64 = i64::MAX as u64;

/// A stream as it was when it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Its last revision, whether it can be read or not.
    pub last: Option<Revision>,
    /// The last revision of its metadata.
    pub metadata_at: Option<Revision>,
    #[allow(missing_docs)]
    pub state: State,
}

/// What may be done with a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Anything; also what was never written.
    Live(StreamMetadata),
    /// It can be begun again.
    Deleted(StreamMetadata),
    /// Nothing, ever.
    Buried,
}

impl Standing {
    /// Looks at a stream. Its metadata first: an append that names the revision
    /// found here cannot rest on an older one.
    pub fn look(store: &dyn EventStore, named: &Named) -> Result<Self, Failure> {
        let metadata = store.last_event(&named.metadata).map_err(failure::of_read)?;
        let last = store.last_revision(&named.stream).map_err(failure::of_read)?;
        let state = match &metadata {
            None => State::Live(StreamMetadata::default()),
            Some(event) if is_tombstone(event) => State::Buried,
            Some(event) => match StreamMetadata::of(event) {
                metadata if metadata.deletes() => State::Deleted(metadata),
                metadata => State::Live(metadata),
            },
        };
        Ok(Self { last, metadata_at: metadata.map(|event| event.revision), state })
    }

    /// Its metadata must be where it was.
    pub fn metadata_expected(&self) -> ExpectedRevision {
        expected(self.metadata_at)
    }

    /// It must be where it was.
    pub fn last_expected(&self) -> ExpectedRevision {
        expected(self.last)
    }

    /// The revision its next event will have.
    pub fn next(&self) -> Revision {
        self.last.map_or(Revision::FIRST, Revision::next)
    }
}

fn expected(at: Option<Revision>) -> ExpectedRevision {
    at.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact)
}

/// One of the two events of a tombstone.
pub fn tombstone() -> Result<NewEvent, Failure> {
    let made = || -> Result<NewEvent, Box<dyn std::error::Error>> {
        let event = NewEvent::new(EventType::new(TOMBSTONE_TYPE)?, Vec::new()).with_id(Uuid::new_v4());
        Ok(NewEvent { content_type: ContentType::Binary, ..event }.with_tags([Tag::new(TOMBSTONE_TAG)?])?)
    };
    made().map_err(|error| Failure::Storage(format!("the tombstone cannot be written: {error}")))
}

/// Whether an event is one of the two.
pub fn is_tombstone(event: &RecordedEvent) -> bool {
    event.event_type.as_str() == TOMBSTONE_TYPE && event.tags.iter().any(|tag| tag == TOMBSTONE_TAG)
}
