//! The world of a test: a store in memory, a clock moved by hand, ids that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factum_core::{ManualClock, MemoryStore, Timestamp, Uuid};

use crate::Store;
use crate::store::{NewIds, StoreOptions};

/// What the clock of a test shows at first: 2026-01-01T00:00:00Z.
pub const BEGINNING: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// A store in memory, and the clock its events are recorded by.
///
/// The clock stands still until it is moved, and ids count from 1: a test on
/// them comes to the same on every run.
///
/// ```
/// use factum::testing;
///
/// let (store, clock) = testing::store();
/// clock.set(testing::TestTime::time("2026-03-01T10:00:00Z"));
/// # let _ = store;
/// ```
pub fn store() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(BEGINNING));
    let port = Arc::new(MemoryStore::with_clock(clock.clone()));
    let options = StoreOptions { ids: Arc::new(CountedIds(AtomicU64::new(1))), ..StoreOptions::default() };
    (Store::over(port, options), clock)
}

/// 00000000-0000-0000-0000-000000000001 and so on.
struct CountedIds(AtomicU64);

impl NewIds for CountedIds {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A time as a test writes it: a [`Timestamp`], or a text such as
/// `"2026-03-01T10:00:00Z"`.
pub trait TestTime {
    /// The time. Panics if the text is none.
    fn time(self) -> Timestamp;
}

impl TestTime for Timestamp {
    fn time(self) -> Timestamp {
        self
    }
}

impl TestTime for &str {
    #[track_caller]
    fn time(self) -> Timestamp {
        match self.parse() {
            Ok(time) => time,
            Err(error) => panic!("{error}"),
        }
    }
}
