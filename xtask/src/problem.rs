//! What a check has to say.

use std::fmt;

/// Something that does not hold: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path from the root of the repository.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What does not hold.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// At a line of a file.
    pub fn new(file: &str, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.what, self.remedy)
    }
}

/// Why a tool could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A file or a program.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Cargo's description of the workspace.
    #[error("cannot ask cargo about the workspace: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// A program ended badly.
    #[error("`{command}` failed")]
    Program {
        /// Its command line.
        command: String,
    },
}

impl ToolError {
    /// For `map_err`.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
