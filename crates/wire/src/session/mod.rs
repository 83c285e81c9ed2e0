//! Appends over several streams: one transaction over one call.
//!
//! | number | as an expectation | as where a stream stands |
//! |---|---|---|
//! | 0 and up | its last revision is this | its last revision |
//! | -1 | it has no event, or is deleted | it has no event |
//! | -2 | anywhere | |
//! | -4 | it has events that can be read | |
//! | -5 | it is deleted, and can begin again | the same |
//! | -6 | it has a tombstone | the same |
//!
//! Unlike in the first version of the protocol, ids are texts, labels are
//! values of any kind, and refusals carry details in a header of their own
//! ([`failure`]).

pub mod failure;
mod record;

use std::collections::HashSet;

use factum_core::{NewEvent, Position, Revision, StreamName};

use crate::position;
use crate::proto::sessions::{
    AppendRecordsRequest, AppendRecordsResponse, AppendRequest, AppendResponse, AppendSessionResponse,
    ConsistencyCheck, StreamRevision, consistency_check,
};

pub use failure::{SessionFailure, Violation};
pub use record::PROPERTIES_DEPTH_MAX;

/// The most streams one transaction may write and check.
pub const STREAMS_MAX: usize = 1_024;

/// Where a stream must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    #[allow(missing_docs)]
    Any,
    /// It can be begun.
    NoStream,
    /// Something of it can be read.
    Exists,
    /// This is its last revision.
    Exact(Revision),
    /// It can be begun again.
    Deleted,
    /// It has ended for ever.
    Tombstoned,
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actual {
    /// It has no event.
    NoStream,
    /// This is its last revision.
    At(Revision),
    #[allow(missing_docs)]
    Deleted,
    #[allow(missing_docs)]
    Tombstoned,
}

impl Expected {
    /// The number on the wire.
    pub fn number(self) -> i64 {
        match self {
            Self::Exact(revision) => i64::try_from(revision.get()).unwrap_or(i64::MAX),
            Self::NoStream => -1,
            Self::Any => -2,
            Self::Exists => -4,
            Self::Deleted => -5,
            Self::Tombstoned => -6,
        }
    }

    fn of(number: i64) -> Option<Self> {
        Some(match number {
            -1 => Self::NoStream,
            -2 => Self::Any,
            -4 => Self::Exists,
            -5 => Self::Deleted,
            -6 => Self::Tombstoned,
            revision => Self::Exact(Revision::new(u64::try_from(revision).ok()?)),
        })
    }
}

impl Actual {
    /// The number on the wire.
    pub fn number(self) -> i64 {
        match self {
            Self::At(revision) => i64::try_from(revision.get()).unwrap_or(i64::MAX),
            Self::NoStream => -1,
            Self::Deleted => -5,
            Self::Tombstoned => -6,
        }
    }
}

/// What one transaction wants of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    #[allow(missing_docs)]
    pub stream: StreamName,
    #[allow(missing_docs)]
    pub expected: Expected,
    /// Which check of the request says so, if one does.
    pub check: Option<usize>,
    /// What is to be appended; nothing if the stream is only checked.
    pub events: Vec<NewEvent>,
}

/// Understands one request of a session.
pub fn request(request: AppendRequest) -> Result<Part, SessionFailure> {
    let stream = name(request.stream)?;
    let expected = match request.expected_revision {
        None => Expected::Any,
        Some(number) => Expected::of(number)
            .filter(|expected| !matches!(expected, Expected::Deleted | Expected::Tombstoned))
            .ok_or_else(|| {
                invalid(format!(
                    "stream {stream:?} cannot be expected at {number}: send a revision, -1 (no stream), -2 (any) or -4 (exists)"
                ))
            })?,
    };
    if request.records.is_empty() {
        return Err(invalid(format!(
            "nothing is to be appended to stream {stream:?}: send one record or more"
        )));
    }
    let events = request.records.into_iter().map(|record| match record.stream {
        Some(other) if other != stream.as_str() => {
            Err(invalid(format!("a record for stream {other:?} is in the request for stream {stream:?}")))
        }
        _ => record::event(&stream, record),
    });
    Ok(Part { events: events.collect::<Result<_, _>>()?, expected, check: None, stream })
}

