//! Upcasters: from the shape an event was stored in to the one it has today.
//!
//! ```text
//!   stored version   1 ──────▶ 2 ──────▶ 3 = today
//!   by type            From<V1> for V2   From<V2> for V3      `from = V2`
//!   by JSON            fn(Value) -> Result<Value, _>          `upcast(1 = f, 2 = g)`
//! ```
//!
//! Typed upcasters are plain `From`; each old version is a struct that derives
//! [`Event`](macro@crate::Event), so the chain is the types' own recursion and
//! the compiler checks that no version is left out. JSON upcasters are for
//! shapes that no longer exist as types.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Codec, DecodeError, Decoded, Stored, WhyUnreadable};

/// Brings the JSON of one version to the next.
pub type JsonUpcaster = fn(Value) -> Result<Value, String>;

/// What to do with a version newer than this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Newer {
    /// It is an error that names the event.
    #[default]
    Refuse,
    /// It is read as the newest version known here; fields unknown here are
    /// left out.
    Read,
    /// It is passed over.
    Skip,
}

/// What `from = Old` asks for: `impl From<Old>`.
#[diagnostic::on_unimplemented(
    message = "nothing says how `{Old}` becomes `{Self}`",
    label = "no `From<{Old}>`",
    note = "write `impl From<{Old}> for {Self} {{ fn from(old: {Old}) -> Self {{ ... }} }}`: how events of the older version read today"
)]
pub trait UpcastFrom<Old> {
    /// The old event as it reads today.
    fn upcast_from(old: Old) -> Self;
}

impl<Old, New: From<Old>> UpcastFrom<Old> for New {
    fn upcast_from(old: Old) -> Self {
        Self::from(old)
    }
}

/// Reads stored bytes that are of the newest version, or lead there by JSON
/// upcasters: `upcasters[i]` is from version `oldest + i`.
pub fn decode_fields<T: DeserializeOwned>(
    stored: Stored<'_>,
    newest: u32,
    oldest: u32,
    upcasters: &[JsonUpcaster],
    newer: Newer,
) -> Result<Decoded<T>, DecodeError> {
    let version = stored.schema_version;
    let read = || -> Result<Decoded<T>, WhyUnreadable> {
        // Before its codec: that too may be one this program does not know.
        if version > newest {
            match newer {
                Newer::Refuse => return Err(WhyUnreadable::NewerVersion { newest }),
                Newer::Skip => return Ok(Decoded::SkippedVersion),
                Newer::Read => {}
            }
        }
        let codec = Codec::of(stored.content_type)?;
        if version >= newest {
            return codec.decode(stored.data).map(Decoded::Event);
        }
        if version < oldest || upcasters.is_empty() {
            return Err(WhyUnreadable::NoUpcaster { version });
        }
        let mut value: Value = codec.decode(stored.data)?;
        for (step, upcaster) in upcasters.iter().enumerate().skip((version - oldest) as usize) {
            let from = oldest + step as u32;
            value = upcaster(value).map_err(|reason| WhyUnreadable::Upcaster { from, reason })?;
        }
        serde_json::from_value(value).map(Decoded::Event).map_err(WhyUnreadable::shape)
    };
    read().map_err(|why| why.of(stored.event_type, version))
}

/// For the compiler: whether two type names are the same.
pub const fn same_name(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}
