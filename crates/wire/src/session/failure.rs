//! Why a transaction is refused: a status, and its details beside it.
//!
//! ```text
//!   grpc-status, grpc-message     for people and for the simplest clients
//!   grpc-status-details-bin       google.rpc.Status { the same two,
//!                                   [ErrorInfo { reason, domain }, what exactly] }
//! ```
//!
//! Clients decide by the type of the last detail. Headers of an answer are
//! small, so that of very many violations only the first are told.

use factum_core::StreamName;
use prost::Message;
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::Failure;
use crate::failure::any;
use crate::proto::google::rpc;
use crate::proto::sessions::errors::{
    AppendConsistencyViolationErrorDetails, AppendRecordSizeExceededErrorDetails,
    AppendTransactionSizeExceededErrorDetails, ConsistencyViolation,
    StreamAlreadyInAppendSessionErrorDetails, StreamRevisionConflictErrorDetails,
    StreamTombstonedErrorDetails, consistency_violation,
};

use super::{Actual, Expected};

/// How many bytes of violations are told; clients take headers of 8 KiB.
const VIOLATIONS_BYTES_MAX: usize = 3 * 1024;

/// Whose words the reasons are.
const STREAMS: &str = "streams";
const SERVER: &str = "server";

/// A check that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which check of the request.
    pub check: usize,
    #[allow(missing_docs)]
    pub stream: StreamName,
    #[allow(missing_docs)]
    pub expected: Expected,
    #[allow(missing_docs)]
    pub actual: Actual,
}

/// What a transaction was refused with. Nothing of it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionFailure {
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A session without a request.
    #[error("the append session is empty: send one request or more")]
    NoRequests,
    /// Two requests for one stream.
    #[error("stream '{stream}' is in this append session already: send all of its records in one request")]
    AlreadyInSession {
        #[allow(missing_docs)]
        stream: StreamName,
    },
    /// The stream has ended.
    #[error("Stream '{stream}' has been tombstoned.")]
    Tombstoned {
        #[allow(missing_docs)]
        stream: StreamName,
    },
    /// A stream that is written stands elsewhere.
    #[error(
        "Append failed due to a revision conflict on stream '{stream}'. Expected revision: {}, actual revision: {}.",
        expected.number(),
        actual.number()
    )]
    Conflict {
        #[allow(missing_docs)]
        stream: StreamName,
        #[allow(missing_docs)]
        expected: Expected,
        #[allow(missing_docs)]
        actual: Actual,
    },
    /// Checks do not hold.
    #[error("Append failed: {} of its consistency checks do not hold.", .0.len())]
    Violated(Vec<Violation>),
    /// More than one record may hold.
    #[error("The record '{id}' for stream '{stream}' has {bytes} bytes, and at most {limit} are allowed.")]
    RecordTooLarge {
        #[allow(missing_docs)]
        stream: StreamName,
        #[allow(missing_docs)]
        id: Uuid,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// More than one transaction may hold.
    #[error("The append has {bytes} bytes or more, and at most {limit} are recorded as one.")]
    TooLarge {
        /// How many were counted.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// What can befall every call.
    #[error(transparent)]
    Other(Failure),
}

impl From<Failure> for SessionFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Invalid(what) => Self::Invalid(what),
            other => Self::Other(other),
        }
    }
}

