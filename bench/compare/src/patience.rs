//! Trying again, for the libraries that leave it to their caller.
//!
//! The same rule as Factum's own default, so that nobody gains or loses by it:
//! at most 16 attempts, the first retry at once, each further one after a
//! random share of a pause that doubles from 100 µs to 50 ms.

use std::future::Future;
use std::time::Duration;

use crate::counters::Raised;
use crate::failure::Failure;

const ATTEMPTS_MAX: u32 = 16;
const PAUSE_FIRST: Duration = Duration::from_micros(100);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// What became of one attempt.
pub enum Attempt {
    /// It was recorded.
    Done,
    /// Another was faster; nothing was recorded.
    Conflict(Failure),
}

/// Tries until it is done.
pub async fn until_done<F>(mut attempt: impl FnMut() -> F) -> Result<Raised, Failure>
where
    F: Future<Output = Result<Attempt, Failure>>,
{
    for again in 0..ATTEMPTS_MAX {
        match attempt().await? {
            Attempt::Done => return Ok(Raised { again }),
            Attempt::Conflict(error) if again + 1 == ATTEMPTS_MAX => {
                return Err(format!("others were faster {ATTEMPTS_MAX} times: {error}").into());
            }
            Attempt::Conflict(_) => {
                if let Some(pause) = pause_after(again) {
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
    unreachable!("the last attempt returns")
}

/// The pause before the retry after so many others.
fn pause_after(again: u32) -> Option<Duration> {
    let longest = PAUSE_FIRST.saturating_mul(1 << again.checked_sub(1)?).min(PAUSE_MAX);
    Some(longest.mul_f64(rand::random::<f64>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_limit() {
        assert_eq!(pause_after(0), None);
        for again in 1..ATTEMPTS_MAX {
            let longest = (PAUSE_FIRST * 2_u32.pow(again - 1)).min(PAUSE_MAX);
            assert!(pause_after(again).unwrap() <= longest, "{again}");
        }
    }

    fn run(done_after: u32) -> (Result<Raised, Failure>, u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut attempts = 0;
        let raised = runtime.block_on(until_done(|| {
            attempts += 1;
            let is_done = attempts > done_after;
            async move { if is_done { Ok(Attempt::Done) } else { Ok(Attempt::Conflict("busy".into())) } }
        }));
        (raised, attempts)
    }

    #[test]
    fn counts_retries_and_gives_up() {
        assert_eq!(run(0).0.unwrap(), Raised { again: 0 });
        assert_eq!(run(3).0.unwrap(), Raised { again: 3 });
        let (gave_up, attempts) = run(ATTEMPTS_MAX);
        assert_eq!(gave_up.unwrap_err().to_string(), "others were faster 16 times: busy");
        assert_eq!(attempts, ATTEMPTS_MAX);
    }
}
