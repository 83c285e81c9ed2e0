//! The systems: what each is called, what it is made of, and how it is set.

pub mod cqrs_es;
pub mod disintegrate;
pub mod eventcore;
pub mod factum;

use crate::versions;

/// One of those compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum System {
    /// Factum over its embedded log.
    Factum,
    /// The same, folding every state anew.
    FactumCold,
    /// cqrs-es over PostgreSQL.
    CqrsEs,
    /// disintegrate over PostgreSQL.
    Disintegrate,
    /// eventcore over PostgreSQL.
    EventcorePostgres,
    /// eventcore over an embedded SQLite.
    EventcoreSqlite,
    /// eventcore over a directory of files.
    EventcoreFs,
}

impl System {
    /// In the order of the table; the first is what the others are divided by.
    pub const ALL: [Self; 7] = [
        Self::Factum,
        Self::FactumCold,
        Self::CqrsEs,
        Self::Disintegrate,
        Self::EventcorePostgres,
        Self::EventcoreSqlite,
        Self::EventcoreFs,
    ];

    /// As the table says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Factum => "Factum",
            Self::FactumCold => "Factum, no warm states",
            Self::CqrsEs => "cqrs-es, PostgreSQL",
            Self::Disintegrate => "disintegrate, PostgreSQL",
            Self::EventcorePostgres => "eventcore, PostgreSQL",
            Self::EventcoreSqlite => "eventcore, SQLite",
            Self::EventcoreFs => "eventcore, files",
        }
    }

    /// The crates it is made of.
    pub fn crates(self) -> &'static [&'static str] {
        match self {
            Self::Factum | Self::FactumCold => &["factum"],
            Self::CqrsEs => &["cqrs-es", "postgres-es"],
            Self::Disintegrate => &["disintegrate", "disintegrate-postgres"],
            Self::EventcorePostgres => &["eventcore", "eventcore-postgres"],
            Self::EventcoreSqlite => &["eventcore", "eventcore-sqlite"],
            Self::EventcoreFs => &["eventcore", "eventcore-fs"],
        }
    }

    /// Those crates with their versions.
    pub fn versions(self) -> String {
        self.crates().iter().map(|name| versions::of(name)).collect::<Vec<_>>().join(", ")
    }

    /// How it is set, and by whose advice.
    pub fn settings(self) -> &'static str {
        match self {
            Self::Factum => "`Store::open`, all defaults: 16,384 states stay warm, up to 16 attempts",
            Self::FactumCold => {
                "the same with `warm_states_max: 0`: every command folds its counter from the log, as the peers do"
            }
            Self::CqrsEs => {
                "`postgres_cqrs` with its own `default_postgress_pool` (10 connections), no snapshots; \
                 it does not try again, so its caller does, up to 16 attempts"
            }
            Self::Disintegrate => {
                "`decision_maker` with `NoSnapshot` over `PgPool::connect` (10 connections), as in its README; \
                 it does not try again, so its caller does, up to 16 attempts; \
                 as published it cannot be initialised before PostgreSQL 16 (`0xFFFFFFFF` in `event_store_begin_epoch`), \
                 so there that number is written in decimal"
            }
            Self::EventcorePostgres => {
                "`PostgresEventStore::new` (10 connections), `RetryPolicy::new()` (5 attempts, 10 ms and doubling)"
            }
            Self::EventcoreSqlite => {
                "its own settings (one connection, WAL) with `synchronous` asked back, `RetryPolicy::new()`"
            }
            Self::EventcoreFs => {
                "`FileEventStore::open` (`FsyncPolicy::Full`), `RetryPolicy::new()`; all events are kept in memory as well"
            }
        }
    }

    /// Whether it stores in PostgreSQL.
    pub fn needs_postgres(self) -> bool {
        matches!(self, Self::CqrsEs | Self::Disintegrate | Self::EventcorePostgres)
    }
}

/// What a store in the database survives; the server was asked.
const IN_POSTGRES: &str = "disk: fsync, synchronous_commit on";
