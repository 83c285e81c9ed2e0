//! The index in memory: the head of every stream, and the records of the
//! segments that have no index file yet.
//!
//! Written by the sequencer as it gives out places, so it may be ahead of what
//! is committed; readers pass over what they find beyond the committed end.
//!
//! The sequencer only notes each record's keys, as the caller hashed them. The
//! lists are made of these notes by whoever asks for one, a piece at a time:
//!
//! ```text
//!   notes   type cat tag │ type cat │ type cat tag tag │ ...   by the sequencer
//!   lists   type ─▶ 0 1 2 ...    tag ─▶ 0 2 ...                by who asks first
//! ```
//!
//! so that a log of which nobody asks pays for a copy, and not for a table.

use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use factum_core::Direction;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::keys::{KeyHash, LOST, Wanted};
use super::offset_to_units;
use super::pieces::Pieces;
use super::postings::List;
use super::search::Search;
use crate::secret::StreamHash;

/// The heads of all streams and the live segments.
#[derive(Default)]
pub struct Live {
    heads: HashMap<StreamHash, Head, BuildHasherDefault<AlreadyHashed>>,
    /// Full, oldest first; each until it is sealed.
    full: VecDeque<Arc<LiveSegment>>,
    open: LiveSegment,
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The revision its next event gets.
    pub next_revision: u64,
    /// Its last event is at this position, or later.
    pub last_position: u64,
    /// The newest segment with events of it.
    pub segment: u32,
    /// Its last event in that segment, while the segment is live.
    ordinal: u32,
}

/// The records of a segment that has no index yet, in order.
#[derive(Default)]
pub struct LiveSegment {
    /// Its number.
    pub number: u32,
    /// Position of its first event.
    pub first_position: u64,
    /// Its records.
    pub records: Pieces<LiveRecord>,
    /// Their keys, one after another.
    keys: Pieces<KeyHash>,
    /// Where those of each record end.
    keys_end: Pieces<u32>,
    lists: Arc<Mutex<Lists>>,
    /// Whether somebody read by it.
    is_asked: AtomicBool,
}

/// The lists of a live segment, as far as they were asked for.
#[derive(Default)]
pub struct Lists {
    by_key: HashMap<KeyHash, SmallVec<[u32; 4]>, BuildHasherDefault<AlreadyHashed>>,
    /// So many records are in them.
    records: u32,
}

impl Lists {
    /// The list of a key, if it has one.
    pub fn find(&self, key: KeyHash) -> Option<List<'_>> {
        self.by_key.get(&key).map(|ordinals| List::Plain(ordinals))
    }
}

/// So many records are added to the lists at a time: appends wait for no longer.
const LISTED_AT_ONCE: usize = 1024;

impl LiveSegment {
    /// The keys of a record.
    pub fn keys_of(&self, ordinal: usize) -> impl Iterator<Item = KeyHash> {
        let begin = ordinal.checked_sub(1).map_or(0, |before| self.keys_end[before] as usize);
        (begin..self.keys_end[ordinal] as usize).map(|at| self.keys[at])
    }

    /// Of each key in turn, the record it is one of.
    pub fn ordinals_of_keys(&self) -> impl Iterator<Item = u32> {
        let mut begin = 0;
        (0..).zip(self.keys_end.iter()).flat_map(move |(ordinal, end)| {
            let count = end - std::mem::replace(&mut begin, *end);
            std::iter::repeat_n(ordinal, count as usize)
        })
    }

    /// How many keys there are in all.
    pub fn keys_len(&self) -> usize {
        self.keys.len()
    }

    /// Whether somebody read by it, and is likely to do so again.
    pub fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// Its lists, with at least the first `records` of its records in them;
    /// `None` if it has to be asked again for that.
    pub fn lists(&self, records: u32) -> Option<Arc<Mutex<Lists>>> {
        let mut lists = self.lists.lock();
        let from = lists.records as usize;
        let to = self.records.len().min(from + LISTED_AT_ONCE);
        if lists.records < records {
            for ordinal in from..to {
                for key in self.keys_of(ordinal) {
                    let list = lists.by_key.entry(key).or_default();
                    // Only what was written by something else names a tag twice.
                    if list.last() != Some(&(ordinal as u32)) {
                        list.push(ordinal as u32);
                    }
                }
            }
            lists.records = to as u32;
        }
        (lists.records >= records).then(|| self.lists.clone())
    }

    fn note(&mut self, keys: impl IntoIterator<Item = KeyHash>) {
        let before = self.keys_end.last().copied().unwrap_or(0);
        let mut count = 0;
        for key in keys {
            self.keys.push(key);
            count += 1;
        }
        self.keys_end.push(before + count);
    }

    /// An empty one that grows into what this one had to spare.
    fn successor(&mut self, number: u32, first_position: u64) -> Self {
        Self {
            number,
            first_position,
            records: self.records.successor(),
            keys: self.keys.successor(),
            keys_end: self.keys_end.successor(),
            ..Self::default()
        }
    }

