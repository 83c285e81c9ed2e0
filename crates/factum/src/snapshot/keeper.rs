//! [`Snapshots`]: which models have them, and how they get from a state to the
//! store and back.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use factum_core::{Clock, Position, SystemClock, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::format::{self, Anchor, Header};
use super::stats::Meter;
use super::{
    DirectorySnapshots, Discarded, MemorySnapshots, Situation, SnapshotError, SnapshotKey, SnapshotPolicy,
    SnapshotStats, SnapshotStore, SnapshotTaken, subject,
};
use crate::fold::Folded;
use crate::{Boundary, EventStore, Model};

/// How many may be taken at the same time; more are left out.
const JOBS_MAX: usize = 16;

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
struct Shared {
    store: Arc<dyn SnapshotStore>,
    kept_max: usize,
    at_once: bool,
    clock: Arc<dyn Clock>,
    jobs: Arc<AtomicUsize>,
}

/// One model that has snapshots.
struct Kept<M> {
    policy: SnapshotPolicy<M>,
    fold: String,
    encode: fn(&M) -> serde_json::Result<Vec<u8>>,
    decode: fn(&[u8]) -> serde_json::Result<M>,
    meter: Arc<Meter>,
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

/// What a state knows of its snapshots, for the policy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    /// How many events the newest one covers.
    events: u64,
    taken_at: Option<Timestamp>,
    /// Of the last load since then.
    load_events: u64,
    load_time: Duration,
}

impl Mark {
    pub fn note_load(&mut self, events: u64, time: Duration) {
        (self.load_events, self.load_time) = (events, time);
    }
}

/// Takes and finds the snapshots of one model.
pub(crate) struct Keeper<'a, M> {
    shared: &'a Arc<Shared>,
    kept: &'a Arc<Kept<M>>,
}

impl<M: Model> Keeper<'_, M> {
    pub fn watches_transitions(&self) -> bool {
        self.kept.policy.watches_transitions()
    }

    /// The newest snapshot that can be trusted and covers only positions below
    /// `end`. Others are discarded on the way.
    pub fn newest(
        &self,
        log: &dyn EventStore,
        boundary: &Boundary,
        end: impl FnOnce() -> Option<u64>,
    ) -> Option<Folded<M>> {
        let key = subject::key::<M>(boundary);
        let found = match self.shared.store.positions(&key) {
            Ok(positions) if positions.is_empty() => None,
            Ok(positions) => {
                let end = end()?;
                let mut candidates = positions.into_iter().rev().filter(|position| position.get() < end);
                candidates.find_map(|position| self.usable(log, boundary, &key, position))
            }
            Err(_) => {
                self.kept.meter.count(|stats| stats.unread += 1);
                None
            }
        };
        self.kept.meter.count(|stats| match found {
            Some(_) => stats.loaded += 1,
            None => stats.missed += 1,
        });
        found
    }

    fn usable(
        &self,
        log: &dyn EventStore,
        boundary: &Boundary,
        key: &SnapshotKey,
        position: Position,
    ) -> Option<Folded<M>> {
        let bytes = match self.shared.store.load(key, position) {
            Ok(bytes) => bytes?,
            Err(_) => {
                self.kept.meter.count(|stats| stats.unread += 1);
                return None;
            }
        };
        match self.kept.check(log, boundary, position, &bytes) {
            Ok(folded) => Some(folded),
            Err(why) => {
                self.kept.meter.discarded(why);
                // It will be discarded again if it stays.
                let _ = self.shared.store.remove(key, position);
                None
            }
        }
    }

    /// All that can be trusted, oldest first.
    pub fn all(&self, log: &dyn EventStore, boundary: &Boundary) -> Vec<Folded<M>> {
        let key = subject::key::<M>(boundary);
        let positions = self.shared.store.positions(&key).unwrap_or_default();
        positions.into_iter().filter_map(|position| self.usable(log, boundary, &key, position)).collect()
    }

    /// Takes a snapshot if the policy says so, beside whatever the caller
    /// does next.
    pub fn consider(
        &self,
        log: &dyn EventStore,
        boundary: &Boundary,
        before: Option<&M>,
        folded: &mut Folded<M>,
    ) {
        let mark = folded.mark;
        let events_since = folded.events.saturating_sub(mark.events);
        self.kept.meter.count(|stats| stats.lag = events_since);
        let now = || self.shared.clock.now();
        let age = |taken: Timestamp| {
            Duration::from_micros(now().as_micros().saturating_sub(taken.as_micros()).max(0) as u64)
        };
        let situation = Situation {
            events_since,
            age: mark.taken_at.map(age),
            load_events: mark.load_events,
            load_time: mark.load_time,
            transition: before.map(|before| (before, &folded.model)),
        };
        if !self.kept.policy.is_due(&situation) {
            return;
        }
        let Some(job) = Job::begin(&self.shared.jobs) else {
            self.kept.meter.count(|stats| stats.skipped += 1);
            return;
        };
        // Read here, so that what runs in the background holds no log open.
        let Ok(anchor) = anchor_of(log, folded) else {
            self.kept.meter.count(|stats| stats.failed += 1);
            return;
        };
        folded.mark = Mark { events: folded.events, taken_at: Some(now()), ..Mark::default() };
        let (shared, kept) = (self.shared.clone(), self.kept.clone());
        let (folded, boundary) = (folded.clone(), boundary.clone());
        let take = move || {
            let _job = job;
            // Counted; there is nobody to tell.
            let _ = kept.take(&shared, &boundary, &folded, anchor);
        };
        match self.shared.at_once {
            true => take(),
            false => blocking::unblock(take).detach(),
        }
    }

    /// Takes a snapshot, and says what became of it.
    pub fn take(
        &self,
        log: &dyn EventStore,
        boundary: &Boundary,
        folded: &Folded<M>,
    ) -> Result<SnapshotTaken, SnapshotError> {
        let anchor = anchor_of(log, folded)?;
        self.kept.take(self.shared, boundary, folded, anchor)
    }
}

