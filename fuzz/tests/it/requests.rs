//! What clients send, of KurrentDB and of Factum itself. Bytes of chance are seldom a
//! message, so that most are put together from fields: numbers near those the
//! messages have, and values that are often messages themselves.

use bolero::TypeGenerator;
use factum_core::{Bytes, Clock, ManualClock, Timestamp};
use factum_wire::groups::{control, member, settings};
use factum_wire::proto::client::Uuid;
use factum_wire::proto::persistent_subscriptions as groups;
use factum_wire::proto::sessions::{AppendRecordsRequest, AppendRequest};
use factum_wire::proto::store as port;
use factum_wire::proto::streams::{AppendReq, BatchAppendReq, DeleteReq, ReadReq, TombstoneReq};
use factum_wire::read::ReadRequest;
use factum_wire::{append, batch, delete, id, session, store};
use prost::Message;

use crate::bytes_up_to;

/// One field of a message.
#[derive(Debug, Clone, TypeGenerator)]
struct Field {
    number: u8,
    value: Value,
}

#[derive(Debug, Clone, TypeGenerator)]
enum Value {
    Number(u64),
    Small(u8),
    Bytes(Vec<u8>),
    Text(String),
    Message(Vec<Inner>),
}

/// A field of a message within a message.
#[derive(Debug, Clone, TypeGenerator)]
struct Inner {
    number: u8,
    value: InnerValue,
}

#[derive(Debug, Clone, TypeGenerator)]
enum InnerValue {
    Number(u64),
    Bytes(Vec<u8>),
    Text(String),
    Message(Vec<(u8, u64)>),
}

fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn number(field: u8, value: u64, into: &mut Vec<u8>) {
    varint(u64::from(field % 16 + 1) << 3, into);
    varint(value, into);
}

fn bytes(field: u8, value: &[u8], into: &mut Vec<u8>) {
    varint(u64::from(field % 16 + 1) << 3 | 2, into);
    varint(value.len() as u64, into);
    into.extend_from_slice(value);
}

fn encoded(fields: &[Field]) -> Vec<u8> {
    let mut message = Vec::new();
    for Field { number: field, value } in fields {
        match value {
            Value::Number(value) => number(*field, *value, &mut message),
            Value::Small(value) => number(*field, u64::from(*value), &mut message),
            Value::Bytes(value) => bytes(*field, value, &mut message),
            Value::Text(value) => bytes(*field, value.as_bytes(), &mut message),
            Value::Message(inner) => bytes(*field, &encoded_inner(inner), &mut message),
        }
    }
    message
}

fn encoded_inner(fields: &[Inner]) -> Vec<u8> {
    let mut message = Vec::new();
    for Inner { number: field, value } in fields {
        match value {
            InnerValue::Number(value) => number(*field, *value, &mut message),
            InnerValue::Bytes(value) => bytes(*field, value, &mut message),
            InnerValue::Text(value) => bytes(*field, value.as_bytes(), &mut message),
            InnerValue::Message(numbers) => {
                let mut inner = Vec::new();
                for (field, value) in numbers {
                    number(*field, *value, &mut inner);
                }
                bytes(*field, &inner, &mut message);
            }
        }
    }
    message
}

