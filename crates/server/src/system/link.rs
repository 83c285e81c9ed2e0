//! A link, made for an event when it is read.

use factum_core::{Bytes, ContentType, EventType, RecordedEvent, Revision, Tags, Uuid};

use super::name::SystemStream;
use crate::rules::clients_view::shown_revision;
use crate::rules::link::TYPE;

/// The link that is number `number` of a system stream and leads to `target`.
/// The same link has the same id whenever it is read.
pub fn link(stream: &SystemStream, number: u64, target: &RecordedEvent) -> RecordedEvent {
    RecordedEvent {
        position: target.position,
        stream: stream.name().clone(),
        revision: Revision::new(number),
        recorded_at: target.recorded_at,
        id: Uuid::new_v5(&target.id, stream.name().as_str().as_bytes()),
        event_type: EventType::from_stored(Bytes::from_static(TYPE.as_bytes())).expect("it is a name"),
        schema_version: 1,
        content_type: ContentType::Binary,
        data: format!("{}@{}", shown_revision(target), target.stream).into(),
        metadata: Bytes::new(),
        tags: Tags::none(),
        occurred_at: None,
        correlation_id: None,
        causation_id: None,
    }
}
