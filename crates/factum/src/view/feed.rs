//! The events of a projection, in batches.
//!
//! ```text
//!   the past     1,000 | 1,000 | 1,000 | ...          as many as a batch may have
//!   live         3 | 1 | 7 | ...                      what came while the last was stored
//! ```
//!
//! A feed never waits: when there is nothing more it says how far the log was
//! looked at, and wakes whoever asked once there is more. Events of other types
//! move that place, too, so waiting for one of them does not wait for nothing.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use factum_core::{
    Position, Query, RecordedEvent, Selection, Signal, Subscribe, SubscribeError, SubscribeFrom, Subscription,
};

use crate::Store;

/// When a batch is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batching {
    pub events_max: usize,
    pub gather_max: Duration,
}

impl Default for Batching {
    fn default() -> Self {
        Self { events_max: 1_000, gather_max: Duration::from_millis(100) }
    }
}

#[cfg(feature = "sqlite")]
impl Batching {
    /// Short enough to be heard of while the lease lasts, however slow events come.
    pub fn within(self, lease: Duration) -> Self {
        Self { gather_max: self.gather_max.min(lease / 4), ..self }
    }
}

/// How many events of other types are passed over before the feed says so.
const PASSED_OVER_MAX: u64 = 16_384;

pub(crate) struct Feed {
    store: Store,
    subscription: Box<dyn Subscription>,
    /// Everything before this was looked at.
    next: Position,
}

/// What there is since the last batch.
pub(crate) struct Batch {
    pub events: Vec<RecordedEvent>,
    /// Everything before this was looked at.
    pub next: Position,
    /// Whether this was all there is.
    pub is_live: bool,
}

impl Feed {
    pub fn from(store: &Store, query: Query, next: Position) -> Result<Self, SubscribeError> {
        let from = next.previous().map_or(SubscribeFrom::Start, SubscribeFrom::After);
        let subscribe = Subscribe {
            checkpoint_every: PASSED_OVER_MAX,
            ..Subscribe::to(Selection::Query(query)).from(from)
        };
        Ok(Self { store: store.clone(), subscription: store.events().subscribe(subscribe)?, next })
    }

    pub fn gather(&mut self, batching: Batching, context: &mut Context<'_>) -> Result<Batch, SubscribeError> {
        let begun = Instant::now();
        // Before the subscription looks: when it has nothing, it has been this far.
        let end = self.store.events().last_position()?.map_or(Position::FIRST, Position::next);
        let mut events = Vec::new();
        let mut is_live = false;
        while events.len() < batching.events_max {
            match self.subscription.poll_next(context) {
                Poll::Ready(signal) => match signal? {
                    Signal::Event(event) => {
                        self.next = event.position.next();
                        events.push(event);
                    }
                    Signal::Checkpoint(position) => self.next = self.next.max(position.next()),
                    Signal::CaughtUp(_) | Signal::FellBehind { .. } => {}
                },
                Poll::Pending => {
                    self.next = self.next.max(end);
                    is_live = true;
                    break;
                }
            }
            if begun.elapsed() >= batching.gather_max {
                break;
            }
        }
        Ok(Batch { events, next: self.next, is_live })
    }
}
