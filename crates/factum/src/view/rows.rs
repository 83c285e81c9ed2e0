//! [`Rows`]: what a projection sees of its table while it projects.
//!
//! ```text
//!   project ──▶ get ──▶ changes of this batch ──▶ committed rows
//!           ──▶ put, update, delete ──▶ changes of this batch
//! ```
//!
//! Changes stay aside until the whole batch is projected; then they are stored
//! with the checkpoint, each row once however often it was changed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;

use super::{CellError, Row, RowKey};

/// The rows of a read model, for [`project`](super::Projection::project).
///
/// Nothing here fails: a row that cannot be stored, and what is
/// [refused](Rows::refuse), stops the projection at this event.
pub struct Rows<'a, R: Row> {
    committed: &'a dyn Committed<R>,
    changes: &'a mut Changes<R>,
    trouble: Option<Trouble>,
}

/// Rows as they were before the batch.
pub(crate) trait Committed<R> {
    fn find(&self, key: &RowKey) -> Result<Option<R>, Below>;
}

/// Why committed rows cannot be read; nothing the event is to blame for.
pub(crate) type Below = Box<dyn Error + Send + Sync>;

/// What is to be stored of a row.
#[derive(Debug, Clone)]
pub(crate) struct Change<R> {
    /// `None`: there is no such row any more.
    pub row: Option<R>,
    /// Or it was only looked at.
    pub is_changed: bool,
}

pub(crate) type Changes<R> = HashMap<RowKey, Change<R>>;

/// What went wrong while one event was projected.
pub(crate) enum Trouble {
    /// The event is to blame.
    Refused(String),
    /// The database is.
    Below(Below),
}

impl From<CellError> for Trouble {
    fn from(error: CellError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl<'a, R: Row> Rows<'a, R> {
    pub(crate) fn new(committed: &'a dyn Committed<R>, changes: &'a mut Changes<R>) -> Self {
        Self { committed, changes, trouble: None }
    }

    pub(crate) fn into_trouble(self) -> Option<Trouble> {
        self.trouble
    }

    /// The row with this key.
    pub fn get(&mut self, key: &R::Key) -> Option<R> {
        self.change_of(key)?.row.clone()
    }

    /// Stores a row, in place of the one with its key if there is one.
    pub fn put(&mut self, row: R) {
        match row.key() {
            Ok(key) => {
                self.changes.insert(key, Change { row: Some(row), is_changed: true });
            }
            Err(error) => self.stop(error.into()),
        }
    }

    /// Changes the row with this key; says whether there is one.
    pub fn update(&mut self, key: &R::Key, change: impl FnOnce(&mut R)) -> bool {
        self.change(key, |row| row.as_mut().map(change).is_some())
    }

    /// Changes the row with this key, which is first made if there is none.
    pub fn upsert(&mut self, key: &R::Key, new: impl FnOnce() -> R, change: impl FnOnce(&mut R)) {
        self.change(key, |row| {
            change(row.get_or_insert_with(new));
            true
        });
    }

    /// Deletes the row with this key; says whether there was one.
    pub fn delete(&mut self, key: &R::Key) -> bool {
        self.change(key, |row| row.take().is_some())
    }

    /// Stops the projection at this event: it should not exist, and no row can
    /// be right after it.
    pub fn refuse(&mut self, reason: impl Into<String>) {
        self.stop(Trouble::Refused(reason.into()));
    }

    fn stop(&mut self, trouble: Trouble) {
        self.trouble.get_or_insert(trouble);
    }

    /// Whatever `change` leaves keeps its key.
    fn change(&mut self, key: &R::Key, change: impl FnOnce(&mut Option<R>) -> bool) -> bool {
        let Some(entry) = self.change_of(key) else { return false };
        let is_changed = change(&mut entry.row);
        entry.is_changed |= is_changed;
        if is_changed
            && let Some(row) = &entry.row
            && let (Ok(own), Ok(asked)) = (row.key(), R::key_of(key))
            && own != asked
        {
            self.refuse("a row was changed to have another key: delete it and put the other");
        }
        is_changed
    }

    fn change_of(&mut self, key: &R::Key) -> Option<&mut Change<R>> {
        let key = match R::key_of(key) {
            Ok(key) => key,
            Err(error) => {
                self.stop(error.into());
                return None;
            }
        };
        match self.changes.entry(key) {
            Entry::Occupied(entry) => Some(entry.into_mut()),
            Entry::Vacant(entry) => match self.committed.find(entry.key()) {
                Ok(row) => Some(entry.insert(Change { row, is_changed: false })),
                Err(error) => {
                    self.trouble.get_or_insert(Trouble::Below(error));
                    None
                }
            },
        }
    }
}
