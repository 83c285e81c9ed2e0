//! The crate `eventstore`, in the words of the story.

#[allow(clippy::duplicate_mod, reason = "the same story, told with another crate")]
#[path = "../clients/story.rs"]
mod story;

pub use ::eventstore::{ExpectedRevision as Expected, *};

/// Where a stream must stand.
pub fn exactly(revision: u64) -> Expected {
    Expected::Exact(revision)
}

pub fn append_at(expected: Expected) -> AppendToStreamOptions {
    AppendToStreamOptions::default().expected_revision(expected)
}

pub fn delete_at(expected: Expected) -> DeleteStreamOptions {
    DeleteStreamOptions::default().expected_revision(expected)
}

pub fn tombstone_at(expected: Expected) -> TombstoneStreamOptions {
    TombstoneStreamOptions::default().expected_revision(expected)
}

/// A read of the log through a filter, if the client has such a thing.
pub fn filtered(_: SubscriptionFilter) -> Option<ReadAllOptions> {
    None
}

pub fn is_caught_up(event: &SubscriptionEvent) -> bool {
    matches!(event, SubscriptionEvent::CaughtUp)
}

pub fn stream_of(event: &RecordedEvent) -> &str {
    &event.stream_id
}

pub async fn ack(consumer: &mut PersistentSubscription, event: ResolvedEvent) -> Result<()> {
    consumer.ack(event).await
}

pub async fn nack(
    consumer: &mut PersistentSubscription,
    event: ResolvedEvent,
    action: NakAction,
    reason: &str,
) -> Result<()> {
    consumer.nack(event, action, reason).await
}

#[test]
#[ignore = "the process in which `eventstore_works_unmodified` tells its story"]
fn tells_its_story() {
    let Ok(url) = std::env::var(super::URL) else { return };
    story::tell(&url);
}
