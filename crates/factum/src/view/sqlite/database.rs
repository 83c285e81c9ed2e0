//! [`Database`]: the file that holds read models, and its connections.
//!
//! Whoever writes takes its turn first: SQLite lets waiting writers try again at
//! intervals, so that one who writes all the time, a rebuild for instance, would
//! keep out the others of this process. Those of other processes, an operator's
//! for instance, can only try; they do so often enough to meet the gap between two
//! transactions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{FairMutex, FairMutexGuard};
use rusqlite::{Connection, OpenFlags};

use super::control::{Control, ControlError};
use super::schema;

/// How often a write that finds another process's tries again, for 5 s in all.
const TRY_EVERY: Duration = Duration::from_millis(1);
const TRIES_MAX: i32 = 5_000;

/// A SQLite database for read models. Clones are the same one.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    path: PathBuf,
    turn: Turn,
}

/// Who of this process writes next. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<FairMutex<()>>);

impl Turn {
    /// To write is allowed while this lives.
    pub fn take(&self) -> FairMutexGuard<'_, ()> {
        self.0.lock()
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// It is in memory, where each connection has one of its own.
    #[error("{path:?} is no file: name one that the connections of a projection share")]
    NoFile {
        /// What was given.
        path: PathBuf,
    },
    /// SQLite says no.
    #[error("the database {path} cannot be used")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
}

impl Database {
    /// The database in this file, which is made if there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatabaseError> {
        let path = path.as_ref().to_owned();
        let text = path.to_string_lossy();
        if text.is_empty() || text.starts_with(":memory:") || text.starts_with("file:") {
            return Err(DatabaseError::NoFile { path });
        }
        let database = Self(Arc::new(Inner { path, turn: Turn::default() }));
        let connection = database.writer()?;
        connection
            .execute_batch(schema::REGISTER)
            .and_then(|()| schema::bring_up_to_date(&connection))
            .map_err(|source| database.error(source))?;
        Ok(database)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// A connection of its own, for questions in SQL: it cannot write.
    pub fn connection(&self) -> Result<Connection, DatabaseError> {
        let connection = self.writer()?;
        connection.pragma_update(None, "query_only", true).map_err(|source| self.error(source))?;
        Ok(connection)
    }

    /// What is projected into it, and how to pause, resume and rebuild that.
    pub fn control(&self) -> Result<Control, ControlError> {
        Control::with(self.0.path.clone(), self.0.turn.clone())
    }

    pub(super) fn writer(&self) -> Result<Connection, DatabaseError> {
        connect(&self.0.path, true).map_err(|source| self.error(source))
    }

    /// To write is allowed while this lives.
    pub(super) fn turn(&self) -> FairMutexGuard<'_, ()> {
        self.0.turn.take()
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> DatabaseError {
        DatabaseError::Sqlite { path: self.0.path.clone(), source }
    }
}

/// Opens a file. `creates`: as one for read models, which is made if there is none;
/// otherwise nothing of it is changed.
pub(super) fn connect(path: &Path, creates: bool) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, creates);
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(|tries| {
        thread::sleep(TRY_EVERY);
        tries < TRIES_MAX
    }))?;
    connection.set_prepared_statement_cache_capacity(64);
    if creates {
        // It stays so for whoever opens it.
        connection.execute_batch("PRAGMA journal_mode = WAL")?;
    }
    // What a crash of the machine takes from the end of the database is
    // projected again: its checkpoint goes with it.
    connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384;")?;
    Ok(connection)
}
