//! The answers to appends that were handed over together.
//!
//! ```text
//!   append_each   │ 0 │ 1 │ 2 │ 3 │ ...     each an append for itself
//!   poll_answers   (0, answer) (2, answer)     those that have come since
//!                  (1, answer) (3, answer)     the last look
//! ```
//!
//! A store that has many under way answers many at once. Told so, they need one
//! place to be waited for at, and not one each.

use std::task::{Context, Poll};

use crate::store::AppendFuture;
use crate::{AppendError, Appended};

/// What is told: the place of an append among those it came with, and its answer.
pub type Tell<'a> = dyn FnMut(usize, Result<Appended, AppendError>) + 'a;

/// The answers to appends that were handed over together, as they come. Dropped, the
/// answers are given up, and not the appends.
pub trait Answers: Send {
    /// Tells what has come and was not told yet, in whatever order. Ready when all are
    /// told; until then whoever polls is woken when more have come.
    fn poll_answers(&mut self, context: &mut Context<'_>, tell: &mut Tell<'_>) -> Poll<()>;
}

/// Answers that are waited for one by one.
pub struct Each(Vec<Option<AppendFuture>>);

impl Each {
    /// Of these futures.
    pub fn of(appends: impl Iterator<Item = AppendFuture>) -> Self {
        Self(appends.map(Some).collect())
    }
}

impl Answers for Each {
    fn poll_answers(&mut self, context: &mut Context<'_>, tell: &mut Tell<'_>) -> Poll<()> {
        let mut is_waiting = false;
        for (place, appending) in self.0.iter_mut().enumerate() {
            match appending.as_mut().map(|appending| appending.as_mut().poll(context)) {
                Some(Poll::Ready(answer)) => {
                    *appending = None;
                    tell(place, answer);
                }
                Some(Poll::Pending) => is_waiting = true,
                None => {}
            }
        }
        if is_waiting { Poll::Pending } else { Poll::Ready(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Waker;

    /// What an append is answered in these tests, by its place.
    fn answer(place: usize) -> Result<Appended, AppendError> {
        Err(AppendError::ConditionFailed { position: Position::new(place as u64) })
    }

    #[test]
    fn each_is_told_once_and_when_it_has_come() {
        // A bit for each that has come.
        static HAVE_COME: AtomicU64 = AtomicU64::new(0);
        let appending = |place: usize| -> AppendFuture {
            Box::pin(poll_fn(move |_| match HAVE_COME.load(Ordering::Relaxed) >> place & 1 {
                0 => Poll::Pending,
                _ => Poll::Ready(answer(place)),
            }))
        };
        let mut each = Each::of((0..4).map(appending));
        for (have_come, expected, is_over) in
            [(0, &[][..], false), (0b1010, &[1, 3], false), (0b1010, &[], false), (0b1111, &[0, 2], true)]
        {
            HAVE_COME.store(have_come, Ordering::Relaxed);
            let mut told = Vec::new();
            let polled =
                each.poll_answers(&mut Context::from_waker(Waker::noop()), &mut |place, told_here| {
                    assert_eq!(format!("{told_here:?}"), format!("{:?}", answer(place)));
                    told.push(place);
                });
            assert_eq!((&told[..], polled.is_ready()), (expected, is_over));
        }
    }
}
