//! How much is read at once for one client.

use factum_core::RecordedEvent;

/// How many events a page may have.
const EVENTS_MAX: usize = 1_024;
/// At how many bytes it is full.
const BYTES_MAX: usize = 512 * 1024;

/// What a page has so far.
#[derive(Debug, Default)]
pub struct Fill {
    events: usize,
    bytes: usize,
}

impl Fill {
    /// Also this event.
    pub fn add(&mut self, event: &RecordedEvent) {
        self.events += 1;
        self.bytes += event.data.len() + event.metadata.len() + event.tags.as_stored().len() + 128;
    }

    /// Something small.
    pub fn add_sign(&mut self) {
        self.events += 1;
    }

    /// Whether nothing more goes in.
    pub fn is_full(&self) -> bool {
        self.events >= EVENTS_MAX || self.bytes >= BYTES_MAX
    }
}
