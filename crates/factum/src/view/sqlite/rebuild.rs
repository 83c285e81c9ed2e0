//! Rebuilding: the rows once more from the first event, beside the table in use.
//!
//! ```text
//!   in use     ├────────────────────────────────────┬─┬─┬─┬─
//!   rebuilt    ├──────────▶ ├──────────▶ ├─────────▶│ swap
//!              batches of their own transactions    │
//!                                     one transaction: what is still missing,
//!                                     the view, the checkpoint, the old table
//! ```
//!
//! How far it has come stands in the same transactions as its rows. A rebuild
//! that is killed goes on where it was, as soon as somebody runs the projection,
//! if that is the same release of the program and the same log: rows are never
//! made by two kinds of code.

use std::sync::Arc;
use std::task::{Context, Waker};

use factum_core::{Position, Query, Read, RecordedEvent, Start, Until};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, named_params};

use super::anchor::Anchor;
use super::database::Database;
use super::register::{self, Advance, Entry, Version, now_us, number};
use super::schema::{self, quoted};
use super::table::Table;
use crate::view::feed::{Batch, Batching, Feed};
use crate::view::projection::query;
use crate::view::projector::{Trouble, told};
use crate::view::worker::{Stop, Worker};
use crate::view::{Poison, Projection};
use crate::{Event as _, Store};

/// A rebuild under way; dropping it interrupts it.
pub(super) struct Rebuilder(Worker);

impl Rebuilder {
    /// Whether somebody asks for a rebuild, or one was interrupted.
    pub fn is_asked_for(version: Version, connection: &Connection) -> rusqlite::Result<bool> {
        connection
            .prepare_cached(
                "SELECT count(*) FROM factum_rebuild WHERE name = ?1 AND version = ?2
                    AND state IN ('requested', 'running', 'cancelling')",
            )?
            .query_row((version.name, version.version), |row| Ok(row.get::<_, i64>(0)? > 0))
    }

    /// Begins or goes on, as the runner of this epoch.
    pub fn start<P: Projection>(
        projection: Arc<P>,
        store: Store,
        database: Database,
        batching: Batching,
        epoch: i64,
    ) -> Result<Self, Trouble> {
        let rebuild = Rebuild::new(projection, store, database, batching, epoch)?;
        Ok(Self(Worker::start(format!("rebuild {}", P::NAME), move |stop| rebuild.run(stop))?))
    }

    pub fn has_ended(&self) -> bool {
        self.0.has_ended()
    }
}

/// The work itself.
pub(super) struct Rebuild<P: Projection> {
    projection: Arc<P>,
    store: Store,
    database: Database,
    batching: Batching,
    epoch: i64,
    version: Version,
    query: Query,
    connection: Connection,
    table: Option<Table>,
}

/// What the register says of a rebuild.
struct Rebuilding {
    state: String,
    generation: i64,
    /// The last event it has looked at.
    anchor: Option<Anchor>,
    /// The program that made the rows there are.
    producer: Option<String>,
}

/// What to do after a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    End,
}

impl<P: Projection> Rebuild<P> {
    pub fn new(
        projection: Arc<P>,
        store: Store,
        database: Database,
        batching: Batching,
        epoch: i64,
    ) -> Result<Self, Trouble> {
        let version = Version { name: P::NAME, version: P::VERSION };
        let (query, connection) = (query::<P>()?, database.writer()?);
        Ok(Self { projection, store, database, batching, epoch, version, query, connection, table: None })
    }

    fn run(mut self, stop: &Stop) {
        if let Err(trouble) = self.until_done(stop) {
            // What can be tried again is, when the projector next looks; what
            // happened is told meanwhile.
            // If that cannot be written down, the next attempt has the same to tell.
            let _ = self.tell(&told(&*trouble));
        }
    }

    /// Writes down what keeps it, as long as it is the runner's.
    pub fn tell(&mut self, reason: &str) -> rusqlite::Result<()> {
        let database = self.database.clone();
        let _turn = database.turn();
        let version = self.version;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if ours(version, self.epoch, &transaction)?.is_some() {
            transaction.execute(
                "UPDATE factum_rebuild SET reason = ?3 WHERE name = ?1 AND version = ?2
                    AND state IN ('requested', 'running', 'cancelling')",
                (version.name, version.version, reason),
            )?;
        }
        transaction.commit()
    }

