use std::collections::BTreeMap;

use bytes::Bytes;
use factum_core::{ContentType, Uuid};
use prost::Message;
use prost_types::value::Kind;
use tonic::Code;

use super::*;
use crate::Failure;
use crate::proto::google::rpc;
use crate::proto::sessions::errors::AppendConsistencyViolationErrorDetails;
use crate::proto::sessions::{AppendRecord, SchemaFormat, SchemaInfo};

fn value(kind: Kind) -> prost_types::Value {
    prost_types::Value { kind: Some(kind) }
}

fn record(stream: Option<&str>) -> AppendRecord {
    AppendRecord {
        record_id: Some(Uuid::from_u128(7).to_string()),
        properties: BTreeMap::new(),
        schema: Some(SchemaInfo {
            format: SchemaFormat::Json as i32,
            name: "ItemAdded".to_owned(),
            id: None,
        }),
        data: Bytes::from_static(b"{}"),
        stream: stream.map(str::to_owned),
    }
}

fn in_session(record: AppendRecord) -> AppendRequest {
    AppendRequest { stream: "a-1".to_owned(), records: vec![record], expected_revision: None }
}

fn one(record: AppendRecord) -> Result<NewEvent, SessionFailure> {
    request(in_session(record)).map(|mut part| part.events.remove(0))
}

#[test]
fn a_record_is_stored_as_readers_of_the_first_version_see_it() {
    let nested = prost_types::Struct {
        fields: [("b".to_owned(), value(Kind::BoolValue(true))), ("a".to_owned(), value(Kind::NullValue(0)))]
            .into(),
    };
    let properties = [
        ("zone", Kind::StringValue("eu".to_owned())),
        ("count", Kind::NumberValue(3.0)),
        ("share", Kind::NumberValue(0.25)),
        ("huge", Kind::NumberValue(1e300)),
        ("deep", Kind::StructValue(nested)),
        ("list", Kind::ListValue(prost_types::ListValue { values: vec![value(Kind::NumberValue(-1.0))] })),
        // What the schema says of itself holds.
        ("$schema.name", Kind::StringValue("Forged".to_owned())),
    ];
    let properties = properties.map(|(key, kind)| (key.to_owned(), value(kind)));
    let event = one(AppendRecord { properties: properties.into(), ..record(None) }).unwrap();
    assert_eq!((event.id, event.event_type.as_str()), (Uuid::from_u128(7), "ItemAdded"));
    assert_eq!((&event.content_type, &event.data[..]), (&ContentType::Json, &b"{}"[..]));
    let metadata: serde_json::Value = serde_json::from_slice(&event.metadata).unwrap();
    assert_eq!(
        metadata,
        serde_json::json!({
            "zone": "eu", "count": 3, "share": 0.25, "huge": 1e300, "deep": { "a": null, "b": true },
            "list": [-1], "$schema.name": "ItemAdded", "$schema.format": "Json",
        })
    );
    assert!(String::from_utf8_lossy(&event.metadata).contains("\"count\":3,"), "whole numbers have no point");
}

#[test]
fn formats_decide_the_content_type_and_ids_are_kept() {
    for (format, name, content_type) in [
        (SchemaFormat::Json, "Json", ContentType::Json),
        (SchemaFormat::Protobuf, "Protobuf", ContentType::Binary),
        (SchemaFormat::Avro, "Avro", ContentType::Binary),
        (SchemaFormat::Bytes, "Bytes", ContentType::Binary),
    ] {
        let schema = SchemaInfo { format: format as i32, name: "A".to_owned(), id: Some("v7".to_owned()) };
        let event = one(AppendRecord { schema: Some(schema), ..record(None) }).unwrap();
        assert_eq!(event.content_type, content_type);
        let metadata: serde_json::Value = serde_json::from_slice(&event.metadata).unwrap();
        assert_eq!((&metadata["$schema.format"], &metadata["$schema.id"]), (&name.into(), &"v7".into()));
    }
    let unnamed = one(AppendRecord { record_id: None, ..record(None) }).unwrap();
    assert!(!unnamed.id.is_nil());
}

