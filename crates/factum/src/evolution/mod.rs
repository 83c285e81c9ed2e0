//! Schema evolution: what is stored stays readable, and that is checked.
//!
//! Events are kept for ever, programs change. A file in the repository of the
//! program, `events.lock`, says how every event was ever stored, with a stored
//! sample of each version; one line in a test compares it with the program:
//!
//! ```text
//!   the program                     events.lock (checked in)
//!   Account::Deposited    ◀──────▶  AccountDeposited 2   fields, stream, tags, samples
//!   DepositedV1           ◀──────▶  AccountDeposited 1   ...
//!        ▲                                    │
//!        └──────── every sample, through the upcasters ──┘
//! ```
//!
//! - [`check`]: for a test: nothing stored becomes unreadable by accident, and
//!   [lints](Lint) tell what will be regretted.
//! - [`conflicts`]: for the start of a program: no two enums mean different
//!   things by one stored type.
//! - [`survey()`]: reads a log and says what in it cannot be decoded.
//! - [`Change`] and [`Strategy`]: which way to change an event is the cheapest
//!   that is safe, as data; the messages of the check say it too.
//!
//! Invariants: a sample, once in the lock, is never changed or dropped by the
//! check; a change that could make stored events unreadable is never accepted
//! by it. Nothing here is needed to run a program.

mod advice;
mod compare;
mod conflict;
mod lint;
mod lock;
mod report;
mod sampler;
mod set;
mod specimen;
mod survey;

use std::path::Path;

pub use advice::{Change, Strategy};
pub use conflict::{Conflict, conflicts};
pub use lint::Lint;
pub use lock::{LockError, LockFileError};
pub use report::Report;
pub use sampler::{NoSample, sample};
pub use set::EventSet;
pub use specimen::Specimen;
pub use survey::{Counted, Survey, Surveyed, Unreadable, survey};

/// The environment variable that says what to do about safe changes.
const VARIABLE: &str = "FACTUM_EVENTS_LOCK";

/// Compares these events with what `events.lock` says was stored, and reads
/// every sample in it. Meant for a test:
///
/// ```
/// # use factum::prelude::*;
/// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
/// # #[derive(Event, Clone, Debug)] enum Cart { Opened { #[id] id: CartId } }
/// # #[derive(Event, Clone, Debug)] enum Order { Placed { cart: String } }
/// fn stored_events_stay_readable() -> Result<(), factum::evolution::LockError> {
///     factum::evolution::check::<(Cart, Order)>("events.lock")
/// }
/// # let error = factum::evolution::check::<(Cart, Order)>("no/such.lock").unwrap_err();
/// # assert!(error.to_string().contains("FACTUM_EVENTS_LOCK=write"));
/// ```
///
/// Cargo runs tests in the folder of their package, so the file lies beside its
/// `Cargo.toml`. With `FACTUM_EVENTS_LOCK=write` in the environment the file is
/// written, if every change is safe. The errors print as a list of what changed
/// and what to do about each change.
pub fn check<E: EventSet>(path: impl AsRef<Path>) -> Result<(), LockError> {
    let accepts = std::env::var_os(VARIABLE).is_some_and(|value| value == "write");
    lock::check(&E::members(), path.as_ref(), accepts)
}

/// [`check`] as with `FACTUM_EVENTS_LOCK=write`: if every change is safe, the
/// file is written, with the samples of before and the new ones.
pub fn accept<E: EventSet>(path: impl AsRef<Path>) -> Result<(), LockError> {
    lock::check(&E::members(), path.as_ref(), true)
}
