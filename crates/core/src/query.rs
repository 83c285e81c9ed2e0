//! Queries: which events matter, by category, type and tag.

use crate::{Category, EventType, RecordedEvent, Revision, StreamName, Tag, Tags};

/// Selects events: those that match at least one of its items.
///
/// The terms are those of dynamic consistency boundaries: the same query that
/// was read to decide is given to the [append
/// condition](crate::AppendCondition), so what is read is what is guarded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    items: Vec<QueryItem>,
}

/// One alternative of a [`Query`]: of any of these categories, of any of these
/// types, carrying all of these tags. What is left empty asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct QueryItem {
    /// In a stream of any of these [categories](crate::StreamName::category);
    /// empty means in every stream.
    pub categories: Vec<Category>,
    /// Any of these; empty means every type.
    pub types: Vec<EventType>,
    /// All of these; empty means no tag is asked for.
    pub tags: Vec<Tag>,
    /// Only the first event of each stream.
    pub begins_stream: bool,
}

impl Query {
    /// Every event.
    pub fn all() -> Self {
        Self { items: vec![QueryItem::default()] }
    }

    /// Events that match `item` or, later, an item added by [`Query::or`].
    pub fn item(item: QueryItem) -> Self {
        Self { items: vec![item] }
    }

    /// Events in streams of any of these categories.
    pub fn categories(categories: impl IntoIterator<Item = Category>) -> Self {
        Self::item(QueryItem { categories: categories.into_iter().collect(), ..QueryItem::default() })
    }

    /// Events of any of these types.
    pub fn types(types: impl IntoIterator<Item = EventType>) -> Self {
        Self::item(QueryItem { types: types.into_iter().collect(), ..QueryItem::default() })
    }

    /// Events that carry all of these tags.
    pub fn tags(tags: impl IntoIterator<Item = Tag>) -> Self {
        Self::item(QueryItem { tags: tags.into_iter().collect(), ..QueryItem::default() })
    }

    /// The first event of each stream.
    pub fn beginnings() -> Self {
        Self::item(QueryItem { begins_stream: true, ..QueryItem::default() })
    }

    /// Also events that match `item`.
    pub fn or(mut self, item: QueryItem) -> Self {
        self.items.push(item);
        self
    }

    /// The alternatives; never empty.
    pub fn items(&self) -> &[QueryItem] {
        &self.items
    }

    /// Whether this event is selected.
    pub fn selects(&self, event: &RecordedEvent) -> bool {
        self.items.iter().any(|item| item.selects(event))
    }

    /// Whether an event like this may be selected: where in its stream it will
    /// stand is left open.
    pub fn may_select(&self, stream: &StreamName, event_type: &EventType, tags: &Tags) -> bool {
        self.items.iter().any(|item| item.may_select(stream, event_type, tags))
    }

    /// Whether every event is, because an item asks for nothing.
    pub fn selects_all(&self) -> bool {
        self.items.iter().any(QueryItem::asks_nothing)
    }
}

impl QueryItem {
    /// Whether this event matches.
    pub fn selects(&self, event: &RecordedEvent) -> bool {
        (!self.begins_stream || event.revision == Revision::FIRST)
            && self.may_select(&event.stream, &event.event_type, &event.tags)
    }

    /// As [`Query::may_select`].
    pub fn may_select(&self, stream: &StreamName, event_type: &EventType, tags: &Tags) -> bool {
        let is_of = |category: &Category| stream.category() == Some(category.as_str());
        (self.categories.is_empty() || self.categories.iter().any(is_of))
            && (self.types.is_empty() || self.types.contains(event_type))
            && self.tags.iter().all(|tag| tags.contains(tag))
    }

    /// Whether every event matches.
    pub fn asks_nothing(&self) -> bool {
        self.categories.is_empty() && self.types.is_empty() && self.tags.is_empty() && !self.begins_stream
    }
}
