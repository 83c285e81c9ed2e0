//! Snapshots in a directory, one file each.
//!
//! ```text
//!   snapshots/                                    the directory given
//!   └── 3f/                                       first digits of the key
//!       └── 3f0c5e5f8dfd5ea09f2f1d3c6c0a1b2c/     the key
//!           ├── 00000000000000004711.json.gz      the position
//!           └── 00000000000000009000.part         being written, or left by a kill
//! ```
//!
//! A file is written under another name and renamed, so nobody sees half of
//! it. Nothing is flushed: a file that a power cut left incomplete is
//! recognised when it is read, and discarded.

use std::fs;
use std::io;
use std::path::PathBuf;

use factum_core::Position;

use super::{SnapshotKey, SnapshotStore};

const WHOLE: &str = ".json.gz";
const PART: &str = ".part";

/// A snapshot store in a directory, which is made when it is first needed.
/// Several processes may share it.
#[derive(Debug, Clone)]
pub struct DirectorySnapshots {
    root: PathBuf,
}

impl DirectorySnapshots {
    /// The snapshots at this path. Touches nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { root: path.into() }
    }

    fn dir(&self, key: &SnapshotKey) -> PathBuf {
        let name = key.to_string();
        self.root.join(&name[..2]).join(name)
    }

    fn file(&self, key: &SnapshotKey, at: Position, ending: &str) -> PathBuf {
        self.dir(key).join(format!("{:020}{ending}", at.get()))
    }

    /// Positions of the files with this ending, in no order.
    fn found(&self, key: &SnapshotKey, ending: &str) -> io::Result<Vec<Position>> {
        let entries = match fs::read_dir(self.dir(key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut positions = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(ending));
            positions.extend(digits.and_then(|digits| digits.parse().ok()).map(Position::new));
        }
        Ok(positions)
    }
}

impl SnapshotStore for DirectorySnapshots {
    fn save(&self, key: &SnapshotKey, at: Position, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(self.dir(key))?;
        let part = self.file(key, at, PART);
        fs::write(&part, bytes)?;
        fs::rename(&part, self.file(key, at, WHOLE))?;
        // What a kill left of earlier ones.
        for left in self.found(key, PART)? {
            if left < at {
                let _ = fs::remove_file(self.file(key, left, PART));
            }
        }
        Ok(())
    }

    fn positions(&self, key: &SnapshotKey) -> io::Result<Vec<Position>> {
        let mut positions = self.found(key, WHOLE)?;
        positions.sort_unstable();
        Ok(positions)
    }

    fn load(&self, key: &SnapshotKey, at: Position) -> io::Result<Option<Vec<u8>>> {
        none_if_absent(fs::read(self.file(key, at, WHOLE)))
    }

    fn remove(&self, key: &SnapshotKey, at: Position) -> io::Result<()> {
        none_if_absent(fs::remove_file(self.file(key, at, WHOLE))).map(|_| ())
    }
}

fn none_if_absent<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn obeys_the_law() {
        let dir = tempfile::tempdir().unwrap();
        let count = AtomicU32::new(0);
        crate::snapshot::law::check(&|| {
            DirectorySnapshots::new(dir.path().join(count.fetch_add(1, Ordering::Relaxed).to_string()))
        });
    }

    #[test]
    fn what_a_kill_left_is_neither_seen_nor_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (store, key) = (DirectorySnapshots::new(dir.path()), SnapshotKey::of("a"));
        store.save(&key, Position::new(1), b"one").unwrap();
        let part = store.file(&key, Position::new(2), PART);
        fs::write(&part, b"tw").unwrap();
        fs::write(store.dir(&key).join("notes.txt"), b"of somebody else").unwrap();
        assert_eq!(store.positions(&key).unwrap(), [Position::new(1)]);
        store.save(&key, Position::new(3), b"three").unwrap();
        assert!(!part.exists());
        assert_eq!(store.positions(&key).unwrap(), [Position::new(1), Position::new(3)]);
    }

    #[test]
    fn a_directory_that_cannot_be_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), b"").unwrap();
        let store = DirectorySnapshots::new(dir.path().join("file"));
        assert!(store.save(&SnapshotKey::of("a"), Position::new(1), b"one").is_err());
    }
}
