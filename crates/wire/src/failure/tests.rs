use super::*;

fn trailers(status: &Status) -> Vec<(String, String)> {
    let mut found: Vec<_> = status
        .metadata()
        .iter()
        .map(|entry| match entry {
            tonic::metadata::KeyAndValueRef::Ascii(key, value) => {
                (key.to_string(), value.to_str().unwrap().to_owned())
            }
            tonic::metadata::KeyAndValueRef::Binary(key, _) => panic!("{key} is binary"),
        })
        .collect();
    found.sort();
    found
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name.to_owned()).unwrap()
}

fn group(source: &str) -> GroupKey {
    GroupKey::new(crate::groups::Source::named(source).unwrap(), "g".to_owned()).unwrap()
}

#[test]
fn statuses_have_the_codes_texts_and_trailers_clients_look_for() {
    let id = Uuid::from_u128(1);
    let exact = ExpectedRevision::Exact(Revision::new(4));
    type Row = (Failure, Code, &'static str, &'static [(&'static str, &'static str)]);
    let rows: Vec<Row> = vec![
        (
            Failure::MissingMetadata { property: "type" },
            Code::InvalidArgument,
            "Required Metadata Property 'type' is missing",
            &[
                ("exception", "missing-required-metadata-property"),
                ("required-metadata-properties", "type,content-type"),
            ],
        ),
        (
            Failure::AccessDenied("why".to_owned()),
            Code::PermissionDenied,
            "Access Denied: why",
            &[("exception", "access-denied")],
        ),
        (Failure::NotFound("what".to_owned()), Code::NotFound, "what", &[]),
        (
            Failure::StreamDeleted { stream: stream("a-1") },
            Code::FailedPrecondition,
            "Event stream 'a-1' is deleted.",
            &[("exception", "stream-deleted"), ("stream-name", "a-1")],
        ),
        (
            Failure::WrongExpected { stream: stream("a-1"), expected: exact, actual: Some(Revision::new(7)) },
            Code::FailedPrecondition,
            "Delete failed due to WrongExpectedVersion. Stream: a-1, Expected version: 4, Actual version: 7",
            &[
                ("actual-version", "7"),
                ("exception", "wrong-expected-version"),
                ("expected-version", "4"),
                ("stream-name", "a-1"),
            ],
        ),
        (
            Failure::WrongExpected { stream: stream("a"), expected: ExpectedRevision::Exists, actual: None },
            Code::FailedPrecondition,
            "Delete failed due to WrongExpectedVersion. Stream: a, Expected version: -4, Actual version: -1",
            &[
                ("actual-version", "-1"),
                ("exception", "wrong-expected-version"),
                ("expected-version", "-4"),
                ("stream-name", "a"),
            ],
        ),
        (
            Failure::AppendTooLarge { limit: 9 },
            Code::InvalidArgument,
            "Maximum Append Size of 9 Exceeded.",
            &[("exception", "maximum-append-size-exceeded"), ("maximum-append-size", "9")],
        ),
        (
            Failure::EventTooLarge { id, bytes: 10, limit: 9 },
            Code::InvalidArgument,
            "Event with Id: 00000000-0000-0000-0000-000000000001, Size: 10, exceeds Maximum Append Event Size of 9.",
            &[
                ("event-id", "00000000-0000-0000-0000-000000000001"),
                ("exception", "maximum-append-event-size-exceeded"),
                ("maximum-append-event-size", "9"),
                ("proposed-append-event-size", "10"),
            ],
        ),
        (
            Failure::ReadBeyondEnd { filtered: true },
            Code::Unknown,
            "Unexpected FilteredReadAllResult: InvalidPosition",
            &[],
        ),
        (
            Failure::ReadBeyondEnd { filtered: false },
            Code::Unknown,
            "Unexpected ReadAllResult: InvalidPosition",
            &[],
        ),
        (
            Failure::UserNotFound { login: "ann".to_owned() },
            Code::NotFound,
            "User 'ann' is not found.",
            &[("exception", "user-not-found"), ("login-name", "ann")],
        ),
        (
            Failure::UserExists { login: "ann".to_owned() },
            Code::FailedPrecondition,
            "Conflict.",
            &[("exception", "user-conflict"), ("login-name", "ann")],
        ),
        (
            Failure::ProjectionNotFound { name: "sums".to_owned() },
            Code::NotFound,
            "Projection 'sums' not found",
            &[],
        ),
        (
            Failure::ScavengeNotFound { id: "7".to_owned() },
            Code::NotFound,
            "Scavenge id was invalid.",
            &[("exception", "scavenge-not-found"), ("scavenge-id", "7")],
        ),
        (Failure::Refused("no".into()), Code::FailedPrecondition, "no", &[]),
        (Failure::FollowBeyondEnd, Code::InvalidArgument, "Trying to read from an invalid position.", &[]),
        (
            Failure::GroupDoesNotExist { group: group("a-1") },
            Code::NotFound,
            "Subscription group g on stream a-1 does not exist.",
            &[
                ("exception", "persistent-subscription-does-not-exist"),
                ("group-name", "g"),
                ("stream-name", "a-1"),
            ],
        ),
        (
            Failure::GroupExists { group: group("$all") },
            Code::AlreadyExists,
            "Subscription group g on stream $all exists.",
            &[("exception", "persistent-subscription-exists"), ("group-name", "g"), ("stream-name", "$all")],
        ),
        (
            Failure::GroupFailed { group: group("a-1"), reason: "why".to_owned() },
            Code::Internal,
            "Subscription group g on stream a-1 failed: 'why'",
            &[
                ("exception", "persistent-subscription-failed"),
                ("group-name", "g"),
                ("reason", "why"),
                ("stream-name", "a-1"),
            ],
        ),
        (
            Failure::GroupFull { group: group("a-1") },
            Code::FailedPrecondition,
            "Maximum subscriptions reached for subscription group g on stream a-1.",
            &[("exception", "maximum-subscribers-reached"), ("group-name", "g"), ("stream-name", "a-1")],
        ),
        (
            Failure::GroupDropped { group: group("a-1") },
            Code::Cancelled,
            "Subscription group g on stream a-1 was dropped.",
            &[("exception", "persistent-subscription-dropped"), ("group-name", "g"), ("stream-name", "a-1")],
        ),
        (Failure::Busy, Code::Unavailable, "Server Is Too Busy", &[]),
        (Failure::NotReady, Code::Unavailable, "Server Is Not Ready", &[]),
    ];
    for (failure, code, text, expected) in rows {
        let status = failure.status();
        assert_eq!((status.code(), status.message()), (code, text));
        let expected: Vec<_> =
            expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(trailers(&status), expected, "{text}");
    }
}

