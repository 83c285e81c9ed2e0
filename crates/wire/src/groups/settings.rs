//! How a group behaves, as its maker says it.

use std::time::Duration;

use factum_core::Revision;

use crate::failure::Failure;
use crate::filter::Filter;
use crate::position::{self, Place};
use crate::proto::persistent_subscriptions::all_options::{AllOption, FilterOption};
use crate::proto::persistent_subscriptions::settings::{CheckpointAfter, ConsumerStrategy, MessageTimeout};
use crate::proto::persistent_subscriptions::stream_options::RevisionOption;
use crate::proto::persistent_subscriptions::{
    AllOptions, CreateReq, Settings, StreamOptions, UpdateReq, create_req, update_req,
};
use crate::proto::streams::read_req::options::FilterOptions;

use super::key::{GroupKey, Source};

/// Who gets the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStrategy {
    /// Whoever is next in turn and has room.
    RoundRobin,
    /// The same consumer until it has no room.
    DispatchToSingle,
    /// Events of one stream go to one consumer.
    Pinned,
    /// Events of one correlation go to one consumer.
    PinnedByCorrelation,
    /// Events of one stream go to one consumer, one after another, and are parked
    /// together. Not one of KurrentDB's.
    PinnedInSequence,
}

impl GroupStrategy {
    const ALL: [Self; 5] = [
        Self::RoundRobin,
        Self::DispatchToSingle,
        Self::Pinned,
        Self::PinnedByCorrelation,
        Self::PinnedInSequence,
    ];

    /// Whether an event that is parked takes those behind it in its stream along.
    pub fn parks_sequences(self) -> bool {
        self == Self::PinnedInSequence
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "RoundRobin",
            Self::DispatchToSingle => "DispatchToSingle",
            Self::Pinned => "Pinned",
            Self::PinnedByCorrelation => "PinnedByCorrelation",
            Self::PinnedInSequence => "PinnedInSequence",
        }
    }
}

/// Where a group begins: the first event it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStart {
    /// The first one there is.
    First,
    /// The first one to come.
    End,
    /// The one at this revision, or, of the log, at this position.
    At(u64),
}

/// What can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// Whether a link is delivered with the event it points at.
    pub resolve_links: bool,
    /// Whether the maker asked for more figures.
    pub extra_statistics: bool,
    /// How long a consumer may take for an event.
    pub message_timeout: Duration,
    /// How often an event is delivered again before it is parked.
    pub max_retry_count: u32,
    /// Then a checkpoint is due, if enough happened; zero is never.
    pub checkpoint_after: Duration,
    /// So much must have happened.
    pub min_checkpoint_count: u32,
    /// After so many events a checkpoint is due at once.
    pub max_checkpoint_count: u32,
    /// How many consumers there may be; 0 is any number.
    pub max_subscriber_count: u32,
    #[allow(missing_docs)]
    pub live_buffer_size: u32,
    /// How many events are read in one go.
    pub read_batch_size: u32,
    /// How many events may wait in memory.
    pub history_buffer_size: u32,
    #[allow(missing_docs)]
    pub strategy: GroupStrategy,
}

/// A group as somebody wants it.
#[derive(Debug)]
pub struct Definition {
    #[allow(missing_docs)]
    pub key: GroupKey,
    #[allow(missing_docs)]
    pub start: GroupStart,
    /// What of the log, as it was sent: it is kept with the group.
    pub filter: Option<FilterOptions>,
    #[allow(missing_docs)]
    pub settings: GroupSettings,
}

/// In KurrentDB's words.
const PREPARE_BEYOND_COMMIT: &str =
    "Invalid Start From position: prepare position must be less than or equal to the commit position.";

/// A group is to be made.
pub fn create(request: CreateReq) -> Result<Definition, Failure> {
    use create_req::options::StreamOption;
    let options = request.options.ok_or_else(|| invalid("the request has no options"))?;
    let settings = options.settings.unwrap_or_default();
    let (source, start, filter) = match options.stream_option {
        Some(StreamOption::Stream(of)) => of_stream(of)?,
        Some(StreamOption::All(of)) => of_all(of, &options.group_name)?,
        None => (Source::decode(options.stream_identifier)?, at_revision(settings.revision), None),
    };
    Definition::of(source, options.group_name, start, filter, settings)
}

/// A group is to behave otherwise.
pub fn update(request: UpdateReq) -> Result<Definition, Failure> {
    use update_req::options::StreamOption;
    let options = request.options.ok_or_else(|| invalid("the request has no options"))?;
    let settings = options.settings.unwrap_or_default();
    let (source, start, _) = match options.stream_option {
        Some(StreamOption::Stream(of)) => of_stream(of)?,
        Some(StreamOption::All(of)) => of_all(of, &options.group_name)?,
        None => (Source::decode(options.stream_identifier)?, at_revision(settings.revision), None),
    };
    Definition::of(source, options.group_name, start, None, settings)
}

impl Definition {
    fn of(
        source: Source,
        name: String,
        start: GroupStart,
        filter: Option<FilterOptions>,
        settings: Settings,
    ) -> Result<Self, Failure> {
        let key = GroupKey::new(source, name)?;
        let settings = GroupSettings::decode(&key, &settings)?;
        Ok(Self { key, start, filter, settings })
    }
}

