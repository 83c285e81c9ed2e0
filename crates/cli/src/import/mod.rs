//! Bringing what happened elsewhere into a store.
//!
//! ```text
//!   source ─► one append per unit ─► pipeline (many under way, in order) ─► store
//!               │                                                            │
//!               └── expects its own stream exactly where the unit before ────┘
//!                   left it: `commits` for git, `$import-NAME` for lines
//! ```
//!
//! Invariants of every importer:
//! - A unit (a commit, a batch of lines) is one atomic append that also moves
//!   the importer's own stream by one. So the store itself knows how far an
//!   import came: after a kill at any moment, running it again continues with
//!   the next unit, nothing twice and nothing missing.
//! - A finished import run again reads the source and appends nothing.
//! - What the store remembers is compared with the source before continuing; a
//!   source that tells another story than before is refused, never mixed in.
//! - Memory does not grow with the source: it is streamed, and the appends
//!   under way are bounded in number and bytes.

pub mod command;
#[cfg(test)]
pub mod faulty;
pub mod git;
pub mod jsonl;
pub mod meter;
pub mod pipeline;
