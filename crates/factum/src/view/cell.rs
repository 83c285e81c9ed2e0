//! Cells: the fields of a row as a database holds them.
//!
//! ```text
//!   AccountId("ada") ─▶ Text("ada")     a number, a text, a truth value: as itself
//!   Some(3)          ─▶ Integer(3)      an option: its value, or nothing
//!   vec![1, 2]       ─▶ Text("[1,2]")   anything else: as JSON
//! ```
//!
//! A field's [`Kind`] is known from its type, so the way back is never guessed.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::column::{Column, Kind};
use super::finite::is_finite;

/// One value of a row.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
#[allow(missing_docs)]
pub enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

/// As a test's failure shows it.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Why a field has no form as a cell, or a cell none as a field.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CellError {
    /// A whole number that no database column holds.
    #[error("column {column}: {number} does not fit: whole numbers go up to {}", i64::MAX)]
    TooLarge {
        #[allow(missing_docs)]
        column: &'static str,
        #[allow(missing_docs)]
        number: String,
    },
    /// Infinite, or no number at all.
    #[error("column {column}: the number is not finite")]
    NotFinite {
        #[allow(missing_docs)]
        column: &'static str,
    },
    /// The field cannot be written or read.
    #[error("column {column}: {reason}")]
    Field {
        #[allow(missing_docs)]
        column: &'static str,
        #[allow(missing_docs)]
        reason: String,
    },
    /// A row has fewer cells than fields.
    #[error("column {column} is missing")]
    Missing {
        #[allow(missing_docs)]
        column: &'static str,
    },
}

impl Column {
    /// A field of this column as a cell.
    pub fn write<T: Serialize>(&self, field: &T) -> Result<Cell, CellError> {
        let value = serde_json::to_value(field).map_err(|error| self.refuses(error))?;
        // What is no number is `null` in JSON, as nothing is.
        if has_null(&value) && !is_finite(field) {
            return Err(CellError::NotFinite { column: self.name });
        }
        match (self.kind, value) {
            (_, Value::Null) if self.is_nullable => Ok(Cell::Null),
            (Kind::Boolean, Value::Bool(truth)) => Ok(Cell::Integer(truth.into())),
            (Kind::Integer, Value::Number(number)) => match number.as_i64() {
                Some(number) => Ok(Cell::Integer(number)),
                None => Err(CellError::TooLarge { column: self.name, number: number.to_string() }),
            },
            (Kind::Real, Value::Number(number)) => match number.as_f64() {
                Some(number) if number.is_finite() => Ok(Cell::Real(number)),
                _ => Err(CellError::NotFinite { column: self.name }),
            },
            (Kind::Text, Value::String(text)) => Ok(Cell::Text(text)),
            (Kind::Variant, Value::String(text)) if !is_json(&text) => Ok(Cell::Text(text)),
            (Kind::Variant | Kind::Json, value) => Ok(Cell::Text(value.to_string())),
            (kind, value) => Err(self.refuses(format!("{value} is no {kind:?}"))),
        }
    }

    /// The field in a cell of this column.
    pub fn read<T: DeserializeOwned>(&self, cell: Option<Cell>) -> Result<T, CellError> {
        let cell = cell.ok_or(CellError::Missing { column: self.name })?;
        let parse = |text: &str| serde_json::from_str(text).map_err(|error| self.refuses(error));
        let value = match (self.kind, cell) {
            (_, Cell::Null) => Value::Null,
            (Kind::Boolean, Cell::Integer(number)) => Value::Bool(number != 0),
            (Kind::Json, Cell::Text(text)) => parse(&text)?,
            (Kind::Variant, Cell::Text(text)) if is_json(&text) => parse(&text)?,
            (_, Cell::Integer(number)) => Value::from(number),
            (_, Cell::Real(number)) => Value::from(number),
            (_, Cell::Text(text)) => Value::String(text),
        };
        serde_json::from_value(value).map_err(|error| self.refuses(error))
    }

    fn refuses(&self, reason: impl ToString) -> CellError {
        CellError::Field { column: self.name, reason: reason.to_string() }
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether the text of an enum is its JSON, and not the name of a variant.
fn is_json(text: &str) -> bool {
    text.starts_with(['{', '"'])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum State {
        Open,
        #[serde(rename = "\"odd")]
        Odd,
        Closed {
            why: String,
        },
        Measured(Option<u8>, Degrees),
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Degrees(f32);

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Cents(i64);

    fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(field: T, cell: Cell) {
        let column = Column::of::<T>("c");
        assert_eq!(column.write(&field).unwrap(), cell, "{column:?}");
        assert_eq!(column.read::<T>(Some(cell)).unwrap(), field);
    }

    #[test]
    fn every_field_comes_back_from_its_cell() {
        let text = |text: &str| Cell::Text(text.to_owned());
        there_and_back(-3_i64, Cell::Integer(-3));
        there_and_back(Cents(5), Cell::Integer(5));
        there_and_back(true, Cell::Integer(1));
        there_and_back(0.5_f32, Cell::Real(0.5));
        there_and_back(3.0_f64, Cell::Real(3.0));
        there_and_back("5".to_owned(), text("5"));
        there_and_back('x', text("x"));
        there_and_back(Some("{}".to_owned()), text("{}"));
        there_and_back(None::<bool>, Cell::Null);
        there_and_back(None::<f64>, Cell::Null);
        there_and_back(Some(Degrees(1.5)), Cell::Real(1.5));
        there_and_back(vec![None, Some(0.5)], text("[null,0.5]"));
        there_and_back(State::Measured(None, Degrees(0.5)), text(r#"{"Measured":[null,0.5]}"#));
        there_and_back(Some(false), Cell::Integer(0));
        there_and_back(vec![1_u8, 2], text("[1,2]"));
        there_and_back(BTreeMap::from([("a".to_owned(), 1)]), text(r#"{"a":1}"#));
        there_and_back(State::Open, text("Open"));
        there_and_back(State::Odd, text(r#""\"odd""#));
        there_and_back(State::Closed { why: "x".into() }, text(r#"{"Closed":{"why":"x"}}"#));
        there_and_back(serde_json::json!("5"), text("\"5\""));
    }

    #[test]
    fn what_no_column_holds_is_refused_by_its_name() {
        let refused = |cell: Result<Cell, CellError>| cell.unwrap_err().to_string();
        let said = refused(Column::of::<u64>("size").write(&u64::MAX));
        assert!(said.contains("column size: 18446744073709551615 does not fit"), "{said}");
        assert!(refused(Column::of::<f64>("mean").write(&f64::NAN)).contains("not finite"));
        let said = Column::of::<i64>("cents").read::<i64>(Some(Cell::Text("x".into()))).unwrap_err();
        assert!(said.to_string().starts_with("column cents: "), "{said}");
        assert!(refused(Column::of::<Option<f64>>("mean").write(&Some(f64::NAN))).contains("not finite"));
        let said = refused(Column::of::<Option<Degrees>>("heat").write(&Some(Degrees(f32::INFINITY))));
        assert!(said.contains("column heat: the number is not finite"), "{said}");
        assert!(refused(Column::of::<Vec<f64>>("all").write(&vec![0.5, f64::NAN])).contains("not finite"));
        let deep = BTreeMap::from([("a".to_owned(), State::Measured(None, Degrees(f32::NAN)))]);
        assert!(refused(Column::of::<BTreeMap<String, State>>("map").write(&deep)).contains("not finite"));
        assert!(matches!(Column::of::<i64>("cents").read::<i64>(None), Err(CellError::Missing { .. })));
    }
}
