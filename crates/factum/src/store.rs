//! [`Store`]: where events are kept, as the domain sees it.

use std::any::{Any, TypeId};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use factum_core::{AppendError, EventStore, MemoryStore, ReadError, SubscribeError};
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::advice::{Advice, Advisor, OnAdvice};
use crate::decide::Deciding;
use crate::emitted::{Emitted, IntoEvents};
use crate::event::EncodeError;
use crate::fold::Folded;
use crate::load::Loading;
use crate::model::{BoundaryError, FoldError};
use crate::recording::Recording;
use crate::snapshot::{Keeper, SnapshotStats, Snapshots, Taking};
use crate::stopwatch::Stopwatch;
use crate::{Boundary, Decide, Model, Moment};

/// An event store with what the domain needs around it. Clones share it.
///
/// | made by | events are |
/// |---|---|
/// | [`Store::memory`] | in this process, gone with it: for tests |
/// | [`Store::open`] | on this disk, durable when answered |
/// | [`Store::over`] | wherever another [`EventStore`] keeps them |
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    port: Arc<dyn EventStore>,
    states: Cache<StateKey, Arc<dyn Any + Send + Sync>>,
    ids: Arc<dyn NewIds>,
    snapshots: Option<Snapshots>,
    advisor: Advisor,
}

type StateKey = (TypeId, Boundary);

/// Where event ids come from.
pub trait NewIds: Send + Sync {
    /// One that was never given before.
    fn next(&self) -> Uuid;
}

/// Version 7: random, ordered by time.
struct RandomIds;

impl NewIds for RandomIds {
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// What a [`Store`] may be told.
#[derive(Clone)]
pub struct StoreOptions {
    /// How many folded states are kept for the next decision on them. One that
    /// is dropped is folded again when it is needed.
    pub warm_states_max: usize,
    /// Where event ids come from.
    pub ids: Arc<dyn NewIds>,
    /// Which models have snapshots; none if nothing is said.
    pub snapshots: Option<Snapshots>,
    /// How long a model may take to load before [`Store::advice`] names it;
    /// 50 ms if nothing is said.
    pub load_budget: Duration,
    /// Called with each model that becomes too slow, once; on the thread that
    /// loaded it.
    pub on_advice: Option<OnAdvice>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            warm_states_max: 16_384,
            ids: Arc::new(RandomIds),
            snapshots: None,
            load_budget: Duration::from_millis(50),
            on_advice: None,
        }
    }
}

/// Why something could not be recorded or read, whatever the domain says.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store refused or failed an append.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store could not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store could not be followed.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// A stored event could not be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A model does not say which events it reads.
    #[error(transparent)]
    Boundary(#[from] BoundaryError),
    /// A new event cannot be stored.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The state cannot be shown.
    #[error("the state has no JSON form: {reason}")]
    NoJsonForm {
        /// What is in the way.
        reason: String,
    },
    /// The record of a keyed command is not one.
    #[error(
        "stream {stream} should say what a command with an idempotency key came to, but does not: was it written by another program?"
    )]
    NotACommand {
        /// The stream.
        stream: String,
    },
}

impl Store {
    /// In this process's memory.
    pub fn memory() -> Self {
        Self::over(Arc::new(MemoryStore::new()), StoreOptions::default())
    }

