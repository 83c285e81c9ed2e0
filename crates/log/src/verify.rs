//! Checks a store that nobody has open, without changing it.

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use factum_core::{Position, StorageError};

use crate::OpenError;
use crate::disk::{Disk, FileDisk};
use crate::follow::Chain;
use crate::index::live::Live;
use crate::index::sealed::{self, SealedIndex, SegmentEnd, Unusable};
use crate::index::{build, keys};
use crate::options::{Access, Create};
use crate::segment::batch::BatchHeader;
use crate::segment::format::{BATCH_HEADER_BYTES, BLOCK_BYTES, SEGMENT_HEADER_BYTES};
use crate::segment::record::{is_intact, records};
use crate::segment::scan::{Scan, Step, Stop};
use crate::segment::{BatchEntry, SEGMENTS_DIR, Segment, check_header, file_name, io_error, number_of};
use crate::store_file::StoreFile;

/// How much to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// File headers, sizes, the chain between segments, index checksums, and
    /// all of the open segment. Time does not grow with the store.
    Fast,
    /// Every byte: every batch and record checksum, every stream's revisions,
    /// and each index compared with one rebuilt from the log.
    Deep,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    #[allow(missing_docs)]
    pub segments: u64,
    #[allow(missing_docs)]
    pub batches: u64,
    #[allow(missing_docs)]
    pub events: u64,
    /// Bytes whose checksums were recomputed.
    pub bytes: u64,
    /// Bytes after the last whole batch that a crash left behind and the next
    /// opening cuts off; never acknowledged, so no damage.
    pub torn_tail_bytes: u64,
    /// What does not hold, in the order found; empty means the store is whole.
    pub damage: Vec<Damage>,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the store.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// Which positions are concerned, where that is known.
    pub positions: Option<RangeInclusive<Position>>,
    /// What does not hold.
    pub what: String,
    /// Whether opening the store mends it (an index) or not (the log).
    pub rebuildable: bool,
}

/// How far a check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes looked at.
    pub bytes_done: u64,
    /// Bytes there are to look at.
    pub bytes_total: u64,
}

/// Checks the store at `path`, telling `progress` how far it has come.
pub fn verify(path: &Path, depth: Depth, progress: &mut dyn FnMut(Progress)) -> Result<Report, OpenError> {
    verify_on(&FileDisk::new(path), &path.display().to_string(), depth, progress)
}

/// The same on any disk; `path` is for messages.
pub fn verify_on(
    disk: &dyn Disk,
    path: &str,
    depth: Depth,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, OpenError> {
    // Before the lock, whose file has no place in a directory that is no store.
    crate::log::look(disk, path, Create::Never, Access::Read)?;
    let _lock = match disk.lock() {
        Ok(lock) => Some(lock),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let holder = disk.lock_holder().unwrap_or_else(|| "another process".into());
            return Err(OpenError::Locked { path: path.into(), holder });
        }
        // Where nothing can be written, nobody appends.
        Err(_) => None,
    };
    let Some(store) = StoreFile::load(disk, path)? else {
        return Err(OpenError::NotFound { path: path.into() });
    };
    let mut check = Check {
        disk,
        store,
        depth,
        report: Report::default(),
        chain: Chain::START,
        whole: true,
        live: Live::default(),
        end: (file_name(1), SEGMENT_HEADER_BYTES),
    };
    let numbers = check.segment_numbers()?;
    let bytes_total = numbers.iter().map(|number| check.store.segment_bytes(*number)).sum();
    let mut bytes_done = 0;
    progress(Progress { bytes_done, bytes_total });
    for number in &numbers[..numbers.len().saturating_sub(1)] {
        check.segment(*number)?;
        bytes_done += check.store.segment_bytes(*number);
        progress(Progress { bytes_done, bytes_total });
    }
    if let Some(number) = numbers.last() {
        check.stub(*number)?;
    }
    progress(Progress { bytes_done: bytes_total, bytes_total });
    Ok(check.report)
}

