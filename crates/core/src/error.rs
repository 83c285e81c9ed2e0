//! One enum per verb, in the caller's words, saying what to do next.
//!
//! [`AppendError`], [`ReadError`] and [`SubscribeError`] are what callers
//! meet; [`StorageError`] is what they share when the machine, not the
//! caller, is at fault. [`ErrorKind`] is the one classification that outer
//! layers (status codes, exit codes, retry advice) are derived from.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use uuid::Uuid;

use crate::{ExpectedRevision, Position, Revision, StreamName};

/// What class of answer an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request makes no sense; changing it is the only remedy.
    Invalid,
    /// What was asked for is not there.
    NotFound,
    /// Someone was first; read again and decide again.
    Conflict,
    /// Not now; the same request may succeed later.
    Unavailable,
    /// It may or may not have happened; repeat it with the same event ids.
    Unknown,
    /// Stored bytes are damaged.
    Corrupt,
    /// The machine failed.
    Storage,
}

/// Why an append was not accepted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A stream did not stand where expected. Nothing was recorded.
    #[error(
        "stream {stream:?} was expected at {expected}, but {}: read it again and decide again",
        describe(actual)
    )]
    Conflict {
        /// Which stream.
        stream: StreamName,
        /// What the append expected.
        expected: ExpectedRevision,
        /// Its last revision; `None` if it has no event.
        actual: Option<Revision>,
    },
    /// An event that the condition excludes stands in the log. Nothing was recorded.
    #[error(
        "an event at position {position} matches the append condition: read again what the condition asks for and decide again"
    )]
    ConditionFailed {
        /// The position of such an event (of the latest one the store knows).
        position: Position,
    },
    /// Some of these event ids were recorded before and others were not, so
    /// this is neither a repetition nor a new append. Nothing was recorded.
    #[error(
        "event {id} is already recorded in stream {stream:?} but other events of this append are not: repeat an append with exactly its first events, or give new events new ids"
    )]
    PartlyRepeated {
        /// The stream of the repeated event.
        stream: StreamName,
        /// An id that was recorded before.
        id: Uuid,
    },
    /// An id was recorded before for another fact. Nothing was recorded.
    #[error(
        "event id {id} is already taken by another event in stream {stream:?} at revision {revision}: give the new event an id of its own"
    )]
    IdReused {
        /// The stream.
        stream: StreamName,
        /// Where the event with this id stands.
        revision: Revision,
        /// The id.
        id: Uuid,
    },
    /// The request itself cannot be accepted by any store in any state.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
    /// The store's queue is full and the caller asked not to wait.
    #[error(
        "{queued_bytes} bytes are waiting to be written and at most {limit_bytes} may: try again later, or wait for room"
    )]
    Overloaded {
        /// Bytes in the queue now.
        queued_bytes: u64,
        /// Bytes there may be.
        limit_bytes: u64,
    },
    /// The write was under way when the store failed: the events may or may
    /// not be there after it is reopened.
    #[error(
        "it is unknown whether the events were recorded: append them again with the same ids (a store that failed must be opened again first)"
    )]
    Unknown(#[source] StorageError),
    /// The store cannot append. Nothing was recorded.
    #[error("the store cannot append")]
    Storage(#[from] StorageError),
}

fn describe(actual: &Option<Revision>) -> String {
    match actual {
        Some(revision) => format!("its last event is at revision {revision}"),
        None => "it has no event".to_owned(),
    }
}

/// Why an append makes no sense, whatever happens meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAppend {
    /// An event's data and metadata are larger than a store takes.
    #[error(
        "event {index} has {bytes} bytes of data and metadata, and at most {limit} are allowed: store large content elsewhere and record its address"
    )]
    EventTooLarge {
        /// Which event, counted from 0 over the whole append.
        index: usize,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The whole append is larger than the store can write at once.
    #[error("the append needs {bytes} bytes and at most {limit} can be written atomically: split it")]
    TooLarge {
        /// Its size as stored.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A stream is named twice.
    #[error("stream {stream:?} is named twice in one append: join its events into one write")]
    StreamNamedTwice {
        #[allow(missing_docs)]
        stream: StreamName,
    },
    /// Two events for one stream have the same id.
    #[error("event id {id} is used twice for one stream: give every event its own id")]
    IdUsedTwice {
        #[allow(missing_docs)]
        id: Uuid,
    },
    /// The condition speaks of a position nobody can have read yet.
    #[error(
        "the append condition looks after position {after}, but {}: use a position that was read",
        describe_last(last)
    )]
    PositionBeyondEnd {
        /// The condition's position.
        after: Position,
        /// The last one there is.
        last: Option<Position>,
    },
    /// A media type is empty or over 255 bytes.
    #[error("event {index} has a content type of {bytes} bytes: use 1 to 255")]
    ContentType {
        /// Which event.
        index: usize,
        /// The length of its media type.
        bytes: usize,
    },
}

