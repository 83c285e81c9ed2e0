//! Whether folding can be trusted: every way to a state must come to the same.
//!
//! ```text
//!   all events, folded         ┐
//!   all events, folded again   ├──▶  one and the same state?
//!   the state kept warm        │
//!   each snapshot + its delta  ┘
//! ```
//!
//! A fold that looks at a clock, rolls dice or asks somebody differs the second
//! time. A fold that was changed without raising the model's version differs
//! from its snapshots.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use factum_core::{Position, Until};
use serde::Serialize;

use super::{Diff, shown};
use crate::fold::Folded;
use crate::load::Loading;
use crate::store::StoreError;
use crate::{Boundary, Model};

/// A fold to be verified: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is verified until it is run or awaited"]
pub struct Verifying<M> {
    loading: Loading<M>,
}

/// A fold that comes to the same every way that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many events there are.
    pub events: u64,
    /// The ways that were tried, besides folding all of them.
    pub ways: Vec<Way>,
}

/// A way to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// Folding all events once more.
    Again,
    /// The state kept from an earlier decision.
    Warm,
    /// A snapshot up to this position, and what came after it.
    Snapshot(Position),
}

/// Why a fold cannot be trusted, or not be verified.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Two ways come to different states.
    #[error(
        "folding all {events} events and {way} come to different states: is the fold a pure function of its events, and was the model's version raised when it changed?\n{diff}"
    )]
    Differs {
        /// How many events there are.
        events: u64,
        /// The other way.
        way: Way,
        /// From the state that was folded to the one the other way.
        diff: Diff,
    },
    /// The events could not be read or folded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again => f.write_str("folding them again"),
            Self::Warm => f.write_str("the state that was kept warm"),
            Self::Snapshot(position) => {
                write!(f, "the snapshot up to position {position} with what came after")
            }
        }
    }
}

impl<M: Model + Serialize> Verifying<M> {
    pub(crate) fn new(loading: Loading<M>) -> Self {
        Self { loading }
    }

    /// Folds every way and compares. Always the state now: the past has no
    /// warm states.
    pub fn run(self) -> Result<Verified, VerifyError> {
        let Loading { store, model, .. } = self.loading;
        let boundary = model.boundary().map_err(StoreError::from)?;
        let log = &**store.events();
        // Both before the end is looked at, so that they cannot be past it.
        let warm = store.warm::<M>(boundary.clone()).state.lock().clone();
        let warm = warm.map(|warm| (Way::Warm, Folded::clone(&warm)));
        let snapshots = store.keeper::<M>().map(|keeper| keeper.all(log, &boundary)).unwrap_or_default();
        let snapshots =
            snapshots.into_iter().filter_map(|folded| Some((Way::Snapshot(folded.up_to?), folded)));
        let Some(last) = log.last_position().map_err(StoreError::from)? else {
            return Ok(Verified { events: 0, ways: Vec::new() });
        };
        let fold = |mut folded: Folded<M>, boundary: &Boundary| {
            folded.advance(log, boundary, Until::Position(last))?;
            Ok::<_, StoreError>((shown(&folded.model)?, folded.events))
        };
        let nothing = Folded::new(model);
        let (expected, events) = fold(nothing.clone(), &boundary)?;
        let mut ways = Vec::new();
        for (way, from) in [(Way::Again, nothing)].into_iter().chain(warm).chain(snapshots) {
            let (state, _) = fold(from, &boundary)?;
            if state != expected {
                return Err(VerifyError::Differs { events, way, diff: Diff::between(&expected, &state) });
            }
            ways.push(way);
        }
        Ok(Verified { events, ways })
    }
}

impl<M: Model + Serialize> IntoFuture for Verifying<M> {
    type Output = Result<Verified, VerifyError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}
