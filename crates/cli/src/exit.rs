//! How the program ends: one code for each thing a script may want to tell apart.
//!
//! The table here is the only one; `factum exit-codes`, the help, the man page
//! and `docs/cli.md` show it. A code, once given, keeps its meaning.

use std::process::ExitCode;

use factum_core::ErrorKind;

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for was done.
    Success = 0,
    /// Something failed that has no code of its own, such as a disk.
    Failure = 1,
    /// The command line could not be understood.
    Usage = 2,
    /// Someone appended first, or an append condition did not hold.
    Conflict = 3,
    /// The store, stream, position or revision is not there.
    NotFound = 4,
    /// Stored bytes are damaged.
    Damaged = 5,
    /// What was given is understood and refused, whatever the store holds.
    Invalid = 6,
    /// Not now: the store is in use, or has no room.
    Unavailable = 7,
    /// The events may or may not have been recorded.
    Unknown = 8,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Self; 9] = [
        Self::Success,
        Self::Failure,
        Self::Usage,
        Self::Conflict,
        Self::NotFound,
        Self::Damaged,
        Self::Invalid,
        Self::Unavailable,
        Self::Unknown,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Its name in reports, the `kind` of an error in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::Conflict => "conflict",
            Self::NotFound => "not-found",
            Self::Damaged => "verification-failed",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown-outcome",
        }
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "What was asked for was done; also when the reader of a pipe went away.",
            Self::Failure => "Something failed that has no code of its own, such as a disk.",
            Self::Usage => "The command line could not be understood.",
            Self::Conflict => {
                "Someone appended first, or the append condition did not hold: read again and decide again."
            }
            Self::NotFound => "The store, stream, position, revision or time asked for is not there.",
            Self::Damaged => "Stored bytes are damaged: `event-store verify` or a read found them so.",
            Self::Invalid => {
                "What was given is refused whatever the store holds: a name, JSON, a size, a range."
            }
            Self::Unavailable => {
                "Not now: another process has the store, the server cannot be reached, or the disk is full; the same call may succeed later."
            }
            Self::Unknown => {
                "The events may or may not have been recorded: append them again with the same ids."
            }
        }
    }

    /// The table as plain text, for help and man page.
    pub fn table() -> String {
        let lines = Self::ALL.map(|exit| {
            let first = format!("  {}  {:<19}  ", exit.code(), exit.name());
            wrapped(&first, exit.meaning())
        });
        format!("Exit codes:\n{}", lines.join("\n"))
    }
}

/// `text` after `first`, on lines of 80 columns that stand below one another.
fn wrapped(first: &str, text: &str) -> String {
    let indent = first.chars().count();
    let (mut lines, mut used) = (first.trim_end().to_owned(), indent);
    let mut gap = indent - lines.chars().count();
    for word in text.split(' ') {
        let width = word.chars().count();
        if used + width > 80 {
            lines.push('\n');
            (used, gap) = (indent, indent);
        }
        lines.extend(std::iter::repeat_n(' ', gap));
        lines.push_str(word);
        used += width + 1;
        gap = 1;
    }
    lines
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Unknown => Self::Unknown,
            ErrorKind::Corrupt => Self::Damaged,
            _ => Self::Failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_narrow_terminal() {
        for line in Exit::table().lines() {
            assert!(line.len() <= 80 && line.trim_end() == line, "{line}");
        }
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let told: Vec<_> = words(&Exit::table());
        for exit in Exit::ALL {
            assert!(told.windows(words(exit.meaning()).len()).any(|some| some == words(exit.meaning())));
        }
    }

    #[test]
    fn every_code_has_its_place_and_a_name_of_its_own() {
        for (place, exit) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), place);
            assert_eq!(Exit::ALL.iter().filter(|other| other.name() == exit.name()).count(), 1);
        }
    }
}
