//! Reads of the log through an index by its name: a filter of one prefix that
//! begins with `$idx-` does not compare names, but names an index.
//!
//! | prefix | the events |
//! |---|---|
//! | `$idx-all` | every one |
//! | `$idx-ce-cart` | in streams of the category `cart` |
//! | `$idx-et-ItemAdded` | of the type `ItemAdded` |
//!
//! What comes back are the events themselves, at their own places, not links.

use factum_core::{Category, EventType, Query, Selection};
use factum_wire::{Failure, Filter};

/// What a filter selects of the log, before it is asked about single events.
pub fn selection(filter: Option<&Filter>) -> Result<Selection, Failure> {
    let Some(name) = filter.and_then(Filter::index) else { return Ok(Selection::All) };
    let query = if name == "$idx-all" {
        return Ok(Selection::All);
    } else if let Some(category) = name.strip_prefix("$idx-ce-") {
        Category::new(category.to_owned()).ok().map(|category| Query::categories([category]))
    } else if let Some(event_type) = name.strip_prefix("$idx-et-") {
        EventType::new(event_type.to_owned()).ok().map(|event_type| Query::types([event_type]))
    } else {
        None
    };
    let query = query.ok_or_else(|| {
        Failure::NotFound(format!(
            "there is no index {name:?}: name $idx-all, $idx-ce-<category> or $idx-et-<event type>"
        ))
    })?;
    Ok(Selection::Query(query))
}