#[test]
fn records_that_make_no_sense_are_told_why() {
    let schema = |format: SchemaFormat, name: &str| {
        Some(SchemaInfo { format: format as i32, name: name.to_owned(), id: None })
    };
    let with =
        |kind: Kind| AppendRecord { properties: [("p".to_owned(), value(kind))].into(), ..record(None) };
    let nested = (0..PROPERTIES_DEPTH_MAX).fold(value(Kind::BoolValue(true)), |inner, _| {
        value(Kind::ListValue(prost_types::ListValue { values: vec![inner] }))
    });
    let rows = [
        (AppendRecord { record_id: Some("seven".to_owned()), ..record(None) }, "is not a UUID"),
        (AppendRecord { record_id: Some(String::new()), ..record(None) }, "is not a UUID"),
        (AppendRecord { record_id: Some(Uuid::nil().to_string()), ..record(None) }, "not all zeros"),
        (AppendRecord { schema: None, ..record(None) }, "says nothing of its format"),
        (AppendRecord { schema: schema(SchemaFormat::Unspecified, "A"), ..record(None) }, "of its format"),
        (AppendRecord { schema: schema(SchemaFormat::Json, ""), ..record(None) }, "schema name"),
        (AppendRecord { schema: schema(SchemaFormat::Json, "a b"), ..record(None) }, "schema name"),
        (AppendRecord { schema: schema(SchemaFormat::Json, "Größe"), ..record(None) }, "schema name"),
        (AppendRecord { schema: schema(SchemaFormat::Json, "a\n"), ..record(None) }, "schema name"),
        (with(Kind::NumberValue(f64::NAN)), "property \"p\" is not a number"),
        (with(Kind::NumberValue(f64::INFINITY)), "property \"p\" is not a number"),
        (AppendRecord { properties: [("p".to_owned(), nested)].into(), ..record(None) }, "too deep"),
        (record(Some("b-1")), "is in the request for stream \"a-1\""),
    ];
    for (record, says) in rows {
        let failure = one(record).unwrap_err();
        assert!(matches!(failure, SessionFailure::Invalid(_)), "{failure:?}");
        assert!(failure.to_string().contains(says), "{failure}");
    }
    assert!(one(record(Some("a-1"))).is_ok());
    let large = AppendRecord { data: vec![0; 16 << 20].into(), ..record(None) };
    assert!(matches!(one(large), Err(SessionFailure::RecordTooLarge { .. })));
}

#[test]
fn a_request_says_where_its_stream_must_stand() {
    let exact = Expected::Exact(Revision::new(7));
    let rows = [
        (None, Some(Expected::Any)),
        (Some(-2), Some(Expected::Any)),
        (Some(-1), Some(Expected::NoStream)),
        (Some(-4), Some(Expected::Exists)),
        (Some(7), Some(exact)),
        (Some(-3), None),
        (Some(-5), None),
        (Some(-6), None),
        (Some(i64::MIN), None),
    ];
    for (number, expected) in rows {
        let understood = request(AppendRequest { expected_revision: number, ..in_session(record(None)) });
        assert_eq!(understood.ok().map(|part| part.expected), expected, "{number:?}");
    }
    for stream in ["", "a\nb"] {
        let request = request(AppendRequest { stream: stream.to_owned(), ..in_session(record(None)) });
        assert!(matches!(request, Err(SessionFailure::Invalid(_))), "{stream:?}");
    }
    let empty = request(AppendRequest { records: Vec::new(), ..in_session(record(None)) }).unwrap_err();
    assert!(empty.to_string().contains("send one record or more"), "{empty}");
}

