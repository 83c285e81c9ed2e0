//! An event, as far as it is the same before and after it has a place.
//!
//! ```text
//!    0  flags u16          2  type_bytes u16      4  schema_version u32
//!    8  media_type_bytes u32                     12  tags_bytes u32
//!   16  metadata_bytes u32                       20  data_bytes u32
//!   24  event id [16]
//!   40  occurred_at i64 (µs), correlation id [16], causation id [16]: each if
//!       flagged
//!       type, media type, tags, metadata, data
//! ```

use bytes::Bytes;
use factum_core::{ContentType, EventType, NewEvent, RecordedEvent, Tag, Tags, Timestamp, Uuid};

use super::{Cut, bytes_at, put, u16_at, u32_at};
use crate::store::Malformed;

/// Length of the part that every event has.
pub(super) const HEAD_BYTES: usize = 40;

mod flags {
    pub const OCCURRED_AT: u16 = 1;
    pub const CORRELATION: u16 = 2;
    pub const CAUSATION: u16 = 4;
    /// Its content type is `application/octet-stream`.
    pub const BINARY: u16 = 8;
    /// Its content type is written out.
    pub const OTHER_CONTENT: u16 = 16;
    pub const ALL: u16 = 31;
}

/// What is packed.
pub(super) struct Event<'a> {
    id: Uuid,
    event_type: &'a str,
    schema_version: u32,
    content_type: &'a ContentType,
    data: &'a [u8],
    metadata: &'a [u8],
    tags: &'a [u8],
    occurred_at: Option<Timestamp>,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
}

macro_rules! is_packed_as_event {
    ($($event:ty),+) => {
        $(impl<'a> From<&'a $event> for Event<'a> {
            #[inline]
            fn from(event: &'a $event) -> Self {
                Self {
                    id: event.id,
                    event_type: event.event_type.as_str(),
                    schema_version: event.schema_version,
                    content_type: &event.content_type,
                    data: &event.data,
                    metadata: &event.metadata,
                    tags: event.tags.as_stored(),
                    occurred_at: event.occurred_at,
                    correlation_id: event.correlation_id,
                    causation_id: event.causation_id,
                }
            }
        })+
    };
}

is_packed_as_event!(NewEvent, RecordedEvent);

/// Its content type's flag, and what of it is written out.
fn content(content_type: &ContentType) -> (u16, &str) {
    match content_type {
        ContentType::Json => (0, ""),
        ContentType::Binary => (flags::BINARY, ""),
        ContentType::Other(text) => (flags::OTHER_CONTENT, text),
    }
}

impl Event<'_> {
    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        let times = if self.occurred_at.is_some() { 8 } else { 0 };
        let ids = 16 * [self.correlation_id, self.causation_id].iter().flatten().count();
        let texts = self.event_type.len() + content(self.content_type).1.len() + self.tags.len();
        HEAD_BYTES + times + ids + texts + self.metadata.len() + self.data.len()
    }

    #[inline]
    pub fn pack(&self, into: &mut Vec<u8>) {
        let (content_flag, media_type) = content(self.content_type);
        let flag = |is_there: bool, flag: u16| if is_there { flag } else { 0 };
        let flags = content_flag
            | flag(self.occurred_at.is_some(), flags::OCCURRED_AT)
            | flag(self.correlation_id.is_some(), flags::CORRELATION)
            | flag(self.causation_id.is_some(), flags::CAUSATION);
        let mut head = [0; HEAD_BYTES];
        put(&mut head, 0, flags.to_le_bytes());
        put(&mut head, 2, (self.event_type.len() as u16).to_le_bytes());
        put(&mut head, 4, self.schema_version.to_le_bytes());
        put(&mut head, 8, (media_type.len() as u32).to_le_bytes());
        put(&mut head, 12, (self.tags.len() as u32).to_le_bytes());
        put(&mut head, 16, (self.metadata.len() as u32).to_le_bytes());
        put(&mut head, 20, (self.data.len() as u32).to_le_bytes());
        put(&mut head, 24, self.id.into_bytes());
        into.extend_from_slice(&head);
        if let Some(time) = self.occurred_at {
            into.extend_from_slice(&time.as_micros().to_le_bytes());
        }
        for id in [self.correlation_id, self.causation_id].into_iter().flatten() {
            into.extend_from_slice(id.as_bytes());
        }
        let texts = [self.event_type.as_bytes(), media_type.as_bytes(), self.tags];
        for part in texts.into_iter().chain([self.metadata, self.data]) {
            into.extend_from_slice(part);
        }
    }
}

/// The event that begins there, as it was before it had a place.
#[inline]
pub(super) fn unpack(cut: &mut Cut<'_>) -> Result<NewEvent, Malformed> {
    let head: &[u8; HEAD_BYTES] = cut.head()?;
    let flags = u16_at(head, 0);
    if flags & !flags::ALL != 0 {
        return Err(Malformed::new("an event has a flag that is not known"));
    }
    let is_flagged = |flag: u16| flags & flag != 0;
    let occurred_at = match is_flagged(flags::OCCURRED_AT) {
        true => Some(Timestamp::from_micros(i64::from_le_bytes(*cut.head()?))),
        false => None,
    };
    let mut id = |flag: u16| match is_flagged(flag) {
        true => Ok::<_, Malformed>(Some(Uuid::from_bytes(*cut.head()?))),
        false => Ok(None),
    };
    let (correlation_id, causation_id) = (id(flags::CORRELATION)?, id(flags::CAUSATION)?);
    let event_type = EventType::from_utf8(cut.part(u16_at(head, 2).into())?)?;
    let media_type = cut.part(u32_at(head, 8) as usize)?;
    let content_type = match flags & (flags::BINARY | flags::OTHER_CONTENT) {
        0 => ContentType::Json,
        flags::BINARY => ContentType::Binary,
        flags::OTHER_CONTENT => ContentType::Other(
            media_type.try_into().map_err(|_| Malformed::new("a media type is not UTF-8"))?,
        ),
        _ => return Err(Malformed::new("an event has two content types")),
    };
    let tags = checked(cut.part(u32_at(head, 12) as usize)?)?;
    let metadata = cut.part(u32_at(head, 16) as usize)?;
    let data = cut.part(u32_at(head, 20) as usize)?;
    Ok(NewEvent {
        id: Uuid::from_bytes(bytes_at(head, 24)),
        event_type,
        schema_version: u32_at(head, 4),
        content_type,
        data,
        metadata,
        tags,
        occurred_at,
        correlation_id,
        causation_id,
    })
}

/// Tags as they are stored, each of which must be one.
fn checked(stored: Bytes) -> Result<Tags, Malformed> {
    if stored.is_empty() {
        return Ok(Tags::none());
    }
    let tags = Tags::from_stored(stored).ok_or_else(|| Malformed::new("tags are not as they are stored"))?;
    for tag in tags.iter() {
        Tag::from_utf8(tags.as_stored().slice_ref(tag.as_bytes()))?;
    }
    Ok(tags)
}
