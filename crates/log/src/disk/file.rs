//! The real disk: a directory of the file system.
//!
//! ```text
//!   store/            the directory given
//!   ├── LOCK          locked for as long as the store is open; says by whom
//!   └── ...           whatever the engine names
//! ```
//!
//! Reads and writes carry their offset, so no file has a cursor that two
//! threads could move. What stands under a name is opened only if it is a plain
//! file: links are not followed, and pipes and devices do not make the caller
//! wait.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use factum_core::{Clock, SystemClock};
use rustix::fs::{Advice, FallocateFlags, OFlags};
use rustix::io::Errno;
use xxhash_rust::xxh3::xxh3_64;

use super::{DirEntry, Disk, DiskFile, DiskLock, check_name, longer_already, not_a_plain_file};

/// The name of the file that is locked.
const LOCK: &str = "LOCK";

/// How many zeros are written at once, at most.
const ZEROS_BYTES: usize = 1024 * 1024;

/// Zeros to be written again and again; aligned for direct writes.
static ZEROS: Zeros = Zeros([0; 64 * 1024]);

#[repr(align(4096))]
struct Zeros([u8; 64 * 1024]);

/// A directory of the file system.
#[derive(Debug, Clone)]
pub struct FileDisk {
    root: PathBuf,
}

impl FileDisk {
    /// The store at this path. Touches nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { root: path.into() }
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    fn at(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        Ok(self.root.join(name))
    }

    fn dir_at(&self, dir: &str) -> io::Result<PathBuf> {
        if dir.is_empty() { Ok(self.root.clone()) } else { self.at(dir) }
    }

    /// Makes the root with LOCK in it from its first moment on.
    ///
    /// An empty directory is refused as the mount point of a disk that went
    /// away, so no kill may leave one: it is made beside, under a name that
    /// nobody else uses, and moved into its place. What a kill leaves there is
    /// used by the next creation.
    fn make_root(&self) -> io::Result<bool> {
        let Some(name) = self.root.file_name() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        // Of a fixed length, since the name itself may be as long as names can be.
        let beside = self.root.with_file_name(beside(name));
        match fs::create_dir(&beside) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside.join(LOCK))
            .and_then(|_| fs::rename(&beside, &self.root));
        match made {
            Ok(()) => Ok(true),
            Err(error) => {
                // Only what was made here, and only if nothing was added.
                let _ = fs::remove_file(beside.join(LOCK));
                let _ = fs::remove_dir(&beside);
                // Another process may have made it meanwhile.
                if self.root.is_dir() { Ok(false) } else { Err(error) }
            }
        }
    }

    /// Opens a plain file, and only that.
    fn open_plain(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        let path = self.at(name)?;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = options.custom_flags(flags.bits() as i32).open(&path);
        let is_plain = match &opened {
            Ok(file) => file.metadata()?.is_file(),
            // Links, directories and sockets are refused by the system, each
            // with another error.
            Err(_) => fs::symlink_metadata(&path).map_or(true, |found| found.is_file()),
        };
        if is_plain || matches!(&opened, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            opened
        } else {
            Err(not_a_plain_file(name))
        }
    }
}

impl Disk for FileDisk {
    fn create_root(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_root(),
            Err(error) => Err(error),
            // A link may lead to a directory, or nowhere.
            Ok(_) if fs::metadata(&self.root)?.is_dir() => Ok(false),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        let mut options = OpenOptions::new();
        let mut file = self.open_plain(LOCK, options.read(true).write(true).create(true).truncate(false))?;
        file.try_lock().map_err(io::Error::from)?;
        // Only for messages, so a full disk is no reason to refuse.
        let holder = format!("process {} since {}\n", std::process::id(), SystemClock.now());
        let _ = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
        Ok(Box::new(FileLock { file }))
    }

    fn lock_holder(&self) -> Option<String> {
        let file = self.open_plain(LOCK, OpenOptions::new().read(true)).ok()?;
        let mut text = Vec::new();
        file.take(256).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        let holder = text.lines().next().unwrap_or_default().trim();
        (!holder.is_empty()).then(|| holder.to_owned())
    }

    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.open_plain(name, OpenOptions::new().read(true).write(write))?;
        Ok(Arc::new(PlainFile { file, path: self.at(name)?, write, direct: OnceLock::new() }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.open_plain(name, OpenOptions::new().read(true).write(true).create_new(true))?;
        Ok(Arc::new(PlainFile { file, path: self.at(name)?, write: true, direct: OnceLock::new() }))
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        let path = self.at(name)?;
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.dir_at(dir)?)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Of the entry itself, not of what a link may lead to.
            let found = match entry.metadata() {
                Ok(metadata) if metadata.is_file() => (metadata.len(), true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Ok(_) | Err(_) => (0, false),
            };
            entries.push(DirEntry { name, bytes: found.0, is_file: found.1 });
        }
        Ok(entries)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from)?, self.at(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name)?)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        if dir.is_empty() {
            let parent = self.root.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync_dir_at(parent.unwrap_or(Path::new(".")))?;
        }
        sync_dir_at(&self.dir_at(dir)?)
    }
}

