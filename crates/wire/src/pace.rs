//! [`Pace`]: a lane whose client asks again as soon as it is answered looks for the
//! next request, instead of sleeping until it is woken for it.
//!
//! ```text
//!   the lane sleeps                      the lane looks
//!
//!   client   lane                        client   lane
//!     ◀─answer─┤                           ◀─answer─┤
//!     ├─asks──▶╎                           ├─asks──▶├ ? ? ? ?
//!              ╎ a core wakes up                    ▼
//!              ▼
//! ```
//!
//! A core that sleeps takes 30 to 60 µs to wake up, which is half of what a lone
//! append takes besides its flush. So a lane looks after it has answered, if all
//! this is so:
//!
//! - the last few requests were small and came at once, each by itself, which is
//!   how a client asks that waits for one answer after the other;
//! - the next one can still be at once. When it is not, there is no looking until
//!   clients are as quick again.
//!
//! Between two looks, whoever waits for the core has it. While nobody asks, and
//! where many ask, no time goes into this.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long after an answer a request is at once, if nothing else is said.
pub const AT_ONCE: Duration = Duration::from_micros(200);

/// How many have to come at once before the next is looked for.
const LATELY: u8 = 4;

/// What comes in one piece no longer than this is one request.
const SMALL_BYTES: usize = 8 * 1024;

/// How soon the clients of one lane ask again. A lane's connections share it.
pub struct Pace {
    state: Mutex<State>,
    looks: Notify,
}

#[derive(Debug)]
struct State {
    at_once: Duration,
    /// When the last answer was written, if nothing came since.
    answered: Option<Instant>,
    /// How many requests came at once, one after the other.
    lately: u8,
}

impl Pace {
    /// A request is at once if it comes so soon after an answer. Nothing is ever
    /// looked for if that is no time at all.
    pub fn of(at_once: Duration) -> Self {
        Self { state: Mutex::new(State { at_once, answered: None, lately: 0 }), looks: Notify::new() }
    }

    /// Something was written to a client.
    pub fn answered(&self) {
        if self.state().answered(Instant::now()) {
            self.looks.notify_one();
        }
    }

    /// So much came from a client.
    pub fn asked(&self, bytes: usize) {
        self.state().asked(Instant::now(), bytes);
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
    /// Notes an answer; whether what comes next is to be looked for.
    fn answered(&mut self, now: Instant) -> bool {
        if !self.at_once.is_zero() {
            self.answered = Some(now);
        }
        self.looks(now)
    }

    fn asked(&mut self, now: Instant, bytes: usize) {
        // The second piece of a request says nothing new.
        let Some(answered) = self.answered.take() else { return };
        let is_one_at_once = bytes <= SMALL_BYTES && now.duration_since(answered) <= self.at_once;
        self.lately = if is_one_at_once { self.lately.saturating_add(1) } else { 0 };
    }

    /// Whether to look once more.
    fn looks(&mut self, now: Instant) -> bool {
        let Some(answered) = self.answered else { return false };
        if now.duration_since(answered) > self.at_once {
            (self.answered, self.lately) = (None, 0);
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

    fn state() -> State {
        State { at_once: AT_ONCE, answered: None, lately: 0 }
    }

    /// So many requests, each so soon after an answer; then whether the next is
    /// looked for.
    fn asked(state: &mut State, now: &mut Instant, times: u8, after: Duration, bytes: usize) -> bool {
        for _ in 0..times {
            state.answered(*now);
            *now += after;
            state.asked(*now, bytes);
            // The flush takes as long as it takes.
            *now += Duration::from_millis(1);
        }
        state.answered(*now)
    }

    #[test]
    fn only_who_asks_at_once_time_and_again_is_looked_for() {
        let (mut state, mut now) = (state(), Instant::now());
        assert!(!asked(&mut state, &mut now, LATELY - 1, AT_ONCE, 100));
        assert!(asked(&mut state, &mut now, 1, AT_ONCE, SMALL_BYTES));
        // One that is slow, or that brings much, begins it anew.
        for (after, bytes) in [(AT_ONCE * 2, 100), (AT_ONCE, SMALL_BYTES + 1)] {
            assert!(!asked(&mut state, &mut now, 1, after, bytes));
            assert!(!asked(&mut state, &mut now, LATELY - 1, AT_ONCE, 100));
            assert!(asked(&mut state, &mut now, 1, AT_ONCE, 100));
        }
    }

    #[test]
    fn looking_ends_with_the_request_or_when_it_cannot_be_at_once_any_more() {
        let (mut state, mut now) = (state(), Instant::now());
        assert!(asked(&mut state, &mut now, LATELY, AT_ONCE, 100));
        assert!(state.looks(now + AT_ONCE));
        state.asked(now + AT_ONCE, 100);
        assert!(!state.looks(now + AT_ONCE), "it has come");
        state.asked(now + AT_ONCE, SMALL_BYTES + 1);
        assert!(state.answered(now), "more of the same request says nothing");
        let late = now + AT_ONCE + Duration::from_micros(1);
        assert!(!state.looks(late));
        state.asked(late, 100);
        assert!(!asked(&mut state, &mut now, LATELY - 1, AT_ONCE, 100), "it was looked for in vain");
    }

    #[test]
    fn with_no_time_nothing_is_looked_for() {
        let (mut state, mut now) = (State { at_once: Duration::ZERO, ..state() }, Instant::now());
        assert!(!asked(&mut state, &mut now, 3 * LATELY, Duration::ZERO, 100));
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
        assert!(looks().await <= 1, "nobody has asked");
        for _ in 0..LATELY {
            pace.answered();
            pace.asked(1);
        }
        assert!(looks().await <= 1, "nobody is answered");
        pace.answered();
        assert!(looks().await >= 90);
        pace.asked(1);
        assert!(looks().await <= 2, "the request is there");
        looking.abort();
    }
}