fn of_stream(options: StreamOptions) -> Result<(Source, GroupStart, Option<FilterOptions>), Failure> {
    let start = match options.revision_option {
        Some(RevisionOption::Start(_)) => GroupStart::First,
        Some(RevisionOption::End(_)) => GroupStart::End,
        Some(RevisionOption::Revision(revision)) => at_revision(revision),
        None => return Err(invalid("the request does not say where to begin in the stream")),
    };
    Ok((Source::decode(options.stream_identifier)?, start, None))
}

fn of_all(options: AllOptions, name: &str) -> Result<(Source, GroupStart, Option<FilterOptions>), Failure> {
    let start = match options.all_option {
        Some(AllOption::Start(_)) => GroupStart::First,
        Some(AllOption::End(_)) => GroupStart::End,
        Some(AllOption::Position(at)) => match position::decode(at.commit_position, at.prepare_position) {
            Ok(Place::Start) => GroupStart::First,
            Ok(Place::End) => GroupStart::End,
            // A group begins with the event itself, wherever before it that is said to be.
            Ok(Place::At(position) | Place::Before(position)) => GroupStart::At(position.get()),
            Err(_) => {
                let group = GroupKey::new(Source::All, name.to_owned())?;
                return Err(Failure::GroupFailed { group, reason: PREPARE_BEYOND_COMMIT.to_owned() });
            }
        },
        None => return Err(invalid("the request does not say where to begin in the log")),
    };
    let filter = match options.filter_option {
        Some(FilterOption::Filter(filter)) => {
            // Refused now, not when the group begins to read.
            Filter::decode(filter.clone(), false)?;
            Some(filter)
        }
        Some(FilterOption::NoFilter(_)) | None => None,
    };
    Ok((Source::All, start, filter))
}

fn at_revision(revision: u64) -> GroupStart {
    match Revision::new(revision) {
        Revision::FIRST => GroupStart::First,
        Revision::MAX => GroupStart::End,
        revision => GroupStart::At(revision.get()),
    }
}

impl GroupSettings {
    fn decode(key: &GroupKey, settings: &Settings) -> Result<Self, Failure> {
        let failed = |reason: String| Failure::GroupFailed { group: key.clone(), reason };
        let count = |what: &str, value: i32| {
            u32::try_from(value).map_err(|_| failed(format!("{what} is {value}: use 0 or more")))
        };
        let span = |what: &str, ticks: i64| match u64::try_from(ticks) {
            Ok(ticks) => Ok(Duration::from_nanos(ticks.saturating_mul(100))),
            Err(_) => Err(failed(format!("{what} is negative: use 0 or more"))),
        };
        const TICKS_PER_MS: i64 = 10_000;
        let message_timeout = match settings.message_timeout {
            Some(MessageTimeout::MessageTimeoutTicks(ticks)) => ticks,
            Some(MessageTimeout::MessageTimeoutMs(ms)) => i64::from(ms) * TICKS_PER_MS,
            None => 0,
        };
        let checkpoint_after = match settings.checkpoint_after {
            Some(CheckpointAfter::CheckpointAfterTicks(ticks)) => ticks,
            Some(CheckpointAfter::CheckpointAfterMs(ms)) => i64::from(ms) * TICKS_PER_MS,
            None => 0,
        };
        let strategy = match settings.consumer_strategy.as_str() {
            "" => match ConsumerStrategy::try_from(settings.named_consumer_strategy) {
                Ok(ConsumerStrategy::DispatchToSingle) => GroupStrategy::DispatchToSingle,
                Ok(ConsumerStrategy::RoundRobin) => GroupStrategy::RoundRobin,
                Ok(ConsumerStrategy::Pinned) => GroupStrategy::Pinned,
                Err(_) => {
                    let number = settings.named_consumer_strategy;
                    return Err(failed(format!("Consumer strategy {number} does not exist.")));
                }
            },
            name => GroupStrategy::named(name)
                .ok_or_else(|| failed(format!("Consumer strategy {name} does not exist.")))?,
        };
        let decoded = Self {
            resolve_links: settings.resolve_links,
            extra_statistics: settings.extra_statistics,
            message_timeout: span("the message timeout", message_timeout)?,
            max_retry_count: count("the max retry count", settings.max_retry_count)?,
            checkpoint_after: span("the checkpoint span", checkpoint_after)?,
            min_checkpoint_count: count("the min checkpoint count", settings.min_checkpoint_count)?,
            max_checkpoint_count: count("the max checkpoint count", settings.max_checkpoint_count)?,
            max_subscriber_count: count("the max subscriber count", settings.max_subscriber_count)?,
            live_buffer_size: count("the live buffer size", settings.live_buffer_size)?,
            read_batch_size: count("the read batch size", settings.read_batch_size)?,
            history_buffer_size: count("the history buffer size", settings.history_buffer_size)?,
            strategy,
        };
        if decoded.read_batch_size == 0 {
            return Err(failed("the read batch size is 0: use 1 or more".to_owned()));
        }
        if decoded.read_batch_size >= decoded.history_buffer_size {
            return Err(failed(format!(
                "the read batch size {} must be smaller than the history buffer size {}",
                decoded.read_batch_size, decoded.history_buffer_size
            )));
        }
        Ok(decoded)
    }
}

fn invalid(what: &str) -> Failure {
    Failure::Invalid(what.to_owned())
}
