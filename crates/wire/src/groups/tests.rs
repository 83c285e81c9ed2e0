use std::time::Duration;

use factum_core::StreamName;
use tonic::Code;

use super::info::{GroupInfo, encode};
use super::key::{GroupKey, Source};
use super::member::{Saying, Verdict, saying};
use super::settings::{GroupStart, GroupStrategy, create, update};
use crate::failure::Failure;
use crate::id::IdForm;
use crate::proto::client::{Empty, StreamIdentifier};
use crate::proto::persistent_subscriptions::all_options::{AllOption, FilterOption};
use crate::proto::persistent_subscriptions::settings::{CheckpointAfter, MessageTimeout};
use crate::proto::persistent_subscriptions::stream_options::RevisionOption;
use crate::proto::persistent_subscriptions::{
    AllOptions, CreateReq, Position, ReadReq, Settings, StreamOptions, UpdateReq, create_req, read_req,
    update_req,
};
use crate::proto::streams::read_req::options::FilterOptions;
use crate::proto::streams::read_req::options::filter_options::{Expression, Filter as Subject, Window};
use crate::stream;

fn identifier(name: &str) -> Option<StreamIdentifier> {
    Some(stream::encode(&StreamName::new(name.to_owned()).unwrap()))
}

fn settings() -> Settings {
    Settings {
        message_timeout: Some(MessageTimeout::MessageTimeoutMs(1_500)),
        checkpoint_after: Some(CheckpointAfter::CheckpointAfterTicks(20_000_000)),
        max_retry_count: 10,
        min_checkpoint_count: 10,
        max_checkpoint_count: 1_000,
        live_buffer_size: 500,
        read_batch_size: 20,
        history_buffer_size: 500,
        consumer_strategy: "RoundRobin".to_owned(),
        ..Settings::default()
    }
}

fn request(of: Option<create_req::options::StreamOption>, settings: Settings) -> CreateReq {
    CreateReq {
        options: Some(create_req::Options {
            stream_identifier: identifier("old"),
            group_name: "g".to_owned(),
            settings: Some(settings),
            stream_option: of,
        }),
    }
}

fn of_stream(from: RevisionOption) -> Option<create_req::options::StreamOption> {
    let stream_identifier = identifier("orders-1");
    Some(create_req::options::StreamOption::Stream(StreamOptions {
        stream_identifier,
        revision_option: Some(from),
    }))
}

fn of_all(from: AllOption, filter: Option<FilterOption>) -> Option<create_req::options::StreamOption> {
    Some(create_req::options::StreamOption::All(AllOptions { all_option: Some(from), filter_option: filter }))
}

#[test]
fn a_group_begins_where_its_maker_says() {
    let pair = |commit_position, prepare_position| {
        AllOption::Position(Position { commit_position, prepare_position })
    };
    let at = |n| pair(n, n);
    let rows = [
        (of_stream(RevisionOption::Start(Empty {})), "orders-1::g", GroupStart::First, "0"),
        (of_stream(RevisionOption::End(Empty {})), "orders-1::g", GroupStart::End, "-1"),
        (of_stream(RevisionOption::Revision(7)), "orders-1::g", GroupStart::At(7), "7"),
        (of_stream(RevisionOption::Revision(u64::MAX)), "orders-1::g", GroupStart::End, "-1"),
        (of_all(AllOption::Start(Empty {}), None), "$all::g", GroupStart::First, "C:0/P:0"),
        (of_all(AllOption::End(Empty {}), None), "$all::g", GroupStart::End, "C:-1/P:-1"),
        // On the wire a position is one more.
        (of_all(at(8), None), "$all::g", GroupStart::At(7), "C:8/P:8"),
        // Between two events: the later one is the first it gets.
        (of_all(pair(8, 3), None), "$all::g", GroupStart::At(7), "C:8/P:8"),
        (None, "old::g", GroupStart::First, "0"),
    ];
    for (of, key, start, text) in rows {
        let made = create(request(of, settings())).unwrap();
        assert_eq!((made.key.to_string().as_str(), made.start), (key, start));
        let info = GroupInfo { start, ..info_of(made.key, made.settings) };
        assert_eq!(encode(&info).start_from, text);
    }
    let failure = create(request(of_all(pair(8, 9), None), settings())).unwrap_err();
    let Failure::GroupFailed { group, reason } = failure else { panic!("{failure:?}") };
    assert_eq!(group.to_string(), "$all::g");
    assert!(reason.ends_with("prepare position must be less than or equal to the commit position."));
}

fn info_of(key: GroupKey, settings: super::GroupSettings) -> GroupInfo {
    GroupInfo {
        key,
        settings,
        start: GroupStart::First,
        members: Vec::new(),
        is_live: true,
        is_replaying: false,
        delivered: 3,
        per_second: 2,
        checkpointed: Some(1),
        last_known: Some(4),
        waiting: 5,
        again: 6,
        in_flight: 7,
        outstanding: 18,
        parked: 8,
    }
}

