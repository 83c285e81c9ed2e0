//! Read models that are never late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factum_core::{
    Answers, Append, AppendFuture, Appended, EventStore, Events, MemoryStore, Read, Subscribe,
    SubscribeError, Subscription,
};

use super::*;
use crate::store::StoreOptions;
use crate::view::ViewError;
use crate::{AppendError, Position, ReadError};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Nobody waits for anything.
    #[test]
    fn rows_are_those_of_the_log_after_every_command(history in history()) {
        let port: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let stores = [(); 2].map(|()| Store::over(port.clone(), StoreOptions::default()));
        let balances = stores[0].project(Balances).inline().unwrap();
        for (turn, happened) in history.into_iter().enumerate() {
            // Also what another store over the log has recorded.
            record(&stores[turn % 2], &[happened]);
            if turn % 3 == 0 {
                pollster::block_on(balances.catch_up().into_future()).unwrap();
            }
            prop_assert_eq!(balances.rows().unwrap(), stores[0].view(Balances).run().unwrap().rows());
        }
    }
}

#[test]
fn whoever_was_answered_finds_what_was_recorded_among_many() {
    const EACH: u64 = 50;
    let store = Store::memory();
    let tallies = store.project(Tallies).inline().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let receipt = store.record(deposit("ada", 1)).run().unwrap();
                    // It would be refused if an event came twice.
                    let tally = tallies.get(&"all".to_owned()).unwrap().unwrap();
                    assert!(tally.last_position >= receipt.last_position().unwrap().get());
                }
            });
        }
    });
    assert_eq!(tallies.clone().rows().unwrap()[0].events, 4 * EACH);
}

#[test]
fn an_event_that_cannot_be_projected_is_the_answer_to_every_question() {
    let store = Store::memory();
    let tallies = store.project(Tallies).inline().unwrap();
    store.record([deposit("a", 1), deposit("a", -1), deposit("a", 2)]).run().unwrap();
    for _ in 0..2 {
        let Err(ViewError::Poison(poison)) = tallies.rows() else { panic!("it is refused") };
        assert_eq!((poison.position.get(), poison.reason.contains("less than nothing")), (1, true));
        assert!(tallies.get(&"all".to_owned()).is_err());
    }
    assert!(matches!(store.project(Tallies).inline(), Err(ViewError::Poison(_))));
}

/// Counts the events that are read.
#[derive(Default)]
struct Counting {
    store: MemoryStore,
    reads: AtomicU64,
    events: Arc<AtomicU64>,
}

impl EventStore for Counting {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.store.append(append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        self.store.append_async(append)
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        self.store.append_each(appends)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let events = self.events.clone();
        let counted = self.store.read(read)?.inspect(move |_| {
            events.fetch_add(1, Ordering::Relaxed);
        });
        Ok(Box::new(counted))
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.store.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.store.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.store.last_position()
    }
}

#[test]
fn only_what_came_since_is_read() {
    let port = Arc::new(Counting::default());
    let store = Store::over(port.clone(), StoreOptions::default());
    store.record([deposit("ada", 1), deposit("ada", 2)]).run().unwrap();
    let balances = store.project(Balances).inline().unwrap();
    let read = || (port.reads.load(Ordering::Relaxed), port.events.load(Ordering::Relaxed));
    assert_eq!(read(), (1, 2));
    store.record(visit("ada")).run().unwrap();
    for _ in 0..10 {
        assert_eq!(balances.get(&"ada".into()).unwrap().unwrap().cents, 3);
    }
    assert_eq!(read(), (2, 2), "events of other types are passed over once");
    store.record(deposit("ada", 4)).run().unwrap();
    assert_eq!(balances.rows().unwrap()[0].cents, 7);
    assert_eq!(read(), (3, 3));
}
