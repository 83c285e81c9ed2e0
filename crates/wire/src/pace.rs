//! [`Pace`]: who lately was spoken to again at once looks for it the next time,
//! instead of sleeping until it is woken for it.
//!
//! ```text
//!   the server sleeps                    it looks
//!
//!   client   server                      client   server
//!     ◀─answer─┤                           ◀─answer─┤
//!     ├─asks──▶╎                           ├─asks──▶├ ? ? ? ?
//!              ╎ a core wakes up                    ▼
//!              ▼
//! ```
//!
//! A core that sleeps takes 30 to 60 µs to wake up, once on each side, which is half of
//! what a lone append takes besides its flush. The server speaks with its answer and looks
//! for the next request, the client speaks with a request and looks for the answer. Either
//! does so only if all this holds:
//!
//! - what came lately, a few times in a row, was small and came at once, each by itself,
//!   which is how it is where one waits for one answer after the other;
//! - what is looked for can still come at once. When it has not, there is no looking until
//!   the other side is as quick again.
//!
//! Between two looks, whoever waits for the core has it. While nothing is said, and where
//! much is, no time goes into this.

use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How many have to come at once before the next is looked for.
const LATELY: u8 = 4;

/// What comes in one piece no longer than this is one request, or one answer.
const SMALL_BYTES: usize = 8 * 1024;

/// How soon the other side speaks again. Connections that one thread carries share it.
pub struct Pace {
    state: Mutex<State>,
    looks: Notify,
}

#[derive(Debug)]
struct State {
    at_once: Duration,
    /// When this side spoke, if nothing came since.
    spoke: Option<Instant>,
    /// How often the other side spoke at once, one time after the other.
    lately: u8,
}

impl Pace {
    /// As it is good on this machine: on its only core, looking would keep the other side
    /// from speaking.
    pub fn here(at_once: Duration) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::of(if cores > 1 { at_once } else { Duration::ZERO })
    }

    /// What comes so soon after this side spoke comes at once. Nothing is ever looked for
    /// if that is no time at all.
    pub fn of(at_once: Duration) -> Self {
        Self { state: Mutex::new(State { at_once, spoke: None, lately: 0 }), looks: Notify::new() }
    }

    /// Something was said to the other side.
    pub fn spoke(&self) {
        if self.state().spoke(Instant::now()) {
            self.looks.notify_one();
        }
    }

    /// So much came from it.
    pub fn heard(&self, bytes: usize) {
        self.state().heard(Instant::now(), bytes);
    }

    /// Looks whenever it is worth it. Never done.
    pub async fn look(&self) {
        loop {
            self.looks.notified().await;
            while self.state().looks(Instant::now()) {
                // The runtime asks for what has come, and then comes back.
                tokio::task::yield_now().await;
                thread::yield_now();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes that something was said; whether what comes next is to be looked for.
    fn spoke(&mut self, now: Instant) -> bool {
        if !self.at_once.is_zero() {
            self.spoke = Some(now);
        }
        self.looks(now)
    }

    fn heard(&mut self, now: Instant, bytes: usize) {
        // The second piece of the same says nothing new.
        let Some(spoke) = self.spoke.take() else { return };
        let is_one_at_once = bytes <= SMALL_BYTES && now.duration_since(spoke) <= self.at_once;
        self.lately = if is_one_at_once { self.lately.saturating_add(1) } else { 0 };
    }

    /// Whether to look once more.
    fn looks(&mut self, now: Instant) -> bool {
        let Some(spoke) = self.spoke else { return false };
        if now.duration_since(spoke) > self.at_once {
            (self.spoke, self.lately) = (None, 0);
        }
        self.lately >= LATELY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const AT_ONCE: Duration = Duration::from_micros(200);

    fn state() -> State {
        State { at_once: AT_ONCE, spoke: None, lately: 0 }
    }

    /// So often the other side speaks, each time so soon; then whether the next is
    /// looked for.
    fn exchanged(state: &mut State, now: &mut Instant, times: u8, after: Duration, bytes: usize) -> bool {
        for _ in 0..times {
            state.spoke(*now);
            *now += after;
            state.heard(*now, bytes);
            // The flush takes as long as it takes.
            *now += Duration::from_millis(1);
        }
        state.spoke(*now)
    }

    #[test]
    fn only_who_asks_at_once_time_and_again_is_looked_for() {
        let (mut state, mut now) = (state(), Instant::now());
        assert!(!exchanged(&mut state, &mut now, LATELY - 1, AT_ONCE, 100));
        assert!(exchanged(&mut state, &mut now, 1, AT_ONCE, SMALL_BYTES));
        // One that is slow, or that brings much, begins it anew.
        for (after, bytes) in [(AT_ONCE * 2, 100), (AT_ONCE, SMALL_BYTES + 1)] {
            assert!(!exchanged(&mut state, &mut now, 1, after, bytes));
            assert!(!exchanged(&mut state, &mut now, LATELY - 1, AT_ONCE, 100));
            assert!(exchanged(&mut state, &mut now, 1, AT_ONCE, 100));
        }
        assert!(exchanged(&mut state, &mut now, u8::MAX - LATELY, AT_ONCE, 100));
        assert!(exchanged(&mut state, &mut now, 1, AT_ONCE, 100), "there is no end to it");
    }

    #[test]
    fn looking_ends_with_the_request_or_when_it_cannot_be_at_once_any_more() {
        let (mut state, mut now) = (state(), Instant::now());
        assert!(exchanged(&mut state, &mut now, LATELY, AT_ONCE, 100));
        assert!(state.looks(now + AT_ONCE));
        state.heard(now + AT_ONCE, 100);
        assert!(!state.looks(now + AT_ONCE), "it has come");
        state.heard(now + AT_ONCE, SMALL_BYTES + 1);
        assert!(state.spoke(now), "more of the same says nothing");
        let late = now + AT_ONCE + Duration::from_micros(1);
        assert!(!state.looks(late));
        state.heard(late, 100);
        assert!(!exchanged(&mut state, &mut now, LATELY - 1, AT_ONCE, 100), "it was looked for in vain");
    }

    #[test]
    fn with_no_time_nothing_is_looked_for() {
        let (mut state, mut now) = (State { at_once: Duration::ZERO, ..state() }, Instant::now());
        assert!(!exchanged(&mut state, &mut now, 3 * LATELY, Duration::ZERO, 100));
    }

    #[tokio::test]
    async fn whoever_looks_lets_the_others_go_on_and_waits_when_it_is_over() {
        let (pace, polls) = (Arc::new(Pace::of(Duration::from_secs(60))), Arc::new(AtomicUsize::new(0)));
        let looking = tokio::spawn({
            let (pace, polls) = (Arc::clone(&pace), Arc::clone(&polls));
            async move {
                let mut looking = pin!(pace.look());
                poll_fn(|context| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    looking.as_mut().poll(context)
                })
                .await;
            }
        });
        // How often it looks while another has a hundred turns.
        let looks = async || {
            let before = polls.load(Ordering::Relaxed);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            polls.load(Ordering::Relaxed) - before
        };
        assert!(looks().await <= 1, "nothing was said");
        for _ in 0..LATELY {
            pace.spoke();
            pace.heard(1);
        }
        assert!(looks().await <= 1, "nothing is waited for");
        pace.spoke();
        assert!(looks().await >= 90);
        pace.heard(1);
        assert!(looks().await <= 2, "it is there");
        looking.abort();
    }
}
