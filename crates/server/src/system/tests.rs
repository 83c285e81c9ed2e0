//! Which names are system streams, what they link to, and how links are numbered.

use std::time::Duration;

use factum_core::{
    Append, Direction, EventStore, ExpectedRevision, MemoryStore, NewEvent, Revision, Signal, StreamName,
    Subscription, Timestamp,
};
use factum_wire::Failure;
use factum_wire::read::From;

use super::name::{SystemStream, refuse_change};
use super::source::Source;
use crate::rules::clients_view::View;
use crate::rules::named::Named;

fn name(text: &str) -> StreamName {
    StreamName::new(text.to_owned()).unwrap()
}

fn source(text: &str) -> Source {
    Source::new(name(text)).unwrap()
}

fn put(store: &MemoryStore, stream: &str, kinds: &[&str]) {
    let events = kinds.iter().map(|kind| NewEvent::json(kind, &().into()).unwrap());
    store.append(Append::to(name(stream), ExpectedRevision::Any, events)).unwrap();
}

/// Six events in three streams that clients write, and one that they do not.
fn store() -> MemoryStore {
    let store = MemoryStore::new();
    put(&store, "cart-1", &["Opened", "Added"]);
    put(&store, "order-1", &["Opened"]);
    put(&store, "cart-2", &["Opened", "Added"]);
    put(&store, "plain", &["Added", "$>"]);
    put(&store, "$settings-1", &["Opened"]);
    store
}

fn links(store: &MemoryStore, stream: &str, direction: Direction) -> Vec<String> {
    let source = source(stream);
    let View::Range { first, last } = source.view(store, Timestamp::MIN).unwrap() else { return Vec::new() };
    let events = source.read(store, first, last, direction, u64::MAX).unwrap();
    events
        .map(|event| {
            let event = event.unwrap();
            assert_eq!((event.stream.as_str(), event.event_type.as_str()), (stream, "$>"));
            format!("{}: {}", event.revision, std::str::from_utf8(&event.data).unwrap())
        })
        .collect()
}

#[test]
fn names_select_what_they_say() {
    let store = store();
    let rows: [(&str, &[&str]); 14] = [
        ("$ce-cart", &["0: 0@cart-1", "1: 1@cart-1", "2: 0@cart-2", "3: 1@cart-2"]),
        ("$ce-order", &["0: 0@order-1"]),
        ("$ce-plain", &[]),
        ("$ce-cart-1", &[]),
        ("$ce-$settings", &[]),
        ("$ce-", &[]),
        ("$category-cart", &["0: 0@cart-1", "1: 0@cart-2"]),
        ("$et-Added", &["0: 1@cart-1", "1: 1@cart-2", "2: 0@plain"]),
        ("$et-Opened", &["0: 0@cart-1", "1: 0@order-1", "2: 0@cart-2", "3: 0@$settings-1"]),
        ("$et-None", &[]),
        ("$et-$>", &[]),
        ("$bc-x", &[]),
        ("$bc-", &[]),
        ("$streams", &["0: 0@cart-1", "1: 0@order-1", "2: 0@cart-2", "3: 0@plain", "4: 0@$settings-1"]),
    ];
    for (stream, forward) in rows {
        assert!(matches!(source(stream), Source::System(_)), "{stream}");
        assert_eq!(links(&store, stream, Direction::Forward), forward, "{stream}");
        let backward: Vec<&str> = forward.iter().rev().copied().collect();
        assert_eq!(links(&store, stream, Direction::Backward), backward, "{stream}");
        let view = source(stream).view(&store, Timestamp::MIN).unwrap();
        let wanted = match Revision::new(forward.len() as u64).previous() {
            Some(last) => View::Range { first: Revision::FIRST, last },
            None => View::NotFound { next: Revision::FIRST },
        };
        assert_eq!(view, wanted, "{stream}");
    }
    for own in ["cart-1", "$settings", "$ce", "$cecart", "$et", "$stream", "$$ce-cart", "$$$ce-cart", "ce-a"]
    {
        assert!(matches!(source(own), Source::Own(_)), "{own}");
        assert_eq!(SystemStream::of(&name(own)), None);
    }
}

