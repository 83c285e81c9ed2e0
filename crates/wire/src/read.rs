//! Reads and subscriptions: which of the many combinations of options make
//! sense, and what comes back.
//!
//! | of | how many | direction | filter |
//! |---|---|---|---|
//! | a stream | a count | both | none |
//! | the log | a count | both | none, or one |
//! | a stream | subscription | forward | none |
//! | the log | subscription | forward | none, or one |

pub mod written;

use std::time::Duration;

use factum_core::{Direction, Position, Revision, StreamName, Timestamp};

use crate::failure::Failure;
use crate::filter::Filter;
use crate::id::IdForm;
use crate::position::{self, Place};
use crate::proto::client::AllStreamPosition;
use crate::proto::streams::read_req::Options;
use crate::proto::streams::read_req::options::all_options::AllOption;
use crate::proto::streams::read_req::options::stream_options::RevisionOption;
use crate::proto::streams::read_req::options::uuid_option::Content as IdOption;
use crate::proto::streams::read_req::options::{CountOption, FilterOption, ReadDirection, StreamOption};
use crate::proto::streams::read_resp::{self, Content, read_event};
use crate::proto::streams::{ReadReq, ReadResp};
use crate::stream;

/// A read or subscription that makes sense.
#[derive(Debug)]
pub struct ReadRequest {
    #[allow(missing_docs)]
    pub what: What,
    /// Whether a link is answered with the event it points at.
    pub resolve_links: bool,
    /// The form of ids in the answers.
    pub ids: IdForm,
    /// Whether the client understands where a stream begins and ends.
    pub tells_ends: bool,
    /// Whether the client asked to be told when it falls behind.
    pub tells_fell_behind: bool,
}

/// What is asked for.
#[derive(Debug)]
pub enum What {
    /// So many events of a stream.
    Stream {
        #[allow(missing_docs)]
        stream: StreamName,
        /// Inclusive.
        from: From,
        #[allow(missing_docs)]
        direction: Direction,
        /// At most, and at least one.
        count: u64,
    },
    /// So many events of the log.
    All {
        /// Inclusive forward, exclusive backward.
        from: Place,
        #[allow(missing_docs)]
        direction: Direction,
        /// At most, and at least one.
        count: u64,
        #[allow(missing_docs)]
        filter: Option<Filter>,
    },
    /// A stream's past events, and those to come.
    FollowStream {
        #[allow(missing_docs)]
        stream: StreamName,
        /// Exclusive.
        from: From,
    },
    /// The log's past events, and those to come.
    FollowAll {
        /// Exclusive.
        from: Place,
        #[allow(missing_docs)]
        filter: Option<Filter>,
    },
}

/// A place in a stream that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Its first event.
    Start,
    /// Its last event, or after it.
    End,
    /// This revision.
    Revision(Revision),
}

impl ReadRequest {
    /// Understands a request.
    pub fn decode(request: ReadReq) -> Result<Self, Failure> {
        let options = request.options.ok_or_else(|| invalid("the read has no options"))?;
        let ids = match options.uuid_option.as_ref().and_then(|option| option.content.as_ref()) {
            Some(IdOption::String(_)) => IdForm::Text,
            Some(IdOption::Structured(_)) => IdForm::Structured,
            None => return Err(invalid("'uuidOption' is a required argument: say structured or string")),
        };
        let understands = options.control_option.as_ref().map_or(0, |control| control.compatibility);
        Ok(Self {
            ids,
            resolve_links: options.resolve_links,
            tells_ends: understands >= 1,
            tells_fell_behind: understands >= 2,
            what: What::decode(options)?,
        })
    }
}

