//! The projector's end in SQLite: rows and checkpoint in one transaction.
//!
//! ```text
//!   BEGIN IMMEDIATE
//!     is the epoch still mine?  no ─▶ roll back: somebody else runs it now
//!     events after the checkpoint ─▶ rows
//!     the checkpoint
//!   COMMIT
//! ```

use std::sync::Arc;
use std::time::Duration;

use factum_core::Position;
use rusqlite::{Connection, TransactionBehavior};

use super::anchor::Anchor;
use super::database::Database;
use super::rebuild::Rebuilder;
use super::register::{Advance, Entry, Version, now_us};
use super::schema;
use super::table::Table;
use super::view::other_store;
use crate::Store;
use crate::view::feed::{Batch, Batching};
use crate::view::lag::Lag;
use crate::view::projector::{Begin, Sink, Taken, Trouble};
use crate::view::{Phase, Projection};

/// How often requests are looked for, unless the lease is shorter than four times
/// this.
const TICK_MAX: Duration = Duration::from_millis(250);

/// Writes one version of a projection.
pub(super) struct DatabaseSink<P: Projection> {
    pub projection: Arc<P>,
    pub store: Store,
    pub database: Database,
    pub batching: Batching,
    pub lease: Duration,
    pub connection: Connection,
    /// What it was given when it became the runner.
    pub epoch: Option<i64>,
    /// The table in use.
    pub table: Option<Table>,
    pub rebuilder: Option<Rebuilder>,
    /// When it last said that it is there, and as what.
    pub beaten: Option<(i64, Phase)>,
}

#[derive(Debug, thiserror::Error)]
#[error("version {version} of {name} was removed from the database: start it again to begin anew")]
struct Removed {
    name: &'static str,
    version: u32,
}

impl<P: Projection> DatabaseSink<P> {
    pub const VERSION: Version = Version { name: P::NAME, version: P::VERSION };

    fn lease_us(&self) -> i64 {
        i64::try_from(self.lease.as_micros()).unwrap_or(i64::MAX)
    }

    /// Begins, goes on with or ends a rebuild, as is asked.
    fn heed_rebuild(&mut self) -> Result<(), Trouble> {
        let Some(epoch) = self.epoch else { return Ok(()) };
        if self.rebuilder.as_ref().is_some_and(Rebuilder::has_ended) {
            self.rebuilder = None;
        }
        if self.rebuilder.is_none() && Rebuilder::is_asked_for(Self::VERSION, &self.connection)? {
            let (store, database) = (self.store.clone(), self.database.clone());
            let projection = Arc::clone(&self.projection);
            self.rebuilder = Some(Rebuilder::start(projection, store, database, self.batching, epoch)?);
        }
        Ok(())
    }
}

impl Entry {
    /// Whether the runner of this epoch may project now.
    fn allows(&self, epoch: Option<i64>) -> bool {
        Some(self.epoch) == epoch && !self.is_paused && !self.has_failed
    }
}

impl<P: Projection> Sink for DatabaseSink<P> {
    fn begin(&mut self) -> Result<Begin, Trouble> {
        let removed = || Removed { name: P::NAME, version: P::VERSION };
        let entry = Self::VERSION.entry(&self.connection)?.ok_or_else(removed)?;
        if Some(entry.epoch) != self.epoch && entry.is_run() {
            // Whoever lost the epoch has nothing to rebuild either.
            (self.epoch, self.rebuilder) = (None, None);
            return Ok(Begin::Wait(Phase::Standby, entry.next));
        }
        let database = self.database.clone();
        let turn = database.turn();
        let lease_us = self.lease_us();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Again, now that nobody else can write.
        let mut entry = Self::VERSION.entry(&transaction)?.ok_or_else(removed)?;
        if Some(entry.epoch) != self.epoch {
            if entry.is_run() {
                return Ok(Begin::Wait(Phase::Standby, entry.next));
            }
            if let Some(anchor) = &entry.anchor
                && !anchor.is_in(&self.store)?
            {
                return Err(other_store::<P>(anchor).into());
            }
            entry.epoch += 1;
            entry.next = Anchor::next(entry.anchor.as_ref());
            entry.has_failed = false;
            Self::VERSION.claim(&transaction, entry.epoch, lease_us)?;
        }
        let phase = match () {
            () if entry.is_paused => Phase::Paused,
            () if entry.has_failed => Phase::Failed,
            () => Phase::CatchingUp,
        };
        Self::VERSION.beat(&transaction, phase, Lag::of(&self.store, entry.next)?)?;
        transaction.commit()?;
        drop(turn);
        self.epoch = Some(entry.epoch);
        self.beaten = None;
        self.heed_rebuild()?;
        Ok(match phase {
            Phase::CatchingUp => Begin::At(entry.next),
            waits => Begin::Wait(waits, entry.next),
        })
    }

