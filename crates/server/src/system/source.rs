//! [`Source`]: a stream by its name, be it one that is written or one of links.
//!
//! Whoever reads or follows streams for clients goes through here. Links come as
//! events: their stream is the system stream, their revision their number, their
//! position that of what they lead to, and [`resolve`](crate::rules::link) finds
//! that like any other link's target.

use factum_core::{
    Direction, EventStore, EventStoreExt, Events, Position, Query, Read, ReadError, RecordedEvent, Revision,
    Selection, Start, StreamName, Subscribe, SubscribeFrom, Subscription, Timestamp, Until,
};
use factum_wire::Failure;
use factum_wire::read::From;

use super::link::link;
use super::name::SystemStream;
use super::numbered::Numbered;
use crate::failure;
use crate::rules::clients_view::View;
use crate::rules::named::Named;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A stream that is written, or its metadata.
    Own(Named),
    /// A stream of links.
    System(SystemStream),
}

impl Source {
    /// The stream of this name; whether there is anything in it is another question.
    pub fn new(name: StreamName) -> Result<Self, Failure> {
        match SystemStream::of(&name) {
            Some(stream) => Ok(Self::System(stream)),
            None => Named::new(name).map(Self::Own),
        }
    }

    /// The name it was asked for by.
    pub fn name(&self) -> &StreamName {
        match self {
            Self::Own(named) => named.target(),
            Self::System(stream) => stream.name(),
        }
    }

    /// It has a tombstone.
    pub fn deleted(&self) -> Failure {
        Failure::StreamDeleted { stream: self.name().clone() }
    }

    /// What of it can be read.
    pub fn view(&self, store: &dyn EventStore, now: Timestamp) -> Result<View, Failure> {
        let stream = match self {
            Self::Own(named) => return View::of(store, named, now),
            Self::System(stream) => stream,
        };
        Ok(match Revision::new(count(store, stream)?).previous() {
            Some(last) => View::Range { first: Revision::FIRST, last },
            None => View::NotFound { next: Revision::FIRST },
        })
    }

    /// Its events between two revisions, both included, in a direction.
    pub fn read(
        &self,
        store: &dyn EventStore,
        first: Revision,
        last: Revision,
        direction: Direction,
        limit: u64,
    ) -> Result<Events, Failure> {
        let limit = limit.min((last.get() - first.get()).saturating_add(1));
        match self {
            Self::Own(named) => {
                let (from, until) = match direction {
                    Direction::Forward => (first, last),
                    Direction::Backward => (last, first),
                };
                let read = Read::stream(named.target().clone());
                let read = read.from(Start::Revision(from)).until(Until::Revision(until)).limit(limit);
                events(store, Read { direction, ..read })
            }
            Self::System(stream) => {
                let Some(query) = stream.query() else { return Ok(Box::new(std::iter::empty())) };
                links(store, stream, query, first, last, direction, limit)
            }
        }
    }

    /// Its last revision, whether that can be read or not.
    pub fn last(&self, store: &dyn EventStore) -> Result<Option<Revision>, Failure> {
        match self {
            Self::Own(named) => store.last_revision(named.target()).map_err(failure::of_read),
            Self::System(stream) => Ok(Revision::new(count(store, stream)?).previous()),
        }
    }

    /// The event at a revision, or the next one after it.
    pub fn event(
        &self,
        store: &dyn EventStore,
        revision: Revision,
    ) -> Result<Option<RecordedEvent>, Failure> {
        self.read(store, revision, Revision::MAX, Direction::Forward, 1)?
            .next()
            .transpose()
            .map_err(failure::of_read)
    }

    /// Follows it: after what `from` says was seen, and not before `first`,
    /// which is the first revision that can be read.
    pub fn follow(
        &self,
        store: &dyn EventStore,
        from: From,
        first: Revision,
    ) -> Result<Box<dyn Subscription>, Failure> {
        match self {
            Self::Own(named) => {
                let from = own_from(store, named, from, first)?;
                subscribe(store, Selection::Stream(named.target().clone()), from)
            }
            Self::System(stream) => follow_links(store, stream, from),
        }
    }
}

/// How many links a system stream has.
fn count(store: &dyn EventStore, stream: &SystemStream) -> Result<u64, Failure> {
    match stream.query() {
        Some(query) => store.count(Read::query(query.clone())).map_err(failure::of_read),
        None => Ok(0),
    }
}

