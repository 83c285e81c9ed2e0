//! The recent events, by id and by type and tag: what repetitions and append
//! conditions are answered from without reading the disk.
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

use std::hash::BuildHasherDefault;

use hashbrown::HashMap;

use crate::index::live::AlreadyHashed;
use crate::secret::StreamHash;

type ByHash = HashMap<u64, u32, BuildHasherDefault<AlreadyHashed>>;

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
    /// Types and tags of all entries, one after another.
    labels: Vec<u64>,
    /// Last entry with an id.
    ids: ByHash,
    /// Last entry with a type or tag.
    last: ByHash,
}

struct Entry {
    stream: [u64; 2],
    id: [u8; 16],
    revision: u64,
    /// Where its labels begin: the type, then the tags.
    labels: u32,
}

/// A recent event found by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentEvent {
    #[allow(missing_docs)]
    pub position: u64,
    #[allow(missing_docs)]
    pub revision: u64,
}

/// One alternative of a condition's query, as hashes.
#[derive(Debug, Clone, Default)]
pub struct LabelItem {
    /// Any of these; empty means every type.
    pub types: Vec<u64>,
    /// All of these.
    pub tags: Vec<u64>,
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

    /// Remembers the next event. `key` is its id within its stream, hashed;
    /// `labels` are its type and then its tags.
    pub fn push(&mut self, stream: StreamHash, id: [u8; 16], key: u64, revision: u64, labels: &[u64]) {
        if self.newer.entries.len() == self.half {
            std::mem::swap(&mut self.older, &mut self.newer);
            self.newer.clear(self.older.first_position + self.half as u64);
        }
        let newer = &mut self.newer;
        let ordinal = newer.entries.len() as u32;
        newer.ids.insert(key, ordinal);
        for label in labels {
            newer.last.insert(*label, ordinal);
        }
        let begin = newer.labels.len() as u32;
        newer.labels.extend_from_slice(labels);
        let stream = [stream as u64, (stream >> 64) as u64];
        newer.entries.push(Entry { stream, id, revision, labels: begin });
    }

    /// A recent event of a stream by its id.
    pub fn find_id(&self, stream: StreamHash, id: &[u8; 16], key: u64) -> Option<RecentEvent> {
        [&self.newer, &self.older].into_iter().find_map(|generation| {
            let ordinal = *generation.ids.get(&key)?;
            let entry = &generation.entries[ordinal as usize];
            let same = entry.id == *id && entry.stream == [stream as u64, (stream >> 64) as u64];
            same.then(|| RecentEvent {
                position: generation.first_position + u64::from(ordinal),
                revision: entry.revision,
            })
        })
    }

    /// Position of the last event at or after `from` that matches one of the
    /// items. `from` must not lie before [`Self::floor`].
    pub fn last_match(&self, items: &[LabelItem], from: u64) -> Option<u64> {
        debug_assert!(from >= self.floor());
        let may_match: Vec<&LabelItem> = items.iter().filter(|item| self.may_match(item, from)).collect();
        if may_match.is_empty() {
            return None;
        }
        (from..self.end()).rev().find(|position| {
            let (generation, ordinal) = self.place(*position);
            let labels = generation.labels_of(ordinal);
            may_match.iter().any(|item| item.matches(labels))
        })
    }

    /// Whether every label that must occur occurs at or after `from`.
    fn may_match(&self, item: &LabelItem, from: u64) -> bool {
        let occurs = |label: &u64| self.last(*label).is_some_and(|position| position >= from);
        item.tags.iter().all(occurs) && (item.types.is_empty() || item.types.iter().any(occurs))
    }

    fn last(&self, label: u64) -> Option<u64> {
        [&self.newer, &self.older].into_iter().find_map(|generation| {
            generation.last.get(&label).map(|ordinal| generation.first_position + u64::from(*ordinal))
        })
    }

    fn place(&self, position: u64) -> (&Generation, usize) {
        let generation = if position >= self.newer.first_position { &self.newer } else { &self.older };
        (generation, (position - generation.first_position) as usize)
    }
}

impl Generation {
    fn clear(&mut self, first_position: u64) {
        self.first_position = first_position;
        self.entries.clear();
        self.labels.clear();
        self.ids.clear();
        self.last.clear();
    }

    fn labels_of(&self, ordinal: usize) -> &[u64] {
        let begin = self.entries[ordinal].labels as usize;
        let end = self.entries.get(ordinal + 1).map_or(self.labels.len(), |next| next.labels as usize);
        &self.labels[begin..end]
    }
}

impl LabelItem {
    /// Whether an event with this type and these tags matches.
    pub fn matches(&self, labels: &[u64]) -> bool {
        let Some((event_type, tags)) = labels.split_first() else { return false };
        (self.types.is_empty() || self.types.contains(event_type))
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(recent: &mut Recent, position: u64, labels: &[u64]) {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&position.to_le_bytes());
        recent.push(7, id, position ^ 0xabcd, position, labels);
    }

    #[test]
    fn remembers_at_least_half_the_window_and_nothing_before_the_floor() {
        let mut recent = Recent::new(8, 100);
        for position in 100..131 {
            push(&mut recent, position, &[1, position]);
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
    fn finds_the_last_match_of_type_and_tags() {
        let mut recent = Recent::new(8, 0);
        for (position, labels) in [[1, 10], [2, 10], [1, 11], [2, 11], [1, 10]].iter().enumerate() {
            push(&mut recent, position as u64, labels);
        }
        let item = |types: &[u64], tags: &[u64]| [LabelItem { types: types.into(), tags: tags.into() }];
        assert_eq!(recent.last_match(&item(&[2], &[]), 0), Some(3));
        assert_eq!(recent.last_match(&item(&[2], &[10]), 0), Some(1));
        assert_eq!(recent.last_match(&item(&[2], &[10]), 2), None);
        assert_eq!(recent.last_match(&item(&[], &[11]), 0), Some(3));
        assert_eq!(recent.last_match(&item(&[1, 2], &[10, 11]), 0), None);
        assert_eq!(recent.last_match(&item(&[], &[]), 4), Some(4));
        assert_eq!(recent.last_match(&item(&[], &[]), 5), None);
    }
}
