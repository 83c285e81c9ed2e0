//! [`Snapshots`]: which models have them, when, and where they are kept.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use factum_core::{Clock, SystemClock};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::due::Due;
use super::keeper::Keeper;
use super::stats::Meter;
use super::{DirectorySnapshots, MemorySnapshots, SnapshotPolicy, SnapshotStats, SnapshotStore, subject};
use crate::fold::Folded;
use crate::store::Store;
use crate::{Boundary, Model};

/// Which models have snapshots, when they are taken, and where they are kept.
///
/// ```
/// # use factum::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
/// # #[derive(Event, Clone, Debug, PartialEq)] enum Cart { Added { #[id] id: CartId } }
/// # #[derive(Aggregate, Clone, Debug, Serialize, Deserialize)] #[folds(Cart)]
/// # struct Items { #[key] id: CartId, count: u64 }
/// # impl Evolve<Cart> for Items { fn evolve(&mut self, _: &Cart) { self.count += 1; } }
/// use factum::snapshot::{SnapshotPolicy, Snapshots};
/// use factum::store::StoreOptions;
///
/// let snapshots = Snapshots::in_memory().of::<Items>(SnapshotPolicy::every(100));
/// let options = StoreOptions { snapshots: Some(snapshots), ..StoreOptions::default() };
/// ```
#[derive(Clone)]
pub struct Snapshots {
    shared: Arc<Shared>,
    models: HashMap<TypeId, Registered>,
}

#[derive(Clone)]
struct Registered {
    /// An `Arc<Kept<M>>`.
    kept: Arc<dyn Any + Send + Sync>,
    meter: Arc<Meter>,
}

/// What all models have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) store: Arc<dyn SnapshotStore>,
    pub(super) kept_max: usize,
    pub(super) at_once: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) jobs: Arc<AtomicUsize>,
}

/// One model that has snapshots.
pub(super) struct Kept<M> {
    pub(super) policy: SnapshotPolicy<M>,
    pub(super) fold: String,
    pub(super) encode: fn(&M) -> serde_json::Result<Vec<u8>>,
    pub(super) decode: fn(&[u8]) -> serde_json::Result<M>,
    pub(super) meter: Arc<Meter>,
}

impl Snapshots {
    /// Kept wherever this store keeps them.
    pub fn in_store(store: Arc<dyn SnapshotStore>) -> Self {
        let shared =
            Shared { store, kept_max: 3, at_once: false, clock: Arc::new(SystemClock), jobs: Arc::default() };
        Self { shared: Arc::new(shared), models: HashMap::new() }
    }

    /// Kept in a directory, as files. Not the directory of a log.
    pub fn in_directory(path: impl Into<PathBuf>) -> Self {
        Self::in_store(Arc::new(DirectorySnapshots::new(path)))
    }

    /// Kept in this process's memory.
    pub fn in_memory() -> Self {
        Self::in_store(Arc::new(MemorySnapshots::default()))
    }

    /// This model has snapshots, taken by this policy. A tuple of models is a
    /// model of its own.
    #[must_use]
    pub fn of<M>(mut self, policy: SnapshotPolicy<M>) -> Self
    where
        M: Model + Serialize + DeserializeOwned,
    {
        let meter = Arc::new(Meter::of(M::NAME));
        let kept = Kept::<M> {
            policy,
            fold: subject::fold_of::<M>(),
            encode: |model| serde_json::to_vec(model),
            decode: |bytes| serde_json::from_slice(bytes),
            meter: meter.clone(),
        };
        self.models.insert(TypeId::of::<M>(), Registered { kept: Arc::new(Arc::new(kept)), meter });
        self
    }

    /// How many are kept of each state; 3 if nothing is said, at least 1. The
    /// older ones serve looks back, and stand in for a newest that is corrupt.
    #[must_use]
    pub fn kept(self, kept_max: usize) -> Self {
        self.with(|shared| shared.kept_max = kept_max.max(1))
    }

    /// Taken before the command or load that led to them is answered, instead
    /// of in the background: for tests, and for programs that end soon.
    #[must_use]
    pub fn at_once(self) -> Self {
        self.with(|shared| shared.at_once = true)
    }

    /// What tells how old a snapshot is.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|shared| shared.clock = clock)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }

    pub(crate) fn stats(&self) -> Vec<SnapshotStats> {
        let mut stats: Vec<_> = self.models.values().map(|registered| registered.meter.stats()).collect();
        stats.sort_unstable_by_key(|stats| stats.model);
        stats
    }

    /// What takes and finds the snapshots of this model, if it has any.
    pub(crate) fn keeper<M: Model>(&self) -> Option<Keeper<'_, M>> {
        let registered = self.models.get(&TypeId::of::<M>())?;
        let kept = registered.kept.downcast_ref().expect("it was put there under its own type");
        Some(Keeper { shared: &self.shared, kept })
    }
}

impl Store {
    pub(crate) fn keeper<M: Model>(&self) -> Option<Keeper<'_, M>> {
        self.snapshots()?.keeper()
    }

    /// Whether a snapshot may depend on the state before a command.
    pub(crate) fn watches_transitions<M: Model>(&self) -> bool {
        self.keeper::<M>().is_some_and(|keeper| keeper.watches_transitions())
    }

    /// A snapshot of this state, if its policy wants one now.
    pub(crate) fn snapshot_if_due<M: Model>(
        &self,
        boundary: &Boundary,
        before: Option<&M>,
        folded: &mut Folded<M>,
    ) -> Due<M> {
        self.keeper::<M>().map(|keeper| keeper.if_due(boundary, before, folded)).unwrap_or_default()
    }
}
