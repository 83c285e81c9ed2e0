//! An event as a client is to see it: its link resolved, if it asked for that.

use factum_core::{EventStore, RecordedEvent, Timestamp};
use factum_wire::proto::streams::ReadResp;
use factum_wire::{Failure, IdForm, event, read};

use crate::rules::clients_view::shown_revision;
use crate::rules::link;

/// How events are shown to one client.
#[derive(Debug, Clone, Copy)]
pub struct Show {
    /// The form of ids.
    pub ids: IdForm,
    /// Whether links are resolved.
    pub resolve_links: bool,
}

impl Show {
    /// Whether showing this event reads the store.
    pub fn reads_for(self, event: &RecordedEvent) -> bool {
        self.resolve_links && link::is_link(event)
    }

    /// The answer for an event.
    pub fn event(
        self,
        store: &dyn EventStore,
        event: &RecordedEvent,
        now: Timestamp,
    ) -> Result<ReadResp, Failure> {
        let shown = |event: &RecordedEvent| event::record(event, shown_revision(event), self.ids);
        if !self.reads_for(event) {
            return Ok(read::event(Some(shown(event)), None, event.position));
        }
        let target = link::resolve(store, event, now)?;
        Ok(read::event(target.as_ref().map(shown), Some(shown(event)), event.position))
    }
}

/// About how many bytes an answer takes.
pub fn weight(event: &RecordedEvent) -> usize {
    event.data.len() + event.metadata.len() + 256
}