fn describe_last(last: &Option<Position>) -> String {
    match last {
        Some(position) => format!("the log ends at position {position}"),
        None => "the log is empty".to_owned(),
    }
}

/// Why events could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream has no event.
    #[error("there is no stream {stream:?}")]
    StreamNotFound {
        #[allow(missing_docs)]
        stream: StreamName,
    },
    /// A revision was asked for in a read of more than one stream.
    #[error("revisions count within one stream: read a stream, or begin and end at positions or times")]
    RevisionWithoutStream,
    /// The machine failed.
    #[error("the store cannot read")]
    Storage(#[from] StorageError),
}

/// Why a subscription could not begin or go on.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// A revision was asked for in a subscription to more than one stream.
    #[error(
        "revisions count within one stream: subscribe to a stream, or begin after a position or at a time"
    )]
    RevisionWithoutStream,
    /// The store was closed; no event will come.
    #[error("the store was closed: reopen it and subscribe again after the last checkpoint")]
    Closed,
    /// The machine failed.
    #[error("the store cannot read")]
    Storage(#[from] StorageError),
}

/// What went wrong below, and what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Stored bytes are not what was written. Other parts stay readable.
    #[error(
        "{file} is damaged at byte {offset}{}: {what}; restore this file from a copy, and run `event-store verify` for the extent",
        describe_range(positions)
    )]
    Corrupt {
        /// The file, relative to the store.
        file: String,
        /// Where in it.
        offset: u64,
        /// Which positions are concerned, where that is known.
        positions: Option<RangeInclusive<Position>>,
        /// What does not hold.
        what: String,
    },
    /// The operating system refused or failed an operation.
    #[error("cannot {doing} {file}")]
    Io {
        /// The verb.
        doing: &'static str,
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// There is no room for more events. Nothing acknowledged is concerned.
    #[error("the disk is full: cannot make room in {file}; free some space and append again")]
    DiskFull {
        /// The file that could not grow.
        file: String,
    },
    /// An earlier write or flush failed, so what the disk holds is uncertain.
    /// Reads of what was acknowledged go on; appends do not.
    #[error(
        "an earlier write failed ({cause}) and the store accepts no more appends: close it, mend the disk, and open it again"
    )]
    Poisoned {
        /// What failed.
        cause: Arc<str>,
    },
    /// The store was opened only for reading.
    #[error("the store was opened only for reading: open it for appending")]
    ReadOnly,
    /// The store was closed.
    #[error("the store was closed")]
    Closed,
    /// The store is in another process, and the way there is broken.
    #[error("{says}")]
    Unreachable {
        /// What is in the way, and what to do about it.
        says: Arc<str>,
    },
}

fn describe_range(positions: &Option<RangeInclusive<Position>>) -> String {
    match positions {
        Some(range) if range.start() == range.end() => format!(" (position {})", range.start()),
        Some(range) => format!(" (positions {} to {})", range.start(), range.end()),
        None => String::new(),
    }
}

impl StorageError {
    /// See [`ErrorKind`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::DiskFull { .. } | Self::Unreachable { .. } => ErrorKind::Unavailable,
            Self::Io { .. } | Self::Poisoned { .. } | Self::ReadOnly | Self::Closed => ErrorKind::Storage,
        }
    }
}

impl AppendError {
    /// See [`ErrorKind`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict { .. }
            | Self::ConditionFailed { .. }
            | Self::PartlyRepeated { .. }
            | Self::IdReused { .. } => ErrorKind::Conflict,
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Overloaded { .. } => ErrorKind::Unavailable,
            Self::Unknown(_) => ErrorKind::Unknown,
            Self::Storage(error) => error.kind(),
        }
    }
}

impl ReadError {
    /// See [`ErrorKind`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::StreamNotFound { .. } => ErrorKind::NotFound,
            Self::RevisionWithoutStream => ErrorKind::Invalid,
            Self::Storage(error) => error.kind(),
        }
    }
}

impl SubscribeError {
    /// See [`ErrorKind`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::RevisionWithoutStream => ErrorKind::Invalid,
            Self::Closed => ErrorKind::Storage,
            Self::Storage(error) => error.kind(),
        }
    }
}

impl From<ReadError> for SubscribeError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::RevisionWithoutStream | ReadError::StreamNotFound { .. } => {
                Self::RevisionWithoutStream
            }
            ReadError::Storage(StorageError::Closed) => Self::Closed,
            ReadError::Storage(error) => Self::Storage(error),
        }
    }
}
