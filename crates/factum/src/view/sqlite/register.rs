//! The register: how far each projection has come, who runs it and what was
//! asked of it, in the same database and the same transactions as its rows.

use factum_core::Position;
use factum_core::clock::{Clock as _, SystemClock};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use super::anchor::Anchor;
use crate::view::lag::Lag;
use crate::view::{Phase, Poison};

/// A version of a projection, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub name: &'static str,
    pub version: u32,
}

/// What the register says of a version, as far as its runner needs it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Which of its tables is in use.
    pub generation: i64,
    pub columns: String,
    /// Everything before this is in the table.
    pub next: Position,
    /// The last event that was looked at, to know the log by.
    pub anchor: Option<Anchor>,
    pub is_paused: bool,
    pub has_failed: bool,
    /// Grows with each runner; whoever has an older one writes nothing.
    pub epoch: i64,
    /// When its runner last wrote, and for how long that holds.
    pub heartbeat: Option<(i64, i64)>,
}

/// What was projected, for the register.
pub(super) struct Advance {
    pub next: Position,
    pub events: usize,
    /// The last event before `next`; `None` if it is the one from before.
    pub anchor: Option<Anchor>,
}

pub(super) fn now_us() -> i64 {
    SystemClock.now().as_micros()
}

/// Whether a heartbeat still holds. One that comes from the future does not: the
/// clock was set back, and may stay behind it for long.
pub(super) fn is_fresh(heartbeat_us: i64, lease_us: i64) -> bool {
    now_us().abs_diff(heartbeat_us) < lease_us.unsigned_abs()
}

fn lag_us(lag: Lag) -> i64 {
    i64::try_from(lag.time.as_micros()).unwrap_or(i64::MAX)
}

/// As SQLite counts.
pub(super) fn number(position: Position) -> i64 {
    i64::try_from(position.get()).unwrap_or(i64::MAX)
}

/// As it was counted.
pub(super) fn position(number: i64) -> Position {
    Position::new(number.unsigned_abs())
}

/// The anchor in a row of the register.
pub(super) fn anchor(row: &Row<'_>) -> rusqlite::Result<Option<Anchor>> {
    let at: Option<i64> = row.get("last_position")?;
    let id: Option<String> = row.get("last_event_id")?;
    Ok(at.map(position).zip(id).map(|(position, id)| Anchor { position, id }))
}

/// A phase as the register has it, and back.
pub(super) fn phase_of(text: &str) -> Phase {
    [Phase::Standby, Phase::CatchingUp, Phase::Live, Phase::Paused, Phase::Failed]
        .into_iter()
        .find(|phase| phase.as_str() == text)
        .unwrap_or(Phase::Stopped)
}

impl Entry {
    fn from(row: &Row<'_>) -> rusqlite::Result<Self> {
        let heartbeat_us: Option<i64> = row.get("heartbeat_us")?;
        let lease_us = row.get("lease_us")?;
        Ok(Self {
            generation: row.get("generation")?,
            columns: row.get("columns")?,
            next: position(row.get("next_position")?),
            anchor: anchor(row)?,
            is_paused: row.get("is_paused")?,
            has_failed: row.get::<_, Option<i64>>("failed_position")?.is_some(),
            epoch: row.get("epoch")?,
            heartbeat: heartbeat_us.map(|heartbeat| (heartbeat, lease_us)),
        })
    }

    /// Whether somebody runs it, as far as can be known.
    pub fn is_run(&self) -> bool {
        self.heartbeat.is_some_and(|(heartbeat, lease)| is_fresh(heartbeat, lease))
    }
}

impl Version {
    pub fn entry(self, connection: &Connection) -> rusqlite::Result<Option<Entry>> {
        connection
            .prepare_cached("SELECT * FROM factum_projection WHERE name = ?1 AND version = ?2")?
            .query_row((self.name, self.version), Entry::from)
            .optional()
    }

    /// Describes its columns in other words.
    pub fn describe(self, connection: &Connection, columns: &str) -> rusqlite::Result<()> {
        connection.execute(
            "UPDATE factum_projection SET columns = ?3 WHERE name = ?1 AND version = ?2",
            (self.name, self.version, columns),
        )?;
        Ok(())
    }