    /// Grows into the memory of another one; its lists are left.
    fn reuse(&mut self, other: Self) -> Arc<Mutex<Lists>> {
        self.records.reuse(other.records);
        self.keys.reuse(other.keys);
        self.keys_end.reuse(other.keys_end);
        other.lists
    }
}

/// One record of a live segment.
#[derive(Debug, Clone, Copy)]
pub struct LiveRecord {
    stream: [u64; 2],
    /// Its revision.
    pub revision: u64,
    /// See [`super::offset_to_units`].
    pub offset: u32,
    previous: Previous,
}

/// The record before one in its stream, packed: an ordinal in the same
/// segment, or with the top bit set the number of an older segment, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Previous(u32);

impl Previous {
    const NONE: Self = Self(u32::MAX);
    const OLDER: u32 = 1 << 31;

    fn here(ordinal: u32) -> Self {
        Self(ordinal)
    }

    fn in_segment(number: u32) -> Self {
        Self(number | Self::OLDER)
    }

    fn ordinal(self) -> Option<u32> {
        (self.0 & Self::OLDER == 0).then_some(self.0)
    }

    fn segment(self) -> Option<u32> {
        (self != Self::NONE && self.0 & Self::OLDER != 0).then_some(self.0 & !Self::OLDER)
    }
}

impl LiveRecord {
    /// The stream it belongs to.
    pub fn stream(&self) -> StreamHash {
        u128::from(self.stream[0]) | u128::from(self.stream[1]) << 64
    }

    /// The record before it of its stream, if that is in this segment.
    pub fn previous_here(&self) -> Option<u32> {
        self.previous.ordinal()
    }

    /// The next older segment with events of its stream, if this is its first
    /// record in this one.
    pub fn older_segment(&self) -> Option<u32> {
        self.previous.segment()
    }
}

/// A record found by walking a stream from its newest event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundRecord {
    #[allow(missing_docs)]
    pub revision: u64,
    #[allow(missing_docs)]
    pub position: u64,
    /// See [`super::offset_to_units`].
    pub offset: u32,
}

impl Live {
    /// Where a stream stands; `None` if it has no event.
    pub fn head(&self, stream: StreamHash) -> Option<Head> {
        self.heads.get(&stream).copied()
    }

    /// How many streams there are.
    pub fn streams(&self) -> usize {
        self.heads.len()
    }

    /// Adds the next record of the open segment, at an offset, with its keys, to
    /// which `beginning` belongs if it is its stream's first; returns its revision.
    pub fn record(
        &mut self,
        stream: StreamHash,
        position: u64,
        offset: u64,
        keys: &[KeyHash],
        beginning: KeyHash,
    ) -> u64 {
        self.record_all(stream, position, [(offset, keys)].into_iter(), beginning)
    }

    /// Adds the next records of the open segment, all of one stream, of which
    /// there is at least one; `position` and what is returned, the revision, are
    /// those of the first.
    pub fn record_all<'a>(
        &mut self,
        stream: StreamHash,
        position: u64,
        records: impl ExactSizeIterator<Item = (u64, &'a [KeyHash])>,
        beginning: KeyHash,
    ) -> u64 {
        let open = &mut self.open;
        let first = open.records.len() as u32;
        let count = records.len() as u64;
        let head_after = |revision| Head {
            next_revision: revision + count,
            last_position: position + count - 1,
            segment: open.number,
            ordinal: first + count as u32 - 1,
        };
        let (revision, mut previous) = match self.heads.entry(stream) {
            Entry::Occupied(mut entry) => {
                let head = entry.get_mut();
                let previous = match head.segment == open.number {
                    true => Previous::here(head.ordinal),
                    false => Previous::in_segment(head.segment),
                };
                let revision = head.next_revision;
                *head = head_after(revision);
                (revision, previous)
            }
            Entry::Vacant(entry) => {
                entry.insert(head_after(0));
                (0, Previous::NONE)
            }
        };
        let stream = [stream as u64, (stream >> 64) as u64];
        for ((ordinal, revision), (offset, keys)) in (first..).zip(revision..).zip(records) {
            open.records.push(LiveRecord { stream, revision, offset: offset_to_units(offset), previous });
            open.note(keys.iter().copied().chain((revision == 0).then_some(beginning)));
            previous = Previous::here(ordinal);
        }
        revision
    }

    /// Adds a record that says itself which revision it has, behind damage.
    pub fn record_behind_damage(
        &mut self,
        stream: StreamHash,
        position: u64,
        offset: u64,
        revision: u64,
        keys: &[KeyHash],
        beginning: KeyHash,
    ) {
        match self.heads.get_mut(&stream) {
            Some(head) => head.next_revision = revision,
            None if revision > 0 => self.restore(stream, revision, 0, 0),
            None => {}
        }
        self.record(stream, position, offset, keys, beginning);
    }

