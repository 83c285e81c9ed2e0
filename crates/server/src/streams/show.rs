//! An event as a client is to see it: its link resolved, if it asked for that.

use factum_core::{EventStore, RecordedEvent, Timestamp};
use factum_wire::read::written::{Shown, WrittenAnswers};
use factum_wire::{Failure, IdForm};

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

    /// Adds the answer for an event.
    pub fn event(
        self,
        store: &dyn EventStore,
        event: &RecordedEvent,
        now: Timestamp,
        answers: &mut WrittenAnswers,
    ) -> Result<(), Failure> {
        fn shown(event: &RecordedEvent) -> Shown<'_> {
            Shown { event, revision: shown_revision(event) }
        }
        let (at, ids) = (event.position, self.ids);
        match self.reads_for(event) {
            true => {
                let target = link::resolve(store, event, now)?;
                answers.push_event(target.as_ref().map(shown), Some(shown(event)), at, ids);
            }
            false => answers.push_event(Some(shown(event)), None, at, ids),
        }
        Ok(())
    }
}

/// About as many bytes as it takes on its way.
pub fn weight(event: &RecordedEvent) -> usize {
    event.data.len() + event.metadata.len() + 256
}
