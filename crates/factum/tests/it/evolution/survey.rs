use factum::evolution::{conflicts, survey};
use factum::prelude::*;
use serde_json::json;

use super::append;

#[derive(Id, Clone, Debug, PartialEq)]
struct RoomId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Room {
    Booked {
        #[id]
        id: RoomId,
        guest: String,
    },
    #[event(version = 10, upcast(9 = Ok))]
    Left {
        #[id]
        id: RoomId,
    },
    #[event(newer = skip)]
    Cleaned {
        #[id]
        id: RoomId,
    },
}

fn store() -> Store {
    let store = Store::memory();
    let booked = json!({"id": "r", "guest": "Ada"});
    append(&store, "room-r", "RoomBooked", 1, &booked);
    append(&store, "room-r", "RoomBooked", 1, &json!({"id": "r"}));
    append(&store, "room-r", "RoomBooked", 2, &booked);
    append(&store, "room-r", "RoomLeft", 10, &json!({"id": "r"}));
    append(&store, "room-r", "RoomLeft", 9, &json!({"id": "r"}));
    append(&store, "room-r", "RoomCleaned", 3, &json!({}));
    append(&store, "other", "Else", 1, &json!({}));
    store
}

#[test]
fn counts_what_is_there_and_names_what_cannot_be_decoded() {
    let surveyed = survey::<Room>(&store()).run().unwrap();
    assert!(!surveyed.is_readable());
    let unknown: Vec<_> = surveyed.unknown().map(|counted| counted.event_type.as_str()).collect();
    assert_eq!(unknown, ["Else"]);
    assert_eq!(
        surveyed.to_string(),
        "Else version 1: 1 events, of a type unknown here\n\
         RoomBooked version 1: 2 events, 1 of them cannot be decoded\n\
         RoomBooked version 2: 1 events, 1 of them cannot be decoded\n\
         RoomCleaned version 3: 1 events, 1 of them skipped\n\
         RoomLeft version 9: 1 events\n\
         RoomLeft version 10: 1 events\n\
         position 1 (room-r revision 1): RoomBooked version 1: its data does not have the shape of this \
         version: missing field `guest` at line 1 column 10; raise the version and add an upcaster, or give \
         new fields a default\n\
         position 2 (room-r revision 2): RoomBooked version 2: the newest version known here is 1: update \
         this program, or declare `newer = read` or `newer = skip` on the event\n"
    );
}

#[test]
fn can_leave_out_types_it_does_not_know_and_be_awaited() {
    let surveyed =
        pollster::block_on(async { survey::<(Room,)>(&store()).only_known_types().await }).unwrap();
    assert_eq!(surveyed.unknown().count(), 0);
    assert_eq!(surveyed.counted.iter().map(|counted| counted.events).sum::<u64>(), 6);
    assert_eq!(surveyed.unreadable.len(), 2);
}

#[test]
fn an_enum_that_cannot_read_what_another_can_is_found() {
    #[derive(Event, Clone, Debug)]
    #[event(prefix = "Room")]
    enum Billing {
        #[allow(dead_code)]
        Booked { price: u64 },
    }
    let surveyed = survey::<(Room, Billing)>(&store()).run().unwrap();
    assert_eq!(surveyed.unreadable.len(), 3, "the first cannot be read by both");
    let found: Vec<_> = conflicts::<(Room, Billing)>().iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("RoomBooked is stored by "), "{}", found[0]);
    assert!(found[0].ends_with(
        "in different shapes: rename one, by `prefix` or `name`, or let both hold the same struct"
    ));
}

#[derive(Event, Clone, Debug)]
struct Shared {
    #[id]
    id: RoomId,
}

#[derive(Event, Clone, Debug)]
#[allow(dead_code)]
enum First {
    Held(Shared),
}

#[derive(Event, Clone, Debug)]
#[event(category = "first")]
#[allow(dead_code)]
enum SameStream {
    Held(Shared),
}

#[derive(Event, Clone, Debug)]
#[allow(dead_code)]
enum OtherStream {
    Held(Shared),
}

#[derive(Event, Clone, Debug)]
#[allow(dead_code)]
enum Twice {
    #[event(name = "Shared")]
    Own {
        #[id]
        id: RoomId,
    },
    Held(Shared),
}

#[derive(Event, Clone, Debug)]
#[event(name = "Shared", version = 2, upcast(1 = Ok))]
struct Newer {
    #[id]
    id: RoomId,
}

#[derive(Event, Clone, Debug)]
#[event(name = "Shared", version = 3, upcast(1 = Ok, 2 = Ok))]
struct FromFirst {
    #[id]
    id: RoomId,
}

#[derive(Event, Clone, Debug)]
#[event(name = "Shared", version = 3, upcast(2 = Ok))]
struct FromSecond {
    #[id]
    id: RoomId,
}

#[test]
fn conflicts_are_told_apart() {
    let told = |conflicts: Vec<factum::evolution::Conflict>| -> Vec<String> {
        conflicts.iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(conflicts::<(First, SameStream)>()), [""; 0]);
    for (found, words) in [
        (told(conflicts::<(First, OtherStream)>()), "into different streams"),
        (told(conflicts::<Twice>()), "twice"),
        (told(conflicts::<(Shared, Newer)>()), "in different versions"),
        (told(conflicts::<(FromFirst, FromSecond)>()), "back to different versions"),
    ] {
        assert_eq!(found.len(), 1, "{words}: {found:?}");
        assert!(found[0].contains(words), "{}", found[0]);
    }
}
