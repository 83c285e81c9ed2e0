//! The embedded event log. (Stand-in over memory while the engine is built.)

pub mod disk;
mod error;
mod options;
mod stats;
pub mod verify;

use std::path::Path;

pub use error::OpenError;
use factum_core::*;
pub use options::{Access, Create, LogOptions, Threads};
pub use stats::{SegmentStats, Stats};

/// The log; clones share it. The last one dropped closes it.
#[derive(Clone)]
pub struct Log(MemoryStore);

impl Log {
    /// Opens, or creates, the store at a directory.
    pub fn open(path: &Path, options: LogOptions) -> Result<Self, OpenError> {
        let _ = path;
        Ok(Self(MemoryStore::with_clock(options.clock)))
    }

    /// Stops accepting appends, writes what waits, and closes the files.
    pub fn close(self) -> Result<(), StorageError> {
        Ok(())
    }

    /// With [`Threads::None`]: commits everything that waits and does the
    /// housekeeping that is due.
    pub fn pump(&self) -> Result<(), StorageError> {
        Ok(())
    }

    /// A summary.
    pub fn stats(&self) -> Stats {
        Stats {
            events: 0,
            streams: 0,
            last_position: None,
            last_recorded_at: None,
            log_bytes: 0,
            disk_bytes: 0,
            segments: Vec::new(),
        }
    }
}

impl EventStore for Log {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.0.append(append)
    }
    fn append_async(&self, append: Append) -> AppendFuture {
        self.0.append_async(append)
    }
    fn read(&self, read: Read) -> Result<Events, ReadError> {
        EventStore::read(&self.0, read)
    }
    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.0.subscribe(subscribe)
    }
    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.0.last_position()
    }
}
