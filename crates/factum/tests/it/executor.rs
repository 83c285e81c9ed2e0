//! Awaiting a decision never blocks the thread that polls it.

use std::sync::Arc;
use std::thread::{self, ThreadId};

use factum::prelude::*;
use factum::snapshot::{SnapshotPolicy, Snapshots};
use factum::store::StoreOptions;
use factum::{AppendError, EventStore, Position, ReadError, Retry};
use factum_core::{
    Answers, Append, AppendFuture, Appended, Events, MemoryStore, Read, Subscribe, SubscribeError,
    Subscription,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::domain::{Account, AccountId, deposited};

#[derive(Aggregate, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[folds(Account)]
struct Purse {
    #[key]
    id: AccountId,
    events: u64,
}

impl Evolve<Account> for Purse {
    fn evolve(&mut self, _: &Account) {
        self.events += 1;
    }
}

/// Notes what blocks on one thread.
#[derive(Default)]
struct Watched {
    memory: MemoryStore,
    executor: Mutex<Option<ThreadId>>,
    blocked: Mutex<Vec<&'static str>>,
}

impl Watched {
    fn note(&self, what: &'static str) {
        if *self.executor.lock() == Some(thread::current().id()) {
            self.blocked.lock().push(what);
        }
    }
}

impl EventStore for Watched {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.note("append");
        self.memory.append(append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        self.memory.append_async(append)
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        self.memory.append_each(appends)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        self.note("read");
        EventStore::read(&self.memory, read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.memory.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.memory.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.note("last position");
        self.memory.last_position()
    }
}

/// On a thread of its own.
fn record(store: &Store) {
    thread::scope(|scope| {
        scope.spawn(|| store.record(deposited("ada", 1)).run().unwrap()).join().unwrap();
    });
}

type Answer = Result<Receipt, DecideError<&'static str>>;

#[test]
fn nothing_is_read_on_the_thread_that_polls() {
    let watched = Arc::new(Watched::default());
    let snapshots = Snapshots::in_memory().of::<Purse>(SnapshotPolicy::every(1)).at_once();
    let options = || StoreOptions { snapshots: Some(snapshots.clone()), ..StoreOptions::default() };
    let store = Store::over(watched.clone(), options());
    let awaited = |deciding: &dyn Fn() -> Answer, what: &str| {
        *watched.executor.lock() = Some(thread::current().id());
        let answer = deciding();
        *watched.executor.lock() = None;
        assert_eq!(*watched.blocked.lock(), Vec::<&str>::new(), "{what}");
        answer
    };
    let ok = |purse: &Purse| Ok::<_, &str>(Account::Deposited { id: purse.id.clone(), cents: 1 });
    let no = |_: &Purse| Err::<(), _>("no");
    let nothing = |_: &Purse| Ok::<(), &str>(());
    let purse = || Purse::of("ada");
    let wait = |deciding| pollster::block_on(deciding);

    let never_asked = Store::over(watched.clone(), options());
    let done = awaited(&|| wait(never_asked.decide(purse(), nothing).into_future()), "nothing, at first");
    assert!(done.is_ok());
    let done = awaited(&|| wait(store.decide(purse(), ok).idempotency_key("k").into_future()), "cold");
    assert!(done.is_ok());
    assert!(store.snapshot_stats()[0].taken > 0, "a snapshot was due");
    assert!(awaited(&|| wait(store.decide(purse(), ok).into_future()), "warm").is_ok());
    let rejected = awaited(&|| wait(store.decide(purse(), no).into_future()), "rejected, on a warm state");
    assert!(matches!(rejected, Err(DecideError::Rejected("no"))));
    store.decide(purse(), ok).run().unwrap();
    assert!(
        awaited(&|| wait(store.decide(purse(), nothing).into_future()), "nothing, on a warm state").is_ok()
    );
    record(&store);
    assert!(awaited(&|| wait(store.decide(purse(), ok).into_future()), "on an old state").is_ok());
    let again =
        awaited(&|| wait(store.decide(purse(), ok).idempotency_key("k").into_future()), "done before");
    assert!(matches!(again, Err(DecideError::AlreadyDone(_))));
    let other = store.clone();
    let outrun = move |purse: &Purse| {
        record(&other);
        ok(purse)
    };
    let outrun = || {
        let deciding = store.decide(purse(), outrun.clone()).idempotency_key("other");
        wait(deciding.retry(Retry::never()).into_future())
    };
    let gave_up = awaited(&outrun, "outrun");
    assert!(matches!(gave_up, Err(DecideError::Conflict { attempts: 1 })), "{gave_up:?}");
}
