//! Surveys: what a log holds, and what of it this program cannot read.
//!
//! Decoding is lazy: an event that cannot be read is noticed when a model needs
//! it, which may be next year. A survey reads them all now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use factum_core::{EventType, Position, Query, Read, ReadError, RecordedEvent, Revision, StreamName};

use crate::Store;
use crate::event::{DecodeError, Decoded};

use super::set::{EventSet, Member};

/// Reads the log and tries to decode every event as one of these:
/// [`run`](Survey::run) it, or `.await` it.
///
/// ```
/// # use factum::prelude::*;
/// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
/// # #[derive(Event, Clone, Debug)] enum Cart { Opened { #[id] id: CartId } }
/// # let store = Store::memory();
/// store.record(Cart::Opened { id: "c1".into() }).run()?;
/// let surveyed = factum::evolution::survey::<(Cart,)>(&store).run()?;
/// assert!(surveyed.is_readable(), "{surveyed}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn survey<E: EventSet>(store: &Store) -> Survey {
    Survey { store: store.clone(), members: E::members(), only_known: false }
}

/// A survey to be made.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Survey {
    store: Store,
    members: Vec<Member>,
    only_known: bool,
}

/// What a survey found.
#[derive(Debug, Clone, Default)]
pub struct Surveyed {
    /// Every type and version in the log.
    pub counted: Vec<Counted>,
    /// Every event of a known type that cannot be decoded, in the order of the
    /// log.
    pub unreadable: Vec<Unreadable>,
}

/// How many events of one version of one type there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The stored type.
    pub event_type: EventType,
    /// The stored version, a number: 10 comes after 9.
    pub version: u32,
    /// All of them.
    pub events: u64,
    /// Those that cannot be decoded.
    pub unreadable: u64,
    /// Those of a newer version that were declared to be skipped.
    pub skipped: u64,
    /// Whether the surveyed events have this type.
    pub is_known: bool,
}

/// An event that cannot be decoded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("position {position} ({stream} revision {revision}): {why}")]
pub struct Unreadable {
    /// Where it is in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamName,
    /// Where it is in its stream.
    pub revision: Revision,
    /// What stands in the way; names type and version.
    #[source]
    pub why: DecodeError,
}

impl Survey {
    /// Only events of the surveyed types, instead of the whole log.
    pub fn only_known_types(self) -> Self {
        Self { only_known: true, ..self }
    }

    /// Reads, blocking.
    pub fn run(self) -> Result<Surveyed, ReadError> {
        let names: BTreeSet<EventType> = self
            .members
            .iter()
            .flat_map(|member| (member.shapes)())
            .filter_map(|shape| EventType::new(shape.name).ok())
            .collect();
        let read = match self.only_known {
            true => Read::query(Query::types(names)),
            false => Read::all(),
        };
        let mut counts: BTreeMap<(EventType, u32), Counted> = BTreeMap::new();
        let mut unreadable = Vec::new();
        for event in self.store.events().read(read)? {
            let event = event?;
            let key = (event.event_type.clone(), event.schema_version);
            let counted = counts.entry(key).or_insert_with(|| Counted {
                event_type: event.event_type.clone(),
                version: event.schema_version,
                events: 0,
                unreadable: 0,
                skipped: 0,
                is_known: true,
            });
            counted.events += 1;
            match self.read(&event) {
                Ok(Decoded::Event(())) => {}
                Ok(Decoded::SkippedVersion) => counted.skipped += 1,
                Ok(Decoded::UnknownType) => counted.is_known = false,
                Err(why) => {
                    counted.unreadable += 1;
                    let RecordedEvent { position, stream, revision, .. } = event;
                    unreadable.push(Unreadable { position, stream, revision, why });
                }
            }
        }
        Ok(Surveyed { counted: counts.into_values().collect(), unreadable })
    }

    /// Every enum that has the type must be able to read it.
    fn read(&self, event: &RecordedEvent) -> Result<Decoded<()>, DecodeError> {
        let mut found = Decoded::UnknownType;
        for member in &self.members {
            match (member.read)(event.into())? {
                Decoded::UnknownType => {}
                Decoded::SkippedVersion if found != Decoded::UnknownType => {}
                known => found = known,
            }
        }
        Ok(found)
    }
}

impl Surveyed {
    /// Whether every event of a known type can be decoded.
    pub fn is_readable(&self) -> bool {
        self.unreadable.is_empty()
    }

    /// Types that none of the surveyed events has.
    pub fn unknown(&self) -> impl Iterator<Item = &Counted> {
        self.counted.iter().filter(|counted| !counted.is_known)
    }
}

impl IntoFuture for Survey {
    type Output = Result<Surveyed, ReadError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}

impl fmt::Display for Surveyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for counted in &self.counted {
            write!(f, "{} version {}: {} events", counted.event_type, counted.version, counted.events)?;
            if counted.unreadable > 0 {
                write!(f, ", {} of them cannot be decoded", counted.unreadable)?;
            }
            if counted.skipped > 0 {
                write!(f, ", {} of them skipped", counted.skipped)?;
            }
            writeln!(f, "{}", if counted.is_known { "" } else { ", of a type unknown here" })?;
        }
        for unreadable in &self.unreadable {
            writeln!(f, "{unreadable}")?;
        }
        Ok(())
    }
}
