//! The test language: given events, when a command, then events.
//!
//! ```
//! # use factum::prelude::*;
//! # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
//! # #[derive(Event, Clone, Debug, PartialEq)]
//! # enum Cart { Opened { #[id] id: CartId }, Closed { #[id] id: CartId } }
//! # #[derive(Aggregate, Clone, Debug)] #[folds(Cart)] struct Open { #[key] id: CartId, is_open: bool }
//! # impl Evolve<Cart> for Open {
//! #     fn evolve(&mut self, event: &Cart) { self.is_open = matches!(event, Cart::Opened { .. }); }
//! # }
//! # fn close(cart: &Open) -> Result<Cart, &'static str> {
//! #     if !cart.is_open { return Err("it is not open"); }
//! #     Ok(Cart::Closed { id: cart.id.clone() })
//! # }
//! use factum::testing::given;
//!
//! let id = CartId::from("c1");
//! given(Cart::Opened { id: id.clone() })
//!     .when(Open::of(&id), close)
//!     .then(Cart::Closed { id: id.clone() })
//!     .then_state(|cart| assert!(!cart.is_open));
//! given(()).when(Open::of(&id), close).then_rejected("it is not open");
//! ```
//!
//! Each test has a store in memory of its own, a clock that stands still until
//! it is moved, and ids that count from 1, so it comes to the same on every run.
//! The decision itself goes through [`Store::decide`](crate::Store::decide), the
//! path it takes in production; what a test adds are three rules that hold in
//! every `when`:
//!
//! - a decision gives the same answer when it is asked twice (it is pure);
//! - it emits nothing that its own boundary does not read;
//! - events are compared as they are stored: type, version, stream, tags, data.
//!
//! ```text
//!   given ──▶ store in memory ──▶ decide ──▶ what was recorded ──▶ compared
//!     │            ▲                                                  │
//!     └─ at, by ───┘              seeded but not selected? ◀── failure text
//! ```
//!
//! Functions here panic where an assertion would; they are for tests.

mod deterministic;
mod fact;
mod given;
mod history;
mod outcome;
mod report;
mod view;
mod wait;
mod world;

pub use deterministic::fold_is_deterministic;
pub use factum_core::ManualClock;
pub use given::{Given, Past, given};
pub use history::given_history;
pub use outcome::Outcome;
pub use wait::{eventually, eventually_within, within};
pub use world::{BEGINNING, TestTime, store};

#[cfg(test)]
mod tests;
