//! Indexes: where the events of a stream are.
//!
//! All of them are derived from the log, rebuilt and never patched, and never
//! believed over it: a record found through an index is checked against the
//! name and revision it was looked up by.
//!
//! ```text
//!   heads (all streams, in memory)          hash ─▶ revision, newest segment
//!      │
//!      ▼
//!   live segments (not indexed yet)         record ─▶ the record before it of the
//!      │                                    same stream, or its older segment
//!      ▼
//!   sealed segments (index/NNN.idx)         hash ─▶ offsets, next older segment
//! ```

pub mod live;
pub mod sealed;

/// Offsets of records are kept in units of their alignment, as u32.
pub fn offset_to_units(offset: u64) -> u32 {
    (offset / crate::segment::format::RECORD_ALIGN as u64) as u32
}

/// The offset in bytes.
pub fn units_to_offset(units: u32) -> u64 {
    u64::from(units) * crate::segment::format::RECORD_ALIGN as u64
}
