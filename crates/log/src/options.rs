//! How a log is opened.

use std::sync::Arc;
use std::time::Duration;

use factum_core::{Clock, SystemClock};

/// Options of [`Log::open`](crate::Log::open). All sizes are in bytes.
#[derive(Clone)]
pub struct LogOptions {
    /// What to do when there is no store yet.
    pub create: Create,
    /// Whether events can be appended.
    pub access: Access,
    /// Who does the work that no caller waits for.
    pub threads: Threads,
    /// Size of a new store's first segment file; each later one is twice as
    /// large until [`Self::segment_bytes_max`]. Written down in the store.
    pub segment_bytes_first: u64,
    /// Size of the largest segment files of a new store.
    pub segment_bytes_max: u64,
    /// How much of what was committed last is kept in memory for readers.
    pub tail_bytes_max: u64,
    /// How much may wait to be written before appends wait or are refused.
    pub queue_bytes_max: u64,
    /// How many of the last events are remembered by id, for repetitions. Half
    /// of them are for certain; less than 20,000 counts as 20,000.
    pub recent_events_max: usize,
    /// How much memory the indexes of sealed segments may take.
    pub index_bytes_max: u64,
    /// Whether prepared segments are written with zeros, which makes every
    /// later flush of a small batch about a third cheaper on ext4.
    pub zero_segments: bool,
    /// For how long an append that is handed over asynchronously may hold up its
    /// caller. If nothing else is going on, and the last flush took no longer than
    /// this, it is written and flushed right there, which saves two changes of
    /// thread; the flush may take longer than the last one. Never, with zero.
    pub async_flush_max: Duration,
    /// Where recorded-at comes from.
    pub clock: Arc<dyn Clock>,
}

/// What to do when there is no store yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// Refuse with [`OpenError::NotFound`](crate::OpenError).
    Never,
    /// Create it where no directory is. A directory that is there but empty is
    /// refused: it may be the mount point of a disk that went away.
    IfAbsent,
    /// Create it where no directory, or an empty one, is.
    IfEmpty,
}

/// Whether events can be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads and appends; one process at a time.
    Append,
    /// Only reads; damage that appending would refuse is tolerated, and what
    /// is whole is served.
    Read,
}

/// Who does the work that no caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The log's own threads: sequencer, writer, housekeeper, resolver.
    Own,
    /// Nobody: appends run in their caller, and whoever awaits one, or calls
    /// [`Log::pump`](crate::Log::pump), does the rest. Makes one order of
    /// operations of one program, which is what a simulation needs.
    None,
}

impl Default for LogOptions {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            create: Create::IfAbsent,
            access: Access::Append,
            threads: Threads::Own,
            segment_bytes_first: 64 * MIB,
            segment_bytes_max: 256 * MIB,
            tail_bytes_max: 64 * MIB,
            queue_bytes_max: 64 * MIB,
            recent_events_max: 1 << 18,
            index_bytes_max: 256 * MIB,
            zero_segments: true,
            async_flush_max: Duration::ZERO,
            clock: Arc::new(SystemClock),
        }
    }
}