#[test]
fn a_batch_carries_the_same_as_details() {
    let rows = [
        (
            Failure::WrongExpected {
                stream: stream("a"),
                expected: ExpectedRevision::NoStream,
                actual: None,
            },
            Code::AlreadyExists,
            "WrongExpectedVersion",
        ),
        (Failure::StreamDeleted { stream: stream("a") }, Code::NotFound, "StreamDeleted"),
        (Failure::TimedOut, Code::DeadlineExceeded, "Timeout"),
        (Failure::Invalid("no".into()), Code::InvalidArgument, "BadRequest"),
        (Failure::MissingMetadata { property: "type" }, Code::InvalidArgument, "BadRequest"),
        (Failure::AppendTooLarge { limit: 1 }, Code::InvalidArgument, "MaximumAppendSizeExceeded"),
        (
            Failure::EventTooLarge { id: Uuid::nil(), bytes: 2, limit: 1 },
            Code::InvalidArgument,
            "MaximumAppendEventSizeExceeded",
        ),
        (Failure::Storage("it broke".into()), Code::Internal, "Unknown"),
        (Failure::NotReady, Code::Unavailable, "Unknown"),
    ];
    for (failure, code, kind) in rows {
        let status = failure.in_batch();
        assert_eq!(status.code, code as i32, "{failure}");
        let [detail] = &status.details[..] else { panic!("{:?}", status.details) };
        assert_eq!(detail.type_url, format!("type.googleapis.com/event_store.client.{kind}"));
        assert!(status.message == kind || status.message == failure.to_string(), "{}", status.message);
    }
    let refused = Failure::WrongExpected {
        stream: stream("a"),
        expected: ExpectedRevision::Exact(Revision::new(3)),
        actual: Some(Revision::new(5)),
    };
    let detail = refused.in_batch().details.remove(0);
    let detail = client::WrongExpectedVersion::decode(&detail.value[..]).unwrap();
    assert_eq!(detail, wrong_expected(ExpectedRevision::Exact(Revision::new(3)), Some(Revision::new(5))));
}

#[test]
fn names_in_any_script_fit_into_trailers() {
    let status = Failure::StreamDeleted { stream: stream("Grüße-100%") }.status();
    assert_eq!(status.metadata().get("stream-name").unwrap(), "Gr%C3%BC%C3%9Fe-100%25");
    assert_eq!(status.message(), "Event stream 'Grüße-100%' is deleted.");
    let status = Failure::StreamDeleted { stream: stream("100%") }.status();
    assert_eq!(status.metadata().get("stream-name").unwrap(), "100%");
}
