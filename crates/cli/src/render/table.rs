//! Tables that are known as a whole before they are shown.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::Out;

/// Writes a table: headings, rows, and which columns are numbers.
pub fn write(out: &mut Out, headings: &[&str], numbers: &[usize], rows: Vec<Vec<String>>) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headings.to_vec()).add_rows(rows);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(columns) = out.columns {
        table.set_width(u16::try_from(columns).unwrap_or(u16::MAX));
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Writes names and values, one pair a line.
pub fn pairs(out: &mut Out, pairs: &[(&str, String)]) -> io::Result<()> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in pairs {
        let name = out.paint(super::ink::Ink::Dim, format_args!("{name:<width$}"));
        writeln!(out, "{name}  {value}")?;
    }
    Ok(())
}