    fn until_done(&mut self, stop: &Stop) -> Result<(), Trouble> {
        let Some(next) = self.begin()? else { return Ok(()) };
        let mut feed = Feed::from(&self.store, self.query.clone(), next)?;
        let mut context = Context::from_waker(Waker::noop());
        while !stop.is_asked() {
            let batch = feed.gather(self.batching, &mut context)?;
            if let Then::End = self.take(&batch)? {
                break;
            }
        }
        Ok(())
    }

    /// Makes the table, unless it was made before. Answers where to begin.
    pub fn begin(&mut self) -> Result<Option<Position>, Trouble> {
        let log_end = self.store.events().last_position()?.map_or(Position::FIRST, Position::next);
        let database = self.database.clone();
        let _turn = database.turn();
        let version = self.version;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(entry) = ours(version, self.epoch, &transaction)? else { return Ok(None) };
        let Some(rebuilding) = rebuilding(version, &transaction)? else { return Ok(None) };
        let goes_on = rebuilding.producer.as_deref() == Some(P::Event::PRODUCER)
            && match &rebuilding.anchor {
                Some(anchor) => anchor.is_in(&self.store)?,
                None => true,
            };
        let (generation, next) = match rebuilding.state.as_str() {
            "running" if goes_on => (rebuilding.generation, Anchor::next(rebuilding.anchor.as_ref())),
            "running" | "requested" => {
                let generation = entry.generation + 1;
                let table = schema::table(P::NAME, P::VERSION, generation);
                transaction.execute_batch(&schema::create_table::<P::Row>(&table))?;
                begin_anew(version, &transaction)?;
                (generation, Position::FIRST)
            }
            _ => {
                cancel(version, &rebuilding, &transaction)?;
                transaction.commit()?;
                return Ok(None);
            }
        };
        transaction.execute(
            "UPDATE factum_rebuild SET state = 'running', generation = ?3, next_position = ?4, log_end = ?5,
                began_us = ?6, began_position = ?4, updated_us = ?6, reason = NULL, producer = ?7
             WHERE name = ?1 AND version = ?2",
            (
                version.name,
                version.version,
                generation,
                number(next),
                number(log_end),
                now_us(),
                P::Event::PRODUCER,
            ),
        )?;
        transaction.commit()?;
        self.table = Some(Table::of::<P::Row>(schema::table(P::NAME, P::VERSION, generation)));
        Ok(Some(next))
    }

    /// Stores a batch; swaps the tables if it was the last.
    pub fn take(&mut self, batch: &Batch) -> Result<Then, Trouble> {
        let log_end = self.store.events().last_position()?.map_or(Position::FIRST, Position::next);
        let database = self.database.clone();
        let _turn = database.turn();
        let version = self.version;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(entry) = ours(version, self.epoch, &transaction)? else { return Ok(Then::End) };
        let Some(rebuilding) = rebuilding(version, &transaction)? else { return Ok(Then::End) };
        if rebuilding.state != "running" {
            cancel(version, &rebuilding, &transaction)?;
            transaction.commit()?;
            return Ok(Then::End);
        }
        let table = self.table.as_ref().expect("it was made at the beginning");
        let mut projected = table.project(&*self.projection, &batch.events, &transaction)?;
        let mut next = batch.next;
        if batch.is_live && projected.poison.is_none() && next < entry.next {
            // The table in use is ahead, and stands still while this is open.
            let events = between(&self.store, &self.query, next, entry.next)?;
            let more = table.project(&*self.projection, &events, &transaction)?;
            projected.events += more.events;
            projected.poison = more.poison;
            next = entry.next;
        }
        if let Some(poison) = &projected.poison {
            drop(transaction);
            return self.fail(poison);
        }
        let anchor = Anchor::before(next, &batch.events, &self.store)?;
        let advanced = Advance { next, events: projected.events, anchor };
        advance(version, &transaction, &advanced, log_end.max(next))?;
        if !batch.is_live {
            transaction.commit()?;
            return Ok(Then::GoOn);
        }
        swap(version, &entry, &rebuilding, &transaction)?;
        transaction.commit()?;
        Ok(Then::End)
    }

    /// Gives up: the table in use stays.
    fn fail(&mut self, poison: &Poison) -> Result<Then, Trouble> {
        let version = self.version;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if ours(version, self.epoch, &transaction)?.is_some()
            && let Some(rebuilding) = rebuilding(version, &transaction)?
        {
            drop_table(version, &rebuilding, &transaction)?;
            transaction.execute(
                "UPDATE factum_rebuild SET state = 'failed', reason = ?3, updated_us = ?4
                 WHERE name = ?1 AND version = ?2",
                (version.name, version.version, poison.to_string(), now_us()),
            )?;
            transaction.commit()?;
        }
        Ok(Then::End)
    }
}

