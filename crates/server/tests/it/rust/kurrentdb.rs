//! The crate `kurrentdb`, in the words of the story.

#[allow(clippy::duplicate_mod, reason = "the same story, told with another crate")]
#[path = "../clients/story.rs"]
mod story;

pub use ::kurrentdb::{StreamState as Expected, *};

/// Where a stream must stand.
pub fn exactly(revision: u64) -> Expected {
    Expected::StreamRevision(revision)
}

pub fn append_at(expected: Expected) -> AppendToStreamOptions {
    AppendToStreamOptions::default().stream_state(expected)
}

pub fn delete_at(expected: Expected) -> DeleteStreamOptions {
    DeleteStreamOptions::default().stream_state(expected)
}

pub fn tombstone_at(expected: Expected) -> TombstoneStreamOptions {
    TombstoneStreamOptions::default().stream_state(expected)
}

/// A read of the log through a filter, if the client has such a thing.
pub fn filtered(filter: SubscriptionFilter) -> Option<ReadAllOptions> {
    Some(ReadAllOptions::default().filter(filter))
}

pub fn is_caught_up(event: &SubscriptionEvent) -> bool {
    matches!(event, SubscriptionEvent::CaughtUp(Some(_)))
}

pub fn stream_of(event: &RecordedEvent) -> &str {
    event.stream_id()
}

pub async fn ack(consumer: &mut PersistentSubscription, event: ResolvedEvent) -> Result<()> {
    consumer.ack(&event).await
}

pub async fn nack(
    consumer: &mut PersistentSubscription,
    event: ResolvedEvent,
    action: NakAction,
    reason: &str,
) -> Result<()> {
    consumer.nack(&event, action, reason).await
}

#[test]
#[ignore = "the process in which `kurrentdb_works_unmodified` tells its story"]
fn tells_its_story() {
    let Ok(url) = std::env::var(super::URL) else { return };
    story::tell(&url);
}
