//! An event as a group's consumers see it: with what it points at, if the
//! group resolves links.

use std::hash::{DefaultHasher, Hash, Hasher};

use factum_core::{EventStore, RecordedEvent, Timestamp, Uuid};
use factum_wire::groups::{GroupStrategy, member};
use factum_wire::proto::persistent_subscriptions::ReadResp;
use factum_wire::{Failure, IdForm, event, position};
use serde_json::Value;

use crate::rules::clients_view::shown_revision;
use crate::rules::link;

/// The key by which a flow of events is told in their metadata.
const CORRELATION: &str = "$correlationId";

/// An event, alone or with the link that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Not there if the link points at what can no longer be read.
    pub event: Option<RecordedEvent>,
    pub link: Option<RecordedEvent>,
}

impl Shown {
    /// An event, its link resolved or not. What is kept shares nothing with
    /// the block it was read from.
    pub fn of(
        store: &dyn EventStore,
        event: &RecordedEvent,
        resolve_links: bool,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        if !resolve_links || !link::is_link(event) {
            return Ok(Self { event: Some(event.detached()), link: None });
        }
        let target = link::resolve(store, event, now)?;
        Ok(Self { event: target.map(|target| target.detached()), link: Some(event.detached()) })
    }

    /// What the group got: the link, if there is one.
    pub fn original(&self) -> Option<&RecordedEvent> {
        self.link.as_ref().or(self.event.as_ref())
    }

    /// What it is about: the target, if it can be read.
    pub fn subject(&self) -> Option<&RecordedEvent> {
        self.event.as_ref().or(self.link.as_ref())
    }

    /// What consumers call it by.
    pub fn id(&self) -> Uuid {
        self.original().map(|event| event.id).unwrap_or_default()
    }

    /// A number that this has in common with the events that must go to the same
    /// consumer.
    pub fn bucket(&self, strategy: GroupStrategy) -> u64 {
        let Some(event) = self.subject() else { return 0 };
        let correlation = || -> Option<String> {
            let metadata: Value = serde_json::from_slice(&event.metadata).ok()?;
            Some(metadata.get(CORRELATION)?.as_str()?.to_owned())
        };
        let mut hasher = DefaultHasher::new();
        match strategy {
            GroupStrategy::RoundRobin | GroupStrategy::DispatchToSingle => return 0,
            GroupStrategy::PinnedByCorrelation => match correlation() {
                Some(correlation) => correlation.hash(&mut hasher),
                None => event.stream.as_str().hash(&mut hasher),
            },
            GroupStrategy::Pinned | GroupStrategy::PinnedInSequence => {
                event.stream.as_str().hash(&mut hasher)
            }
        }
        hasher.finish()
    }

    /// The message that delivers it.
    pub fn message(&self, ids: IdForm, retries: u32) -> ReadResp {
        let shown = |event: &RecordedEvent| event::record(event, shown_revision(event), ids);
        let at = self.original().map(|event| position::encode(event.position)).unwrap_or_default();
        member::event(self.event.as_ref().map(shown), self.link.as_ref().map(shown), at, retries)
    }
}

#[cfg(test)]
mod tests {
    use factum_core::{Append, ExpectedRevision, MemoryStore, NewEvent, Read, StreamName};

    use super::*;

    fn shown(stream: &str, metadata: &str) -> Shown {
        let store = MemoryStore::new();
        let event = NewEvent::json("A", &().into()).unwrap();
        let event = NewEvent { metadata: metadata.to_owned().into(), ..event };
        let stream = StreamName::new(stream.to_owned()).unwrap();
        store.append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
        let event = store.read(Read::all()).unwrap().next().unwrap().unwrap();
        Shown::of(&store, &event, true, Timestamp::MIN).unwrap()
    }

    #[test]
    fn events_that_belong_together_share_a_bucket() {
        let (pinned, flow) = (GroupStrategy::Pinned, GroupStrategy::PinnedByCorrelation);
        let x = r#"{"$correlationId": "x"}"#;
        let y = r#"{"$correlationId": "y"}"#;
        assert_eq!(shown("a", x).bucket(pinned), shown("a", y).bucket(pinned));
        assert_ne!(shown("a", x).bucket(pinned), shown("b", x).bucket(pinned));
        assert_eq!(shown("a", x).bucket(flow), shown("b", x).bucket(flow));
        assert_ne!(shown("a", x).bucket(flow), shown("a", y).bucket(flow));
        for none in ["", "nonsense", "[]", r#"{"$correlationId": 7}"#] {
            assert_eq!(shown("a", none).bucket(flow), shown("a", "{}").bucket(pinned), "{none}");
        }
        assert_eq!(shown("a", x).bucket(GroupStrategy::RoundRobin), 0);
    }
}
