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

use factum_core::{Append, AppendError, Appended, Durability};

use crate::store::Store;

/// How often an append of unknown outcome is handed over at most.
pub const ASKED_MAX: u32 = 3;

impl Store {
    /// Records it, blocking.
    pub(crate) fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        let first = match self.events().append(append.clone()) {
            Err(error @ AppendError::Unknown(_)) => error,
            answer => return self.learn(answer, None),
        };
        for _ in 2..ASKED_MAX {
            match self.events().append(append.clone()) {
                Err(AppendError::Unknown(_)) => {}
                answer => return self.learn(answer, Some(first)),
            }
        }
        self.learn(self.events().append(append.clone()), Some(first))
    }

    /// The same, as a future.
    pub(crate) async fn append_async(&self, append: &Append) -> Result<Appended, AppendError> {
        let first = match self.events().append_async(append).await {
            Err(error @ AppendError::Unknown(_)) => error,
            answer => return self.learn(answer, None),
        };
        // Apart, so that the many that do not come here carry nothing of it.
        Box::pin(self.ask_again(append, first)).await
    }

    async fn ask_again(&self, append: &Append, first: AppendError) -> Result<Appended, AppendError> {
        for _ in 2..ASKED_MAX {
            match self.events().append_async(append).await {
                Err(AppendError::Unknown(_)) => {}
                answer => return self.learn(answer, Some(first)),
            }
        }
        self.learn(self.events().append_async(append).await, Some(first))
    }

    fn learn(
        &self,
        answer: Result<Appended, AppendError>,
        unknown: Option<AppendError>,
    ) -> Result<Appended, AppendError> {
        match (answer, unknown) {
            (Ok(appended), _) => {
                self.note_durability(appended.durability);
                Ok(appended)
            }
            // Judged, so it was not recorded before.
            (Err(error), _) if is_conflict(&error) => Err(error),
            (Err(error), unknown) => Err(unknown.unwrap_or(error)),
        }
    }

    /// What events are safe against here, as its receipts say; an append of
    /// nothing asks it if it was never asked. Nothing is promised by a store that
    /// accepts none.
    pub(crate) fn durability(&self) -> Durability {
        let ask = || self.append(&Append::default()).map(|appended| appended.durability);
        self.known_durability().or_else(|| ask().ok()).unwrap_or(Durability::Memory)
    }
}

/// Whether somebody else was faster.
pub fn is_conflict(error: &AppendError) -> bool {
    matches!(error, AppendError::Conflict { .. } | AppendError::ConditionFailed { .. })
}
