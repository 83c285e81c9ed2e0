//! Errors: each variant has a message, and comes back as the variant it was.
//!
//! Two things cannot travel as they are. What the operating system said comes
//! back as its kind and its text. A variant that is younger than this protocol
//! comes back as text, under a storage error.

use std::error::Error;
use std::io;
use std::sync::Arc;

use factum_core::{
    AppendError, ExpectedRevision, InvalidAppend, Position, ReadError, Revision, StorageError, StreamName,
    SubscribeError,
};

use super::proto::append_error::{self, Why as AppendWhy};
use super::proto::expected::Expected;
use super::proto::invalid_append::{self, Why as InvalidWhy};
use super::proto::read_error::Why as ReadWhy;
use super::proto::storage_error::{self, Why as StorageWhy};
use super::proto::subscribe_error::Why as SubscribeWhy;
use super::{Malformed, encode_id, id_of, proto};

/// Why an append was refused, as a message.
pub fn encode_append(error: &AppendError) -> proto::AppendError {
    let why = match error {
        AppendError::Conflict { stream, expected, actual } => AppendWhy::Conflict(append_error::Conflict {
            stream: stream.to_bytes(),
            expected: Some(encode_expected(*expected)),
            actual: actual.map(Revision::get),
        }),
        AppendError::ConditionFailed { position } => AppendWhy::ConditionFailed(position.get()),
        AppendError::PartlyRepeated { stream, id } => {
            AppendWhy::PartlyRepeated(append_error::PartlyRepeated {
                stream: stream.to_bytes(),
                id: Some(encode_id(*id)),
            })
        }
        AppendError::IdReused { stream, revision, id } => AppendWhy::IdReused(append_error::IdReused {
            stream: stream.to_bytes(),
            revision: revision.get(),
            id: Some(encode_id(*id)),
        }),
        AppendError::Invalid(invalid) => match encode_invalid(invalid) {
            Some(why) => AppendWhy::Invalid(proto::InvalidAppend { why: Some(why) }),
            None => AppendWhy::Storage(other(error)),
        },
        AppendError::Overloaded { queued_bytes, limit_bytes } => {
            AppendWhy::Overloaded(append_error::Overloaded {
                queued_bytes: *queued_bytes,
                limit_bytes: *limit_bytes,
            })
        }
        AppendError::Unknown(storage) => AppendWhy::Unknown(encode_storage(storage)),
        AppendError::Storage(storage) => AppendWhy::Storage(encode_storage(storage)),
        younger => AppendWhy::Storage(other(younger)),
    };
    proto::AppendError { why: Some(why) }
}

/// Why an append was refused.
pub fn decode_append(error: proto::AppendError) -> Result<AppendError, Malformed> {
    Ok(match error.why.ok_or_else(|| Malformed::lacks("why an append was refused"))? {
        AppendWhy::Conflict(conflict) => AppendError::Conflict {
            stream: StreamName::from_utf8(conflict.stream)?,
            expected: decode_expected(conflict.expected)?,
            actual: conflict.actual.map(Revision::new),
        },
        AppendWhy::ConditionFailed(position) => {
            AppendError::ConditionFailed { position: Position::new(position) }
        }
        AppendWhy::PartlyRepeated(partly) => AppendError::PartlyRepeated {
            stream: StreamName::from_utf8(partly.stream)?,
            id: id_of(partly.id)?,
        },
        AppendWhy::IdReused(reused) => AppendError::IdReused {
            stream: StreamName::from_utf8(reused.stream)?,
            revision: Revision::new(reused.revision),
            id: id_of(reused.id)?,
        },
        AppendWhy::Invalid(invalid) => AppendError::Invalid(decode_invalid(invalid)?),
        AppendWhy::Overloaded(over) => {
            AppendError::Overloaded { queued_bytes: over.queued_bytes, limit_bytes: over.limit_bytes }
        }
        AppendWhy::Unknown(storage) => AppendError::Unknown(decode_storage(storage)?),
        AppendWhy::Storage(storage) => AppendError::Storage(decode_storage(storage)?),
    })
}

fn encode_expected(expected: ExpectedRevision) -> proto::Expected {
    let standing = |standing: proto::Standing| Expected::Standing(standing.into());
    let expected = match expected {
        ExpectedRevision::Any => standing(proto::Standing::Any),
        ExpectedRevision::NoStream => standing(proto::Standing::NoStream),
        ExpectedRevision::Exists => standing(proto::Standing::Exists),
        ExpectedRevision::Exact(revision) => Expected::Exact(revision.get()),
    };
    proto::Expected { expected: Some(expected) }
}

fn decode_expected(expected: Option<proto::Expected>) -> Result<ExpectedRevision, Malformed> {
    let standing = match expected.and_then(|expected| expected.expected) {
        Some(Expected::Exact(revision)) => return Ok(ExpectedRevision::Exact(Revision::new(revision))),
        Some(Expected::Standing(standing)) => standing,
        None => return Err(Malformed::lacks("an expected revision")),
    };
    // One that is not known must not be taken for `Any`.
    match proto::Standing::try_from(standing) {
        Ok(proto::Standing::Any) => Ok(ExpectedRevision::Any),
        Ok(proto::Standing::NoStream) => Ok(ExpectedRevision::NoStream),
        Ok(proto::Standing::Exists) => Ok(ExpectedRevision::Exists),
        Err(_) => Err(Malformed(format!("there is no expectation {standing}"))),
    }
}