/// The name under which the root of this name is made.
fn beside(name: &OsStr) -> String {
    format!(".factum-new-{:016x}", xxh3_64(name.as_encoded_bytes()))
}

fn sync_dir_at(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A plain file of the file system.
struct PlainFile {
    file: File,
    path: PathBuf,
    write: bool,
    /// The same file past the page cache, where the file system can; opened
    /// when it is first wanted.
    direct: OnceLock<Option<File>>,
}

impl PlainFile {
    fn direct(&self) -> Option<&File> {
        let flags = (OFlags::DIRECT | OFlags::NOFOLLOW).bits() as i32;
        let open =
            || OpenOptions::new().read(true).write(self.write).custom_flags(flags).open(&self.path).ok();
        self.direct.get_or_init(open).as_ref()
    }
}

/// What direct writes must be aligned to, in memory and in the file.
const DIRECT_ALIGN: usize = 4096;

/// Writes from this size on go past the page cache: copying them there, page by
/// new page, takes the processor longer than the disk needs to store them.
/// Smaller ones stay in it, where they are likely to be read soon.
const DIRECT_BYTES_MIN: usize = 128 * 1024;

fn is_aligned(buffer: &[u8], offset: u64) -> bool {
    buffer.as_ptr().align_offset(DIRECT_ALIGN) == 0
        && buffer.len().is_multiple_of(DIRECT_ALIGN)
        && offset.is_multiple_of(DIRECT_ALIGN as u64)
}

impl DiskFile for PlainFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn read_stored_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
        let mut aligned = vec![0; buffer.len() + DIRECT_ALIGN];
        let begin = aligned.as_ptr().align_offset(DIRECT_ALIGN).min(DIRECT_ALIGN);
        let piece = &mut aligned[begin..begin + buffer.len()];
        let direct = self.direct().filter(|_| is_aligned(piece, offset)).ok_or_else(unsupported)?;
        match direct.read_at(piece, offset) {
            Ok(read) => {
                buffer[..read].copy_from_slice(&piece[..read]);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(unsupported()),
            Err(error) => Err(error),
        }
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        if buffer.len() >= DIRECT_BYTES_MIN
            && is_aligned(buffer, offset)
            && let Some(direct) = self.direct()
        {
            match direct.write_at(buffer, offset) {
                // Some file systems open for direct writes and refuse them.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                result => return result,
            }
        }
        self.file.write_at(buffer, offset)
    }

    fn write_zeros_at(&self, bytes: usize, offset: u64) -> io::Result<usize> {
        // Through the page cache they would cost a copy, and push out of it
        // what somebody may want to read.
        let most = bytes.min(ZEROS_BYTES);
        let pieces = [IoSlice::new(&ZEROS.0); ZEROS_BYTES / ZEROS.0.len()];
        if most.is_multiple_of(ZEROS.0.len())
            && offset.is_multiple_of(DIRECT_ALIGN as u64)
            && let Some(direct) = self.direct()
            && let Ok(written) = rustix::io::pwritev(direct, &pieces[..most / ZEROS.0.len()], offset)
        {
            return Ok(written);
        }
        self.file.write_at(&ZEROS.0[..bytes.min(ZEROS.0.len())], offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let before = self.bytes()?;
        if before > bytes {
            return Err(longer_already(bytes));
        }
        if bytes == 0 {
            return Ok(());
        }
        let reserved = rustix::io::retry_on_intr(|| {
            rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, bytes)
        });
        let reserved = match reserved {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(&self.file, before, bytes),
            other => other.map_err(io::Error::from),
        };
        if reserved.is_err() {
            // What was reserved in part would only keep the disk full.
            let _ = self.file.set_len(before);
        }
        reserved
    }

    fn uncache_from(&self, offset: u64) {
        // What is dirty stays; where it cannot be asked for, everything works, only later.
        let _ = rustix::fs::fadvise(&self.file, offset, None, Advice::DontNeed);
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Reserves room where the file system cannot be asked for it.
fn write_zeros(file: &File, from: u64, until: u64) -> io::Result<()> {
    let mut offset = from;
    while offset < until {
        let most = ZEROS.0.len();
        let piece = usize::try_from(until - offset).map_or(most, |left| left.min(most));
        file.write_all_at(&ZEROS.0[..piece], offset)?;
        offset += piece as u64;
    }
    Ok(())
}

/// The lock goes with the open file: also when the process dies.
struct FileLock {
    file: File,
}

impl DiskLock for FileLock {}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Nobody holds it from here on, so nobody should be named.
        let _ = self.file.set_len(0);
        // Closing is not enough: a child that this process is about to start
        // may have the same open file until it is a program of its own.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    fn store() -> (tempfile::TempDir, FileDisk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = FileDisk::new(dir.path().join("store"));
        assert!(disk.create_root().unwrap());
        (dir, disk)
    }

    #[test]
    fn refuses_what_is_no_plain_file_without_waiting() {
        let (dir, disk) = store();
        let root = disk.path();
        fs::create_dir(root.join("dir")).unwrap();
        fs::write(dir.path().join("outside"), b"secret").unwrap();
        symlink(dir.path().join("outside"), root.join("link")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        assert!(Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();

        let begun = Instant::now();
        for name in ["dir", "link", "dangling", "pipe", "socket"] {
            for write in [false, true] {
                let error = disk.open(name, write).err().unwrap();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}: {error}");
                assert!(error.to_string().contains("not a plain file"), "{name}: {error}");
            }
            let error = disk.create(name).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name}: {error}");
        }
        assert!(begun.elapsed().as_secs() < 5);

        let mut entries = disk.list("").unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["LOCK", "dangling", "dir", "link", "pipe", "socket"]);
        entries.remove(0);
        assert!(entries.iter().all(|entry| !entry.is_file && entry.bytes == 0), "{entries:?}");
    }

    #[test]
    fn lists_names_that_are_no_text() {
        use std::os::unix::ffi::OsStrExt;
        let (_dir, disk) = store();
        fs::write(disk.path().join(std::ffi::OsStr::from_bytes(b"odd\xff")), b"abc").unwrap();
        let mut entries = disk.list("").unwrap();
        entries.retain(|entry| entry.name != LOCK);
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].bytes, entries[0].is_file), (3, true));
    }

    #[test]
    fn a_lock_that_is_a_pipe_is_an_error_and_not_a_hang() {
        let (_dir, disk) = store();
        fs::remove_file(disk.path().join(LOCK)).unwrap();
        assert!(Command::new("mkfifo").arg(disk.path().join(LOCK)).status().unwrap().success());
        assert_eq!(disk.lock().err().unwrap().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(disk.lock_holder(), None);
    }

    #[test]
    fn the_lock_names_this_process_while_it_is_held() {
        let (_dir, disk) = store();
        let lock = disk.lock().unwrap();
        let holder = disk.lock_holder().unwrap();
        assert!(holder.starts_with(&format!("process {} since ", std::process::id())), "{holder}");
        drop(lock);
        assert_eq!(disk.lock_holder(), None);
    }

    #[test]
    fn allocates_real_blocks() {
        use std::os::unix::fs::MetadataExt;
        let (_dir, disk) = store();
        disk.create("file").unwrap().allocate(1 << 20).unwrap();
        let metadata = fs::metadata(disk.path().join("file")).unwrap();
        assert_eq!(metadata.len(), 1 << 20);
        assert!(metadata.blocks() * 512 >= 1 << 20, "{} blocks", metadata.blocks());
    }

    #[test]
    fn reserves_room_with_zeros_where_it_must() {
        let (_dir, disk) = store();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(disk.path().join("file"))
            .unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        let bytes = 2 * ZEROS_BYTES as u64 + 7;
        write_zeros(&file, 4, bytes).unwrap();
        let content = fs::read(disk.path().join("file")).unwrap();
        assert_eq!(content.len() as u64, bytes);
        assert_eq!(&content[..4], b"kept");
        assert!(content[4..].iter().all(|byte| *byte == 0));
    }

    /// A kill between making the directory and the first file in it once left
    /// an empty one, which the next start refused.
    #[test]
    fn a_root_is_never_empty_and_what_a_kill_left_beside_it_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let disk = FileDisk::new(dir.path().join("store"));
        let beside = dir.path().join(beside(OsStr::new("store")));
        let names = |path: &Path| {
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
        };
        for left in [None, Some(false), Some(true)] {
            if let Some(with_lock) = left {
                fs::create_dir(&beside).unwrap();
                if with_lock {
                    fs::write(beside.join(LOCK), "").unwrap();
                }
            }
            assert!(disk.create_root().unwrap());
            assert!(!disk.create_root().unwrap());
            assert_eq!(names(dir.path()), ["store"]);
            assert_eq!(names(disk.path()), [LOCK]);
            fs::remove_dir_all(disk.path()).unwrap();
        }
        symlink("nowhere", disk.path()).unwrap();
        assert_eq!(disk.create_root().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(fs::symlink_metadata(disk.path()).unwrap().is_symlink());
    }

    #[test]
    fn creators_at_the_same_time_make_one_root() {
        for _ in 0..50 {
            let dir = tempfile::tempdir().unwrap();
            let disk = FileDisk::new(dir.path().join("store"));
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| disk.create_root().unwrap());
                }
            });
            assert!(disk.path().join(LOCK).exists());
        }
    }

    #[test]
    fn a_root_that_is_a_file_or_stands_nowhere_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), b"").unwrap();
        let error = FileDisk::new(dir.path().join("file")).create_root().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        let error = FileDisk::new(dir.path().join("no/where")).create_root().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
