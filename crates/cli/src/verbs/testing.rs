//! A store in memory with a known history, and pages to write answers on.
//!
//! ```text
//!   position  recorded  occurred  stream  revision  type         data
//!   0         00:00:00            cart-1  0         Opened       {"customer":"c1","items":{}}
//!   1         00:00:10            cart-2  0         Opened       {}
//!   2         00:00:20  00:00:05  cart-1  1         ItemAdded    {"items":{"apple":1}}
//!   3         00:00:30            cart-1  2         ItemAdded    {"items":{"apple":2,"pear":1}}
//!   4         00:00:40            cart-1  3         CouponGiven  "TEN"
//!   5         00:00:50            cart-1  4         ItemRemoved  {"items":{"apple":null}}
//! ```
//! on 2026-01-01; the event at position n has id n.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use factum_core::{
    Append, EventStore, ExpectedRevision, ManualClock, MemoryStore, NewEvent, StreamName, Tag, Timestamp,
    Uuid,
};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::format::Format;
use crate::render::Out;

/// A moment of the day the history happens on.
pub fn at(time: &str) -> Timestamp {
    format!("2026-01-01T{time}Z").parse().unwrap()
}

/// A checked name.
pub fn stream(name: &str) -> StreamName {
    StreamName::new(name.to_owned()).unwrap()
}

/// The history above.
pub fn store() -> MemoryStore {
    let clock = Arc::new(ManualClock::at(at("00:00:00")));
    let store = MemoryStore::with_clock(clock.clone());
    let history: [(&str, &str, Value); 6] = [
        ("cart-1", "Opened", json!({"customer": "c1", "items": {}})),
        ("cart-2", "Opened", json!({})),
        ("cart-1", "ItemAdded", json!({"items": {"apple": 1}})),
        ("cart-1", "ItemAdded", json!({"items": {"apple": 2, "pear": 1}})),
        ("cart-1", "CouponGiven", json!("TEN")),
        ("cart-1", "ItemRemoved", json!({"items": {"apple": null}})),
    ];
    for (place, (name, event_type, data)) in history.into_iter().enumerate() {
        let mut event = NewEvent::json(event_type, &data).unwrap().with_id(Uuid::from_u128(place as u128));
        if place == 0 {
            event = event.with_tags([Tag::new("customer:c1").unwrap()]).unwrap();
        }
        if place == 2 {
            event.occurred_at = Some(at("00:00:05"));
        }
        store.append(Append::to(stream(name), ExpectedRevision::Any, [event])).unwrap();
        clock.advance(10_000_000);
    }
    store
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `verb` writes, and how it ends.
pub fn written(
    format: Format,
    verb: impl FnOnce(&mut Out) -> Result<(), Failure>,
) -> (String, Result<(), Failure>) {
    let page = Page::default();
    let done = verb(&mut Out::to(page.clone(), format));
    let bytes = page.0.lock().unwrap().clone();
    (String::from_utf8(bytes).unwrap(), done)
}

/// What `verb` writes, if it does what was asked.
pub fn answer(format: Format, verb: impl FnOnce(&mut Out) -> Result<(), Failure>) -> String {
    let (text, done) = written(format, verb);
    done.unwrap();
    text
}

/// Why `verb` fails: the code's name and the message.
pub fn refusal(verb: impl FnOnce(&mut Out) -> Result<(), Failure>) -> String {
    let failure = written(Format::Text, verb).1.unwrap_err();
    format!("{}: {}", failure.code.name(), failure.chain().join(": "))
}
