//! The parts of an open log, shared by its callers and its threads.
//!
//! Who owns what:
//! - the sequencer (behind its lock): the next position, the open batch, the
//!   window of recent events; it alone writes `live`;
//! - the writer (behind its lock): the chain of batches; it alone moves the
//!   committed end;
//! - the housekeeper: segments to come, indexes of segments gone by;
//! - everybody reads `segments`, `tail`, `indexes` and `live`, and passes over
//!   what lies beyond the committed end.
//!
//! Locks are taken in this order, where more than one is held: sequencer,
//! writer, live, segments, a segment's own, tail, mailbox.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use event_listener::Event;
use factum_core::{Position, StorageError};
use parking_lot::{Mutex, RwLock};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::buffers::Buffers;
use crate::commit::Writer;
use crate::disk::Disk;
use crate::housekeeper::Housekeeper;
use crate::index::live::Live;
use crate::index::sealed::SealedIndex;
use crate::lone::Lone;
use crate::mailbox::Mailbox;
use crate::options::{Access, LogOptions, Threads};
use crate::resolve::{Question, Resolver};
use crate::segment::Segment;
use crate::segment::batch::padded_bytes;
use crate::sequencer::Sequencer;
use crate::store_file::StoreFile;
use crate::tail::Tail;

/// See the module.
pub struct Engine {
    pub disk: Arc<dyn Disk>,
    pub store: StoreFile,
    pub salt: u32,
    pub options: LogOptions,
    pub live: RwLock<Live>,
    /// All that hold batches and the one being filled, oldest first.
    pub segments: RwLock<Vec<Arc<Segment>>>,
    pub tail: Tail,
    pub buffers: Arc<Buffers>,
    pub indexes: Cache<u32, Arc<SealedIndex>, ByBytes>,
    pub mailbox: Mailbox,
    pub lone: Lone,
    pub sequencer: Mutex<Sequencer>,
    pub writer: Mutex<Writer>,
    pub housekeeper: Housekeeper,
    pub resolver: Resolver,
    /// Position after the last committed event.
    committed_end: AtomicU64,
    committed: Event,
    poison: OnceLock<Arc<str>>,
    closed: AtomicBool,
}

/// The state that recovery found, to begin from.
pub struct Recovered {
    pub live: Live,
    pub segments: Vec<Arc<Segment>>,
    pub sequencer: Sequencer,
    pub writer: Writer,
    /// The segment after the one being filled, if it is prepared already.
    pub prepared: Option<Arc<Segment>>,
    pub committed_end: u64,
}

impl Engine {
    /// From what recovery found.
    pub fn new(disk: Arc<dyn Disk>, store: StoreFile, options: LogOptions, recovered: Recovered) -> Self {
        let salt = store.secret.salt();
        Self {
            disk,
            salt,
            tail: Tail::new(options.tail_bytes_max),
            buffers: Arc::default(),
            indexes: Cache::with_weighter(64, options.index_bytes_max, ByBytes),
            live: RwLock::new(recovered.live),
            segments: RwLock::new(recovered.segments),
            mailbox: Mailbox::default(),
            lone: Lone::default(),
            sequencer: Mutex::new(recovered.sequencer),
            writer: Mutex::new(recovered.writer),
            housekeeper: Housekeeper::new(recovered.prepared),
            resolver: Resolver::default(),
            committed_end: AtomicU64::new(recovered.committed_end),
            committed: Event::new(),
            poison: OnceLock::new(),
            closed: AtomicBool::new(false),
            store,
            options,
        }
    }

    /// Position after the last committed event.
    pub fn committed_end(&self) -> u64 {
        self.committed_end.load(Ordering::Acquire)
    }

    /// Makes everything before this position visible.
    pub fn publish(&self, end: u64) {
        self.committed_end.store(end, Ordering::Release);
        self.committed.notify(usize::MAX);
    }

    /// A listener for the next [`Self::publish`], or the close.
    pub fn listen(&self) -> event_listener::EventListener {
        self.committed.listen()
    }

    /// Whether the log has threads of its own.
    pub fn has_own_threads(&self) -> bool {
        self.options.threads == Threads::Own
    }

    /// No append is accepted from now on: what the disk holds is uncertain.
    /// Returns the error to be told about this failure.
    pub fn poison(&self, error: StorageError) -> StorageError {
        self.poison_holding(&error);
        self.housekeeper.wake();
        error
    }

    /// The same by the housekeeper, who wakes those that wait for it itself.
    pub fn poison_holding(&self, error: &StorageError) {
        let _ = self.poison.set(describe(error).into());
    }

