//! Snapshots: a folded state put aside, so that a load folds only what came
//! after it.
//!
//! ```text
//!   events      0 ──────────────────── 99,000 ─────── 100,000
//!   without     ├──────────────── folded ────────────────────┤
//!   with                                 ▣├───── folded ─────┤
//! ```
//!
//! Invariants:
//! - The log is the truth. A snapshot is used only if it is whole, was folded
//!   by the same rules from the same boundary, and its anchor, the last event
//!   it looked at, stands in this log at that position. Any other is discarded,
//!   counted, and the state folded from the events.
//! - A load never fails because of a snapshot, a command neither fails nor waits
//!   because one is taken.
//! - Without a policy there are none. The store measures loads and says when a
//!   model should have one: [`Store::advice`](crate::Store::advice).
//!
//! The JSON in a snapshot is compressed with gzip, because any tool opens it:
//! `zcat` shows what is inside.

mod directory;
mod due;
mod format;
mod keeper;
pub mod law;
mod memory;
mod policy;
mod snapshots;
mod stats;
mod store;
mod subject;
mod taking;

pub use directory::DirectorySnapshots;
pub(crate) use due::{Due, Mark};
pub use memory::MemorySnapshots;
pub use policy::{Situation, SnapshotPolicy, Transition};
pub use snapshots::Snapshots;
pub use stats::{Discarded, SnapshotStats};
pub use store::{SnapshotKey, SnapshotStore};
pub use taking::{SnapshotError, SnapshotTaken, Taking};
