//! Events as they travel: what a client proposes, and what it reads.
//!
//! Of an event's labels three travel beside its bytes, as a map: `type`,
//! `content-type`, and on the way out `created`, in 100 ns since 1970. JSON is
//! JSON only under exactly that content type; every other is bytes.

use std::collections::HashMap;

use bytes::Bytes;
use factum_core::{ContentType, EventType, NewEvent, RecordedEvent, Tags};

use crate::failure::Failure;
use crate::id::{self, IdForm};
use crate::proto::client;
use crate::proto::streams::Label;
use crate::proto::streams::read_resp::read_event;
use crate::{position, stream};

const TYPE: &str = "type";
const CONTENT_TYPE: &str = "content-type";
const CREATED: &str = "created";

/// The most bytes one event may have: its data, its metadata, and its type
/// twice, as clients count.
pub const EVENT_BYTES_MAX: u64 = NewEvent::BYTES_MAX;

/// A proposed event, whichever message it came in.
pub fn propose(
    id: Option<&client::Uuid>,
    labels: Vec<Label>,
    metadata: Bytes,
    data: Bytes,
) -> Result<NewEvent, Failure> {
    let id = id::decode(id, "the event's id")?;
    if id.is_nil() {
        return Err(Failure::Invalid(
            "the event's id is all zeros: give every event an id of its own".into(),
        ));
    }
    let label = |property: &'static str| {
        // Of the same key the last counts, as in a map.
        let label = labels.iter().rev().find(|label| label.key == property);
        label.map(|label| label.value.clone()).ok_or(Failure::MissingMetadata { property })
    };
    let (event_type, content_type) = (label(TYPE)?, label(CONTENT_TYPE)?);
    let characters = std::str::from_utf8(&event_type).map_or(event_type.len(), |text| text.chars().count());
    let bytes = (data.len() + metadata.len() + 2 * characters) as u64;
    if bytes > EVENT_BYTES_MAX {
        return Err(Failure::EventTooLarge { id, bytes, limit: EVENT_BYTES_MAX });
    }
    Ok(NewEvent {
        id,
        event_type: EventType::from_utf8(event_type).map_err(|error| Failure::Invalid(error.to_string()))?,
        schema_version: 1,
        content_type: match content_type == ContentType::Json.as_str() {
            true => ContentType::Json,
            false => ContentType::Binary,
        },
        data,
        metadata,
        tags: Tags::none(),
        occurred_at: None,
        correlation_id: None,
        causation_id: None,
    })
}

/// Labels as they travel.
pub fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    pairs.iter().map(|(key, value)| Label { key: bytes(key), value: bytes(value) }).collect()
}

/// Bytes of a proposed event, about as many as it takes while it waits.
pub fn weight(event: &NewEvent) -> u64 {
    (event.data.len() + event.metadata.len() + event.event_type.as_str().len() + 128) as u64
}

