//! Indexes: where the events of a stream are, and those a query wants.
//!
//! All of them are derived from the log, rebuilt and never patched, and never
//! believed over it: a record found through an index is checked against the
//! name and revision, or the query, it was looked up by.
//!
//! ```text
//!   heads (all streams, in memory)          hash ─▶ revision, newest segment
//!      │
//!      ▼
//!   live segments (not indexed yet)         record ─▶ the record before it of the
//!      │                                    same stream, or its older segment
//!      │                                    key ─▶ ordinals of its records
//!      ▼
//!   sealed segments (index/NNN.idx)         stream ─▶ ordinals, next older segment
//!                                           key ─▶ ordinals; ordinal ─▶ offset
//! ```
//!
//! A key is a category, a type, a tag, or being the first event of a stream;
//! see [`keys`]. There is nothing about keys that outlives a segment, so that
//! memory does not grow with how many there are: a question is put to one
//! segment after another.
//!
//! Memory: for each stream ever, its head, 48 bytes; for each event of the at
//! most three live segments 36 bytes, 16 for each of its keys, and, once a query
//! or a condition has asked, 4 for each of its keys and 72 for each different
//! one; as much once more as one segment had, for the next to grow into; of the
//! sealed ones as much as [`index_bytes_max`](crate::LogOptions::index_bytes_max),
//! and only of those that somebody reads.

pub mod build;
pub mod keys;
pub mod live;
pub mod pieces;
pub mod postings;
pub mod sealed;
pub mod search;

/// Offsets of records are kept in units of their alignment, as u32.
pub fn offset_to_units(offset: u64) -> u32 {
    (offset / crate::segment::format::RECORD_ALIGN as u64) as u32
}

/// The offset in bytes.
pub fn units_to_offset(units: u32) -> u64 {
    u64::from(units) * crate::segment::format::RECORD_ALIGN as u64
}
