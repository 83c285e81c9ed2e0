//! A disk in memory: for tests, and for stores that need not outlive the
//! process. Every write is at once as durable as it will ever be.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::{DirEntry, Disk, DiskFile, DiskLock, check_name, longer_already, not_a_plain_file};

/// A directory in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Tree>>);

#[derive(Default)]
struct Tree {
    has_root: bool,
    is_locked: bool,
    /// By full name; the store's own directory is not among them.
    nodes: BTreeMap<String, Node>,
}

enum Node {
    Dir,
    File(Arc<Content>),
}

type Content = RwLock<Vec<u8>>;

impl MemoryDisk {
    /// A disk without a store on it.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Tree {
    fn find_dir(&self, dir: &str) -> io::Result<()> {
        if !self.has_root {
            return Err(io::ErrorKind::NotFound.into());
        }
        if dir.is_empty() {
            return Ok(());
        }
        check_name(dir)?;
        match self.nodes.get(dir) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Checks a name and that the directory it stands in is there.
    fn find_place(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.find_dir(name.rsplit_once('/').map_or("", |(dir, _)| dir))
    }
}

impl Disk for MemoryDisk {
    fn create_root(&self) -> io::Result<bool> {
        Ok(!std::mem::replace(&mut self.0.lock().has_root, true))
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        let mut tree = self.0.lock();
        tree.find_dir("")?;
        if std::mem::replace(&mut tree.is_locked, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock(self.0.clone())))
    }

    fn lock_holder(&self) -> Option<String> {
        self.0.lock().is_locked.then(|| "this process".to_owned())
    }

    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        let tree = self.0.lock();
        tree.find_place(name)?;
        match tree.nodes.get(name) {
            Some(Node::File(content)) => {
                Ok(Arc::new(MemoryFile { content: content.clone(), is_writable: write }))
            }
            Some(Node::Dir) => Err(not_a_plain_file(name)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut tree = self.0.lock();
        tree.find_place(name)?;
        if tree.nodes.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Arc::new(Content::default());
        tree.nodes.insert(name.to_owned(), Node::File(content.clone()));
        Ok(Arc::new(MemoryFile { content, is_writable: true }))
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        let mut tree = self.0.lock();
        tree.find_place(name)?;
        match tree.nodes.entry(name.to_owned()).or_insert(Node::Dir) {
            Node::Dir => Ok(()),
            Node::File(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        let tree = self.0.lock();
        tree.find_dir(dir)?;
        let entries = tree.nodes.iter().filter_map(|(name, node)| {
            let (parent, name) = name.rsplit_once('/').unwrap_or(("", name));
            let (bytes, is_file) = match node {
                Node::Dir => (0, false),
                Node::File(content) => (content.read().len() as u64, true),
            };
            (parent == dir).then(|| DirEntry { name: name.to_owned(), bytes, is_file })
        });
        Ok(entries.collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut tree = self.0.lock();
        tree.find_place(from)?;
        tree.find_place(to)?;
        match tree.nodes.get(from) {
            Some(Node::File(_)) => {}
            Some(Node::Dir) => return Err(not_a_plain_file(from)),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        if matches!(tree.nodes.get(to), Some(Node::Dir)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if let Some(node) = tree.nodes.remove(from) {
            tree.nodes.insert(to.to_owned(), node);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut tree = self.0.lock();
        tree.find_place(name)?;
        match tree.nodes.get(name) {
            Some(Node::File(_)) => {
                tree.nodes.remove(name);
                Ok(())
            }
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.0.lock().find_dir(dir)
    }
}

/// An open file. It stays readable after its name was removed, as on a real
/// disk.
struct MemoryFile {
    content: Arc<Content>,
    is_writable: bool,
}

impl MemoryFile {
    fn check_writable(&self) -> io::Result<()> {
        if self.is_writable { Ok(()) } else { Err(io::Error::from_raw_os_error(EBADF)) }
    }
}

/// What the system answers to a write through a handle opened for reading.
pub(super) const EBADF: i32 = rustix::io::Errno::BADF.raw_os_error();

impl DiskFile for MemoryFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.content.read().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(read_from(&self.content.read(), buffer, offset))
    }

    fn read_stored_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(buffer, offset)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        self.check_writable()?;
        write_into(&mut self.content.write(), buffer, offset)?;
        Ok(buffer.len())
    }

    fn write_zeros_at(&self, bytes: usize, offset: u64) -> io::Result<usize> {
        self.write_at(&vec![0; bytes], offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut content = self.content.write();
        if content.len() as u64 > bytes {
            return Err(longer_already(bytes));
        }
        content.resize(length(bytes)?, 0);
        Ok(())
    }

    fn uncache_from(&self, _: u64) {}

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryLock(Arc<Mutex<Tree>>);

impl DiskLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.lock().is_locked = false;
    }
}

/// Copies what is there from an offset on; 0 at the end.
pub(super) fn read_from(content: &[u8], buffer: &mut [u8], offset: u64) -> usize {
    let from = usize::try_from(offset).map_or(content.len(), |offset| offset.min(content.len()));
    let count = buffer.len().min(content.len() - from);
    buffer[..count].copy_from_slice(&content[from..from + count]);
    count
}

/// Writes at an offset; a gap before it is filled with zeros.
pub(super) fn write_into(content: &mut Vec<u8>, bytes: &[u8], offset: u64) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let until = length(offset.saturating_add(bytes.len() as u64))?;
    if content.len() < until {
        content.resize(until, 0);
    }
    content[until - bytes.len()..until].copy_from_slice(bytes);
    Ok(())
}

/// A length that memory can have.
pub(super) fn length(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= isize::MAX as usize)
        .ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}
