//! System streams: streams of links that nobody writes.
//!
//! ```text
//!   $ce-cart            every event in a stream of the category `cart`
//!   $category-cart      the first event of each of these streams
//!   $et-ItemAdded       every event of the type `ItemAdded`
//!   $bc-7f3c...         every event with this `$correlationId` in its metadata
//!   $streams            the first event of every stream
//! ```
//!
//! Other servers fill them by projections, which write one link for each event.
//! Here the log's index knows which events they are and how many came before, so
//! that a link is made when it is read: the n-th selected event is link n. It is
//! never late, takes no room, and cannot be written, truncated or deleted.
//!
//! Invariants: links are numbered from 0 without a gap, and a number stays with
//! its event for ever; the place of a link in the log is that of its event; an
//! event that can no longer be read keeps its link, which then leads nowhere.
//!
//! [`source::Source`] is a stream by its name, whichever kind it is: what reads
//! and follows streams for clients takes it and does not ask.

pub mod correlation;
pub mod index_read;
pub mod link;
pub mod name;
pub mod numbered;
pub mod source;

#[cfg(test)]
mod tests;
