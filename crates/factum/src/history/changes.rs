//! Every change of a model, one event at a time.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use factum_core::{Direction, RecordedEvent, Start};
use serde::Serialize;

use super::diff::Diff;
use super::ordered::Ordered;
use super::shown;
use crate::load::Loading;
use crate::store::StoreError;
use crate::{Boundary, Model, Moment};

/// One event of a model's history, and what it led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<M> {
    /// What happened.
    pub event: RecordedEvent,
    /// The state it found.
    pub before: M,
    /// The state it led to.
    pub after: M,
}

impl<M: Model + Serialize> Change<M> {
    /// What the event changed in the state.
    pub fn diff(&self) -> Result<Diff, StoreError> {
        Ok(Diff::between(&shown(&self.before)?, &shown(&self.after)?))
    }
}

/// A history to be told: [`run`](Self::run) it, `.await` it, or take
/// [one change after another](Self::changes).
#[must_use = "nothing is read until it is run or awaited"]
pub struct Tracing<M> {
    loading: Loading<M>,
    from: Option<Moment>,
}

impl<M: Model> Tracing<M> {
    pub(crate) fn new(loading: Loading<M>) -> Self {
        Self { loading, from: None }
    }

    /// Beginning with the event of this moment. What came before is folded and
    /// not told.
    pub fn from(self, moment: impl Into<Moment>) -> Self {
        Self { from: Some(moment.into()), ..self }
    }

    /// Ending with the event of this moment.
    pub fn until(self, moment: impl Into<Moment>) -> Self {
        Self { loading: self.loading.as_of(moment), ..self }
    }

    /// One change after another, read as they are asked for.
    pub fn changes(self) -> Result<Changes<M>, StoreError> {
        let Loading { store, model, moment } = self.loading;
        let boundary = model.boundary()?;
        let log = &**store.events();
        let from = self.from.map_or(Ok(Start::Edge), |from| from.start(log, &boundary))?;
        let events = Ordered::open(log, &boundary, moment.until(log, &boundary)?)?;
        Ok(Changes { events, boundary, model, from })
    }

    /// All of them.
    pub fn run(self) -> Result<Vec<Change<M>>, StoreError> {
        self.changes()?.collect()
    }
}

impl<M: Model> IntoFuture for Tracing<M> {
    type Output = Result<Vec<Change<M>>, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}

/// Changes as they are read. Ends after the first error.
pub struct Changes<M> {
    events: Ordered,
    boundary: Boundary,
    model: M,
    from: Start,
}

impl<M: Model> Changes<M> {
    /// The state after the last change that was taken.
    pub fn model(&self) -> &M {
        &self.model
    }

    fn fold(&mut self, event: &RecordedEvent) -> Result<(), StoreError> {
        for (part, bounds) in self.boundary.parts.iter().enumerate() {
            if bounds.read.selects(event) {
                self.model.apply(part, event)?;
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Change<M>>, StoreError> {
        loop {
            let Some(event) = self.events.next().transpose()? else { return Ok(None) };
            if !self.from.is_reached_by(&event, Direction::Forward) {
                self.fold(&event)?;
                continue;
            }
            let before = self.model.clone();
            self.fold(&event)?;
            return Ok(Some(Change { event, before, after: self.model.clone() }));
        }
    }
}

impl<M: Model> Iterator for Changes<M> {
    type Item = Result<Change<M>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.events.end();
        }
        step.transpose()
    }
}
