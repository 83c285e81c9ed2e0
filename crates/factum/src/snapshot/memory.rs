//! Snapshots in this process's memory, for tests and for states that are slow
//! to fold and small to keep.

use std::collections::{BTreeMap, HashMap};
use std::io;

use factum_core::Position;
use parking_lot::RwLock;

use super::{SnapshotKey, SnapshotStore};

/// A snapshot store that is gone with the process.
#[derive(Debug, Default)]
pub struct MemorySnapshots(RwLock<HashMap<SnapshotKey, BTreeMap<Position, Vec<u8>>>>);

impl SnapshotStore for MemorySnapshots {
    fn save(&self, key: &SnapshotKey, at: Position, bytes: &[u8]) -> io::Result<()> {
        self.0.write().entry(*key).or_default().insert(at, bytes.to_vec());
        Ok(())
    }

    fn positions(&self, key: &SnapshotKey) -> io::Result<Vec<Position>> {
        Ok(self.0.read().get(key).map(|found| found.keys().copied().collect()).unwrap_or_default())
    }

    fn load(&self, key: &SnapshotKey, at: Position) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.read().get(key).and_then(|found| found.get(&at).cloned()))
    }

    fn remove(&self, key: &SnapshotKey, at: Position) -> io::Result<()> {
        if let Some(found) = self.0.write().get_mut(key) {
            found.remove(&at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obeys_the_law() {
        crate::snapshot::law::check(&MemorySnapshots::default);
    }
}
