//! A snapshot by hand.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use factum_core::Position;

use crate::stopwatch::Patience;
use crate::store::{Store, StoreError};
use crate::{Model, Moment};

/// A snapshot to be taken: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is taken until it is run or awaited"]
pub struct Taking<M> {
    store: Store,
    model: M,
}

/// A snapshot that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotTaken {
    /// Everything up to here is in it.
    pub position: Position,
    /// How many events it covers.
    pub events: u64,
    /// Its size, compressed.
    pub bytes: u64,
}

/// Why a snapshot was not taken.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The store was not told to keep snapshots of this model.
    #[error(
        "{model} has no snapshots: add `.of::<{model}>(policy)` to the `Snapshots` of the store's options"
    )]
    NotRegistered {
        /// The model's name.
        model: &'static str,
    },
    /// There is no event to cover.
    #[error("nothing ever happened to it, so there is nothing to take a snapshot of")]
    NothingHappened,
    /// The state cannot be written.
    #[error("the state of {model} has no JSON form: {reason}")]
    NoJsonForm {
        /// The model's name.
        model: &'static str,
        /// What is in the way.
        reason: String,
    },
    /// The snapshot store failed.
    #[error("the snapshot could not be kept: {0}")]
    NotKept(String),
    /// The events could not be read or folded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<M: Model> Taking<M> {
    pub(crate) fn new(store: Store, model: M) -> Self {
        Self { store, model }
    }

    /// Brings the state up to now and takes the snapshot.
    pub fn run(self) -> Result<SnapshotTaken, SnapshotError> {
        let Some(keeper) = self.store.keeper::<M>() else {
            return Err(SnapshotError::NotRegistered { model: M::NAME });
        };
        let boundary = self.model.boundary().map_err(StoreError::from)?;
        let (folded, _) =
            self.store.fold_unnoticed(self.model, &boundary, Moment::Now, Patience::endless())?;
        keeper.take(&**self.store.events(), &boundary, &folded)
    }
}

impl<M: Model> IntoFuture for Taking<M> {
    type Output = Result<SnapshotTaken, SnapshotError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Takes it on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}
