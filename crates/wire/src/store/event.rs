//! Events that have no place yet; those that have one are [packed](super::packed).

use bytes::Bytes;
use factum_core::{ContentType, EventType, NewEvent, Tag, Tags, Timestamp};

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
