//! Times and places as a command line writes them.

use std::ffi::OsStr;

use factum_core::{Position, Revision, Start, Timestamp, Until};

use crate::failure::Failure;

/// A point in a stream's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A place in the log.
    Position(Position),
    /// A place in the stream.
    Revision(Revision),
    /// A time.
    Time(Timestamp),
}

impl Moment {
    /// Reads `41`, `pos:41`, `rev:3`, or an RFC 3339 time.
    pub fn parse(argument: &OsStr) -> Result<Self, Failure> {
        let text = argument.to_string_lossy();
        let count = |digits: &str| {
            let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            all_digits.then(|| digits.parse::<u64>().ok()).flatten()
        };
        if let Some(digits) = text.strip_prefix("rev:") {
            return Ok(Self::Revision(Revision::new(count(digits).ok_or_else(|| unreadable(&text))?)));
        }
        let digits = text.strip_prefix("pos:").unwrap_or(&text);
        if let Some(number) = count(digits) {
            return Ok(Self::Position(Position::new(number)));
        }
        text.parse().map(Self::Time).map_err(|_| unreadable(&text))
    }

    /// As the beginning of a read.
    pub fn start(self) -> Start {
        match self {
            Self::Position(position) => Start::Position(position),
            Self::Revision(revision) => Start::Revision(revision),
            Self::Time(time) => Start::Time(time),
        }
    }

    /// As the end of a read, inclusive.
    pub fn until(self) -> Until {
        match self {
            Self::Position(position) => Until::Position(position),
            Self::Revision(revision) => Until::Revision(revision),
            Self::Time(time) => Until::Time(time),
        }
    }

    /// Whether a range from here to `end` is empty by its very words.
    pub fn is_after(self, end: Self) -> bool {
        match (self, end) {
            (Self::Position(start), Self::Position(end)) => start > end,
            (Self::Revision(start), Self::Revision(end)) => start > end,
            (Self::Time(start), Self::Time(end)) => start > end,
            _ => false,
        }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Position(position) => write!(f, "position {position}"),
            Self::Revision(revision) => write!(f, "revision {revision}"),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

fn unreadable(text: &str) -> Failure {
    let text: String = text.chars().take(64).collect();
    Failure::invalid(format!(
        "{text:?} is no time and no place: write a time as 2026-11-21T10:00:00Z, a position as 41 or pos:41, or a revision as rev:3"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_places_and_times() {
        let rows: &[(&str, Option<Moment>)] = &[
            ("41", Some(Moment::Position(Position::new(41)))),
            ("pos:0", Some(Moment::Position(Position::new(0)))),
            ("rev:3", Some(Moment::Revision(Revision::new(3)))),
            ("1970-01-01T00:00:01Z", Some(Moment::Time(Timestamp::from_seconds(1)))),
            ("1970-01-01T01:00:01+01:00", Some(Moment::Time(Timestamp::from_seconds(1)))),
            ("yesterday", None),
            ("rev:", None),
            ("pos:-1", None),
            ("+1", None),
            ("18446744073709551616", None),
            ("2026-11-21T10:00:00", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(Moment::parse(OsStr::new(text)).ok(), *expected, "{text:?}");
        }
    }
}
