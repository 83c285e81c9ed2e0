//! A store that fails on purpose.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use factum::store::StoreOptions;
use factum::{AppendError, EventStore, Position, ReadError, Store};
use factum_core::{
    Append, AppendFuture, Appended, Events, MemoryStore, Read, StorageError, Subscribe, SubscribeError,
    Subscription,
};
use parking_lot::Mutex;

/// What happens to one append.
pub enum Fault {
    None,
    /// Judged at once, answered later.
    Slow(Duration),
    /// The disk is full.
    Full,
    /// Refused after a while.
    FullLater(Duration),
    /// It is not recorded, and nobody is told so.
    UnknownNotRecorded,
    /// It is recorded, and nobody is told so.
    UnknownRecorded,
    /// Somebody else appends right before it; it is answered after a while.
    Outrun(Append, Duration),
    /// The store panics.
    Panic,
}

/// The store in memory, with one fault for each append that is handed over by
/// `append_async`, and none after the last.
#[derive(Clone)]
pub struct Faulty(Arc<Inner>);

struct Inner {
    memory: MemoryStore,
    faults: Mutex<VecDeque<Fault>>,
    appends: Mutex<usize>,
}

impl Faulty {
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        let faults = Mutex::new(faults.into_iter().collect());
        Self(Arc::new(Inner { memory: MemoryStore::new(), faults, appends: Mutex::new(0) }))
    }

    pub fn store(&self) -> Store {
        Store::over(Arc::new(self.clone()), StoreOptions::default())
    }

    /// How many were handed over, in either way.
    pub fn appends(&self) -> usize {
        *self.0.appends.lock()
    }
}

fn unknown() -> AppendError {
    AppendError::Unknown(StorageError::Closed)
}

fn full() -> AppendError {
    AppendError::Storage(StorageError::DiskFull { file: "segment".into() })
}

impl EventStore for Faulty {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        *self.0.appends.lock() += 1;
        self.0.memory.append(append)
    }

    fn append_async(&self, append: Append) -> AppendFuture {
        *self.0.appends.lock() += 1;
        let fault = self.0.faults.lock().pop_front().unwrap_or(Fault::None);
        let memory = &self.0.memory;
        let (answer, pause) = match fault {
            Fault::None => (memory.append(append), Duration::ZERO),
            Fault::Slow(pause) => (memory.append(append), pause),
            Fault::Full => (Err(full()), Duration::ZERO),
            Fault::FullLater(pause) => (Err(full()), pause),
            Fault::UnknownNotRecorded => (Err(unknown()), Duration::ZERO),
            Fault::UnknownRecorded => {
                // What was recorded, if the append was good.
                let answer = memory.append(append).and(Err(unknown()));
                (answer, Duration::ZERO)
            }
            Fault::Outrun(outsider, pause) => {
                memory.append(outsider).unwrap();
                (memory.append(append), pause)
            }
            Fault::Panic => panic!("the store panics"),
        };
        Box::pin(async move {
            if !pause.is_zero() {
                futures_timer::Delay::new(pause).await;
            }
            answer
        })
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        EventStore::read(&self.0.memory, read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.0.memory.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.0.memory.last_position()
    }
}
