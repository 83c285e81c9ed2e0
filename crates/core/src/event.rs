//! Events, before and after they have a place in the log.

use bytes::Bytes;
use bytestring::ByteString;
use uuid::Uuid;

use crate::clock::unix_millis;
use crate::{EventType, InvalidAppend, NameError, Position, Revision, StreamName, Tag, Tags, Timestamp};

/// How the bytes of [`NewEvent::data`] are to be understood. The store never
/// looks inside them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum ContentType {
    /// `application/json`: the default, and what the tools show.
    #[default]
    Json,
    /// `application/octet-stream`.
    Binary,
    /// Another media type, at most 255 bytes.
    Other(ByteString),
}

impl ContentType {
    /// The most bytes a media type may have.
    pub const BYTES_MAX: usize = 255;

    /// The media type.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Json => "application/json",
            Self::Binary => "application/octet-stream",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for ContentType {
    fn from(text: &str) -> Self {
        match text {
            "application/json" => Self::Json,
            "application/octet-stream" => Self::Binary,
            other => Self::Other(other.into()),
        }
    }
}

/// A fact that has not been appended yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Names this fact for ever: appending the same ids again is answered with
    /// the first receipt instead of a second copy.
    pub id: Uuid,
    /// What kind of fact.
    pub event_type: EventType,
    /// Which shape of that kind; counts from 1.
    pub schema_version: u32,
    /// How to understand `data`.
    pub content_type: ContentType,
    /// The fact itself.
    pub data: Bytes,
    /// Facts about the fact: free form, by convention a JSON object; may be empty.
    pub metadata: Bytes,
    /// Labels that queries and append conditions can ask for.
    pub tags: Tags,
    /// When it happened, if the caller knows better than the store, which
    /// notes only when it was recorded.
    pub occurred_at: Option<Timestamp>,
    /// The user action or flow it belongs to.
    pub correlation_id: Option<Uuid>,
    /// The event or command that led to it.
    pub causation_id: Option<Uuid>,
}

/// Why an event cannot be made from a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewEventError {
    /// The type's name is refused.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The value has no JSON form.
    #[error("the event's data cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl NewEvent {
    /// The most bytes of data and metadata together: 16 MiB.
    pub const BYTES_MAX: u64 = 16 * 1024 * 1024;

    /// The same event once it has its place.
    #[inline]
    pub fn recorded(
        self,
        stream: StreamName,
        position: Position,
        revision: Revision,
        recorded_at: Timestamp,
    ) -> RecordedEvent {
        RecordedEvent {
            position,
            stream,
            revision,
            recorded_at,
            id: self.id,
            event_type: self.event_type,
            schema_version: self.schema_version,
            content_type: self.content_type,
            data: self.data,
            metadata: self.metadata,
            tags: self.tags,
            occurred_at: self.occurred_at,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
        }
    }

    /// Refuses an event no store could hold; `index` is for the message.
    pub fn validate(&self, index: usize) -> Result<(), InvalidAppend> {
        let bytes = (self.data.len() + self.metadata.len()) as u64;
        if bytes > Self::BYTES_MAX {
            return Err(InvalidAppend::EventTooLarge { index, bytes, limit: Self::BYTES_MAX });
        }
        let media_type = self.content_type.as_str().len();
        if media_type == 0 || media_type > ContentType::BYTES_MAX {
            return Err(InvalidAppend::ContentType { index, bytes: media_type });
        }
        Ok(())
    }

    /// An event with these bytes as its JSON data and a fresh id.
    pub fn new(event_type: EventType, data: impl Into<Bytes>) -> Self {
        Self {
            id: fresh_id(),
            event_type,
            schema_version: 1,
            content_type: ContentType::Json,
            data: data.into(),
            metadata: Bytes::new(),
            tags: Tags::none(),
            occurred_at: None,
            correlation_id: None,
            causation_id: None,
        }
    }

    /// An event with this value as its data and a fresh id.
    pub fn json(event_type: &str, data: &serde_json::Value) -> Result<Self, NewEventError> {
        Ok(Self::new(EventType::new(event_type)?, serde_json::to_vec(data)?))
    }

    /// The same event under this id.
    pub fn with_id(self, id: Uuid) -> Self {
        Self { id, ..self }
    }

    /// The same event with exactly these tags.
    pub fn with_tags(self, tags: impl IntoIterator<Item = Tag>) -> Result<Self, crate::name::TooManyTags> {
        Ok(Self { tags: Tags::new(tags)?, ..self })
    }
}

