//! Room: how many bytes of events that are to be appended the server holds,
//! over all its calls, from when they arrive until they are answered.
//!
//! ```text
//!   an event arrives ─► there is room ─► gathered ─► in the store's queue ─► answered
//!                          │                                                    │
//!                          └── none: waits, then `Server Is Too Busy`           └─► room again
//! ```

use std::sync::Arc;
use std::time::Duration;

use factum_wire::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes there is room for.
const BYTES_MAX: u32 = 256 * 1024 * 1024;

/// How long a call waits for room.
const PATIENCE: Duration = Duration::from_secs(3);

/// The server's room. Clones share it.
#[derive(Debug, Clone)]
pub struct Room {
    free: Arc<Semaphore>,
    bytes_max: u32,
    patience: Duration,
}

/// A part of it, free again when this is dropped.
#[derive(Debug, Default)]
pub struct Held(Option<OwnedSemaphorePermit>);

impl Default for Room {
    fn default() -> Self {
        Self::of(BYTES_MAX, PATIENCE)
    }
}

impl Room {
    /// For so many bytes, of which a call waits so long.
    pub fn of(bytes_max: u32, patience: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes_max as usize)), bytes_max, patience }
    }

    /// Takes room for these bytes if there is some now.
    pub fn take_now(&self, bytes: u64) -> Option<Held> {
        let taken = Arc::clone(&self.free).try_acquire_many_owned(self.counted(bytes));
        taken.ok().map(|taken| Held(Some(taken)))
    }

    /// Takes room for these bytes, first come first served.
    pub async fn take(&self, bytes: u64) -> Result<Held, Failure> {
        let taken = Arc::clone(&self.free).acquire_many_owned(self.counted(bytes));
        match tokio::time::timeout(self.patience, taken).await {
            Ok(Ok(taken)) => Ok(Held(Some(taken))),
            Ok(Err(_)) | Err(_) => Err(Failure::Busy),
        }
    }

    /// How many bytes are taken, of how many.
    pub fn taken(&self) -> (u64, u64) {
        let bytes_max = u64::from(self.bytes_max);
        (bytes_max.saturating_sub(self.free.available_permits() as u64), bytes_max)
    }

    /// What is larger than all of it passes alone.
    fn counted(&self, bytes: u64) -> u32 {
        u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes_max)
    }
}

impl Held {
    /// Holds both.
    pub fn join(&mut self, more: Self) {
        match (&mut self.0, more.0) {
            (Some(held), Some(more)) => held.merge(more),
            (none @ None, more) => *none = more,
            (Some(_), None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_no_room_waits_and_is_then_turned_away() {
        let room = Room::of(100, Duration::from_millis(20));
        let mut held = room.take(60).await.unwrap();
        held.join(room.take_now(30).unwrap());
        assert!(room.take_now(11).is_none());
        assert_eq!(room.take(11).await.unwrap_err(), Failure::Busy);
        let (waited, ()) = tokio::join!(room.take(100), async { drop(held) });
        assert!(room.take_now(1).is_none());
        drop(waited.unwrap());
        assert!(room.take_now(1_000).is_some(), "alone there is room for anything");
    }
}
