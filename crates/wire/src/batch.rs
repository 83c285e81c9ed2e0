//! Appends in a batch: many at once over one call, told apart by ids that are
//! sent back exactly as they came.
//!
//! ```text
//!   client   A options+2 events   B options+1 event, final   A 1 event, final
//!   server                                        B success          A success
//! ```

use std::time::Duration;

use bytes::Bytes;
use factum_core::{ExpectedRevision, NewEvent, Position, Revision, StreamName, Timestamp};

use crate::failure::Failure;
use crate::proto::client::{StreamIdentifier, Uuid as WireId};
use crate::proto::streams::BatchAppendResp;
use crate::proto::streams::batch_append_req::options::DeadlineOption;
use crate::proto::streams::batch_append_req::{Options, ProposedMessage};
use crate::proto::streams::batch_append_resp::{Result as Answer, Success, success};
use crate::{codec, event, expectation, read, stream};

/// Longer than anybody waits: whoever would, waits for ever.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the events of one id are to go.
#[derive(Debug, Clone)]
pub struct Target {
    #[allow(missing_docs)]
    pub stream: StreamName,
    #[allow(missing_docs)]
    pub expected: ExpectedRevision,
    /// How long the client waits for the answer, if not for ever.
    pub patience: Option<Duration>,
}

/// Understands the options of one id.
pub fn target(options: Options, now: Timestamp) -> Result<Target, Failure> {
    let patience = match options.deadline_option {
        None => None,
        Some(DeadlineOption::Deadline(wait)) => patience(wait.seconds, wait.nanos),
        Some(DeadlineOption::Deadline21100(at)) => {
            let now_seconds = now.as_micros().div_euclid(1_000_000);
            let now_nanos = i32::try_from(now.as_micros().rem_euclid(1_000_000) * 1_000).unwrap_or(0);
            patience(at.seconds.saturating_sub(now_seconds), at.nanos.saturating_sub(now_nanos))
        }
    };
    Ok(Target {
        expected: expectation::of_batch(options.expected_stream_position)?,
        stream: stream::decode(options.stream_identifier)?,
        patience,
    })
}

/// Clients without a deadline send the largest number they know, or the time
/// since 1970, so that nothing here may overflow.
fn patience(seconds: i64, nanos: i32) -> Option<Duration> {
    let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let patience = Duration::from_nanos(u64::try_from(nanos.max(0)).ok()?);
    (patience < FOR_EVER).then_some(patience)
}

/// Understands one event.
pub fn propose(message: ProposedMessage) -> Result<NewEvent, Failure> {
    event::propose(message.id.as_ref(), message.metadata, message.custom_metadata, message.data)
}

/// It was recorded, or there was nothing to record.
pub fn success(
    id: WireId,
    stream: StreamIdentifier,
    revision: Option<Revision>,
    last: Option<Position>,
) -> BatchAppendResp {
    let answer = Answer::Success(Success {
        current_revision_option: Some(match revision {
            Some(revision) => success::CurrentRevisionOption::CurrentRevision(revision.get()),
            None => success::CurrentRevisionOption::NoStream(()),
        }),
        position_option: Some(match last {
            Some(last) => success::PositionOption::Position(read::all_position(last)),
            None => success::PositionOption::NoPosition(()),
        }),
    });
    respond(id, stream, answer)
}

/// It was refused.
pub fn refusal(id: WireId, stream: StreamIdentifier, failure: &Failure) -> BatchAppendResp {
    respond(id, stream, Answer::Error(failure.in_batch()))
}

fn respond(id: WireId, stream: StreamIdentifier, answer: Answer) -> BatchAppendResp {
    BatchAppendResp {
        correlation_id: Some(id),
        result: Some(answer),
        stream_identifier: Some(stream),
        expected_stream_position: None,
    }
}

/// Answers, as they go into a connection.
#[derive(Debug, Default)]
pub struct Answers {
    bytes: Vec<u8>,
    count: usize,
}

impl Answers {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds one.
    pub fn push(&mut self, answer: &BatchAppendResp) {
        self.count += 1;
        codec::write(answer, &mut self.bytes);
    }

    /// All of them.
    pub fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::streams::batch_append_req::options::ExpectedStreamPosition;

    fn wait(deadline: Option<DeadlineOption>, now: Timestamp) -> Option<Duration> {
        let options = Options {
            stream_identifier: Some(stream::encode(&StreamName::new("a").unwrap())),
            expected_stream_position: Some(ExpectedStreamPosition::Any(())),
            deadline_option: deadline,
        };
        target(options, now).unwrap().patience
    }

    #[test]
    fn deadlines_of_every_size_are_understood() {
        let duration =
            |seconds, nanos| Some(DeadlineOption::Deadline(prost_types::Duration { seconds, nanos }));
        let at =
            |seconds, nanos| Some(DeadlineOption::Deadline21100(prost_types::Timestamp { seconds, nanos }));
        let now = Timestamp::from_micros(100_500_000);
        let rows = [
            (None, None),
            (duration(2, 500), Some(Duration::new(2, 500))),
            (duration(0, 0), Some(Duration::ZERO)),
            (duration(-1, 0), Some(Duration::ZERO)),
            (duration(315_576_000_000, 999_999_999), None),
            (duration(i64::MAX, i32::MAX), None),
            (duration(i64::MIN, i32::MIN), Some(Duration::ZERO)),
            (at(101, 0), Some(Duration::from_millis(500))),
            (at(100, 0), Some(Duration::ZERO)),
            (at(i64::MAX, i32::MAX), None),
            (at(i64::MIN, i32::MIN), Some(Duration::ZERO)),
        ];
        for (deadline, expected) in rows {
            assert_eq!(wait(deadline, now), expected, "{deadline:?}");
        }
        wait(at(i64::MIN, 0), Timestamp::MAX);
        wait(at(i64::MAX, 0), Timestamp::MIN);
    }
}
