//! A read model on demand: folded when it is asked for, as of any moment.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use factum_core::{Position, Read, ReadError, RecordedEvent, Until};

use super::fold::{self, Look, Table};
use super::projection::query;
use super::{CellError, DefinitionError, Poison, Projection, Row};
use crate::{Moment, Store};

/// How many events are folded before their changes are stored.
const BATCH: usize = 1_000;

/// A read model to be folded: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Viewing<P> {
    store: Store,
    projection: P,
    moment: Moment,
}

/// Rows as they were at one moment.
#[derive(Debug, Clone)]
pub struct View<R> {
    table: Table<R>,
    /// Position of the last event that was projected.
    pub position: Option<Position>,
    /// How many events were.
    pub events: u64,
}

/// Why a read model cannot be folded.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The projection is not well defined.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event cannot be projected.
    #[error(transparent)]
    Poison(#[from] Poison),
    /// What is asked for can be no key.
    #[error(transparent)]
    Key(#[from] CellError),
}

impl<P: Projection> Viewing<P> {
    pub(crate) fn new(store: Store, projection: P) -> Self {
        Self { store, projection, moment: Moment::Now }
    }

    /// As it was at a position or a time.
    pub fn as_of(self, moment: impl Into<Moment>) -> Self {
        Self { moment: moment.into(), ..self }
    }

    /// Reads and folds.
    pub fn run(self) -> Result<View<P::Row>, ViewError> {
        let until = match self.moment {
            Moment::Position(position) => Until::Position(position),
            Moment::Revision(revision) => Until::Revision(revision),
            Moment::Time(time) => Until::Time(time),
            Moment::Now => Until::Edge,
        };
        let mut view = View { table: Table::new(), position: None, events: 0 };
        let mut batch = Vec::with_capacity(BATCH);
        for event in self.store.events().read(Read::query(query::<P>()?).until(until))? {
            batch.push(event?);
            if batch.len() == BATCH {
                view.take(&self.projection, &batch)?;
                batch.clear();
            }
        }
        view.take(&self.projection, &batch)?;
        Ok(view)
    }

    /// Reads and folds, for one row.
    pub fn row(self, key: &<P::Row as Row>::Key) -> Result<Option<P::Row>, ViewError> {
        Ok(self.run()?.get(key)?.cloned())
    }
}

impl<P: Projection> IntoFuture for Viewing<P> {
    type Output = Result<View<P::Row>, ViewError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}

impl<R: Row> View<R> {
    fn take<P: Projection<Row = R>>(
        &mut self,
        projection: &P,
        events: &[RecordedEvent],
    ) -> Result<(), ViewError> {
        let folded =
            fold::fold(projection, events, &self.table, Look::AtTheEnd).expect("rows in memory are found");
        if let Some(poison) = folded.poison {
            return Err(poison.into());
        }
        fold::store(folded.changes, &mut self.table);
        self.events += events.len() as u64;
        self.position = events.last().map(|event| event.position).or(self.position);
        Ok(())
    }

    /// The row with this key.
    pub fn get(&self, key: &R::Key) -> Result<Option<&R>, CellError> {
        Ok(self.table.get(&R::key_of(key)?))
    }

    /// All rows in the order of their keys.
    pub fn rows(&self) -> Vec<R> {
        fold::in_order(&self.table)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}
