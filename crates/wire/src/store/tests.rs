use std::io;
use std::sync::Arc;

use factum_core::Direction;
use factum_core::{
    Append, AppendCondition, AppendError, Appended, Bytes, Category, ContentType, Durability, EventType,
    ExpectedRevision, InvalidAppend, NewEvent, Position, Query, QueryItem, Read, ReadError, RecordedEvent,
    Revision, Selection, Signal, Start, StorageError, StreamCheck, StreamName, StreamWrite, Subscribe,
    SubscribeError, SubscribeFrom, Tag, Tags, Timestamp, Until, Uuid, WhenFull,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;

use super::error::{KINDS, VERBS};
use super::packed::{
    Packed, PackedAnswers, PackedAppends, Unpacked, UnpackedAnswers, UnpackedAppends, packed_bytes,
};
use super::{proto, read, status, subscribe};

// Strategies are boxed: put into one another they are too large for a stack.

/// Through bytes, as it travels.
fn travelled<M: Message + Default>(message: M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof!["[a-z$:/-]{1,12}", "[ a-zäöü🦀]{1,8}", Just("x".repeat(200))].boxed()
}

fn stream() -> BoxedStrategy<StreamName> {
    text().prop_map(|text| StreamName::new(text).unwrap()).boxed()
}

fn event_type() -> BoxedStrategy<EventType> {
    text().prop_map(|text| EventType::new(text).unwrap()).boxed()
}

fn tag() -> BoxedStrategy<Tag> {
    text().prop_map(|text| Tag::new(text).unwrap()).boxed()
}

fn number() -> BoxedStrategy<u64> {
    prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0_u64..300].boxed()
}

fn position() -> BoxedStrategy<Position> {
    number().prop_map(Position::new).boxed()
}

fn revision() -> BoxedStrategy<Revision> {
    number().prop_map(Revision::new).boxed()
}

fn time() -> BoxedStrategy<Timestamp> {
    prop_oneof![any::<i64>(), Just(0), Just(i64::MIN), Just(i64::MAX)]
        .prop_map(Timestamp::from_micros)
        .boxed()
}

fn id() -> BoxedStrategy<Uuid> {
    any::<u128>().prop_map(Uuid::from_u128).boxed()
}

fn bytes() -> BoxedStrategy<Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from).boxed()
}

fn content_type() -> BoxedStrategy<ContentType> {
    prop_oneof![
        Just(ContentType::Json),
        Just(ContentType::Binary),
        text().prop_map(|text| ContentType::Other(text.into())),
        // Not the same as the plain one.
        Just(ContentType::Other("application/json".into())),
    ]
    .boxed()
}

fn expected() -> BoxedStrategy<ExpectedRevision> {
    prop_oneof![
        Just(ExpectedRevision::Any),
        Just(ExpectedRevision::NoStream),
        Just(ExpectedRevision::Exists),
        revision().prop_map(ExpectedRevision::Exact),
    ]
    .boxed()
}

fn new_event() -> BoxedStrategy<NewEvent> {
    let ids = (id(), option::of(id()), option::of(id()));
    let labels = (event_type(), any::<u32>(), content_type(), vec(tag(), 0..4), option::of(time()));
    (ids, labels, bytes(), bytes())
        .prop_map(|(ids, labels, data, metadata)| NewEvent {
            id: ids.0,
            event_type: labels.0,
            schema_version: labels.1,
            content_type: labels.2,
            data,
            metadata,
            tags: Tags::new(labels.3).unwrap(),
            occurred_at: labels.4,
            correlation_id: ids.1,
            causation_id: ids.2,
        })
        .boxed()
}

