//! The log as a subject: one thread, one order of operations, and segments so
//! small that a story goes through several.

use std::sync::Arc;

use factum_core::{Clock, StorageError};
use factum_log::disk::Disk;
use factum_log::{Access, Create, Log, LogOptions, OpenError, Threads};

use super::Subject;

const KIB: u64 = 1024;

impl Subject for Log {
    const REWRITES: bool = false;
    type Options = ();

    fn open_on(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, _: &()) -> Result<Self, OpenError> {
        let options = LogOptions {
            // A crash may leave the directory and nothing in it.
            create: Create::IfEmpty,
            access: Access::Append,
            threads: Threads::None,
            segment_bytes_first: 64 * KIB,
            segment_bytes_max: 256 * KIB,
            tail_bytes_max: 64 * KIB,
            clock,
            ..LogOptions::default()
        };
        Log::open_on(disk, options)
    }

    fn pump(&self) -> Result<(), StorageError> {
        Log::pump(self)
    }

    fn close(self) -> Result<(), StorageError> {
        Log::close(self)
    }
}
