//! Parked events: links to what was put aside, in a stream of the group's own.
//!
//! ```text
//!   stream    $persistentsubscription-<source>::<group>-parked
//!   type      $>
//!   data      7@orders-1
//!   metadata  {"added": "2026-11-21T10:00:00Z", "reason": "...",
//!              "subscriptionEventNumber": 7}
//! ```
//!
//! What is done again is taken out by the stream's `$tb`. Everybody may read
//! the stream, and whoever deletes it gives up what is parked.

use std::sync::Arc;

use factum_core::{
    ContentType, EventStore, EventType, NewEvent, Read, ReadError, Revision, Start, Timestamp,
};
use factum_wire::Failure;
use factum_wire::groups::GroupStrategy;
use serde_json::json;

use crate::failure;
use crate::rules::link;
use crate::rules::named::Named;
use crate::rules::standing::{Standing, State};

use super::group::Park;
use super::shown::Shown;

/// How many are read at a time to know their sequences.
const PAGE_EVENTS: usize = 256;

/// The link that parks an event.
pub fn link(park: &Park<Arc<Shown>>, now: Timestamp) -> Result<NewEvent, Failure> {
    let made = || -> Result<NewEvent, Box<dyn std::error::Error>> {
        let shown = &park.item.event;
        let data = match (&shown.event, &shown.link) {
            (Some(event), _) => format!("{}@{}", event.revision, event.stream).into(),
            // What it pointed at is gone: the pointer is what is left.
            (None, Some(link)) => link.data.clone(),
            (None, None) => Vec::new().into(),
        };
        let metadata = json!({
            "added": now.to_string(),
            "reason": park.reason,
            "subscriptionEventNumber": shown.original().map(|event| event.revision.get()),
        });
        Ok(NewEvent {
            content_type: ContentType::Binary,
            metadata: serde_json::to_vec(&metadata)?.into(),
            ..NewEvent::new(EventType::new(link::TYPE)?, data)
        })
    };
    made().map_err(|error| Failure::Storage(format!("an event cannot be parked: {error}")))
}

/// The first parked event that can be delivered again, and where the next one
/// will stand.
pub fn range(standing: &Standing) -> (u64, u64) {
    let end = standing.next().get();
    let first = match &standing.state {
        State::Live(metadata) => metadata.truncate_before().map_or(0, Revision::get),
        State::Deleted(_) => end,
        // Nobody else can read them; they were not given up.
        State::Buried => 0,
    };
    (first.min(end), end)
}

/// Parked events from one revision to before another, at most so many, each
/// with its revision; and up to where that is all.
pub fn read(
    store: &dyn EventStore,
    parked: &Named,
    (from, until): (u64, u64),
    count: usize,
    now: Timestamp,
) -> Result<Page, Failure> {
    let (first, _) = range(&Standing::look(store, parked)?);
    let from = from.max(first);
    let mut page = Page { events: Vec::new(), end: from.max(until) };
    if from >= until {
        return Ok(page);
    }
    let read = Read::stream(parked.target().clone()).from(Start::Revision(Revision::new(from)));
    let events = match store.read(read.limit((until - from).min(count as u64))) {
        Ok(events) => events,
        Err(ReadError::StreamNotFound { .. }) => return Ok(page),
        Err(error) => return Err(failure::of_read(error)),
    };
    let mut next = from;
    for event in events {
        let event = event.map_err(failure::of_read)?;
        next = event.revision.get() + 1;
        if link::is_link(&event) {
            page.events.push((event.revision.get(), Shown::of(store, &event, true, now)?));
        }
    }
    page.end = next;
    Ok(page)
}

/// All parked events from one revision on: where they stand, and the sequence of each.
pub fn sequences(
    store: &dyn EventStore,
    parked: &Named,
    from: u64,
    strategy: GroupStrategy,
    now: Timestamp,
) -> Result<Vec<(u64, u64)>, Failure> {
    let (_, until) = range(&Standing::look(store, parked)?);
    let (mut found, mut next) = (Vec::new(), from);
    while next < until {
        let page = read(store, parked, (next, until), PAGE_EVENTS, now)?;
        found.extend(page.events.iter().map(|(at, shown)| (*at, shown.bucket(strategy))));
        next = page.end.max(next + 1);
    }
    Ok(found)
}

/// Some of the parked events.
pub struct Page {
    pub events: Vec<(u64, Shown)>,
    /// Everything before this was looked at.
    pub end: u64,
}
