//! Read models in SQLite: real tables, for SQL, joins and every tool there is.
//!
//! ```text
//!   balances            a view: the version that is active
//!     └─ balances_v2    a view: the rows of version 2
//!         └─ balances_v2_1    the table, 1 more after each rebuild
//!   balances_v1 ...     the version before, as it was left
//!
//!   factum_projection   for each version: checkpoint, who runs it, what it is doing
//!   factum_rebuild      for each version: the rebuild under way, or the last one
//! ```
//!
//! What always holds:
//! - Rows and checkpoint are written in one transaction: every event takes effect
//!   once, whatever is killed when.
//! - A checkpoint names the last event that was looked at. A log that does not have
//!   it is another one, and nothing is projected from it.
//! - Each write checks the epoch its runner was given. Whoever was superseded
//!   writes nothing more, however late it wakes up.
//! - A rebuild fills a table beside the one in use. They change places in one
//!   transaction, at a checkpoint no smaller than that of the one in use.
//! - Whatever is asked from outside (pause, resume, rebuild) is written into the
//!   tables above, and heeded by whoever runs the projection.

mod anchor;
mod control;
mod database;
mod rebuild;
mod register;
mod schema;
mod sink;
mod table;
mod view;

#[cfg(test)]
mod tests;

pub use control::{Control, ControlError, ProjectionStatus, RebuildState, RebuildStatus, Removal};
pub use database::{Database, DatabaseError};
pub use rusqlite;
pub use view::{DatabaseView, InDatabaseError, ReadRowsError};
