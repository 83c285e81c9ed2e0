//! A store that is killed, for tests: takes some appends, then no more.

use std::sync::atomic::{AtomicU64, Ordering};

use factum_core::answers::Each;
use factum_core::{
    Answers, Append, AppendError, AppendFuture, Appended, EventStore, Events, MemoryStore, Position, Read,
    ReadError, StorageError, Subscribe, SubscribeError, Subscription,
};

/// A store in memory that fails after a number of appends.
pub struct Faulty {
    /// What survives.
    pub inner: MemoryStore,
    left: AtomicU64,
    /// Whether the append at which it fails is recorded all the same, as when
    /// the machine goes down between the flush and the answer.
    records_last: bool,
}

impl Faulty {
    /// Takes `appends` of them.
    pub fn after(appends: u64, records_last: bool) -> Self {
        Self { inner: MemoryStore::new(), left: AtomicU64::new(appends), records_last }
    }
}

impl EventStore for Faulty {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(1) if self.records_last => {
                self.inner.append(append)?;
                Err(AppendError::Unknown(StorageError::Closed))
            }
            Ok(_) => self.inner.append(append),
            Err(_) => Err(AppendError::Storage(StorageError::Closed)),
        }
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        Box::pin(std::future::ready(self.append(append.clone())))
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        Box::new(Each::of(appends.map(|append| self.append_async(&append))))
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        EventStore::read(&self.inner, read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.inner.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.inner.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.inner.last_position()
    }
}

/// Everything two imports must have alike: all but the time of recording, and
/// the ids of events whose ids mean nothing.
pub fn facts(store: &dyn EventStore) -> Vec<String> {
    let events = store.read(Read::all()).unwrap();
    events
        .map(|event| {
            let event = event.unwrap();
            format!(
                "{} {:?}@{} {} {:?} {:?} {:?} {:?} {}",
                event.id,
                event.stream,
                event.revision,
                event.event_type,
                event.tags,
                event.occurred_at,
                event.correlation_id,
                event.causation_id,
                String::from_utf8_lossy(&event.data)
            )
        })
        .collect()
}