struct Check<'a> {
    disk: &'a dyn Disk,
    store: StoreFile,
    depth: Depth,
    report: Report,
    chain: Chain,
    /// Whether everything so far was whole, so that revisions and indexes can
    /// be compared with what they must be.
    whole: bool,
    live: Live,
    /// Where the chain ended: file and offset.
    end: (String, u64),
}

impl Check<'_> {
    fn damage(&mut self, file: String, offset: u64, positions: Option<(u64, u64)>, what: impl Into<String>) {
        let positions = positions
            .filter(|(first, end)| first < end)
            .map(|(first, end)| Position::new(first)..=Position::new(end - 1));
        self.report.damage.push(Damage { file, offset, positions, what: what.into(), rebuildable: false });
        self.whole = false;
    }

    fn index_damage(&mut self, number: u32, what: impl Into<String>) {
        let (file, what) = (sealed::file_name(number), what.into());
        self.report.damage.push(Damage { file, offset: 0, positions: None, what, rebuildable: true });
    }

    /// The numbers of the segment files; a hole in them is damage.
    fn segment_numbers(&mut self) -> Result<Vec<u32>, StorageError> {
        let entries = self.disk.list(SEGMENTS_DIR).map_err(|error| io_error("list", SEGMENTS_DIR, error))?;
        let mut numbers: Vec<u32> = entries.iter().filter_map(|entry| number_of(&entry.name)).collect();
        numbers.sort_unstable();
        let last = numbers.last().copied().unwrap_or(0);
        for number in (1..=last.max(2)).filter(|number| !numbers.contains(number)) {
            self.damage(file_name(number), 0, None, "the file is missing");
        }
        Ok(numbers)
    }

    fn open(&mut self, number: u32) -> Result<Option<Arc<Segment>>, StorageError> {
        let name = file_name(number);
        let file = match self.disk.open(&name, false) {
            Ok(file) => file,
            Err(error) => {
                self.damage(name, 0, None, format!("it cannot be opened: {error}"));
                return Ok(None);
            }
        };
        let expected = self.store.segment_bytes(number);
        let bytes = file.bytes().map_err(|error| io_error("look at", &name, error))?;
        if bytes != expected {
            self.damage(
                name,
                bytes.min(expected),
                None,
                format!("the file has {bytes} bytes instead of {expected}"),
            );
            return Ok(None);
        }
        match check_header(&*file, &self.store, number) {
            Ok(()) => Ok(Some(Arc::new(Segment::new(number, file, expected, self.chain.next_position)))),
            Err(StorageError::Corrupt { file, offset, what, .. }) => {
                self.damage(file, offset, None, what);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn segment(&mut self, number: u32) -> Result<(), StorageError> {
        let index = SealedIndex::load(self.disk, self.store.id, number)?;
        let Some(segment) = self.open(number)? else { return Ok(()) };
        self.report.segments += 1;
        if self.depth == Depth::Fast
            && let Ok(index) = &index
            && self.is_linked(&segment, index)?
        {
            let end = index.end();
            self.report.events += index.end_position() - index.first_position();
            self.report.batches += index.batches() as u64;
            self.report.bytes += index.bytes().len() as u64;
            self.chain = Chain {
                sequence: end.last_sequence,
                crc: end.last_crc,
                next_position: index.end_position(),
                recorded_at: index.last_recorded_at(),
                epoch: 0,
            };
            self.end = (segment.name(), end.end_offset);
            return Ok(());
        }
        let found = self.batches(&segment)?;
        if found.batches.is_empty() {
            return Ok(());
        }
        self.index(&segment, index, found)
    }

    /// Whether a segment's first batch continues the chain, as its index says.
    fn is_linked(&self, segment: &Segment, index: &SealedIndex) -> Result<bool, StorageError> {
        let mut block = [0; BLOCK_BYTES as usize];
        segment.read(&mut block, SEGMENT_HEADER_BYTES)?;
        let header = BatchHeader::parse(&block);
        Ok(index.first_position() == self.chain.next_position
            && header.is_some_and(|header| {
                header.sequence == self.chain.sequence + 1 && header.previous_crc == self.chain.crc
            }))
    }

    /// Every batch of a segment.
    fn batches(&mut self, segment: &Arc<Segment>) -> Result<Found, StorageError> {
        let mut found = Found { whole: self.whole, ..Found::default() };
        let mut scan = Scan::whole(segment.clone(), self.store.secret.salt());
        // The first place where no batch was, since the last batch.
        let mut gap: Option<(u64, Stop)> = None;
        let mut torn = 0;
        loop {
            let offset = scan.offset();
            match scan.step() {
                Ok(Step::Batch(header, _, bytes)) if header.sequence > self.chain.sequence => {
                    self.link(segment, &header, offset, gap.take());
                    if found.batches.is_empty() {
                        self.live.begin_segment(segment.number, header.first_position);
                    }
                    self.records(segment, &header, offset, &bytes);
                    if header.events > 0 {
                        let (first_position, recorded_at) = (header.first_position, header.recorded_at);
                        found.batches.push(BatchEntry { first_position, recorded_at, offset });
                    }
                    found.end = SegmentEnd {
                        end_offset: scan.offset(),
                        last_sequence: header.sequence,
                        last_crc: header.crc,
                    };
                    self.report.batches += 1;
                    self.report.bytes += header.padded_bytes();
                    self.end = (segment.name(), scan.offset());
                    torn = 0;
                }
                // Of an earlier life, or not in its place.
                Ok(Step::Batch(..)) => {
                    let (from, _) = *gap.get_or_insert((offset, Stop::Broken));
                    torn = scan.offset() - from;
                }
                Ok(Step::Stop(Stop::End)) => break,
                Ok(Step::Stop(stop)) => {
                    let (from, _) = *gap.get_or_insert((offset, stop));
                    scan.skip_block();
                    if stop == Stop::Broken {
                        torn = scan.offset() - from;
                    }
                }
                Err(error) => {
                    self.damage(segment.name(), offset, None, format!("it cannot be read: {error}"));
                    scan.skip_block();
                }
            }
        }
        // A prepared segment behind the end has no say.
        if found.end.last_sequence > 0 || torn > 0 {
            self.report.torn_tail_bytes = torn;
        }
        found.whole &= self.whole;
        Ok(found)
    }

    /// Whether a batch follows the one before it.
    fn link(&mut self, segment: &Segment, header: &BatchHeader, offset: u64, gap: Option<(u64, Stop)>) {
        let before = std::mem::replace(
            &mut self.chain,
            Chain {
                sequence: header.sequence,
                crc: header.crc,
                next_position: header.end_position(),
                recorded_at: header.recorded_at,
                epoch: header.epoch,
            },
        );
        if gap.is_none() && before.continues_with(header) {
            return;
        }
        let lost = (before.next_position, header.first_position);
        let (file, at) = match gap {
            Some((at, _)) => (segment.name(), at),
            None if offset == SEGMENT_HEADER_BYTES => self.end.clone(),
            None => (segment.name(), offset),
        };
        let what = match header.sequence - before.sequence {
            1 => format!("batch {} does not continue the log before it", header.sequence),
            2 => format!("batch {} is broken or missing", before.sequence + 1),
            _ => format!("batches {} to {} are broken or missing", before.sequence + 1, header.sequence - 1),
        };
        self.damage(file, at, Some(lost), what);
    }

    /// Every record of a batch.
    fn records(&mut self, segment: &Segment, header: &BatchHeader, offset: u64, bytes: &[u8]) {
        let body = &bytes[BATCH_HEADER_BYTES..BATCH_HEADER_BYTES + header.body_bytes as usize];
        let (mut position, mut end) = (header.first_position, 0);
        for (at, view) in records(body) {
            let record_offset = offset + (BATCH_HEADER_BYTES + at) as u64;
            let wrong = if !is_intact(view.bytes(), self.store.secret.salt()) {
                Some("the checksum of a record does not match".to_owned())
            } else if view.position() != position {
                Some(format!("a record says it is at position {}", view.position()))
            } else {
                self.revision(&view, position, record_offset)
            };
            if let Some(what) = wrong {
                self.damage(segment.name(), record_offset, Some((position, position + 1)), what);
            }
            position += 1;
            end = at + view.bytes().len();
        }
        self.report.events += position - header.first_position;
        if position != header.end_position() || end != body.len() {
            let what = format!(
                "the batch holds {} records, not {}",
                position - header.first_position,
                header.events
            );
            self.damage(segment.name(), offset, Some((position, header.end_position())), what);
        }
    }

    fn revision(
        &mut self,
        view: &crate::segment::record::RecordView<'_>,
        position: u64,
        offset: u64,
    ) -> Option<String> {
        // Behind damage, or a segment that was only looked at by its index,
        // nobody knows what revision is due.
        if !self.whole || self.depth == Depth::Fast {
            return None;
        }
        let Ok(name) = std::str::from_utf8(view.stream()) else {
            return Some("the name of a stream is no UTF-8".into());
        };
        let secret = self.store.secret;
        let keys = keys::of_record(secret, view);
        let due = self.live.record(secret.stream(name), position, offset, &keys, secret.beginning());
        (due != view.revision()).then(|| {
            format!("an event of stream {name:?} says it has revision {}, and {due} is due", view.revision())
        })
    }

    /// An index against the one its segment gives.
    fn index(
        &mut self,
        segment: &Segment,
        index: Result<SealedIndex, Unusable>,
        found: Found,
    ) -> Result<(), StorageError> {
        let is_full = self.goes_on_in(segment.number + 1);
        let index = match index {
            // The segment being filled has none yet.
            Err(_) if !is_full => return Ok(()),
            // Of another version of this program: the next opening builds it again.
            Err(Unusable::OtherFormat(_)) => return Ok(()),
            Err(Unusable::Wrong(what)) => {
                self.index_damage(segment.number, what);
                return Ok(());
            }
            Ok(index) => index,
        };
        if !found.whole || self.depth == Depth::Fast {
            return Ok(());
        }
        self.live.begin_segment(segment.number + 1, self.chain.next_position);
        let full = self.live.full_segment(segment.number).unwrap_or_default();
        let rebuilt = build::build(self.store.id, &full, &found.batches, found.end);
        self.live.drop_segment(segment.number);
        if rebuilt != index.bytes()[..] {
            self.index_damage(segment.number, "it differs from the one its segment gives");
        }
        Ok(())
    }

    /// Whether the log goes on in a segment: a torn batch there, which was
    /// never acknowledged, does not make the one before it full.
    fn goes_on_in(&self, number: u32) -> bool {
        let opened = self.disk.open(&file_name(number), false);
        let Ok((file, bytes)) = opened.and_then(|file| Ok((file.clone(), file.bytes()?))) else {
            return false;
        };
        let segment = Arc::new(Segment::new(number, file, bytes, self.chain.next_position));
        let first = Scan::whole(segment, self.store.secret.salt()).without_read_ahead().step();
        matches!(first, Ok(Step::Batch(header, ..)) if header.sequence > self.chain.sequence)
    }

    /// The newest file must hold nothing.
    fn stub(&mut self, number: u32) -> Result<(), StorageError> {
        if has_batches(self.disk, number)? {
            self.damage(
                file_name(number + 1),
                0,
                None,
                "the file is missing, and the one before it is in use",
            );
        }
        Ok(())
    }
}

#[derive(Default)]
struct Found {
    batches: Vec<BatchEntry>,
    end: SegmentEnd,
    whole: bool,
}

/// Whether a segment file begins with a batch.
pub(crate) fn has_batches(disk: &dyn Disk, number: u32) -> Result<bool, StorageError> {
    let name = file_name(number);
    let Ok(file) = disk.open(&name, false) else { return Ok(false) };
    let mut block = [0; BLOCK_BYTES as usize];
    match crate::disk::read_exact_at(&*file, &mut block, SEGMENT_HEADER_BYTES) {
        Ok(()) => Ok(BatchHeader::parse(&block).is_some()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(io_error("read", &name, error)),
    }
}
