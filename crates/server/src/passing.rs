//! Stores for tests that do what another does, but for something.

use factum_core::{
    Answers, Append, AppendError, AppendFuture, Appended, EventStore, Events, Position, Read, ReadError,
    Subscribe, SubscribeError, Subscription,
};

/// What of a store is otherwise. All else is passed on.
pub trait Otherwise: Send + Sync {
    /// The store that does it.
    fn store(&self) -> &dyn EventStore;

    fn append_async(&self, append: &Append) -> AppendFuture {
        self.store().append_async(append)
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        self.store().append_each(appends)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        self.store().read(read)
    }
}

/// Such a store.
#[derive(Default)]
pub struct Passing<S>(pub S);

impl<S: Otherwise> EventStore for Passing<S> {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.0.store().append(append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        self.0.append_async(append)
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        self.0.append_each(appends)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        self.0.read(read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.0.store().count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.0.store().subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.0.store().last_position()
    }
}
