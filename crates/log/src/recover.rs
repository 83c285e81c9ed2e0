//! Recovery: from whatever a crash left to the last whole commit.
//!
//! ```text
//!   segment 1     segment 2     segment 3 (was being filled)      4        5
//!   ┌──────────┐  ┌──────────┐  ┌──┬──┬──┬──┬╌╌╌╌╌╌╌╌╌╌╌╌╌╌┐  ┌──────┐  ┌────┐
//!   │ by index │  │ by index │  │ b│ b│ b│ b│ torn? zeros? │  │ ready│  │stub│
//!   └──────────┘  └──────────┘  └──┴──┴──┴──┴╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘  └──────┘  └────┘
//!      heads         heads        every batch checked   ▲
//!                                                  logical end
//! ```
//!
//! Where the chain of batches breaks, the question is whether what is missing
//! was ever acknowledged. Each batch names the last one known to be durable
//! when it was built, and batches are written one at a time; so if any later
//! batch of the store is whole, the missing one was durable: that is damage,
//! and the store is not opened for appending. If there is none, it is the torn
//! tail of a crash, and the next batch is written over it. The very last
//! acknowledged batch is the one place where a single copy cannot tell; it is
//! confirmed by an empty batch when the log falls quiet or is closed.
//!
//! What only the page cache of a killed process holds is never served: the
//! file is flushed, and the last batch read from the disk itself, past the
//! cache. A flush that failed in the killed process has left its bytes in the
//! cache, clean and never stored; such a batch was not acknowledged, and is cut
//! off like a torn one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use factum_core::{Position, StorageError};

use crate::commit::Writer;
use crate::disk::{Disk, DiskFile, read_exact_at, read_stored_exact_at, write_all_at};
use crate::engine::Recovered;
use crate::error::OpenError;
use crate::follow::{Chain, Ended, Part, Passed, Seen, follow};
use crate::housekeeper::{FULL_SEGMENTS_MAX, Job, reserve};
use crate::index::build::build;
use crate::index::live::Live;
use crate::index::sealed::{self, INDEX_DIR, SealedIndex, SegmentEnd};
use crate::options::{Access, LogOptions};
use crate::recent::Recent;
use crate::secret::Secret;
use crate::segment::batch::{BatchHeader, Found, find};
use crate::segment::format::{
    APPEND_BYTES_MAX, BATCH_BYTES_MAX, BLOCK_BYTES, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES,
};
use crate::segment::record::RecordView;
use crate::segment::scan::{Scan, Step, Stop};
use crate::segment::{
    Committed, SEGMENTS_DIR, Segment, check_header, create_stub, file_name, io_error, number_of, write_header,
};
use crate::sequencer::{OpenBatch, Route, Sequencer};
use crate::store_file::StoreFile;

/// What recovery came upon; for whoever wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes of a torn, never acknowledged batch that was cut off.
    pub torn_tail_bytes: u64,
    /// Indexes that were missing or unusable, with the reason.
    pub indexes_rebuilt: Vec<(u32, String)>,
    /// Damage that was passed over because the store is only read.
    pub damage: Option<String>,
}

/// Makes the files of a new store.
pub fn create(disk: &dyn Disk, options: &LogOptions) -> Result<StoreFile, OpenError> {
    let store = StoreFile::new(options)?;
    for dir in [SEGMENTS_DIR, INDEX_DIR] {
        disk.create_dir(dir).map_err(|error| io_error("create", dir, error))?;
        // Left by a creation that did not finish: without STORE there was no store.
        for entry in disk.list(dir).map_err(|error| io_error("list", dir, error))? {
            let name = format!("{dir}/{}", entry.name);
            disk.remove(&name).map_err(|error| io_error("remove", &name, error))?;
        }
    }
    disk.sync_dir("").map_err(|error| io_error("flush", "the store's directory", error))?;
    create_stub(disk, &store, 1)?;
    let name = file_name(1);
    let file = disk.open(&name, true).map_err(|error| io_error("open", &name, error))?;
    reserve(&*file, &name, store.segment_bytes(1))?;
    if options.zero_segments {
        let never = AtomicBool::new(false);
        crate::housekeeper::zero(&*file, store.segment_bytes(1), std::time::Duration::ZERO, &never)
            .map_err(|error| io_error("write", &name, error))?;
    }
    file.sync().map_err(|error| io_error("flush", &name, error))?;
    create_stub(disk, &store, 2)?;
    store.create(disk)?;
    Ok(store)
}

