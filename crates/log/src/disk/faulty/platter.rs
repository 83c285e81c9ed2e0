//! What one file holds: as it is read, as it is durable, and what stands
//! between the two.

use super::Dice;
use super::crash::{self, PowerLoss, Survival};
use crate::disk::memory::{read_from, write_into};

/// What a failed sync does to what was pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailedSync {
    /// All of it counts as clean: it is read, and lost when the power is, even
    /// if a later sync succeeds. Written again, it is pending again.
    #[default]
    LosesAll,
    /// The same, but some of it reached the disk before the sync failed.
    LosesSome,
    /// All of it stays pending; a later sync makes it durable.
    KeepsAll,
}

/// The content of one file.
#[derive(Clone, Default)]
pub(super) struct Platter {
    /// The name it has or last had.
    pub(super) name: String,
    pub(super) syncs: u64,
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// In order.
    pending: Vec<Pending>,
}

/// A change that was not synced yet.
#[derive(Clone)]
enum Pending {
    Write { offset: u64, bytes: Vec<u8> },
    Grow { bytes: u64 },
}

impl Platter {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// With this content, durably.
    pub(super) fn holding(name: &str, content: Vec<u8>) -> Self {
        Self { durable: content.clone(), cached: content, ..Self::named(name) }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.cached.len() as u64
    }

    pub(super) fn cached(&self) -> &[u8] {
        &self.cached
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        read_from(&self.cached, buffer, offset)
    }

    /// What would be durable if everything pending were written out now: all
    /// but what a failed sync lost.
    pub(super) fn stored(&self) -> Vec<u8> {
        let mut content = self.durable.clone();
        self.pending.iter().for_each(|pending| pending.apply(&mut content));
        content
    }

    /// Writes; the caller has seen to it that the length is one memory can have.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let pending = Pending::Write { offset, bytes: bytes.to_vec() };
        pending.apply(&mut self.cached);
        self.pending.push(pending);
    }

    pub(super) fn grow(&mut self, bytes: u64) {
        let pending = Pending::Grow { bytes };
        pending.apply(&mut self.cached);
        self.pending.push(pending);
    }

    pub(super) fn sync(&mut self) {
        for pending in self.pending.drain(..) {
            pending.apply(&mut self.durable);
        }
    }

    pub(super) fn fail_sync(&mut self, failed_sync: FailedSync, dice: &mut Dice) {
        match failed_sync {
            FailedSync::LosesAll => self.pending.clear(),
            FailedSync::LosesSome => {
                for pending in self.pending.drain(..) {
                    if dice.chance(50) {
                        pending.apply(&mut self.durable);
                    }
                }
            }
            FailedSync::KeepsAll => {}
        }
    }

    /// Changes the content durably and at once: what happens to files at rest.
    pub(super) fn rot(&mut self, change: impl Fn(&mut Vec<u8>)) {
        change(&mut self.cached);
        change(&mut self.durable);
    }

    /// What a power loss leaves.
    pub(super) fn after(&self, loss: &PowerLoss, spares_unchanged: bool, dice: &mut Dice) -> Self {
        let mut content = self.durable.clone();
        let before = spares_unchanged.then(|| content.clone());
        let mut survivors: Vec<_> = self.pending.iter().filter(|_| loss.writes.keeps(dice)).collect();
        if matches!(loss.writes, Survival::Some { .. }) {
            dice.shuffle(&mut survivors);
        }
        for survivor in survivors {
            match (survivor, &loss.tearing) {
                (Pending::Write { offset, bytes }, Some(tearing)) if dice.chance(tearing.percent) => {
                    crash::tear(&mut content, bytes, *offset, tearing, dice);
                }
                _ => survivor.apply(&mut content),
            }
            if let (Pending::Write { offset, bytes }, Some(before)) = (survivor, &before) {
                crash::spare(&mut content, bytes, *offset, before);
            }
        }
        Self::holding(&self.name, content)
    }
}

impl Pending {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                write_into(content, bytes, *offset).expect("the length was checked when it was written");
            }
            Self::Grow { bytes } => {
                let bytes = usize::try_from(*bytes).expect("the length was checked when it was allocated");
                if content.len() < bytes {
                    content.resize(bytes, 0);
                }
            }
        }
    }
}
