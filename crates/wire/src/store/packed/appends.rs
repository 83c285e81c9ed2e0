//! Appends as they are told.
//!
//! ```text
//!   an append:   0  flags u16, zeros        4  writes u32      8  checks u32
//!               12  condition_bytes u32
//!               16  the streams written, the streams checked, the condition
//!   a stream:    0  expected u8, zero       2  stream_bytes u16
//!                4  events u32              8  revision u64
//!               16  its name, its events
//! ```
//!
//! The condition, which few have, is an `AppendCondition` as a message.
//!
//! An append is told by its place: the first of a call is number 0.

use bytes::Bytes;
use factum_core::{
    Append, AppendCondition, ExpectedRevision, Position, Revision, StreamCheck, StreamName, StreamWrite,
    Tags, WhenFull,
};
use prost::Message;

use super::event::{self, Event};
use super::{Cut, put, u16_at, u32_at, u64_at};
use crate::proto::store as proto;
use crate::store::{Malformed, read};

/// Length of what every append has.
const HEAD_BYTES: usize = 16;
/// Length of what every stream of one has.
const STREAM_BYTES: usize = 16;

mod flags {
    pub const REFUSE_WHEN_FULL: u16 = 1;
}

mod expected {
    pub const ANY: u8 = 0;
    pub const NO_STREAM: u8 = 1;
    pub const EXISTS: u8 = 2;
    pub const EXACT: u8 = 3;
}

/// How many bytes an append takes when it is packed.
pub fn packed_bytes(append: &Append) -> u64 {
    let stream = |stream: &StreamName| STREAM_BYTES + stream.as_str().len();
    let writes = append.writes.iter().map(|write| {
        let events: usize = write.events.iter().map(|event| Event::from(event).bytes()).sum();
        stream(&write.stream) + events
    });
    let checks = append.checks.iter().map(|check| stream(&check.stream));
    let condition =
        append.condition.as_ref().map_or(0, |condition| encode_condition(condition).encoded_len());
    (HEAD_BYTES + writes.chain(checks).sum::<usize>() + condition) as u64
}

/// Before the appends, where they go in a message of their own: whether that is
/// compressed, its length, and the field they are, with its length.
const FRONT_BYTES: usize = 5 + 6;
/// The first byte of the field, and of the one behind it, which says how many there
/// are.
const APPENDS_FIELD: u8 = 1 << 3 | 2;
const COUNT_FIELD: u8 = 2 << 3;

/// Appends, packed, where they go in a message of their own.
#[derive(Debug, Clone)]
pub struct PackedAppends {
    /// Room for what stands before them, and they.
    bytes: Vec<u8>,
    count: u32,
}

impl Default for PackedAppends {
    fn default() -> Self {
        Self::with_room(0)
    }
}

