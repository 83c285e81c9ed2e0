//! Why a call is refused, in the exact words clients look for.
//!
//! Most clients read the trailer `exception` and the ones beside it; the Python
//! clients match the text of the message. Both are therefore part of the
//! protocol, and the table in the tests below is what must not change. Only
//! [`Failure::Invalid`] and the last few have words of our own.
//!
//! Inside a batch the same failures travel as a `google.rpc.Status` with one
//! detail ([`Failure::in_batch`]), because the call itself goes on.

use factum_core::{ExpectedRevision, Revision, StreamName};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use prost::{Message, Name};
use prost_types::Any;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::expectation;
use crate::groups::GroupKey;
use crate::proto::{client, google};
use crate::stream;

/// What a request was refused with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// An event came without its type or content type.
    #[error("Required Metadata Property '{property}' is missing")]
    MissingMetadata {
        /// Which of them.
        property: &'static str,
    },
    /// The stream has a tombstone; or it is deleted, and had to exist.
    #[error("Event stream '{stream}' is deleted.")]
    StreamDeleted {
        #[allow(missing_docs)]
        stream: StreamName,
    },
    /// A delete or tombstone found the stream elsewhere. An append says so in
    /// its answer instead: see [`append`](crate::append).
    #[error(
        "Delete failed due to WrongExpectedVersion. Stream: {stream}, Expected version: {}, Actual version: {}",
        expectation::number(*expected),
        expectation::actual_number(*actual)
    )]
    WrongExpected {
        #[allow(missing_docs)]
        stream: StreamName,
        #[allow(missing_docs)]
        expected: ExpectedRevision,
        /// The stream's last revision.
        actual: Option<Revision>,
    },
    /// More than one append may hold.
    #[error("Maximum Append Size of {limit} Exceeded.")]
    AppendTooLarge {
        /// In bytes.
        limit: u64,
    },
    /// More than one event may hold.
    #[error("Event with Id: {id}, Size: {bytes}, exceeds Maximum Append Event Size of {limit}.")]
    EventTooLarge {
        #[allow(missing_docs)]
        id: Uuid,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A read begins where the log has not come to.
    #[error("Unexpected {}: InvalidPosition", if *filtered { "FilteredReadAllResult" } else { "ReadAllResult" })]
    ReadBeyondEnd {
        /// Whether the read has a filter.
        filtered: bool,
    },
    /// A subscription begins where the log has not come to.
    #[error("Trying to read from an invalid position.")]
    FollowBeyondEnd,
    /// No user has this name.
    #[error("User '{login}' is not found.")]
    UserNotFound {
        #[allow(missing_docs)]
        login: String,
    },
    /// A user has this name already.
    #[error("Conflict.")]
    UserExists {
        #[allow(missing_docs)]
        login: String,
    },
    /// No projection has this name.
    #[error("Projection '{name}' not found")]
    ProjectionNotFound {
        #[allow(missing_docs)]
        name: String,
    },
    /// No scavenge with this id is under way.
    #[error("Scavenge id was invalid.")]
    ScavengeNotFound {
        #[allow(missing_docs)]
        id: String,
    },
    /// It makes sense, but not of what it was asked of.
    #[error("{0}")]
    Refused(String),
    /// The deadline of an append in a batch has passed.
    #[error("Operation timed out: the deadline passed before the append was answered")]
    TimedOut,
    /// The store's queue is full.
    #[error("Server Is Too Busy")]
    Busy,
    /// The server is going down, or its store was closed.
    #[error("Server Is Not Ready")]
    NotReady,
    /// The append may or may not have been recorded.
    #[error("{0}")]
    Unknown(String),
    /// The disk is full.
    #[error("{0}")]
    Full(String),
    /// The machine failed.
    #[error("{0}")]
    Storage(String),
    /// Stored bytes are damaged.
    #[error("{0}")]
    Damaged(String),
    /// The caller may not do this.
    #[error("Access Denied: {0}")]
    AccessDenied(String),
    /// What is asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// There is no such group of consumers, or no longer.
    #[error("Subscription group {} on stream {} does not exist.", group.name, group.source.as_str())]
    GroupDoesNotExist {
        #[allow(missing_docs)]
        group: GroupKey,
    },
    /// There is one already.
    #[error("Subscription group {} on stream {} exists.", group.name, group.source.as_str())]
    GroupExists {
        #[allow(missing_docs)]
        group: GroupKey,
    },
    /// A group cannot do or be that.
    #[error("Subscription group {} on stream {} failed: '{reason}'", group.name, group.source.as_str())]
    GroupFailed {
        #[allow(missing_docs)]
        group: GroupKey,
        /// Why.
        reason: String,
    },
    /// A group has as many consumers as it may.
    #[error("Maximum subscriptions reached for subscription group {} on stream {}.", group.name, group.source.as_str())]
    GroupFull {
        #[allow(missing_docs)]
        group: GroupKey,
    },
    /// A consumer must join its group again.
    #[error("Subscription group {} on stream {} was dropped.", group.name, group.source.as_str())]
    GroupDropped {
        #[allow(missing_docs)]
        group: GroupKey,
    },
    /// Nothing of that name is here.
    #[error("{0}")]
    Absent(String),
}

