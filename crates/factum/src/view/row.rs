//! [`Row`]: a plain struct as a row of a table, found by its key.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

use super::{Cell, CellError, Column};

/// One row of a read model. Made by [`#[derive(Row)]`](macro@crate::Row) on a
/// struct with named fields, one or more of them marked `#[key]`.
///
/// Each field becomes a column of its own: numbers, texts, truth values and
/// enums without fields as themselves, options as nullable columns, everything
/// else as JSON. A field marked `#[index]` is quick to search by.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row",
    label = "not a row",
    note = "put `#[derive(Row, Clone)]` on it and `#[key]` on the field rows are found by"
)]
pub trait Row: Clone + Send + Sync + 'static {
    /// What it is found by: the type of the field marked `#[key]`, or a tuple of
    /// several.
    type Key;

    /// Its fields, in order.
    fn columns() -> &'static [Column];

    /// Its key.
    fn key(&self) -> Result<RowKey, CellError>;

    /// A key that is asked for.
    fn key_of(key: &Self::Key) -> Result<RowKey, CellError>;

    /// Its fields as cells, in order.
    fn cells(&self) -> Result<Vec<Cell>, CellError>;

    /// The row in these cells.
    fn from_cells(cells: Vec<Cell>) -> Result<Self, CellError>;
}

/// The key of a row as cells. Keys are ordered as a database orders them: numbers
/// by size, then texts by their bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct RowKey(SmallVec<[Cell; 1]>);

impl RowKey {
    /// Of these cells.
    pub fn of(cells: impl IntoIterator<Item = Cell>) -> Self {
        Self(cells.into_iter().collect())
    }

    /// In the order of the columns.
    pub fn cells(&self) -> &[Cell] {
        &self.0
    }
}

/// No key is a number with a fraction: [`DefinitionError`](super::DefinitionError).
impl Eq for RowKey {}

impl Hash for RowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for cell in &self.0 {
            match cell {
                Cell::Null => state.write_u8(0),
                Cell::Integer(number) => number.hash(state),
                Cell::Real(number) => number.to_bits().hash(state),
                Cell::Text(text) => text.hash(state),
            }
        }
    }
}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}
