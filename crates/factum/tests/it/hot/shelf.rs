//! The domain of these tests: shelves that things are taken from.

use factum::hot::{Queue, QueueOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShelfId(pub String);

#[derive(Id, Clone, Debug, PartialEq, Eq, Hash)]
pub struct TakerId(pub String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
pub enum Shelf {
    Filled { #[id] id: ShelfId, count: u64 },
    Taken { #[id] id: ShelfId, #[tag] by: TakerId, count: u64 },
    Missed { #[id] id: ShelfId, #[tag] by: TakerId, why: String },
}

/// A stream of its own beside the shelf.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum Bag {
    Packed {
        #[id]
        by: TakerId,
        count: u64,
    },
}

#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Shelf)]
pub struct Left {
    #[key]
    pub id: ShelfId,
    pub left: u64,
    pub taken: u64,
}

impl Evolve<Shelf> for Left {
    fn evolve(&mut self, event: &Shelf) {
        match event {
            Shelf::Filled { count, .. } => self.left += count,
            Shelf::Taken { count, .. } => {
                self.left = self.left.checked_sub(*count).expect("never more than there is");
                self.taken += count;
            }
            Shelf::Missed { .. } => {}
        }
    }
}

impl Left {
    pub fn take(&self, by: &str, count: u64) -> Result<Shelf, &'static str> {
        if count > self.left {
            return Err("not enough left");
        }
        Ok(Shelf::Taken { id: self.id.clone(), by: by.into(), count })
    }
}

/// Waits until so many decisions were made by [`counted`] ones.
pub fn wait_for(count: &Arc<AtomicUsize>, decisions: usize) {
    while count.load(Ordering::SeqCst) < decisions {
        std::thread::yield_now();
    }
}

/// As [`one`], and counts how often it decides.
pub fn counted(
    by: impl Into<String>,
    count: &Arc<AtomicUsize>,
) -> impl FnMut(&Left) -> Result<Shelf, &'static str> + Send + 'static {
    let (mut decide, count) = (one(by), count.clone());
    move |left: &Left| {
        count.fetch_add(1, Ordering::SeqCst);
        decide(left)
    }
}

/// A decision that takes one.
pub fn one(by: impl Into<String>) -> impl FnMut(&Left) -> Result<Shelf, &'static str> + Send + 'static {
    let by = by.into();
    move |left: &Left| left.take(&by, 1)
}

pub fn fill(store: &Store, shelf: &str, count: u64) {
    store.record(Shelf::Filled { id: shelf.into(), count }).run().unwrap();
}

pub fn queue(store: &Store) -> Queue<Left> {
    Queue::start(store, QueueOptions::default()).unwrap()
}

pub fn left(store: &Store, shelf: &str) -> Left {
    store.load(Left::of(shelf)).run().unwrap().model
}

/// Who took something from the shelf, in the order of its stream, with the
/// position of the event.
pub fn takers(store: &Store, shelf: &str) -> Vec<(String, u64)> {
    let stream = factum::StreamName::new(format!("shelf-{shelf}")).unwrap();
    let Ok(events) = store.events().read(factum_core::Read::stream(stream)) else { return Vec::new() };
    let taken = events.map(|event| event.unwrap()).filter(|event| event.event_type.as_str() == "ShelfTaken");
    taken
        .map(|event| {
            let data: serde_json::Value = serde_json::from_slice(&event.data).unwrap();
            (data["by"].as_str().unwrap().to_owned(), event.position.get())
        })
        .collect()
}