    /// In a directory, which is made if there is none; durable by default.
    #[cfg(feature = "log")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self, factum_log::OpenError> {
        Self::open_with(path, StoreOptions::default())
    }

    /// The same, told more.
    #[cfg(feature = "log")]
    pub fn open_with(path: impl AsRef<Path>, options: StoreOptions) -> Result<Self, factum_log::OpenError> {
        let log = factum_log::Log::open(path.as_ref(), factum_log::LogOptions::default())?;
        Ok(Self::over(Arc::new(log), options))
    }

    /// Over any store.
    pub fn over(port: Arc<dyn EventStore>, options: StoreOptions) -> Self {
        let states = Cache::new(options.warm_states_max);
        Self(Arc::new(Inner {
            port,
            states,
            ids: options.ids,
            snapshots: options.snapshots,
            advisor: Advisor::new(options.load_budget, options.on_advice),
        }))
    }

    /// The store underneath, for what has no model: reading, following,
    /// appending by hand.
    pub fn events(&self) -> &Arc<dyn EventStore> {
        &self.0.port
    }

    /// Reads `model`, asks `decide` what follows from it, and records that,
    /// unless what was read has changed meanwhile; then it begins again.
    ///
    /// `decide` may be called several times: it must be pure.
    ///
    /// ```
    /// # use factum::prelude::*;
    /// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
    /// # #[derive(Event, Clone, Debug, PartialEq)] enum Cart { Opened { #[id] id: CartId } }
    /// # #[derive(Aggregate, Clone, Debug)] #[folds(Cart)] struct Open { #[key] id: CartId, is_open: bool }
    /// # impl Evolve<Cart> for Open { fn evolve(&mut self, _: &Cart) { self.is_open = true; } }
    /// let store = Store::memory();
    /// let open = |cart: &Open| match cart.is_open {
    ///     true => Err("it is open already"),
    ///     false => Ok(Cart::Opened { id: cart.id.clone() }),
    /// };
    /// let receipt = store.decide(Open::of("c1"), open).run()?;
    /// assert_eq!(receipt.events(), 1);
    /// assert!(matches!(store.decide(Open::of("c1"), open).run(), Err(DecideError::Rejected(_))));
    /// # Ok::<(), DecideError<&'static str>>(())
    /// ```
    pub fn decide<M, F, I, R>(&self, model: M, decide: F) -> Deciding<M, F, R>
    where
        M: Model,
        F: FnMut(&M) -> Result<I, R>,
        I: IntoEvents,
    {
        Deciding::new(self.clone(), model, decide)
    }

    /// [`Store::decide`] by the model's own [`Decide`].
    #[allow(clippy::type_complexity)] // a closure has no shorter name
    pub fn execute<M, C>(
        &self,
        model: M,
        command: C,
    ) -> Deciding<M, impl FnMut(&M) -> Result<Emitted, M::Rejection>, M::Rejection>
    where
        M: Decide<C>,
        C: Clone,
    {
        self.decide(model, move |model: &M| model.decide(command.clone()).map(Emitted::of))
    }

    /// Records facts nobody has to decide about, wherever their streams stand.
    pub fn record(&self, events: impl IntoEvents) -> Recording {
        Recording::new(self.clone(), Emitted::of(events))
    }

    /// A model as it is, or was.
    pub fn load<M: Model>(&self, model: M) -> Loading<M> {
        Loading::new(self.clone(), model)
    }

    /// Takes a snapshot of a model, whatever its policy says.
    pub fn snapshot<M: Model>(&self, model: M) -> Taking<M> {
        Taking::new(self.clone(), model)
    }

    /// What became of the snapshots, by model.
    pub fn snapshot_stats(&self) -> Vec<SnapshotStats> {
        self.0.snapshots.as_ref().map(Snapshots::stats).unwrap_or_default()
    }

    /// Which models took longer to load than
    /// [`load_budget`](StoreOptions::load_budget), the slowest first, and what
    /// would help.
    pub fn advice(&self) -> Vec<Advice> {
        self.0.advisor.advice()
    }

    /// A state at a moment, from the newest snapshot that helps; measured.
    pub(crate) fn fold<M: Model>(
        &self,
        model: M,
        boundary: &Boundary,
        moment: Moment,
    ) -> Result<Folded<M>, StoreError> {
        let watch = Stopwatch::start();
        let (mut folded, events) = self.fold_unnoticed(model, boundary, moment)?;
        let time = watch.elapsed();
        let has_snapshots = self.keeper::<M>().is_some();
        self.0.advisor.note(TypeId::of::<M>(), M::NAME, events, time, has_snapshots);
        if moment == Moment::Now {
            folded.mark.note_load(events, time);
            self.consider_snapshot(boundary, None, &mut folded);
        }
        Ok(folded)
    }

    /// The same without consequences; also says how many events were folded.
    pub(crate) fn fold_unnoticed<M: Model>(
        &self,
        model: M,
        boundary: &Boundary,
        moment: Moment,
    ) -> Result<(Folded<M>, u64), StoreError> {
        let log = &**self.events();
        let end = || moment.end(log, boundary).ok();
        let snapshot = self.keeper::<M>().and_then(|keeper| keeper.newest(log, boundary, end));
        let mut folded = snapshot.unwrap_or_else(|| Folded::new(model));
        let events = folded.advance(log, boundary, moment.until(log, boundary)?)?;
        Ok((folded, events))
    }

    pub(crate) fn keeper<M: Model>(&self) -> Option<Keeper<'_, M>> {
        self.0.snapshots.as_ref()?.keeper()
    }

    /// Whether a snapshot may depend on the state before a command.
    pub(crate) fn watches_transitions<M: Model>(&self) -> bool {
        self.keeper::<M>().is_some_and(|keeper| keeper.watches_transitions())
    }

    pub(crate) fn consider_snapshot<M: Model>(
        &self,
        boundary: &Boundary,
        before: Option<&M>,
        folded: &mut Folded<M>,
    ) {
        if let Some(keeper) = self.keeper::<M>() {
            keeper.consider(&**self.events(), boundary, before, folded);
        }
    }

    pub(crate) fn new_id(&self) -> Uuid {
        self.0.ids.next()
    }

    /// The state kept for this boundary.
    pub(crate) fn warm<M: Model>(&self, boundary: &Boundary) -> Option<Arc<Folded<M>>> {
        let state = self.0.states.get(&(TypeId::of::<M>(), boundary.clone()))?;
        state.downcast().ok()
    }

    pub(crate) fn keep_warm<M: Model>(&self, boundary: &Boundary, state: Arc<Folded<M>>) {
        self.0.states.insert((TypeId::of::<M>(), boundary.clone()), state);
    }
}
