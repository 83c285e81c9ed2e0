//! Many appends under way at once, in order.
//!
//! One append after the other would wait for the disk each time. A store takes
//! appends in the order they are handed over, so an importer may hand over the
//! next ones before the first is answered, as long as each expects its own
//! stream where the one before leaves it: if one is refused, all that follow
//! are refused too, and nothing is recorded out of order.
//!
//! ```text
//!   hand over ─►  [n+3] [n+2] [n+1] [n]  ─► answers, oldest first
//!                 └ at most 256, or 16 MiB ┘
//! ```

use std::collections::VecDeque;

use factum_core::{Append, AppendError, AppendFuture, Durability, EventStore};

/// Most appends under way.
const APPENDS_MAX: usize = 256;
/// Most bytes of data under way; a single larger append goes alone.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Appends under way; `T` is what the importer wants back if one is refused.
pub struct Pipeline<'s, T> {
    store: &'s dyn EventStore,
    under_way: VecDeque<UnderWay<T>>,
    bytes: usize,
    /// What was answered so far.
    pub done: Done,
}

/// What a pipeline has achieved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Appends answered.
    pub appends: u64,
    /// Events in them.
    pub events: u64,
    /// What the last receipt promised.
    pub durability: Option<Durability>,
}

struct UnderWay<T> {
    about: T,
    bytes: usize,
    events: u64,
    answer: AppendFuture,
}

/// An append that was not accepted, and what became of those after it.
#[derive(Debug)]
pub struct Refused<T> {
    /// What it was about.
    pub about: T,
    /// Why.
    pub error: AppendError,
    /// Those handed over later that were not recorded either, in order.
    pub later: Vec<T>,
}

impl<'s, T> Pipeline<'s, T> {
    /// Nothing under way.
    pub fn new(store: &'s dyn EventStore) -> Self {
        Self { store, under_way: VecDeque::new(), bytes: 0, done: Done::default() }
    }

    /// Hands over one append, waiting for the oldest answers if too much is
    /// under way.
    pub fn append(&mut self, append: Append, about: T) -> Result<(), Box<Refused<T>>> {
        let bytes = bytes_of(&append);
        let events = append.event_count() as u64;
        let mut refused = Ok(());
        while refused.is_ok()
            && !self.under_way.is_empty()
            && (self.under_way.len() >= APPENDS_MAX || self.bytes + bytes > BYTES_MAX)
        {
            refused = self.settle_one();
        }
        if let Err(mut refused) = refused {
            refused.later.push(about);
            return Err(refused);
        }
        let answer = self.store.append_async(&append);
        self.bytes += bytes;
        self.under_way.push_back(UnderWay { about, bytes, events, answer });
        Ok(())
    }

    /// Waits for all answers.
    pub fn finish(&mut self) -> Result<(), Box<Refused<T>>> {
        while !self.under_way.is_empty() {
            self.settle_one()?;
        }
        Ok(())
    }

    fn settle_one(&mut self) -> Result<(), Box<Refused<T>>> {
        let Some(oldest) = self.under_way.pop_front() else { return Ok(()) };
        self.bytes -= oldest.bytes;
        match pollster::block_on(oldest.answer) {
            Ok(appended) => {
                self.done.appends += 1;
                self.done.events += oldest.events;
                self.done.durability = Some(appended.durability);
                Ok(())
            }
            Err(error) => {
                // Every later one expects this one to be there, so it is
                // refused; waiting for that makes sure.
                let mut later = Vec::new();
                for next in std::mem::take(&mut self.under_way) {
                    if pollster::block_on(next.answer).is_err() {
                        later.push(next.about);
                    }
                }
                self.bytes = 0;
                Err(Box::new(Refused { about: oldest.about, error, later }))
            }
        }
    }
}

fn bytes_of(append: &Append) -> usize {
    let events = append.writes.iter().flat_map(|write| &write.events);
    events.map(|event| event.data.len() + event.metadata.len() + 256).sum()
}

#[cfg(test)]
mod tests {
    use factum_core::{ExpectedRevision, MemoryStore, NewEvent, Read, Revision, StreamName};

    use super::*;

    fn step(n: u64) -> Append {
        let expected = match n.checked_sub(1) {
            Some(last) => ExpectedRevision::Exact(Revision::new(last)),
            None => ExpectedRevision::NoStream,
        };
        let event = NewEvent::json("Step", &serde_json::json!(n)).unwrap();
        Append::to(StreamName::new("steps").unwrap(), expected, [event])
    }

    #[test]
    fn keeps_the_order_and_counts() {
        let store = MemoryStore::new();
        let mut pipeline = Pipeline::new(&store);
        for n in 0..1000 {
            pipeline.append(step(n), n).unwrap();
        }
        pipeline.finish().unwrap();
        assert_eq!((pipeline.done.appends, pipeline.done.events), (1000, 1000));
        assert_eq!(EventStore::read(&store, Read::all()).unwrap().count(), 1000);
    }

    #[test]
    fn a_refusal_gives_back_everything_that_was_not_recorded() {
        let store = MemoryStore::new();
        let mut pipeline = Pipeline::new(&store);
        for n in [0, 1, 3, 4, 5] {
            pipeline.append(step(n), n).unwrap();
        }
        let refused = pipeline.finish().unwrap_err();
        assert_eq!((refused.about, refused.later), (3, vec![4, 5]));
        assert!(matches!(refused.error, AppendError::Conflict { .. }), "{}", refused.error);
        assert_eq!(pipeline.done.appends, 2);
        pipeline.append(step(2), 2).unwrap();
        pipeline.finish().unwrap();
    }
}