/// Recovers an existing store.
pub fn recover(
    disk: &Arc<dyn Disk>,
    store: &StoreFile,
    options: &LogOptions,
) -> Result<(Recovered, Vec<Job>, Recovery), StorageError> {
    if options.access == Access::Append {
        // A process killed between creating or renaming a file and flushing
        // its directory leaves names that are seen and not durable.
        for dir in ["", SEGMENTS_DIR] {
            disk.sync_dir(dir).map_err(|error| io_error("flush", dir, error))?;
        }
    }
    match try_recover(disk, store, options, None)? {
        Tried::Recovered(recovered) => Ok(*recovered),
        // A batch that only a cache holds is none.
        Tried::Phantom(phantom) => match try_recover(disk, store, options, Some(phantom))? {
            Tried::Recovered(recovered) => Ok(*recovered),
            Tried::Phantom(phantom) => Err(StorageError::Corrupt {
                file: file_name(phantom.segment),
                offset: phantom.offset,
                positions: None,
                what: "the disk does not hold what was read from it".into(),
            }),
        },
    }
}

/// How an attempt to recover ended.
enum Tried {
    Recovered(Box<(Recovered, Vec<Job>, Recovery)>),
    Phantom(Phantom),
}

/// A last batch that is in the page cache and not on the disk: a flush of it
/// failed in a process that is gone, so it was never acknowledged.
#[derive(Debug, Clone, Copy)]
struct Phantom {
    segment: u32,
    offset: u64,
    bytes: u64,
}

fn try_recover(
    disk: &Arc<dyn Disk>,
    store: &StoreFile,
    options: &LogOptions,
    phantom: Option<Phantom>,
) -> Result<Tried, StorageError> {
    let numbers = segment_numbers(&**disk)?;
    let newest = *numbers.last().unwrap_or(&0);
    let mut state = Recovering {
        phantom,
        disk,
        store,
        options,
        secret: store.secret,
        live: Live::default(),
        chain: Chain::START,
        segments: Vec::new(),
        recent: Recent::new(options.recent_events_max.max(RECENT_EVENTS_MIN), 0),
        last: None,
        jobs: Vec::new(),
        report: Recovery::default(),
        end_offset: SEGMENT_HEADER_BYTES,
    };
    let mut open_from = 1;
    // The newest file is never filled: it is there to show that the one before may be.
    for number in 1..newest {
        if !state.restore_sealed(number)? {
            break;
        }
        open_from = number + 1;
    }
    state.remember_sealed()?;
    let mut filling = None;
    for number in open_from..newest {
        let segment = state.open_segment(number)?;
        if filling.is_some() {
            // Prepared, or holding batches that do not continue the chain.
            state.check_empty(&segment)?;
            continue;
        }
        state.live.begin_segment(number, state.chain.next_position);
        segment.begin_at(state.chain.next_position);
        if state.follow_segment(&segment, newest)? {
            filling = Some(segment.clone());
        }
        state.segments.push(segment);
    }
    state.check_stub(newest)?;
    // All before the newest file are full, so something stood in it, and after it.
    let Some(filling) = filling else { return Err(missing(newest + 1)) };
    state.finish(filling, newest)
}

/// At least so many events are remembered by id, whatever the options say.
const RECENT_EVENTS_MIN: usize = 20_000;

struct Recovering<'a> {
    phantom: Option<Phantom>,
    disk: &'a Arc<dyn Disk>,
    store: &'a StoreFile,
    options: &'a LogOptions,
    secret: Secret,
    live: Live,
    chain: Chain,
    segments: Vec<Arc<Segment>>,
    recent: Recent,
    /// The last batch followed.
    last: Option<(Arc<Segment>, Passed)>,
    jobs: Vec<Job>,
    report: Recovery,
    end_offset: u64,
}

