use super::*;
use crate::proto::client::Empty;
use crate::proto::streams::read_req::options::filter_options::{Expression, Filter as Subject, Window};
use crate::proto::streams::read_req::options::{
    AllOptions, ControlOption, FilterOptions, Position as Pair, StreamOptions, SubscriptionOptions,
    UuidOption,
};

fn stream_options(revision: Option<RevisionOption>) -> StreamOption {
    let stream_identifier = Some(stream::encode(&StreamName::new("a").unwrap()));
    StreamOption::Stream(StreamOptions { stream_identifier, revision_option: revision })
}

fn all_options(from: Option<AllOption>) -> StreamOption {
    StreamOption::All(AllOptions { all_option: from })
}

fn a_filter() -> FilterOption {
    FilterOption::Filter(FilterOptions {
        filter: Some(Subject::EventType(Expression { regex: String::new(), prefix: vec!["A".to_owned()] })),
        window: Some(Window::Max(5)),
        checkpoint_interval_multiplier: 3,
    })
}

fn options(of: StreamOption, count: CountOption, direction: ReadDirection, filter: FilterOption) -> ReadReq {
    ReadReq {
        options: Some(Options {
            stream_option: Some(of),
            read_direction: direction as i32,
            resolve_links: true,
            count_option: Some(count),
            filter_option: Some(filter),
            uuid_option: Some(UuidOption { content: Some(IdOption::String(Empty {})) }),
            control_option: Some(ControlOption { compatibility: 1 }),
        }),
    }
}

#[test]
fn accepts_exactly_the_combinations_of_the_table() {
    let of = || {
        [stream_options(Some(RevisionOption::Start(Empty {}))), all_options(Some(AllOption::Start(Empty {})))]
    };
    let mut accepted = Vec::new();
    for (is_all, of) in of().into_iter().enumerate() {
        for count in [CountOption::Count(9), CountOption::Subscription(SubscriptionOptions {})] {
            for direction in [ReadDirection::Forwards, ReadDirection::Backwards] {
                for filter in [FilterOption::NoFilter(Empty {}), a_filter()] {
                    let row = (
                        ["stream", "all"][is_all],
                        matches!(count, CountOption::Count(_)),
                        direction,
                        matches!(filter, FilterOption::Filter(_)),
                    );
                    let decoded = ReadRequest::decode(options(of.clone(), count, direction, filter));
                    if let Ok(request) = decoded {
                        assert!(request.tells_ends && request.resolve_links && request.ids == IdForm::Text);
                        accepted.push(row);
                    }
                }
            }
        }
    }
    use ReadDirection::{Backwards, Forwards};
    assert_eq!(
        accepted,
        [
            ("stream", true, Forwards, false),
            ("stream", true, Backwards, false),
            ("stream", false, Forwards, false),
            ("all", true, Forwards, false),
            ("all", true, Forwards, true),
            ("all", true, Backwards, false),
            ("all", true, Backwards, true),
            ("all", false, Forwards, false),
            ("all", false, Forwards, true),
        ]
    );
}

#[test]
fn understands_every_place() {
    let from = |of| {
        let request = options(
            of,
            CountOption::Count(u64::MAX),
            ReadDirection::Forwards,
            FilterOption::NoFilter(Empty {}),
        );
        ReadRequest::decode(request).unwrap().what
    };
    let rows = [
        (RevisionOption::Start(Empty {}), From::Start),
        (RevisionOption::End(Empty {}), From::End),
        (RevisionOption::Revision(u64::MAX), From::End),
        (RevisionOption::Revision(3), From::Revision(Revision::new(3))),
    ];
    for (wire, expected) in rows {
        let What::Stream { from, count, .. } = from(stream_options(Some(wire))) else { panic!("a stream") };
        assert_eq!((from, count), (expected, u64::MAX));
    }
    let differing =
        |commit_position, prepare_position| AllOption::Position(Pair { commit_position, prepare_position });
    let pair = |n| differing(n, n);
    let rows = [
        (AllOption::Start(Empty {}), Place::Start),
        (AllOption::End(Empty {}), Place::End),
        (pair(0), Place::Start),
        (pair(u64::MAX), Place::End),
        (pair(3), Place::At(Position::new(2))),
        (differing(3, 2), Place::Before(Position::new(2))),
    ];
    for (wire, expected) in rows {
        let What::All { from, .. } = from(all_options(Some(wire))) else { panic!("the log") };
        assert_eq!(from, expected);
    }
}

#[test]
fn refuses_what_lacks_a_part_and_says_which() {
    let good = options(
        stream_options(Some(RevisionOption::Start(Empty {}))),
        CountOption::Count(1),
        ReadDirection::Forwards,
        FilterOption::NoFilter(Empty {}),
    );
    let with = |change: fn(&mut Options)| {
        let mut request = good.clone();
        change(request.options.as_mut().unwrap());
        ReadRequest::decode(request).unwrap_err().to_string()
    };
    assert!(ReadRequest::decode(good.clone()).is_ok());
    for (compatibility, ends, fell_behind) in [(0, false, false), (1, true, false), (2, true, true)] {
        let mut request = good.clone();
        request.options.as_mut().unwrap().control_option = Some(ControlOption { compatibility });
        let request = ReadRequest::decode(request).unwrap();
        assert_eq!((request.tells_ends, request.tells_fell_behind), (ends, fell_behind));
    }
    assert!(with(|o| o.uuid_option = None).starts_with("'uuidOption' is a required argument"));
    assert!(with(|o| o.count_option = Some(CountOption::Count(0))).contains("count is 0"));
    assert!(with(|o| o.count_option = None).contains("combination of"));
    assert!(with(|o| o.stream_option = None).contains("combination of"));
    assert!(with(|o| o.read_direction = 7).contains("combination of"));
    assert!(with(|o| o.filter_option = None).contains("combination of"));
    assert!(with(|o| o.stream_option = Some(stream_options(None))).contains("combination of"));
    assert!(ReadRequest::decode(ReadReq { options: None }).is_err());
}

#[test]
fn says_how_far_a_subscription_has_come() {
    let now = Timestamp::from_micros(1_500_000);
    let Some(Content::CaughtUp(said)) = caught_up(Reached::Stream(Some(Revision::new(4))), now).content
    else {
        panic!("caught up")
    };
    assert_eq!((said.stream_revision, said.position), (Some(4), None));
    assert_eq!(said.timestamp, Some(prost_types::Timestamp { seconds: 1, nanos: 500_000_000 }));
    let Some(Content::FellBehind(said)) = fell_behind(Reached::All(Some(Position::new(4))), now).content
    else {
        panic!("fell behind")
    };
    assert_eq!(said.position.unwrap().commit_position, 5);
    assert_eq!(Reached::All(None).parts(), (None, None));
}
