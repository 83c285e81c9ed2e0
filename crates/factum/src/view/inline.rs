//! A read model in memory that is never late: whoever asks brings it up to the log
//! first.
//!
//! ```text
//!   rows     ├──────── folded before ────────┤
//!   log      ├───────────────────────────────┼── came since ──┤ now
//!   asked                                    └─ folded first ─┘ then answered
//! ```
//!
//! An append is no slower for it, and it does not matter who appended: this store,
//! another over the same log, or another process. Where nothing came since, nothing
//! is read.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use factum_core::{Position, Query, Read, RecordedEvent, Start, Until};
use parking_lot::RwLock;

use super::fold::{self, Look, Table};
use super::projection::query;
use super::projector::Projecting;
use super::{Poison, Projection, Row, ViewError};
use crate::{ReadError, Store};

/// How many events are folded before their changes are stored.
const BATCH: usize = 1_000;

/// A read model in memory whose rows are those of the log at the moment of each
/// question. Clones share the rows.
///
/// A question that finds an event that cannot be projected is answered with that
/// event: the rows without it would not be those of the log. The next question tries
/// it again.
pub struct InlineView<P: Projection>(Arc<Inner<P>>);

struct Inner<P: Projection> {
    store: Store,
    projection: P,
    query: Query,
    kept: RwLock<Kept<P::Row>>,
}

struct Kept<R> {
    table: Table<R>,
    /// Everything before this is in the rows, or of another type.
    next: Position,
}

/// A read model that is to be brought up to the log: [`run`](Self::run) it, or
/// `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct CatchingUp<P: Projection>(InlineView<P>);

impl<P: Projection> Projecting<P> {
    /// In this process's memory, brought up to the log by whoever asks, so that there
    /// is nothing to wait for after a command. Returns when everything recorded so far
    /// is in the rows.
    pub fn inline(self) -> Result<InlineView<P>, ViewError> {
        let kept = RwLock::new(Kept { table: Table::new(), next: Position::FIRST });
        let Self { store, projection, .. } = self;
        let view = InlineView(Arc::new(Inner { store, projection, query: query::<P>()?, kept }));
        view.catch_up().run()?;
        Ok(view)
    }
}

impl<P: Projection> Clone for InlineView<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Projection> InlineView<P> {
    /// The row with this key. Reads what came since the last question.
    pub fn get(&self, key: &<P::Row as Row>::Key) -> Result<Option<P::Row>, ViewError> {
        let key = P::Row::key_of(key)?;
        self.0.ask(|table| table.get(&key).cloned())
    }

    /// All rows in the order of their keys. Reads what came since the last question.
    pub fn rows(&self) -> Result<Vec<P::Row>, ViewError> {
        self.0.ask(fold::in_order)
    }

    /// Reads what came since the last question, and leaves the next one nothing to
    /// read: where no thread may be kept waiting for a disk or a server, await this
    /// first.
    pub fn catch_up(&self) -> CatchingUp<P> {
        CatchingUp(self.clone())
    }
}

impl<P: Projection> Inner<P> {
    fn ask<T>(&self, answer: impl Fn(&Table<P::Row>) -> T) -> Result<T, ViewError> {
        let end = self.store.events().last_position()?.map_or(Position::FIRST, Position::next);
        {
            let kept = self.kept.read();
            if kept.next >= end {
                return Ok(answer(&kept.table));
            }
        }
        let mut kept = self.kept.write();
        kept.advance(self, end)?;
        Ok(answer(&kept.table))
    }

    fn since(&self, next: Position, last: Position) -> Result<factum_core::Events, ReadError> {
        let read = Read::query(self.query.clone()).from(Start::Position(next));
        self.store.events().read(read.until(Until::Position(last)))
    }
}

impl<R: Row> Kept<R> {
    /// Folds what is before `end` and not in the rows.
    fn advance<P: Projection<Row = R>>(&mut self, view: &Inner<P>, end: Position) -> Result<(), ViewError> {
        // Whoever had the lock before may have been here.
        let Some(last) = end.previous().filter(|last| *last >= self.next) else { return Ok(()) };
        let mut batch = Vec::new();
        for event in view.since(self.next, last)? {
            batch.push(event?);
            if batch.len() == BATCH {
                self.take(&view.projection, &batch)?;
                batch.clear();
            }
        }
        self.take(&view.projection, &batch)?;
        self.next = end;
        Ok(())
    }

    fn take<P: Projection<Row = R>>(
        &mut self,
        projection: &P,
        events: &[RecordedEvent],
    ) -> Result<(), Poison> {
        let folded =
            fold::fold(projection, events, &self.table, Look::AtTheEnd).expect("rows in memory are found");
        fold::store(folded.changes, &mut self.table);
        match folded.poison {
            Some(poison) => {
                self.next = poison.position;
                Err(poison)
            }
            None => {
                self.next = events.last().map_or(self.next, |event| event.position.next());
                Ok(())
            }
        }
    }
}

impl<P: Projection> CatchingUp<P> {
    /// Reads and folds, blocking.
    pub fn run(self) -> Result<(), ViewError> {
        self.0.0.ask(|_| ())
    }
}

impl<P: Projection> IntoFuture for CatchingUp<P> {
    type Output = Result<(), ViewError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}
