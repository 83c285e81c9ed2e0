//! Event sourcing with plain data and pure functions.
//!
//! ```text
//!   command ──▶ decide(&state) ──▶ events ──▶ appended if nothing it was
//!                   ▲                │        decided on has changed
//!                   │                ▼
//!                 state ◀── evolve ◀── the log ──▶ views, time travel
//! ```
//!
//! - [`Event`]: enums of facts. Their names, versions, streams and tags are
//!   derived; stored as JSON.
//! - [`Model`]: state folded from events, found in one stream
//!   ([`Aggregate`](macro@Aggregate)) or by the ids they carry
//!   ([`Model`](macro@Model)). A tuple of models is a model.
//! - [`Store::decide`]: reads a model, calls a pure function, appends what it
//!   says, and does it again if somebody was faster.
//! - [`Store::load`]: a model now, or as it was at any position or time; its
//!   [`history`], what changed between two moments, and why.
//! - [`snapshot`]: states put aside, for models with long histories.
//! - [`evolution`]: what was stored stays readable, checked by a test.
//! - [`Projection`]: rows for questions, folded on demand ([`Store::view`]), or kept
//!   up to date in memory or in a database ([`Store::project`]).
//!
//! What is not here: a runtime (every call has a blocking and an async form), a
//! macro that hides control flow, a base class.

// Derived code names this crate `factum`, also in its own tests.
extern crate self as factum;

pub mod advice;
mod appending;
mod attempt;
pub mod boundary;
pub mod command;
pub mod decide;
mod draft;
pub mod emitted;
pub mod event;
pub mod evolution;
pub mod fold;
#[cfg(doctest)]
mod guides;
pub mod history;
pub mod hot;
mod idempotency;
pub mod load;
pub mod model;
pub mod moment;
pub mod receipt;
pub mod recording;
pub mod repository;
pub mod reservation;
pub mod retry;
pub mod rules;
pub mod snapshot;
mod stopwatch;
pub mod store;
mod terms;
pub mod testing;
pub mod unique;
pub mod view;
mod warm;

pub use boundary::Boundary;
pub use decide::{Decide, DecideError};
pub use emitted::IntoEvents;
pub use event::{Event, Id};
pub use factum_core::{
    AppendError, Durability, EventStore, Position, ReadError, RecordedEvent, Revision, StreamName, Timestamp,
    Uuid,
};
pub use factum_derive::{Aggregate, Event, Id, Model, Row};
#[cfg(feature = "client")]
pub use factum_wire::client::ConnectError;
pub use load::Loaded;
pub use model::{Evolve, Model};
pub use moment::Moment;
pub use receipt::Receipt;
pub use repository::{Repository, Root};
pub use retry::Retry;
pub use store::{Store, StoreError};
pub use view::{Projection, Row, Rows, each};

#[doc(hidden)]
pub use itoa;
#[doc(hidden)]
pub use serde;

/// Everything most programs need: `use factum::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Aggregate, Decide, DecideError, Event, Evolve, Id, Model, Projection, Receipt, Row, Rows, Store,
        StoreError, Timestamp, each,
    };
}

/// The metadata of events made by the crate it is used in; for derived code.
#[doc(hidden)]
#[macro_export]
macro_rules! producer_metadata {
    () => {
        ::core::concat!(
            "{\"producer\":\"",
            ::core::env!("CARGO_PKG_NAME"),
            " ",
            ::core::env!("CARGO_PKG_VERSION"),
            "\"}"
        )
    };
}

/// Name and version of the crate it is used in, e.g. `shop 1.4.0`.
#[macro_export]
macro_rules! producer {
    () => {
        ::core::concat!(::core::env!("CARGO_PKG_NAME"), " ", ::core::env!("CARGO_PKG_VERSION"))
    };
}
