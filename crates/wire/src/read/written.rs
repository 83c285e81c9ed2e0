//! Answers to a read, written out where they are read.
//!
//! The generated code would make a message of each event first, with a map of
//! texts in it, to write that later. Here an event is written straight from
//! what the store gave, with the head that gRPC puts before a message, and many
//! answers go into the connection as they are.
//!
//! ```text
//!   0x00  length u32, big-endian │ ReadResp │ 0x00  length ... │ ReadResp │ ...
//!                                  event ── id, stream, revision, positions,
//!                                           type, created, content-type,
//!                                           metadata, data
//!                                  link ─── the same
//!                                  position
//! ```
//!
//! Invariant: what is written is what the generated code would write, but for
//! the order of the map's entries, which means nothing (the tests draw events).

use std::io::Write;

use bytes::Bytes;
use factum_core::{ContentType, Position, RecordedEvent, Timestamp, Uuid};

use crate::codec;
use crate::id::IdForm;
use crate::position;
use crate::proto::streams::ReadResp;

/// An event and the revision it is shown with.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    #[allow(missing_docs)]
    pub event: &'a RecordedEvent,
    #[allow(missing_docs)]
    pub revision: u64,
}

/// Answers, one after another.
#[derive(Debug, Default)]
pub struct WrittenAnswers {
    bytes: Vec<u8>,
    count: usize,
    created: Created,
}

impl WrittenAnswers {
    /// With room for so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds an answer.
    pub fn push(&mut self, answer: &ReadResp) {
        self.count += 1;
        codec::write(answer, &mut self.bytes);
    }

    /// Adds an event, or a link with what it points at: `event` is `None` if
    /// that can no longer be read. `at` is the place of what was asked for.
    pub fn push_event(
        &mut self,
        event: Option<Shown<'_>>,
        link: Option<Shown<'_>>,
        at: Position,
        form: IdForm,
    ) {
        let event = event.map(|shown| Record::of(shown, form));
        let link = link.map(|shown| Record::of(shown, form));
        let at = position::encode(at);
        let lengths =
            [&event, &link].map(|record| record.as_ref().map(|record| record.length(&mut self.created)));
        // The position is one of several, and is there although it were 0.
        let inner = lengths.iter().flatten().map(|length| nested_length(*length)).sum::<usize>()
            + 1
            + varint_length(at);
        self.count += 1;
        codec::write_head(nested_length(inner), &mut self.bytes);
        self.key_and_length(0x0a, inner);
        for (key, record, length) in [(0x0a, event, lengths[0]), (0x12, link, lengths[1])] {
            if let (Some(record), Some(length)) = (record, length) {
                self.key_and_length(key, length);
                self.record(&record);
            }
        }
        self.bytes.push(0x18);
        self.varint(at);
    }

