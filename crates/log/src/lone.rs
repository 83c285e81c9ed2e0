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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
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
pub struct Led {
    engine: Arc<Engine>,
    has_yielded: bool,
}

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
        Self { engine: Arc::clone(engine), has_yielded: false }
    }

    /// Done when the caller's executor had a turn for everything else.
    pub fn poll_yielded(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match std::mem::replace(&mut self.has_yielded, true) {
            true => Poll::Ready(()),
            false => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.engine.lone.led.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;
    use crate::sequencer::WRITE_INLINE_BYTES_MAX;
    use crate::{Log, LogOptions};
    use factum_core::{Append, EventStore, EventType, ExpectedRevision, NewEvent, Position, StreamName};
    use futures_executor::block_on;
    use std::task::Waker;

    const LONG: Duration = Duration::from_secs(60);

    fn log(async_flush_max: Duration) -> Log {
        let segment_bytes = 1 << 20;
        let options = LogOptions {
            async_flush_max,
            segment_bytes_first: segment_bytes,
            segment_bytes_max: segment_bytes,
            ..LogOptions::default()
        };
        Log::open_on(Arc::new(MemoryDisk::new()), options).unwrap()
    }

    fn one(bytes: usize) -> Append {
        let event = NewEvent::new(EventType::new("A").unwrap(), vec![b'x'; bytes]);
        Append::to(StreamName::new("a").unwrap(), ExpectedRevision::Any, [event])
    }

    fn last(log: &Log) -> Option<u64> {
        log.last_position().unwrap().map(Position::get)
    }

    #[test]
    fn a_lone_append_is_there_when_it_was_handed_over() {
        let log = log(LONG);
        log.append(one(1)).unwrap();
        for position in 1..6 {
            let mut appending = log.append_async(&one(1));
            assert_eq!(last(&log), Some(position));
            let mut context = Context::from_waker(Waker::noop());
            assert!(appending.as_mut().poll(&mut context).is_pending(), "everything else has a turn");
            let Poll::Ready(Ok(appended)) = appending.as_mut().poll(&mut context) else {
                panic!("no answer")
            };
            assert_eq!(appended.last_position(), Some(Position::new(position)));
        }
    }

    #[test]
    fn the_next_is_not_led_before_the_answer_was_taken() {
        let log = log(LONG);
        log.append(one(1)).unwrap();
        let untaken = log.append_async(&one(1));
        assert!(!log.engine().lone.is_likely(LONG));
        block_on(log.append_async(&one(1))).unwrap();
        drop(untaken);
        assert!(log.engine().lone.is_likely(LONG));
        assert_eq!(last(&log), Some(2));
    }

    #[test]
    fn none_is_led_that_would_take_long() {
        let lone = Lone::default();
        assert!(!lone.is_likely(LONG), "nobody knows yet");
        lone.timed(|| std::thread::sleep(Duration::from_millis(2)));
        assert!(!lone.is_likely(Duration::from_millis(1)) && lone.is_likely(LONG));
        let never = log(Duration::ZERO);
        never.append(one(1)).unwrap();
        let appending = never.append_async(&one(1));
        assert!(!never.engine().lone.led.load(Ordering::Acquire));
        block_on(appending).unwrap();
        let log = log(LONG);
        log.append(one(1)).unwrap();
        let is_led = |bytes| {
            // The sequencer's own thread has finished what it did last.
            drop(log.engine().sequencer.lock());
            let appending = log.append_async(&one(bytes));
            let is_led = log.engine().lone.led.load(Ordering::Acquire);
            block_on(appending).unwrap();
            is_led
        };
        // A segment has room for ten of these.
        assert_eq!((0..12).filter(|_| !is_led(100_000)).count(), 1, "the one that begins a segment");
        assert!(!is_led(WRITE_INLINE_BYTES_MAX as usize), "a large one");
    }
}
