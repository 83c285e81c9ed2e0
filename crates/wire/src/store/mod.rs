//! Factum's own protocol, `factum.store.v3`: the port's words as messages and
//! back, for a server and for a client.
//!
//! The protocol of KurrentDB has no room for tags, conditions, schema versions
//! and appends to several streams; this one has room for the whole port.
//!
//! ```text
//!   core's words ─► encode_… ─► proto ─► bytes ─► proto ─► decode_… ─► core's words
//!        └──────────► packed ──────────┘ └──────► packed ──────────────────┘
//! ```
//!
//! What there is much of is [`packed`]: appends, their answers, recorded events.
//!
//! Invariants: what is decoded is what was encoded, errors included (the tests
//! draw everything there is); no message panics, whatever its bytes; names and
//! payloads are shared with the buffer they arrived in.

pub mod error;
pub mod packed;
pub mod read;
pub mod status;
pub mod subscribe;

#[cfg(test)]
mod tests;

use uuid::Uuid;

use crate::proto::store as proto;

/// The longest message either side takes: the largest append, and room.
pub const MESSAGE_BYTES_MAX: usize = 40 * 1024 * 1024;

/// The most bytes of events in one append.
pub const APPEND_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A message that is none: the other side speaks something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be understood: {0}")]
pub struct Malformed(String);

impl Malformed {
    /// What is wrong with it.
    pub fn new(what: &str) -> Self {
        Self(what.to_owned())
    }

    fn lacks(what: &str) -> Self {
        Self(format!("{what} is missing"))
    }
}

impl From<factum_core::NameError> for Malformed {
    fn from(error: factum_core::NameError) -> Self {
        Self(error.to_string())
    }
}

fn encode_id(id: Uuid) -> proto::Id {
    let (high, low) = id.as_u64_pair();
    proto::Id { high, low }
}

fn decode_id(id: proto::Id) -> Uuid {
    Uuid::from_u64_pair(id.high, id.low)
}

fn id_of(id: Option<proto::Id>) -> Result<Uuid, Malformed> {
    id.map(decode_id).ok_or_else(|| Malformed::lacks("an id"))
}
