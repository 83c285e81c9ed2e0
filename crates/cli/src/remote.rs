//! The server a command line names with `--url`, as a store.
//!
//! Verbs that read or append do to it what they do to a directory. The address
//! is understood, and the server asked, before anything is shown.

#[cfg(feature = "client")]
use factum_core::EventStore;

use crate::failure::Failure;

/// Connects.
#[cfg(feature = "client")]
pub fn connect(url: &str) -> Result<impl EventStore + use<>, Failure> {
    use factum_wire::client::{ConnectError, RemoteStore};

    use crate::exit::Exit;

    RemoteStore::connect(url).map_err(|error| match error {
        ConnectError::Address(error) => Failure::new(Exit::Usage, error),
        ConnectError::Server(error) => error.into(),
        other => Failure::new(Exit::Failure, other),
    })
}

/// Says that there is no client in this program.
#[cfg(not(feature = "client"))]
pub fn connect(_: &str) -> Result<factum_core::MemoryStore, Failure> {
    Err(Failure::new(crate::exit::Exit::Failure, "this program was built without the client")
        .hint("build it with the feature `client`, which is on unless it was turned off"))
}