impl What {
    fn decode(options: Options) -> Result<Self, Failure> {
        let direction = match ReadDirection::try_from(options.read_direction) {
            Ok(ReadDirection::Forwards) => Direction::Forward,
            Ok(ReadDirection::Backwards) => Direction::Backward,
            Err(_) => return Err(combination()),
        };
        let follows = matches!(options.count_option, Some(CountOption::Subscription(_)));
        let filter = match options.filter_option {
            Some(FilterOption::Filter(filter)) => Some(filter),
            Some(FilterOption::NoFilter(_)) => None,
            None => return Err(combination()),
        };
        let filter = filter.map(|filter| Filter::decode(filter, follows)).transpose()?;
        let count = match options.count_option {
            Some(CountOption::Count(0)) => return Err(invalid("the count is 0: ask for at least one event")),
            Some(CountOption::Count(count)) => Some(count),
            Some(CountOption::Subscription(_)) => None,
            None => return Err(combination()),
        };
        if count.is_none() && direction == Direction::Backward {
            return Err(combination());
        }
        match options.stream_option {
            Some(StreamOption::Stream(of)) => {
                if filter.is_some() {
                    return Err(combination());
                }
                let stream = stream::decode(of.stream_identifier)?;
                let from = match of.revision_option {
                    Some(RevisionOption::Start(_)) => From::Start,
                    Some(RevisionOption::End(_) | RevisionOption::Revision(u64::MAX)) => From::End,
                    Some(RevisionOption::Revision(revision)) => From::Revision(Revision::new(revision)),
                    None => return Err(combination()),
                };
                Ok(match count {
                    Some(count) => Self::Stream { stream, from, direction, count },
                    None => Self::FollowStream { stream, from },
                })
            }
            Some(StreamOption::All(of)) => {
                let from = match of.all_option {
                    Some(AllOption::Start(_)) => Place::Start,
                    Some(AllOption::End(_)) => Place::End,
                    Some(AllOption::Position(at)) => {
                        position::decode(at.commit_position, at.prepare_position)?
                    }
                    None => return Err(combination()),
                };
                Ok(match count {
                    Some(count) => Self::All { from, direction, count, filter },
                    None => Self::FollowAll { from, filter },
                })
            }
            None => Err(combination()),
        }
    }
}

fn invalid(what: &str) -> Failure {
    Failure::Invalid(what.to_owned())
}

fn combination() -> Failure {
    invalid("The combination of (stream, count, direction, filter) options is invalid.")
}

fn answer(content: Content) -> ReadResp {
    ReadResp { content: Some(content) }
}

/// An event, or a link with what it points at: `event` is `None` if that can
/// no longer be read. `at` is the place of what was asked for: the link's, if
/// there is one.
pub fn event(
    event: Option<read_event::RecordedEvent>,
    link: Option<read_event::RecordedEvent>,
    at: Position,
) -> ReadResp {
    let position = Some(read_event::Position::CommitPosition(position::encode(at)));
    answer(Content::Event(read_resp::ReadEvent { event, link, position }))
}

/// The subscription has begun.
pub fn confirmation(subscription_id: String) -> ReadResp {
    answer(Content::Confirmation(read_resp::SubscriptionConfirmation { subscription_id }))
}

/// Every event up to here was looked at.
pub fn checkpoint(at: Position, now: Timestamp) -> ReadResp {
    let position = position::encode(at);
    answer(Content::Checkpoint(read_resp::Checkpoint {
        commit_position: position,
        prepare_position: position,
        timestamp: Some(timestamp(now)),
    }))
}

/// There is no such stream.
pub fn stream_not_found(stream: &StreamName) -> ReadResp {
    let stream_identifier = Some(stream::encode(stream));
    answer(Content::StreamNotFound(read_resp::StreamNotFound { stream_identifier }))
}

/// The first revision there is to read.
pub fn first_stream_position(revision: u64) -> ReadResp {
    answer(Content::FirstStreamPosition(revision))
}

/// The last revision there is to read.
pub fn last_stream_position(revision: u64) -> ReadResp {
    answer(Content::LastStreamPosition(revision))
}

/// How far a subscription has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// In its stream, if that has an event.
    Stream(Option<Revision>),
    /// In the log, if that has an event.
    All(Option<Position>),
}

impl Reached {
    /// Whether that has an event.
    pub fn is_a_place(self) -> bool {
        matches!(self, Self::Stream(Some(_)) | Self::All(Some(_)))
    }

    fn parts(self) -> (Option<i64>, Option<read_resp::Position>) {
        let pair = |at: Position| {
            let position = position::encode(at);
            read_resp::Position { commit_position: position, prepare_position: position }
        };
        match self {
            Self::Stream(revision) => (revision.map(|at| i64::try_from(at.get()).unwrap_or(i64::MAX)), None),
            Self::All(position) => (None, position.map(pair)),
        }
    }
}

/// What follows is live.
pub fn caught_up(reached: Reached, now: Timestamp) -> ReadResp {
    let (stream_revision, position) = reached.parts();
    answer(Content::CaughtUp(read_resp::CaughtUp {
        timestamp: Some(timestamp(now)),
        stream_revision,
        position,
    }))
}

/// What follows is past again.
pub fn fell_behind(reached: Reached, now: Timestamp) -> ReadResp {
    let (stream_revision, position) = reached.parts();
    answer(Content::FellBehind(read_resp::FellBehind {
        timestamp: Some(timestamp(now)),
        stream_revision,
        position,
    }))
}

/// A position as a pair.
pub fn all_position(at: Position) -> AllStreamPosition {
    let position = position::encode(at);
    AllStreamPosition { commit_position: position, prepare_position: position }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let since = Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(0));
    prost_types::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
