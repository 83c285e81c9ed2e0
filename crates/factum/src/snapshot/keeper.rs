//! Finding a snapshot that can be trusted, and taking one.

use std::any::type_name;
use std::sync::Arc;

use factum_core::{Position, Timestamp};

use super::due::Mark;
use super::format::{self, Anchor, Header};
use super::snapshots::{Kept, Shared};
use super::{Discarded, SnapshotError, SnapshotKey, SnapshotTaken, subject};
use crate::fold::Folded;
use crate::stopwatch::Stopwatch;
use crate::{Boundary, EventStore, Model};

/// Takes and finds the snapshots of one model.
pub(crate) struct Keeper<'a, M> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) kept: &'a Arc<Kept<M>>,
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
            Err(Unusable::Unknown) => {
                self.kept.meter.count(|stats| stats.unread += 1);
                None
            }
            Err(Unusable::Discarded(why)) => {
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

/// Why a snapshot is not used.
enum Unusable {
    /// It never will be.
    Discarded(Discarded),
    /// The log could not be asked.
    Unknown,
}

impl From<Discarded> for Unusable {
    fn from(why: Discarded) -> Self {
        Self::Discarded(why)
    }
}

/// The last event that was looked at.
pub(super) fn anchor_of<M: Model>(log: &dyn EventStore, folded: &Folded<M>) -> Result<Anchor, SnapshotError> {
    let position = folded.up_to.max(folded.last).ok_or(SnapshotError::NothingHappened)?;
    let anchor = Anchor::at(log, position).map_err(crate::StoreError::from)?;
    anchor.ok_or(SnapshotError::NothingHappened)
}

impl<M: Model> Kept<M> {
    /// The state in these bytes, if it can be trusted.
    fn check(
        &self,
        log: &dyn EventStore,
        boundary: &Boundary,
        position: Position,
        bytes: &[u8],
    ) -> Result<Folded<M>, Unusable> {
        let (header, state) = format::read(bytes)?;
        if header.model != type_name::<M>() || header.anchor.position != position.get() {
            return Err(Discarded::Foreign.into());
        }
        if header.fold != self.fold || header.reads != subject::reads(boundary) {
            return Err(Discarded::Outdated.into());
        }
        let model = (self.decode)(&state).map_err(|_| Discarded::Outdated)?;
        let again = (self.encode)(&model).map_err(|_| Discarded::Outdated)?;
        if !format::is_same_shape(&state, &again) {
            return Err(Discarded::Outdated.into());
        }
        if model.boundary().ok().as_ref() != Some(boundary) {
            return Err(Discarded::Foreign.into());
        }
        // A log that cannot be read now vouches for nothing, and is none against it.
        let anchor = Anchor::at(log, position).map_err(|_| Unusable::Unknown)?;
        if anchor.as_ref() != Some(&header.anchor) {
            return Err(Discarded::NotThisLog.into());
        }
        Ok(Folded {
            model,
            events: header.events,
            last: Some(Position::new(header.last)),
            up_to: Some(position),
            is_behind: false,
            revisions: header.revisions(),
            mark: Mark::of(header.events, Timestamp::from_micros(header.created_at)),
        })
    }

    pub(super) fn take(
        &self,
        shared: &Shared,
        boundary: &Boundary,
        folded: &Folded<M>,
        anchor: Anchor,
    ) -> Result<SnapshotTaken, SnapshotError> {
        let watch = Stopwatch::start();
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
