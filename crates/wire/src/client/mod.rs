//! [`RemoteStore`]: the port over a connection to `factum serve`.
//!
//! ```text
//!   callers ──append──► queue ──► one call ─────────────┐
//!                                 (all in flight on it)  ├─► factum.store.v3
//!   callers ──read, subscribe──► a call each ───────────┘
//!            (polled by the caller itself)
//! ```
//!
//! One background thread carries the connections; callers need no runtime and
//! may have one. Appends have a connection of their own, so that no reader,
//! however slow, stands in their way.
//!
//! What holds when a connection breaks:
//!
//! - Appends that were not sent yet wait for the next connection, in order.
//! - Of those that were sent, the ones that the law lets repeat for ever (each
//!   write with events expects `NoStream` or `Exact`) are sent again, before
//!   any later one; their receipts may say `repeated`. The others are answered
//!   [`Unknown`](factum_core::AppendError::Unknown): appending the same ids
//!   again is for the caller to decide. A server that is told to stop says
//!   which appends it has not looked at; those are sent again whatever they are.
//! - Reads that have not begun begin again; one in the middle is an error.
//! - Subscriptions go on after the last position they have told.
//! - All of that for as long as [`RemoteOptions::reconnect_within`] says; then
//!   the answer is [`Unreachable`](factum_core::StorageError::Unreachable).

mod address;
mod appends;
mod background;
mod flight;
mod queue;
mod read;
mod sent;
mod subscription;
mod way;
mod written;

use std::sync::Arc;
use std::time::Duration;

use factum_core::answers::Each;
use factum_core::{
    Answers, Append, AppendError, AppendFuture, Appended, EventStore, Events, Position, Read, ReadError,
    StorageError, Subscribe, SubscribeError, Subscription,
};

use self::background::Background;
pub use address::{Address, AddressError};

/// What a [`RemoteStore`] may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// How long a call goes on trying while the server cannot be reached.
    pub reconnect_within: Duration,
    /// How long a server that is reached may take for one answer.
    pub answer_within: Duration,
    /// How often a silent connection is tried; never if `None`.
    pub keep_alive_every: Option<Duration>,
    /// How long it may be silent then.
    pub keep_alive_within: Duration,
    /// How many bytes of appends may wait before one that asked not to wait is
    /// refused.
    pub queue_bytes_max: u64,
    /// How long to look for the answer of a server that lately answered so soon, before
    /// the thread behind sleeps until it is woken for it: a core takes 30 to 60 µs to
    /// wake up, which a caller who waits for one answer after the other would wait too.
    /// Never if zero, or on a machine of one core.
    pub look_for_answers: Duration,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            reconnect_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(30),
            keep_alive_every: Some(Duration::from_secs(10)),
            keep_alive_within: Duration::from_secs(10),
            queue_bytes_max: 64 * 1024 * 1024,
            look_for_answers: Duration::from_micros(500),
        }
    }
}

/// Why there is no store at an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is none, or asks for what is not there yet.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server does not answer, or not as one.
    #[error(transparent)]
    Server(#[from] StorageError),
    /// The machine has no thread for it.
    #[error("cannot start a thread for the connection")]
    Thread(#[source] std::io::Error),
}

/// An event store that a server has. Clones share its connections; the last
/// one, dropped, waits for the appends that were handed over, as long as the
/// options let it.
#[derive(Clone)]
pub struct RemoteStore(Arc<Background>);

impl RemoteStore {
    /// Connects to what a connection string names, such as
    /// `kurrentdb://127.0.0.1:2113?tls=false`; see [`Address`].
    pub fn connect(url: &str) -> Result<Self, ConnectError> {
        let mut options = RemoteOptions::default();
        let address = Address::parse(url, &mut options)?;
        Self::connect_to(&address, options)
    }

    /// Connects, told more.
    pub fn connect_to(address: &Address, options: RemoteOptions) -> Result<Self, ConnectError> {
        let background = Background::start(address, options)?;
        background.greet()?;
        Ok(Self(Arc::new(background)))
    }
}

impl EventStore for RemoteStore {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        pollster::block_on(self.append_async(&append))
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        self.0.appends().hand_over(append)
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        Box::new(Each::of(appends.map(|append| self.append_async(&append))))
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        read::begin(&self.0, &read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        read::count(&self.0, &read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        subscription::begin(&self.0, subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        read::last_position(&self.0)
    }
}
