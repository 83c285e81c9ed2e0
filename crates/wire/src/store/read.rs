//! Reads: which events, which way, from where, until where.

use factum_core::{
    Direction, EventType, Position, Query, QueryItem, Read, Revision, Selection, Start, StreamName, Tag,
    Timestamp, Until,
};

use super::proto::selection::Selection as Selected;
use super::proto::start::Start as From;
use super::proto::until::Until as To;
use super::{Malformed, proto};

/// A read, as a message.
pub fn encode(read: &Read) -> proto::ReadRequest {
    let from = match read.from {
        Start::Edge => From::Edge(proto::Empty {}),
        Start::Position(position) => From::Position(position.get()),
        Start::Revision(revision) => From::Revision(revision.get()),
        Start::Time(time) => From::Time(time.as_micros()),
    };
    let until = match read.until {
        Until::Edge => To::Edge(proto::Empty {}),
        Until::Position(position) => To::Position(position.get()),
        Until::Revision(revision) => To::Revision(revision.get()),
        Until::Time(time) => To::Time(time.as_micros()),
    };
    proto::ReadRequest {
        selection: Some(encode_selection(&read.selection)),
        backward: read.direction == Direction::Backward,
        from: Some(proto::Start { start: Some(from) }),
        until: Some(proto::Until { until: Some(until) }),
        limit: read.limit,
    }
}

/// A read.
pub fn decode(read: proto::ReadRequest) -> Result<Read, Malformed> {
    let from = match read.from.and_then(|from| from.start) {
        Some(From::Edge(_)) => Start::Edge,
        Some(From::Position(position)) => Start::Position(Position::new(position)),
        Some(From::Revision(revision)) => Start::Revision(Revision::new(revision)),
        Some(From::Time(time)) => Start::Time(Timestamp::from_micros(time)),
        None => return Err(Malformed::lacks("the read's beginning")),
    };
    let until = match read.until.and_then(|until| until.until) {
        Some(To::Edge(_)) => Until::Edge,
        Some(To::Position(position)) => Until::Position(Position::new(position)),
        Some(To::Revision(revision)) => Until::Revision(Revision::new(revision)),
        Some(To::Time(time)) => Until::Time(Timestamp::from_micros(time)),
        None => return Err(Malformed::lacks("the read's end")),
    };
    Ok(Read {
        selection: decode_selection(read.selection)?,
        direction: if read.backward { Direction::Backward } else { Direction::Forward },
        from,
        until,
        limit: read.limit,
    })
}

pub(super) fn encode_selection(selection: &Selection) -> proto::Selection {
    let selection = match selection {
        Selection::All => Selected::All(proto::Empty {}),
        Selection::Stream(stream) => Selected::Stream(stream.to_bytes()),
        Selection::Query(query) => Selected::Query(encode_query(query)),
    };
    proto::Selection { selection: Some(selection) }
}

pub(super) fn decode_selection(selection: Option<proto::Selection>) -> Result<Selection, Malformed> {
    match selection.and_then(|selection| selection.selection) {
        Some(Selected::All(_)) => Ok(Selection::All),
        Some(Selected::Stream(stream)) => Ok(Selection::Stream(StreamName::from_utf8(stream)?)),
        Some(Selected::Query(query)) => Ok(Selection::Query(decode_query(query)?)),
        None => Err(Malformed::lacks("the selection")),
    }
}

pub(super) fn encode_query(query: &Query) -> proto::Query {
    let items = query.items().iter().map(|item| proto::QueryItem {
        types: item.types.iter().map(EventType::to_bytes).collect(),
        tags: item.tags.iter().map(Tag::to_bytes).collect(),
    });
    proto::Query { items: items.collect() }
}

pub(super) fn decode_query(query: proto::Query) -> Result<Query, Malformed> {
    let mut items = query.items.into_iter().map(|item| {
        Ok::<_, Malformed>(QueryItem {
            types: item.types.into_iter().map(EventType::from_utf8).collect::<Result<_, _>>()?,
            tags: item.tags.into_iter().map(Tag::from_utf8).collect::<Result<_, _>>()?,
        })
    });
    let first = items.next().ok_or_else(|| Malformed::lacks("the query's first item"))?;
    items.try_fold(Query::item(first?), |query, item| Ok(query.or(item?)))
}
