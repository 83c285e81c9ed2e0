//! What the protocol means by a stream, told in terms of the port.
//!
//! The store knows streams that only grow. The protocol knows more: metadata,
//! deletion that can be undone, deletion that cannot, and a part at the front
//! that is no longer to be read. All of it is recorded as events, nothing is
//! removed, and every read goes by what those events say:
//!
//! | the protocol says | the log holds |
//! |---|---|
//! | metadata of `s` | JSON events in the stream `$$s`; the last one counts |
//! | `s` is deleted | the last event of `$$s` is `{"$tb": 9223372036854775807}` |
//! | `s` is begun again | its events go on; `$$s` gets a `$tb` at the first new one |
//! | `s` has a tombstone | `$streamDeleted` in `s`, shown as revision 2^63 - 1, and in the same append a mark of the same type in `$$s`, never shown |
//!
//! Both events of a tombstone carry the tag `$tombstone`, which no client of
//! the protocol can set, so that nobody makes one by its type alone.
//!
//! What a stream allows is thus decided by one event: the last one of `$$s`.
//! Every append names, besides its own stream, the revision at which `$$s` was
//! looked at, and is refused by the store if it has moved on; then it is looked
//! at again. A stream cannot be deleted under an append, and no lock is held.

pub mod clients_view;
pub mod copies;
pub mod link;
pub mod metadata;
pub mod named;
pub mod remove;
pub mod repeated;
pub mod standing;
pub mod transaction;
pub mod turn;
pub mod write;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod transaction_tests;
