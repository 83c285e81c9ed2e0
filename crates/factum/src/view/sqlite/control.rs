//! [`Control`]: projections seen and steered from outside the program that runs
//! them, through the tables in their database.
//!
//! Nothing here knows a projection's code: a request is written down, and whoever
//! runs the projection heeds it within a fraction of a second.

use std::path::{Path, PathBuf};
use std::time::Duration;

use factum_core::{Position, Timestamp};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, Transaction, TransactionBehavior};

use super::database::{Turn, connect};
use super::register::{is_fresh, phase_of, position};
use super::schema::{self, quoted};
use crate::view::Phase;

/// The projections of a database.
pub struct Control {
    path: PathBuf,
    connection: Connection,
    turn: Turn,
}

/// One version of a projection.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionStatus {
    /// What it is called; also the view that shows its rows.
    pub name: String,
    /// Which version.
    pub version: u32,
    /// Whether this is the version shown under its name.
    pub is_active: bool,
    /// What it is doing; [`Phase::Stopped`] if its runner has not been heard of.
    pub phase: Phase,
    /// Whether somebody asked it to wait.
    pub is_paused: bool,
    /// Every event up to here is in its rows.
    pub position: Option<Position>,
    /// How many events are.
    pub events: u64,
    /// How many positions of the log it had not looked at when last heard of.
    pub lag_events: u64,
    /// How long ago the first of those was recorded, then.
    pub lag: Duration,
    /// When its runner was last heard of; `None` if nobody runs it.
    pub heartbeat: Option<Timestamp>,
    /// The event it stands before, and why.
    pub failure: Option<Failure>,
    /// The rebuild under way, or the last one.
    pub rebuild: Option<RebuildStatus>,
}

/// An event that cannot be projected, as the register tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Failure {
    pub position: Position,
    pub event_type: String,
    pub stream: String,
    pub revision: u64,
    pub reason: String,
}

/// What became of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RebuildState {
    /// Nobody has begun it.
    Requested,
    /// It is under way.
    Running,
    /// It is to end without a trace.
    Cancelling,
    /// Its rows are in use.
    Done,
    /// It ended without a trace.
    Cancelled,
    /// An event cannot be projected; the rows in use stayed.
    Failed,
}

impl RebuildState {
    const ALL: [Self; 6] =
        [Self::Requested, Self::Running, Self::Cancelling, Self::Done, Self::Cancelled, Self::Failed];

    /// One word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Whether more is to come of it.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Requested | Self::Running | Self::Cancelling)
    }
}

/// How far a rebuild has come.
#[derive(Debug, Clone, PartialEq)]
pub struct RebuildStatus {
    /// What became of it.
    pub state: RebuildState,
    /// How many positions of the log it has looked at.
    pub done: u64,
    /// Of how many.
    pub total: u64,
    /// How many events it has projected.
    pub events: u64,
    /// How many positions it looks at in a second.
    pub per_second: f64,
    /// How long the rest will take at that rate.
    pub remaining: Option<Duration>,
    /// Why it failed, or what is tried again.
    pub reason: Option<String>,
}

/// What goes with a version of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// How many rows it has.
    pub rows: u64,
    /// From how many events.
    pub events: u64,
}

