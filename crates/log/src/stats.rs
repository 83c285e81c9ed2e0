//! What a log can say about itself.

use factum_core::{Position, Timestamp};

/// A summary of an open log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Committed events.
    pub events: u64,
    /// Streams that have an event.
    pub streams: u64,
    /// The last committed position.
    pub last_position: Option<Position>,
    /// When the last event was recorded.
    pub last_recorded_at: Option<Timestamp>,
    /// Committed bytes, with padding.
    pub log_bytes: u64,
    /// Bytes of all files together, with what is reserved ahead.
    pub disk_bytes: u64,
    /// The segments, oldest first.
    pub segments: Vec<SegmentStats>,
}

/// One segment of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentStats {
    /// Its number, from 1.
    pub number: u32,
    /// First position in it; `None` while it is empty.
    pub first_position: Option<Position>,
    /// Committed events in it.
    pub events: u64,
    /// Committed bytes in it.
    pub log_bytes: u64,
    /// Size of its file.
    pub file_bytes: u64,
    /// Whether it is full and has its index.
    pub sealed: bool,
}