fn check(stream: &str, expected_state: i64) -> ConsistencyCheck {
    let check = consistency_check::StreamStateCheck { stream: stream.to_owned(), expected_state };
    ConsistencyCheck { r#type: Some(consistency_check::Type::StreamState(check)) }
}

#[test]
fn records_are_gathered_by_stream_and_checks_put_beside_them() {
    let named = |n: u128, stream| AppendRecord {
        record_id: Some(Uuid::from_u128(n).to_string()),
        ..record(Some(stream))
    };
    let parts = records(AppendRecordsRequest {
        records: vec![named(1, "b"), named(2, "a"), named(3, "b")],
        checks: vec![check("c", -6), check("b", 4), check("d", -5)],
    })
    .unwrap();
    let short = |part: &Part| {
        let ids: Vec<_> = part.events.iter().map(|event| event.id.as_u128()).collect();
        (part.stream.to_string(), part.expected.number(), part.check, ids)
    };
    assert_eq!(
        parts.iter().map(short).collect::<Vec<_>>(),
        [
            ("b".to_owned(), 4, Some(1), vec![1, 3]),
            ("a".to_owned(), -2, None, vec![2]),
            ("c".to_owned(), -6, Some(0), vec![]),
            ("d".to_owned(), -5, Some(2), vec![]),
        ]
    );
}

#[test]
fn checks_that_make_no_sense_are_told_why() {
    let rows = [
        (vec![], vec![], "send one record or more"),
        (vec![record(None)], vec![], "name"),
        (vec![record(Some("a"))], vec![check("a", -2)], "cannot expect stream \"a\" at -2"),
        (vec![record(Some("a"))], vec![check("a", -3)], "cannot expect stream \"a\" at -3"),
        (vec![record(Some("a"))], vec![check("a", 1), check("a", 1)], "is checked twice"),
        (vec![record(Some("a"))], vec![check("b", 1), check("b", 2)], "is checked twice"),
        (vec![record(Some("a"))], vec![check("a", -6)], "expects a tombstone on stream \"a\""),
        (vec![record(Some("a"))], vec![check("", 1)], "name"),
        (vec![record(Some("a"))], vec![ConsistencyCheck { r#type: None }], "check 0 is empty"),
        (
            vec![record(Some("a"))],
            (0..STREAMS_MAX).map(|n| check(&format!("s-{n}"), -1)).collect(),
            "at most 1024 streams",
        ),
    ];
    for (taken, checks, says) in rows {
        let failure = records(AppendRecordsRequest { records: taken, checks }).unwrap_err();
        assert!(failure.to_string().contains(says), "{says}: {failure}");
        assert_eq!(failure.status().code(), Code::InvalidArgument);
    }
}

fn name(text: &str) -> StreamName {
    StreamName::new(text.to_owned()).unwrap()
}

fn rich(failure: &SessionFailure) -> (rpc::Status, Vec<String>) {
    let status = failure.status();
    let inner = rpc::Status::decode(status.details()).unwrap();
    // Clients refuse details that say something else than the status.
    assert_eq!((inner.code, inner.message.as_str()), (status.code() as i32, status.message()));
    let kinds =
        inner.details.iter().map(|detail| detail.type_url.rsplit('.').next().unwrap().to_owned()).collect();
    (inner, kinds)
}

#[test]
fn refusals_have_the_codes_and_details_clients_look_for() {
    let stream = name("a-1");
    let (expected, actual) = (Expected::Exact(Revision::new(4)), Actual::At(Revision::new(7)));
    let violation = Violation { check: 2, stream: stream.clone(), expected, actual };
    type Row = (SessionFailure, Code, &'static str, Option<&'static str>);
    let rows: Vec<Row> = vec![
        (SessionFailure::Invalid("no".into()), Code::InvalidArgument, "BAD_REQUEST", None),
        (SessionFailure::NoRequests, Code::FailedPrecondition, "APPEND_SESSION_NO_REQUESTS", None),
        (
            SessionFailure::AlreadyInSession { stream: stream.clone() },
            Code::Aborted,
            "STREAM_ALREADY_IN_APPEND_SESSION",
            Some("StreamAlreadyInAppendSessionErrorDetails"),
        ),
        (
            SessionFailure::Tombstoned { stream: stream.clone() },
            Code::FailedPrecondition,
            "STREAM_TOMBSTONED",
            Some("StreamTombstonedErrorDetails"),
        ),
        (
            SessionFailure::Conflict { stream: stream.clone(), expected, actual },
            Code::FailedPrecondition,
            "STREAM_REVISION_CONFLICT",
            Some("StreamRevisionConflictErrorDetails"),
        ),
        (
            SessionFailure::Violated(vec![violation]),
            Code::FailedPrecondition,
            "APPEND_CONSISTENCY_VIOLATION",
            Some("AppendConsistencyViolationErrorDetails"),
        ),
        (
            SessionFailure::RecordTooLarge { stream, id: Uuid::nil(), bytes: 9, limit: 8 },
            Code::InvalidArgument,
            "APPEND_RECORD_SIZE_EXCEEDED",
            Some("AppendRecordSizeExceededErrorDetails"),
        ),
        (
            SessionFailure::TooLarge { bytes: 9, limit: 8 },
            Code::Aborted,
            "APPEND_TRANSACTION_SIZE_EXCEEDED",
            Some("AppendTransactionSizeExceededErrorDetails"),
        ),
    ];
    for (failure, code, reason, detail) in rows {
        let (status, kinds) = rich(&failure);
        assert_eq!(status.code, code as i32, "{failure}");
        assert_eq!(kinds, [Some("ErrorInfo"), detail].into_iter().flatten().collect::<Vec<_>>());
        let info = rpc::ErrorInfo::decode(&status.details[0].value[..]).unwrap();
        let domain = if reason == "BAD_REQUEST" { "server" } else { "streams" };
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, domain));
        if let Some(detail) = status.details.get(1) {
            assert!(
                detail.type_url.starts_with("type.googleapis.com/kurrentdb.protocol.v2.streams.errors."),
                "{}",
                detail.type_url
            );
        }
    }
    assert!(matches!(SessionFailure::from(Failure::Invalid("no".into())), SessionFailure::Invalid(_)));
}

#[test]
fn what_can_befall_every_call_has_its_reason_too() {
    let text = || "why".to_owned();
    let rows = [
        (Failure::AccessDenied(text()), Code::PermissionDenied, "ACCESS_DENIED"),
        (Failure::NotReady, Code::Unavailable, "SERVER_NOT_READY"),
        (Failure::Busy, Code::Unavailable, "SERVER_OVERLOADED"),
        (Failure::TimedOut, Code::DeadlineExceeded, "OPERATION_TIMEOUT"),
        (Failure::AppendTooLarge { limit: 8 }, Code::InvalidArgument, "BAD_REQUEST"),
        (Failure::Storage(text()), Code::Internal, "SERVER_MALFUNCTION"),
        (Failure::Damaged(text()), Code::DataLoss, "SERVER_MALFUNCTION"),
        (Failure::Full(text()), Code::ResourceExhausted, "SERVER_MALFUNCTION"),
        (Failure::Unknown(text()), Code::Aborted, "SERVER_MALFUNCTION"),
    ];
    for (failure, code, reason) in rows {
        let everywhere = failure.status();
        let failure = SessionFailure::from(failure);
        let (status, kinds) = rich(&failure);
        assert_eq!((status.code, kinds.as_slice()), (code as i32, ["ErrorInfo".to_owned()].as_slice()));
        let info = rpc::ErrorInfo::decode(&status.details[0].value[..]).unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "server"));
        assert_eq!(failure.status().message(), everywhere.message());
        let exception = |status: &tonic::Status| status.metadata().get("exception").cloned();
        assert_eq!(exception(&failure.status()), exception(&everywhere), "{failure}");
    }
}

#[test]
fn violations_fit_into_a_header() {
    let violations = |count: usize, bytes: usize| {
        let violation = |check| Violation {
            check,
            stream: name(&"x".repeat(bytes)),
            expected: Expected::NoStream,
            actual: Actual::Deleted,
        };
        let failure = SessionFailure::Violated((0..count).map(violation).collect());
        let (status, _) = rich(&failure);
        let told = AppendConsistencyViolationErrorDetails::decode(&status.details[1].value[..]).unwrap();
        assert!(status.encoded_len() < 6 * 1024, "{}", status.encoded_len());
        told.violations.len()
    };
    assert_eq!(violations(1, 1_022), 1);
    assert_eq!(violations(20, 20), 20);
    assert!((2..100).contains(&violations(1_000, 1_000)));
}
