//! What had happened by a time, as it is known now: the other axis of time.
//!
//! ```text
//!   recorded   Mon          Wed          Fri
//!   happened   Mon          Wed          Tue     a correction, entered late
//!
//!   as_of(Wed)         folds Mon, Wed            what was known on Wednesday
//!   happened_by(Wed)   folds Mon, Tue, Wed       what was so, as we know on Friday
//! ```

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use factum_core::{RecordedEvent, Selection, Timestamp};

use super::ordered::Ordered;
use crate::Model;
use crate::load::{Loaded, Loading};
use crate::store::StoreError;

/// A model to be folded from what had happened: [`run`](Self::run) it, or
/// `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Happened<M> {
    loading: Loading<M>,
    by: Timestamp,
}

impl<M: Model> Happened<M> {
    pub(crate) fn new(loading: Loading<M>, by: Timestamp) -> Self {
        Self { loading, by }
    }

    /// Reads, puts in order and folds. After
    /// [`as_of`](crate::load::Loading::as_of) only what was recorded by that
    /// moment counts.
    pub fn run(self) -> Result<Loaded<M>, StoreError> {
        let Loading { store, mut model, moment } = self.loading;
        let boundary = model.boundary()?;
        let log = &**store.events();
        let recorded = Ordered::open(log, &boundary, moment.until(log, &boundary)?)?;
        let mut events = recorded.collect::<Result<Vec<_>, _>>()?;
        events.retain(|event| happened_at(event) <= self.by);
        // What happened at one time stays in the order of the log.
        events.sort_by_key(happened_at);
        let mut revision = None;
        for event in &events {
            for (part, bounds) in boundary.parts.iter().enumerate() {
                if bounds.read.selects(event) {
                    model.apply(part, event)?;
                    if part == 0 && matches!(bounds.read, Selection::Stream(_)) {
                        revision = revision.max(Some(event.revision));
                    }
                }
            }
        }
        let position = events.iter().map(|event| event.position).max();
        Ok(Loaded { model, events: events.len() as u64, position, revision })
    }
}

/// When it happened, or was recorded if nobody said.
pub(super) fn happened_at(event: &RecordedEvent) -> Timestamp {
    event.occurred_at.unwrap_or(event.recorded_at)
}

impl<M: Model> IntoFuture for Happened<M> {
    type Output = Result<Loaded<M>, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}
