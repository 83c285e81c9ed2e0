//! The port: what every event store can do.

use std::future::Future;
use std::pin::Pin;

use crate::{
    Answers, Append, AppendError, Appended, Events, Position, Read, ReadError, RecordedEvent, Revision,
    Start, StreamName, Subscribe, SubscribeError, Subscription,
};

/// An append under way.
pub type AppendFuture = Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + Send>>;

/// An event store: one ordered log, appended to atomically, read and followed.
///
/// Its law is written as tests in the module `contract` (feature `contract`);
/// every implementation runs them. Nothing has a default, so that no wrapper is
/// silently wrong; sugar is in [`EventStoreExt`].
///
/// Promises:
/// - an append is recorded whole or not at all, and its events stand next to
///   one another;
/// - an answered append is as durable as its receipt says;
/// - readers and subscribers see only what was answered or may be: the
///   committed prefix of the log, never a hole in it and never an event that
///   later disappears;
/// - a conflict is answered only when what it conflicts with is committed;
/// - appends handed over one after another are judged in that order, each
///   against what the ones before it leave, so that one may build on the
///   revision of another still in flight.
pub trait EventStore: Send + Sync {
    /// Records all of an append's events or none. Blocks until it is answered.
    ///
    /// The same event ids appended again to the same streams are answered with
    /// the first receipt ([`Appended::repeated`]). With
    /// [`ExpectedRevision::NoStream`](crate::ExpectedRevision) or `Exact` that
    /// holds for ever; with `Any` and `Exists` for as long as the store
    /// remembers ids, which it must for at least the last 10,000 events.
    fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// The same, as a future. The append is handed over by this call, not by
    /// the first poll; dropping the future gives up the answer, not the append.
    ///
    /// It is lent: who awaits an answer usually keeps what was asked, to ask again
    /// when the outcome is unknown, or to fold it once it is known.
    fn append_async(&self, append: &Append) -> AppendFuture;

    /// The same of several, one after another, each for itself: what
    /// [`EventStore::append_async`] would do with each in turn. A store that takes many at
    /// once does it for less; one that does not makes it of the futures, with
    /// [`Each::of`](crate::answers::Each::of).
    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers>;

    /// The committed events a read asks for.
    fn read(&self, read: Read) -> Result<Events, ReadError>;

    /// How many events [`EventStore::read`] would yield for this, and fails as
    /// it would. A store with an index answers without reading them.
    fn count(&self, read: Read) -> Result<u64, ReadError>;

    /// Past events of a selection, then live ones.
    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError>;

    /// The last committed position; `None` while the log is empty.
    fn last_position(&self) -> Result<Option<Position>, ReadError>;
}

/// Sugar over [`EventStore`].
pub trait EventStoreExt: EventStore {
    /// The last revision of a stream; `None` if it has no event.
    fn last_revision(&self, stream: &StreamName) -> Result<Option<Revision>, ReadError> {
        Ok(self.last_event(stream)?.map(|event| event.revision))
    }

    /// The last event of a stream; `None` if it has none.
    fn last_event(&self, stream: &StreamName) -> Result<Option<RecordedEvent>, ReadError> {
        match self.read(Read::stream(stream.clone()).backward().limit(1)) {
            Ok(mut events) => events.next().transpose(),
            Err(ReadError::StreamNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The event at a position; `None` if the log is shorter.
    fn event_at(&self, position: Position) -> Result<Option<RecordedEvent>, ReadError> {
        self.read(Read::all().from(Start::Position(position)).limit(1))?.next().transpose()
    }
}

impl<S: EventStore + ?Sized> EventStoreExt for S {}