    /// Whether, and why, no append is accepted.
    pub fn poisoned(&self) -> Option<StorageError> {
        self.poison.get().map(|cause| StorageError::Poisoned { cause: cause.clone() })
    }

    /// Whether appends can be taken at all.
    pub fn check_appendable(&self) -> Result<(), StorageError> {
        if self.is_closed() {
            return Err(StorageError::Closed);
        }
        if self.options.access == Access::Read {
            return Err(StorageError::ReadOnly);
        }
        self.poisoned().map_or(Ok(()), Err)
    }

    /// How many bytes the records of one append may take.
    pub fn append_bytes_max(&self) -> u64 {
        self.store.append_bytes_max().saturating_sub(padded_bytes(0))
    }

    /// Whether the log was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes no more requests.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.committed.notify(usize::MAX);
    }

    /// The segment with the event at a position, which is committed.
    pub fn segment_at(&self, position: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.committed(|c| c.first_position) <= position);
        // A segment that was begun but holds nothing yet begins at the same
        // position as the event that will come; the one before may end there.
        segments[..after]
            .iter()
            .rev()
            .find(|segment| segment.committed(|c| position < c.end_position))
            .cloned()
    }

    /// A segment by its number.
    pub fn segment(&self, number: u32) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let at = segments.binary_search_by_key(&number, |segment| segment.number).ok()?;
        Some(segments[at].clone())
    }

    /// The prepared next segment.
    pub fn next_segment(&self, number: u32) -> Result<Arc<Segment>, StorageError> {
        self.housekeeper.take_prepared(self, number)
    }

    /// The index of a sealed segment; built again from the log if its file is
    /// not right.
    pub fn index(&self, segment: &Segment) -> Result<Arc<SealedIndex>, StorageError> {
        self.indexes.get_or_insert_with(&segment.number, || {
            match SealedIndex::load(&*self.disk, self.store.id, segment.number)? {
                Ok(index) if index.end().end_offset == segment.committed(|c| c.end_offset) => {
                    Ok(Arc::new(index))
                }
                Ok(_) | Err(_) => self.rebuild_index(segment),
            }
        })
    }

    /// Whether looking for events from a position on needs no index that is not
    /// in memory.
    pub fn has_indexes_since(&self, position: u64) -> bool {
        let segments = self.segments.read();
        let mut later = segments.iter().rev().take_while(|s| s.committed(|c| c.end_position) > position);
        later.all(|segment| !segment.is_sealed() || self.indexes.peek(&segment.number).is_some())
    }

    /// Builds a sealed segment's index again, for use and, if the store may be
    /// written, in its file.
    pub fn rebuild_index(&self, segment: &Segment) -> Result<Arc<SealedIndex>, StorageError> {
        let segment = self.segment(segment.number).ok_or(StorageError::Closed)?;
        let index = crate::rebuild::rebuild(self, &segment)?;
        if self.options.access == Access::Append && self.poisoned().is_none() {
            // Failing to keep it only costs building it again.
            let _ = crate::index::sealed::write(&*self.disk, segment.number, index.bytes());
        }
        let index = Arc::new(index);
        self.indexes.insert(segment.number, index.clone());
        Ok(index)
    }

    /// Answers a question that may take a look at the disk: at once if there
    /// are no threads for it.
    pub fn ask(&self, question: Question) {
        if self.has_own_threads() {
            self.resolver.push(question);
        } else if let Some(request) = question.answer(self) {
            self.mailbox.push(request);
        }
    }

    /// Damage at an offset of a segment, with the positions it concerns.
    pub fn corrupt(&self, segment: &Segment, offset: u64, what: impl Into<String>) -> StorageError {
        let error = segment.corrupt(offset, what.into());
        let StorageError::Corrupt { file, offset, positions, what } = error else { return error };
        // A sealed segment's batches are in its index.
        let narrowed = self.indexes.get(&segment.number).filter(|_| segment.is_sealed()).and_then(|index| {
            let batches = (0..index.batches()).map(|at| index.batch(at));
            let first = batches.clone().take_while(|batch| batch.offset <= offset).last()?.first_position;
            let end = batches
                .clone()
                .find(|batch| batch.offset > offset)
                .map_or(index.end_position(), |b| b.first_position);
            Some(Position::new(first)..=Position::new(end.saturating_sub(1).max(first)))
        });
        StorageError::Corrupt { file, offset, positions: narrowed.or(positions), what }
    }
}

/// An error and what it came from, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Indexes weigh what they hold.
#[derive(Clone)]
pub struct ByBytes;

impl Weighter<u32, Arc<SealedIndex>> for ByBytes {
    fn weight(&self, _: &u32, index: &Arc<SealedIndex>) -> u64 {
        index.bytes().len().max(1) as u64
    }
}
