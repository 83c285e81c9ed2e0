//! What time and hands do to files at rest: durable at once, and seen by the
//! next read. Meant for a store that nobody has open; what was pending of a
//! file may still be written over the damage.

use std::io;

use super::FaultyDisk;
use super::directory::Entry;
use super::platter::Platter;

impl FaultyDisk {
    /// The names of all files, in order.
    pub fn files(&self) -> Vec<String> {
        let state = self.0.lock();
        let files = state.directory.entries().filter(|(_, entry)| matches!(entry, Entry::File(_)));
        files.map(|(name, _)| name.to_owned()).collect()
    }

    /// What a file holds, as it is read.
    pub fn content(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut state = self.0.lock();
        let number = state.find_file(name)?;
        Ok(state.platter(number)?.cached().to_vec())
    }

    /// What a file holds durably, whether or not its name is durable.
    pub fn durable_content(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut state = self.0.lock();
        let number = state.find_file(name)?;
        Ok(state.platter(number)?.durable().to_vec())
    }

    /// Makes a file hold this, durably, and its name durable; creates it where
    /// there is none.
    pub fn put(&self, name: &str, content: impl Into<Vec<u8>>) -> io::Result<()> {
        let mut state = self.0.lock();
        state.find_place(name)?;
        let number = match state.directory.get(name) {
            Some(Entry::File(number)) => number,
            _ => {
                state.next_platter += 1;
                state.next_platter - 1
            }
        };
        state.directory.change_durably(name, Some(Entry::File(number)));
        state.platters.insert(number, Platter::holding(name, content.into()));
        Ok(())
    }

    /// Puts something under a name that is no plain file: a link, a pipe.
    pub fn put_odd(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.find_place(name)?;
        state.directory.change_durably(name, Some(Entry::Odd));
        Ok(())
    }

    /// Turns one bit of a file over.
    pub fn flip_bit(&self, name: &str, byte: u64, bit: u8) -> io::Result<()> {
        self.rot(name, |content| {
            if let Some(byte) = usize::try_from(byte).ok().and_then(|byte| content.get_mut(byte)) {
                *byte ^= 1 << (bit % 8);
            }
        })
    }

    /// Writes these bytes over a file; what would reach past its end is left out.
    pub fn overwrite(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.rot(name, |content| {
            let from = usize::try_from(offset).map_or(content.len(), |offset| offset.min(content.len()));
            let count = bytes.len().min(content.len() - from);
            content[from..from + count].copy_from_slice(&bytes[..count]);
        })
    }

    /// Cuts a file off.
    pub fn truncate(&self, name: &str, bytes: u64) -> io::Result<()> {
        self.rot(name, |content| {
            content.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        })
    }

    /// Takes a file away.
    pub fn erase(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.find_file(name)?;
        state.directory.change_durably(name, None);
        Ok(())
    }

    /// Exchanges what two files hold.
    pub fn swap(&self, a: &str, b: &str) -> io::Result<()> {
        let (in_a, in_b) = (self.content(a)?, self.content(b)?);
        self.put(a, in_b)?;
        self.put(b, in_a)
    }

    /// Makes one file hold what another does.
    pub fn copy(&self, from: &str, to: &str) -> io::Result<()> {
        let content = self.content(from)?;
        self.put(to, content)
    }

    fn rot(&self, name: &str, change: impl Fn(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.0.lock();
        let number = state.find_file(name)?;
        state.platter(number)?.rot(change);
        Ok(())
    }
}
