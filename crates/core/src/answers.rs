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