/// Of a group that reads a system stream; it is none itself.
const CHECKPOINT: &str = "$persistentsubscription-$ce-x::g-checkpoint";

#[test]
fn nothing_is_written_to_them() {
    let refused = [
        "$ce-cart",
        "$$$ce-cart",
        "$et-A",
        "$bc-1",
        "$streams",
        "$$$streams",
        "$category-x",
        "$ce-",
        "$server",
    ];
    for stream in refused {
        let refusal = refuse_change(&Named::new(name(stream)).unwrap()).unwrap_err();
        assert!(
            matches!(&refusal, Failure::AccessDenied(what) if what.contains("cannot be written")),
            "{stream}"
        );
    }
    let allowed = ["cart-1", "$settings", "$$cart-1", "$stream", "$$$server", "$server-1", CHECKPOINT];
    for stream in allowed {
        assert_eq!(refuse_change(&Named::new(name(stream)).unwrap()), Ok(()), "{stream}");
    }
}

/// What comes at once: numbers of links, and `live`.
fn told(following: &mut dyn Subscription) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(signal) = following.next_within(Duration::ZERO).unwrap() {
        match signal {
            Signal::Event(link) => told.push(format!("{}@{}", link.revision, link.position)),
            Signal::CaughtUp(_) => told.push("live".to_owned()),
            Signal::Checkpoint(_) | Signal::FellBehind { .. } => {}
        }
    }
    told
}

#[test]
fn followed_from_anywhere_links_keep_their_numbers() {
    let rows: [(From, &[&str], &[&str]); 6] = [
        (From::Start, &["0@0", "1@1", "2@3", "3@4", "live"], &["4@9", "5@10"]),
        (From::Revision(Revision::new(0)), &["1@1", "2@3", "3@4", "live"], &["4@9", "5@10"]),
        (From::Revision(Revision::new(3)), &["live"], &["4@9", "5@10"]),
        (From::Revision(Revision::new(4)), &["live"], &["5@10"]),
        (From::Revision(Revision::new(9)), &["live"], &[]),
        (From::End, &["live"], &["4@9", "5@10"]),
    ];
    for (from, past, later) in rows {
        let store = store();
        let mut following = source("$ce-cart").follow(&store, from, Revision::FIRST).unwrap();
        // What is appended before the first look comes once, and under its number.
        assert_eq!(told(&mut *following), past, "{from:?}");
        put(&store, "other", &["Opened"]);
        put(&store, "cart-3", &["Opened", "Added"]);
        assert_eq!(told(&mut *following), later, "{from:?}");
    }
    for stream in ["$ce-new", "$bc-"] {
        let store = MemoryStore::new();
        let mut following = source(stream).follow(&store, From::End, Revision::FIRST).unwrap();
        assert_eq!(told(&mut *following), ["live"], "{stream}");
        put(&store, "new-1", &["Opened"]);
        let wanted: &[&str] = if stream == "$bc-" { &[] } else { &["0@0"] };
        assert_eq!(told(&mut *following), wanted, "{stream}");
    }
}

#[test]
fn parts_of_them_are_read_both_ways() {
    let store = store();
    let numbers = |first, last, direction, limit| -> Vec<u64> {
        let (first, last) = (Revision::new(first), Revision::new(last));
        let events = source("$ce-cart").read(&store, first, last, direction, limit).unwrap();
        events.map(|event| event.unwrap().revision.get()).collect()
    };
    assert_eq!(numbers(1, 2, Direction::Forward, 9), [1, 2]);
    assert_eq!(numbers(1, 3, Direction::Forward, 2), [1, 2]);
    assert_eq!(numbers(1, 2, Direction::Backward, 9), [2, 1]);
    assert_eq!(numbers(0, 3, Direction::Backward, 2), [3, 2]);
}
