//! Records: one event each. The bytes are drawn in [`super::format`].

use bytes::Bytes;
use bytestring::ByteString;
use factum_core::{
    ContentType, EventType, NewEvent, Position, RecordedEvent, Revision, StreamName, Tags, Timestamp,
};
use uuid::Uuid;

use super::format::{
    RECORD_ALIGN, RECORD_HEADER_BYTES, RECORD_OWN_AT, bytes16_at, i64_at, put, record_flags, u16_at, u32_at,
    u64_at,
};

/// Appends the record of an event that has no place yet; returns the checksum
/// of the part that is complete, to be given to [`place`].
pub fn encode(event: &NewEvent, stream: &StreamName, salt: u32, out: &mut Vec<u8>) -> u32 {
    let start = out.len();
    let (content_flag, content_type) = match &event.content_type {
        ContentType::Json => (0, ""),
        ContentType::Binary => (record_flags::BINARY, ""),
        ContentType::Other(text) => (record_flags::OTHER_CONTENT, &text[..]),
    };
    let mut flags = content_flag;
    let mut header = [0u8; RECORD_HEADER_BYTES];
    put(&mut header, 32, event.id.as_bytes());
    put(&mut header, 50, &(stream.as_str().len() as u16).to_le_bytes());
    put(&mut header, 52, &(event.event_type.as_str().len() as u16).to_le_bytes());
    put(&mut header, 54, &(content_type.len() as u16).to_le_bytes());
    put(&mut header, 56, &event.schema_version.to_le_bytes());
    put(&mut header, 60, &(event.tags.as_stored().len() as u32).to_le_bytes());
    put(&mut header, 64, &(event.metadata.len() as u32).to_le_bytes());
    put(&mut header, 68, &(event.data.len() as u32).to_le_bytes());
    out.extend_from_slice(&header);
    if let Some(time) = event.occurred_at {
        flags |= record_flags::OCCURRED_AT;
        out.extend_from_slice(&time.as_micros().to_le_bytes());
    }
    if let Some(id) = event.correlation_id {
        flags |= record_flags::CORRELATION;
        out.extend_from_slice(id.as_bytes());
    }
    if let Some(id) = event.causation_id {
        flags |= record_flags::CAUSATION;
        out.extend_from_slice(id.as_bytes());
    }
    out.extend_from_slice(stream.as_str().as_bytes());
    out.extend_from_slice(event.event_type.as_str().as_bytes());
    out.extend_from_slice(content_type.as_bytes());
    out.extend_from_slice(event.tags.as_stored());
    out.extend_from_slice(&event.metadata);
    out.extend_from_slice(&event.data);
    out.resize(start + (out.len() - start).next_multiple_of(RECORD_ALIGN), 0);

    let record = &mut out[start..];
    let bytes = record.len() as u32;
    put(record, 0, &bytes.to_le_bytes());
    put(record, 48, &flags.to_le_bytes());
    crc32c::crc32c_append(salt, &record[RECORD_OWN_AT..])
}

/// How many bytes [`encode`] will need for an event.
pub fn encoded_bytes(event: &NewEvent, stream: &StreamName) -> u64 {
    let content_type = match &event.content_type {
        ContentType::Other(text) => text.len(),
        ContentType::Json | ContentType::Binary => 0,
    };
    let parts = RECORD_HEADER_BYTES
        + if event.occurred_at.is_some() { 8 } else { 0 }
        + if event.correlation_id.is_some() { 16 } else { 0 }
        + if event.causation_id.is_some() { 16 } else { 0 }
        + stream.as_str().len()
        + event.event_type.as_str().len()
        + content_type
        + event.tags.as_stored().len()
        + event.metadata.len()
        + event.data.len();
    parts.next_multiple_of(RECORD_ALIGN) as u64
}

/// Gives an encoded record its place, and completes its checksum.
pub fn place(record: &mut [u8], own_crc: u32, position: u64, revision: u64, recorded_at: Timestamp) {
    put(record, 8, &position.to_le_bytes());
    put(record, 16, &revision.to_le_bytes());
    put(record, 24, &recorded_at.as_micros().to_le_bytes());
    let crc = complete(own_crc, record);
    put(record, 4, &crc.to_le_bytes());
}

fn complete(own_crc: u32, record: &[u8]) -> u32 {
    // Side by side, so that it is one call.
    let mut placed = [0; RECORD_OWN_AT - 4];
    placed[..4].copy_from_slice(&record[..4]);
    placed[4..].copy_from_slice(&record[8..RECORD_OWN_AT]);
    crc32c::crc32c_append(own_crc, &placed)
}

/// Whether a whole record is what was written.
pub fn is_intact(record: &[u8], salt: u32) -> bool {
    record.len() >= RECORD_HEADER_BYTES
        && u32_at(record, 0) == Some(record.len() as u32)
        && u32_at(record, 4) == Some(complete(crc32c::crc32c_append(salt, &record[RECORD_OWN_AT..]), record))
}

/// The fields of a record that indexes and searches need, without copying.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    bytes: &'a [u8],
    flags: u16,
    stream_at: usize,
    type_at: usize,
    content_at: usize,
    tags_at: usize,
    metadata_at: usize,
    data_at: usize,
    data_end: usize,
}

