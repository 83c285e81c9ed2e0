//! How long something took, and whether it has taken too long: the only look of
//! this crate at the monotonic clock.

use std::time::{Duration, Instant};

/// Running since it was started.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// How long a fold may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    watch: Stopwatch,
    max: Option<Duration>,
}

/// A look at the clock costs about as much as folding one event: so many are
/// folded between two.
const LOOK_EVERY: u64 = 256;

impl Patience {
    pub fn of(max: Option<Duration>) -> Self {
        Self { watch: Stopwatch::start(), max }
    }

    pub fn endless() -> Self {
        Self::of(None)
    }

    /// How long it may have taken, if it has taken longer.
    pub fn lost_at(self, events: u64) -> Option<Duration> {
        let max = self.max.filter(|_| events.is_multiple_of(LOOK_EVERY))?;
        (self.watch.elapsed() > max).then_some(max)
    }
}
