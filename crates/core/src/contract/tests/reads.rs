//! Stores that read wrongly.

use crate::contract::{append, history, read};
use crate::{
    AppendError, Direction, EventStore, Events, MemoryStore, Position, Query, QueryItem, Read, ReadError,
    RecordedEvent, Revision, Selection, Start, Timestamp, Until,
};

use super::broken::Broken;
use super::rejects;

type Reading = fn(&MemoryStore, Read) -> Result<Events, ReadError>;

fn of(store: &MemoryStore, read: Read) -> Result<Events, ReadError> {
    EventStore::read(store, read)
}

fn without(events: Events, left_out: impl Fn(&RecordedEvent) -> bool + Send + 'static) -> Events {
    Box::new(events.filter(move |event| !event.as_ref().is_ok_and(&left_out)))
}

fn each_item(read: Read, change: impl Fn(&QueryItem) -> Vec<QueryItem>) -> Read {
    let Selection::Query(query) = &read.selection else { return read };
    let mut items = query.items().iter().flat_map(change);
    let first = Query::item(items.next().unwrap());
    let query = items.fold(first, Query::or);
    Read { selection: Selection::Query(query), ..read }
}

#[test]
fn rejects_wrong_selections_and_ends() {
    const RULE: &str = "a read yields exactly the selected events between its ends";
    let reading =
        |fault, read: Reading| rejects(fault, Broken { read, ..Broken::sound() }, read::check, RULE);
    reading("stops before a position", |store, read| {
        let until = read.until;
        Ok(without(of(store, read)?, move |event| until == Until::Position(event.position)))
    });
    reading("stops before a revision", |store, read| {
        let until = read.until;
        Ok(without(of(store, read)?, move |event| until == Until::Revision(event.revision)))
    });
    reading("stops before a time", |store, read| {
        let until = read.until;
        Ok(without(of(store, read)?, move |event| until == Until::Time(event.recorded_at)))
    });
    reading("begins after a position", |store, read| {
        let from = read.from;
        Ok(without(of(store, read)?, move |event| from == Start::Position(event.position)))
    });
    reading("begins after a time", |store, read| {
        let from = read.from;
        Ok(without(of(store, read)?, move |event| from == Start::Time(event.recorded_at)))
    });
    reading("finds only one of several events with one time", |store, read| {
        let Start::Time(time) = read.from else { return of(store, read) };
        let mut found = false;
        let events = of(store, read)?.filter(move |event| {
            let same = event.as_ref().is_ok_and(|event| event.recorded_at == time);
            !same || !std::mem::replace(&mut found, true)
        });
        Ok(Box::new(events))
    });
    reading("reads times backward as it reads them forward", |store, read| {
        let until = match read.until {
            Until::Time(_) if read.direction == Direction::Backward => Until::Edge,
            other => other,
        };
        of(store, Read { until, ..read })
    });
    reading("yields nothing backward from beyond the end", |store, read| {
        let last = store.last_position()?.unwrap_or(Position::FIRST);
        match read.from {
            Start::Position(from) if from > last => Ok(Box::new(std::iter::empty())),
            _ => of(store, read),
        }
    });
    reading("takes a limit of 0 for none", |store, read| {
        let limit = read.limit.filter(|limit| *limit > 0);
        of(store, Read { limit, ..read })
    });
    reading("yields one event over the limit", |store, read| {
        let limit = read.limit.map(|limit| limit.saturating_add(u64::from(limit > 0)));
        of(store, Read { limit, ..read })
    });
    reading("counts the limit before it selects", |store, read| {
        let Selection::Query(query) = read.selection.clone() else { return of(store, read) };
        let events = of(store, Read { selection: Selection::All, ..read })?;
        Ok(without(events, move |event| !query.selects(event)))
    });
    reading("passes over nothing", |store, read| of(store, Read { skip: 0, ..read }));
    reading("passes over one too many", |store, read| {
        let skip = read.skip.saturating_add(u64::from(read.skip > 0));
        of(store, Read { skip, ..read })
    });
    reading("passes over before it selects", |store, read| {
        let Selection::Query(query) = read.selection.clone() else { return of(store, read) };
        let events = of(store, Read { selection: Selection::All, limit: None, ..read })?;
        let limit = read.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Box::new(without(events, move |event| !query.selects(event)).take(limit)))
    });
    reading("passes over within the limit", |store, read| {
        let limit = read.limit.map(|limit| limit.saturating_sub(read.skip));
        of(store, Read { limit, ..read })
    });
    reading("takes a category for a prefix", |store, read| {
        let Selection::Query(query) = read.selection.clone() else { return of(store, read) };
        let Some(category) = query.items()[0].categories.first().cloned() else { return of(store, read) };
        let events = of(store, Read { selection: Selection::All, ..read })?;
        Ok(without(events, move |event| !event.stream.as_str().starts_with(category.as_str())))
    });
    reading("takes any event for the first of its stream", |store, read| {
        of(store, each_item(read, |item| vec![QueryItem { begins_stream: false, ..item.clone() }]))
    });
    reading("asks for one of several tags", |store, read| {
        of(
            store,
            each_item(read, |item| match item.tags.len() {
                0 => vec![item.clone()],
                _ => item
                    .tags
                    .iter()
                    .map(|tag| QueryItem { tags: vec![tag.clone()], ..item.clone() })
                    .collect(),
            }),
        )
    });
    reading("looks at the first item only", |store, read| {
        let mut first = true;
        let first = std::cell::Cell::new(std::mem::take(&mut first));
        of(store, each_item(read, |item| if first.take() { vec![item.clone()] } else { Vec::new() }))
    });
    reading("keeps types and tags in one index", |store, read| {
        of(
            store,
            each_item(read, |item| {
                let tags = item.types.iter().map(|name| crate::Tag::new(name.to_string()).unwrap());
                let mixed = tags.map(|tag| QueryItem { types: Vec::new(), tags: vec![tag], ..item.clone() });
                std::iter::once(item.clone()).chain(mixed.filter(|_| item.tags.is_empty())).collect()
            }),
        )
    });
    reading("yields an event for every item it matches", |store, read| {
        let Selection::Query(query) = read.selection.clone() else { return of(store, read) };
        let events = of(store, read)?.flatten().flat_map(move |event| {
            let items = query.items().iter().filter(|item| item.selects(&event));
            vec![event.clone(); items.count()]
        });
        let events: Vec<_> = events.map(Ok).collect();
        Ok(Box::new(events.into_iter()))
    });
    reading("mixes up the streams of one category", |store, read| match &read.selection {
        Selection::Stream(stream) if stream.as_str() == "cart" => {
            let category = Read { selection: Selection::All, ..read };
            Ok(without(of(store, category)?, |event| !event.stream.as_str().starts_with("cart")))
        }
        _ => of(store, read),
    });
}

