//! [`SnapshotStore`]: where snapshots are kept.

use std::fmt;
use std::io;

use factum_core::Position;
use uuid::Uuid;

/// Keeps the snapshots of each model by their position. The law is in
/// [`law`](super::law).
///
/// A snapshot is bytes whose meaning is none of the store's business. Losing
/// one costs time and nothing else, so nothing has to be flushed; what was
/// half written is recognised by whoever reads it.
pub trait SnapshotStore: Send + Sync {
    /// Keeps a snapshot, in place of an earlier one at this position. Others
    /// see all of it or nothing.
    fn save(&self, key: &SnapshotKey, at: Position, bytes: &[u8]) -> io::Result<()>;

    /// Where there are snapshots, in ascending order.
    fn positions(&self, key: &SnapshotKey) -> io::Result<Vec<Position>>;

    /// The snapshot at this position; `None` if there is none.
    fn load(&self, key: &SnapshotKey, at: Position) -> io::Result<Option<Vec<u8>>>;

    /// Forgets a snapshot; fine if there is none.
    fn remove(&self, key: &SnapshotKey, at: Position) -> io::Result<()>;
}

/// Whose snapshots: one model with its keys. Prints as 32 hexadecimal digits,
/// a good name for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotKey(Uuid);

impl SnapshotKey {
    /// Of whatever this text describes and no other does.
    pub fn of(text: &str) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()))
    }
}

impl fmt::Display for SnapshotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}
