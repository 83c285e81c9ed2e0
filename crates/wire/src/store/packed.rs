//! Recorded events as they are told: many in one field of one message, one
//! after another, and nothing between them.
//!
//! All numbers are little-endian. An event:
//!
//! ```text
//!    0  flags u16          2  type_bytes u16      4  stream_bytes u16   6  zeros
//!    8  position u64      16  revision u64       24  recorded_at i64 (µs)
//!   32  event id [16]     48  schema_version u32
//!   52  media_type_bytes u32                     56  tags_bytes u32
//!   60  metadata_bytes u32                       64  data_bytes u32
//!   68  occurred_at i64, correlation id [16], causation id [16]: each if flagged
//!       stream, type, media type, tags, metadata, data
//! ```
//!
//! Who reads many events has most of them from one block, and each is a few
//! views of it: nothing of an event is copied where it is unpacked, and no field
//! is looked for. What is packed differently is another version of the protocol,
//! whose name is in each call: who speaks another one is refused.
//!
//! Invariants: what is unpacked is what was packed; whatever the bytes, nothing
//! panics, and names are names.

use std::ops::Range;

use bytes::Bytes;
use factum_core::{
    ContentType, EventType, Position, RecordedEvent, Revision, StreamName, Tag, Tags, Timestamp, Uuid,
};

use super::Malformed;

/// Length of the part that every event has.
const HEADER_BYTES: usize = 68;

mod flags {
    pub const OCCURRED_AT: u16 = 1;
    pub const CORRELATION: u16 = 2;
    pub const CAUSATION: u16 = 4;
    /// Its content type is `application/octet-stream`.
    pub const BINARY: u16 = 8;
    /// Its content type is written out.
    pub const OTHER_CONTENT: u16 = 16;
}

/// What gRPC and a message with nothing else in it put before the events: not
/// compressed, so long; the first field, so long.
const HEAD_BYTES_MAX: usize = 5 + 1 + 5;

/// Events, packed.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Behind room for the head.
    bytes: Vec<u8>,
    count: usize,
}

impl Default for Packed {
    fn default() -> Self {
        Self::with_room(0)
    }
}

impl Packed {
    /// None yet, with room for so many bytes of them.
    pub fn with_room(bytes: usize) -> Self {
        let mut room = Vec::with_capacity(HEAD_BYTES_MAX + bytes);
        room.resize(HEAD_BYTES_MAX, 0);
        Self { bytes: room, count: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes.len() - HEAD_BYTES_MAX
    }

    /// Adds an event.
    pub fn push(&mut self, event: &RecordedEvent) {
        let (content_flag, media_type) = match &event.content_type {
            ContentType::Json => (0, ""),
            ContentType::Binary => (flags::BINARY, ""),
            ContentType::Other(text) => (flags::OTHER_CONTENT, &text[..]),
        };
        let flag = |is_there: bool, flag: u16| if is_there { flag } else { 0 };
        let flags = content_flag
            | flag(event.occurred_at.is_some(), flags::OCCURRED_AT)
            | flag(event.correlation_id.is_some(), flags::CORRELATION)
            | flag(event.causation_id.is_some(), flags::CAUSATION);
        let (stream, event_type) = (event.stream.as_str(), event.event_type.as_str());
        let tags = event.tags.as_stored();
        let mut header = [0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &flags.to_le_bytes());
        put(2, &(event_type.len() as u16).to_le_bytes());
        put(4, &(stream.len() as u16).to_le_bytes());
        put(8, &event.position.get().to_le_bytes());
        put(16, &event.revision.get().to_le_bytes());
        put(24, &event.recorded_at.as_micros().to_le_bytes());
        put(32, event.id.as_bytes());
        put(48, &event.schema_version.to_le_bytes());
        for (at, length) in
            [(52, media_type.len()), (56, tags.len()), (60, event.metadata.len()), (64, event.data.len())]
        {
            put(at, &(length as u32).to_le_bytes());
        }
        self.count += 1;
        self.bytes.extend_from_slice(&header);
        if let Some(time) = event.occurred_at {
            self.bytes.extend_from_slice(&time.as_micros().to_le_bytes());
        }
        for id in [event.correlation_id, event.causation_id].into_iter().flatten() {
            self.bytes.extend_from_slice(id.as_bytes());
        }
        for part in [
            stream.as_bytes(),
            event_type.as_bytes(),
            media_type.as_bytes(),
            tags,
            &event.metadata,
            &event.data,
        ] {
            self.bytes.extend_from_slice(part);
        }
    }

    /// They alone.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from(self.bytes).slice(HEAD_BYTES_MAX..)
    }

