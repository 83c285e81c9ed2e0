//! [`Store`]: where events are kept, as the domain sees it.

#[cfg(feature = "log")]
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use factum_core::{
    AppendError, Durability, EventStore, MemoryStore, ReadError, StorageError, SubscribeError,
};
use uuid::Uuid;

use crate::advice::{Advice, Advisor, OnAdvice};
use crate::decide::Deciding;
use crate::emitted::{Emitted, IntoEvents};
use crate::event::EncodeError;
use crate::load::Loading;
use crate::model::{BoundaryError, FoldError};
use crate::recording::Recording;
use crate::snapshot::{SnapshotStats, Snapshots, Taking};
use crate::stopwatch::Patience;
use crate::warm::{Slot, WarmStates};
use crate::{Boundary, Decide, Model};

/// An event store with what the domain needs around it. Clones share it.
///
/// | made by | events are |
/// |---|---|
/// | [`Store::memory`] | in this process, gone with it: for tests |
/// | [`Store::open`] | on this disk, durable when answered |
/// | `Store::connect`, with the feature `client` | where a server keeps them |
/// | [`Store::over`] | wherever another [`EventStore`] keeps them |
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    port: Arc<dyn EventStore>,
    states: WarmStates,
    ids: Arc<dyn NewIds>,
    snapshots: Option<Snapshots>,
    advisor: Advisor,
    load_max: Option<Duration>,
    /// What its receipts say.
    durability: OnceLock<Durability>,
}

/// Where event ids come from.
pub trait NewIds: Send + Sync {
    /// One that was never given before.
    fn next(&self) -> Uuid;
}

/// Version 7: random, ordered by time.
struct RandomIds;

impl NewIds for RandomIds {
    fn next(&self) -> Uuid {
        factum_core::event::fresh_id()
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
    /// How long a model may take to load before it is given up with
    /// [`StoreError::TooLong`], as commands on it are; no limit if nothing is
    /// said. It is looked at every 256 events.
    pub load_max: Option<Duration>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            warm_states_max: 16_384,
            ids: Arc::new(RandomIds),
            snapshots: None,
            load_budget: Duration::from_millis(50),
            on_advice: None,
            load_max: None,
        }
    }
}

/// Why something could not be recorded or read, whatever the domain says.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store refused or failed an append.
    #[error(transparent)]
    Append(AppendError),
    /// The store failed while it recorded, and could not say whether it did, also
    /// when it was handed the same events again.
    #[error(
        "whether it was recorded is unknown, also after it was handed over again: load the model before you do it again, or repeat it under the idempotency key it was given"
    )]
    Unknown(#[source] StorageError),
    /// The store could not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store could not be followed.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// A stored event could not be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A model took longer to load than [`load_max`](StoreOptions::load_max).
    #[error(
        "loading {model} was given up after {max:?} and {events} events: let it have snapshots, or allow more time"
    )]
    TooLong {
        /// The model's name.
        model: &'static str,
        /// How long it may take.
        max: Duration,
        /// How many events it was folded from by then.
        events: u64,
    },
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

impl From<AppendError> for StoreError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Unknown(why) => Self::Unknown(why),
            other => Self::Append(other),
        }
    }
}

impl Store {
    /// In this process's memory.
    pub fn memory() -> Self {
        Self::over(Arc::new(MemoryStore::new()), StoreOptions::default())
    }

    /// In a directory, which is made if there is none; durable by default. One
    /// that is there but empty is refused: a disk may be missing there.
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

    /// On a server, such as `kurrentdb://127.0.0.1:2113?tls=false`; `factum serve`
    /// is one. Needs no runtime. What of a decision was lost with a connection
    /// is an error that says so, never an event recorded twice.
    #[cfg(feature = "client")]
    pub fn connect(url: &str) -> Result<Self, factum_wire::client::ConnectError> {
        Self::connect_with(url, StoreOptions::default())
    }

    /// The same, told more.
    #[cfg(feature = "client")]
    pub fn connect_with(url: &str, options: StoreOptions) -> Result<Self, factum_wire::client::ConnectError> {
        Ok(Self::over(Arc::new(factum_wire::client::RemoteStore::connect(url)?), options))
    }

    /// Over any store.
    pub fn over(port: Arc<dyn EventStore>, options: StoreOptions) -> Self {
        let states = WarmStates::new(options.warm_states_max);
        Self(Arc::new(Inner {
            port,
            states,
            ids: options.ids,
            snapshots: options.snapshots,
            advisor: Advisor::new(options.load_budget, options.on_advice),
            load_max: options.load_max,
            durability: OnceLock::new(),
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
        self.snapshots().map(Snapshots::stats).unwrap_or_default()
    }

    /// Which models took longer to load than
    /// [`load_budget`](StoreOptions::load_budget), the slowest first, and what
    /// would help.
    pub fn advice(&self) -> Vec<Advice> {
        self.0.advisor.advice()
    }

    pub(crate) fn snapshots(&self) -> Option<&Snapshots> {
        self.0.snapshots.as_ref()
    }

    pub(crate) fn advisor(&self) -> &Advisor {
        &self.0.advisor
    }

    /// How long a fold that begins now may take.
    pub(crate) fn patience(&self) -> Patience {
        Patience::of(self.0.load_max)
    }

    pub(crate) fn new_id(&self) -> Uuid {
        self.0.ids.next()
    }

    pub(crate) fn known_durability(&self) -> Option<Durability> {
        self.0.durability.get().copied()
    }

    /// A receipt said so.
    pub(crate) fn note_durability(&self, durability: Durability) {
        if self.known_durability().is_none() {
            let _ = self.0.durability.set(durability);
        }
    }

    /// Where the state of this boundary is kept.
    pub(crate) fn warm<M: Model>(&self, boundary: Boundary) -> Arc<Slot<M>> {
        self.0.states.slot(boundary)
    }

    /// The same, of the boundary of a model.
    pub(crate) fn warm_of<M: Model>(&self, model: &M) -> Result<Arc<Slot<M>>, BoundaryError> {
        self.0.states.slot_of(model)
    }
}
