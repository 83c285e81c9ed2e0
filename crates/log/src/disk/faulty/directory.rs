//! Which names there are, as seen now and as a power loss would leave them.
//!
//! ```text
//!   create tmp          pending   [tmp → 7]
//!   rename tmp to m     pending   [tmp → nothing, m → 7]      kept or lost as one
//!   sync_dir            durable   m → 7
//! ```
//!
//! Pending changes survive a power loss independently of one another, which is
//! harsher than a journal and allowed by the rules. A file has one name at any
//! time, and a name without its directory is gone.

use std::collections::BTreeMap;

use super::{Dice, PowerLoss};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Dir,
    File(u64),
    /// A link, a pipe: what no plain file is.
    Odd,
}

/// Names that change together, and what they stand for then.
type Change = Vec<(String, Option<Entry>)>;

type Names = BTreeMap<String, Entry>;

/// All names of the store.
#[derive(Clone, Default)]
pub(super) struct Directory {
    cached: Names,
    durable: Names,
    /// In order.
    pending: Vec<Change>,
}

/// The directory a name stands in.
pub(super) fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl Directory {
    pub(super) fn get(&self, name: &str) -> Option<Entry> {
        self.cached.get(name).copied()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, Entry)> {
        self.cached.iter().map(|(name, entry)| (name.as_str(), *entry))
    }

    /// The files that have a name now.
    pub(super) fn files(&self) -> impl Iterator<Item = u64> {
        self.cached.values().filter_map(file)
    }

    /// The files that have, or after a power loss may again have, a name.
    pub(super) fn files_anywhere(&self) -> impl Iterator<Item = u64> {
        let pending = self.pending.iter().flatten().filter_map(|(_, entry)| entry.as_ref());
        self.cached.values().chain(self.durable.values()).chain(pending).filter_map(file)
    }

    pub(super) fn change(&mut self, change: Change) {
        for (name, entry) in &change {
            set(&mut self.cached, name, *entry);
        }
        self.pending.push(change);
    }

    /// Changes names without anything pending: what hands do while the store
    /// is closed.
    pub(super) fn change_durably(&mut self, name: &str, entry: Option<Entry>) {
        for change in &mut self.pending {
            change.retain(|(changed, _)| changed != name);
        }
        set(&mut self.cached, name, entry);
        set(&mut self.durable, name, entry);
    }

    /// Makes what is pending in one directory durable.
    pub(super) fn sync(&mut self, dir: &str) {
        for change in &mut self.pending {
            change.retain(|(name, entry)| {
                let is_here = parent(name) == dir;
                if is_here {
                    set(&mut self.durable, name, *entry);
                }
                !is_here
            });
        }
        self.pending.retain(|change| !change.is_empty());
    }

    /// What a power loss leaves.
    pub(super) fn after(&self, loss: &PowerLoss, dice: &mut Dice) -> Self {
        let mut names = self.durable.clone();
        for change in &self.pending {
            if loss.entries.keeps(dice) {
                for (name, entry) in change {
                    set(&mut names, name, *entry);
                }
            }
        }
        // In order of names a directory comes before what stands in it.
        let mut found = Names::new();
        for (name, entry) in names {
            let dir = parent(&name);
            if dir.is_empty() || found.get(dir) == Some(&Entry::Dir) {
                found.insert(name, entry);
            }
        }
        Self { cached: found.clone(), durable: found, pending: Vec::new() }
    }
}

fn file(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::File(number) => Some(*number),
        Entry::Dir | Entry::Odd => None,
    }
}

fn set(names: &mut Names, name: &str, entry: Option<Entry>) {
    match entry {
        Some(entry) => {
            if let Entry::File(_) = entry {
                names.retain(|_, other| *other != entry);
            }
            names.insert(name.to_owned(), entry);
        }
        None => {
            names.remove(name);
        }
    }
}
