//! Waiting for what comes later, with a deadline and without a sleep.
//!
//! ```text
//!   look ──▶ not yet ──▶ wait for the next commit, 10 ms at most ──▶ look ...
//!                                                        deadline ──▶ panic
//! ```

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use factum_core::{Selection, Subscribe, SubscribeFrom};

use super::report;
use crate::Store;

/// How long [`eventually`] waits.
const DEADLINE: Duration = Duration::from_secs(5);
/// What is waited for may be late behind the commit that leads to it.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Waits until `look` finds something, at most 5 seconds, then panics. Looks
/// again after every commit to the store.
///
/// ```
/// use factum::testing::{self, eventually};
///
/// let (store, _) = testing::store();
/// let last = eventually(&store, || store.events().last_position().ok());
/// assert_eq!(last, None);
/// ```
#[track_caller]
pub fn eventually<T>(store: &Store, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, store, look)
}

/// [`eventually`], with another deadline.
#[track_caller]
pub fn eventually_within<T>(deadline: Duration, store: &Store, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    let following = Subscribe::to(Selection::All).from(SubscribeFrom::Now);
    let mut commits = match store.events().subscribe(following) {
        Ok(commits) => commits,
        Err(error) => panic!("{}", report::chain("the store cannot be followed", &error)),
    };
    loop {
        if let Some(found) = look() {
            return found;
        }
        let Some(left) = deadline.checked_sub(begun.elapsed()) else {
            panic!("it did not happen within {deadline:?}");
        };
        if let Err(error) = commits.next_within(left.min(LOOK_AGAIN_AFTER)) {
            panic!("{}", report::chain("the store cannot be followed", &error));
        }
    }
}

/// Awaits `future`, at most so long, then panics.
///
/// ```
/// # use std::time::Duration;
/// # let wait = |future| pollster::block_on(future);
/// assert_eq!(wait(factum::testing::within(Duration::from_secs(1), async { 42 })), 42);
/// ```
pub async fn within<F: Future>(deadline: Duration, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut late = pin!(futures_timer::Delay::new(deadline));
    std::future::poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(output),
        Poll::Pending => match late.as_mut().poll(context) {
            Poll::Ready(()) => panic!("it did not happen within {deadline:?}"),
            Poll::Pending => Poll::Pending,
        },
    })
    .await
}