    /// Leaves room for records that are lost, so that those behind them keep
    /// their positions.
    pub fn skip_lost(&mut self, records: u64) {
        let lost = LiveRecord { stream: [0; 2], revision: 0, offset: 0, previous: Previous::NONE };
        for _ in 0..records {
            self.open.records.push(lost);
            self.open.note([LOST]);
        }
    }

    /// Takes a head from a sealed segment's index; segments come oldest first.
    pub fn restore(&mut self, stream: StreamHash, next_revision: u64, segment: u32, first_position: u64) {
        self.heads.insert(stream, Head { next_revision, last_position: first_position, segment, ordinal: 0 });
    }

    /// Begins the next segment. What was open is full now, if it held anything.
    pub fn begin_segment(&mut self, number: u32, first_position: u64) {
        let next = self.open.successor(number, first_position);
        let full = std::mem::replace(&mut self.open, next);
        if !full.records.is_empty() {
            self.full.push_back(Arc::new(full));
        }
    }

    /// A full segment that is to be indexed.
    pub fn full_segment(&self, number: u32) -> Option<Arc<LiveSegment>> {
        self.full.iter().find(|segment| segment.number == number).cloned()
    }

    /// Forgets a segment that has its index now. The segments to come grow into
    /// its memory, unless somebody else holds it still; what is returned is left,
    /// and takes a while to be dropped.
    pub fn drop_segment(&mut self, number: u32) -> Option<Arc<Mutex<Lists>>> {
        let at = self.full.iter().position(|segment| segment.number == number)?;
        let segment = Arc::try_unwrap(self.full.remove(at)?).ok()?;
        Some(self.open.reuse(segment))
    }

    /// Position of the last record at or after `from` that is wanted.
    pub fn last_match(&self, wanted: &Wanted, from: u64) -> Option<u64> {
        for segment in self.newest_first() {
            let end = segment.records.len() as u32;
            let begin = from.saturating_sub(segment.first_position).min(u64::from(end)) as u32;
            let lists = loop {
                if let Some(lists) = segment.lists(end) {
                    break lists;
                }
            };
            let lists = lists.lock();
            let search = Search::new(wanted, |key| lists.find(key));
            if let Some(ordinal) = search.nth(begin..end, Direction::Backward, 0) {
                return Some(segment.first_position + u64::from(ordinal));
            }
            if segment.first_position <= from {
                break;
            }
        }
        None
    }

    /// The live segments, newest first.
    fn newest_first(&self) -> impl Iterator<Item = &LiveSegment> {
        std::iter::once(&self.open).chain(self.full.iter().rev().map(|segment| &**segment))
    }

    /// Position of the first event of a live segment.
    pub fn first_position(&self) -> u64 {
        self.full.front().map_or(self.open.first_position, |segment| segment.first_position)
    }

    /// A live segment, to read by it.
    pub fn live_segment(&self, number: u32) -> Option<&LiveSegment> {
        let segment = self.newest_first().find(|segment| segment.number == number)?;
        if !segment.is_asked() {
            segment.is_asked.store(true, Ordering::Relaxed);
        }
        Some(segment)
    }

    /// Walks a stream's records in a live segment, newest first, until `visit`
    /// says false. Returns the next older segment of the stream if the walk
    /// came to the stream's first record here. It begins with the stream's newest
    /// record here, or with the one at `from`, which an earlier walk came to.
    pub fn walk(
        &self,
        segment: u32,
        stream: StreamHash,
        from: Option<u64>,
        mut visit: impl FnMut(FoundRecord) -> bool,
    ) -> Walked {
        let Some(live) = self.live_segment(segment) else { return Walked::NotHere };
        let from = match from {
            Some(position) => position.checked_sub(live.first_position).map(|ordinal| ordinal as u32),
            None => self.newest_in(live, stream),
        };
        let Some(mut ordinal) = from else { return Walked::End(None) };
        loop {
            let record = &live.records[ordinal as usize];
            let found = FoundRecord {
                revision: record.revision,
                position: live.first_position + u64::from(ordinal),
                offset: record.offset,
            };
            if !visit(found) {
                return Walked::Stopped;
            }
            match record.previous.ordinal() {
                Some(previous) => ordinal = previous,
                None => return Walked::End(record.previous.segment()),
            }
        }
    }

    /// The newest record of a stream in a live segment: what its head says, or
    /// what a later live segment's first record of it does not say, so that
    /// the rare case is searched for.
    fn newest_in(&self, live: &LiveSegment, stream: StreamHash) -> Option<u32> {
        let head = self.heads.get(&stream)?;
        if head.segment == live.number {
            return Some(head.ordinal);
        }
        let newer = live.records.iter().rev().position(|record| record.stream() == stream)?;
        Some((live.records.len() - 1 - newer) as u32)
    }
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walked {
    /// The segment is not live (any more): its index knows.
    NotHere,
    /// The visitor had enough.
    Stopped,
    /// At the stream's first record here; the number is its next older segment.
    End(Option<u32>),
}

/// Stream hashes are uniform already; hashing them again buys nothing.
#[derive(Default)]
pub struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64 ^ (hash >> 64) as u64;
    }
}
