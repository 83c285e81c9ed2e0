//! Read models: rows that are folded from events, for questions.
//!
//! A [`Projection`] says which events change which rows. It is written once and
//! runs four ways:
//!
//! ```text
//!                              ┌─ store.view(p)                      folded when asked, as of any moment
//!                              ├─ store.project(p).inline()          kept in this process, never late
//!   Projection: event ─▶ rows ─┼─ store.project(p).in_memory()       kept up to date in this process
//!                              └─ store.project(p).in_database(&d)   kept in a table, with its checkpoint
//! ```
//!
//! What always holds, whichever way:
//! - Events come in the order of the log, each once, and only those of the types
//!   that are projected; the store selects them.
//! - Rows and checkpoint change together or not at all, so the same events give
//!   the same rows whatever was interrupted and repeated on the way.
//! - No event is passed over: one that cannot be projected stops the projection
//!   there, and its status says which event that is and why.
//!
//! What is not here: a bus, a queue, handlers with side effects. A projection
//! may be run again over all of history at any time.

mod cell;
pub mod check;
mod column;
mod each;
mod feed;
mod finite;
mod fold;
pub mod inline;
mod lag;
pub mod live;
pub mod memory;
pub mod progress;
mod projection;
mod projector;
mod row;
mod rows;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod worker;

#[cfg(test)]
mod tests;

pub use cell::{Cell, CellError};
pub use column::{Column, Kind};
pub use each::{Each, StateRow, each};
pub use fold::Poison;
pub use inline::InlineView;
pub use live::{View, ViewError, Viewing};
pub use memory::MemoryView;
pub use progress::{Phase, Progress, Reached, Status, WaitError, Waiting};
pub use projection::{DefinitionError, Projection};
pub use projector::Projecting;
pub use row::{Row, RowKey};
pub use rows::Rows;

use crate::Store;

impl Store {
    /// Folds a read model when it is asked for; nothing is kept. For one that is
    /// small or rarely asked for, and for any moment of the past.
    pub fn view<P: Projection>(&self, projection: P) -> Viewing<P> {
        Viewing::new(self.clone(), projection)
    }

    /// Keeps a read model up to date from here on: [inline](Projecting::inline), which
    /// is never late, [in memory](Projecting::in_memory), or in a database with the
    /// feature `sqlite`.
    pub fn project<P: Projection>(&self, projection: P) -> Projecting<P> {
        Projecting::new(self.clone(), projection)
    }
}
