//! How often a command is decided again when somebody was faster, and after how
//! long.

use std::time::Duration;

use uuid::Uuid;

/// Bounds the attempts at one command.
///
/// The first retry comes at once: the delta is folded, the decision made anew.
/// Each further one waits a random share of a doubling pause, so that writers
/// who collide do not meet again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often the command is decided at most; at least 1. Once more if the
    /// first time was on a state that was kept warm and turned out to be old.
    pub attempts_max: u32,
    /// The pause before the second retry.
    pub pause_first: Duration,
    /// No pause is longer.
    pub pause_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts_max: 16,
            pause_first: Duration::from_micros(100),
            pause_max: Duration::from_millis(50),
        }
    }
}

impl Retry {
    /// A conflict with somebody who was faster is answered at once.
    pub fn never() -> Self {
        Self { attempts_max: 1, ..Self::default() }
    }

    /// At most this many attempts.
    pub fn attempts(attempts_max: u32) -> Self {
        Self { attempts_max: attempts_max.max(1), ..Self::default() }
    }

    /// How long to wait after so many attempts; `None`: give up.
    pub(crate) fn pause_after(&self, attempts: u32) -> Option<Duration> {
        if attempts >= self.attempts_max {
            return None;
        }
        let Some(doublings) = attempts.checked_sub(2) else { return Some(Duration::ZERO) };
        let longest = self.pause_first.saturating_mul(1 << doublings.min(20)).min(self.pause_max);
        let random = Uuid::new_v4().as_u64_pair().1 & 0xffff;
        Some(longest.mul_f64((random + 1) as f64 / 65_536.0))
    }
}

pub(crate) fn sleep(pause: Duration) {
    if !pause.is_zero() {
        std::thread::sleep(pause);
    }
}

pub(crate) async fn wait(pause: Duration) {
    if !pause.is_zero() {
        futures_timer::Delay::new(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_limit_and_then_it_gives_up() {
        let retry = Retry { attempts_max: 30, ..Retry::default() };
        assert_eq!(retry.pause_after(1), Some(Duration::ZERO));
        for attempts in 2..30 {
            let pause = retry.pause_after(attempts).unwrap();
            let longest = retry.pause_first * 2_u32.pow((attempts - 2).min(20));
            assert!(pause > Duration::ZERO && pause <= longest.min(retry.pause_max), "{attempts}: {pause:?}");
        }
        assert_eq!(retry.pause_after(30), None);
        assert_eq!(Retry::never().pause_after(1), None);
        assert_eq!(Retry::attempts(0).attempts_max, 1);
    }
}