/// The last event that was looked at.
fn anchor_of<M: Model>(log: &dyn EventStore, folded: &Folded<M>) -> Result<Anchor, SnapshotError> {
    let position = folded.up_to.max(folded.last).ok_or(SnapshotError::NothingHappened)?;
    let anchor = Anchor::at(log, position).map_err(crate::StoreError::from)?;
    anchor.ok_or(SnapshotError::NothingHappened)
}

/// One of the few that may be taken at the same time.
struct Job(Arc<AtomicUsize>);

impl Job {
    fn begin(jobs: &Arc<AtomicUsize>) -> Option<Self> {
        let job = Self(jobs.clone());
        (jobs.fetch_add(1, Ordering::Relaxed) < JOBS_MAX).then_some(job)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<M: Model> Kept<M> {
    /// The state in these bytes, if it can be trusted.
    fn check(
        &self,
        log: &dyn EventStore,
        boundary: &Boundary,
        position: Position,
        bytes: &[u8],
    ) -> Result<Folded<M>, Discarded> {
        let (header, state) = format::read(bytes)?;
        if header.model != type_name::<M>() || header.anchor.position != position.get() {
            return Err(Discarded::Foreign);
        }
        if header.fold != self.fold || header.reads != subject::reads(boundary) {
            return Err(Discarded::Outdated);
        }
        let model = (self.decode)(&state).map_err(|_| Discarded::Outdated)?;
        let again = (self.encode)(&model).map_err(|_| Discarded::Outdated)?;
        if !format::is_same_shape(&state, &again) {
            return Err(Discarded::Outdated);
        }
        if model.boundary().ok().as_ref() != Some(boundary) {
            return Err(Discarded::Foreign);
        }
        // A log that cannot be read is none that can vouch for it.
        if Anchor::at(log, position).ok().flatten().as_ref() != Some(&header.anchor) {
            return Err(Discarded::NotThisLog);
        }
        Ok(Folded {
            model,
            events: header.events,
            last: Some(Position::new(header.last)),
            up_to: Some(position),
            revisions: header.revisions(),
            mark: Mark {
                events: header.events,
                taken_at: Some(Timestamp::from_micros(header.created_at)),
                ..Mark::default()
            },
        })
    }

    fn take(
        &self,
        shared: &Shared,
        boundary: &Boundary,
        folded: &Folded<M>,
        anchor: Anchor,
    ) -> Result<SnapshotTaken, SnapshotError> {
        let watch = crate::stopwatch::Stopwatch::start();
        let taken = self.save(shared, boundary, folded, anchor);
        match &taken {
            Ok(taken) => self.meter.taken(taken.bytes, watch.elapsed()),
            Err(_) => self.meter.count(|stats| stats.failed += 1),
        }
        taken
    }

    fn save(
        &self,
        shared: &Shared,
        boundary: &Boundary,
        folded: &Folded<M>,
        anchor: Anchor,
    ) -> Result<SnapshotTaken, SnapshotError> {
        let last = folded.last.ok_or(SnapshotError::NothingHappened)?;
        let position = Position::new(anchor.position);
        let header = Header {
            model: type_name::<M>().to_owned(),
            reads: subject::reads(boundary),
            fold: self.fold.clone(),
            anchor,
            last: last.get(),
            revisions: folded.revisions.iter().map(|revision| revision.map(|it| it.get())).collect(),
            events: folded.events,
            created_at: shared.clock.now().as_micros(),
        };
        let state = (self.encode)(&folded.model)
            .map_err(|error| SnapshotError::NoJsonForm { model: M::NAME, reason: error.to_string() })?;
        let bytes = format::write(&header, &state);
        let key = subject::key::<M>(boundary);
        shared
            .store
            .save(&key, position, &bytes)
            .map_err(|error| SnapshotError::NotKept(error.to_string()))?;
        if let Ok(positions) = shared.store.positions(&key) {
            for old in positions.iter().rev().skip(shared.kept_max) {
                let _ = shared.store.remove(&key, *old);
            }
        }
        Ok(SnapshotTaken { position, events: folded.events, bytes: bytes.len() as u64 })
    }
}