/// The events from a position on, up to the one before `end`.
fn between(
    store: &Store,
    query: &Query,
    from: Position,
    end: Position,
) -> Result<Vec<RecordedEvent>, Trouble> {
    let Some(last) = end.previous() else { return Ok(Vec::new()) };
    let read = Read::query(query.clone()).from(Start::Position(from)).until(Until::Position(last));
    Ok(store.events().read(read)?.collect::<Result<_, _>>()?)
}

/// The projection, as long as its runner is the one of this epoch.
fn ours(version: Version, epoch: i64, connection: &Connection) -> rusqlite::Result<Option<Entry>> {
    Ok(version.entry(connection)?.filter(|entry| entry.epoch == epoch))
}

fn rebuilding(version: Version, connection: &Connection) -> rusqlite::Result<Option<Rebuilding>> {
    connection
        .prepare_cached(
            "SELECT state, generation, last_position, last_event_id, producer FROM factum_rebuild WHERE name = ?1 AND version = ?2",
        )?
        .query_row((version.name, version.version), |row| {
            Ok(Rebuilding {
                state: row.get("state")?,
                generation: row.get("generation")?,
                anchor: register::anchor(row)?,
                producer: row.get("producer")?,
            })
        })
        .optional()
}

/// Forgets how far it had come.
fn begin_anew(version: Version, connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE factum_rebuild SET events = 0, last_position = NULL, last_event_id = NULL
         WHERE name = ?1 AND version = ?2",
        (version.name, version.version),
    )?;
    Ok(())
}

fn advance(
    version: Version,
    connection: &Connection,
    advance: &Advance,
    log_end: Position,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE factum_rebuild SET next_position = :next, events = events + :events,
                last_position = coalesce(:last_position, last_position),
                last_event_id = coalesce(:last_event_id, last_event_id),
                log_end = :log_end, updated_us = :now, reason = NULL
             WHERE name = :name AND version = :version",
        )?
        .execute(named_params! {
            ":next": number(advance.next),
            ":events": i64::try_from(advance.events).unwrap_or(i64::MAX),
            ":last_position": advance.anchor.as_ref().map(|anchor| number(anchor.position)),
            ":last_event_id": advance.anchor.as_ref().map(|anchor| anchor.id.as_str()),
            ":log_end": number(log_end),
            ":now": now_us(),
            ":name": version.name,
            ":version": version.version,
        })?;
    Ok(())
}

/// The rebuilt table takes the place of the one in use, with its checkpoint.
fn swap(
    version: Version,
    entry: &Entry,
    rebuilding: &Rebuilding,
    transaction: &Transaction<'_>,
) -> rusqlite::Result<()> {
    let Version { name, version: number } = version;
    let new = schema::table(name, number, rebuilding.generation);
    let old = schema::table(name, number, entry.generation);
    transaction.execute_batch(&schema::point_view(&schema::view(name, number), &new))?;
    transaction.execute_batch(&format!("DROP TABLE {}", quoted(&old)))?;
    transaction.execute(
        "UPDATE factum_projection SET (generation, next_position, events, last_position, last_event_id) =
            (SELECT generation, next_position, events, last_position, last_event_id
             FROM factum_rebuild WHERE name = ?1 AND version = ?2),
            failed_position = NULL, failed_type = NULL, failed_stream = NULL,
            failed_revision = NULL, failed_reason = NULL
         WHERE name = ?1 AND version = ?2",
        (name, number),
    )?;
    transaction.execute(
        "UPDATE factum_rebuild SET state = 'done', log_end = next_position WHERE name = ?1 AND version = ?2",
        (name, number),
    )?;
    Ok(())
}

/// Ends it without a trace but its state.
fn cancel(version: Version, rebuilding: &Rebuilding, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    if rebuilding.state == "cancelling" {
        drop_table(version, rebuilding, transaction)?;
        transaction.execute(
            "UPDATE factum_rebuild SET state = 'cancelled', updated_us = ?3 WHERE name = ?1 AND version = ?2",
            (version.name, version.version, now_us()),
        )?;
    }
    Ok(())
}

fn drop_table(
    version: Version,
    rebuilding: &Rebuilding,
    transaction: &Transaction<'_>,
) -> rusqlite::Result<()> {
    // 0: cancelled before there was one.
    if rebuilding.generation > 0 {
        let table = schema::table(version.name, version.version, rebuilding.generation);
        transaction.execute_batch(&format!("DROP TABLE IF EXISTS {}", quoted(&table)))?;
    }
    Ok(())
}
