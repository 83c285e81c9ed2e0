//! Factum's own protocol: the law of the port, over a real connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use factum_core::{
    Append, AppendError, AppendFuture, Appended, EventStore, Events, MemoryStore, Position, Read, ReadError,
    Subscribe, SubscribeError, Subscription, contract,
};
use factum_log::{Log, LogOptions};
use factum_wire::client::RemoteStore;
use tempfile::TempDir;

use crate::host::Served;

/// A remote store and the server it is at, which ends after it.
struct Remote {
    store: RemoteStore,
    _served: Served,
}

impl Remote {
    fn of(store: Arc<dyn EventStore>) -> Self {
        let served = Served::start(store);
        Self { store: connect(served.address), _served: served }
    }
}

pub fn connect(address: SocketAddr) -> RemoteStore {
    RemoteStore::connect(&format!("factum://{address}?tls=false")).unwrap()
}

impl EventStore for Remote {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.store.append(append)
    }

    fn append_async(&self, append: Append) -> AppendFuture {
        self.store.append_async(append)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        self.store.read(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.store.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.store.last_position()
    }
}

#[test]
fn the_law_holds_over_memory() {
    contract::check(&|| Remote::of(Arc::new(MemoryStore::new())));
}

#[test]
fn the_law_holds_over_the_log() {
    let dir = TempDir::new().unwrap();
    let count = AtomicUsize::new(0);
    contract::check(&|| {
        let small = 17 * 1024 * 1024;
        let options = LogOptions {
            segment_bytes_first: small,
            segment_bytes_max: small,
            zero_segments: false,
            ..LogOptions::default()
        };
        let name = count.fetch_add(1, Ordering::Relaxed).to_string();
        Remote::of(Arc::new(Log::open(&dir.path().join(name), options).unwrap()))
    });
}