impl Failure {
    /// The class of answer.
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_)
            | Self::MissingMetadata { .. }
            | Self::AppendTooLarge { .. }
            | Self::EventTooLarge { .. }
            | Self::FollowBeyondEnd => Code::InvalidArgument,
            Self::StreamDeleted { .. }
            | Self::WrongExpected { .. }
            | Self::GroupFull { .. }
            | Self::UserExists { .. }
            | Self::Refused(_) => Code::FailedPrecondition,
            Self::GroupDoesNotExist { .. }
            | Self::UserNotFound { .. }
            | Self::ProjectionNotFound { .. }
            | Self::ScavengeNotFound { .. } => Code::NotFound,
            Self::GroupExists { .. } => Code::AlreadyExists,
            Self::GroupFailed { .. } => Code::Internal,
            Self::GroupDropped { .. } => Code::Cancelled,
            Self::ReadBeyondEnd { .. } => Code::Unknown,
            Self::TimedOut | Self::Unknown(_) => Code::Aborted,
            Self::Busy | Self::NotReady => Code::Unavailable,
            Self::Full(_) => Code::ResourceExhausted,
            Self::Storage(_) => Code::Internal,
            Self::Damaged(_) => Code::DataLoss,
            Self::AccessDenied(_) => Code::PermissionDenied,
            Self::NotFound(_) => Code::NotFound,
            Self::Absent(_) => Code::Unimplemented,
        }
    }

    /// The kind that most clients decide by.
    fn exception(&self) -> Option<&'static str> {
        match self {
            Self::MissingMetadata { .. } => Some("missing-required-metadata-property"),
            Self::StreamDeleted { .. } => Some("stream-deleted"),
            Self::WrongExpected { .. } => Some("wrong-expected-version"),
            Self::AppendTooLarge { .. } => Some("maximum-append-size-exceeded"),
            Self::EventTooLarge { .. } => Some("maximum-append-event-size-exceeded"),
            Self::AccessDenied(_) => Some("access-denied"),
            Self::GroupDoesNotExist { .. } => Some("persistent-subscription-does-not-exist"),
            Self::GroupExists { .. } => Some("persistent-subscription-exists"),
            Self::GroupFailed { .. } => Some("persistent-subscription-failed"),
            Self::GroupFull { .. } => Some("maximum-subscribers-reached"),
            Self::GroupDropped { .. } => Some("persistent-subscription-dropped"),
            Self::UserNotFound { .. } => Some("user-not-found"),
            Self::UserExists { .. } => Some("user-conflict"),
            Self::ScavengeNotFound { .. } => Some("scavenge-not-found"),
            _ => None,
        }
    }

    /// What stands beside the kind.
    fn trailers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::MissingMetadata { .. } => {
                vec![("required-metadata-properties", "type,content-type".to_owned())]
            }
            Self::StreamDeleted { stream } => vec![("stream-name", stream.to_string())],
            Self::WrongExpected { stream, expected, actual } => vec![
                ("stream-name", stream.to_string()),
                ("expected-version", expectation::number(*expected).to_string()),
                ("actual-version", expectation::actual_number(*actual).to_string()),
            ],
            Self::AppendTooLarge { limit } => vec![("maximum-append-size", limit.to_string())],
            Self::EventTooLarge { id, bytes, limit } => vec![
                ("event-id", id.to_string()),
                ("proposed-append-event-size", bytes.to_string()),
                ("maximum-append-event-size", limit.to_string()),
            ],
            Self::GroupFailed { group, reason } => {
                let mut trailers = of_group(group);
                trailers.push(("reason", reason.clone()));
                trailers
            }
            Self::GroupDoesNotExist { group }
            | Self::GroupExists { group }
            | Self::GroupFull { group }
            | Self::GroupDropped { group } => of_group(group),
            Self::UserNotFound { login } | Self::UserExists { login } => vec![("login-name", login.clone())],
            Self::ScavengeNotFound { id } => vec![("scavenge-id", id.clone())],
            _ => Vec::new(),
        }
    }

    /// As the status of a call.
    pub fn status(&self) -> Status {
        let mut metadata = MetadataMap::new();
        if let Some(exception) = self.exception() {
            metadata.insert("exception", MetadataValue::from_static(exception));
        }
        for (key, value) in self.trailers() {
            metadata.insert(key, ascii(&value));
        }
        Status::with_metadata(self.code(), self.to_string(), metadata)
    }

    /// As a status inside the answer to an append in a batch.
    pub fn in_batch(&self) -> google::rpc::Status {
        let size = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let (code, detail) = match self {
            Self::Invalid(_) | Self::MissingMetadata { .. } => {
                (Code::InvalidArgument, any(&client::BadRequest { message: self.to_string() }))
            }
            Self::StreamDeleted { stream: name } => {
                let detail = client::StreamDeleted { stream_identifier: Some(stream::encode(name)) };
                (Code::NotFound, any(&detail))
            }
            Self::AppendTooLarge { limit } => (
                Code::InvalidArgument,
                any(&client::MaximumAppendSizeExceeded { max_append_size: size(*limit) }),
            ),
            Self::EventTooLarge { id, bytes, limit } => (
                Code::InvalidArgument,
                any(&client::MaximumAppendEventSizeExceeded {
                    event_id: id.to_string(),
                    proposed_event_size: size(*bytes),
                    max_append_event_size: size(*limit),
                }),
            ),
            Self::AccessDenied(_) => (Code::PermissionDenied, any(&client::AccessDenied {})),
            Self::TimedOut => (Code::DeadlineExceeded, any(&client::Timeout {})),
            Self::WrongExpected { expected, actual, .. } => {
                (Code::AlreadyExists, any(&wrong_expected(*expected, *actual)))
            }
            other => (other.code(), any(&client::Unknown {})),
        };
        // A known detail is named by its type, which is what clients print;
        // where the detail says nothing, our own words do.
        let message = match self {
            Self::Busy
            | Self::NotReady
            | Self::Unknown(_)
            | Self::Full(_)
            | Self::Storage(_)
            | Self::Damaged(_) => self.to_string(),
            _ => detail.type_url.rsplit('.').next().unwrap_or_default().to_owned(),
        };
        google::rpc::Status { code: code as i32, message, details: vec![detail] }
    }
}

