//! Loading: a model now, or at any moment of its past.

use std::any::TypeId;
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;

use factum_core::{Position, Revision, Timestamp};
use serde::Serialize;

use crate::fold::Folded;
use crate::history::{Comparing, Explaining, Happened, Tracing, Verifying};
use crate::moment::Moment;
use crate::stopwatch::{Patience, Stopwatch};
use crate::store::{Store, StoreError};
use crate::{Boundary, Model};

/// A model to be loaded: [`run`](Self::run) it, or `.await` it.
#[derive(Clone)]
#[must_use = "nothing is read until it is run or awaited"]
pub struct Loading<M> {
    pub(crate) store: Store,
    pub(crate) model: M,
    pub(crate) moment: Moment,
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

impl<M: Model> Loading<M> {
    pub(crate) fn new(store: Store, model: M) -> Self {
        Self { store, model, moment: Moment::Now }
    }

    /// As it was at a position, a revision or a time.
    pub fn as_of(self, moment: impl Into<Moment>) -> Self {
        Self { moment: moment.into(), ..self }
    }

    /// As it was at a time, as it is known now: folded from what happened by
    /// then, whenever it was recorded, in the order in which it happened.
    pub fn happened_by(self, time: Timestamp) -> Happened<M> {
        Happened::new(self, time)
    }

    /// Every change that led to it, with the state before and after.
    pub fn history(self) -> Tracing<M> {
        Tracing::new(self)
    }

    /// What is different at the second moment.
    pub fn diff(self, a: impl Into<Moment>, b: impl Into<Moment>) -> Comparing<M>
    where
        M: Serialize,
    {
        Comparing::new(self, [a.into(), b.into()])
    }

    /// A statement: when, who, because of what, what it changed, and the
    /// running state.
    pub fn explain(self) -> Explaining<M>
    where
        M: Serialize,
    {
        Explaining::new(self.history())
    }

    /// Whether every way to this state comes to the same: folding twice, the
    /// state kept warm, each snapshot with what came after it.
    pub fn verify(self) -> Verifying<M>
    where
        M: Serialize,
    {
        Verifying::new(self)
    }

    /// Reads and folds. A model nothing ever happened to is the one that was
    /// given, with no events: see [`Loaded::existing`].
    pub fn run(self) -> Result<Loaded<M>, StoreError> {
        let boundary = self.model.boundary()?;
        let folded = self.store.fold(self.model, &boundary, self.moment)?;
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

impl Store {
    /// A state at a moment, from the newest snapshot that helps; measured.
    pub(crate) fn fold<M: Model>(
        &self,
        model: M,
        boundary: &Boundary,
        moment: Moment,
    ) -> Result<Folded<M>, StoreError> {
        let watch = Stopwatch::start();
        let (mut folded, events) = self.fold_unnoticed(model, boundary, moment, self.patience())?;
        let time = watch.elapsed();
        let has_snapshots = self.keeper::<M>().is_some();
        self.advisor().note(TypeId::of::<M>(), M::NAME, events, time, has_snapshots);
        if moment == Moment::Now {
            folded.mark.note_load(events, time);
            self.snapshot_if_due(boundary, None, &mut folded).take(self);
        }
        Ok(folded)
    }

    /// The same without consequences; also says how many events were folded.
    pub(crate) fn fold_unnoticed<M: Model>(
        &self,
        model: M,
        boundary: &Boundary,
        moment: Moment,
        patience: Patience,
    ) -> Result<(Folded<M>, u64), StoreError> {
        let log = &**self.events();
        let end = || moment.end(log, boundary).ok();
        let snapshot = self.keeper::<M>().and_then(|keeper| keeper.newest(log, boundary, end));
        let mut folded = snapshot.unwrap_or_else(|| Folded::new(model));
        let events = folded.advance_within(log, boundary, moment.until(log, boundary)?, patience)?;
        Ok((folded, events))
    }
}