impl Recovering<'_> {
    fn open_segment(&self, number: u32) -> Result<Arc<Segment>, StorageError> {
        let name = file_name(number);
        let write = self.options.access == Access::Append;
        let file = self.disk.open(&name, write).map_err(|error| io_error("open", &name, error))?;
        check_header(&*file, self.store, number)?;
        let expected = self.store.segment_bytes(number);
        let bytes = file.bytes().map_err(|error| io_error("look at", &name, error))?;
        if bytes != expected {
            let what = format!("the file has {bytes} bytes instead of {expected}");
            return Err(StorageError::Corrupt {
                file: name,
                offset: bytes.min(expected),
                positions: None,
                what,
            });
        }
        Ok(Arc::new(Segment::new(number, file, expected, self.chain.next_position)))
    }

    /// Takes a segment over by its index; false if it has none that can be used.
    fn restore_sealed(&mut self, number: u32) -> Result<bool, StorageError> {
        let index = match SealedIndex::load(&**self.disk, self.store.id, number)? {
            Ok(index) => index,
            // If the segment turns out to be full, that is told then.
            Err(_) => return Ok(false),
        };
        let segment = self.open_segment(number)?;
        if index.first_position() != self.chain.next_position {
            return Ok(false);
        }
        let mut block = [0; BLOCK_BYTES as usize];
        segment.read(&mut block, SEGMENT_HEADER_BYTES)?;
        let header = BatchHeader::parse(&block);
        let linked = header.is_some_and(|header| {
            header.sequence == self.chain.sequence + 1 && header.previous_crc == self.chain.crc
        });
        if !linked {
            // Its first batch is not what the log before it leads to.
            return Ok(false);
        }
        for at in 0..index.streams() {
            let stream = index.stream(at);
            let next = stream.first_revision + u64::from(stream.count);
            self.live.restore(stream.hash, next, number, index.first_position());
        }
        let end = index.end();
        segment.restore(Committed {
            first_position: index.first_position(),
            end_position: index.end_position(),
            end_offset: end.end_offset,
            last_recorded_at: index.last_recorded_at(),
            batches: Vec::new(),
        });
        segment.seal();
        self.chain = Chain {
            sequence: end.last_sequence,
            crc: end.last_crc,
            next_position: index.end_position(),
            recorded_at: index.last_recorded_at(),
            epoch: header.map_or(0, |header| header.epoch),
        };
        self.segments.push(segment);
        Ok(true)
    }

    /// Remembers the last events of the sealed segments.
    fn remember_sealed(&mut self) -> Result<(), StorageError> {
        let wanted = (self.recent_events_max() / 2) as u64;
        let from = self.chain.next_position.saturating_sub(wanted);
        let mut recent = Recent::new(self.recent_events_max(), from);
        for segment in self.segments.clone() {
            let (first, end) = segment.committed(|c| (c.first_position, c.end_position));
            if end <= from {
                continue;
            }
            let Ok(index) = SealedIndex::load(&**self.disk, self.store.id, segment.number)? else { continue };
            let at = (0..index.batches()).rev().find(|at| index.batch(*at).first_position <= from.max(first));
            let begin = index.batch(at.unwrap_or(0)).offset;
            let mut scan = Scan::new(segment.clone(), self.secret.salt(), begin, index.end().end_offset);
            loop {
                match scan.step()? {
                    Step::Batch(header, _, bytes) => {
                        let body = crate::segment::format::BATCH_HEADER_BYTES;
                        let body = &bytes[body..body + header.body_bytes as usize];
                        for (_, view) in crate::segment::record::records(body) {
                            if view.position() >= recent.end() {
                                remember(&mut recent, self.secret, &view);
                            }
                        }
                    }
                    Step::Stop(_) if scan.offset() < index.end().end_offset => {
                        // Damage: reading it will say so. What is remembered
                        // begins after it.
                        recent = Recent::new(self.recent_events_max(), end);
                        break;
                    }
                    Step::Stop(_) => break,
                }
            }
        }
        self.recent = recent;
        Ok(())
    }

    /// Follows a segment without index. True if the log ends in it.
    fn follow_segment(&mut self, segment: &Arc<Segment>, newest: u32) -> Result<bool, StorageError> {
        let phantom = self.phantom.filter(|phantom| phantom.segment == segment.number);
        let until = phantom.map_or(segment.file_bytes, |phantom| phantom.offset);
        let mut part = Part { from: SEGMENT_HEADER_BYTES, until, behind_damage: false };
        loop {
            let (recent, secret) = (&mut self.recent, self.secret);
            let last = &mut self.last;
            let ended = follow(segment, part, secret, &mut self.chain, &mut self.live, |seen| match seen {
                Seen::Record(view) => remember(recent, secret, &view),
                Seen::Batch(passed) => *last = Some((segment.clone(), passed)),
            })?;
            let offset = match ended {
                Ended::At(offset, _) => offset,
                Ended::Wrong(offset, what) => return Err(segment.corrupt(offset, what)),
            };
            self.end_offset = segment.committed(|committed| committed.end_offset);
            if self.continues_in(segment.number + 1, newest)? {
                if let Err(why) = SealedIndex::load(&**self.disk, self.store.id, segment.number)? {
                    self.report.indexes_rebuilt.push((segment.number, why.to_string()));
                }
                let end = SegmentEnd {
                    end_offset: self.end_offset,
                    last_sequence: self.chain.sequence,
                    last_crc: self.chain.crc,
                };
                self.seal(segment, end);
                return Ok(false);
            }
            let beyond = phantom.map_or(offset, |phantom| phantom.offset + phantom.bytes);
            let Some((from, header)) = self.judge_end(segment, beyond)? else { return Ok(true) };
            // Only for reading: what lies behind the damage is served, too, if
            // as many events as are missing can have been there.
            let lost = header.first_position.saturating_sub(self.chain.next_position);
            if lost > (from - beyond) / RECORD_HEADER_BYTES as u64 {
                return Ok(true);
            }
            self.live.skip_lost(lost);
            segment.lose_until(header.first_position);
            self.recent = Recent::new(self.recent_events_max(), header.first_position);
            self.chain = Chain::before(&header);
            part = Part { from, until, behind_damage: true };
        }
    }

    /// A full segment gets its index from the housekeeper. Where many have none,
    /// as after a change of the format, the others get theirs now, so that memory
    /// does not grow with the log.
    fn seal(&mut self, segment: &Arc<Segment>, end: SegmentEnd) {
        let waiting = self.jobs.iter().filter(|job| matches!(job, Job::Seal { .. })).count();
        // What is damaged is read as it is found.
        if waiting < FULL_SEGMENTS_MAX || self.report.damage.is_some() {
            self.jobs.push(Job::Seal { segment: segment.number, end });
            return;
        }
        self.live.begin_segment(segment.number + 1, self.chain.next_position);
        let Some(full) = self.live.full_segment(segment.number) else { return };
        let batches = segment.committed(|committed| committed.batches.clone());
        let bytes = build(self.store.id, &full, &batches, end);
        // Who only reads builds it again when it is asked for.
        if self.options.access == Access::Append
            && let Err(_) = sealed::write(&**self.disk, segment.number, &bytes)
        {
            // Without its index it stays live, which costs memory.
            self.jobs.push(Job::Seal { segment: segment.number, end });
            return;
        }
        segment.seal();
        drop(self.live.drop_segment(segment.number));
    }

    /// Whether the next segment's first batch is the next of the chain.
    fn continues_in(&self, number: u32, newest: u32) -> Result<bool, StorageError> {
        if number >= newest {
            return Ok(false);
        }
        let segment = self.open_segment(number)?;
        let first = Scan::whole(segment, self.secret.salt()).without_read_ahead().step()?;
        Ok(matches!(first, Step::Batch(header, ..) if self.chain.continues_with(&header)))
    }

    /// Torn tail or damage? See the module. Damage that may be passed over is
    /// answered with the first whole batch behind it.
    fn judge_end(
        &mut self,
        segment: &Arc<Segment>,
        offset: u64,
    ) -> Result<Option<(u64, BatchHeader)>, StorageError> {
        let window = APPEND_BYTES_MAX + BATCH_BYTES_MAX + 2 * BLOCK_BYTES;
        let end = segment.file_bytes.min(offset.saturating_add(window));
        let mut torn = 0;
        let mut scan = Scan::new(segment.clone(), self.secret.salt(), offset, segment.file_bytes);
        while scan.offset() < end {
            let at = scan.offset();
            match scan.step()? {
                Step::Batch(header, ..) if header.sequence > self.chain.sequence => {
                    let what = format!(
                        "batch {} is missing or broken, and batch {} at byte {at} shows that it was acknowledged",
                        self.chain.sequence + 1,
                        header.sequence
                    );
                    self.damaged(segment, offset, header.first_position, what)?;
                    return Ok(Some((at, header)));
                }
                Step::Batch(..) => torn = scan.offset() - offset,
                Step::Stop(stop) => {
                    scan.skip_block();
                    if stop == Stop::Broken {
                        torn = scan.offset() - offset;
                    }
                }
            }
        }
        self.report.torn_tail_bytes = torn;
        Ok(None)
    }

    /// A segment after the one the log ends in must hold nothing.
    fn check_empty(&mut self, segment: &Arc<Segment>) -> Result<(), StorageError> {
        let first = Scan::whole(segment.clone(), self.secret.salt()).without_read_ahead().step()?;
        if let Step::Batch(header, ..) = first
            && header.sequence > self.chain.sequence
        {
            let before = self.segments.last().cloned().unwrap_or_else(|| segment.clone());
            let what = format!(
                "batch {} is missing or broken, and batch {} in {} shows that it was acknowledged",
                self.chain.sequence + 1,
                header.sequence,
                segment.name()
            );
            return self.damaged(&before, self.end_offset, header.first_position, what);
        }
        Ok(())
    }

    /// Acknowledged events up to `end` are not there. Fatal, unless the store
    /// is only read.
    fn damaged(
        &mut self,
        segment: &Segment,
        offset: u64,
        end: u64,
        what: String,
    ) -> Result<(), StorageError> {
        let first = Position::new(self.chain.next_position);
        let last = Position::new(end.saturating_sub(1)).max(first);
        let error =
            StorageError::Corrupt { file: segment.name(), offset, positions: Some(first..=last), what };
        if self.options.access == Access::Read {
            self.report.damage = Some(error.to_string());
            return Ok(());
        }
        Err(error)
    }

    fn recent_events_max(&self) -> usize {
        self.options.recent_events_max.max(RECENT_EVENTS_MIN)
    }

    /// The newest file must hold nothing: it is there for the one before it. Its
    /// header is written once more, since a crash while it was made may have left
    /// it short, or whole only in the page cache.
    fn check_stub(&self, number: u32) -> Result<(), StorageError> {
        let name = file_name(number);
        let file = self
            .disk
            .open(&name, self.options.access == Access::Append)
            .map_err(|error| io_error("open", &name, error))?;
        let bytes = file.bytes().map_err(|error| io_error("look at", &name, error))?;
        if bytes >= SEGMENT_HEADER_BYTES + BLOCK_BYTES {
            self.check_holds_nothing(&*file, &name, number, bytes)?;
        }
        match self.options.access {
            Access::Append => write_header(&*file, self.store, number),
            Access::Read => Ok(()),
        }
    }

    fn check_holds_nothing(
        &self,
        file: &dyn DiskFile,
        name: &str,
        number: u32,
        bytes: u64,
    ) -> Result<(), StorageError> {
        let mut block = [0; BLOCK_BYTES as usize];
        read_exact_at(file, &mut block, SEGMENT_HEADER_BYTES)
            .map_err(|error| io_error("read", name, error))?;
        match find(&block, bytes - SEGMENT_HEADER_BYTES, number, self.secret.salt()) {
            Found::Batch(_) | Found::Longer(_) => Err(missing(number + 1)),
            Found::Nothing | Found::Broken => Ok(()),
        }
    }

    /// Whether the last batch is on the disk itself.
    fn is_stored(&self, segment: &Segment, passed: &Passed) -> Result<bool, StorageError> {
        // Built only to see the suites fail: `cargo xtask sabotage`.
        if cfg!(factum_sabotage = "trust_cache") {
            return Ok(true);
        }
        let name = segment.name();
        let appending = self.options.access == Access::Append;
        match segment.file.sync() {
            Err(error) if appending => return Err(io_error("flush", &name, error)),
            // A reader has to take what it can see.
            _ => {}
        }
        let mut stored = vec![0; passed.bytes.len()];
        match read_stored_exact_at(&*segment.file, &mut stored, passed.offset) {
            Ok(()) => Ok(stored == passed.bytes[..]),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                if appending {
                    // The next best: written once more, the same bytes are
                    // dirty again and flushed for certain.
                    write_all_at(&*segment.file, &passed.bytes, passed.offset)
                        .map_err(|error| io_error("write", &name, error))?;
                    segment.file.sync().map_err(|error| io_error("flush", &name, error))?;
                }
                Ok(true)
            }
            Err(error) => Err(io_error("read", &name, error)),
        }
    }

    fn finish(mut self, filling: Arc<Segment>, newest: u32) -> Result<Tried, StorageError> {
        let appending = self.options.access == Access::Append;
        let mut uncovered = false;
        if let Some((segment, passed)) = self.last.take() {
            if !self.is_stored(&segment, &passed)? {
                return Ok(Tried::Phantom(Phantom {
                    segment: segment.number,
                    offset: passed.offset,
                    bytes: passed.bytes.len() as u64,
                }));
            }
            uncovered = passed.header.events > 0;
        }
        let prepared = self.prepared(filling.number + 1, newest)?;
        if appending && prepared.is_none() {
            self.jobs.push(Job::Prepare { segment: filling.number + 1 });
        }
        let committed_end = self.chain.next_position;
        if appending {
            // Looking for the end has had it read ahead, in large pieces of memory: each
            // small write there would look through a whole piece.
            filling.file.uncache_from(filling.committed(|committed| committed.end_offset));
        }
        let sequencer = Sequencer {
            offset: filling.committed(|committed| committed.end_offset),
            segment: filling.clone(),
            next_position: committed_end,
            last_recorded_at: self.chain.recorded_at,
            recent: self.recent,
            open: OpenBatch::default(),
            deferred: Vec::new(),
            last_appends: [0; 2],
            route: Route::default(),
            batch_bytes_expected: 0,
            inbox: std::collections::VecDeque::new(),
            has_ended: false,
        };
        let writer = Writer {
            segment: filling.number,
            sequence: self.chain.sequence,
            crc: self.chain.crc,
            epoch: self.chain.epoch + 1,
            end_offset: filling.committed(|committed| committed.end_offset),
            first_of_epoch: true,
            uncovered,
        };
        let recovered = Recovered {
            live: self.live,
            segments: self.segments,
            sequencer,
            writer,
            prepared,
            committed_end,
        };
        Ok(Tried::Recovered(Box::new((recovered, self.jobs, self.report))))
    }

    /// The next segment, if it has its whole size and its own successor.
    fn prepared(&self, number: u32, newest: u32) -> Result<Option<Arc<Segment>>, StorageError> {
        if number >= newest || self.options.access == Access::Read {
            return Ok(None);
        }
        self.open_segment(number).map(Some)
    }
}

/// The numbers of the segment files, which must have no hole.
fn segment_numbers(disk: &dyn Disk) -> Result<Vec<u32>, StorageError> {
    let entries = disk.list(SEGMENTS_DIR).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => missing(1),
        _ => io_error("list", SEGMENTS_DIR, error),
    })?;
    let found: BTreeMap<u32, ()> =
        entries.iter().filter_map(|entry| Some((number_of(&entry.name)?, ()))).collect();
    for (number, expected) in found.keys().zip(1..) {
        if *number != expected {
            return Err(missing(expected));
        }
    }
    match found.len() {
        0 => Err(missing(1)),
        1 => Err(missing(2)),
        _ => Ok(found.into_keys().collect()),
    }
}

/// A segment file that must be there is not.
fn missing(number: u32) -> StorageError {
    StorageError::Corrupt {
        file: file_name(number),
        offset: 0,
        positions: None,
        what: "the file is missing, and the files before it show that it was there".into(),
    }
}

fn remember(recent: &mut Recent, secret: Secret, view: &RecordView<'_>) {
    // Names were written from text; `follow` has checked the stream's.
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let stream = secret.stream(text(view.stream()));
    recent.push(stream, view.id(), secret.event_id(stream, &view.id()), view.revision());
}