impl<'a> RecordView<'a> {
    /// The record at the beginning of `bytes`, if its lengths fit into it and
    /// into one another. Does not look at the checksum.
    pub fn first(bytes: &'a [u8]) -> Option<Self> {
        let length = u32_at(bytes, 0)? as usize;
        if length < RECORD_HEADER_BYTES || !length.is_multiple_of(RECORD_ALIGN) {
            return None;
        }
        let bytes = bytes.get(..length)?;
        let flags = u16_at(bytes, 48)?;
        let optional =
            [(record_flags::OCCURRED_AT, 8), (record_flags::CORRELATION, 16), (record_flags::CAUSATION, 16)];
        let stream_at = RECORD_HEADER_BYTES
            + optional.iter().map(|(flag, size)| if flags & flag != 0 { *size } else { 0 }).sum::<usize>();
        let type_at = stream_at + usize::from(u16_at(bytes, 50)?);
        let content_at = type_at + usize::from(u16_at(bytes, 52)?);
        let tags_at = content_at + usize::from(u16_at(bytes, 54)?);
        let metadata_at = tags_at.checked_add(u32_at(bytes, 60)? as usize)?;
        let data_at = metadata_at.checked_add(u32_at(bytes, 64)? as usize)?;
        let data_end = data_at.checked_add(u32_at(bytes, 68)? as usize)?;
        (data_end <= length && length - data_end < RECORD_ALIGN).then_some(Self {
            bytes,
            flags,
            stream_at,
            type_at,
            content_at,
            tags_at,
            metadata_at,
            data_at,
            data_end,
        })
    }

    /// All of it.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the caller gave: everything but the place.
    pub fn own(&self) -> &'a [u8] {
        &self.bytes[RECORD_OWN_AT..]
    }

    #[allow(missing_docs)]
    pub fn position(&self) -> u64 {
        u64_at(self.bytes, 8).unwrap_or_default()
    }

    #[allow(missing_docs)]
    pub fn revision(&self) -> u64 {
        u64_at(self.bytes, 16).unwrap_or_default()
    }

    #[allow(missing_docs)]
    pub fn recorded_at(&self) -> Timestamp {
        Timestamp::from_micros(i64_at(self.bytes, 24).unwrap_or_default())
    }

    #[allow(missing_docs)]
    pub fn id(&self) -> [u8; 16] {
        bytes16_at(self.bytes, 32).unwrap_or_default()
    }

    /// The stream's name, as stored.
    pub fn stream(&self) -> &'a [u8] {
        &self.bytes[self.stream_at..self.type_at]
    }

    /// The type's name, as stored.
    pub fn event_type(&self) -> &'a [u8] {
        &self.bytes[self.type_at..self.content_at]
    }

    /// The tags, as stored.
    pub fn tags(&self) -> &'a [u8] {
        &self.bytes[self.tags_at..self.metadata_at]
    }

    /// Each tag's text.
    pub fn tag_texts(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.tags();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            rest = after;
            Some(text)
        })
    }

    /// The whole event as views of `source`, in which this record begins at
    /// `at`. `None` if a text is no UTF-8: what was checksummed was not
    /// written by this format.
    #[inline]
    pub fn into_event(self, source: &Bytes, at: usize) -> Option<RecordedEvent> {
        let part = |from: usize, to: usize| {
            // An empty part shares nothing, and costs nothing to share.
            if from == to { Bytes::new() } else { source.slice(at + from..at + to) }
        };
        let mut optional = RECORD_HEADER_BYTES;
        let mut next = |flag: u16, size: usize| {
            (self.flags & flag != 0).then(|| {
                optional += size;
                optional - size
            })
        };
        let occurred_at = next(record_flags::OCCURRED_AT, 8);
        let correlation = next(record_flags::CORRELATION, 16);
        let causation = next(record_flags::CAUSATION, 16);
        let content_type = if self.flags & record_flags::OTHER_CONTENT != 0 {
            ContentType::Other(ByteString::try_from(part(self.content_at, self.tags_at)).ok()?)
        } else if self.flags & record_flags::BINARY != 0 {
            ContentType::Binary
        } else {
            ContentType::Json
        };
        Some(RecordedEvent {
            position: Position::new(self.position()),
            stream: StreamName::from_stored(part(self.stream_at, self.type_at)).ok()?,
            revision: Revision::new(self.revision()),
            recorded_at: self.recorded_at(),
            id: Uuid::from_bytes(self.id()),
            event_type: EventType::from_stored(part(self.type_at, self.content_at)).ok()?,
            schema_version: u32_at(self.bytes, 56)?,
            content_type,
            data: part(self.data_at, self.data_end),
            metadata: part(self.metadata_at, self.data_at),
            tags: Tags::from_stored(part(self.tags_at, self.metadata_at))?,
            occurred_at: match occurred_at {
                Some(at) => Some(Timestamp::from_micros(i64_at(self.bytes, at)?)),
                None => None,
            },
            correlation_id: match correlation {
                Some(at) => Some(Uuid::from_bytes(bytes16_at(self.bytes, at)?)),
                None => None,
            },
            causation_id: match causation {
                Some(at) => Some(Uuid::from_bytes(bytes16_at(self.bytes, at)?)),
                None => None,
            },
        })
    }
}

/// The records of a batch body, one after another; ends at the first that does
/// not fit.
pub fn records(body: &[u8]) -> impl Iterator<Item = (usize, RecordView<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let view = RecordView::first(body.get(at..)?)?;
        let begun = at;
        at += view.bytes().len();
        Some((begun, view))
    })
}
