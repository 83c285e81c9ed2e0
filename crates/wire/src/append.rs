//! Appends: options, then events; and what comes back.
//!
//! Where a stream stands elsewhere than expected, the call succeeds and the
//! answer says so, twice: once for clients of 20.6, once for later ones.

use factum_core::{ExpectedRevision, NewEvent, Position, Revision, StreamName};

use crate::failure::Failure;
use crate::proto::client::Empty;
use crate::proto::streams::append_req::{Options, ProposedMessage};
use crate::proto::streams::append_resp::wrong_expected_version as wrong;
use crate::proto::streams::append_resp::{self, Result as Answer, success};
use crate::proto::streams::{AppendReq, AppendResp, append_req};
use crate::{event, expectation, position, stream};

/// One message of an append.
#[derive(Debug)]
pub enum Part {
    /// The first.
    Options {
        #[allow(missing_docs)]
        stream: StreamName,
        #[allow(missing_docs)]
        expected: ExpectedRevision,
    },
    /// Every other.
    Event(NewEvent),
}

/// Understands one message.
pub fn part(request: AppendReq) -> Result<Part, Failure> {
    match request.content {
        Some(append_req::Content::Options(Options { stream_identifier, expected_stream_revision })) => {
            Ok(Part::Options {
                stream: stream::decode(stream_identifier)?,
                expected: expectation::of_append(expected_stream_revision)?,
            })
        }
        Some(append_req::Content::ProposedMessage(ProposedMessage {
            id,
            metadata,
            custom_metadata,
            data,
        })) => Ok(Part::Event(event::propose(id.as_ref(), metadata, custom_metadata, data)?)),
        None => Err(Failure::Invalid("a message of the append is empty".to_owned())),
    }
}

/// It was recorded, or there was nothing to record.
pub fn success(revision: Option<Revision>, last: Option<Position>) -> AppendResp {
    let current_revision_option = Some(match revision {
        Some(revision) => success::CurrentRevisionOption::CurrentRevision(revision.get()),
        None => success::CurrentRevisionOption::NoStream(Empty {}),
    });
    let position_option = Some(match last {
        Some(last) => {
            let position = position::encode(last);
            success::PositionOption::Position(append_resp::Position {
                commit_position: position,
                prepare_position: position,
            })
        }
        None => success::PositionOption::NoPosition(Empty {}),
    });
    AppendResp {
        result: Some(Answer::Success(append_resp::Success { current_revision_option, position_option })),
    }
}

/// The stream stands elsewhere.
pub fn wrong_expected(expected: ExpectedRevision, actual: Option<Revision>) -> AppendResp {
    let (current_then, current) = match actual {
        Some(revision) => (
            wrong::CurrentRevisionOption2060::CurrentRevision2060(revision.get()),
            wrong::CurrentRevisionOption::CurrentRevision(revision.get()),
        ),
        None => (
            wrong::CurrentRevisionOption2060::NoStream2060(Empty {}),
            wrong::CurrentRevisionOption::CurrentNoStream(Empty {}),
        ),
    };
    let (expected_then, expected) = match expected {
        ExpectedRevision::Any => (
            wrong::ExpectedRevisionOption2060::Any2060(Empty {}),
            wrong::ExpectedRevisionOption::ExpectedAny(Empty {}),
        ),
        ExpectedRevision::Exists => (
            wrong::ExpectedRevisionOption2060::StreamExists2060(Empty {}),
            wrong::ExpectedRevisionOption::ExpectedStreamExists(Empty {}),
        ),
        // Clients of 20.6 had no other word for it.
        ExpectedRevision::NoStream => (
            wrong::ExpectedRevisionOption2060::ExpectedRevision2060(u64::MAX),
            wrong::ExpectedRevisionOption::ExpectedNoStream(Empty {}),
        ),
        ExpectedRevision::Exact(revision) => (
            wrong::ExpectedRevisionOption2060::ExpectedRevision2060(revision.get()),
            wrong::ExpectedRevisionOption::ExpectedRevision(revision.get()),
        ),
    };
    AppendResp {
        result: Some(Answer::WrongExpectedVersion(append_resp::WrongExpectedVersion {
            current_revision_option_20_6_0: Some(current_then),
            expected_revision_option_20_6_0: Some(expected_then),
            current_revision_option: Some(current),
            expected_revision_option: Some(expected),
        })),
    }
}
