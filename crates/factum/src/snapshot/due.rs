//! When a snapshot is due, and taking it beside what is going on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use factum_core::Timestamp;

use super::Situation;
use super::keeper::{Keeper, anchor_of};
use super::snapshots::{Kept, Shared};
use crate::fold::Folded;
use crate::store::Store;
use crate::{Boundary, Model};

/// How many may be taken at the same time; more are left out.
const JOBS_MAX: usize = 16;

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
    /// A snapshot of so many events was taken then.
    pub fn of(events: u64, taken_at: Timestamp) -> Self {
        Self { events, taken_at: Some(taken_at), ..Self::default() }
    }

    pub fn note_load(&mut self, events: u64, time: Duration) {
        (self.load_events, self.load_time) = (events, time);
    }
}

impl<M: Model> Keeper<'_, M> {
    /// What is to be taken, if the policy says so.
    pub fn if_due(&self, boundary: &Boundary, before: Option<&M>, folded: &mut Folded<M>) -> Due<M> {
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
            return Due::default();
        }
        let Some(job) = Job::begin(&self.shared.jobs) else {
            self.kept.meter.count(|stats| stats.skipped += 1);
            return Due::default();
        };
        folded.mark = Mark::of(folded.events, now());
        let (shared, kept) = (self.shared.clone(), self.kept.clone());
        Due(Some(Box::new(Wanted { shared, kept, job, folded: folded.clone(), boundary: boundary.clone() })))
    }
}

/// A snapshot that a policy wants, or none.
#[must_use = "it is taken by `take`"]
pub(crate) struct Due<M>(Option<Box<Wanted<M>>>);

struct Wanted<M> {
    shared: Arc<Shared>,
    kept: Arc<Kept<M>>,
    job: Job,
    folded: Folded<M>,
    boundary: Boundary,
}

impl<M> Default for Due<M> {
    fn default() -> Self {
        Self(None)
    }
}

impl<M: Model> Due<M> {
    /// Whether there is one to take.
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Takes it, beside whatever the caller does next. Nobody is told if that
    /// fails; it is counted.
    pub fn take(self, store: &Store) {
        let Some(wanted) = self.0 else { return };
        // Read here, so that what runs in the background holds no log open.
        let Ok(anchor) = anchor_of(&**store.events(), &wanted.folded) else {
            wanted.kept.meter.count(|stats| stats.failed += 1);
            return;
        };
        let is_at_once = wanted.shared.at_once;
        let take = move || {
            let Wanted { shared, kept, job, folded, boundary } = *wanted;
            let _ = kept.take(&shared, &boundary, &folded, anchor);
            drop(job);
        };
        match is_at_once {
            true => take(),
            false => blocking::unblock(take).detach(),
        }
    }
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
