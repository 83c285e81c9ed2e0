//! The only door to the file system.
//!
//! Everything the engine asks of a disk is these two traits, so that the same
//! engine runs on files ([`FileDisk`]), in memory ([`MemoryDisk`]) and on a
//! disk that loses, tears, misdirects and refuses writes (`FaultyDisk`,
//! feature `faulty`).
//!
//! Names are paths relative to the store with `/` between the parts, e.g.
//! `segments/0000000001.seg`; empty parts, `.` and `..` are refused. Reads and
//! writes may be short or interrupted, as the system's own are;
//! [`read_exact_at`] and [`write_all_at`] go on where they stopped. No other
//! operation is interrupted.
//!
//! Only plain files are opened. Where a name stands for something else (a
//! directory, a link, a pipe), opening it is refused with `InvalidInput` and
//! never waits.
//!
//! What a crash may do, and therefore what the engine must expect:
//! - bytes written but not synced may be there, or not, or in part, in any
//!   combination and order;
//! - a file created, renamed or removed may still, or again, be as before
//!   until its directory was synced;
//! - once a sync failed, nothing is known about what was written before it,
//!   and a later sync that succeeds proves nothing.

#[cfg(feature = "faulty")]
pub mod faulty;
mod file;
mod memory;

use std::io;
use std::sync::Arc;

#[cfg(feature = "faulty")]
pub use faulty::FaultyDisk;
pub use file::FileDisk;
pub use memory::MemoryDisk;

/// A directory that holds one store.
pub trait Disk: Send + Sync {
    /// Makes the store's own directory if it is absent; false if it was there.
    /// Durable after `sync_dir("")`: flushing here would leave it empty for as
    /// long as that takes, and an empty directory is refused as a mount point
    /// whose disk went away. The directory it stands in must exist: one that
    /// does not may be such a disk too.
    fn create_root(&self) -> io::Result<bool>;

    /// Takes the store for this process, for as long as the guard lives.
    /// `Err(WouldBlock)` if another process, or this one, has it.
    fn lock(&self) -> io::Result<Box<dyn DiskLock>>;

    /// Who holds the lock, as far as it is written down; for messages.
    fn lock_holder(&self) -> Option<String>;

    /// Opens an existing file for reading, and for writing if asked.
    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>>;

    /// Creates a file that is not there yet (`AlreadyExists` if it is).
    /// Its directory entry is durable only after [`Disk::sync_dir`].
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a directory; fine if it is there. Durable after the directory it
    /// stands in was synced.
    fn create_dir(&self, name: &str) -> io::Result<()>;

    /// What is in a directory (`""`: the store's own), in no order.
    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>>;

    /// Renames a file over another, atomically.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the entries of a directory durable (`""`: the store's own, and
    /// that it exists).
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
}

/// Something found in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name in that directory.
    pub name: String,
    /// Its length in bytes; 0 for what is not a plain file.
    pub bytes: u64,
    /// Whether it is a plain file (not a directory, link, pipe, ...).
    pub is_file: bool,
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn bytes(&self) -> io::Result<u64>;

    /// Reads at an offset; may be short, 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads what the disk itself holds, past every cache in between; what was
    /// written and not synced may be written out first. May be short.
    /// `Unsupported` where the disk cannot be asked, or not for this piece.
    fn read_stored_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at an offset; may be short.
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize>;

    /// Grows it to this length with zeros and reserves the room, so that
    /// writing inside it cannot run out of disk. Never makes it shorter
    /// (`InvalidInput`); leaves it as it was if there is not enough room.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Writes zeros at an offset, as cheaply for everyone else as it can. May
    /// be short.
    fn write_zeros_at(&self, bytes: usize, offset: u64) -> io::Result<usize>;

    /// Advice: what lies from here on will be written and not read, so that no
    /// cache need hold it. Loses nothing, whatever is there.
    fn uncache_from(&self, offset: u64);

    /// Makes everything written so far durable.
    fn sync(&self) -> io::Result<()>;
}

/// Holds the store until dropped.
pub trait DiskLock: Send + Sync {}

/// Fills the buffer from an offset; `UnexpectedEof` if the file ends before.
pub fn read_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    read_all(buffer, offset, |piece, at| file.read_at(piece, at))
}

/// As [`read_exact_at`], past the caches; see [`DiskFile::read_stored_at`].
pub fn read_stored_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    read_all(buffer, offset, |piece, at| file.read_stored_at(piece, at))
}

fn read_all(
    mut buffer: &mut [u8],
    mut offset: u64,
    read_at: impl Fn(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes the whole buffer at an offset.
pub fn write_all_at(file: &dyn DiskFile, mut buffer: &[u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.write_at(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                buffer = &buffer[written..];
                offset += written as u64;
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Refuses a name that may lead out of the store.
fn check_name(name: &str) -> io::Result<()> {
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let what = format!("{name:?} is not a name inside the store");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(())
}

/// The answer to opening what is no plain file.
fn not_a_plain_file(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is not a plain file"))
}

/// The answer to allocating less than there is.
fn longer_already(bytes: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("the file is longer than {bytes} bytes already"))
}

/// Whether the system asks only that the same call be made again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