fn encode_invalid(invalid: &InvalidAppend) -> Option<InvalidWhy> {
    Some(match invalid {
        InvalidAppend::EventTooLarge { index, bytes, limit } => {
            InvalidWhy::EventTooLarge(invalid_append::TooLarge {
                index: *index as u64,
                bytes: *bytes,
                limit: *limit,
            })
        }
        InvalidAppend::TooLarge { bytes, limit } => {
            InvalidWhy::TooLarge(invalid_append::TooLarge { index: 0, bytes: *bytes, limit: *limit })
        }
        InvalidAppend::StreamNamedTwice { stream } => InvalidWhy::StreamNamedTwice(stream.to_bytes()),
        InvalidAppend::IdUsedTwice { id } => InvalidWhy::IdUsedTwice(encode_id(*id)),
        InvalidAppend::PositionBeyondEnd { after, last } => {
            InvalidWhy::PositionBeyondEnd(invalid_append::BeyondEnd {
                after: after.get(),
                last: last.map(Position::get),
            })
        }
        InvalidAppend::ContentType { index, bytes } => InvalidWhy::ContentType(invalid_append::TooLarge {
            index: *index as u64,
            bytes: *bytes as u64,
            limit: 0,
        }),
        _ => return None,
    })
}

fn decode_invalid(invalid: proto::InvalidAppend) -> Result<InvalidAppend, Malformed> {
    let size = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    Ok(match invalid.why.ok_or_else(|| Malformed::lacks("what is wrong with an append"))? {
        InvalidWhy::EventTooLarge(large) => {
            InvalidAppend::EventTooLarge { index: size(large.index), bytes: large.bytes, limit: large.limit }
        }
        InvalidWhy::TooLarge(large) => InvalidAppend::TooLarge { bytes: large.bytes, limit: large.limit },
        InvalidWhy::StreamNamedTwice(stream) => {
            InvalidAppend::StreamNamedTwice { stream: StreamName::from_utf8(stream)? }
        }
        InvalidWhy::IdUsedTwice(id) => InvalidAppend::IdUsedTwice { id: super::decode_id(id) },
        InvalidWhy::PositionBeyondEnd(beyond) => InvalidAppend::PositionBeyondEnd {
            after: Position::new(beyond.after),
            last: beyond.last.map(Position::new),
        },
        InvalidWhy::ContentType(at) => {
            InvalidAppend::ContentType { index: size(at.index), bytes: size(at.bytes) }
        }
    })
}

/// Why a read failed, as a message.
pub fn encode_read(error: &ReadError) -> proto::ReadError {
    let why = match error {
        ReadError::StreamNotFound { stream } => ReadWhy::StreamNotFound(stream.to_bytes()),
        ReadError::RevisionWithoutStream => ReadWhy::RevisionWithoutStream(proto::Empty {}),
        ReadError::Storage(storage) => ReadWhy::Storage(encode_storage(storage)),
        younger => ReadWhy::Storage(other(younger)),
    };
    proto::ReadError { why: Some(why) }
}

/// Why a read failed.
pub fn decode_read(error: proto::ReadError) -> Result<ReadError, Malformed> {
    Ok(match error.why.ok_or_else(|| Malformed::lacks("why a read failed"))? {
        ReadWhy::StreamNotFound(stream) => {
            ReadError::StreamNotFound { stream: StreamName::from_utf8(stream)? }
        }
        ReadWhy::RevisionWithoutStream(_) => ReadError::RevisionWithoutStream,
        ReadWhy::Storage(storage) => ReadError::Storage(decode_storage(storage)?),
    })
}

/// Why a subscription ended, as a message.
pub fn encode_subscribe(error: &SubscribeError) -> proto::SubscribeError {
    let why = match error {
        SubscribeError::RevisionWithoutStream => SubscribeWhy::RevisionWithoutStream(proto::Empty {}),
        SubscribeError::Closed => SubscribeWhy::Closed(proto::Empty {}),
        SubscribeError::Storage(storage) => SubscribeWhy::Storage(encode_storage(storage)),
        younger => SubscribeWhy::Storage(other(younger)),
    };
    proto::SubscribeError { why: Some(why) }
}

/// Why a subscription ended.
pub fn decode_subscribe(error: proto::SubscribeError) -> Result<SubscribeError, Malformed> {
    Ok(match error.why.ok_or_else(|| Malformed::lacks("why a subscription ended"))? {
        SubscribeWhy::RevisionWithoutStream(_) => SubscribeError::RevisionWithoutStream,
        SubscribeWhy::Closed(_) => SubscribeError::Closed,
        SubscribeWhy::Storage(storage) => SubscribeError::Storage(decode_storage(storage)?),
    })
}