#[test]
fn rejects_a_hole_in_a_long_log() {
    rejects(
        "misses an event of a long log",
        Broken {
            read: |store, read| Ok(without(of(store, read)?, |event| event.position.get() == 2_004)),
            ..Broken::sound()
        },
        read::check,
        "",
    );
}

#[test]
fn rejects_wrong_answers() {
    const RULE: &str = "a read of what cannot be read says why";
    let reading =
        |fault, read: Reading| rejects(fault, Broken { read, ..Broken::sound() }, read::check, RULE);
    reading("takes a missing stream for an empty one", |store, read| match of(store, read) {
        Err(ReadError::StreamNotFound { .. }) => Ok(Box::new(std::iter::empty())),
        other => other,
    });
    reading("does not look for the stream when nothing is to be read", |store, read| match read.limit {
        Some(0) => Ok(Box::new(std::iter::empty())),
        _ => of(store, read),
    });
    reading("ignores revisions where there is no stream", |store, read| match of(store, read.clone()) {
        Err(ReadError::RevisionWithoutStream) => {
            of(store, Read { from: Start::Edge, until: Until::Edge, ..read })
        }
        other => other,
    });
    reading("takes a stream read from beyond its end for a missing one", |store, read| {
        let stream = match &read.selection {
            Selection::Stream(stream) => stream.clone(),
            _ => return of(store, read),
        };
        let beyond = matches!(read.from, Start::Revision(from) if from.get() == 3);
        let mut events = of(store, read)?.peekable();
        match events.peek() {
            None if beyond => Err(ReadError::StreamNotFound { stream }),
            _ => Ok(Box::new(events)),
        }
    });
}

