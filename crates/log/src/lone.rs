//! Lone appends: who appends alone, and asynchronously, may do the sequencer's work
//! itself, as a blocking caller does.
//!
//! ```text
//!   handed over to the sequencer          led by its caller
//!
//!   caller     sequencer                  caller
//!     ├── wakes ──▶ write                   ├── write
//!     ╎             flush                   │   flush
//!     ◀── wakes ────┘                       ▼
//! ```
//!
//! That saves two changes of thread, and holds up whatever else the caller's thread
//! would do meanwhile: for one small write and one flush. How long that is nobody
//! knows before, so that it is done only where [`async_flush_max`] allows it, after a
//! flush that was as quick as that, and if neither a new segment nor anybody
//! else's append is involved.
//!
//! Many appends of one thread must not be led one after another: they would never
//! share a flush. So the next is not led before the answer of the last was taken,
//! which is told only when the caller's thread had time for everything else once.
//!
//! [`async_flush_max`]: crate::LogOptions::async_flush_max

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::engine::Engine;

/// Whether an append may be led, and whether one is.
pub struct Lone {
    /// How many nanoseconds the last flush took; so many that none is led before
    /// the first.
    last_flush: AtomicU64,
    /// Whether one was, whose answer is not taken yet.
    led: AtomicBool,
}

/// An append that was led. Dropped, its answer is taken.
pub struct Led(Arc<Engine>);

impl Default for Lone {
    fn default() -> Self {
        Self { last_flush: AtomicU64::new(u64::MAX), led: AtomicBool::new(false) }
    }
}

impl Lone {
    /// Writes and flushes, and notes how long that took.
    pub fn timed<T>(&self, flush: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = flush();
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_flush.store(took, Ordering::Relaxed);
        done
    }

    /// Whether the next flush is likely to be as quick as this, and nobody has
    /// been led whose answer is not taken.
    pub fn is_likely(&self, longest: Duration) -> bool {
        u128::from(self.last_flush.load(Ordering::Relaxed)) <= longest.as_nanos()
            && !self.led.load(Ordering::Acquire)
    }
}

impl Led {
    /// It is, from now on.
    pub fn of(engine: &Arc<Engine>) -> Self {
        engine.lone.led.store(true, Ordering::Release);
        Self(Arc::clone(engine))
    }

    /// Done when the caller's executor had a turn for everything else.
    pub async fn yielded(&self) {
        let mut has_yielded = false;
        poll_fn(|context| match std::mem::replace(&mut has_yielded, true) {
            true => Poll::Ready(()),
            false => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.0.lone.led.store(false, Ordering::Release);
    }
}
