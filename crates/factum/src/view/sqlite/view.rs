//! [`DatabaseView`]: a read model in a database, as the program that runs it
//! sees it.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use factum_core::Position;
use parking_lot::Mutex;
use rusqlite::{Connection, TransactionBehavior};

use super::anchor::Anchor;
use super::control::{Control, ControlError};
use super::database::{Database, DatabaseError};
use super::register::{Entry, Version};
use super::schema::{self, quoted};
use super::sink::DatabaseSink;
use super::table;
use crate::view::projection::{DefinitionError, query};
use crate::view::projector::{Projecting, Projector};
use crate::view::rows::Below;
use crate::view::{CellError, Progress, Projection, Reached, Row, Status, Waiting};
use crate::{ReadError, Store};

/// A read model in a database, kept up to date by this process unless another
/// does so already; then this one stands by. Dropping it ends that; the rows stay.
pub struct DatabaseView<P: Projection> {
    projector: Projector,
    database: Database,
    reader: Mutex<Connection>,
    find: String,
    all: String,
    _projection: PhantomData<fn() -> P>,
}

/// Why a projection cannot run in a database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InDatabaseError {
    /// It is not well defined.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The columns of its rows are not those of its table, or are read in another
    /// way, or its rows are found by another key.
    #[error(
        "the rows of {name} have other columns, or another key, than version {version} has in the database: raise its VERSION (stored: {stored}; now: {now})"
    )]
    OtherColumns {
        /// The projection.
        name: &'static str,
        /// Its version.
        version: u32,
        /// The columns of the table.
        stored: String,
        /// The fields of the row.
        now: String,
    },
    /// The log does not have the events that were looked at.
    #[error(
        "{name} in this database was projected from another store: it has seen event {id} at position {position}, which this store does not have there"
    )]
    OtherStore {
        /// The projection.
        name: &'static str,
        /// The last event it has looked at.
        id: String,
        /// Where it was.
        position: Position,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The machine has no thread for it.
    #[error("cannot start a thread for {name}")]
    Thread {
        /// The projection.
        name: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why rows cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadRowsError {
    /// What is asked for can be no key.
    #[error(transparent)]
    Key(#[from] CellError),
    /// The rows in the database are not of this type.
    #[error("the rows of {name} cannot be read")]
    Rows {
        /// The projection.
        name: &'static str,
        /// What is wrong.
        #[source]
        source: Below,
    },
}

impl<P: Projection> Projecting<P> {
    /// In a table of this database, on a thread of its own, from its checkpoint
    /// on. Rows and checkpoint are stored in one transaction.
    ///
    /// Returns at once, while the rows may still be those of before, or none: see
    /// [`Progress::wait_for_all`].
    pub fn in_database(self, database: &Database) -> Result<DatabaseView<P>, InDatabaseError> {
        let query = query::<P>()?;
        let store = self.store.clone();
        let progress = Progress::new(store.clone(), P::NAME, P::VERSION);
        let reader = Mutex::new(database.connection()?);
        let sink = self.sink(database)?;
        let batching = sink.batching;
        let projector = Projector::start(P::NAME, store, query, batching, progress, sink)
            .map_err(|source| InDatabaseError::Thread { name: P::NAME, source })?;
        let names: Vec<_> = P::Row::columns().iter().map(|column| quoted(column.name)).collect();
        let view = quoted(&schema::view(P::NAME, P::VERSION));
        let select = format!("SELECT {} FROM {view}", names.join(", "));
        let key = schema::key::<P::Row>();
        let is_key: Vec<_> = key.iter().map(|column| format!("{column} = ?")).collect();
        Ok(DatabaseView {
            projector,
            database: database.clone(),
            reader,
            find: format!("{select} WHERE {}", is_key.join(" AND ")),
            all: format!("{select} ORDER BY {}", key.join(", ")),
            _projection: PhantomData,
        })
    }

    /// What the projector writes to.
    pub(super) fn sink(self, database: &Database) -> Result<DatabaseSink<P>, InDatabaseError> {
        let mut connection = database.writer()?;
        prepare::<P>(&self.store, database, &mut connection)?;
        Ok(DatabaseSink {
            projection: Arc::new(self.projection),
            store: self.store,
            database: database.clone(),
            batching: self.batching.within(self.lease),
            lease: self.lease,
            connection,
            epoch: None,
            table: None,
            rebuilder: None,
            beaten: None,
        })
    }

    /// How long a runner may be silent before another takes over; 3 seconds
    /// unless told otherwise. One that was only slow then writes nothing more. A
    /// batch is gathered for at most a quarter of it, whatever
    /// [`batch_gather_max`](Self::batch_gather_max) says.
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease: lease.max(Duration::from_millis(20)), ..self }
    }
}

/// Makes the table, or checks that the one that is there is the right one.
fn prepare<P: Projection>(
    store: &Store,
    database: &Database,
    connection: &mut Connection,
) -> Result<(), InDatabaseError> {
    let version = Version { name: P::NAME, version: P::VERSION };
    let columns = schema::described::<P::Row>();
    let _turn = database.turn();
    let entry = register::<P>(version, &columns, connection).map_err(|source| database.error(source))?;
    let Some(entry) = entry else { return Ok(()) };
    if entry.columns != columns {
        return Err(InDatabaseError::OtherColumns {
            name: P::NAME,
            version: P::VERSION,
            stored: entry.columns,
            now: columns,
        });
    }
    match &entry.anchor {
        Some(anchor) if !anchor.is_in(store)? => Err(other_store::<P>(anchor)),
        _ => Ok(()),
    }
}

/// The log does not have the event the checkpoint names.
pub(super) fn other_store<P: Projection>(anchor: &Anchor) -> InDatabaseError {
    InDatabaseError::OtherStore { name: P::NAME, id: anchor.id.clone(), position: anchor.position }
}

/// What the register says of a version; `None` if it was entered just now, with
/// its table. Indexes that are new are made there and then.
fn register<P: Projection>(
    version: Version,
    columns: &str,
    connection: &mut Connection,
) -> rusqlite::Result<Option<Entry>> {
    let Version { name, version: number } = version;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(mut entry) = version.entry(&transaction)? {
        // Once they were described as SQL defines them, and nothing more was known.
        if entry.columns == schema::columns::<P::Row>() {
            version.describe(&transaction, columns)?;
            columns.clone_into(&mut entry.columns);
        }
        if entry.columns == columns {
            let table = schema::table(name, number, entry.generation);
            transaction.execute_batch(&schema::create_indexes::<P::Row>(&table))?;
            transaction.commit()?;
        }
        return Ok(Some(entry));
    }
    version.insert(&transaction, columns)?;
    let table = schema::table(name, number, 1);
    transaction.execute_batch(&schema::create_table::<P::Row>(&table))?;
    let view = schema::view(name, number);
    transaction.execute_batch(&schema::point_view(&view, &table))?;
    // The first version is shown while it grows; a later one once it has caught up.
    if version.active(&transaction)?.is_none() {
        version.activate(&transaction)?;
        transaction.execute_batch(&schema::point_view(name, &view))?;
    }
    transaction.commit()?;
    Ok(None)
}

impl<P: Projection> DatabaseView<P> {
    /// The row with this key.
    pub fn get(&self, key: &<P::Row as Row>::Key) -> Result<Option<P::Row>, ReadRowsError> {
        let key = P::Row::key_of(key)?;
        let reader = self.reader.lock();
        let found = reader.prepare_cached(&self.find).map_err(Below::from);
        found.and_then(|statement| table::find(statement, &key)).map_err(unreadable::<P>)
    }

    /// All rows in the order of their keys.
    pub fn rows(&self) -> Result<Vec<P::Row>, ReadRowsError> {
        let reader = self.reader.lock();
        let read = || -> Result<Vec<P::Row>, Below> {
            let mut statement = reader.prepare_cached(&self.all)?;
            let mut rows = Vec::new();
            for cells in statement.query_map([], table::cells)? {
                rows.push(P::Row::from_cells(cells?)?);
            }
            Ok(rows)
        };
        read().map_err(unreadable::<P>)
    }

    /// Asks in SQL. The rows are in the view that is called like the projection.
    pub fn query<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, DatabaseError> {
        ask(&self.reader.lock()).map_err(|source| self.database.error(source))
    }

    /// See [`Progress::wait_for`].
    pub fn wait_for(&self, reached: impl Into<Reached>) -> Waiting {
        self.progress().wait_for(reached)
    }

    /// See [`Progress::status`].
    pub fn status(&self) -> Result<Status, ReadError> {
        self.progress().status()
    }

    /// How far it has come.
    pub fn progress(&self) -> &Progress {
        &self.projector.progress
    }

    /// Pauses, resumes and rebuilds.
    pub fn control(&self) -> Result<Control, ControlError> {
        self.database.control()
    }
}

fn unreadable<P: Projection>(source: Below) -> ReadRowsError {
    ReadRowsError::Rows { name: P::NAME, source }
}
