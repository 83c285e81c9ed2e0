//! The law of [`EventStore`], as test functions.
//!
//! Whoever implements the port runs [`check`] in a test:
//!
//! ```
//! factum_core::contract::check(&factum_core::MemoryStore::new);
//! ```
//!
//! The function given makes a fresh, empty store each time it is called (some
//! forty times in all). Where that is slow, or where a failure should stop one
//! test and not all, each group below is a test by itself: `event::check`,
//! `append::check`, and so on.
//!
//! ```text
//!   event         what is read back is what was appended, field by field
//!   limits        what is refused whatever the store holds
//!   append        whole or not at all; receipts; positions and revisions
//!   expectation   every expected revision against every stream        (table)
//!   condition     every append condition against every log            (table)
//!   precedence    which of several reasons to refuse is answered      (table)
//!   idempotency   the same ids again                                  (table)
//!   read          every selection, direction, beginning, end, limit,  (table)
//!                 what is passed over, and what a count says
//!   subscribe     past and live, nothing twice, nothing missing
//!   concurrency   many threads, one order; counts only grow
//!   history       what many callers are told fits one order
//!   future        appends in flight, awaited and given up
//! ```
//!
//! How it is written:
//!
//! - A failure is a panic that names the rule and the row of the table.
//! - Expected answers are written out, or computed from the list of events
//!   appended by a filter of the law's own; nothing is expected only because a
//!   store said so. The one exception is recorded-at, which only the store can
//!   know.
//! - What differs between honest stores is not judged: the durability a
//!   receipt names, the clock, whether the events of one append share a
//!   recorded-at, and which of several fitting positions or ids an error names.
//! - Nothing waits for ever: what ought to happen and has not within
//!   [`PATIENCE`] is a failure.

use std::time::Duration;

use crate::EventStore;

mod answer;
mod case;
mod follow;
mod oracle;
mod sample;

pub mod append;
pub mod concurrency;
pub mod condition;
pub mod event;
pub mod expectation;
pub mod future;
pub mod history;
pub mod idempotency;
pub mod limits;
pub mod precedence;
pub mod read;
pub mod subscribe;

#[cfg(test)]
mod tests;

/// How long the law waits for what must happen. Long, because a machine may
/// be busy; shorter in this crate's own tests, which try broken stores too.
pub const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 15 });

/// Runs every rule against fresh, empty stores made by `store`.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    event::check(store);
    limits::check(store);
    append::check(store);
    expectation::check(store);
    condition::check(store);
    precedence::check(store);
    idempotency::check(store);
    read::check(store);
    subscribe::check(store);
    concurrency::check(store);
    history::check(store);
    future::check(store);
}
