//! One table of rows: finding them by key, and storing what a batch changed.

use factum_core::RecordedEvent;
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params_from_iter};

use super::schema::{self, quoted};
use crate::view::fold::{self, Look};
use crate::view::projector::Trouble;
use crate::view::rows::{Below, Changes, Committed};
use crate::view::{Cell, CellError, Poison, Projection, Row, RowKey};

/// The statements for one table.
pub(super) struct Table {
    pub name: String,
    find: String,
    store: String,
    delete: String,
}

/// What came of projecting events.
pub(super) struct Projected {
    /// How many of them.
    pub events: usize,
    /// Why no more.
    pub poison: Option<Poison>,
}

impl Table {
    pub fn of<R: Row>(name: String) -> Self {
        let (table, key) = (quoted(&name), schema::key::<R>());
        let names: Vec<_> = R::columns().iter().map(|column| quoted(column.name)).collect();
        let places = vec!["?"; names.len()].join(", ");
        let is_key: Vec<_> = key.iter().map(|column| format!("{column} = ?")).collect();
        let others: Vec<_> = R::columns()
            .iter()
            .filter(|column| !column.is_key)
            .map(|column| format!("{0} = excluded.{0}", quoted(column.name)))
            .collect();
        let or_change = match others.is_empty() {
            true => "NOTHING".to_owned(),
            false => format!("UPDATE SET {}", others.join(", ")),
        };
        let (names, key, is_key) = (names.join(", "), key.join(", "), is_key.join(" AND "));
        Self {
            find: format!("SELECT {names} FROM {table} WHERE {is_key}"),
            store: format!(
                "INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT ({key}) DO {or_change}"
            ),
            delete: format!("DELETE FROM {table} WHERE {is_key}"),
            name,
        }
    }

    /// Projects events into the table. What they changed is stored, up to the
    /// first that is poison.
    pub fn project<P: Projection>(
        &self,
        projection: &P,
        events: &[RecordedEvent],
        connection: &Connection,
    ) -> Result<Projected, Trouble> {
        let committed = Rows { table: self, connection };
        let mut folded = fold::fold(projection, events, &committed, Look::AtTheEnd)?;
        let changed = match changed(&folded.changes) {
            Ok(changed) => changed,
            // Some event made a row that cannot be stored: find out which.
            Err(_) => {
                folded = fold::fold(projection, events, &committed, Look::AtEach)?;
                changed(&folded.changes)?
            }
        };
        let mut store = connection.prepare_cached(&self.store)?;
        let mut delete = connection.prepare_cached(&self.delete)?;
        for (key, cells) in changed {
            match cells {
                Some(cells) => store.execute(params_from_iter(cells))?,
                None => delete.execute(params_from_iter(key.cells()))?,
            };
        }
        Ok(Projected { events: folded.events, poison: folded.poison })
    }
}

/// What is to be written, in the order of the keys, which is that of the table.
#[allow(clippy::type_complexity)] // a pair that is taken apart by its only caller
fn changed<R: Row>(changes: &Changes<R>) -> Result<Vec<(&RowKey, Option<Vec<Cell>>)>, CellError> {
    let mut changed = changes
        .iter()
        .filter(|(_, change)| change.is_changed)
        .map(|(key, change)| Ok((key, change.row.as_ref().map(Row::cells).transpose()?)))
        .collect::<Result<Vec<_>, CellError>>()?;
    changed.sort_unstable_by_key(|(key, _)| *key);
    Ok(changed)
}

/// The rows in the table before the batch.
struct Rows<'a> {
    table: &'a Table,
    connection: &'a Connection,
}

impl<R: Row> Committed<R> for Rows<'_> {
    fn find(&self, key: &RowKey) -> Result<Option<R>, Below> {
        find(self.connection.prepare_cached(&self.table.find)?, key)
    }
}

/// The row with this key.
pub(super) fn find<R: Row>(mut statement: CachedStatement<'_>, key: &RowKey) -> Result<Option<R>, Below> {
    let cells = statement.query_row(params_from_iter(key.cells()), cells).optional()?;
    Ok(cells.map(R::from_cells).transpose()?)
}

/// The cells of a row.
pub(super) fn cells(row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<Cell>> {
    let count = row.as_ref().column_count();
    (0..count)
        .map(|place| {
            Ok(match row.get_ref(place)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Integer(number),
                ValueRef::Real(number) => Cell::Real(number),
                text => Cell::Text(text.as_str()?.to_owned()),
            })
        })
        .collect()
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Real(number) => ToSqlOutput::Owned(Value::Real(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}
