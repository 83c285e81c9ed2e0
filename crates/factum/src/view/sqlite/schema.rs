//! The names and definitions of everything in the database.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::view::{Column, Kind, Row};

/// The tables that say how far each projection has come. Times are microseconds
/// since 1970 in UTC; everything before `next_position` was looked at.
pub(super) const REGISTER: &str = "
CREATE TABLE IF NOT EXISTS factum_projection (
    name            TEXT NOT NULL,
    version         INTEGER NOT NULL,
    is_active       INTEGER NOT NULL DEFAULT 0,
    generation      INTEGER NOT NULL DEFAULT 1,
    columns         TEXT NOT NULL,
    next_position   INTEGER NOT NULL DEFAULT 0,
    events          INTEGER NOT NULL DEFAULT 0,
    last_position   INTEGER,
    last_event_id   TEXT,
    log_end         INTEGER NOT NULL DEFAULT 0,
    lag_us          INTEGER NOT NULL DEFAULT 0,
    phase           TEXT NOT NULL DEFAULT 'stopped',
    is_paused       INTEGER NOT NULL DEFAULT 0,
    failed_position INTEGER,
    failed_type     TEXT,
    failed_stream   TEXT,
    failed_revision INTEGER,
    failed_reason   TEXT,
    epoch           INTEGER NOT NULL DEFAULT 0,
    heartbeat_us    INTEGER,
    lease_us        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE IF NOT EXISTS factum_rebuild (
    name            TEXT NOT NULL,
    version         INTEGER NOT NULL,
    state           TEXT NOT NULL,
    generation      INTEGER NOT NULL DEFAULT 0,
    next_position   INTEGER NOT NULL DEFAULT 0,
    events          INTEGER NOT NULL DEFAULT 0,
    last_position   INTEGER,
    last_event_id   TEXT,
    log_end         INTEGER NOT NULL DEFAULT 0,
    began_us        INTEGER NOT NULL DEFAULT 0,
    began_position  INTEGER NOT NULL DEFAULT 0,
    updated_us      INTEGER NOT NULL DEFAULT 0,
    reason          TEXT,
    producer        TEXT,
    PRIMARY KEY (name, version)
) STRICT;
";

/// Brings the tables of an earlier version up to date.
pub(super) fn bring_up_to_date(connection: &Connection) -> rusqlite::Result<()> {
    let has_producer = || {
        let columns = "SELECT count(*) FROM pragma_table_info('factum_rebuild') WHERE name = 'producer'";
        connection.query_row(columns, [], |row| Ok(row.get::<_, i64>(0)? > 0))
    };
    if has_producer()? {
        return Ok(());
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    // Again, now that nobody else can write.
    if !has_producer()? {
        transaction.execute_batch("ALTER TABLE factum_rebuild ADD COLUMN producer TEXT")?;
    }
    transaction.commit()
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The table of a version, after so many rebuilds.
pub(super) fn table(name: &str, version: u32, generation: i64) -> String {
    format!("{name}_v{version}_{generation}")
}

/// The view that shows the rows of a version.
pub(super) fn view(name: &str, version: u32) -> String {
    format!("{name}_v{version}")
}

/// The columns of a row in one line, to notice that they are read in another way
/// or found by another key. Not their indexes, which can be made at any time.
pub(super) fn described<R: Row>() -> String {
    let describe = |column: &Column| {
        let kind = match column.kind {
            Kind::Integer => "integer",
            Kind::Real => "real",
            Kind::Boolean => "boolean",
            Kind::Text => "text",
            Kind::Variant => "variant",
            Kind::Json => "json",
        };
        let nullable = if column.is_nullable { " or nothing" } else { "" };
        let key = if column.is_key { " key" } else { "" };
        format!("{} {kind}{nullable}{key}", column.name)
    };
    R::columns().iter().map(describe).collect::<Vec<_>>().join(", ")
}

/// The columns of a row as SQL defines them.
pub(super) fn columns<R: Row>() -> String {
    R::columns().iter().map(defined).collect::<Vec<_>>().join(", ")
}

fn defined(column: &Column) -> String {
    let kind = match column.kind {
        Kind::Integer | Kind::Boolean => "INTEGER",
        Kind::Real => "REAL",
        Kind::Text | Kind::Variant | Kind::Json => "TEXT",
    };
    let not_null = if column.is_nullable { "" } else { " NOT NULL" };
    format!("{} {kind}{not_null}", quoted(column.name))
}

/// The names of the columns that are the key, in order.
pub(super) fn key<R: Row>() -> Vec<String> {
    R::columns().iter().filter(|column| column.is_key).map(|column| quoted(column.name)).collect()
}

/// Makes an empty table for rows.
pub(super) fn create_table<R: Row>(table: &str) -> String {
    let mut sql = format!(
        "DROP TABLE IF EXISTS {table};\nCREATE TABLE {table} ({columns}, PRIMARY KEY ({key})) STRICT, WITHOUT ROWID;\n",
        table = quoted(table),
        columns = columns::<R>(),
        key = key::<R>().join(", ")
    );
    sql += &create_indexes::<R>(table);
    sql
}

/// Makes the indexes that are not there.
pub(super) fn create_indexes<R: Row>(table: &str) -> String {
    let mut sql = String::new();
    for column in R::columns().iter().filter(|column| column.is_indexed) {
        let index = quoted(&format!("{table}_{}", column.name));
        sql +=
            &format!("CREATE INDEX IF NOT EXISTS {index} ON {} ({});\n", quoted(table), quoted(column.name));
    }
    sql
}

/// Has a view show this table, or another view.
pub(super) fn point_view(view: &str, at: &str) -> String {
    let view = quoted(view);
    format!("DROP VIEW IF EXISTS {view};\nCREATE VIEW {view} AS SELECT * FROM {};\n", quoted(at))
}
