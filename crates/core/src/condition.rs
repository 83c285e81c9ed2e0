//! What an append may demand of the store it finds.

use std::fmt;

use crate::{Position, Query, Revision};

/// Where a stream must stand for an append to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedRevision {
    /// Anywhere; nothing is checked.
    Any,
    /// The stream has no event yet.
    NoStream,
    /// The stream has at least one event.
    Exists,
    /// The stream's last event is at this revision.
    Exact(Revision),
}

impl ExpectedRevision {
    /// Whether a stream whose last revision is `actual` (`None`: no event)
    /// meets the expectation.
    pub fn is_met_by(self, actual: Option<Revision>) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual.is_none(),
            Self::Exists => actual.is_some(),
            Self::Exact(revision) => actual == Some(revision),
        }
    }

    /// The revision that the first event of a write with this expectation
    /// gets, if the expectation alone decides it.
    pub fn first_revision(self) -> Option<Revision> {
        match self {
            Self::NoStream => Some(Revision::FIRST),
            Self::Exact(revision) => Some(revision.next()),
            Self::Any | Self::Exists => None,
        }
    }
}

impl fmt::Display for ExpectedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::NoStream => f.write_str("no stream"),
            Self::Exists => f.write_str("an existing stream"),
            Self::Exact(revision) => write!(f, "revision {revision}"),
        }
    }
}

/// Refuses an append if an event matching `query` stands after `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendCondition {
    /// What the caller has read and decided on.
    pub query: Query,
    /// The last position the caller has seen; `None`: it has seen nothing, so
    /// any matching event refuses the append.
    pub after: Option<Position>,
}
