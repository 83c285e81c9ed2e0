//! Queries: which events matter, by type and tag.

use crate::{EventType, RecordedEvent, Tag, Tags};

/// Selects events: those that match at least one of its items.
///
/// The terms are those of dynamic consistency boundaries: the same query that
/// was read to decide is given to the [append
/// condition](crate::AppendCondition), so what is read is what is guarded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    items: Vec<QueryItem>,
}

/// One alternative of a [`Query`]: any of these types (or any type at all if
/// none is named), carrying all of these tags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct QueryItem {
    /// Any of these; empty means every type.
    pub types: Vec<EventType>,
    /// All of these; empty means no tag is asked for.
    pub tags: Vec<Tag>,
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

    /// Events of any of these types.
    pub fn types(types: impl IntoIterator<Item = EventType>) -> Self {
        Self::item(QueryItem { types: types.into_iter().collect(), tags: Vec::new() })
    }

    /// Events that carry all of these tags.
    pub fn tags(tags: impl IntoIterator<Item = Tag>) -> Self {
        Self::item(QueryItem { types: Vec::new(), tags: tags.into_iter().collect() })
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

    /// Whether an event of this type with these tags is selected.
    pub fn matches(&self, event_type: &EventType, tags: &Tags) -> bool {
        self.items.iter().any(|item| item.matches(event_type, tags))
    }

    /// Whether this event is selected.
    pub fn selects(&self, event: &RecordedEvent) -> bool {
        self.matches(&event.event_type, &event.tags)
    }
}

impl QueryItem {
    /// Whether an event of this type with these tags matches.
    pub fn matches(&self, event_type: &EventType, tags: &Tags) -> bool {
        (self.types.is_empty() || self.types.contains(event_type))
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}
