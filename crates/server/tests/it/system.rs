//! System streams and index reads, message by message.

use factum_core::NewEvent;
use factum_wire::proto::client::Empty;
use factum_wire::proto::streams::read_req::options::all_options::AllOption;
use factum_wire::proto::streams::read_req::options::filter_options::{Expression, Filter, Window};
use factum_wire::proto::streams::read_req::options::stream_options::RevisionOption;
use factum_wire::proto::streams::read_req::options::{CountOption, FilterOption, FilterOptions};
use factum_wire::proto::streams::read_resp::{Content, ReadEvent, read_event};
use factum_wire::proto::streams::{ReadReq, read_req};
use tonic::Code;

use crate::calls::{
    Client, append, at, event, events, follows, of_all, of_stream, read_options, runtime, told, unfiltered,
};
use crate::host::Host;

fn start() -> RevisionOption {
    RevisionOption::Start(Empty {})
}

fn read(name: &str, from: RevisionOption, count: u64) -> ReadReq {
    read_options(of_stream(name, from), CountOption::Count(count), unfiltered(), 1)
}

fn changed(request: ReadReq, change: impl Fn(&mut read_req::Options)) -> ReadReq {
    let mut options = request.options.unwrap();
    change(&mut options);
    ReadReq { options: Some(options) }
}

fn backwards(request: ReadReq) -> ReadReq {
    changed(request, |options| options.read_direction = 1)
}

fn resolving(request: ReadReq) -> ReadReq {
    changed(request, |options| options.resolve_links = true)
}

async fn found(client: &mut Client, request: ReadReq) -> Vec<ReadEvent> {
    let mut answers = client.read(request).await.unwrap().into_inner();
    let mut found = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        if let Some(Content::Event(event)) = answer.content {
            found.push(event);
        }
    }
    found
}

fn data(event: &Option<read_event::RecordedEvent>) -> String {
    String::from_utf8(event.as_ref().unwrap().data.to_vec()).unwrap()
}

#[test]
fn links_are_numbered_read_both_ways_and_end_where_they_end() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "cart-1", &events("A", 2)).await;
        append(&mut client, "order-1", &events("A", 1)).await;
        append(&mut client, "cart-2", &events("B", 2)).await;
        let name = "$ce-cart";
        let of = |numbers: &[u64], last: u64| {
            let events = numbers.iter().map(|number| format!("event {number}"));
            events.chain([format!("last {last}")]).collect::<Vec<_>>()
        };
        assert_eq!(told(&mut client, read(name, start(), 9)).await, of(&[0, 1, 2, 3], 3));
        assert_eq!(told(&mut client, read(name, RevisionOption::Revision(2), 9)).await, of(&[2, 3], 3));
        assert_eq!(told(&mut client, read(name, start(), 2)).await, of(&[0, 1], 3));
        assert_eq!(told(&mut client, read(name, RevisionOption::Revision(7), 9)).await, of(&[], 3));
        let end = || RevisionOption::End(Empty {});
        assert_eq!(told(&mut client, backwards(read(name, end(), 9))).await, of(&[3, 2, 1, 0], 3));
        let from = RevisionOption::Revision(1);
        assert_eq!(told(&mut client, backwards(read(name, from, 9))).await, of(&[1, 0], 3));
        assert_eq!(told(&mut client, read("$ce-none", start(), 9)).await, ["not found"]);
        assert_eq!(told(&mut client, read("$$$ce-cart", start(), 9)).await, ["not found"]);
        assert_eq!(told(&mut client, read("$et-B", start(), 9)).await, of(&[0, 1], 1));
        assert_eq!(told(&mut client, read("$streams", start(), 9)).await, of(&[0, 1, 2], 2));
        assert_eq!(told(&mut client, read("$category-cart", start(), 9)).await, of(&[0, 1], 1));
    });
}

#[test]
fn a_link_says_where_it_leads_and_stands_where_its_event_stands() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "cart-1", &events("A", 1)).await;
        let second = NewEvent::json("A", &serde_json::json!({ "n": 2 })).unwrap();
        let place = append(&mut client, "cart-1", &[second]).await;
        let links = found(&mut client, read("$ce-cart", start(), 9)).await;
        let link = links[1].event.clone().unwrap();
        assert!(links[1].link.is_none());
        assert_eq!((link.stream_revision, link.commit_position), (1, place));
        assert_eq!(data(&links[1].event), "1@cart-1");
        assert_eq!(link.metadata["type"], "$>");
        assert_eq!(link.metadata["content-type"], "application/octet-stream");
        // The same link has the same id, another one has another.
        let again = found(&mut client, read("$ce-cart", start(), 9)).await;
        assert_eq!(again[1].event.as_ref().unwrap().id, link.id);
        assert_ne!(again[0].event.as_ref().unwrap().id, link.id);
        let resolved = found(&mut client, resolving(read("$ce-cart", start(), 9))).await;
        assert_eq!(resolved[1].link.as_ref(), Some(&link));
        assert_eq!(data(&resolved[1].event), "{\"n\":2}");
        assert_eq!(resolved[1].event.as_ref().unwrap().stream_revision, 1);
        assert_eq!(resolved[1].position, Some(read_event::Position::CommitPosition(place)));
        // What can no longer be read keeps its link.
        let hide = NewEvent::json("$metadata", &serde_json::json!({ "$tb": 1 })).unwrap();
        append(&mut client, "$$cart-1", &[hide]).await;
        let resolved = found(&mut client, resolving(read("$ce-cart", start(), 9))).await;
        assert!(resolved[0].event.is_none() && resolved[0].link.is_some());
        assert!(resolved[1].event.is_some());
    });
}

