//! Which groups there are, as an event that holds all of them.
//!
//! ```text
//!   stream  $persistentSubscriptionConfig
//!   type    $PersistentConfig
//!   data    {"version": "2", "updated": "...", "entries": [{"stream": ...,
//!            "group": ..., "startFrom": ..., ...}, ...]}
//! ```
//!
//! The last event counts. A change names the revision it was made from, and is
//! made again if somebody was faster.

use std::collections::BTreeMap;
use std::time::Duration;

use factum_core::{EventStore, EventStoreExt, EventType, NewEvent, Revision, StreamName, Timestamp};
use factum_wire::Failure;
use factum_wire::groups::{GroupKey, GroupSettings, GroupStart, GroupStrategy, Source};
use factum_wire::proto::client::Empty;
use factum_wire::proto::streams::read_req::options::FilterOptions;
use factum_wire::proto::streams::read_req::options::filter_options::{Expression, Filter, Window};
use serde::{Deserialize, Serialize};

use crate::failure;

const STREAM: &str = "$persistentSubscriptionConfig";
const TYPE: &str = "$PersistentConfig";

/// A group as it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupConfig {
    pub settings: GroupSettings,
    /// In its maker's words.
    pub start: GroupStart,
    /// The first event it gets, if it has no checkpoint: a revision of its
    /// stream, or a position. What the end was is settled when it is made, so
    /// that nothing between that and the first consumer is lost.
    pub begins: u64,
    pub filter: Option<FilterOptions>,
    /// The revision of the configuration by which it came to be as it is.
    pub changed: u64,
}

/// All groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Of its event; `None` if there never was one.
    pub revision: Option<Revision>,
    pub groups: BTreeMap<GroupKey, GroupConfig>,
}

impl Config {
    /// The stream of configurations.
    pub fn stream() -> Result<StreamName, Failure> {
        StreamName::new(STREAM).map_err(|error| Failure::Storage(error.to_string()))
    }

    /// The revision the next one will have.
    pub fn next(&self) -> Revision {
        self.revision.map_or(Revision::FIRST, Revision::next)
    }

    /// As it is now.
    pub fn load(store: &dyn EventStore) -> Result<Self, Failure> {
        let Some(event) = store.last_event(&Self::stream()?).map_err(failure::of_read)? else {
            return Ok(Self::default());
        };
        let damaged = |what: String| {
            Failure::Damaged(format!(
                "the groups in revision {} of {STREAM} cannot be understood ({what}): append the revision before it again",
                event.revision
            ))
        };
        let stored: Stored =
            serde_json::from_slice(&event.data).map_err(|error| damaged(error.to_string()))?;
        let groups = stored.entries.into_iter().map(Entry::decode).collect::<Result<_, _>>();
        Ok(Self { revision: Some(event.revision), groups: groups.map_err(damaged)? })
    }

