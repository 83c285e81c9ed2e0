//! Persistent subscriptions as they travel: groups of consumers that share the
//! events of a stream or of the log.
//!
//! | file | messages |
//! |---|---|
//! | [`key`] | which group, in every request |
//! | [`settings`] | how a group behaves: create, update |
//! | [`member`] | what a consumer says, and what it is told |
//! | [`info`] | how a group stands |
//! | [`control`] | delete, info, list, replay and truncate: which groups, how far |

pub mod control;
pub mod info;
pub mod key;
pub mod member;
pub mod settings;

pub use info::{GroupInfo, MemberInfo};
pub use key::{GroupKey, Source};
pub use settings::{Definition, GroupSettings, GroupStart, GroupStrategy};

#[cfg(test)]
mod tests;