fn events(store: &dyn EventStore, read: Read) -> Result<Events, Failure> {
    match store.read(read) {
        Ok(events) => Ok(events),
        Err(ReadError::StreamNotFound { .. }) => Ok(Box::new(std::iter::empty())),
        Err(error) => Err(failure::of_read(error)),
    }
}

fn links(
    store: &dyn EventStore,
    stream: &SystemStream,
    query: &Query,
    first: Revision,
    last: Revision,
    direction: Direction,
    limit: u64,
) -> Result<Events, Failure> {
    let stream = stream.clone();
    let numbered = move |(number, event): (u64, Result<RecordedEvent, ReadError>)| {
        event.map(|event| link(&stream, number, &event))
    };
    let of_query = Read::query(query.clone());
    Ok(match direction {
        Direction::Forward => {
            let events = events(store, of_query.skip(first.get()).limit(limit))?;
            Box::new((first.get()..).zip(events).map(numbered))
        }
        Direction::Backward => {
            // Counted from the beginning, whatever was appended meanwhile.
            let Some(event) = nth(store, query, last.get())? else { return Ok(Box::new(std::iter::empty())) };
            let read = of_query.backward().from(Start::Position(event.position)).limit(limit);
            Box::new((0..=last.get()).rev().zip(events(store, read)?).map(numbered))
        }
    })
}

/// The event of a number.
fn nth(store: &dyn EventStore, query: &Query, number: u64) -> Result<Option<RecordedEvent>, Failure> {
    let read = Read::query(query.clone()).skip(number).limit(1);
    events(store, read)?.next().transpose().map_err(failure::of_read)
}

fn subscribe(
    store: &dyn EventStore,
    selection: Selection,
    from: SubscribeFrom,
) -> Result<Box<dyn Subscription>, Failure> {
    store.subscribe(Subscribe::to(selection).from(from)).map_err(failure::of_subscribe)
}

/// Where to begin in a stream that is written. Found as a position, so that the
/// events before it need not be passed over.
fn own_from(
    store: &dyn EventStore,
    named: &Named,
    from: From,
    first: Revision,
) -> Result<SubscribeFrom, Failure> {
    let seen = match from {
        From::End => return Ok(SubscribeFrom::Now),
        From::Start => None,
        From::Revision(revision) => Some(revision),
    };
    let Some(after) = seen.max(first.previous()) else { return Ok(SubscribeFrom::Start) };
    let read = Read::stream(named.target().clone()).from(Start::Revision(after)).limit(1);
    let found = events(store, read)?.next().transpose().map_err(failure::of_read)?;
    Ok(match found {
        Some(event) if event.revision == after => SubscribeFrom::After(event.position),
        // It has not come so far.
        _ => SubscribeFrom::AfterRevision(after),
    })
}

fn follow_links(
    store: &dyn EventStore,
    stream: &SystemStream,
    from: From,
) -> Result<Box<dyn Subscription>, Failure> {
    let Some(query) = stream.query() else {
        // Nothing ever comes, and whoever waits for it is told when it is live.
        let nothing = Selection::Stream(stream.name().clone());
        return subscribe(store, nothing, SubscribeFrom::Now);
    };
    let selection = Selection::Query(query.clone());
    let numbered = |from, next, first| -> Result<Box<dyn Subscription>, Failure> {
        Ok(Box::new(Numbered::new(stream.clone(), subscribe(store, selection.clone(), from)?, next, first)))
    };
    let first = match from {
        From::Start => return numbered(SubscribeFrom::Start, 0, 0),
        From::End => 0,
        From::Revision(seen) => match nth(store, query, seen.get())? {
            Some(event) => {
                let next = seen.next().get();
                return numbered(SubscribeFrom::After(event.position), next, next);
            }
            // It has not come so far.
            None => seen.next().get(),
        },
    };
    let Some(last) = store.last_position().map_err(failure::of_read)? else {
        return numbered(SubscribeFrom::Start, 0, first);
    };
    numbered(SubscribeFrom::After(last), count_until(store, query, last)?, first)
}

fn count_until(store: &dyn EventStore, query: &Query, last: Position) -> Result<u64, Failure> {
    store.count(Read::query(query.clone()).until(Until::Position(last))).map_err(failure::of_read)
}