    fn take(&mut self, batch: &Batch) -> Result<Option<Taken>, Trouble> {
        let database = self.database.clone();
        let _turn = database.turn();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(entry) = Self::VERSION.entry(&transaction)?.filter(|entry| entry.allows(self.epoch)) else {
            return Ok(None);
        };
        // After a rebuild there is another table, which may be further on.
        let name = schema::table(P::NAME, P::VERSION, entry.generation);
        let table = match self.table.take() {
            Some(table) if table.name == name => table,
            _ => Table::of::<P::Row>(name),
        };
        let table = self.table.insert(table);
        let begin = batch.events.partition_point(|event| event.position < entry.next);
        let events = &batch.events[begin..];
        let projected = table.project(&*self.projection, events, &transaction)?;
        let next = projected.poison.as_ref().map_or(batch.next, |poison| poison.position).max(entry.next);
        let phase = if batch.is_live { Phase::Live } else { Phase::CatchingUp };
        let projected_events = &events[..projected.events];
        let anchor = Anchor::before(next, projected_events, &self.store)?;
        let advance = Advance { next, events: projected.events, anchor };
        Self::VERSION.advance(&transaction, &advance, phase, Lag::of(&self.store, next)?)?;
        if let Some(poison) = &projected.poison {
            Self::VERSION.fail(&transaction, poison)?;
        }
        transaction.commit()?;
        self.beaten = Some((now_us(), phase));
        Ok(Some(match projected.poison {
            Some(poison) => Taken::Until(poison),
            None => Taken::Whole(projected.events),
        }))
    }

    fn tick(&mut self, next: Position, is_live: bool) -> Result<bool, Trouble> {
        if !Self::VERSION.entry(&self.connection)?.is_some_and(|entry| entry.allows(self.epoch)) {
            return Ok(false);
        }
        let phase = if is_live { Phase::Live } else { Phase::CatchingUp };
        let is_fresh = self.beaten.is_some_and(|(at, as_what)| {
            as_what == phase && now_us().saturating_sub(at) < self.lease_us() / 3
        });
        // Once it has everything the version in use has, it is shown instead,
        // unless that is a newer one.
        let is_due = |connection: &Connection| {
            let active = Self::VERSION.active(connection)?;
            Ok::<_, rusqlite::Error>(is_live && active.is_none_or(|active| active < P::VERSION))
        };
        if !is_fresh || is_due(&self.connection)? {
            let database = self.database.clone();
            let _turn = database.turn();
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Again, now that nobody else can write.
            let Some(entry) = Self::VERSION.entry(&transaction)?.filter(|entry| entry.allows(self.epoch))
            else {
                return Ok(false);
            };
            let next = next.max(entry.next);
            let anchor = Anchor::before(next, &[], &self.store)?;
            let advance = Advance { next, events: 0, anchor };
            Self::VERSION.advance(&transaction, &advance, phase, Lag::of(&self.store, next)?)?;
            if is_due(&transaction)? {
                Self::VERSION.activate(&transaction)?;
                let at = schema::view(P::NAME, P::VERSION);
                transaction.execute_batch(&schema::point_view(P::NAME, &at))?;
            }
            transaction.commit()?;
            self.beaten = Some((now_us(), phase));
        }
        self.heed_rebuild()?;
        Ok(true)
    }

    fn tick_every(&self) -> Duration {
        TICK_MAX.min(self.lease / 4)
    }

    fn end(&mut self) {
        self.rebuilder = None;
        if let Some(epoch) = self.epoch {
            let database = self.database.clone();
            let _turn = database.turn();
            // If it cannot be said, the lease runs out.
            let _ = Self::VERSION.release(&self.connection, epoch);
        }
    }
}
