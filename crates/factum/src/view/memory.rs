//! A read model in memory, kept up to date by a projector of this process.

use std::io;
use std::sync::Arc;

use factum_core::Position;
use parking_lot::RwLock;

use super::feed::Batch;
use super::fold::{self, Look, Table};
use super::progress::{Progress, Status, WaitError, Waiting};
use super::projection::query;
use super::projector::{Begin, Projecting, Projector, Sink, Taken, Trouble};
use super::{CellError, Phase, Projection, Reached, Row, ViewError};
use crate::ReadError;

/// A read model in memory. Asking it never replays: rows are there. Dropping it
/// ends it.
pub struct MemoryView<P: Projection> {
    table: Arc<RwLock<Table<P::Row>>>,
    projector: Projector,
}

/// Why a read model cannot be kept in memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryViewError {
    /// It cannot be folded.
    #[error(transparent)]
    View(#[from] ViewError),
    /// It stopped before it had caught up.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The machine has no thread for it.
    #[error("cannot start a thread for {name}")]
    Thread {
        /// The projection.
        name: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl<P: Projection> Projecting<P> {
    /// In this process's memory, on a thread of its own. Returns when everything
    /// recorded so far is in the rows.
    pub fn in_memory(self) -> Result<MemoryView<P>, MemoryViewError> {
        let query = query::<P>().map_err(ViewError::Definition)?;
        let progress = Progress::new(self.store.clone(), P::NAME, P::VERSION);
        let table = Arc::new(RwLock::new(Table::new()));
        let sink = MemorySink {
            projection: self.projection,
            table: Arc::clone(&table),
            next: Position::FIRST,
            has_failed: false,
        };
        let projector = Projector::start(P::NAME, self.store, query, self.batching, progress, sink)
            .map_err(|source| MemoryViewError::Thread { name: P::NAME, source })?;
        let all = projector.progress.wait_for_all().map_err(ViewError::Read)?;
        all.unless_in_trouble().run()?;
        Ok(MemoryView { table, projector })
    }
}

struct MemorySink<P: Projection> {
    projection: P,
    table: Arc<RwLock<Table<P::Row>>>,
    next: Position,
    has_failed: bool,
}

impl<P: Projection> Sink for MemorySink<P> {
    fn begin(&mut self) -> Result<Begin, Trouble> {
        Ok(if self.has_failed { Begin::Wait(Phase::Failed, self.next) } else { Begin::At(self.next) })
    }

    fn take(&mut self, batch: &Batch) -> Result<Option<Taken>, Trouble> {
        // Only this thread writes, so what is read now stays.
        let folded = fold::fold(&self.projection, &batch.events, &*self.table.read(), Look::AtTheEnd)?;
        fold::store(folded.changes, &mut self.table.write());
        self.has_failed = folded.poison.is_some();
        Ok(Some(match folded.poison {
            Some(poison) => {
                self.next = poison.position;
                Taken::Until(poison)
            }
            None => {
                self.next = batch.next;
                Taken::Whole(folded.events)
            }
        }))
    }
}

impl<P: Projection> MemoryView<P> {
    /// The row with this key.
    pub fn get(&self, key: &<P::Row as Row>::Key) -> Result<Option<P::Row>, CellError> {
        let key = P::Row::key_of(key)?;
        Ok(self.table.read().get(&key).cloned())
    }

    /// All rows in the order of their keys.
    pub fn rows(&self) -> Vec<P::Row> {
        fold::in_order(&*self.table.read())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.table.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.read().is_empty()
    }

    /// See [`Progress::wait_for`].
    pub fn wait_for(&self, reached: impl Into<Reached>) -> Waiting {
        self.progress().wait_for(reached)
    }

    /// See [`Progress::status`].
    pub fn status(&self) -> Result<Status, ReadError> {
        self.progress().status()
    }

    /// How far it has come.
    pub fn progress(&self) -> &Progress {
        &self.projector.progress
    }
}