/// Understands a transaction in one request: its parts in the order in which
/// their streams are first named, those that are only checked last.
pub fn records(request: AppendRecordsRequest) -> Result<Vec<Part>, SessionFailure> {
    if request.records.is_empty() {
        return Err(invalid("nothing is to be appended: send one record or more"));
    }
    let mut parts = Parts::default();
    for mut record in request.records {
        let stream = name(record.stream.take().unwrap_or_default())?;
        let event = record::event(&stream, record)?;
        parts.of(stream)?.events.push(event);
    }
    let written = parts.parts.len();
    let mut checked = HashSet::new();
    for (index, check) in request.checks.into_iter().enumerate() {
        let (stream, expected) = state_check(index, check)?;
        if !checked.insert(stream.clone()) {
            return Err(invalid(format!(
                "stream {stream:?} is checked twice: send one check for each stream"
            )));
        }
        let part = parts.of(stream)?;
        if expected == Expected::Tombstoned && !part.events.is_empty() {
            let stream = &part.stream;
            return Err(invalid(format!(
                "check {index} expects a tombstone on stream {stream:?}, and nothing can be appended to such a stream"
            )));
        }
        (part.expected, part.check) = (expected, Some(index));
    }
    debug_assert!(parts.parts[written..].iter().all(|part| part.events.is_empty()));
    Ok(parts.parts)
}

/// Parts by their streams, in order.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    by_name: std::collections::HashMap<StreamName, usize>,
}

impl Parts {
    fn of(&mut self, stream: StreamName) -> Result<&mut Part, SessionFailure> {
        let next = self.parts.len();
        let at = *self.by_name.entry(stream.clone()).or_insert(next);
        if at == next {
            check_count(next + 1)?;
            self.parts.push(Part { stream, expected: Expected::Any, check: None, events: Vec::new() });
        }
        Ok(&mut self.parts[at])
    }
}

/// Refuses what names too many streams.
pub fn check_count(streams: usize) -> Result<(), SessionFailure> {
    match streams > STREAMS_MAX {
        true => Err(invalid(format!("at most {STREAMS_MAX} streams can take part in one append: split it"))),
        false => Ok(()),
    }
}

fn state_check(index: usize, check: ConsistencyCheck) -> Result<(StreamName, Expected), SessionFailure> {
    let Some(consistency_check::Type::StreamState(check)) = check.r#type else {
        return Err(invalid(format!("check {index} is empty: send the state of a stream")));
    };
    let stream = name(check.stream)?;
    let number = check.expected_state;
    let expected = Expected::of(number).filter(|expected| *expected != Expected::Any).ok_or_else(|| {
        invalid(format!(
            "check {index} cannot expect stream {stream:?} at {number}: send a revision, -1 (no stream), -4 (exists), -5 (deleted) or -6 (tombstoned)"
        ))
    })?;
    Ok((stream, expected))
}

fn name(name: String) -> Result<StreamName, SessionFailure> {
    StreamName::new(name).map_err(|error| invalid(error.to_string()))
}

fn invalid(what: impl Into<String>) -> SessionFailure {
    SessionFailure::Invalid(what.into())
}

fn revision_number(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}

fn position_number(position: Position) -> i64 {
    i64::try_from(position::encode(position)).unwrap_or(i64::MAX)
}

/// A session was recorded: every stream's last revision, and the place of the
/// last event.
pub fn session_success(
    streams: impl IntoIterator<Item = (StreamName, Revision)>,
    last: Position,
) -> AppendSessionResponse {
    let position = Some(position_number(last));
    let output = streams.into_iter().map(|(stream, revision)| AppendResponse {
        stream: stream.as_str().to_owned(),
        stream_revision: revision_number(revision),
        position,
    });
    AppendSessionResponse { output: output.collect(), position }
}

/// The same for records.
pub fn records_success(
    streams: impl IntoIterator<Item = (StreamName, Revision)>,
    last: Position,
) -> AppendRecordsResponse {
    let revisions = streams.into_iter().map(|(stream, revision)| StreamRevision {
        stream: stream.as_str().to_owned(),
        revision: revision_number(revision),
    });
    AppendRecordsResponse { revisions: revisions.collect(), position: Some(position_number(last)) }
}

#[cfg(test)]
mod tests;