#[test]
fn rejects_reads_that_grow() {
    const RULE: &str = "a read sees what was committed when it began, and nothing later";
    let reading =
        |fault, read: Reading| rejects(fault, Broken { read, ..Broken::sound() }, read::check, RULE);
    reading("goes on with what is appended meanwhile", |store, read| {
        let (store, again) = (store.clone(), read.clone());
        let mut next = 0;
        if read.direction == Direction::Backward || read.limit.is_some() || read.until != Until::Edge {
            return of(&store, read);
        }
        let mut events = of(&store, read)?;
        Ok(Box::new(std::iter::from_fn(move || {
            let event = events.next().or_else(|| {
                let later = again.clone().from(Start::Position(Position::new(next)));
                events = if next == 0 { of(&store, again.clone()) } else { of(&store, later) }.ok()?;
                events.next().filter(|_| next > 0)
            })?;
            next = event.as_ref().map_or(next, |event| event.position.get() + 1);
            Some(event)
        })))
    });
    reading("begins when the first event is asked for", |store, read| {
        let _ = of(store, read.clone())?;
        let store = store.clone();
        Ok(Box::new(std::iter::once_with(move || of(&store, read)).flatten().flatten()))
    });
}

#[test]
fn rejects_wrong_ends_of_the_log() {
    rejects(
        "counts events where a position is asked for",
        Broken { last_position: |store| Ok(store.last_position()?.map(Position::next)), ..Broken::sound() },
        append::check,
        "",
    );
    rejects(
        "has a position in the empty log",
        Broken {
            last_position: |store| Ok(store.last_position()?.or(Some(Position::FIRST))),
            ..Broken::sound()
        },
        append::check,
        "a new store is empty",
    );
    rejects(
        "lets recorded-at decrease",
        Broken {
            read: |store, read| {
                let turned = of(store, read)?.map(|event| {
                    event.map(|event| {
                        let recorded_at = Timestamp::from_micros(-(event.position.get() as i64));
                        RecordedEvent { recorded_at, ..event }
                    })
                });
                Ok(Box::new(turned))
            },
            ..Broken::sound()
        },
        append::check,
        "recorded-at never decreases along the log",
    );
}

#[test]
fn rejects_wrong_counts() {
    type Counting = fn(&MemoryStore, Read) -> Result<u64, ReadError>;
    let counting = |fault, count: Counting, rule| {
        rejects(fault, Broken { count, ..Broken::sound() }, read::check, rule);
    };
    const COUNTS: &str = "a count is the number of events a read yields";
    counting("counts what is passed over", |store, read| store.count(Read { skip: 0, ..read }), COUNTS);
    counting("counts beyond the limit", |store, read| store.count(Read { limit: None, ..read }), COUNTS);
    counting("counts from the edge", |store, read| store.count(Read { from: Start::Edge, ..read }), COUNTS);
    counting("counts to the edge", |store, read| store.count(Read { until: Until::Edge, ..read }), COUNTS);
    counting(
        "counts every event",
        |store, read| {
            let is_stream = matches!(read.selection, Selection::Stream(_));
            let selection = if is_stream { read.selection.clone() } else { Selection::All };
            store.count(Read { selection, ..read })
        },
        COUNTS,
    );
    counting(
        "counts a missing stream as empty",
        |store, read| match store.count(read) {
            Err(ReadError::StreamNotFound { .. }) => Ok(0),
            other => other,
        },
        "a read of what cannot be read says why",
    );
}

#[test]
fn rejects_histories_that_fit_no_order() {
    let rule = "what many callers are told can have happened one after another";
    rejects(
        "reads what a stream was one event ago",
        Broken {
            read: |store, read| {
                let limit = match read.selection {
                    Selection::Stream(_) => store.count(read.clone())?.saturating_sub(1),
                    _ => u64::MAX,
                };
                EventStore::read(store, read.limit(limit))
            },
            ..Broken::sound()
        },
        history::check,
        rule,
    );
    rejects(
        "says that the log ends one event earlier",
        Broken {
            last_position: |store| {
                Ok(store.last_position()?.and_then(|last| last.get().checked_sub(1)).map(Position::new))
            },
            ..Broken::sound()
        },
        history::check,
        rule,
    );
    rejects(
        "tells of a conflict with what the stream was one event ago",
        Broken {
            append: |store, append| match store.append(append) {
                Err(AppendError::Conflict { stream, expected, actual: Some(actual) }) => {
                    let actual = actual.get().checked_sub(1).map(Revision::new);
                    Err(AppendError::Conflict { stream, expected, actual })
                }
                other => other,
            },
            ..Broken::sound()
        },
        history::check,
        rule,
    );
}

#[test]
fn rejects_counts_that_shrink() {
    rejects(
        "stops counting at some time",
        Broken { count: |store, read| Ok(store.count(read)?.min(100)), ..Broken::sound() },
        crate::contract::concurrency::check,
        "counts only grow",
    );
}
