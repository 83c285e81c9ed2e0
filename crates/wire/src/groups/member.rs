//! What a consumer of a group says, and what it is told.

use uuid::Uuid;

use crate::failure::Failure;
use crate::id::{self, IdForm};
use crate::proto::client;
use crate::proto::persistent_subscriptions::read_req::nack::Action;
use crate::proto::persistent_subscriptions::read_req::options::StreamOption;
use crate::proto::persistent_subscriptions::read_req::{self, Content as Said};
use crate::proto::persistent_subscriptions::read_resp::{Content as Told, ReadEvent, read_event};
use crate::proto::persistent_subscriptions::{ReadReq, ReadResp, read_resp};
use crate::proto::streams::read_req::options::uuid_option::Content as IdOption;
use crate::proto::streams::read_resp::read_event::RecordedEvent;

use super::key::{GroupKey, Source};

/// The most events one consumer may have at a time, whatever it asks for.
const SLOTS_MAX: usize = 10_000;

/// One message of a consumer.
#[derive(Debug)]
pub enum Saying {
    /// The first: which group it joins.
    Join(Joining),
    /// These were handled.
    Ack(Vec<Uuid>),
    /// These were not.
    Nack {
        #[allow(missing_docs)]
        ids: Vec<Uuid>,
        #[allow(missing_docs)]
        verdict: Verdict,
        /// In the consumer's words.
        reason: String,
    },
}

/// How a consumer joins.
#[derive(Debug)]
pub struct Joining {
    #[allow(missing_docs)]
    pub key: GroupKey,
    /// How many events it takes before it must say what became of them.
    pub slots: usize,
    /// The form of ids in what it is told.
    pub ids: IdForm,
}

/// What is to become of an event that was not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Put it aside.
    Park,
    /// Deliver it again.
    Retry,
    /// Nobody needs it.
    Skip,
    /// The consumer gives up: the event goes to another.
    Stop,
}

/// Understands one message.
pub fn saying(request: ReadReq) -> Result<Saying, Failure> {
    match request.content {
        Some(Said::Options(options)) => joining(options).map(Saying::Join),
        Some(Said::Ack(ack)) => Ok(Saying::Ack(ids(&ack.ids)?)),
        Some(Said::Nack(nack)) => {
            let verdict = match nack.action() {
                Action::Park => Verdict::Park,
                Action::Unknown | Action::Retry => Verdict::Retry,
                Action::Skip => Verdict::Skip,
                Action::Stop => Verdict::Stop,
            };
            Ok(Saying::Nack { ids: ids(&nack.ids)?, verdict, reason: nack.reason })
        }
        None => Err(Failure::Invalid("a message of the consumer is empty".to_owned())),
    }
}

fn joining(options: read_req::Options) -> Result<Joining, Failure> {
    let source = match options.stream_option {
        Some(StreamOption::StreamIdentifier(stream)) => Source::decode(Some(stream))?,
        Some(StreamOption::All(_)) => Source::All,
        None => return Err(Failure::Invalid("the consumer does not say what its group reads".to_owned())),
    };
    let ids = match options.uuid_option.and_then(|option| option.content) {
        Some(IdOption::String(_)) => IdForm::Text,
        Some(IdOption::Structured(_)) | None => IdForm::Structured,
    };
    let slots = usize::try_from(options.buffer_size).unwrap_or_default();
    if slots == 0 {
        return Err(Failure::Invalid(format!(
            "the consumer's buffer size is {}: it needs room for at least one event",
            options.buffer_size
        )));
    }
    Ok(Joining { key: GroupKey::new(source, options.group_name)?, slots: slots.min(SLOTS_MAX), ids })
}

fn ids(ids: &[client::Uuid]) -> Result<Vec<Uuid>, Failure> {
    ids.iter().map(|id| id::decode(Some(id), "the event's id")).collect()
}

/// It has joined.
pub fn confirmation(key: &GroupKey) -> ReadResp {
    let subscription_id = key.to_string();
    told(Told::SubscriptionConfirmation(read_resp::SubscriptionConfirmation { subscription_id }))
}

/// An event, or a link with what it points at, and how often it was delivered
/// before.
pub fn event(
    event: Option<RecordedEvent>,
    link: Option<RecordedEvent>,
    commit_position: u64,
    retries: u32,
) -> ReadResp {
    told(Told::Event(ReadEvent {
        event,
        link,
        position: Some(read_event::Position::CommitPosition(commit_position)),
        count: Some(read_event::Count::RetryCount(i32::try_from(retries).unwrap_or(i32::MAX))),
    }))
}

fn told(content: Told) -> ReadResp {
    ReadResp { content: Some(content) }
}
