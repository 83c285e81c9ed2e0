//! Names and events for the law to work with.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use crate::{
    Append, Bytes, Category, EventStore, EventType, ExpectedRevision, NewEvent, Position, Query, QueryItem,
    RecordedEvent, Revision, Selection, StreamName, Tag, Timestamp,
};

use super::case::Case;

const VALID: &str = "the law's own names are valid";

pub fn stream(text: &str) -> StreamName {
    StreamName::new(text.to_owned()).expect(VALID)
}

pub fn event_type(text: &str) -> EventType {
    EventType::new(text.to_owned()).expect(VALID)
}

pub fn tag(text: &str) -> Tag {
    Tag::new(text.to_owned()).expect(VALID)
}

pub fn event(kind: &str, tags: &[&str]) -> NewEvent {
    NewEvent::new(event_type(kind), "{}").with_tags(tags.iter().map(|text| tag(text))).expect(VALID)
}

/// Plain events that differ only in their ids.
pub fn events(count: u64) -> Vec<NewEvent> {
    (0..count).map(|_| event("Counted", &[])).collect()
}

/// An event whose id and content follow from a text, so that it can be made again.
pub fn known_event(text: &str) -> NewEvent {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes());
    NewEvent::new(event_type("Known"), text.to_owned()).with_id(id)
}

pub fn exact(revision: u64) -> ExpectedRevision {
    ExpectedRevision::Exact(Revision::new(revision))
}

pub fn item(types: &[&str], tags: &[&str]) -> QueryItem {
    QueryItem {
        types: types.iter().map(|text| event_type(text)).collect(),
        tags: tags.iter().map(|text| tag(text)).collect(),
        ..QueryItem::default()
    }
}

/// The same, in streams of these categories.
pub fn item_of(categories: &[&str], item: QueryItem) -> QueryItem {
    let named = categories.iter().map(|text| Category::new((*text).to_owned()).expect(VALID));
    QueryItem { categories: named.collect(), ..item }
}

/// The same, of the first events of their streams.
pub fn first(item: QueryItem) -> QueryItem {
    QueryItem { begins_stream: true, ..item }
}

pub fn query(types: &[&str], tags: &[&str]) -> Query {
    Query::item(item(types, tags))
}

/// The type of what [`fill`] appends.
pub const NOISE: &str = "Noise";

/// Puts `count` events between what was before and what comes after.
pub fn fill(case: &Case, store: &dyn EventStore, count: u64) {
    let mut left = count;
    while left > 0 {
        let now = left.min(500);
        let noise: Vec<_> =
            (0..now).map(|n| event(NOISE, &[["noise:even", "noise:odd"][n as usize % 2]])).collect();
        case.append(store, Append::to(stream("noise"), ExpectedRevision::Any, noise));
        left -= now;
    }
}

/// The streams of [`mixed`], none of them empty.
pub const STREAMS: [&str; 5] = ["cart-1", "cart-10", "cart", "Cart-1", "solo"];

const TYPES: [&str; 5] = ["Opened", "Joined", "Left", "Join", "paid"];

const TAGS: [&[&str]; 6] = [
    &[],
    &["course:c1"],
    &["course:c1", "student:s1"],
    &["course:c10", "Course:c1"],
    &["paid"],
    &["student:s1", "course:c2", "paid"],
];

