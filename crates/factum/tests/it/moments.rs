//! A moment is one and the same for all parts of a tuple, also while it lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use factum::fold::Folded;
use factum::prelude::*;
use factum::store::StoreOptions;
use factum::{EventStore, Moment, Position, ReadError};
use factum_core::{
    Answers, Append, AppendFuture, Appended, Events, MemoryStore, Read, Selection, Subscribe, SubscribeError,
    Subscription, Until,
};

use crate::domain::{Balance, Load, Seats, deposited, enrol, enrolment, offered};

/// In which somebody records a transfer whenever an account is read.
struct Busy {
    memory: MemoryStore,
    is_open: AtomicBool,
}

impl EventStore for Busy {
    fn append(&self, append: Append) -> Result<Appended, factum::AppendError> {
        self.memory.append(append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        self.memory.append_async(append)
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        self.memory.append_each(appends)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        let is_of_account = matches!(read.selection, Selection::Stream(_));
        let events = EventStore::read(&self.memory, read)?;
        if is_of_account && self.is_open.load(Ordering::Relaxed) {
            for id in ["ada", "bob"] {
                let encoded = deposited(id, 1).encode().unwrap();
                let event = factum_core::NewEvent::new(encoded.event_type, encoded.data);
                let append = Append::to(encoded.stream, factum_core::ExpectedRevision::Any, [event]);
                self.memory.append(append).unwrap();
            }
        }
        Ok(events)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.memory.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.memory.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.memory.last_position()
    }
}

#[test]
fn a_tuple_is_read_at_one_moment_also_if_that_is_not_over() {
    let busy = Arc::new(Busy { memory: MemoryStore::new(), is_open: AtomicBool::new(false) });
    let store = Store::over(busy.clone(), StoreOptions::default());
    store.record([deposited("ada", 1), deposited("bob", 1)]).run().unwrap();
    busy.is_open.store(true, Ordering::Relaxed);
    let never = Timestamp::from_seconds(4_000_000_000);
    for moment in [Moment::Now, never.into(), Position::new(1_000_000).into()] {
        let both = store.load((Balance::of("ada"), Balance::of("bob"))).as_of(moment).run().unwrap();
        assert_eq!(both.0.cents, both.1.cents, "{moment:?}");
        let trace = store.load((Balance::of("ada"), Balance::of("bob"))).as_of(moment).history();
        assert_eq!(trace.run().unwrap().len() % 2, 0, "{moment:?}");
    }
}

#[test]
fn a_position_past_the_end_is_not_taken_for_read() {
    let store = Store::memory();
    store.record(offered("rust", 9)).run().unwrap();
    let model = enrolment("rust", "ann");
    let boundary = model.boundary().unwrap();
    let mut folded: Folded<(Seats, Load)> = Folded::new(model);
    folded.advance(&**store.events(), &boundary, Until::Position(Position::new(1_000))).unwrap();
    assert_eq!((folded.model.0.seats, folded.model.0.taken), (9, 0));
    store.decide(enrolment("rust", "ann"), enrol).run().unwrap();
    folded.advance(&**store.events(), &boundary, Until::Edge).unwrap();
    assert_eq!((folded.model.0.taken, folded.model.1.courses.len()), (1, 1));
}
