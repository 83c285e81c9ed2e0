//! A server that KurrentDB and EventStoreDB clients work with unmodified.
//!
//! ```text
//!   a client ──h2──┐                           ┌─► rules ──► dyn EventStore
//!   a client ──h2──┼─► one listener ─► streams ┤
//!   a probe ──http─┘   and lanes      sessions └─► pages (reads, on threads
//!                           │                         that may wait)
//!                           ├─► features, gossip, monitoring, operations,
//!                           │   projections, users
//!                           └─► health, info, absent
//! ```
//!
//! [`serve()`] takes a listener, the store, and a future that says when to stop;
//! connections are served by threads of its own, in `lanes`.
//! What the protocol means by a stream (its metadata, its deletion, what of it
//! can still be read) is in [`rules`], which speaks only of the port; what the
//! calls look like is in `factum-wire`; what happens during a call is in
//! `streams`, and for consumer groups in `groups`; the streams of links that nobody
//! writes are in `system`. Clients that follow the log live share one `tail` of it.
//! Factum's own protocol, which is the port itself, is in `store`. Whoever starts a
//! server may keep a [`journal`] of that in the store; [`serve()`] itself writes none.
//!
//! Invariants: only loopback addresses are served, because there is no
//! encryption and no authentication yet; the store is read on threads that may
//! wait, in bounded pages, and never on those of the runtime; a client that
//! does not read is not read for; what is to be appended has room or is turned
//! away, and so does who connects; nothing is ever removed from the store.

mod absent;
mod arriving;
mod blocking;
mod connections;
mod deadlines;
#[cfg(test)]
mod dice;
mod failure;
mod features;
mod gossip;
mod groups;
mod health;
mod info;
pub mod journal;
mod lanes;
mod monitoring;
mod node;
mod operations;
#[cfg(test)]
mod passing;
mod projections;
mod prompt;
mod room;
pub mod rules;
mod serve;
mod sessions;
mod stopping;
mod store;
mod streams;
mod system;
mod tail;
mod users;
mod written;

pub use serve::{ServeError, Services, check_address, serve};
