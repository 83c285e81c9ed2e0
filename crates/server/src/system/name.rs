//! Which names are those of system streams, and which events they stand for.

use factum_core::{Category, EventType, Query, QueryItem, StreamName};
use factum_wire::Failure;

use super::correlation;
use crate::journal;
use crate::rules::link::TYPE;
use crate::rules::named::Named;

const STREAMS: &str = "$streams";

/// A stream of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemStream {
    name: StreamName,
    /// The events it links to; none if no event can be what its name asks for.
    query: Option<Query>,
}

impl SystemStream {
    /// The system stream of this name, if it is the name of one.
    pub fn of(name: &StreamName) -> Option<Self> {
        let text = name.as_str();
        let category = |text: &str| Category::new(text.to_owned()).ok();
        let query = if text == STREAMS {
            Some(Query::beginnings())
        } else if let Some(of) = text.strip_prefix("$ce-") {
            category(of).map(|category| Query::categories([category]))
        } else if let Some(of) = text.strip_prefix("$category-") {
            category(of).map(|category| {
                let categories = vec![category];
                Query::item(QueryItem { categories, begins_stream: true, ..QueryItem::default() })
            })
        } else if let Some(of) = text.strip_prefix("$et-") {
            // A link is never linked to.
            EventType::new(of.to_owned()).ok().filter(|of| of.as_str() != TYPE).map(|of| Query::types([of]))
        } else if let Some(of) = text.strip_prefix("$bc-") {
            correlation::tag(of).map(|tag| Query::tags([tag]))
        } else {
            return None;
        };
        Some(Self { name: name.clone(), query })
    }

    #[allow(missing_docs)]
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// The events it links to; `None`: there can be none.
    pub fn query(&self) -> Option<&Query> {
        self.query.as_ref()
    }
}

/// Refuses to change a system stream, or its metadata; and to write or delete the
/// journal, whose metadata is as that of any stream.
pub fn refuse_change(named: &Named) -> Result<(), Failure> {
    let instead = if SystemStream::of(&named.stream).is_some() {
        "write to the streams it links to"
    } else if named.stream.as_str() == journal::STREAM && !named.is_metadata {
        "its metadata may say how much of it is shown"
    } else {
        return Ok(());
    };
    let stream = &named.stream;
    Err(Failure::AccessDenied(format!(
        "{stream} is kept by the server and cannot be written or deleted: {instead}"
    )))
}