    pub fn insert(self, connection: &Connection, columns: &str) -> rusqlite::Result<()> {
        connection.execute(
            // Paused from the first moment, if the projection is.
            "INSERT INTO factum_projection (name, version, columns, is_paused) VALUES (?1, ?2, ?3,
                (SELECT coalesce(max(is_paused), 0) FROM factum_projection WHERE name = ?1))",
            (self.name, self.version, columns),
        )?;
        Ok(())
    }

    /// The version that is shown under the projection's name.
    pub fn active(self, connection: &Connection) -> rusqlite::Result<Option<u32>> {
        connection
            .prepare_cached("SELECT version FROM factum_projection WHERE name = ?1 AND is_active")?
            .query_row([self.name], |row| row.get(0))
            .optional()
    }

    pub fn activate(self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute(
            "UPDATE factum_projection SET is_active = (version = ?2) WHERE name = ?1",
            (self.name, self.version),
        )?;
        Ok(())
    }

    /// Gives a runner the next epoch. It begins afresh: what failed is tried again,
    /// and what the anchor does not vouch for is looked at again.
    pub fn claim(self, connection: &Connection, epoch: i64, lease_us: i64) -> rusqlite::Result<()> {
        connection.execute(
            "UPDATE factum_projection SET epoch = ?3, heartbeat_us = ?4, lease_us = ?5,
                next_position = coalesce(last_position + 1, 0),
                failed_position = NULL, failed_type = NULL, failed_stream = NULL,
                failed_revision = NULL, failed_reason = NULL
             WHERE name = ?1 AND version = ?2",
            (self.name, self.version, epoch, now_us(), lease_us),
        )?;
        Ok(())
    }

    /// Says that its runner is there, what it is doing, and how late it is.
    pub fn beat(self, connection: &Connection, phase: Phase, lag: Lag) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE factum_projection SET heartbeat_us = ?3, phase = ?4, log_end = ?5, lag_us = ?6
                 WHERE name = ?1 AND version = ?2",
            )?
            .execute((self.name, self.version, now_us(), phase.as_str(), number(lag.end), lag_us(lag)))?;
        Ok(())
    }

    /// Says that its runner has gone, if it is still the one of this epoch.
    pub fn release(self, connection: &Connection, epoch: i64) -> rusqlite::Result<()> {
        connection.execute(
            "UPDATE factum_projection SET heartbeat_us = NULL,
                phase = CASE WHEN failed_position IS NULL THEN 'stopped' ELSE 'failed' END
             WHERE name = ?1 AND version = ?2 AND epoch = ?3",
            (self.name, self.version, epoch),
        )?;
        Ok(())
    }

    /// Moves the checkpoint.
    pub fn advance(
        self,
        connection: &Connection,
        advance: &Advance,
        phase: Phase,
        lag: Lag,
    ) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE factum_projection SET next_position = :next, events = events + :events,
                    last_position = coalesce(:last_position, last_position),
                    last_event_id = coalesce(:last_event_id, last_event_id),
                    log_end = :log_end, lag_us = :lag, phase = :phase, heartbeat_us = :now
                 WHERE name = :name AND version = :version",
            )?
            .execute(named_params! {
                ":next": number(advance.next),
                ":events": i64::try_from(advance.events).unwrap_or(i64::MAX),
                ":last_position": advance.anchor.as_ref().map(|anchor| number(anchor.position)),
                ":last_event_id": advance.anchor.as_ref().map(|anchor| anchor.id.as_str()),
                ":log_end": number(lag.end),
                ":lag": lag_us(lag),
                ":phase": phase.as_str(),
                ":now": now_us(),
                ":name": self.name,
                ":version": self.version,
            })?;
        Ok(())
    }

    /// Says before which event it stands.
    pub fn fail(self, connection: &Connection, poison: &Poison) -> rusqlite::Result<()> {
        connection.execute(
            "UPDATE factum_projection SET phase = 'failed', failed_position = ?3, failed_type = ?4,
                failed_stream = ?5, failed_revision = ?6, failed_reason = ?7
             WHERE name = ?1 AND version = ?2",
            (
                self.name,
                self.version,
                number(poison.position),
                &poison.event_type,
                poison.stream.as_str(),
                i64::try_from(poison.revision.get()).unwrap_or(i64::MAX),
                &poison.reason,
            ),
        )?;
        Ok(())
    }
}
