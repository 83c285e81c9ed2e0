//! Connections: how many there may be, so that nobody can take all the files a
//! process may have open.
//!
//! ```text
//!   a client connects ─► there is a place ─► it is served, and leaves its place
//!                          │                 when the connection is gone
//!                          └── none: closed at once; whoever is connected
//!                              notices nothing
//! ```

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many there may be. Half of the 1,024 files that a process may usually
/// have open, so that the other half is left for the store.
const CONNECTIONS_MAX: usize = 512;

/// Places for connections. Clones share them.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Semaphore>);

/// A connection's place, free again when this is dropped.
#[derive(Debug)]
pub struct Place(#[allow(dead_code, reason = "held, and never looked at")] OwnedSemaphorePermit);

impl Default for Connections {
    fn default() -> Self {
        Self::of(CONNECTIONS_MAX)
    }
}

impl Connections {
    /// So many places.
    pub fn of(connections_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(connections_max)))
    }

    /// A place, if one is free.
    pub fn place(&self) -> Option<Place> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(Place)
    }
}
