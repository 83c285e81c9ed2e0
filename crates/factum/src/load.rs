//! Loading: a model now, or at any moment of its past.

use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;

use factum_core::{Position, RecordedEvent, Revision, Timestamp, Until};

use crate::Model;
use crate::fold::Folded;
use crate::store::{Store, StoreError};

/// A moment of the past: everything up to and including it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The last committed event.
    Now,
    /// This place in the whole log.
    Position(Position),
    /// This place in the model's stream; only for an aggregate.
    Revision(Revision),
    /// Whatever was recorded at or before this time.
    Time(Timestamp),
}

impl Moment {
    fn until(self) -> Until {
        match self {
            Self::Now => Until::Edge,
            Self::Position(position) => Until::Position(position),
            Self::Revision(revision) => Until::Revision(revision),
            Self::Time(time) => Until::Time(time),
        }
    }
}

impl From<Position> for Moment {
    fn from(position: Position) -> Self {
        Self::Position(position)
    }
}

impl From<Revision> for Moment {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

/// A model to be loaded: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Loading<M> {
    store: Store,
    model: M,
    moment: Moment,
}

/// A model that was loaded; it can be used like the model itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded<M> {
    /// The state.
    pub model: M,
    /// How many events it was folded from.
    pub events: u64,
    /// Position of the last of them.
    pub position: Option<Position>,
    /// Revision of the aggregate's stream.
    pub revision: Option<Revision>,
}

impl<M> Loaded<M> {
    /// The model, if anything ever happened to it.
    pub fn existing(self) -> Option<M> {
        (self.events > 0).then_some(self.model)
    }
}

impl<M> Deref for Loaded<M> {
    type Target = M;
    fn deref(&self) -> &M {
        &self.model
    }
}

/// One event of a model's history, and what it led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<M> {
    /// What happened.
    pub event: RecordedEvent,
    /// The state after it.
    pub state: M,
}

impl<M: Model> Loading<M> {
    pub(crate) fn new(store: Store, model: M) -> Self {
        Self { store, model, moment: Moment::Now }
    }

    /// As it was at a position, a revision or a time.
    pub fn as_of(self, moment: impl Into<Moment>) -> Self {
        Self { moment: moment.into(), ..self }
    }

    /// Reads and folds. A model nothing ever happened to is the one that was
    /// given, with no events: see [`Loaded::existing`].
    pub fn run(self) -> Result<Loaded<M>, StoreError> {
        let boundary = self.model.boundary()?;
        let mut folded = Folded::new(self.model);
        folded.advance(&**self.store.events(), &boundary, self.moment.until())?;
        let revision = folded.revision();
        Ok(Loaded { model: folded.model, events: folded.events, position: folded.last, revision })
    }
}

impl<M: Model> IntoFuture for Loading<M> {
    type Output = Result<Loaded<M>, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}
