//! [`Answer`]: what an append was answered, in a form that can be compared.
//! Durability is left out; it is the store's own.

use uuid::Uuid;

use crate::{Append, AppendError, Appended, EventStore, ExpectedRevision, InvalidAppend};

use super::case::Case;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Recorded(Receipt),
    Repeated(Receipt),
    Conflict {
        stream: String,
        expected: ExpectedRevision,
        actual: Option<u64>,
    },
    ConditionFailed {
        position: u64,
    },
    PartlyRepeated {
        stream: String,
        id: Uuid,
    },
    IdReused {
        stream: String,
        revision: u64,
        id: Uuid,
    },
    Invalid(InvalidAppend),
    /// What no rule of the law expects.
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// First and last.
    pub positions: Option<(u64, u64)>,
    /// The last one of each write.
    pub revisions: Vec<Option<u64>>,
}

impl Answer {
    pub fn recorded(positions: (u64, u64), revisions: &[Option<u64>]) -> Self {
        Self::Recorded(Receipt { positions: Some(positions), revisions: revisions.to_vec() })
    }

    pub fn nothing_to_record(revisions: &[Option<u64>]) -> Self {
        Self::Recorded(Receipt { positions: None, revisions: revisions.to_vec() })
    }

    pub fn repeated(positions: (u64, u64), revisions: &[Option<u64>]) -> Self {
        Self::Repeated(Receipt { positions: Some(positions), revisions: revisions.to_vec() })
    }

    pub fn conflict(stream: &str, expected: ExpectedRevision, actual: Option<u64>) -> Self {
        Self::Conflict { stream: stream.to_owned(), expected, actual }
    }
}

impl From<Appended> for Receipt {
    fn from(appended: Appended) -> Self {
        Self {
            positions: appended.positions.map(|range| (range.start().get(), range.end().get())),
            revisions: appended.revisions.iter().map(|revision| revision.map(|r| r.get())).collect(),
        }
    }
}

impl From<Result<Appended, AppendError>> for Answer {
    fn from(result: Result<Appended, AppendError>) -> Self {
        match result {
            Ok(appended) if appended.repeated => Self::Repeated(appended.into()),
            Ok(appended) => Self::Recorded(appended.into()),
            Err(AppendError::Conflict { stream, expected, actual }) => Self::Conflict {
                stream: stream.as_str().to_owned(),
                expected,
                actual: actual.map(|revision| revision.get()),
            },
            Err(AppendError::ConditionFailed { position }) => {
                Self::ConditionFailed { position: position.get() }
            }
            Err(AppendError::PartlyRepeated { stream, id }) => {
                Self::PartlyRepeated { stream: stream.as_str().to_owned(), id }
            }
            Err(AppendError::IdReused { stream, revision, id }) => {
                Self::IdReused { stream: stream.as_str().to_owned(), revision: revision.get(), id }
            }
            Err(AppendError::Invalid(invalid)) => Self::Invalid(invalid),
            Err(other) => Self::Other(format!("{other:?}")),
        }
    }
}

/// The ways to append, which must answer alike.
#[derive(Debug, Clone, Copy)]
pub enum Verb {
    Blocking,
    Awaited,
    /// Handed over with others, of which there are none.
    Together,
}

impl Verb {
    pub const ALL: [Self; 3] = [Self::Blocking, Self::Awaited, Self::Together];

    #[track_caller]
    pub fn append(self, case: &Case, store: &dyn EventStore, append: Append) -> Answer {
        match self {
            Self::Blocking => store.append(append).into(),
            Self::Awaited => case.awaited(store.append_async(&append)),
            Self::Together => match <[Answer; 1]>::try_from(case.together(store, vec![append])) {
                Ok([answer]) => answer,
                Err(_) => case.fail("one append was handed over, and not one was answered"),
            },
        }
    }
}