/// A recorded event. Its revision is given apart, because a tombstone shows
/// another one than it has.
pub fn record(event: &RecordedEvent, revision: u64, form: IdForm) -> read_event::RecordedEvent {
    let position = position::encode(event.position);
    let content_type = match event.content_type {
        ContentType::Json => ContentType::Json,
        _ => ContentType::Binary,
    };
    // Before 1970 there is no number for it.
    let created = event.recorded_at.as_micros().max(0).saturating_mul(10);
    read_event::RecordedEvent {
        id: Some(form.encode(event.id)),
        stream_identifier: Some(stream::encode(&event.stream)),
        stream_revision: revision,
        prepare_position: position,
        commit_position: position,
        metadata: HashMap::from([
            (TYPE.to_owned(), event.event_type.as_str().to_owned()),
            (CREATED.to_owned(), created.to_string()),
            (CONTENT_TYPE.to_owned(), content_type.as_str().to_owned()),
        ]),
        custom_metadata: event.metadata.clone(),
        data: event.data.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_core::{Position, Revision, StreamName, Timestamp, Uuid};

    const JSON: [(&str, &str); 2] = [("type", "ItemAdded"), ("content-type", "application/json")];

    fn some_id() -> client::Uuid {
        IdForm::Text.encode(Uuid::from_u128(7))
    }

    #[test]
    fn takes_an_event_with_its_labels() {
        let event =
            propose(Some(&some_id()), labels(&JSON), Bytes::from_static(b"m"), Bytes::from_static(b"{}"))
                .unwrap();
        assert_eq!((event.event_type.as_str(), &event.content_type), ("ItemAdded", &ContentType::Json));
        assert_eq!((&event.data[..], &event.metadata[..]), (&b"{}"[..], &b"m"[..]));
        for other in ["application/octet-stream", "application/JSON", "text/plain", ""] {
            let labels = labels(&[("type", "A"), ("content-type", other)]);
            let event = propose(Some(&some_id()), labels, Bytes::new(), Bytes::new()).unwrap();
            assert_eq!(event.content_type, ContentType::Binary, "{other}");
        }
    }

    #[test]
    fn labels_are_a_map_and_a_type_is_text() {
        let propose = |labels| propose(Some(&some_id()), labels, Bytes::new(), Bytes::new());
        let twice = labels(&[("type", "A"), ("content-type", "b"), ("type", "B"), ("other", "c")]);
        assert_eq!(propose(twice).unwrap().event_type.as_str(), "B");
        let mut odd = labels(&JSON);
        odd[0].value = Bytes::from_static(b"\xff");
        assert!(matches!(propose(odd), Err(Failure::Invalid(text)) if text.contains("UTF-8")));
    }

    #[test]
    fn refuses_what_lacks_a_part() {
        let propose = |id: Option<&client::Uuid>, pairs: &[(&str, &str)]| {
            propose(id, labels(pairs), Bytes::new(), Bytes::new()).unwrap_err()
        };
        assert_eq!(propose(Some(&some_id()), &JSON[1..]), Failure::MissingMetadata { property: "type" });
        assert_eq!(
            propose(Some(&some_id()), &JSON[..1]),
            Failure::MissingMetadata { property: "content-type" }
        );
        assert!(matches!(propose(None, &JSON), Failure::Invalid(_)));
        assert!(matches!(propose(Some(&IdForm::Text.encode(Uuid::nil())), &JSON), Failure::Invalid(_)));
        assert!(matches!(propose(Some(&some_id()), &[("type", ""), JSON[1]]), Failure::Invalid(_)));
    }

    #[test]
    fn counts_the_type_twice_against_the_limit() {
        let propose = |bytes: u64| {
            let data = Bytes::from(vec![0; usize::try_from(bytes).unwrap()]);
            propose(Some(&some_id()), labels(&JSON), Bytes::new(), data)
        };
        assert!(propose(EVENT_BYTES_MAX - 18).is_ok());
        let refused = propose(EVENT_BYTES_MAX - 17).unwrap_err();
        assert!(matches!(refused, Failure::EventTooLarge { bytes, .. } if bytes == EVENT_BYTES_MAX + 1));
    }

    #[test]
    fn shows_an_event_as_clients_expect_it() {
        let event = RecordedEvent {
            position: Position::new(4),
            stream: StreamName::new("a-1").unwrap(),
            revision: Revision::new(2),
            recorded_at: Timestamp::from_micros(1_700_000_000_000_001),
            id: Uuid::from_u128(7),
            event_type: EventType::new("ItemAdded").unwrap(),
            schema_version: 3,
            content_type: ContentType::from("text/plain"),
            data: Bytes::from_static(b"d"),
            metadata: Bytes::from_static(b"m"),
            tags: Tags::none(),
            occurred_at: None,
            correlation_id: None,
            causation_id: None,
        };
        let shown = record(&event, 2, IdForm::Text);
        assert_eq!((shown.stream_revision, shown.commit_position, shown.prepare_position), (2, 5, 5));
        let expected = HashMap::from([
            ("type".to_owned(), "ItemAdded".to_owned()),
            ("created".to_owned(), "17000000000000010".to_owned()),
            ("content-type".to_owned(), "application/octet-stream".to_owned()),
        ]);
        assert_eq!(shown.metadata, expected);
        let before = RecordedEvent { recorded_at: Timestamp::MIN, ..event };
        assert_eq!(record(&before, 0, IdForm::Text).metadata["created"], "0");
    }
}
