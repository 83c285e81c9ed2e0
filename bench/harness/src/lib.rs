//! The canonical workload and its measurements.
//!
//! Every number is printed beside its limit: the raw disk's own figure, taken
//! under the same directory immediately before and after, of which the
//! stricter one counts ([`disk`]). Every number states the durability the
//! receipts named, the machine and the commit ([`outcome`]). And no number is
//! printed of a store that turned out wrong: each workload checks that what
//! was acknowledged is there.
//!
//! ```text
//!   raw disk ── store: warm-up ── measured ── raw disk
//!    1 + 1 s            1 s          5 s       1 + 1 s
//! ```
//!
//! One file for each workload ([`append`], [`replay`], [`read`],
//! [`subscribe`], [`reopen`]), which work on any [`EventStore`] and know
//! nothing of disks; [`Bench`] puts a fresh store, the probes and a workload
//! together; [`table`] judges all of them against the targets, and [`page`]
//! writes that down.
//!
//! [`EventStore`]: factum_core::EventStore

pub mod append;
pub mod bench;
pub mod disk;
pub mod drive;
mod error;
pub mod fill;
pub mod latency;
pub mod machine;
pub mod memory;
pub mod outcome;
pub mod page;
pub mod read;
pub mod reopen;
pub mod replay;
pub mod scratch;
pub mod sdk;
pub mod subscribe;
pub mod table;
pub mod workload;

pub use bench::{Bench, BenchOptions};
pub use error::BenchError;
pub use machine::Machine;
pub use outcome::Outcome;
pub use table::{Row, Table};
