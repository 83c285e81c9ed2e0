//! What the store says, as what the protocol says.

use std::error::Error;

use factum_core::{AppendError, ErrorKind, InvalidAppend, NewEvent, ReadError, StorageError, SubscribeError};
use factum_wire::Failure;

/// Of an append. Conflicts are answered by the rules; what comes here of them
/// is one that the rules did not foresee, and is told as it is.
pub fn of_append(error: AppendError) -> Failure {
    match &error {
        AppendError::Overloaded { .. } => Failure::Busy,
        AppendError::Storage(StorageError::Closed) => Failure::NotReady,
        AppendError::Invalid(InvalidAppend::TooLarge { limit, .. }) => {
            Failure::AppendTooLarge { limit: *limit }
        }
        AppendError::Invalid(InvalidAppend::EventTooLarge { .. }) => {
            Failure::AppendTooLarge { limit: NewEvent::BYTES_MAX }
        }
        other => of_kind(other.kind(), other),
    }
}

/// Of a read.
pub fn of_read(error: ReadError) -> Failure {
    match error {
        ReadError::Storage(StorageError::Closed) => Failure::NotReady,
        other => of_kind(other.kind(), &other),
    }
}

/// Of a subscription.
pub fn of_subscribe(error: SubscribeError) -> Failure {
    match error {
        SubscribeError::Closed => Failure::NotReady,
        other => of_kind(other.kind(), &other),
    }
}

fn of_kind(kind: ErrorKind, error: &dyn Error) -> Failure {
    let text = told(error);
    match kind {
        ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict => Failure::Invalid(text),
        ErrorKind::Unavailable => Failure::Full(text),
        ErrorKind::Unknown => Failure::Unknown(text),
        ErrorKind::Corrupt => Failure::Damaged(text),
        _ => Failure::Storage(text),
    }
}

/// An error and its sources in one line.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
