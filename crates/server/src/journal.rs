//! The journal: when a store was served, by which version and where, and whether
//! that ended properly. It stands in the store itself, as events.
//!
//! ```text
//!   $$$server  $metadata       {"$maxCount":1000}
//!   $server    $ServerStarted  {"version":"0.1.0","address":"127.0.0.1:2113","before":"nothing"}
//!   $server    $ServerStopped  {"version":"0.1.0","address":"127.0.0.1:2113","why":"signal"}
//!   $server    $ServerStarted  {"version":"0.1.0","address":"127.0.0.1:2113","before":"stopped"}
//!                              here the machine lost its power
//!   $server    $ServerStarted  {"version":"0.1.0","address":"127.0.0.1:2113","before":"broken off"}
//! ```
//!
//! The log of a store that was served is never empty therefore, as clients of
//! KurrentDB expect. Whoever starts a server keeps its journal, the program `factum`
//! for one; a program that serves a store of its own need not.
//!
//! Invariants: the metadata stands before the first start, in the same append;
//! clients of the protocol can read the stream and follow it, but not write it or
//! delete it (`system`). What they make of its metadata is obeyed, and a journal that
//! they deleted by it begins again with the next event. `$all` shows all of it, always.

use std::sync::Arc;

use factum_core::{Append, EventStore, EventType, ExpectedRevision, NewEvent, Read, ReadError, StreamName};
use factum_wire::Failure;
use serde::Serialize;

use crate::failure;
use crate::rules::metadata::StreamMetadata;
use crate::rules::named::Named;
use crate::rules::standing::{Standing, State};

/// Where it stands.
pub const STREAM: &str = "$server";

const STARTED: &str = "$ServerStarted";
const STOPPED: &str = "$ServerStopped";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many of its events are shown, unless a client says otherwise.
const SHOWN: u64 = 1_000;

/// What became of the run before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Before {
    /// There was none.
    #[serde(rename = "nothing")]
    Nothing,
    /// It said that it stopped.
    #[serde(rename = "stopped")]
    Stopped,
    /// It did not: it was killed, or its end could not be recorded.
    #[serde(rename = "broken off")]
    BrokenOff,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// An interrupt, or the system's word to end.
    Signal,
    /// A client asked for it.
    Client,
    /// It could not go on.
    Failure,
}

#[derive(Serialize)]
struct Started<'a> {
    version: &'static str,
    address: &'a str,
    before: Before,
}

#[derive(Serialize)]
struct Stopped<'a> {
    version: &'static str,
    address: &'a str,
    why: Why,
}

/// Of one run of a server.
pub struct Journal {
    store: Arc<dyn EventStore>,
    address: String,
}

impl Journal {
    /// Of a server that listens here.
    pub fn new(store: Arc<dyn EventStore>, address: impl ToString) -> Self {
        Self { store, address: address.to_string() }
    }

    /// Records that the run begins, and what became of the one before: to be called
    /// before anybody is served. Blocks.
    pub fn started(&self) -> Result<(), Failure> {
        let before = self.before()?;
        self.record(STARTED, &Started { version: VERSION, address: &self.address, before })
    }

    /// Records that it ended: to be called when nobody is served any more. Blocks.
    pub fn stopped(&self, why: Why) -> Result<(), Failure> {
        self.record(STOPPED, &Stopped { version: VERSION, address: &self.address, why })
    }

    /// By the last event that is of a journal: whoever has the store open can append
    /// others to the stream.
    fn before(&self) -> Result<Before, Failure> {
        let events = match self.store.read(Read::stream(named()?.stream).backward()) {
            Ok(events) => events,
            Err(ReadError::StreamNotFound { .. }) => return Ok(Before::Nothing),
            Err(error) => return Err(failure::of_read(error)),
        };
        for event in events {
            match event.map_err(failure::of_read)?.event_type.as_str() {
                STARTED => return Ok(Before::BrokenOff),
                STOPPED => return Ok(Before::Stopped),
                _ => {}
            }
        }
        Ok(Before::Nothing)
    }

    fn record(&self, event_type: &str, said: &impl Serialize) -> Result<(), Failure> {
        let named = named()?;
        let standing = Standing::look(&*self.store, &named)?;
        let metadata = match &standing.state {
            State::Deleted(before) => Some(before.begun_again(standing.next())?),
            State::Live(_) if standing.last.is_none() && standing.metadata_at.is_none() => {
                Some(StreamMetadata::showing(SHOWN)?)
            }
            State::Live(_) | State::Buried => None,
        };
        let mut append = Append::default();
        if let Some(metadata) = metadata {
            append = append.and_to(named.metadata, standing.metadata_expected(), [metadata]);
        }
        append = append.and_to(named.stream, ExpectedRevision::Any, [event(event_type, said)?]);
        self.store.append(append).map_err(failure::of_append)?;
        Ok(())
    }
}

fn named() -> Result<Named, Failure> {
    Named::new(StreamName::new(STREAM).map_err(|error| Failure::Storage(error.to_string()))?)
}