#[test]
fn settings_come_in_old_and_new_units_and_are_shown_as_they_are() {
    let made = create(request(of_all(AllOption::Start(Empty {}), None), settings())).unwrap();
    assert_eq!(made.settings.message_timeout, Duration::from_millis(1_500));
    assert_eq!(made.settings.checkpoint_after, Duration::from_secs(2));
    assert_eq!(made.settings.strategy, GroupStrategy::RoundRobin);
    let shown = encode(&info_of(made.key, made.settings));
    assert_eq!((shown.message_timeout_milliseconds, shown.check_point_after_milliseconds), (1_500, 2_000));
    assert_eq!((shown.max_retry_count, shown.buffer_size, shown.read_batch_size), (10, 500, 20));
    assert_eq!(shown.last_checkpointed_event_position, "C:2/P:2");
    assert_eq!(shown.last_known_event_position, "C:5/P:5");
    assert_eq!((shown.live_buffer_count, shown.read_buffer_count), (5, 0));
    assert_eq!((shown.status.as_str(), shown.parked_message_count), ("Live", 8));
    for (number, strategy) in
        [(0, GroupStrategy::DispatchToSingle), (1, GroupStrategy::RoundRobin), (2, GroupStrategy::Pinned)]
    {
        let settings =
            Settings { consumer_strategy: String::new(), named_consumer_strategy: number, ..settings() };
        let options = update_req::Options {
            stream_identifier: identifier("s"),
            group_name: "g".to_owned(),
            settings: Some(settings),
            stream_option: None,
        };
        assert_eq!(update(UpdateReq { options: Some(options) }).unwrap().settings.strategy, strategy);
    }
}

#[test]
fn refuses_groups_that_cannot_be() {
    let start = || of_stream(RevisionOption::Start(Empty {}));
    let failed = [
        Settings { consumer_strategy: "Fastest".to_owned(), ..settings() },
        Settings { consumer_strategy: String::new(), named_consumer_strategy: 7, ..settings() },
        Settings { read_batch_size: 500, ..settings() },
        Settings { read_batch_size: 0, ..settings() },
        Settings { max_retry_count: -1, ..settings() },
        Settings { message_timeout: Some(MessageTimeout::MessageTimeoutMs(-1)), ..settings() },
    ];
    for settings in failed {
        let failure = create(request(start(), settings.clone())).unwrap_err();
        assert!(matches!(failure, Failure::GroupFailed { .. }), "{settings:?}");
        assert_eq!(failure.status().code(), Code::Internal);
    }
    let nameless = |name: &str| {
        let mut request = request(start(), settings());
        request.options.as_mut().unwrap().group_name = name.to_owned();
        create(request).unwrap_err()
    };
    assert!(matches!(nameless(""), Failure::Invalid(_)));
    for name in ["a\nb", ":a", "a::b"] {
        assert!(matches!(nameless(name), Failure::Invalid(_)), "{name:?}");
    }
    let no_filter = FilterOptions { filter: None, window: None, checkpoint_interval_multiplier: 1 };
    let filtered = of_all(AllOption::Start(Empty {}), Some(FilterOption::Filter(no_filter)));
    assert!(matches!(create(request(filtered, settings())), Err(Failure::Invalid(_))));
    // A group writes its own checkpoints: nobody says how often, and the client for Java says 0.
    let unsaid = FilterOptions {
        filter: Some(Subject::EventType(Expression { regex: String::new(), prefix: vec!["A".to_owned()] })),
        window: Some(Window::Count(Empty {})),
        checkpoint_interval_multiplier: 0,
    };
    let filtered = of_all(AllOption::Start(Empty {}), Some(FilterOption::Filter(unsaid)));
    assert!(create(request(filtered, settings())).is_ok());
    assert!(matches!(create(CreateReq { options: None }), Err(Failure::Invalid(_))));
}

#[test]
fn understands_what_consumers_say() {
    let say = |content| saying(ReadReq { content: Some(content) });
    let id = uuid::Uuid::from_u128(7);
    let ids = vec![IdForm::Text.encode(id), IdForm::Structured.encode(id)];
    let ack = read_req::Ack { id: Vec::new(), ids: ids.clone() };
    assert!(matches!(say(read_req::Content::Ack(ack)), Ok(Saying::Ack(found)) if found == [id, id]));
    for (action, expected) in
        [(0, Verdict::Retry), (1, Verdict::Park), (2, Verdict::Retry), (3, Verdict::Skip), (4, Verdict::Stop)]
    {
        let nack = read_req::Nack { id: Vec::new(), ids: ids.clone(), action, reason: "no".to_owned() };
        match say(read_req::Content::Nack(nack)) {
            Ok(Saying::Nack { ids, verdict, reason }) => {
                assert_eq!((ids, verdict, reason.as_str()), (vec![id, id], expected, "no"));
            }
            other => panic!("{other:?}"),
        }
    }
    let options = |slots| read_req::Options {
        stream_option: Some(read_req::options::StreamOption::All(Empty {})),
        group_name: "g".to_owned(),
        buffer_size: slots,
        uuid_option: None,
    };
    match say(read_req::Content::Options(options(10))) {
        Ok(Saying::Join(joining)) => {
            assert_eq!((joining.key.source, joining.slots), (Source::All, 10));
        }
        other => panic!("{other:?}"),
    }
    for slots in [0, -1] {
        assert!(matches!(say(read_req::Content::Options(options(slots))), Err(Failure::Invalid(_))));
    }
    assert!(matches!(saying(ReadReq { content: None }), Err(Failure::Invalid(_))));
}