fn of_group(group: &GroupKey) -> Vec<(&'static str, String)> {
    vec![("stream-name", group.source.as_str().to_owned()), ("group-name", group.name.clone())]
}

fn wrong_expected(expected: ExpectedRevision, actual: Option<Revision>) -> client::WrongExpectedVersion {
    use client::wrong_expected_version::{CurrentStreamRevisionOption, ExpectedStreamPositionOption};
    client::WrongExpectedVersion {
        current_stream_revision_option: Some(match actual {
            Some(revision) => CurrentStreamRevisionOption::CurrentStreamRevision(revision.get()),
            None => CurrentStreamRevisionOption::CurrentNoStream(()),
        }),
        expected_stream_position_option: Some(match expected {
            ExpectedRevision::Any => ExpectedStreamPositionOption::ExpectedAny(()),
            ExpectedRevision::NoStream => ExpectedStreamPositionOption::ExpectedNoStream(()),
            ExpectedRevision::Exists => ExpectedStreamPositionOption::ExpectedStreamExists(()),
            ExpectedRevision::Exact(revision) => {
                ExpectedStreamPositionOption::ExpectedStreamPosition(revision.get())
            }
        }),
    }
}

pub(crate) fn any<M: Message + Name>(detail: &M) -> Any {
    Any { type_url: format!("type.googleapis.com/{}", M::full_name()), value: detail.encode_to_vec() }
}

/// Trailers are ASCII: everything else is written as % and two digits, and so
/// is the percent sign itself where that was needed.
fn ascii(text: &str) -> MetadataValue<Ascii> {
    const PERCENT: &AsciiSet = &CONTROLS.add(b'%');
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let encoded = match plain {
        true => text.to_owned(),
        false => utf8_percent_encode(text, PERCENT).to_string(),
    };
    encoded.parse().unwrap_or_else(|_| MetadataValue::from_static("?"))
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        failure.status()
    }
}

#[cfg(test)]
mod tests;