fn event(event_type: &str, said: &impl Serialize) -> Result<NewEvent, Failure> {
    let made = || -> Result<NewEvent, Box<dyn std::error::Error>> {
        Ok(NewEvent::new(EventType::new(event_type)?, serde_json::to_vec(said)?))
    };
    made().map_err(|error| Failure::Storage(format!("the journal cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use factum_core::{Clock, EventStoreExt, MemoryStore, RecordedEvent, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::rules::clients_view::View;

    const ADDRESS: &str = "127.0.0.1:2113";

    /// Another time whenever it is looked at, which a store does once an append.
    #[derive(Default)]
    struct Ticking(AtomicI64);

    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    fn journal(store: &Arc<MemoryStore>) -> Journal {
        Journal::new(store.clone(), ADDRESS)
    }

    fn all(store: &MemoryStore) -> Vec<RecordedEvent> {
        store.read(Read::all()).unwrap().map(Result::unwrap).collect()
    }

    /// Stream, type and data of everything.
    fn told(store: &MemoryStore) -> Vec<(String, String, Value)> {
        let told = all(store).into_iter().map(|event| {
            assert_eq!(event.content_type.as_str(), "application/json");
            let data = serde_json::from_slice(&event.data).unwrap();
            (event.stream.to_string(), event.event_type.to_string(), data)
        });
        told.collect()
    }

    fn append(store: &MemoryStore, stream: &str, event_type: &str, data: &'static str) {
        let event = NewEvent::new(EventType::new(event_type).unwrap(), data);
        let stream = StreamName::new(stream.to_owned()).unwrap();
        store.append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
    }

    fn started(before: &str) -> (String, String, Value) {
        let data = json!({ "version": env!("CARGO_PKG_VERSION"), "address": ADDRESS, "before": before });
        (STREAM.to_owned(), "$ServerStarted".to_owned(), data)
    }

    fn stopped(why: &str) -> (String, String, Value) {
        let data = json!({ "version": env!("CARGO_PKG_VERSION"), "address": ADDRESS, "why": why });
        (STREAM.to_owned(), "$ServerStopped".to_owned(), data)
    }

    fn metadata(data: Value) -> (String, String, Value) {
        ("$$$server".to_owned(), "$metadata".to_owned(), data)
    }

    #[test]
    fn a_start_says_how_the_run_before_it_ended() {
        let store = Arc::new(MemoryStore::with_clock(Arc::new(Ticking::default())));
        journal(&store).started().unwrap();
        let first = metadata(json!({ "$maxCount": 1000 }));
        assert_eq!(told(&store), [first, started("nothing")]);
        for why in [Why::Signal, Why::Client, Why::Failure] {
            journal(&store).stopped(why).unwrap();
        }
        journal(&store).started().unwrap();
        journal(&store).started().unwrap();
        let rest = [
            stopped("signal"),
            stopped("client"),
            stopped("failure"),
            started("stopped"),
            started("broken off"),
        ];
        assert_eq!(told(&store)[2..], rest);
        let times: Vec<_> = all(&store).iter().map(|event| event.recorded_at.as_micros()).collect();
        assert_eq!(times, [0, 0, 1, 2, 3, 4, 5], "the first two are one append");
    }

    #[test]
    fn metadata_that_is_there_stays() {
        let store = Arc::new(MemoryStore::new());
        append(&store, "$$$server", "$metadata", r#"{"$maxCount": 3}"#);
        journal(&store).started().unwrap();
        assert_eq!(told(&store), [metadata(json!({ "$maxCount": 3 })), started("nothing")]);
    }

    /// What somebody with the store open put there is no word about a run.
    #[test]
    fn the_last_event_of_its_own_counts() {
        let store = Arc::new(MemoryStore::new());
        append(&store, STREAM, "Note", "{}");
        journal(&store).started().unwrap();
        journal(&store).stopped(Why::Signal).unwrap();
        append(&store, STREAM, "Note", "{}");
        journal(&store).started().unwrap();
        let types: Vec<_> = told(&store).into_iter().map(|(.., data)| data["before"].clone()).collect();
        assert_eq!(types, [Value::Null, "nothing".into(), Value::Null, Value::Null, "stopped".into()]);
    }

    #[test]
    fn a_deleted_journal_begins_again() {
        let store = Arc::new(MemoryStore::new());
        journal(&store).started().unwrap();
        append(&store, "$$$server", "$metadata", r#"{"$tb": 9223372036854775807}"#);
        let named = named().unwrap();
        let view = || View::of(&*store, &named, Timestamp::MIN).unwrap();
        assert!(matches!(view(), View::NotFound { .. }));
        journal(&store).stopped(Why::Signal).unwrap();
        assert_eq!(told(&store)[3..], [metadata(json!({ "$tb": 1 })), stopped("signal")]);
        let last = store.last_revision(&named.stream).unwrap().unwrap();
        assert_eq!(view(), View::Range { first: last, last });
    }
}
