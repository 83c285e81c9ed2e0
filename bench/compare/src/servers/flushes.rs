//! How often the disk itself was told to flush: what the block layer counts,
//! whatever a server says of itself.
//!
//! `/sys/dev/block/MAJOR:MINOR/stat` is one line of numbers; the sixteenth is
//! flush requests completed. A partition has none of its own: its disk does.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The disk under a directory.
#[derive(Debug, Clone)]
pub struct Flushes {
    disk: PathBuf,
    /// Whether nothing gets onto the disk but by a flush that is counted.
    pub is_telling: bool,
}

impl Flushes {
    /// Finds it; `None` where the system does not count flushes.
    pub fn of(dir: &Path) -> Option<Self> {
        let device = std::fs::metadata(dir).ok()?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let mut disk = Path::new("/sys/dev/block").join(format!("{major}:{minor}")).canonicalize().ok()?;
        if disk.join("partition").exists() {
            disk.pop();
        }
        let setting = |name: &str| std::fs::read_to_string(disk.join("queue").join(name)).unwrap_or_default();
        let is_telling = is_telling(&setting("write_cache"), &setting("fua"));
        let flushes = Self { disk, is_telling };
        flushes.count().map(|_| flushes)
    }

    /// Since the machine began.
    pub fn count(&self) -> Option<u64> {
        count(&std::fs::read_to_string(self.disk.join("stat")).ok()?)
    }

    /// The disk's name.
    pub fn name(&self) -> String {
        self.disk.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// A disk with a cache that is written back needs flushes, unless it can be
/// told to write through it, which is not counted.
fn is_telling(write_cache: &str, fua: &str) -> bool {
    write_cache.trim() == "write back" && fua.trim() == "0"
}

fn count(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(15)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_sixteenth_number() {
        let line = " 2405960 89937 228154010 42426729 4339236 516565 1334975424 1982225 0 1395816 44674695 \
                    477712 521 739134080 172277 1711653 93462\n";
        assert_eq!(count(line), Some(1_711_653));
        assert_eq!(count("1 2 3 4 5 6 7 8 9 10 11"), None, "before Linux 5.5");
    }

    #[test]
    fn only_a_cache_without_a_way_round_is_telling() {
        assert!(is_telling("write back\n", "0\n"));
        assert!(!is_telling("write back\n", "1\n"));
        assert!(!is_telling("write through\n", "0\n"));
        assert!(!is_telling("", ""));
    }
}