/// Every request is understood or refused with words; none panics.
fn decode_as_everything(bytes: &[u8]) {
    let refused = |failure: factum_wire::Failure| {
        assert!(!failure.status().message().is_empty());
        assert!(!failure.in_batch().details.is_empty());
    };
    if let Ok(request) = ReadReq::decode(bytes)
        && let Err(failure) = ReadRequest::decode(request)
    {
        refused(failure);
    }
    if let Ok(request) = AppendReq::decode(bytes) {
        match append::part(request) {
            Ok(append::Part::Event(event)) => event.validate(0).unwrap(),
            Ok(append::Part::Options { .. }) => {}
            Err(failure) => refused(failure),
        }
    }
    if let Ok(request) = DeleteReq::decode(bytes)
        && let Err(failure) = delete::delete(request)
    {
        refused(failure);
    }
    if let Ok(request) = TombstoneReq::decode(bytes)
        && let Err(failure) = delete::tombstone(request)
    {
        refused(failure);
    }
    if let Ok(request) = groups::CreateReq::decode(bytes)
        && let Err(failure) = settings::create(request)
    {
        refused(failure);
    }
    if let Ok(request) = groups::UpdateReq::decode(bytes)
        && let Err(failure) = settings::update(request)
    {
        refused(failure);
    }
    if let Ok(request) = groups::ReadReq::decode(bytes)
        && let Err(failure) = member::saying(request)
    {
        refused(failure);
    }
    if let Ok(request) = groups::ListReq::decode(bytes)
        && let Err(failure) = control::list(request)
    {
        refused(failure);
    }
    if let Ok(request) = groups::ReplayParkedReq::decode(bytes)
        && let Err(failure) = control::replay(request)
    {
        refused(failure);
    }
    if let Ok(id) = Uuid::decode(bytes)
        && let Err(failure) = id::decode(Some(&id), "the id")
    {
        refused(failure);
    }
    if let Ok(request) = BatchAppendReq::decode(bytes) {
        let now = ManualClock::at(Timestamp::from_seconds(1_700_000_000)).now();
        if let Some(Err(failure)) = request.options.map(|options| batch::target(options, now)) {
            refused(failure);
        }
        for message in request.proposed_messages {
            match batch::propose(message) {
                Ok(event) => event.validate(0).unwrap(),
                Err(failure) => refused(failure),
            }
        }
    }
}

/// The same of those over several streams, of which each has a detail.
fn decode_as_transactions(bytes: &[u8]) {
    let refused = |failure: session::SessionFailure| {
        let status = failure.status();
        assert!(!status.message().is_empty() && !status.details().is_empty());
    };
    let valid = |part: session::Part| part.events.iter().for_each(|event| event.validate(0).unwrap());
    if let Ok(request) = AppendRequest::decode(bytes) {
        match session::request(request) {
            Ok(part) => valid(part),
            Err(failure) => refused(failure),
        }
    }
    if let Ok(request) = AppendRecordsRequest::decode(bytes) {
        match session::records(request) {
            Ok(parts) => parts.into_iter().for_each(valid),
            Err(failure) => refused(failure),
        }
    }
}

/// The same of Factum's own protocol, in both directions.
fn decode_as_the_port(bytes: &[u8]) {
    let refused = |error: store::Malformed| {
        assert!(!store::status::of_malformed(&error).message().is_empty());
    };
    if let Ok(message) = port::ReadRequest::decode(bytes)
        && let Err(error) = store::read::decode(message)
    {
        refused(error);
    }
    if let Ok(message) = port::Begin::decode(bytes)
        && let Err(error) = store::subscribe::decode(message)
    {
        refused(error);
    }
    if let Ok(message) = port::Signal::decode(bytes) {
        store::subscribe::decode_signal(message).filter_map(Result::err).for_each(refused);
    }
    // As they stand in a message, and with lengths that fit more often.
    unpack_as_the_port(bytes, refused);
    let mut short = bytes.to_vec();
    short.iter_mut().take(96).skip(2).step_by(2).for_each(|byte| *byte %= 24);
    short.iter_mut().take(96).skip(3).step_by(2).for_each(|byte| *byte = 0);
    unpack_as_the_port(&short, refused);
}

fn unpack_as_the_port(bytes: &[u8], refused: impl Fn(store::Malformed)) {
    let bytes = Bytes::copy_from_slice(bytes);
    store::packed::Unpacked::of(bytes.clone()).filter_map(Result::err).for_each(&refused);
    store::packed::UnpackedAppends::of(bytes.clone()).filter_map(Result::err).for_each(&refused);
    store::packed::UnpackedAnswers::of(bytes).filter_map(Result::err).for_each(&refused);
}

#[test]
fn requests_of_chance() {
    bolero::check!().with_max_len(1 << 12).with_generator(bytes_up_to(300)).for_each(|bytes| {
        decode_as_everything(bytes);
        decode_as_transactions(bytes);
        decode_as_the_port(bytes);
    });
}

#[test]
fn requests_put_together() {
    bolero::check!().with_type::<Vec<Field>>().for_each(|fields| {
        let bytes = encoded(fields);
        decode_as_everything(&bytes);
        decode_as_transactions(&bytes);
        decode_as_the_port(&bytes);
    });
}