fn encode_storage(error: &StorageError) -> proto::StorageError {
    let why = match error {
        StorageError::Corrupt { file, offset, positions, what } => {
            StorageWhy::Corrupt(storage_error::Corrupt {
                file: file.clone(),
                offset: *offset,
                first_position: positions.as_ref().map(|range| range.start().get()),
                last_position: positions.as_ref().map(|range| range.end().get()),
                what: what.clone(),
            })
        }
        StorageError::Io { doing, file, source } => StorageWhy::Io(storage_error::Io {
            doing: (*doing).to_owned(),
            file: file.clone(),
            kind: format!("{:?}", source.kind()),
            text: source.to_string(),
        }),
        StorageError::DiskFull { file } => StorageWhy::DiskFull(file.clone()),
        StorageError::Poisoned { cause } => StorageWhy::Poisoned(cause.to_string()),
        StorageError::ReadOnly => StorageWhy::ReadOnly(proto::Empty {}),
        StorageError::Closed => StorageWhy::Closed(proto::Empty {}),
        StorageError::Unreachable { says } => StorageWhy::Unreachable(says.to_string()),
        younger => return other(younger),
    };
    proto::StorageError { why: Some(why) }
}

fn decode_storage(error: proto::StorageError) -> Result<StorageError, Malformed> {
    Ok(match error.why.ok_or_else(|| Malformed::lacks("what went wrong below"))? {
        StorageWhy::Corrupt(corrupt) => StorageError::Corrupt {
            file: corrupt.file,
            offset: corrupt.offset,
            positions: corrupt
                .first_position
                .zip(corrupt.last_position)
                .map(|(first, last)| Position::new(first)..=Position::new(last)),
            what: corrupt.what,
        },
        StorageWhy::Io(failed) => StorageError::Io {
            doing: verb(&failed.doing),
            file: failed.file,
            source: Arc::new(io::Error::new(kind(&failed.kind), failed.text)),
        },
        StorageWhy::DiskFull(file) => StorageError::DiskFull { file },
        StorageWhy::Poisoned(cause) => StorageError::Poisoned { cause: cause.into() },
        StorageWhy::ReadOnly(_) => StorageError::ReadOnly,
        StorageWhy::Closed(_) => StorageError::Closed,
        StorageWhy::Unreachable(says) => StorageError::Unreachable { says: says.into() },
        StorageWhy::Other(text) => StorageError::Io {
            doing: "use",
            file: "the store".to_owned(),
            source: Arc::new(io::Error::other(text)),
        },
    })
}

/// What this protocol has no word for.
fn other(error: &dyn Error) -> proto::StorageError {
    proto::StorageError { why: Some(StorageWhy::Other(told(error))) }
}

/// An error and its sources in one line.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// What stores do with files; an error holds the word for as long as the
/// program runs, so that only known ones can come back.
pub(super) const VERBS: [&str; 14] = [
    "create",
    "flush",
    "list",
    "lock",
    "look at",
    "open",
    "read",
    "remove",
    "rename",
    "reserve room for",
    "resize",
    "start",
    "use",
    "write",
];

fn verb(text: &str) -> &'static str {
    VERBS.into_iter().find(|verb| *verb == text).unwrap_or("use")
}

/// The kinds of the operating system's errors that have a name.
pub(super) const KINDS: [io::ErrorKind; 37] = [
    io::ErrorKind::NotFound,
    io::ErrorKind::PermissionDenied,
    io::ErrorKind::ConnectionRefused,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::HostUnreachable,
    io::ErrorKind::NetworkUnreachable,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::NotConnected,
    io::ErrorKind::AddrInUse,
    io::ErrorKind::AddrNotAvailable,
    io::ErrorKind::NetworkDown,
    io::ErrorKind::BrokenPipe,
    io::ErrorKind::AlreadyExists,
    io::ErrorKind::WouldBlock,
    io::ErrorKind::NotADirectory,
    io::ErrorKind::IsADirectory,
    io::ErrorKind::DirectoryNotEmpty,
    io::ErrorKind::ReadOnlyFilesystem,
    io::ErrorKind::StaleNetworkFileHandle,
    io::ErrorKind::InvalidInput,
    io::ErrorKind::InvalidData,
    io::ErrorKind::TimedOut,
    io::ErrorKind::WriteZero,
    io::ErrorKind::StorageFull,
    io::ErrorKind::NotSeekable,
    io::ErrorKind::QuotaExceeded,
    io::ErrorKind::FileTooLarge,
    io::ErrorKind::ResourceBusy,
    io::ErrorKind::ExecutableFileBusy,
    io::ErrorKind::Deadlock,
    io::ErrorKind::CrossesDevices,
    io::ErrorKind::TooManyLinks,
    io::ErrorKind::InvalidFilename,
    io::ErrorKind::ArgumentListTooLong,
    io::ErrorKind::Interrupted,
    io::ErrorKind::Unsupported,
    io::ErrorKind::UnexpectedEof,
];

fn kind(name: &str) -> io::ErrorKind {
    KINDS.into_iter().find(|kind| format!("{kind:?}") == name).unwrap_or(io::ErrorKind::Other)
}
