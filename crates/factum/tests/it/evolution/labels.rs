use factum::event::Decoded;
use factum::prelude::*;
use serde_json::json;

use super::{data_of, decode, read};

#[derive(Id, Clone, Debug, PartialEq)]
struct ShelfId(String);
#[derive(Id, Clone, Debug, PartialEq)]
struct BookId(u32);
#[derive(Id, Clone, Debug, PartialEq)]
#[id(key = "reader")]
struct PersonId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum ShelfEvents {
    Inspected,
    BooksMoved {
        #[id]
        to: ShelfId,
        #[tag]
        books: Vec<BookId>,
        #[tag]
        from: Option<ShelfId>,
        #[tag]
        by: PersonId,
    },
    #[event(name = "old.name")]
    Renamed {
        #[id]
        id: ShelfId,
    },
    Lent(BookLent),
    Repair(Repair),
}

#[derive(Event, Clone, Debug, PartialEq)]
struct BookLent {
    #[id]
    shelf: ShelfId,
    #[tag]
    book: BookId,
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(prefix = "", category = "workshop")]
enum Repair {
    Begun {
        #[id]
        book: BookId,
    },
    Gone(Lost),
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(category = "losses")]
struct Lost;

fn labels(event: &impl Event) -> (String, String, Vec<String>) {
    let encoded = event.encode().unwrap();
    let tags = encoded.tags.iter().map(ToOwned::to_owned).collect();
    (encoded.event_type.to_string(), encoded.stream.to_string(), tags)
}

#[test]
fn names_streams_and_tags_are_what_one_would_guess() {
    let moved = |books: &[u32], from: Option<&str>| ShelfEvents::BooksMoved {
        to: "s1".into(),
        books: books.iter().copied().map(BookId).collect(),
        from: from.map(ShelfId::from),
        by: "ada".into(),
    };
    let lent = BookLent { shelf: "s1".into(), book: BookId(7) };
    let begun = Repair::Begun { book: BookId(7) };
    let rows: [(ShelfEvents, &str, &str, &[&str]); 7] = [
        (ShelfEvents::Inspected, "ShelfInspected", "shelf", &[]),
        (
            moved(&[1, 2], Some("s0")),
            "ShelfBooksMoved",
            "shelf-s1",
            &["book:1", "book:2", "reader:ada", "shelf:s0", "shelf:s1"],
        ),
        (moved(&[], None), "ShelfBooksMoved", "shelf-s1", &["reader:ada", "shelf:s1"]),
        (ShelfEvents::Renamed { id: "s1".into() }, "old.name", "shelf-s1", &["shelf:s1"]),
        (ShelfEvents::Lent(lent.clone()), "BookLent", "shelf-s1", &["book:7", "shelf:s1"]),
        (ShelfEvents::Repair(begun.clone()), "Begun", "workshop-7", &["book:7"]),
        (ShelfEvents::Repair(Repair::Gone(Lost)), "Lost", "losses", &[]),
    ];
    for (event, event_type, stream, tags) in rows {
        let (found_type, found_stream, mut found_tags) = labels(&event);
        found_tags.sort();
        assert_eq!((found_type.as_str(), found_stream.as_str()), (event_type, stream), "{event:?}");
        assert_eq!(found_tags, tags, "{event:?}");
        assert_eq!(read::<ShelfEvents>(event_type, 1, data_of(&event)), event);
    }
    assert_eq!(labels(&lent).1, "bookLent-s1", "alone it has a category of its own");
    assert_eq!(labels(&begun).1, "workshop-7");
}

#[test]
fn an_empty_id_names_the_stream_that_its_model_reads() {
    #[derive(Aggregate, Clone, Debug)]
    #[folds(ShelfEvents)]
    struct Inspections {
        #[key]
        id: ShelfId,
        events: u32,
    }
    impl Evolve<ShelfEvents> for Inspections {
        fn evolve(&mut self, _: &ShelfEvents) {
            self.events += 1;
        }
    }
    let store = Store::memory();
    store.record(ShelfEvents::Renamed { id: "".into() }).run().unwrap();
    assert_eq!(store.load(Inspections::of("")).run().unwrap().events, 1);
}

#[test]
fn events_without_fields_can_get_some_later() {
    assert_eq!(data_of(&ShelfEvents::Inspected), json!({}));
    assert_eq!(data_of(&Lost), json!({}));
    let more = json!({"by": "ada"});
    assert_eq!(read::<ShelfEvents>("ShelfInspected", 1, more.clone()), ShelfEvents::Inspected);
    assert_eq!(read::<Lost>("Lost", 1, more), Lost);
}

#[test]
fn a_type_of_nobody_is_unknown_through_every_level() {
    for event_type in ["Inspected", "shelfInspected", "ShelfLent", "Repair", ""] {
        assert_eq!(decode::<ShelfEvents>(event_type, 1, &json!({})).unwrap(), Decoded::UnknownType);
    }
}

#[test]
fn shapes_include_those_of_held_events() {
    let shapes = ShelfEvents::shapes();
    let names: Vec<_> = shapes.iter().map(|shape| shape.name).collect();
    assert_eq!(names, ["ShelfInspected", "ShelfBooksMoved", "old.name", "BookLent", "Begun", "Lost"]);
    assert_eq!(shapes[1].tags, ["shelf", "book", "shelf", "reader"]);
    assert!(shapes[1].has_id && !shapes[0].has_id);
}
