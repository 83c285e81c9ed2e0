//! How far a group is, as an event in a stream of its own.
//!
//! ```text
//!   stream    $persistentsubscription-<source>::<group>-checkpoint
//!   type      $SubscriptionCheckpoint
//!   data      "41"  or  "C:42/P:42"       before which everything is done
//!   metadata  {"source": {"low": 42, "done": [[45, 900], [902, 903]]},
//!              "parked": {"low": 3, "done": []}}
//! ```
//!
//! The data is what other readers of such streams know: one place. The whole
//! truth, with the ranges after it, is in the metadata.

use factum_core::{EventType, NewEvent, RecordedEvent};
use factum_wire::Failure;
use factum_wire::groups::{GroupKey, Source, info};
use serde::{Deserialize, Serialize};

use super::progress::Mark;

const TYPE: &str = "$SubscriptionCheckpoint";

/// How far a group is: with its source, and with what it parked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    pub source: Mark,
    pub parked: Mark,
}

impl Checkpoint {
    /// Of a group that begins here.
    pub fn beginning_at(low: u64) -> Self {
        Self { source: Mark { low, done: Vec::new() }, parked: Mark::default() }
    }

    /// Whether an event is one.
    pub fn is_in(event: &RecordedEvent) -> bool {
        event.event_type.as_str() == TYPE
    }

    /// From its event.
    pub fn decode(key: &GroupKey, event: &RecordedEvent) -> Result<Self, Failure> {
        serde_json::from_slice(&event.metadata).map_err(|error| {
            Failure::Damaged(format!(
                "the checkpoint of group {key} at revision {} of {} cannot be understood ({error}): delete the group, and make it again where it should go on",
                event.revision, event.stream
            ))
        })
    }

    /// As an event.
    pub fn encode(&self, source: &Source) -> Result<NewEvent, Failure> {
        let made = || -> Result<NewEvent, Box<dyn std::error::Error>> {
            let text = match self.source.low.checked_sub(1) {
                Some(last) => info::place(source, last),
                None => "-1".to_owned(),
            };
            let event = NewEvent::new(EventType::new(TYPE)?, serde_json::to_vec(&text)?);
            Ok(NewEvent { metadata: serde_json::to_vec(self)?.into(), ..event })
        };
        made().map_err(|error| Failure::Storage(format!("the checkpoint cannot be written: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use factum_core::{Append, EventStore, ExpectedRevision, MemoryStore, Read, StreamName};

    use super::*;

    fn stored(event: NewEvent) -> RecordedEvent {
        let store = MemoryStore::new();
        store.append(Append::to(StreamName::new("c").unwrap(), ExpectedRevision::Any, [event])).unwrap();
        store.read(Read::all()).unwrap().next().unwrap().unwrap()
    }

    #[test]
    fn others_read_a_place_and_we_the_whole_truth() {
        let key = GroupKey::new(Source::All, "g".to_owned()).unwrap();
        let source = Mark { low: 42, done: vec![(45, 900), (902, 903)] };
        let parked = Mark { low: 3, done: Vec::new() };
        let checkpoint = Checkpoint { source, parked };
        let stream = Source::named("a").unwrap();
        for (source, text) in [(&key.source, r#""C:42/P:42""#), (&stream, r#""41""#)] {
            let event = stored(checkpoint.encode(source).unwrap());
            assert!(Checkpoint::is_in(&event));
            assert_eq!(&event.data[..], text.as_bytes());
            assert_eq!(Checkpoint::decode(&key, &event).unwrap(), checkpoint);
        }
        let none = stored(Checkpoint::default().encode(&stream).unwrap());
        assert_eq!(&none.data[..], br#""-1""#);
        let broken = stored(NewEvent::new(EventType::new(TYPE).unwrap(), "\"41\""));
        assert!(matches!(Checkpoint::decode(&key, &broken), Err(Failure::Damaged(_))));
    }
}