#[test]
fn events_are_found_by_their_correlation() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        let marked = |n: u64, flow: &str| NewEvent {
            metadata: format!("{{\"$correlationId\":\"{flow}\"}}").into(),
            ..NewEvent::json("A", &serde_json::json!({ "n": n })).unwrap()
        };
        append(&mut client, "a", &[marked(0, "x"), event("A"), marked(1, "y")]).await;
        append(&mut client, "b", &[marked(2, "x")]).await;
        let of_x = found(&mut client, resolving(read("$bc-x", start(), 9))).await;
        assert_eq!(
            of_x.iter().map(|event| data(&event.event)).collect::<Vec<_>>(),
            ["{\"n\":0}", "{\"n\":2}"]
        );
        assert_eq!(told(&mut client, read("$bc-z", start(), 9)).await, ["not found"]);
    });
}

#[test]
fn system_streams_are_followed_from_the_past_into_the_present() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "cart-1", &events("A", 3)).await;
        append(&mut client, "other", &events("A", 3)).await;
        let follow = |name: &str, from| read_options(of_stream(name, from), follows(), unfiltered(), 1);
        let mut rows = Vec::new();
        for (name, from, past) in [
            ("$ce-cart", start(), vec!["event 0", "event 1", "event 2"]),
            ("$ce-cart", RevisionOption::Revision(1), vec!["event 2"]),
            ("$ce-cart", RevisionOption::Revision(2), vec![]),
            ("$ce-cart", RevisionOption::Revision(4), vec![]),
            ("$ce-cart", RevisionOption::End(Empty {}), vec![]),
            ("$ce-new", start(), vec![]),
            ("$ce-new", RevisionOption::End(Empty {}), vec![]),
        ] {
            let answers = client.read(follow(name, from)).await.unwrap().into_inner();
            rows.push((format!("{name} {from:?}"), answers, past));
        }
        for (row, answers, past) in &mut rows {
            let mut wanted = vec!["confirmed"];
            wanted.append(past);
            wanted.push("caught up");
            for wanted in wanted {
                let answer = answers.message().await.unwrap().unwrap();
                assert_eq!(crate::calls::short(answer.content.unwrap()), wanted, "{row}");
            }
        }
        append(&mut client, "cart-2", &events("A", 3)).await;
        append(&mut client, "new-1", &events("A", 1)).await;
        for (n, (row, answers, _)) in rows.iter_mut().enumerate() {
            let wanted = match n {
                3 => vec!["event 5"],
                5 | 6 => vec!["event 0"],
                _ => vec!["event 3", "event 4", "event 5"],
            };
            for wanted in wanted {
                let answer = answers.message().await.unwrap().unwrap();
                assert_eq!(crate::calls::short(answer.content.unwrap()), wanted, "{row}");
            }
        }
    });
}

fn index(name: &str) -> FilterOption {
    FilterOption::Filter(FilterOptions {
        filter: Some(Filter::StreamIdentifier(Expression {
            regex: String::new(),
            prefix: vec![name.to_owned()],
        })),
        window: Some(Window::Max(32)),
        checkpoint_interval_multiplier: 1,
    })
}

#[test]
fn the_log_is_read_through_an_index_by_its_name() {
    let host = Host::start();
    runtime().block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "cart-1", &events("A", 2)).await;
        append(&mut client, "order-1", &events("A", 3)).await;
        let last = append(&mut client, "cart-2", &events("B", 2)).await;
        let all =
            |name: &str, from, count| read_options(of_all(from), CountOption::Count(count), index(name), 1);
        let begin = || AllOption::Start(Empty {});
        for (name, count) in
            [("$idx-ce-cart", 4), ("$idx-et-A", 5), ("$idx-et-B", 2), ("$idx-all", 7), ("$idx-ce-none", 0)]
        {
            let found = found(&mut client, all(name, begin(), 99)).await;
            assert_eq!(found.len(), count, "{name}");
            assert!(found.iter().all(|event| event.link.is_none()));
        }
        let back = backwards(all("$idx-ce-cart", AllOption::End(Empty {}), 3));
        let streams: Vec<_> = found(&mut client, back)
            .await
            .into_iter()
            .map(|event| event.event.unwrap().stream_revision)
            .collect();
        assert_eq!(streams, [1, 0, 1]);
        let later = found(&mut client, all("$idx-ce-cart", at(last), 9)).await;
        assert_eq!(later.len(), 1, "forward, the place itself is among what is read");
        let status = client.read(all("$idx-user-x", begin(), 9)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status}");

        // Followed, with checkpoints over what the index passes by.
        let request = read_options(of_all(begin()), follows(), index("$idx-et-B"), 1);
        let mut answers = client.read(request).await.unwrap().into_inner();
        let mut next =
            async || crate::calls::short(answers.message().await.unwrap().unwrap().content.unwrap());
        assert_eq!(next().await, "confirmed");
        assert_eq!([next().await, next().await], ["event 0", "event 1"]);
        let told = next().await;
        assert_eq!(if told.starts_with("checkpoint") { next().await } else { told }, "caught up");
        append(&mut client, "other", &events("Noise", 3_000)).await;
        assert!(next().await.starts_with("checkpoint"));
    });
}
