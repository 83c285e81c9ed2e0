//! Answers for programs: one definition of a row serves JSON, NDJSON and CSV.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::{Out, json};
use crate::failure::Failure;
use crate::format::Format;

/// One row of an answer.
pub trait Row: Serialize {
    /// The keys, which are CSV's columns, in order.
    const COLUMNS: &'static [&'static str];

    /// The values as CSV shows them.
    fn cells(&self) -> Vec<String> {
        match serde_json::to_value(self) {
            Ok(Value::Object(keys)) => Self::COLUMNS
                .iter()
                .map(|column| keys.get(*column).map_or_else(String::new, json::cell))
                .collect(),
            _ => Self::COLUMNS.iter().map(|_| String::new()).collect(),
        }
    }
}

/// Rows on their way out; [`Rows::end`] closes what was begun.
pub struct Rows {
    begun: bool,
    /// An object instead of an array: the answer is one thing.
    single: bool,
}

impl Rows {
    /// An answer of any number of rows.
    pub fn many() -> Self {
        Self { begun: false, single: false }
    }

    /// Writes a row in a format for programs.
    pub fn row<R: Row>(&mut self, out: &mut Out, row: &R) -> Result<(), Failure> {
        match out.format {
            Format::Json => {
                if !self.single {
                    out.write_all(if self.begun { b",\n" } else { b"[" })?;
                }
                json::write(out, row)?;
                if self.single {
                    out.write_all(b"\n")?;
                }
            }
            Format::Ndjson => {
                json::write(out, row)?;
                out.write_all(b"\n")?;
            }
            Format::Csv | Format::Text => {
                if !self.begun {
                    write_record(out, R::COLUMNS)?;
                }
                write_record(out, row.cells())?;
            }
        }
        self.begun = true;
        Ok(())
    }

    /// Nothing follows.
    pub fn end<R: Row>(self, out: &mut Out) -> Result<(), Failure> {
        match out.format {
            Format::Json if !self.single => out.write_all(if self.begun { b"]\n" } else { b"[]\n" })?,
            Format::Csv if !self.begun => write_record(out, R::COLUMNS)?,
            _ => {}
        }
        Ok(())
    }
}

/// Writes an answer that is one thing.
pub fn one<R: Row>(out: &mut Out, row: &R) -> Result<(), Failure> {
    let mut rows = Rows { begun: false, single: true };
    rows.row(out, row)?;
    rows.end::<R>(out)
}

fn write_record<I>(out: &mut Out, fields: I) -> io::Result<()>
where
    I: IntoIterator,
    I::Item: AsRef<[u8]>,
{
    // Through memory: the writer would flush what is behind it at every record.
    let mut record = csv::WriterBuilder::new().buffer_capacity(512).from_writer(Vec::new());
    record.write_record(fields).map_err(io::Error::other)?;
    let line = record.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    out.write_all(&line)
}
