//! Recorded events as they are told.
//!
//! ```text
//!    0  position u64       8  revision u64       16  recorded_at i64 (µs)
//!   24  stream_bytes u16, zeros
//!   28  stream, and the rest as [every event](super::event) has it
//! ```

use bytes::Bytes;
use factum_core::{Position, RecordedEvent, Revision, StreamName, Timestamp};

use super::event::{self, Event};
use super::{Cut, put, u16_at, u64_at};
use crate::store::Malformed;

/// Length of the part before the name of the stream.
const HEAD_BYTES: usize = 28;

/// What gRPC and a message with nothing else in it put before the events: not
/// compressed, so long; the first field, so long.
const FRAME_BYTES_MAX: usize = 5 + 1 + 5;

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
        let mut room = Vec::with_capacity(FRAME_BYTES_MAX + bytes);
        room.resize(FRAME_BYTES_MAX, 0);
        Self { bytes: room, count: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes.len() - FRAME_BYTES_MAX
    }

    /// Adds an event.
    pub fn push(&mut self, event: &RecordedEvent) {
        let stream = event.stream.as_str().as_bytes();
        let mut head = [0; HEAD_BYTES];
        put(&mut head, 0, event.position.get().to_le_bytes());
        put(&mut head, 8, event.revision.get().to_le_bytes());
        put(&mut head, 16, event.recorded_at.as_micros().to_le_bytes());
        put(&mut head, 24, (stream.len() as u16).to_le_bytes());
        self.count += 1;
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(stream);
        Event::from(event).pack(&mut self.bytes);
    }

    /// They alone.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from(self.bytes).slice(FRAME_BYTES_MAX..)
    }

    /// The whole [`ReadResponse`](crate::proto::store::ReadResponse) with them, behind
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
        let begin = FRAME_BYTES_MAX - field_bytes - 5;
        let length = (field_bytes + events) as u32;
        self.bytes[begin + 1..begin + 5].copy_from_slice(&length.to_be_bytes());
        self.bytes[begin + 5..FRAME_BYTES_MAX].copy_from_slice(&field[..field_bytes]);
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

    /// The next event. If it is none, what the caller makes of that, and no more after
    /// it. An event is large: it is made where the caller has room for it.
    #[inline]
    pub fn next_or<E>(&mut self, refusal: impl FnOnce(Malformed) -> E) -> Option<Result<RecordedEvent, E>> {
        if self.is_empty() {
            return None;
        }
        match self.event() {
            Ok(event) => Some(Ok(event)),
            Err(error) => {
                *self = Self::default();
                Some(Err(refusal(error)))
            }
        }
    }

    #[inline]
    fn event(&mut self) -> Result<RecordedEvent, Malformed> {
        let mut cut = Cut { bytes: &self.bytes, at: self.at };
        let head: &[u8; HEAD_BYTES] = cut.head()?;
        let stream = StreamName::from_utf8(cut.part(u16_at(head, 24).into())?)?;
        let event = event::unpack(&mut cut)?;
        self.at = cut.at;
        let (position, revision) = (Position::new(u64_at(head, 0)), Revision::new(u64_at(head, 8)));
        let recorded_at = Timestamp::from_micros(u64_at(head, 16) as i64);
        Ok(event.recorded(stream, position, revision, recorded_at))
    }
}

impl Iterator for Unpacked {
    type Item = Result<RecordedEvent, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_or(|error| error)
    }
}