impl SessionFailure {
    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) | Self::RecordTooLarge { .. } => Code::InvalidArgument,
            Self::NoRequests | Self::Tombstoned { .. } | Self::Conflict { .. } | Self::Violated(_) => {
                Code::FailedPrecondition
            }
            Self::AlreadyInSession { .. } | Self::TooLarge { .. } => Code::Aborted,
            // A deadline that passed while a session was sent.
            Self::Other(Failure::TimedOut) => Code::DeadlineExceeded,
            Self::Other(failure) => failure.code(),
        }
    }

    /// The word for it, and whose it is: as KurrentDB says them, a value of its
    /// `StreamsError` or `ServerError` without the name of that.
    fn reason(&self) -> (&'static str, &'static str) {
        match self {
            Self::Invalid(_) => ("BAD_REQUEST", SERVER),
            Self::NoRequests => ("APPEND_SESSION_NO_REQUESTS", STREAMS),
            Self::AlreadyInSession { .. } => ("STREAM_ALREADY_IN_APPEND_SESSION", STREAMS),
            Self::Tombstoned { .. } => ("STREAM_TOMBSTONED", STREAMS),
            Self::Conflict { .. } => ("STREAM_REVISION_CONFLICT", STREAMS),
            Self::Violated(_) => ("APPEND_CONSISTENCY_VIOLATION", STREAMS),
            Self::RecordTooLarge { .. } => ("APPEND_RECORD_SIZE_EXCEEDED", STREAMS),
            Self::TooLarge { .. } => ("APPEND_TRANSACTION_SIZE_EXCEEDED", STREAMS),
            Self::Other(Failure::AccessDenied(_)) => ("ACCESS_DENIED", SERVER),
            Self::Other(Failure::NotReady) => ("SERVER_NOT_READY", SERVER),
            Self::Other(Failure::Busy) => ("SERVER_OVERLOADED", SERVER),
            Self::Other(Failure::TimedOut) => ("OPERATION_TIMEOUT", SERVER),
            Self::Other(failure) if failure.code() == Code::InvalidArgument => ("BAD_REQUEST", SERVER),
            Self::Other(_) => ("SERVER_MALFUNCTION", SERVER),
        }
    }

    /// What exactly, where there is more to say than the reason.
    fn detail(&self) -> Option<Any> {
        let size = |bytes: u64| i32::try_from(bytes).unwrap_or(i32::MAX);
        let text = |stream: &StreamName| stream.as_str().to_owned();
        Some(match self {
            Self::AlreadyInSession { stream } => {
                any(&StreamAlreadyInAppendSessionErrorDetails { stream: text(stream) })
            }
            Self::Tombstoned { stream } => any(&StreamTombstonedErrorDetails { stream: text(stream) }),
            Self::Conflict { stream, expected, actual } => any(&StreamRevisionConflictErrorDetails {
                stream: text(stream),
                expected_revision: expected.number(),
                actual_revision: actual.number(),
            }),
            Self::Violated(violations) => any(&told(violations)),
            Self::RecordTooLarge { stream, id, bytes, limit } => any(&AppendRecordSizeExceededErrorDetails {
                stream: text(stream),
                record_id: id.to_string(),
                size: size(*bytes),
                max_size: size(*limit),
            }),
            Self::TooLarge { bytes, limit } => {
                any(&AppendTransactionSizeExceededErrorDetails { size: size(*bytes), max_size: size(*limit) })
            }
            Self::Invalid(_) | Self::NoRequests | Self::Other(_) => return None,
        })
    }

    /// As the status of a call. What can befall every call keeps the trailers
    /// that it has everywhere.
    pub fn status(&self) -> Status {
        let (reason, domain) = self.reason();
        let info = any(&rpc::ErrorInfo { reason: reason.to_owned(), domain: domain.to_owned() });
        let message = self.to_string();
        let status = rpc::Status {
            code: self.code() as i32,
            message: message.clone(),
            details: std::iter::once(info).chain(self.detail()).collect(),
        };
        let trailers = match self {
            Self::Other(failure) => failure.status().metadata().clone(),
            _ => MetadataMap::new(),
        };
        let details = status.encode_to_vec().into();
        Status::with_details_and_metadata(self.code(), message, details, trailers)
    }
}

fn told(violations: &[Violation]) -> AppendConsistencyViolationErrorDetails {
    let mut told = AppendConsistencyViolationErrorDetails::default();
    for Violation { check, stream, expected, actual } in violations {
        let violation = consistency_violation::StreamStateViolation {
            stream: stream.as_str().to_owned(),
            expected_state: expected.number(),
            actual_state: actual.number(),
        };
        told.violations.push(ConsistencyViolation {
            check_index: i32::try_from(*check).unwrap_or(i32::MAX),
            r#type: Some(consistency_violation::Type::StreamState(violation)),
        });
        if told.encoded_len() > VIOLATIONS_BYTES_MAX {
            if told.violations.len() > 1 {
                told.violations.pop();
            }
            break;
        }
    }
    told
}

impl From<SessionFailure> for Status {
    fn from(failure: SessionFailure) -> Self {
        failure.status()
    }
}