/// Why a projection cannot be seen or steered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such file.
    #[error("there is no database {path}: name the file that was given to `Database::open`")]
    NoDatabase {
        /// What was given.
        path: PathBuf,
    },
    /// Nothing was ever projected into it.
    #[error(
        "no projection was ever run in the database {path}: name the file that was given to `Database::open`"
    )]
    NoProjections {
        /// The file.
        path: PathBuf,
    },
    /// There is no projection of this name.
    #[error("there is no projection {name:?}; there are: {}", known.join(", "))]
    Unknown {
        /// What was given.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// There is no such version of it.
    #[error(
        "there is no version {version} of {name}; there are: {}",
        known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    UnknownVersion {
        /// The projection.
        name: String,
        /// What was given.
        version: u32,
        /// Those there are.
        known: Vec<u32>,
    },
    /// The active version of it is not to be removed.
    #[error("version {version} of {name} is the one in use: only another version can be removed")]
    InUse {
        /// The projection.
        name: String,
        /// Its version.
        version: u32,
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

impl Control {
    /// Of the database in this file, which must be there.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ControlError> {
        Self::with(path.as_ref().to_owned(), Turn::default())
    }

    /// Of a database that this process may write to as well.
    pub(super) fn with(path: PathBuf, turn: Turn) -> Result<Self, ControlError> {
        let connection = match connect(&path, false) {
            Ok(connection) => connection,
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::CannotOpen => {
                return Err(ControlError::NoDatabase { path });
            }
            Err(source) => return Err(ControlError::Sqlite { path, source }),
        };
        let tables =
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('factum_projection', 'factum_rebuild')";
        match connection.query_row(tables, [], |row| row.get::<_, i64>(0)) {
            Ok(2) => Ok(Self { path, connection, turn }),
            Ok(_) => Err(ControlError::NoProjections { path }),
            Err(source) => Err(ControlError::Sqlite { path, source }),
        }
    }

    /// All versions of all projections, by name and version.
    pub fn status(&self) -> Result<Vec<ProjectionStatus>, ControlError> {
        let read = || -> rusqlite::Result<Vec<ProjectionStatus>> {
            let mut statement = self.connection.prepare_cached(
                "SELECT p.*, r.state, r.reason, r.next_position AS rebuild_next, r.events AS rebuild_events,
                    r.log_end AS rebuild_end, r.began_us, r.began_position, r.updated_us
                 FROM factum_projection p LEFT JOIN factum_rebuild r USING (name, version)
                 ORDER BY name, version",
            )?;
            statement.query_map([], status)?.collect()
        };
        read().map_err(|source| self.error(source))
    }

    /// The versions of one projection.
    pub fn status_of(&self, name: &str) -> Result<Vec<ProjectionStatus>, ControlError> {
        let (found, others): (Vec<_>, Vec<_>) =
            self.status()?.into_iter().partition(|status| status.name == name);
        if found.is_empty() {
            let mut known: Vec<_> = others.into_iter().map(|status| status.name).collect();
            known.dedup();
            return Err(ControlError::Unknown { name: name.to_owned(), known });
        }
        Ok(found)
    }

    /// Has every version of a projection wait. That holds until it is resumed,
    /// also if nobody runs it now.
    pub fn pause(&self, name: &str) -> Result<(), ControlError> {
        self.status_of(name)?;
        self.write("UPDATE factum_projection SET is_paused = 1 WHERE name = ?1", name)
    }

    /// Has every version of a projection go on, and try once more what failed.
    pub fn resume(&self, name: &str) -> Result<(), ControlError> {
        self.status_of(name)?;
        self.write(
            "UPDATE factum_projection SET is_paused = 0, failed_position = NULL, failed_type = NULL,
                failed_stream = NULL, failed_revision = NULL, failed_reason = NULL WHERE name = ?1",
            name,
        )
    }

    /// Asks for a rebuild of the active version. One that is under way, or was
    /// interrupted, begins anew.
    pub fn rebuild(&self, name: &str) -> Result<(), ControlError> {
        self.status_of(name)?;
        self.write(
            // The table that was begun keeps its number, so that it is not left behind.
            "INSERT OR REPLACE INTO factum_rebuild (name, version, state, generation)
             SELECT p.name, p.version, 'requested',
                CASE WHEN r.state IN ('requested', 'running') THEN r.generation ELSE 0 END
             FROM factum_projection p LEFT JOIN factum_rebuild r USING (name, version)
             WHERE p.name = ?1 AND p.is_active AND r.state IS NOT 'cancelling'",
            name,
        )
    }

    /// Asks for the end of a rebuild. The rows in use stay.
    pub fn cancel_rebuild(&self, name: &str) -> Result<(), ControlError> {
        self.status_of(name)?;
        self.write(
            "UPDATE factum_rebuild SET state = 'cancelling' WHERE name = ?1 AND state IN ('requested', 'running')",
            name,
        )
    }

    /// How many rows the version in use has.
    pub fn rows(&self, name: &str) -> Result<u64, ControlError> {
        self.status_of(name)?;
        let count = format!("SELECT count(*) FROM {}", quoted(name));
        let count: i64 =
            self.connection.query_row(&count, [], |row| row.get(0)).map_err(|source| self.error(source))?;
        Ok(count.unsigned_abs())
    }

    /// What [`remove`](Self::remove) would remove; an error if it would refuse.
    pub fn removal(&self, name: &str, version: u32) -> Result<Removal, ControlError> {
        let found = self.version_of(name, version)?;
        if found.is_active {
            return Err(ControlError::InUse { name: name.to_owned(), version });
        }
        let count = format!("SELECT count(*) FROM {}", quoted(&schema::view(name, version)));
        let rows: i64 =
            self.connection.query_row(&count, [], |row| row.get(0)).map_err(|source| self.error(source))?;
        Ok(Removal { rows: rows.unsigned_abs(), events: found.events })
    }

    fn version_of(&self, name: &str, version: u32) -> Result<ProjectionStatus, ControlError> {
        let mut versions = self.status_of(name)?;
        match versions.iter().position(|status| status.version == version) {
            Some(place) => Ok(versions.swap_remove(place)),
            None => {
                let known = versions.into_iter().map(|status| status.version).collect();
                Err(ControlError::UnknownVersion { name: name.to_owned(), version, known })
            }
        }
    }

    /// Removes the rows and the checkpoint of a version that is not in use, such
    /// as the one before.
    pub fn remove(&self, name: &str, version: u32) -> Result<(), ControlError> {
        self.version_of(name, version)?;
        let _turn = self.turn.take();
        // Nobody else writes from here on, so what is looked at stays so.
        let remove = || -> rusqlite::Result<bool> {
            let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
            let found: Option<(bool, i64, Option<i64>)> = transaction
                .query_row(
                    "SELECT p.is_active, p.generation, r.generation FROM factum_projection p
                     LEFT JOIN factum_rebuild r USING (name, version) WHERE name = ?1 AND version = ?2",
                    (name, version),
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()?;
            let Some((is_active, used, rebuilt)) = found else { return Ok(true) };
            if is_active {
                return Ok(false);
            }
            let view = quoted(&schema::view(name, version));
            transaction.execute_batch(&format!("DROP VIEW IF EXISTS {view}"))?;
            for generation in [Some(used), rebuilt].into_iter().flatten() {
                let table = quoted(&schema::table(name, version, generation));
                transaction.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
            }
            for register in ["factum_projection", "factum_rebuild"] {
                let delete = format!("DELETE FROM {register} WHERE name = ?1 AND version = ?2");
                transaction.execute(&delete, (name, version))?;
            }
            transaction.commit()?;
            Ok(true)
        };
        match remove().map_err(|source| self.error(source))? {
            true => Ok(()),
            false => Err(ControlError::InUse { name: name.to_owned(), version }),
        }
    }

    fn write(&self, sql: &str, name: &str) -> Result<(), ControlError> {
        let _turn = self.turn.take();
        self.connection.execute(sql, [name]).map(|_| ()).map_err(|source| self.error(source))
    }

    fn error(&self, source: rusqlite::Error) -> ControlError {
        ControlError::Sqlite { path: self.path.clone(), source }
    }
}

fn status(row: &Row<'_>) -> rusqlite::Result<ProjectionStatus> {
    let unsigned = |name: &str| row.get::<_, i64>(name).map(i64::unsigned_abs);
    let heartbeat: Option<i64> = row.get("heartbeat_us")?;
    let lease_us = row.get("lease_us")?;
    let heartbeat = heartbeat.filter(|at| is_fresh(*at, lease_us));
    let next = unsigned("next_position")?;
    let failed_position: Option<i64> = row.get("failed_position")?;
    let failure = match failed_position {
        None => None,
        Some(at) => Some(Failure {
            position: position(at),
            event_type: row.get("failed_type")?,
            stream: row.get("failed_stream")?,
            revision: unsigned("failed_revision")?,
            reason: row.get("failed_reason")?,
        }),
    };
    let phase: String = row.get("phase")?;
    let phase = match (&heartbeat, phase_of(&phase)) {
        (None, Phase::Failed) if failure.is_some() => Phase::Failed,
        (None, _) => Phase::Stopped,
        (Some(_), phase) => phase,
    };
    Ok(ProjectionStatus {
        name: row.get("name")?,
        version: row.get("version")?,
        is_active: row.get("is_active")?,
        phase,
        is_paused: row.get("is_paused")?,
        position: Position::new(next).previous(),
        events: unsigned("events")?,
        lag_events: unsigned("log_end")?.saturating_sub(next),
        lag: Duration::from_micros(unsigned("lag_us")?),
        heartbeat: heartbeat.map(Timestamp::from_micros),
        failure,
        rebuild: rebuild(row)?,
    })
}

fn rebuild(row: &Row<'_>) -> rusqlite::Result<Option<RebuildStatus>> {
    let state: Option<String> = row.get("state")?;
    let state = RebuildState::ALL.into_iter().find(|known| Some(known.as_str()) == state.as_deref());
    let Some(state) = state else { return Ok(None) };
    let unsigned = |name: &str| row.get::<_, i64>(name).map(i64::unsigned_abs);
    let (done, total) = (unsigned("rebuild_next")?, unsigned("rebuild_end")?);
    let seconds = (row.get::<_, i64>("updated_us")? - row.get::<_, i64>("began_us")?) as f64 / 1e6;
    let looked_at = done.saturating_sub(unsigned("began_position")?) as f64;
    let per_second = if seconds > 0.0 { looked_at / seconds } else { 0.0 };
    let left = total.saturating_sub(done) as f64;
    Ok(Some(RebuildStatus {
        state,
        done,
        total: total.max(done),
        events: unsigned("rebuild_events")?,
        per_second,
        remaining: (state == RebuildState::Running && per_second > 0.0)
            .then(|| Duration::try_from_secs_f64(left / per_second).ok())
            .flatten(),
        reason: row.get("reason")?,
    }))
}
