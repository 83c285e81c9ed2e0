//! Handing an append over until it is known what became of it.
//!
//! ```text
//!   append ──▶ unknown ──▶ the same ids again ──▶ recorded once: the first receipt,
//!                                │                if it was recorded before
//!                                └──▶ unknown still: the caller is told so
//! ```
//!
//! Only who holds the append can ask: a decision made once more has other ids. So
//! it is lent.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use factum_core::{Append, AppendError, AppendFuture, Appended, Durability};

use crate::store::Store;

/// How often an append of unknown outcome is handed over at most.
pub const ASKED_MAX: u32 = 3;

/// An append that was handed over, until it is known what became of it. Written by
/// hand: nothing lies between a command and the answer of its store.
pub struct Appending<'a> {
    store: &'a Store,
    append: &'a Append,
    answer: AppendFuture,
    asked: u32,
    /// What the first answer was, if that left it unknown; apart, so that the many
    /// that do not come here carry nothing of it.
    unknown: Option<Box<AppendError>>,
}

impl Future for Appending<'_> {
    type Output = Result<Appended, AppendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let refused = match ready!(self.answer.as_mut().poll(context)) {
                Ok(appended) => {
                    self.store.note_durability(appended.durability);
                    return Poll::Ready(Ok(appended));
                }
                Err(error) => self.refused(error),
            };
            if let Some(error) = refused {
                return Poll::Ready(Err(error));
            }
        }
    }
}

impl Appending<'_> {
    /// Hands it over again, or says what to answer.
    #[cold]
    fn refused(&mut self, error: AppendError) -> Option<AppendError> {
        if let AppendError::Unknown(_) = error
            && self.asked < ASKED_MAX
        {
            self.asked += 1;
            self.unknown.get_or_insert_with(|| Box::new(error));
            self.answer = self.store.events().append_async(self.append);
            return None;
        }
        Some(told(error, self.unknown.take().map(|unknown| *unknown)))
    }
}

impl Store {
    /// Records it, blocking.
    pub(crate) fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        let (mut asked, mut unknown) = (1, None);
        loop {
            match self.events().append(append.clone()) {
                Ok(appended) => {
                    self.note_durability(appended.durability);
                    return Ok(appended);
                }
                Err(error @ AppendError::Unknown(_)) if asked < ASKED_MAX => {
                    asked += 1;
                    unknown.get_or_insert(error);
                }
                Err(error) => return Err(told(error, unknown)),
            }
        }
    }

    /// The same, as a future. It is handed over by this call.
    pub(crate) fn append_async<'a>(&'a self, append: &'a Append) -> Appending<'a> {
        let answer = self.events().append_async(append);
        Appending { store: self, append, answer, asked: 1, unknown: None }
    }

    /// What events are safe against here, as its receipts say; an append of
    /// nothing asks it if it was never asked. Nothing is promised by a store that
    /// accepts none.
    pub(crate) fn durability(&self) -> Durability {
        let ask = || self.append(&Append::default()).map(|appended| appended.durability);
        self.known_durability().or_else(|| ask().ok()).unwrap_or(Durability::Memory)
    }
}

/// What is told after an error that came when it was `unknown` whether it had been
/// recorded: that, unless this one was judged, so that it had not been.
fn told(error: AppendError, unknown: Option<AppendError>) -> AppendError {
    match is_conflict(&error) {
        true => error,
        false => unknown.unwrap_or(error),
    }
}

/// Whether somebody else was faster.
pub fn is_conflict(error: &AppendError) -> bool {
    matches!(error, AppendError::Conflict { .. } | AppendError::ConditionFailed { .. })
}