/// An id that was never given before: version 7, random, in the order of its
/// milliseconds.
pub fn fresh_id() -> Uuid {
    // One with a counter within the millisecond takes a lock that all threads share.
    // Without, version 7 is version 4 with the time in front.
    let [.., a, b, c, d, e, f, g, h, i, j] = Uuid::new_v4().into_bytes();
    uuid::Builder::from_unix_timestamp_millis(unix_millis(), &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

/// A fact with its place in the log: what a store gives back.
///
/// Its texts and bytes are shared views of what was read, so cloning is cheap,
/// and keeping one event keeps the block it was read with (up to about 1 MiB);
/// see [`RecordedEvent::detached`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Place in the whole log.
    pub position: Position,
    /// The stream it belongs to.
    pub stream: StreamName,
    /// Place in that stream.
    pub revision: Revision,
    /// When the store recorded it; never decreases along the log.
    pub recorded_at: Timestamp,
    /// See [`NewEvent::id`], and so on for the fields that follow.
    pub id: Uuid,
    #[allow(missing_docs)]
    pub event_type: EventType,
    #[allow(missing_docs)]
    pub schema_version: u32,
    #[allow(missing_docs)]
    pub content_type: ContentType,
    #[allow(missing_docs)]
    pub data: Bytes,
    #[allow(missing_docs)]
    pub metadata: Bytes,
    #[allow(missing_docs)]
    pub tags: Tags,
    #[allow(missing_docs)]
    pub occurred_at: Option<Timestamp>,
    #[allow(missing_docs)]
    pub correlation_id: Option<Uuid>,
    #[allow(missing_docs)]
    pub causation_id: Option<Uuid>,
}

impl RecordedEvent {
    /// The event as it was given to [`append`](crate::EventStore::append).
    pub fn to_new(&self) -> NewEvent {
        NewEvent {
            id: self.id,
            event_type: self.event_type.clone(),
            schema_version: self.schema_version,
            content_type: self.content_type.clone(),
            data: self.data.clone(),
            metadata: self.metadata.clone(),
            tags: self.tags.clone(),
            occurred_at: self.occurred_at,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
        }
    }

    /// Whether `new`, appended again under its id, would be this very fact.
    pub fn is_repeat_of(&self, new: &NewEvent) -> bool {
        self.id == new.id
            && self.event_type == new.event_type
            && self.schema_version == new.schema_version
            && self.content_type == new.content_type
            && self.data == new.data
            && self.metadata == new.metadata
            && self.tags == new.tags
            && self.occurred_at == new.occurred_at
            && self.correlation_id == new.correlation_id
            && self.causation_id == new.causation_id
    }

    /// A copy that shares nothing with the block it was read from; for whoever
    /// keeps few events for long.
    pub fn detached(&self) -> Self {
        let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let owned = "it was valid when it was read";
        Self {
            stream: StreamName::from_stored(text(self.stream.as_str())).expect(owned),
            event_type: EventType::from_stored(text(self.event_type.as_str())).expect(owned),
            content_type: match &self.content_type {
                ContentType::Other(other) => ContentType::Other(ByteString::from(other.to_string())),
                known => known.clone(),
            },
            data: Bytes::copy_from_slice(&self.data),
            metadata: Bytes::copy_from_slice(&self.metadata),
            tags: Tags::from_stored(Bytes::copy_from_slice(self.tags.as_stored())).expect(owned),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn fresh_ids_are_version_7_and_never_the_same() {
        let ids: HashSet<Uuid> = (0..100_000).map(|_| fresh_id()).collect();
        assert_eq!(ids.len(), 100_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
        let random =
            ids.iter().fold((u128::MAX, 0), |(all, any), id| (all & id.as_u128(), any | id.as_u128()));
        let fixed = !(random.0 ^ random.1) & (u128::MAX >> 48);
        assert_eq!(fixed, 0xf << 76 | 0b11 << 62, "the version and the variant, and 74 random bits");
        let earlier = fresh_id();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(earlier < fresh_id(), "in the order of their milliseconds");
        let (seconds, _) = fresh_id().get_timestamp().unwrap().to_unix();
        let now = unix_millis() / 1_000;
        assert!((now - 60..=now).contains(&seconds), "{seconds} of {now}");
    }
}