    /// The whole [`ReadResponse`](super::proto::ReadResponse) with them, behind
    /// the head gRPC puts before it, as it goes into a connection.
    pub fn into_message(mut self) -> Bytes {
        let events = self.bytes();
        let mut field = [0x0a, 0, 0, 0, 0, 0];
        let mut field_bytes = 0;
        if events > 0 {
            field_bytes = 2;
            let mut rest = events;
            while rest >= 0x80 {
                field[field_bytes - 1] = rest as u8 | 0x80;
                rest >>= 7;
                field_bytes += 1;
            }
            field[field_bytes - 1] = rest as u8;
        }
        let begin = HEAD_BYTES_MAX - field_bytes - 5;
        let length = (field_bytes + events) as u32;
        self.bytes[begin + 1..begin + 5].copy_from_slice(&length.to_be_bytes());
        self.bytes[begin + 5..HEAD_BYTES_MAX].copy_from_slice(&field[..field_bytes]);
        Bytes::from(self.bytes).slice(begin..)
    }
}

/// Packed events, one by one. The first that is none is the last.
#[derive(Debug, Clone, Default)]
pub struct Unpacked {
    bytes: Bytes,
    at: usize,
}

impl Unpacked {
    /// Of what [`Packed`] gave.
    pub fn of(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether there are no more.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn event(&mut self) -> Result<RecordedEvent, Malformed> {
        let rest = &self.bytes[self.at..];
        let header: &[u8; HEADER_BYTES] = rest.first_chunk().ok_or_else(cut_short)?;
        let flags = u16_at(header, 0);
        let mut at = self.at + HEADER_BYTES;
        let mut part = |length: usize| {
            let begin = at;
            at = at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or_else(cut_short)?;
            Ok::<_, Malformed>(begin..at)
        };
        let mut optional = |flag: u16, length: usize| match flags & flag {
            0 => Ok(None),
            _ => part(length).map(|range| Some(range.start)),
        };
        let occurred_at = optional(flags::OCCURRED_AT, 8)?;
        let correlation = optional(flags::CORRELATION, 16)?;
        let causation = optional(flags::CAUSATION, 16)?;
        let length = |at: usize| u32_at(header, at) as usize;
        let stream = part(u16_at(header, 4).into())?;
        let event_type = part(u16_at(header, 2).into())?;
        let media_type = part(length(52))?;
        let tags = part(length(56))?;
        let metadata = part(length(60))?;
        let data = part(length(64))?;
        // An empty part shares nothing, and costs nothing to share.
        let share = |range: Range<usize>| match range.is_empty() {
            true => Bytes::new(),
            false => self.bytes.slice(range),
        };
        let content_type = match flags & (flags::BINARY | flags::OTHER_CONTENT) {
            0 => ContentType::Json,
            flags::BINARY => ContentType::Binary,
            _ => ContentType::Other(
                share(media_type).try_into().map_err(|_| Malformed::new("a media type is not UTF-8"))?,
            ),
        };
        let event = RecordedEvent {
            position: Position::new(u64_at(header, 8)),
            stream: StreamName::from_utf8(share(stream))?,
            revision: Revision::new(u64_at(header, 16)),
            recorded_at: Timestamp::from_micros(u64_at(header, 24) as i64),
            id: Uuid::from_bytes(bytes_at(header, 32)),
            event_type: EventType::from_utf8(share(event_type))?,
            schema_version: u32_at(header, 48),
            content_type,
            data: share(data),
            metadata: share(metadata),
            tags: checked(share(tags))?,
            occurred_at: occurred_at.map(|at| Timestamp::from_micros(u64_at(&self.bytes, at) as i64)),
            correlation_id: correlation.map(|at| Uuid::from_bytes(bytes_at(&self.bytes, at))),
            causation_id: causation.map(|at| Uuid::from_bytes(bytes_at(&self.bytes, at))),
        };
        self.at = at;
        Ok(event)
    }
}

impl Iterator for Unpacked {
    type Item = Result<RecordedEvent, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_empty() {
            return None;
        }
        let event = self.event();
        if event.is_err() {
            *self = Self::default();
        }
        Some(event)
    }
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

fn cut_short() -> Malformed {
    Malformed::new("an event is longer than the message it is in")
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}