/// Fills an empty store with some sixty events of several streams, types and
/// tags, in appends of several sizes and at several times, and gives the log
/// that must have come of it.
pub fn mixed(store: &dyn EventStore) -> Vec<RecordedEvent> {
    let case = Case::new("a log is read back in the order it was appended in", "the mixed log");
    let mut expected: Vec<(StreamName, u64, NewEvent)> = Vec::new();
    let mut revisions: HashMap<&str, u64> = HashMap::new();
    let mut made = 0;
    for (round, size) in [1, 3, 2, 4, 1, 1, 5].iter().cycle().take(24).enumerate() {
        let mut streams: Vec<(&str, Vec<NewEvent>)> = Vec::new();
        for _ in 0..*size {
            let name = if made == 17 { "solo" } else { STREAMS[(made * 7 + made / 5) % 4] };
            let new = event(TYPES[(made * made + made / 6) % 5], TAGS[(made * 3 + made / 4) % 6]);
            match streams.iter_mut().find(|(stream, _)| *stream == name) {
                Some((_, events)) => events.push(new),
                None => streams.push((name, vec![new])),
            }
            made += 1;
        }
        let mut append = Append::default();
        for (name, events) in streams {
            for new in &events {
                let revision = revisions.entry(name).or_default();
                expected.push((stream(name), *revision, new.clone()));
                *revision += 1;
            }
            append = append.and_to(stream(name), ExpectedRevision::Any, events);
        }
        case.append(store, append);
        if round % 4 == 3 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let log = case.log(store);
    case.equal("the number of events", &log.len(), &expected.len());
    for (place, (found, (stream, revision, new))) in log.iter().zip(&expected).enumerate() {
        let case = case.row(format_args!("the mixed log, position {place}"));
        case.equal("the position", &found.position, &Position::new(place as u64));
        case.equal("the stream", &found.stream, stream);
        case.equal("the revision", &found.revision, &Revision::new(*revision));
        case.equal("the event", &found.to_new(), new);
    }
    log
}

/// Selections over [`mixed`], broad and narrow.
pub fn selections() -> Vec<(String, Selection)> {
    let queries = [
        ("every event", Query::all()),
        ("an item that names nothing", query(&[], &[])),
        ("one type", query(&["Joined"], &[])),
        ("two types", query(&["Joined", "Left"], &[])),
        ("a type twice", query(&["Left", "Left"], &[])),
        ("a type nothing has", query(&["Joine"], &[])),
        ("a type that is also a tag", query(&["paid"], &[])),
        ("one tag", query(&[], &["course:c1"])),
        ("a tag twice", query(&[], &["course:c1", "course:c1"])),
        ("a tag in another case", query(&[], &["Course:c1"])),
        ("two tags", query(&[], &["course:c1", "student:s1"])),
        ("two tags in another order", query(&[], &["student:s1", "course:c1"])),
        ("two tags no event has together", query(&[], &["course:c1", "course:c2"])),
        ("a tag nothing has", query(&[], &["course:c"])),
        ("a tag that is also a type", query(&[], &["paid"])),
        ("a type and a tag", query(&["Joined"], &["course:c1"])),
        ("two types and two tags", query(&["Opened", "Left"], &["student:s1", "paid"])),
        ("a type, or a tag", query(&["Left"], &[]).or(item(&[], &["paid"]))),
        ("one item, or the same again", query(&["Left"], &[]).or(item(&["Left"], &[]))),
        ("nothing, or a type and a tag", query(&["None"], &[]).or(item(&["Join"], &["course:c1"]))),
        ("a tag, or everything", query(&[], &["paid"]).or(item(&[], &[]))),
        ("one category", Query::item(item_of(&["cart"], item(&[], &[])))),
        ("a category in another case", Query::item(item_of(&["Cart"], item(&[], &[])))),
        ("two categories", Query::item(item_of(&["Cart", "cart"], item(&[], &[])))),
        ("a category nothing is of", Query::item(item_of(&["solo"], item(&[], &[])))),
        ("a whole name as a category", Query::item(item_of(&["cart-1"], item(&[], &[])))),
        ("a category and a type", Query::item(item_of(&["cart"], item(&["Joined", "Left"], &[])))),
        ("a category and a tag", Query::item(item_of(&["cart"], item(&[], &["paid"])))),
        (
            "a category, a type and two tags",
            Query::item(item_of(
                &["cart", "Cart"],
                item(&["Opened", "Left", "Joined"], &["student:s1", "paid"]),
            )),
        ),
        ("a category, or a tag", query(&[], &["paid"]).or(item_of(&["Cart"], item(&[], &[])))),
        ("the first of each stream", Query::beginnings()),
        ("the first of each stream of a category", Query::item(first(item_of(&["cart"], item(&[], &[]))))),
        ("the first ones of a type", Query::item(first(item(&["Opened", "paid"], &[])))),
        ("the first of each stream, or a type", Query::beginnings().or(item(&["Left"], &[]))),
    ];
    let mut selections = vec![("all".to_owned(), Selection::All)];
    selections.extend(STREAMS.map(|name| (format!("stream {name}"), Selection::Stream(stream(name)))));
    selections.extend(queries.map(|(name, query)| (format!("query of {name}"), Selection::Query(query))));
    selections
}

/// Times around those of a log: before, at, between and after its events.
pub fn times(log: &[RecordedEvent]) -> Vec<Timestamp> {
    let at = |place: usize| log[place].recorded_at.as_micros();
    let (middle, last) = (at(log.len() / 2), at(log.len() - 1));
    let around = [i64::MIN, at(0) - 1, at(0), middle - 1, middle, middle + 1, last, last + 1, i64::MAX];
    around.map(Timestamp::from_micros).to_vec()
}

/// Text of any length.
pub fn letters(count: usize) -> Bytes {
    Bytes::from((0..count).map(|n| b'a' + (n % 23) as u8).collect::<Vec<_>>())
}
