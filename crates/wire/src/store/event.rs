//! Events, before and after they have a place.

use bytes::Bytes;
use factum_core::{
    ContentType, EventType, NewEvent, Position, RecordedEvent, Revision, StreamName, Tag, Tags, Timestamp,
};

use super::{Malformed, decode_id, encode_id, id_of, proto};

/// About how many bytes an event takes in a message.
pub fn weight(event: &NewEvent) -> u64 {
    let names = event.event_type.as_str().len() + event.tags.as_stored().len();
    (event.data.len() + event.metadata.len() + names + 96) as u64
}

/// An event to be appended, as a message.
pub fn encode_new(event: NewEvent) -> proto::NewEvent {
    let (content_type, media_type) = match event.content_type {
        ContentType::Json => (proto::ContentType::Json, Bytes::new()),
        ContentType::Binary => (proto::ContentType::Binary, Bytes::new()),
        ContentType::Other(text) => (proto::ContentType::Other, text.into_bytes()),
    };
    let tags = event.tags.as_stored();
    proto::NewEvent {
        id: Some(encode_id(event.id)),
        event_type: event.event_type.to_bytes(),
        schema_version: event.schema_version,
        content_type: content_type.into(),
        media_type,
        tags: event.tags.iter().map(|tag| tags.slice_ref(tag.as_bytes())).collect(),
        data: event.data,
        metadata: event.metadata,
        occurred_at: event.occurred_at.map(Timestamp::as_micros),
        correlation_id: event.correlation_id.map(encode_id),
        causation_id: event.causation_id.map(encode_id),
    }
}

/// An event to be appended.
pub fn decode_new(event: proto::NewEvent) -> Result<NewEvent, Malformed> {
    let content_type = match event.content_type() {
        proto::ContentType::Json => ContentType::Json,
        proto::ContentType::Binary => ContentType::Binary,
        proto::ContentType::Other => ContentType::Other(
            event.media_type.try_into().map_err(|_| Malformed("a media type is not UTF-8".to_owned()))?,
        ),
    };
    let tags = event.tags.into_iter().map(Tag::from_utf8).collect::<Result<Vec<_>, _>>()?;
    Ok(NewEvent {
        id: id_of(event.id)?,
        event_type: EventType::from_utf8(event.event_type)?,
        schema_version: event.schema_version,
        content_type,
        data: event.data,
        metadata: event.metadata,
        tags: Tags::new(tags).map_err(|error| Malformed(error.to_string()))?,
        occurred_at: event.occurred_at.map(Timestamp::from_micros),
        correlation_id: event.correlation_id.map(decode_id),
        causation_id: event.causation_id.map(decode_id),
    })
}

/// A recorded event, as a message.
pub fn encode_recorded(event: RecordedEvent) -> proto::RecordedEvent {
    proto::RecordedEvent {
        position: event.position.get(),
        stream: event.stream.to_bytes(),
        revision: event.revision.get(),
        recorded_at: event.recorded_at.as_micros(),
        event: Some(encode_new(NewEvent {
            id: event.id,
            event_type: event.event_type,
            schema_version: event.schema_version,
            content_type: event.content_type,
            data: event.data,
            metadata: event.metadata,
            tags: event.tags,
            occurred_at: event.occurred_at,
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
        })),
    }
}

/// A recorded event.
pub fn decode_recorded(event: proto::RecordedEvent) -> Result<RecordedEvent, Malformed> {
    let new = decode_new(event.event.ok_or_else(|| Malformed::lacks("an event"))?)?;
    Ok(RecordedEvent {
        position: Position::new(event.position),
        stream: StreamName::from_utf8(event.stream)?,
        revision: Revision::new(event.revision),
        recorded_at: Timestamp::from_micros(event.recorded_at),
        id: new.id,
        event_type: new.event_type,
        schema_version: new.schema_version,
        content_type: new.content_type,
        data: new.data,
        metadata: new.metadata,
        tags: new.tags,
        occurred_at: new.occurred_at,
        correlation_id: new.correlation_id,
        causation_id: new.causation_id,
    })
}