    /// As an event.
    pub fn encode(&self, now: Timestamp) -> Result<NewEvent, Failure> {
        let entries = self.groups.iter().map(|(key, group)| Entry::encode(key, group)).collect();
        let stored = Stored { version: "2".to_owned(), updated: now.to_string(), entries };
        let made = || -> Result<NewEvent, Box<dyn std::error::Error>> {
            Ok(NewEvent::new(EventType::new(TYPE)?, serde_json::to_vec(&stored)?))
        };
        made().map_err(|error| Failure::Storage(format!("the groups cannot be written: {error}")))
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: String,
    updated: String,
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    stream: String,
    group: String,
    /// `-1` is the end.
    start_from: i64,
    begins: u64,
    changed: u64,
    resolve_link_tos: bool,
    extra_statistics: bool,
    message_timeout_ms: u64,
    max_retry_count: u32,
    checkpoint_after_ms: u64,
    min_checkpoint_count: u32,
    max_checkpoint_count: u32,
    max_subscriber_count: u32,
    live_buffer_size: u32,
    read_batch_size: u32,
    history_buffer_size: u32,
    named_consumer_strategy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<StoredFilter>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredFilter {
    by_stream: bool,
    regex: String,
    prefixes: Vec<String>,
    max: Option<u32>,
    checkpoint_interval_multiplier: u32,
}

impl Entry {
    fn encode(key: &GroupKey, group: &GroupConfig) -> Self {
        let GroupConfig { settings, start, begins, filter, changed } = group;
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self {
            stream: key.source.as_str().to_owned(),
            group: key.name.clone(),
            start_from: match start {
                GroupStart::First => 0,
                GroupStart::End => -1,
                GroupStart::At(at) => i64::try_from(*at).unwrap_or(i64::MAX),
            },
            begins: *begins,
            changed: *changed,
            resolve_link_tos: settings.resolve_links,
            extra_statistics: settings.extra_statistics,
            message_timeout_ms: ms(settings.message_timeout),
            max_retry_count: settings.max_retry_count,
            checkpoint_after_ms: ms(settings.checkpoint_after),
            min_checkpoint_count: settings.min_checkpoint_count,
            max_checkpoint_count: settings.max_checkpoint_count,
            max_subscriber_count: settings.max_subscriber_count,
            live_buffer_size: settings.live_buffer_size,
            read_batch_size: settings.read_batch_size,
            history_buffer_size: settings.history_buffer_size,
            named_consumer_strategy: settings.strategy.as_str().to_owned(),
            filter: filter.as_ref().map(StoredFilter::encode),
        }
    }

    fn decode(self) -> Result<(GroupKey, GroupConfig), String> {
        let source = Source::named(&self.stream).map_err(|failure| failure.to_string())?;
        let key = GroupKey::new(source, self.group).map_err(|failure| failure.to_string())?;
        let strategy = GroupStrategy::named(&self.named_consumer_strategy)
            .ok_or_else(|| format!("there is no strategy {}", self.named_consumer_strategy))?;
        let settings = GroupSettings {
            resolve_links: self.resolve_link_tos,
            extra_statistics: self.extra_statistics,
            message_timeout: Duration::from_millis(self.message_timeout_ms),
            max_retry_count: self.max_retry_count,
            checkpoint_after: Duration::from_millis(self.checkpoint_after_ms),
            min_checkpoint_count: self.min_checkpoint_count,
            max_checkpoint_count: self.max_checkpoint_count,
            max_subscriber_count: self.max_subscriber_count,
            live_buffer_size: self.live_buffer_size,
            read_batch_size: self.read_batch_size,
            history_buffer_size: self.history_buffer_size,
            strategy,
        };
        let start = match u64::try_from(self.start_from) {
            Err(_) => GroupStart::End,
            Ok(0) => GroupStart::First,
            Ok(at) => GroupStart::At(at),
        };
        let filter = self.filter.map(StoredFilter::decode);
        Ok((key, GroupConfig { settings, start, begins: self.begins, filter, changed: self.changed }))
    }
}

impl StoredFilter {
    fn encode(options: &FilterOptions) -> Self {
        let (by_stream, expression) = match &options.filter {
            Some(Filter::StreamIdentifier(expression)) => (true, expression.clone()),
            Some(Filter::EventType(expression)) => (false, expression.clone()),
            None => (false, Expression::default()),
        };
        Self {
            by_stream,
            regex: expression.regex,
            prefixes: expression.prefix,
            max: match options.window {
                Some(Window::Max(max)) => Some(max),
                Some(Window::Count(_)) | None => None,
            },
            checkpoint_interval_multiplier: options.checkpoint_interval_multiplier,
        }
    }

    fn decode(self) -> FilterOptions {
        let expression = Expression { regex: self.regex, prefix: self.prefixes };
        FilterOptions {
            filter: Some(match self.by_stream {
                true => Filter::StreamIdentifier(expression),
                false => Filter::EventType(expression),
            }),
            window: Some(match self.max {
                Some(max) => Window::Max(max),
                None => Window::Count(Empty {}),
            }),
            checkpoint_interval_multiplier: self.checkpoint_interval_multiplier,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use factum_core::{Append, ExpectedRevision, MemoryStore};

    use super::*;

    /// With every setting another than the usual.
    pub fn group(start: GroupStart, begins: u64, filter: Option<FilterOptions>) -> GroupConfig {
        let settings = GroupSettings {
            resolve_links: true,
            extra_statistics: false,
            message_timeout: Duration::from_millis(1_500),
            max_retry_count: 1,
            checkpoint_after: Duration::from_secs(2),
            min_checkpoint_count: 3,
            max_checkpoint_count: 4,
            max_subscriber_count: 5,
            live_buffer_size: 6,
            read_batch_size: 7,
            history_buffer_size: 8,
            strategy: GroupStrategy::PinnedByCorrelation,
        };
        GroupConfig { settings, start, begins, filter, changed: 9 }
    }

    #[test]
    fn comes_back_from_the_store_as_it_was() {
        let store = MemoryStore::new();
        assert_eq!(Config::load(&store).unwrap(), Config::default());
        let expression = Expression { regex: "^a".to_owned(), prefix: Vec::new() };
        let by_stream = FilterOptions {
            filter: Some(Filter::StreamIdentifier(expression)),
            window: Some(Window::Max(3)),
            checkpoint_interval_multiplier: 2,
        };
        let expression = Expression { regex: String::new(), prefix: vec!["A".to_owned()] };
        let by_type = FilterOptions {
            filter: Some(Filter::EventType(expression)),
            window: Some(Window::Count(Empty {})),
            checkpoint_interval_multiplier: 1,
        };
        let rows = [
            ("a", group(GroupStart::First, 0, None)),
            ("a-1", group(GroupStart::End, 17, None)),
            ("$all", group(GroupStart::At(3), 3, Some(by_stream))),
            ("$ce-a", group(GroupStart::First, 0, Some(by_type))),
        ];
        let mut config = Config::default();
        for (source, group) in rows {
            let key = GroupKey::new(Source::named(source).unwrap(), "g".to_owned()).unwrap();
            config.groups.insert(key, group);
        }
        let event = config.encode(Timestamp::MIN).unwrap();
        store.append(Append::to(Config::stream().unwrap(), ExpectedRevision::NoStream, [event])).unwrap();
        let loaded = Config::load(&store).unwrap();
        assert_eq!((loaded.revision, loaded.next()), (Some(Revision::FIRST), Revision::new(1)));
        assert_eq!(loaded.groups, config.groups);
    }

    #[test]
    fn says_what_it_cannot_understand() {
        let store = MemoryStore::new();
        for data in ["nonsense", r#"{"version": "2", "updated": "", "entries": [{}]}"#] {
            let event = NewEvent::new(EventType::new(TYPE).unwrap(), data);
            store.append(Append::to(Config::stream().unwrap(), ExpectedRevision::Any, [event])).unwrap();
            let failure = Config::load(&store).unwrap_err();
            assert!(
                matches!(failure, Failure::Damaged(_)) && failure.to_string().contains(STREAM),
                "{failure}"
            );
        }
    }
}
