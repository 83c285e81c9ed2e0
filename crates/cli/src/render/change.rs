//! What an event changed in a state, as lines.

use std::io::{self, Write};

use super::ink::Ink;
use super::{Out, json, text};
use crate::state::Change;

const INDENT: usize = 4;

/// Writes changes, one a line: `+` came, `-` went, `~` is something else now.
pub fn lines(out: &mut Out, changes: &[Change]) -> io::Result<()> {
    if changes.is_empty() {
        return writeln!(out, "    {}", out.paint(Ink::Dim, "(no change)"));
    }
    for change in changes {
        let path = text::escape(&change.path).into_owned();
        let (ink, line) = match (&change.from, &change.to) {
            (None, Some(to)) => (Ink::Added, format!("+ {path}  {}", json::text(to))),
            (Some(from), None) => (Ink::Removed, format!("- {path}  {}", json::text(from))),
            (Some(from), Some(to)) => {
                (Ink::Changed, format!("~ {path}  {} → {}", json::text(from), json::text(to)))
            }
            (None, None) => continue,
        };
        let line = out.fit(line, INDENT);
        writeln!(out, "    {}", out.paint(ink, line))?;
    }
    Ok(())
}

/// Writes the running state on one line.
pub fn state(out: &mut Out, state: &serde_json::Value) -> io::Result<()> {
    let line = out.fit(format!("= {}", json::text(state)), INDENT);
    writeln!(out, "    {}", out.paint(Ink::Dim, line))
}
