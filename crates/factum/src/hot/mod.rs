//! Hot aggregates: many commands for one subject, by one writer instead of by
//! many that get into each other's way.
//!
//! ```text
//!   submitters ──▶ lane of concert-1 ─┐                    in flight        open
//!   submitters ──▶ lane of concert-2 ─┼─▶ worker ──▶ ┌────────────────┬──────────────┐
//!   submitters ──▶ lane of concert-3 ─┘   (thread)   │ 512 commands,  │ 87 commands, │
//!        ▲                                           │ one append     │ decided on   │
//!        │                                           └───────┬────────┴──────────────┘
//!        └──────── receipt, rejection, error ◀───────────────┘ committed
//! ```
//!
//! The worker keeps the state of each aggregate warm and decides in memory, on
//! top of what it decided before, committed or not. All commands that waited
//! while the last append was being committed become the next append, so a flush
//! is shared by as many commands as there are, and nobody conflicts.
//!
//! What always holds:
//! - commands for one aggregate are decided in the order they were handed in;
//! - an answer is given only when everything it rests on is committed, also a
//!   rejection: what a crash can unmake is no reason;
//! - one append of an aggregate is in flight at a time. A revision says how many
//!   events a stream has, not which: if an append failed because somebody from
//!   outside was faster, his event may stand at the very revision that the next
//!   append expects;
//! - when an append is refused, everything decided on top of it is decided again,
//!   in the same order, on what is read from the store;
//! - other writers are allowed and cost attempts, never correctness.
//!
//! [`shards`] is for a subject that is too hot for one stream.

mod aggregate;
mod command;
mod group;
mod mailbox;
pub mod queue;
pub mod queued;
pub mod shards;
mod worker;

pub use queue::{Queue, QueueOptions, StartError};
pub use queued::{Answer, QueueError, Queued};
pub use shards::Shards;
