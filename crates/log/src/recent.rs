//! The recent events, by id: what repetitions are answered from without reading
//! the disk.
//!
//! Two generations, each of at most half the window. When the newer one is
//! full the older one is dropped whole and the newer takes its place, so
//! remembering an event is one insertion and forgetting costs nothing.
//!
//! ```text
//!           floor                                    end
//!   ┄┄┄┄┄┄┄┄┄┼── older generation ──┼─ newer gen. ────┤
//!   forgotten                        (fills up, then becomes the older one)
//! ```

use hashbrown::HashTable;

use crate::secret::StreamHash;

/// The window of recent events.
pub struct Recent {
    half: usize,
    older: Generation,
    newer: Generation,
}

#[derive(Default)]
struct Generation {
    first_position: u64,
    entries: Vec<Entry>,
    /// The last entry of each key; by ordinals, so that it is small and near.
    ids: HashTable<u32>,
}

struct Entry {
    /// Its id within its stream, hashed.
    key: u64,
    stream: [u64; 2],
    id: [u8; 16],
    revision: u64,
}

/// A recent event found by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentEvent {
    #[allow(missing_docs)]
    pub position: u64,
    #[allow(missing_docs)]
    pub revision: u64,
}

impl Recent {
    /// An empty window that begins at a position and holds at most `max` events.
    pub fn new(max: usize, first_position: u64) -> Self {
        let newer = Generation { first_position, ..Generation::default() };
        let older = Generation { first_position, ..Generation::default() };
        Self { half: max.max(2) / 2, older, newer }
    }

    /// Position of the oldest event remembered.
    pub fn floor(&self) -> u64 {
        self.older.first_position
    }

    /// Position after the newest.
    pub fn end(&self) -> u64 {
        self.newer.first_position + self.newer.entries.len() as u64
    }

    /// Remembers the next event. `key` is its id within its stream, hashed.
    pub fn push(&mut self, stream: StreamHash, id: [u8; 16], key: u64, revision: u64) {
        if self.newer.entries.len() == self.half {
            std::mem::swap(&mut self.older, &mut self.newer);
            self.newer.clear(self.older.first_position + self.half as u64);
        }
        let newer = &mut self.newer;
        let ordinal = newer.entries.len() as u32;
        let stream = [stream as u64, (stream >> 64) as u64];
        newer.entries.push(Entry { key, stream, id, revision });
        let entries = &newer.entries;
        let key_of = |ordinal: &u32| entries[*ordinal as usize].key;
        newer.ids.entry(key, |known| key_of(known) == key, key_of).insert(ordinal);
    }

    /// Whether the newer half knows a key: looks where an event with it will be noted.
    pub fn is_noted(&self, key: u64) -> bool {
        let entries = &self.newer.entries;
        self.newer.ids.find(key, |known| entries[*known as usize].key == key).is_some()
    }

    /// A recent event of a stream by its id.
    pub fn find_id(&self, stream: StreamHash, id: &[u8; 16], key: u64) -> Option<RecentEvent> {
        [&self.newer, &self.older].into_iter().find_map(|generation| {
            let entries = &generation.entries;
            let ordinal = *generation.ids.find(key, |known| entries[*known as usize].key == key)?;
            let entry = &entries[ordinal as usize];
            let same = entry.id == *id && entry.stream == [stream as u64, (stream >> 64) as u64];
            same.then(|| RecentEvent {
                position: generation.first_position + u64::from(ordinal),
                revision: entry.revision,
            })
        })
    }
}

impl Generation {
    fn clear(&mut self, first_position: u64) {
        self.first_position = first_position;
        self.entries.clear();
        self.ids.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(recent: &mut Recent, position: u64) {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&position.to_le_bytes());
        recent.push(7, id, position ^ 0xabcd, position);
    }

    #[test]
    fn remembers_at_least_half_the_window_and_nothing_before_the_floor() {
        let mut recent = Recent::new(8, 100);
        for position in 100..131 {
            push(&mut recent, position);
            assert!(recent.end() - recent.floor() >= 4.min(position - 99));
            for known in recent.floor()..=position {
                let mut id = [0; 16];
                id[..8].copy_from_slice(&known.to_le_bytes());
                assert_eq!(
                    recent.find_id(7, &id, known ^ 0xabcd),
                    Some(RecentEvent { position: known, revision: known })
                );
                assert_eq!(recent.find_id(8, &id, known ^ 0xabcd), None, "another stream");
            }
        }
    }

    #[test]
    fn of_events_with_one_id_it_knows_the_last() {
        let mut recent = Recent::new(8, 0);
        for revision in 0..6 {
            recent.push(7, [1; 16], 77, revision);
            let last = RecentEvent { position: revision, revision };
            assert_eq!(recent.find_id(7, &[1; 16], 77), Some(last));
        }
    }
}
