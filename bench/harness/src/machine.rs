//! Where a number was measured: the machine, the file system, the build.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// The commit this program was built from; `unknown` outside a repository, and
/// with a `+` if files had been changed since.
pub const COMMIT: &str = env!("FACTUM_COMMIT");

/// Whether this is a build whose numbers mean nothing.
pub const IS_DEBUG_BUILD: bool = cfg!(debug_assertions);

/// What the numbers depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The processor's own name.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Main memory.
    pub memory_bytes: u64,
    /// Operating system and version.
    pub kernel: String,
    /// The file system the store is on.
    pub file_system: String,
}

impl Machine {
    /// This machine, with the file system of `dir`.
    pub fn at(dir: &Path) -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kilobytes("/proc/meminfo", "MemTotal").unwrap_or(0),
            kernel: format!("{} {}", std::env::consts::OS, kernel.trim()).trim().to_owned(),
            file_system: file_system(dir),
        }
    }

    /// Whether `dir` was in memory, where no flush says anything about a disk.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.file_system.as_str(), "tmpfs" | "ramfs")
    }

    /// In one line.
    pub fn summary(&self) -> String {
        let gigabytes = self.memory_bytes as f64 / 1e9;
        format!(
            "{}, {} cores, {gigabytes:.0} GB, {}, {}",
            self.cpu, self.cores, self.kernel, self.file_system
        )
    }
}

/// The value after `name :` in a file of such lines.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

/// The same, of a value in kB, in bytes.
pub(crate) fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let value = field(file, name)?;
    Some(value.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// The type of the mount that `dir` is under: the deepest one that contains it.
fn file_system(dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    deepest_mount(&mounts, &dir).unwrap_or_else(|| "unknown file system".to_owned())
}

/// A line is `id parent major:minor root mount-point options ... - type source options`.
fn deepest_mount(mounts: &str, dir: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let point = PathBuf::from(before.split(' ').nth(4)?);
        let kind = after.split(' ').next()?;
        dir.starts_with(&point).then(|| (point.components().count(), kind.to_owned()))
    });
    // Of two mounts at one place, the later one lies on top.
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_deepest_mount() {
        let mounts = "21 1 254:0 / / rw - ext4 /dev/vda rw\n\
                      22 21 0:5 / /dev rw shared:1 - devtmpfs none rw\n\
                      23 21 0:6 / /data rw - xfs /dev/vdb rw\n";
        assert_eq!(deepest_mount(mounts, Path::new("/data/store")).as_deref(), Some("xfs"));
        assert_eq!(deepest_mount(mounts, Path::new("/database")).as_deref(), Some("ext4"));
        assert_eq!(deepest_mount("", Path::new("/data")), None);
    }

    #[test]
    fn describes_this_machine() {
        let machine = Machine::at(Path::new("."));
        assert!(machine.cores >= 1);
        assert!(machine.summary().contains("cores"), "{}", machine.summary());
        assert!(!COMMIT.is_empty());
    }
}