    /// All of them, as they go into a connection.
    pub fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }

    fn record(&mut self, record: &Record<'_>) {
        let event = record.shown.event;
        self.field(0x0a, record.id.bytes());
        let name = event.stream.as_str().as_bytes();
        self.key_and_length(0x12, field_length(name));
        self.field(0x1a, name);
        self.number(0x18, record.shown.revision);
        self.number(0x20, record.position);
        self.number(0x28, record.position);
        let event_type = event.event_type.as_str().as_bytes();
        self.key_and_length(0x32, TYPE.len() + field_length(event_type));
        self.bytes.extend_from_slice(TYPE);
        self.field(0x12, event_type);
        self.bytes.extend_from_slice(self.created.entry(event.recorded_at));
        self.bytes.extend_from_slice(content_type(&event.content_type));
        self.field(0x3a, &event.metadata);
        self.field(0x42, &event.data);
    }

    /// Bytes, which are not there if there are none.
    fn field(&mut self, key: u8, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.key_and_length(key, bytes.len());
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// A number, which is not there if it is 0.
    fn number(&mut self, key: u8, number: u64) {
        if number != 0 {
            self.bytes.push(key);
            self.varint(number);
        }
    }

    fn key_and_length(&mut self, key: u8, length: usize) {
        self.bytes.push(key);
        self.varint(length as u64);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

fn varint_length(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn nested_length(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

fn field_length(bytes: &[u8]) -> usize {
    if bytes.is_empty() { 0 } else { nested_length(bytes.len()) }
}

fn number_length(number: u64) -> usize {
    if number == 0 { 0 } else { 1 + varint_length(number) }
}

/// The first half of an entry: its key.
const TYPE: &[u8] = b"\x0a\x04type";

/// The whole entry.
fn content_type(content_type: &ContentType) -> &'static [u8] {
    match content_type {
        ContentType::Json => b"\x32\x20\x0a\x0ccontent-type\x12\x10application/json",
        _ => b"\x32\x28\x0a\x0ccontent-type\x12\x18application/octet-stream",
    }
}

/// The entry with the time of recording, which events that were appended
/// together share.
#[derive(Debug)]
struct Created {
    of: Timestamp,
    entry: [u8; Self::BYTES_MAX],
    length: usize,
}

impl Created {
    const HEAD: &'static [u8] = b"\x32\x00\x0a\x07created\x12\x00";
    const DIGITS_MAX: usize = 20;
    const BYTES_MAX: usize = Self::HEAD.len() + Self::DIGITS_MAX;

    fn of(time: Timestamp) -> Self {
        // Before 1970 there is no number for it.
        let hundreds_of_ns = time.as_micros().max(0).saturating_mul(10);
        let mut entry = [0; Self::BYTES_MAX];
        let (head, mut digits) = entry.split_at_mut(Self::HEAD.len());
        head.copy_from_slice(Self::HEAD);
        write!(digits, "{hundreds_of_ns}").expect("a number has room");
        let unused = digits.len();
        let length = Self::BYTES_MAX - unused;
        entry[1] = (length - 2) as u8;
        entry[Self::HEAD.len() - 1] = (length - Self::HEAD.len()) as u8;
        Self { of: time, entry, length }
    }

    fn entry(&mut self, time: Timestamp) -> &[u8] {
        if self.of != time {
            *self = Self::of(time);
        }
        &self.entry[..self.length]
    }
}

impl Default for Created {
    fn default() -> Self {
        Self::of(Timestamp::from_micros(0))
    }
}

/// What of an event is worked out before it is written.
struct Record<'a> {
    shown: Shown<'a>,
    id: Id,
    position: u64,
}

impl<'a> Record<'a> {
    fn of(shown: Shown<'a>, form: IdForm) -> Self {
        Self { shown, id: Id::of(shown.event.id, form), position: position::encode(shown.event.position) }
    }

    fn length(&self, created: &mut Created) -> usize {
        let event = self.shown.event;
        nested_length(self.id.length)
            + nested_length(field_length(event.stream.as_str().as_bytes()))
            + number_length(self.shown.revision)
            + 2 * number_length(self.position)
            + nested_length(TYPE.len() + field_length(event.event_type.as_str().as_bytes()))
            + created.entry(event.recorded_at).len()
            + content_type(&event.content_type).len()
            + field_length(&event.metadata)
            + field_length(&event.data)
    }
}

/// An id as a message.
struct Id {
    bytes: [u8; Self::BYTES_MAX],
    length: usize,
}

impl Id {
    /// The text, its key and its length.
    const BYTES_MAX: usize = 38;

    fn of(id: Uuid, form: IdForm) -> Self {
        let mut bytes = [0; Self::BYTES_MAX];
        let length = match form {
            IdForm::Text => {
                bytes[..2].copy_from_slice(&[0x12, 36]);
                id.hyphenated().encode_lower(&mut bytes[2..]);
                Self::BYTES_MAX
            }
            IdForm::Structured => {
                let (most, least) = id.as_u64_pair();
                let mut at = 2;
                for (key, half) in [(0x08, most), (0x10, least)] {
                    if half != 0 {
                        bytes[at] = key;
                        at = put_varint(&mut bytes, at + 1, half);
                    }
                }
                bytes[..2].copy_from_slice(&[0x0a, (at - 2) as u8]);
                at
            }
        };
        Self { bytes, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn put_varint(bytes: &mut [u8], mut at: usize, mut number: u64) -> usize {
    while number >= 0x80 {
        bytes[at] = number as u8 | 0x80;
        number >>= 7;
        at += 1;
    }
    bytes[at] = number as u8;
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::streams::read_resp::Content;
    use crate::{event, read};
    use factum_core::{EventType, Revision, StreamName, Tags};
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![
            Just(0),
            Just(u64::MAX - 1),
            Just(127),
            Just(128),
            any::<u64>().prop_map(|n| n >> 1),
            0_u64..300
        ]
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z$:/-]{1,12}", "[ a-zäöü🦀]{1,8}", Just("x".repeat(120)), Just("x".repeat(200))]
    }

    fn event() -> impl Strategy<Value = RecordedEvent> {
        let half = || prop_oneof![Just(0), any::<u64>(), 0_u64..300];
        let content_type = prop_oneof![
            Just(ContentType::Json),
            Just(ContentType::Binary),
            Just(ContentType::Other("application/json".into()))
        ];
        let time = prop_oneof![any::<i64>(), Just(0), 1_700_000_000_000_000_i64..1_800_000_000_000_000];
        let bytes = || prop_oneof![Just(Vec::new()), vec(any::<u8>(), 1..40), vec(any::<u8>(), 100..400)];
        ((half(), half()), (number(), number(), time), (text(), text(), content_type), bytes(), bytes())
            .prop_map(
                |(id, (position, revision, time), (stream, event_type, content_type), data, metadata)| {
                    RecordedEvent {
                        position: Position::new(position),
                        stream: StreamName::new(stream).unwrap(),
                        revision: Revision::new(revision),
                        recorded_at: Timestamp::from_micros(time),
                        id: Uuid::from_u64_pair(id.0, id.1),
                        event_type: EventType::new(event_type).unwrap(),
                        schema_version: 1,
                        content_type,
                        data: data.into(),
                        metadata: metadata.into(),
                        tags: Tags::none(),
                        occurred_at: None,
                        correlation_id: None,
                        causation_id: None,
                    }
                },
            )
    }

    fn shown(event: &RecordedEvent) -> Shown<'_> {
        Shown { event, revision: event.revision.get() }
    }

    proptest! {
        /// The generated code is the judge. A map has no order, so that lengths
        /// and meanings are compared.
        #[test]
        fn what_is_written_is_what_the_generated_code_writes(
            pairs in vec((option::of(event()), option::of(event()), number()), 1..5),
            is_text in any::<bool>(),
        ) {
            let form = if is_text { IdForm::Text } else { IdForm::Structured };
            let (mut written, mut generated) = (WrittenAnswers::default(), WrittenAnswers::default());
            let mut expected = Vec::new();
            for (event, link, at) in &pairs {
                let at = Position::new(*at);
                let record = |event: &RecordedEvent| event::record(event, event.revision.get(), form);
                let answer = read::event(event.as_ref().map(record), link.as_ref().map(record), at);
                written.push_event(event.as_ref().map(shown), link.as_ref().map(shown), at, form);
                generated.push(&answer);
                prop_assert_eq!(written.bytes(), generated.bytes());
                expected.push(answer);
            }
            prop_assert_eq!(written.count(), pairs.len());
            let bytes = written.into_bytes();
            prop_assert_eq!(codec::read_back::<ReadResp>(&bytes).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_event_stands_between_them() {
        let mut answers = WrittenAnswers::with_room(64);
        answers.push(&read::last_stream_position(7));
        answers.push_event(None, None, Position::new(4), IdForm::Text);
        let answers = codec::read_back::<ReadResp>(&answers.into_bytes()).unwrap();
        assert_eq!(answers[0].content, Some(Content::LastStreamPosition(7)));
        assert_eq!(answers[1], read::event(None, None, Position::new(4)));
        assert_eq!(codec::read_back::<ReadResp>(b"\0\0\0\0\x01"), None);
    }
}