fn recorded() -> BoxedStrategy<RecordedEvent> {
    (new_event(), position(), stream(), revision(), time())
        .prop_map(|(new, position, stream, revision, recorded_at)| RecordedEvent {
            position,
            stream,
            revision,
            recorded_at,
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
        .boxed()
}

fn query() -> BoxedStrategy<Query> {
    let item = || {
        let category = stream().prop_map(|name| Category::new(name.as_str().to_owned()).unwrap());
        (vec(category, 0..3), vec(event_type(), 0..3), vec(tag(), 0..3), any::<bool>()).prop_map(
            |(categories, types, tags, begins_stream)| QueryItem { categories, types, tags, begins_stream },
        )
    };
    (item(), vec(item(), 0..3))
        .prop_map(|(first, more)| more.into_iter().fold(Query::item(first), Query::or))
        .boxed()
}

fn selection() -> BoxedStrategy<Selection> {
    prop_oneof![
        Just(Selection::All),
        stream().prop_map(Selection::Stream),
        query().prop_map(Selection::Query)
    ]
    .boxed()
}

fn append() -> BoxedStrategy<Append> {
    let write = (stream(), expected(), vec(new_event(), 0..4))
        .prop_map(|(stream, expected, events)| StreamWrite { stream, expected, events });
    let check = (stream(), expected()).prop_map(|(stream, expected)| StreamCheck { stream, expected });
    let condition =
        (query(), option::of(position())).prop_map(|(query, after)| AppendCondition { query, after });
    let when_full = prop_oneof![Just(WhenFull::Wait), Just(WhenFull::Refuse)];
    (vec(write, 0..3), vec(check, 0..3), option::of(condition), when_full)
        .prop_map(|(writes, checks, condition, when_full)| Append {
            writes: writes.into(),
            checks,
            condition,
            when_full,
        })
        .boxed()
}

fn appended() -> BoxedStrategy<Appended> {
    let durability = prop_oneof![Just(Durability::Memory), Just(Durability::Disk)];
    let positions = option::of((position(), position()).prop_map(|(first, last)| first..=last));
    (positions, vec(option::of(revision()), 0..4), option::of(time()), durability, any::<bool>())
        .prop_map(|(positions, revisions, recorded_at, durability, repeated)| Appended {
            positions,
            revisions: revisions.into(),
            recorded_at,
            durability,
            repeated,
        })
        .boxed()
}

fn read() -> BoxedStrategy<Read> {
    let from = prop_oneof![
        Just(Start::Edge),
        position().prop_map(Start::Position),
        revision().prop_map(Start::Revision),
        time().prop_map(Start::Time),
    ];
    let until = prop_oneof![
        Just(Until::Edge),
        position().prop_map(Until::Position),
        revision().prop_map(Until::Revision),
        time().prop_map(Until::Time),
    ];
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    (selection(), direction, from, until, number(), option::of(number()))
        .prop_map(|(selection, direction, from, until, skip, limit)| Read {
            selection,
            direction,
            from,
            until,
            skip,
            limit,
        })
        .boxed()
}

fn subscribe() -> BoxedStrategy<Subscribe> {
    let from = prop_oneof![
        Just(SubscribeFrom::Start),
        position().prop_map(SubscribeFrom::After),
        revision().prop_map(SubscribeFrom::AfterRevision),
        time().prop_map(SubscribeFrom::Time),
        Just(SubscribeFrom::Now),
    ];
    (selection(), from, number(), number())
        .prop_map(|(selection, from, checkpoint_every, behind_after)| Subscribe {
            selection,
            from,
            checkpoint_every,
            behind_after,
        })
        .boxed()
}

fn signal() -> BoxedStrategy<Signal> {
    prop_oneof![
        recorded().prop_map(Signal::Event),
        position().prop_map(Signal::Checkpoint),
        option::of(position()).prop_map(Signal::CaughtUp),
        number().prop_map(|events| Signal::FellBehind { events }),
    ]
    .boxed()
}

fn storage_error() -> BoxedStrategy<StorageError> {
    let positions = option::of((position(), position()).prop_map(|(first, last)| first..=last));
    let io = (0..VERBS.len(), text(), 0..KINDS.len(), text()).prop_map(|(verb, file, kind, says)| {
        StorageError::Io { doing: VERBS[verb], file, source: Arc::new(io::Error::new(KINDS[kind], says)) }
    });
    prop_oneof![
        (text(), number(), positions, text()).prop_map(|(file, offset, positions, what)| {
            StorageError::Corrupt { file, offset, positions, what }
        }),
        io,
        text().prop_map(|file| StorageError::DiskFull { file }),
        text().prop_map(|cause| StorageError::Poisoned { cause: cause.into() }),
        Just(StorageError::ReadOnly),
        Just(StorageError::Closed),
        text().prop_map(|says| StorageError::Unreachable { says: says.into() }),
    ]
    .boxed()
}

fn invalid_append() -> BoxedStrategy<InvalidAppend> {
    prop_oneof![
        (any::<u32>(), number(), number()).prop_map(|(index, bytes, limit)| {
            InvalidAppend::EventTooLarge { index: index as usize, bytes, limit }
        }),
        (number(), number()).prop_map(|(bytes, limit)| InvalidAppend::TooLarge { bytes, limit }),
        stream().prop_map(|stream| InvalidAppend::StreamNamedTwice { stream }),
        id().prop_map(|id| InvalidAppend::IdUsedTwice { id }),
        (position(), option::of(position()))
            .prop_map(|(after, last)| InvalidAppend::PositionBeyondEnd { after, last }),
        (any::<u32>(), any::<u32>()).prop_map(|(index, bytes)| InvalidAppend::ContentType {
            index: index as usize,
            bytes: bytes as usize
        }),
    ]
    .boxed()
}

fn append_error() -> BoxedStrategy<AppendError> {
    prop_oneof![
        (stream(), expected(), option::of(revision()))
            .prop_map(|(stream, expected, actual)| AppendError::Conflict { stream, expected, actual }),
        position().prop_map(|position| AppendError::ConditionFailed { position }),
        (stream(), id()).prop_map(|(stream, id)| AppendError::PartlyRepeated { stream, id }),
        (stream(), revision(), id()).prop_map(|(stream, revision, id)| AppendError::IdReused {
            stream,
            revision,
            id
        }),
        invalid_append().prop_map(AppendError::Invalid),
        (number(), number())
            .prop_map(|(queued_bytes, limit_bytes)| AppendError::Overloaded { queued_bytes, limit_bytes }),
        storage_error().prop_map(AppendError::Unknown),
        storage_error().prop_map(AppendError::Storage),
    ]
    .boxed()
}

fn answer() -> BoxedStrategy<Result<Appended, AppendError>> {
    prop_oneof![appended().prop_map(Ok), append_error().prop_map(Err)].boxed()
}

proptest! {
    #[test]
    fn appends_come_back_as_they_were(appends in vec(append(), 0..4)) {
        let mut packed = PackedAppends::default();
        let mut again = PackedAppends::default();
        for append in &appends {
            let begin = packed.bytes();
            packed.push(append);
            prop_assert_eq!((packed.bytes() - begin) as u64, packed_bytes(append));
        }
        prop_assert_eq!(packed.count(), appends.len());
        let (message, bytes) = packed.into_message();
        let length = u32::from_be_bytes(message[1..5].try_into().unwrap());
        prop_assert_eq!((message[0], length as usize), (0, message.len() - 5));
        let request = proto::AppendRequest { appends: bytes.clone(), count: appends.len() as u32 };
        prop_assert_eq!(proto::AppendRequest::decode(message.slice(5..)).unwrap(), request);
        let mut at = 0;
        for append in &appends {
            let end = at + packed_bytes(append) as usize;
            again.push_packed(&bytes[at..end]);
            at = end;
        }
        prop_assert_eq!((again.count(), again.into_bytes()), (appends.len(), bytes.clone()));
        let unpacked = UnpackedAppends::of(bytes).collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(unpacked, appends);
    }

    #[test]
    fn packed_appends_that_were_changed_are_refused_or_are_others(
        append in append(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut packed = PackedAppends::default();
        packed.push(&append);
        packed.push(&append);
        let bytes = packed.into_bytes();
        let half = bytes.len() / 2;
        // What is cut off is missed, unless an append ends there.
        let end = cut.index(bytes.len());
        let found: Vec<_> = UnpackedAppends::of(bytes.slice(..end)).collect();
        prop_assert_eq!(found.iter().filter(|append| append.is_ok()).count(), end / half);
        prop_assert_eq!(found.iter().any(Result::is_err), end % half != 0);
        // What was changed has names that are ones, and tags that are there once.
        let mut changed = bytes.to_vec();
        changed[at.index(bytes.len())] = byte;
        for append in UnpackedAppends::of(changed.into()).flatten() {
            let checked = append.checks.iter().map(|check| &check.stream);
            for stream in append.writes.iter().map(|write| &write.stream).chain(checked) {
                prop_assert!(StreamName::new(stream.as_str().to_owned()).is_ok());
            }
            for event in append.writes.iter().flat_map(|write| &write.events) {
                prop_assert!(EventType::new(event.event_type.as_str().to_owned()).is_ok());
                let tags: Vec<_> = event.tags.iter().map(|tag| Tag::new(tag.to_owned()).unwrap()).collect();
                prop_assert_eq!(&Tags::new(tags).unwrap(), &event.tags);
            }
        }
    }

    #[test]
    fn answers_come_back_as_they_were(answers in vec((number(), answer()), 0..5)) {
        let mut packed = PackedAnswers::default();
        answers.iter().for_each(|(number, answer)| packed.push(*number, answer));
        prop_assert_eq!(packed.count(), answers.len());
        let bytes = packed.into_bytes();
        let unpacked = UnpackedAnswers::of(bytes.clone()).collect::<Result<Vec<_>, _>>().unwrap();
        // Errors have no equality: the operating system's has none.
        prop_assert_eq!(format!("{unpacked:?}"), format!("{answers:?}"));
        if !bytes.is_empty() {
            let cut = UnpackedAnswers::of(bytes.slice(..bytes.len() - 1));
            prop_assert!(cut.last().unwrap().is_err());
        }
    }

    #[test]
    fn reads_and_their_events_come_back_as_they_were(read in read(), events in vec(recorded(), 0..5)) {
        prop_assert_eq!(read::decode(travelled(read::encode(&read))).unwrap(), read);
        let mut packed = Packed::default();
        events.iter().for_each(|event| packed.push(event));
        prop_assert_eq!(packed.count(), events.len());
        // As it travels, behind the head of gRPC.
        let message = packed.clone().into_message();
        let (head, body) = message.split_first_chunk::<5>().unwrap();
        let [0, length @ ..] = *head else { panic!("compressed?") };
        prop_assert_eq!(u32::from_be_bytes(length) as usize, body.len());
        let response = proto::ReadResponse::decode(body).unwrap();
        prop_assert_eq!(&response.encode_to_vec()[..], body);
        prop_assert_eq!(&response.events, &packed.into_bytes());
        let unpacked = Unpacked::of(response.events).collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(unpacked, events);
    }

    #[test]
    fn packed_events_that_were_changed_are_refused_or_are_others(
        event in recorded(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut packed = Packed::default();
        packed.push(&event);
        packed.push(&event);
        let bytes = packed.into_bytes();
        let half = bytes.len() / 2;
        // What is cut off is missed, unless an event ends there.
        let end = cut.index(bytes.len());
        let mut left = Unpacked::of(bytes.slice(..end));
        let found: Vec<_> = left.by_ref().collect();
        prop_assert_eq!(found.iter().filter(|event| event.is_ok()).count(), end / half);
        prop_assert_eq!(found.iter().any(Result::is_err), end % half != 0);
        prop_assert!(left.is_empty());
        // What was changed has names and tags that are ones.
        let mut changed = bytes.to_vec();
        changed[at.index(bytes.len())] = byte;
        for event in Unpacked::of(changed.into()).flatten() {
            prop_assert!(StreamName::new(event.stream.as_str().to_owned()).is_ok());
            prop_assert!(EventType::new(event.event_type.as_str().to_owned()).is_ok());
            prop_assert!(event.tags.iter().all(|tag| Tag::new(tag.to_owned()).is_ok()));
        }
    }

    #[test]
    fn subscriptions_and_their_signals_come_back_as_they_were(
        subscribe in subscribe(),
        signals in vec(signal(), 0..6),
    ) {
        prop_assert_eq!(subscribe::decode(travelled(subscribe::encode(&subscribe))).unwrap(), subscribe);
        let messages = subscribe::encode_signals(signals.clone()).into_iter().map(travelled);
        let told: Result<Vec<_>, _> = messages.flat_map(subscribe::decode_signal).collect();
        prop_assert_eq!(told.unwrap(), signals);
    }

    #[test]
    fn errors_of_calls_come_back_as_they_were(storage in storage_error(), stream in stream()) {
        let reads = [
            ReadError::StreamNotFound { stream },
            ReadError::RevisionWithoutStream,
            ReadError::Storage(storage.clone()),
        ];
        for error in reads {
            let status = status::of_read(&error);
            prop_assert_eq!(format!("{:?}", status::read_in(&status)), format!("{:?}", Some(error)));
            prop_assert!(status::subscribe_in(&status).is_none(), "one is not taken for the other");
        }
        let subscriptions =
            [SubscribeError::RevisionWithoutStream, SubscribeError::Closed, SubscribeError::Storage(storage)];
        for error in subscriptions {
            let status = status::of_subscribe(&error);
            prop_assert_eq!(format!("{:?}", status::subscribe_in(&status)), format!("{:?}", Some(error)));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..60)) {
        if let Ok(message) = proto::ReadRequest::decode(bytes.as_slice()) {
            let _ = read::decode(message);
        }
        if let Ok(message) = proto::Begin::decode(bytes.as_slice()) {
            let _ = subscribe::decode(message);
        }
        if let Ok(message) = proto::Signal::decode(bytes.as_slice()) {
            subscribe::decode_signal(message).for_each(drop);
        }
        let bytes = Bytes::from(bytes);
        Unpacked::of(bytes.clone()).for_each(drop);
        UnpackedAppends::of(bytes.clone()).for_each(drop);
        UnpackedAnswers::of(bytes).for_each(drop);
    }
}

/// One append, packed: a stream `a` that has one event, and a check of `b`.
fn packed_append() -> Vec<u8> {
    let name = |text: &str| StreamName::new(text.to_owned()).unwrap();
    let tags = ["x", "y"].map(|tag| Tag::new(tag).unwrap());
    let event = NewEvent::new(EventType::new("T").unwrap(), "{}").with_tags(tags).unwrap();
    let append = Append::to(name("a"), ExpectedRevision::Any, [event]);
    let append = append.expecting(name("b"), ExpectedRevision::Exists).or_refuse();
    let mut packed = PackedAppends::default();
    packed.push(&append);
    assert_eq!(UnpackedAppends::of(packed.clone().into_bytes()).next(), Some(Ok(append)));
    packed.into_bytes().to_vec()
}

fn refusal(packed: Vec<u8>) -> String {
    let mut unpacked = UnpackedAppends::of(packed.into());
    let refused = unpacked.next().unwrap().unwrap_err().to_string();
    assert!(unpacked.next().is_none(), "the first that is none is the last");
    refused
}

/// Where things are in it: the append's head, the stream's and its name, the
/// event's head, its type and its tags, its data, the head of what is checked.
#[test]
fn what_is_not_known_is_refused_and_not_guessed() {
    let (stream, event) = (16, 16 + 16 + 1);
    let tags = event + 40 + 1;
    let check = tags + 6 + 2;
    let rows: [(usize, &[u8], &str); 12] = [
        (0, &[2], "an append has a flag that is not known"),
        (4, &[255, 255, 255, 255], "longer than the message"),
        (8, &[255, 255, 255, 255], "longer than the message"),
        (12, &[1], "longer than the message"),
        (stream, &[4], "an expectation is not known"),
        (stream + 2, &[0], "the stream name is empty"),
        (stream + 4, &[255, 255, 255, 255], "longer than the message"),
        (event, &[32], "an event has a flag that is not known"),
        (event, &[24], "an event has two content types"),
        (event + 20, &[255, 255, 255, 127], "longer than the message"),
        (tags + 5, b"x", "an event has a tag twice"),
        (check + 4, &[1], "a stream is checked and has events"),
    ];
    for (at, bytes, says) in rows {
        let mut changed = packed_append();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        let refused = refusal(changed);
        assert!(refused.contains(says), "{at}: {refused}");
    }
    // A query without items would guard nothing.
    let condition = proto::AppendCondition { query: Some(proto::Query::default()), after: None };
    let mut guarded = packed_append();
    let condition = condition.encode_to_vec();
    guarded[12] = condition.len() as u8;
    guarded.extend(condition);
    assert!(refusal(guarded).contains("the query's first item is missing"));
    let answer: Result<Appended, AppendError> =
        Err(AppendError::ConditionFailed { position: Position::new(7) });
    let mut packed = PackedAnswers::default();
    packed.push(1, &answer);
    let mut receipt = packed.into_bytes().to_vec();
    receipt[8] = 32;
    assert!(UnpackedAnswers::of(receipt.into()).next().unwrap().is_err(), "a flag that is not known");
}

#[test]
fn no_room_is_made_for_more_than_a_message_has() {
    // So many streams, and so many events, that they would fill all memory.
    let mut claims = packed_append();
    claims[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    refusal(claims.clone());
    claims[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    claims[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    refusal(claims);
}