impl PackedAppends {
    /// None yet, with room for so many bytes of them.
    pub fn with_room(bytes: usize) -> Self {
        let mut room = Vec::with_capacity(FRONT_BYTES + bytes + FRONT_BYTES);
        room.resize(FRONT_BYTES, 0);
        Self { bytes: room, count: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes.len() - FRONT_BYTES
    }

    /// Adds an append.
    pub fn push(&mut self, append: &Append) {
        let condition = append.condition.as_ref().map(encode_condition);
        let condition_bytes = condition.as_ref().map_or(0, Message::encoded_len);
        let flags = if append.when_full == WhenFull::Refuse { flags::REFUSE_WHEN_FULL } else { 0 };
        let mut head = [0; HEAD_BYTES];
        put(&mut head, 0, flags.to_le_bytes());
        put(&mut head, 4, (append.writes.len() as u32).to_le_bytes());
        put(&mut head, 8, (append.checks.len() as u32).to_le_bytes());
        put(&mut head, 12, (condition_bytes as u32).to_le_bytes());
        self.bytes.extend_from_slice(&head);
        for write in &append.writes {
            self.push_stream(&write.stream, write.expected, write.events.len());
            for event in &write.events {
                Event::from(event).pack(&mut self.bytes);
            }
        }
        for check in &append.checks {
            self.push_stream(&check.stream, check.expected, 0);
        }
        if let Some(condition) = condition {
            // A vector has room for anything.
            let _ = condition.encode(&mut self.bytes);
        }
        self.count += 1;
    }

    /// Adds one that was packed before.
    pub fn push_packed(&mut self, append: &[u8]) {
        self.bytes.extend_from_slice(append);
        self.count += 1;
    }

    fn push_stream(&mut self, stream: &StreamName, expected: ExpectedRevision, events: usize) {
        let (expected, revision) = match expected {
            ExpectedRevision::Any => (expected::ANY, 0),
            ExpectedRevision::NoStream => (expected::NO_STREAM, 0),
            ExpectedRevision::Exists => (expected::EXISTS, 0),
            ExpectedRevision::Exact(revision) => (expected::EXACT, revision.get()),
        };
        let name = stream.as_str().as_bytes();
        let mut head = [0; STREAM_BYTES];
        head[0] = expected;
        put(&mut head, 2, (name.len() as u16).to_le_bytes());
        put(&mut head, 4, (events as u32).to_le_bytes());
        put(&mut head, 8, revision.to_le_bytes());
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(name);
    }

    /// An `AppendRequest` with them, as it goes into a connection, and they alone. They
    /// are in it already: nothing is copied.
    pub fn into_message(mut self) -> (Bytes, Bytes) {
        let appends = FRONT_BYTES..self.bytes.len();
        let length = appends.len() as u32;
        self.bytes.push(COUNT_FIELD);
        self.bytes.extend_from_slice(&number(self.count));
        let whole = (self.bytes.len() - 5) as u32;
        put(&mut self.bytes, 1, whole.to_be_bytes());
        put(&mut self.bytes, 5, [APPENDS_FIELD]);
        put(&mut self.bytes, 6, number(length));
        let message = Bytes::from(self.bytes);
        let appends = message.slice(appends);
        (message, appends)
    }

    /// They alone.
    pub fn into_bytes(self) -> Bytes {
        self.into_message().1
    }
}

/// A number as Protocol Buffers have it, always in as many bytes as the largest
/// takes: its place is there before it is known.
fn number(number: u32) -> [u8; 5] {
    let more = |at: u32| (number >> (7 * at)) as u8 | 0x80;
    [more(0), more(1), more(2), more(3), (number >> 28) as u8]
}

/// Packed appends, one by one. The first that is none is the last.
#[derive(Debug, Clone, Default)]
pub struct UnpackedAppends {
    bytes: Bytes,
    at: usize,
}

impl UnpackedAppends {
    /// Of what [`PackedAppends`] gave.
    pub fn of(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    fn append(&mut self) -> Result<Append, Malformed> {
        let mut cut = Cut { bytes: &self.bytes, at: self.at };
        let head: &[u8; HEAD_BYTES] = cut.head()?;
        let when_full = match u16_at(head, 0) {
            0 => WhenFull::Wait,
            flags::REFUSE_WHEN_FULL => WhenFull::Refuse,
            _ => return Err(Malformed::new("an append has a flag that is not known")),
        };
        let mut append = Append { when_full, ..Append::default() };
        let (writes, checks) = (u32_at(head, 4), u32_at(head, 8));
        append.writes.reserve(cut.at_most(writes, STREAM_BYTES));
        for _ in 0..writes {
            let (stream, expected, count) = unpack_stream(&mut cut)?;
            let mut events = Vec::with_capacity(cut.at_most(count, event::HEAD_BYTES));
            for _ in 0..count {
                let event = event::unpack(&mut cut)?;
                check_once(&event.tags)?;
                events.push(event);
            }
            append.writes.push(StreamWrite { stream, expected, events });
        }
        append.checks.reserve(cut.at_most(checks, STREAM_BYTES));
        for _ in 0..checks {
            let (stream, expected, events) = unpack_stream(&mut cut)?;
            if events != 0 {
                return Err(Malformed::new("a stream is checked and has events"));
            }
            append.checks.push(StreamCheck { stream, expected });
        }
        let condition = cut.part(u32_at(head, 12) as usize)?;
        if !condition.is_empty() {
            append.condition = Some(decode_condition(condition)?);
        }
        self.at = cut.at;
        Ok(append)
    }
}

impl Iterator for UnpackedAppends {
    type Item = Result<Append, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let append = self.append();
        if append.is_err() {
            *self = Self::default();
        }
        Some(append)
    }
}

/// A stream's name, where it must stand, and how many events follow.
fn unpack_stream(cut: &mut Cut<'_>) -> Result<(StreamName, ExpectedRevision, u32), Malformed> {
    let head: &[u8; STREAM_BYTES] = cut.head()?;
    let expected = match head[0] {
        expected::ANY => ExpectedRevision::Any,
        expected::NO_STREAM => ExpectedRevision::NoStream,
        expected::EXISTS => ExpectedRevision::Exists,
        expected::EXACT => ExpectedRevision::Exact(Revision::new(u64_at(head, 8))),
        // One that is not known must not be taken for `Any`.
        _ => return Err(Malformed::new("an expectation is not known")),
    };
    let stream = StreamName::from_utf8(cut.part(u16_at(head, 2).into())?)?;
    Ok((stream, expected, u32_at(head, 4)))
}

/// Tags that stand there twice would be found twice.
fn check_once(tags: &Tags) -> Result<(), Malformed> {
    let is_there_before = |(at, tag): (usize, &[u8])| tags.texts().take(at).any(|before| before == tag);
    match tags.texts().enumerate().any(is_there_before) {
        true => Err(Malformed::new("an event has a tag twice")),
        false => Ok(()),
    }
}

fn encode_condition(condition: &AppendCondition) -> proto::AppendCondition {
    proto::AppendCondition {
        query: Some(read::encode_query(&condition.query)),
        after: condition.after.map(Position::get),
    }
}

fn decode_condition(condition: Bytes) -> Result<AppendCondition, Malformed> {
    let condition =
        proto::AppendCondition::decode(condition).map_err(|error| Malformed::new(&error.to_string()))?;
    let query = condition.query.ok_or_else(|| Malformed::lacks("the condition's query"))?;
    Ok(AppendCondition { query: read::decode_query(query)?, after: condition.after.map(Position::new) })
}
