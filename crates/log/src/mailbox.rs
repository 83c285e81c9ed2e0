//! Where callers, the sequencer and the writer meet.
//!
//! ```text
//!   callers ──requests──▶ sequencer ──one batch──▶ writer
//!                            ▲                        │
//!                            └───────── done ─────────┘
//! ```
//!
//! One lock for all of it: every wait is on a condition of this one state, so
//! no wake-up can be lost between two of them. There is no interval: a batch is
//! what has queued while the one before it was being written.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::commit::Batch;
use crate::request::Request;

/// What is waiting.
#[derive(Default)]
pub struct Mailbox {
    state: Mutex<State>,
    /// The sequencer sleeps here.
    sequencer: Condvar,
    /// The writer sleeps here.
    writer: Condvar,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Box<Request>>,
    bytes: u64,
    /// The batch handed over and not yet taken by the writer.
    handed: Option<Batch>,
    /// Whether a batch is handed over or being written.
    writing: bool,
    closing: bool,
    /// Nobody takes requests any more.
    shut: bool,
    /// Whether the sequencer wakes up after a while even without requests.
    ticking: bool,
}

/// Why the sequencer was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something waits.
    Work,
    /// Nothing did for a while.
    Idle,
    /// Nothing does, and nothing will.
    Closing,
}

impl Mailbox {
    /// Leaves a request, or drops it when nobody would take it: whoever waits for
    /// its answer is then told that the log is closed.
    pub fn push(&self, request: Box<Request>) {
        let mut state = self.state.lock();
        if state.shut {
            return;
        }
        state.bytes += request.records.len() as u64;
        state.requests.push_back(request);
        let first = state.requests.len() == 1;
        drop(state);
        // The sequencer takes all that waits: only the first needs to wake it.
        if first {
            self.sequencer.notify_one();
        }
    }

    /// Bytes that wait.
    pub fn waiting_bytes(&self) -> u64 {
        self.state.lock().bytes
    }

    /// The end of a wait that begins now.
    pub fn patience(&self, whole: Duration) -> Instant {
        Instant::now() + whole
    }

    /// Whether a request waits, or comes before the gap or the patience ends.
    /// Stays awake meanwhile: going to sleep would take longer than the gap.
    pub fn comes_within(&self, gap: Duration, patience: Instant) -> bool {
        let until = patience.min(Instant::now() + gap);
        loop {
            if !self.state.lock().requests.is_empty() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::yield_now();
        }
    }

    /// Whether nothing waits and nothing is being written.
    pub fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.requests.is_empty() && !state.writing
    }

    /// Takes everything that waits.
    pub fn drain_into(&self, inbox: &mut VecDeque<Box<Request>>) {
        let mut state = self.state.lock();
        state.bytes = 0;
        if inbox.is_empty() {
            std::mem::swap(&mut state.requests, inbox);
        } else {
            inbox.append(&mut state.requests);
        }
    }

    /// The sequencer's sleep while it has nothing in hand.
    pub fn wait_for_work(&self, idle_after: Duration) -> Wake {
        let mut state = self.state.lock();
        let begun = Instant::now();
        loop {
            if !state.requests.is_empty() {
                return Wake::Work;
            }
            if state.closing {
                return Wake::Closing;
            }
            if state.ticking {
                let left = idle_after.saturating_sub(begun.elapsed());
                let late = left.is_zero() || self.sequencer.wait_for(&mut state, left).timed_out();
                if late && state.requests.is_empty() && !state.closing {
                    state.ticking = false;
                    return Wake::Idle;
                }
            } else {
                self.sequencer.wait(&mut state);
            }
        }
    }

    /// Has [`Wake::Idle`] come if nothing happens for a while from now on.
    pub fn tick(&self) {
        let mut state = self.state.lock();
        if !state.ticking {
            state.ticking = true;
            drop(state);
            self.sequencer.notify_one();
        }
    }

    /// The sequencer's wait while a batch is being written: until it is, or until
    /// more requests wait. For some moments it stays awake: callers who come one
    /// after another would each have to wake it.
    pub fn wait_for_writer_or_requests(&self, awake: Duration) {
        let until = Instant::now() + awake;
        let is_over = |state: &State| !state.writing || !state.requests.is_empty();
        while Instant::now() < until {
            if is_over(&self.state.lock()) {
                return;
            }
            std::thread::yield_now();
        }
        let mut state = self.state.lock();
        while !is_over(&state) {
            self.sequencer.wait(&mut state);
        }
    }

    /// Waits until no batch is being written.
    pub fn wait_for_writer(&self) {
        let mut state = self.state.lock();
        while state.writing {
            self.sequencer.wait(&mut state);
        }
    }

    /// Whether a batch is being written.
    pub fn is_writing(&self) -> bool {
        self.state.lock().writing
    }

    /// Hands a batch to the writer, which must be at rest.
    pub fn hand_over(&self, batch: Batch) {
        let mut state = self.state.lock();
        debug_assert!(!state.writing);
        state.writing = true;
        state.handed = Some(batch);
        drop(state);
        self.writer.notify_one();
    }

    /// The writer's sleep: the next batch, or `None` when there will be none.
    pub fn next_batch(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        loop {
            if let Some(batch) = state.handed.take() {
                return Some(batch);
            }
            if state.closing {
                return None;
            }
            self.writer.wait(&mut state);
        }
    }

    /// The writer is at rest again.
    pub fn written(&self) {
        self.state.lock().writing = false;
        self.sequencer.notify_one();
    }

    /// Nobody will take requests any more. Drops those that still wait.
    pub fn shut(&self) {
        let mut state = self.state.lock();
        state.shut = true;
        let unheard = std::mem::take(&mut state.requests);
        drop(state);
        drop(unheard);
    }

    /// No more requests will come.
    pub fn close(&self) {
        self.state.lock().closing = true;
        self.sequencer.notify_all();
        self.writer.notify_all();
    }
}
