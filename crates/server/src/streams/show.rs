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
    /// Whether events that stand side by side in the log are shown one after
    /// another. Where they are not, each is copied out of the bytes that were
    /// read for it, which would otherwise all be held as long as the page.
    pub side_by_side: bool,
}

/// The answer for an event.
#[derive(Debug)]
pub struct Shown {
    #[allow(missing_docs)]
    pub answer: ReadResp,
    /// About how many bytes it takes.
    pub bytes: usize,
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
    ) -> Result<Shown, Failure> {
        let record = |event: &RecordedEvent, copied: bool| {
            let revision = shown_revision(event);
            match copied {
                true => event::record(&event.detached(), revision, self.ids),
                false => event::record(event, revision, self.ids),
            }
        };
        let shown = record(event, !self.side_by_side);
        if !self.reads_for(event) {
            return Ok(Shown {
                answer: read::event(Some(shown), None, event.position),
                bytes: weight(event),
            });
        }
        let target = link::resolve(store, event, now)?;
        let bytes = weight(event) + target.as_ref().map_or(0, weight);
        let target = target.map(|target| record(&target, true));
        Ok(Shown { answer: read::event(target, Some(shown), event.position), bytes })
    }
}

/// About as many bytes as it takes on its way.
pub fn weight(event: &RecordedEvent) -> usize {
    event.data.len() + event.metadata.len() + 256
}
