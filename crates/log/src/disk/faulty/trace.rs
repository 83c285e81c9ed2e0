//! The last operations, kept to tell how a failing story went.

use std::collections::VecDeque;
use std::{fmt, io};

use super::{Call, CrashPlan, Fault, Operation};

/// The last operations.
#[derive(Clone, Default)]
pub(super) struct Trace {
    lines: VecDeque<String>,
    lines_max: usize,
}

impl Trace {
    pub(super) fn keep(&mut self, lines_max: usize) {
        self.lines_max = lines_max;
        while self.lines.len() > lines_max {
            self.lines.pop_front();
        }
    }

    pub(super) fn note(
        &mut self,
        number: u64,
        call: &Call<'_>,
        fault: Option<&Fault>,
        error: Option<&io::Error>,
    ) {
        if self.lines_max == 0 {
            return;
        }
        let Call { operation, name, offset, bytes } = call;
        let name = if name.is_empty() { "." } else { name };
        let mut line = format!("{number:>6} {:<9} {name}", format!("{operation:?}"));
        match operation {
            Operation::Read | Operation::Write => line += &format!(" {offset}+{bytes}"),
            Operation::Allocate => line += &format!(" {bytes}"),
            _ => {}
        }
        if let Some(fault) = fault {
            line += &format!("  struck by {fault:?}");
        }
        if let Some(error) = error {
            line += &format!("  failed: {error}");
        }
        self.push(line);
    }

    pub(super) fn note_crash(&mut self, plan: &CrashPlan) {
        if self.lines_max > 0 {
            self.push(format!("------ {plan}"));
        }
    }

    fn push(&mut self, line: String) {
        if self.lines.len() == self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
