//! What every server is asked for, through its own client.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use crate::failure::Failure;
use crate::servers::stamp::Stamp;

/// An event that a subscriber was given, and when.
pub type Delivered = (Stamp, Instant);

/// One connection to a server.
pub trait Client: Send + Sync + Sized + 'static {
    /// Connects to the server at a port of this machine, and makes what it
    /// needs there if it is not there yet.
    fn connect(port: u16) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Appends one event to its stream, with the guard the server has for it:
    /// that the stream's last event is the one before. `after` is what was
    /// answered to that one's append.
    fn append(&self, event: Stamp, after: Option<u64>) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Appends events that follow each other in one stream, in the quickest way
    /// there is.
    fn fill(&self, events: &[Stamp]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Reads all events there are, in the order the server has for them, and
    /// shows the data of each.
    fn read_all(
        &self,
        see: &mut (dyn FnMut(&[u8]) + Send),
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Gives every event appended from now on, until it is dropped.
    fn follow(
        self: Arc<Self>,
        heard: UnboundedSender<Delivered>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Passes an event on to whoever measures; `false` if nobody does any more.
pub fn pass_on(heard: &UnboundedSender<Delivered>, payload: &[u8]) -> Result<bool, Failure> {
    let now = Instant::now();
    Ok(heard.send((Stamp::of(payload)?, now)).is_ok())
}
