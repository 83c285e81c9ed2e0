//! Why a verb did not do what was asked: an exit code, the error, and hints.
//!
//! Libraries say what is wrong and what to do in their own words; a hint adds
//! what only this program knows, such as the flag to use. Hints are for people
//! and never decide anything.

use std::error::Error;
use std::io;

use factum_core::{AppendError, ReadError, StorageError, SubscribeError};
use factum_log::{LogOptions, OpenError};

use crate::exit::Exit;
use crate::render::text;

/// A verb's failure.
#[derive(Debug)]
pub struct Failure {
    /// How the program ends.
    pub code: Exit,
    /// What went wrong, with its sources.
    pub error: Box<dyn Error + Send + Sync>,
    /// What to do next in the words of this program.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(code: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code, error: error.into(), hints: Vec::new() }
    }

    /// What was given is refused.
    pub fn invalid(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Exit::Invalid, error)
    }

    /// What was asked for is not there.
    pub fn not_found(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Exit::NotFound, error)
    }

    /// Also says what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Whether there is nothing to say: the reader of our output has gone,
    /// which is how `| head` ends a program.
    pub fn is_silent(&self) -> bool {
        self.code == Exit::Success
    }

    /// The error and its sources, none of them repeated.
    pub fn chain(&self) -> Vec<String> {
        let mut lines = vec![self.error.to_string()];
        let mut source = self.error.source();
        while let Some(error) = source {
            let line = error.to_string();
            if !lines.iter().any(|said| said.contains(&line)) {
                lines.push(line);
            }
            source = error.source();
        }
        lines
    }
}

/// Writing our own output failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Success, error),
            _ => Self::new(Exit::Failure, OutputError(error)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the output")]
struct OutputError(#[source] io::Error);

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        let hint = match &error {
            AppendError::Conflict { stream, actual: Some(actual), .. } => Some(format!(
                "`factum stream show {}` shows its last events; append with --expected {actual} if yours still hold",
                quoted(stream.as_str())
            )),
            AppendError::Conflict { actual: None, .. } => {
                Some("append with --expected none to begin the stream".to_owned())
            }
            AppendError::Storage(error) | AppendError::Unknown(error) => storage_hint(error),
            AppendError::ConditionFailed { position } => Some(format!(
                "decide again with that event in view, then append with --after {position} or later"
            )),
            _ => None,
        };
        let mut failure = Self::new(error.kind().into(), error);
        failure.hints.extend(hint);
        failure
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let hint = match &error {
            ReadError::StreamNotFound { .. } => {
                Some("`factum stream list` shows the streams there are".to_owned())
            }
            ReadError::Storage(error) => storage_hint(error),
            _ => None,
        };
        let mut failure = Self::new(error.kind().into(), error);
        failure.hints.extend(hint);
        failure
    }
}

impl From<SubscribeError> for Failure {
    fn from(error: SubscribeError) -> Self {
        Self::new(error.kind().into(), error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let hint = storage_hint(&error);
        let mut failure = Self::new(error.kind().into(), error);
        failure.hints.extend(hint);
        failure
    }
}

/// What the machine did, if that is what is behind an error.
pub fn storage_behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a StorageError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(storage) = error.downcast_ref() {
            return Some(storage);
        }
        next = error.source();
    }
    None
}

/// What to do about the machine.
pub fn storage_hint(error: &StorageError) -> Option<String> {
    let LogOptions { segment_bytes_first, segment_bytes_max, .. } = LogOptions::default();
    let io = match error {
        StorageError::DiskFull { .. } => {
            return Some(format!(
                "room is reserved before it is written: {} for a new store, later up to {} at once",
                text::bytes(segment_bytes_first),
                text::bytes(segment_bytes_max)
            ));
        }
        StorageError::Io { source, .. } => source,
        _ => return None,
    };
    match io.kind() {
        io::ErrorKind::FileTooLarge => Some(format!(
            "a limit on the size of files is in force (`ulimit -f`), and a store has files of up to {}: raise it",
            text::bytes(segment_bytes_max)
        )),
        io::ErrorKind::ReadOnlyFilesystem => Some(
            "the file system is mounted only for reading: verbs that only look work there, others do not"
                .to_owned(),
        ),
        io::ErrorKind::PermissionDenied => {
            Some("run as the user the store belongs to, or change who may read and write it".to_owned())
        }
        io::ErrorKind::NotFound if matches!(error, StorageError::Io { doing: "create", .. }) => {
            Some("make the directory the store is to stand in first; only the last one is made".to_owned())
        }
        _ => None,
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let (code, hint) = match &error {
            OpenError::NotFound { .. } => (
                Exit::NotFound,
                Some(
                    "name the store with --store DIR or FACTUM_STORE; `factum event-store append` begins a new one",
                ),
            ),
            OpenError::Empty { .. } => {
                (Exit::NotFound, Some("append with --init to begin a store in this empty directory"))
            }
            OpenError::NotAStore { .. } => {
                (Exit::NotFound, Some("name the store with --store DIR or FACTUM_STORE"))
            }
            OpenError::Locked { .. } => (
                Exit::Unavailable,
                Some(
                    "one process at a time may have a store open; --wait SECONDS waits longer for it, and --url asks the one that serves it",
                ),
            ),
            OpenError::NewerFormat { .. } => (Exit::Failure, None),
            OpenError::Option { .. } => (Exit::Usage, None),
            OpenError::Storage(error) => (error.kind().into(), None),
            _ => (Exit::Failure, None),
        };
        let failure = Self::new(code, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// A name as a shell would take it.
pub fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}
