//! The housekeeper: prepares the segment to come and indexes the one gone by,
//! so that neither costs an append any time.
//!
//! ```text
//!   ┌ sealed ┐┌ full ──┐┌ open ──┐┌ prepared ┐┌ stub ┐
//!   │ n - 2  ││ n - 1  ││   n    ││  n + 1   ││ n + 2│
//!   └────────┘└────────┘└────────┘└──────────┘└──────┘
//!              indexing   filling   reserved,   its file only
//!                                   zeroed
//! ```
//!
//! A prepared segment has its whole size reserved and, unless the log is in a
//! hurry, written with zeros: overwriting blocks that were written before is
//! cheaper to flush than filling blocks that were only reserved.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factum_core::StorageError;
use parking_lot::{Condvar, Mutex};

use crate::disk::DiskFile;
use crate::engine::Engine;
use crate::index::build;
use crate::index::sealed::{self, SealedIndex, SegmentEnd};
use crate::segment::format::SEGMENT_HEADER_BYTES;
use crate::segment::{SEGMENTS_DIR, Segment, create_stub, file_name, io_error, write_header};

/// More full segments without index than this make appends wait: what they
/// need of memory, and of time after a crash, is bounded by it.
pub const FULL_SEGMENTS_MAX: usize = 2;

/// How much is zeroed between two looks at whether the log is in a hurry.
const ZEROES_BYTES: usize = 1024 * 1024;

/// How long to leave the disk to others after each piece.
const ZERO_PACE: Duration = Duration::from_millis(1);

/// Something to be done soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Make this segment ready to be filled.
    Prepare { segment: u32 },
    /// Write the index of this full segment, which ends as said.
    Seal { segment: u32, end: SegmentEnd },
}

/// The housekeeper's list and its results.
pub struct Housekeeper {
    state: Mutex<State>,
    /// Held by the caller that does the list's work, where there is no thread.
    working: Mutex<()>,
    /// The housekeeper's thread sleeps here.
    work: Condvar,
    /// Who waits for a result sleeps here.
    done: Condvar,
    /// Whether somebody waits for the prepared segment.
    hurry: AtomicBool,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    prepared: Option<Arc<Segment>>,
    failed: Option<StorageError>,
    closing: bool,
}

impl Housekeeper {
    /// With this segment prepared already.
    pub fn new(prepared: Option<Arc<Segment>>) -> Self {
        Self {
            state: Mutex::new(State { prepared, ..State::default() }),
            working: Mutex::new(()),
            work: Condvar::new(),
            done: Condvar::new(),
            hurry: AtomicBool::new(false),
        }
    }

    /// Adds to the list.
    pub fn push(&self, job: Job) {
        self.state.lock().jobs.push_back(job);
        self.work.notify_one();
    }

    /// Has whoever waits look again.
    pub fn wake(&self) {
        let _state = self.state.lock();
        self.done.notify_all();
    }

    /// Finishes the list and ends the thread.
    pub fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_all();
        self.done.notify_all();
    }

    /// The prepared segment, which must be this one. Waits for it, and for
    /// room in the list of full segments.
    pub fn take_prepared(&self, engine: &Engine, number: u32) -> Result<Arc<Segment>, StorageError> {
        self.hurry.store(true, Ordering::Relaxed);
        let mut tried = false;
        let prepared = loop {
            if !engine.has_own_threads() {
                self.run_jobs(engine);
            }
            let mut state = self.state.lock();
            if let Some(poisoned) = engine.poisoned() {
                break Err(poisoned);
            }
            if let Some(error) = &state.failed {
                if tried {
                    // It stays, so that the next append has it tried again.
                    break Err(error.clone());
                }
                // An old answer: there may be room by now.
                tried = true;
                state.failed = None;
                state.jobs.push_back(Job::Prepare { segment: number });
                self.work.notify_one();
            }
            if state.jobs.iter().filter(|job| matches!(job, Job::Seal { .. })).count() < FULL_SEGMENTS_MAX
                && let Some(segment) = state.prepared.take_if(|segment| segment.number == number)
            {
                break Ok(segment);
            }
            if engine.has_own_threads() {
                self.done.wait(&mut state);
            } else if state.jobs.is_empty() {
                state.jobs.push_back(Job::Prepare { segment: number });
            }
        };
        self.hurry.store(false, Ordering::Relaxed);
        prepared
    }

    /// Does everything on the list, and has whoever comes meanwhile wait: what
    /// is being done must not be begun again.
    pub fn run_jobs(&self, engine: &Engine) {
        let _working = self.working.lock();
        loop {
            let Some(job) = self.state.lock().jobs.pop_front() else { return };
            self.run_job(engine, job);
        }
    }

    /// Whether a segment is prepared, or in use already: preparing it once more
    /// would write zeros over it.
    fn is_ready(&self, engine: &Engine, number: u32) -> bool {
        let prepared = self.state.lock().prepared.as_ref().map(|segment| segment.number);
        prepared == Some(number) || engine.segment(number).is_some()
    }

    fn run_job(&self, engine: &Engine, job: Job) {
        let result = match job {
            Job::Prepare { segment } if self.is_ready(engine, segment) => Ok(()),
            Job::Prepare { segment } if engine.poisoned().is_none() => prepare(engine, segment, &self.hurry)
                .map(|segment| {
                    self.state.lock().prepared = Some(segment);
                }),
            Job::Seal { segment, end } => {
                // Without its index a segment stays live: that costs memory,
                // and the next opening builds it. No reason to stop.
                let _ = seal(engine, segment, end);
                Ok(())
            }
            Job::Prepare { .. } => Ok(()),
        };
        let mut state = self.state.lock();
        if let Err(error) = result {
            // A full disk may have room again later; anything else will not mend itself.
            if !matches!(error, StorageError::DiskFull { .. }) {
                engine.poison_holding(&error);
            }
            state.failed = Some(error);
        }
        drop(state);
        self.done.notify_all();
    }

    /// The housekeeper's thread.
    pub fn run(&self, engine: &Engine) {
        loop {
            let mut state = self.state.lock();
            while state.jobs.is_empty() {
                if state.closing {
                    return;
                }
                self.work.wait(&mut state);
            }
            let job = state.jobs.pop_front();
            drop(state);
            if let Some(job) = job {
                self.run_job(engine, job);
            }
        }
    }
}

/// Makes a segment ready whose stub exists, and lays the stub of the next.
pub fn prepare(engine: &Engine, number: u32, hurry: &AtomicBool) -> Result<Arc<Segment>, StorageError> {
    let name = file_name(number);
    let file = engine.disk.open(&name, true).map_err(|error| io_error("open", &name, error))?;
    let bytes = engine.store.segment_bytes(number);
    reserve(&*file, &name, bytes)?;
    if engine.options.zero_segments {
        zero(&*file, bytes, ZERO_PACE, hurry).map_err(|error| io_error("write", &name, error))?;
    }
    file.sync().map_err(|error| io_error("flush", &name, error))?;
    lay_stub(engine, number + 1)?;
    Ok(Arc::new(Segment::new(number, file, bytes, 0)))
}

/// Gives a segment's file its whole size.
pub fn reserve(file: &dyn DiskFile, name: &str, bytes: u64) -> Result<(), StorageError> {
    file.allocate(bytes).map_err(|error| io_error("reserve room for", name, error))
}

fn lay_stub(engine: &Engine, number: u32) -> Result<(), StorageError> {
    match create_stub(&*engine.disk, &engine.store, number) {
        // From a try that did not finish. It may hold no header yet; a file is
        // never removed, for if it holds more than that it is somebody's log.
        Err(StorageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            let name = file_name(number);
            let file = engine.disk.open(&name, true).map_err(|error| io_error("open", &name, error))?;
            write_header(&*file, &engine.store, number)?;
            engine.disk.sync_dir(SEGMENTS_DIR).map_err(|error| io_error("flush", SEGMENTS_DIR, error))
        }
        result => result,
    }
}

/// Writes zeros behind the header until all is written or somebody is in a
/// hurry. Little by little, so that a flush of the log never waits for much.
pub fn zero(file: &dyn DiskFile, bytes: u64, pace: Duration, hurry: &AtomicBool) -> std::io::Result<()> {
    let mut at = SEGMENT_HEADER_BYTES;
    while at < bytes && !hurry.load(Ordering::Relaxed) {
        let length = ZEROES_BYTES.min((bytes - at) as usize);
        match file.write_zeros_at(length, at) {
            Ok(written) => at += written.max(1) as u64,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        std::thread::sleep(pace);
    }
    Ok(())
}

/// Writes a full segment's index and lets go of what it replaces.
fn seal(engine: &Engine, number: u32, end: SegmentEnd) -> Result<(), StorageError> {
    let Some(segment) = engine.segment(number) else { return Ok(()) };
    let Some(live) = engine.live.read().full_segment(number) else { return Ok(()) };
    let batches = segment.committed(|committed| committed.batches.clone());
    let bytes = build::build(engine.store.id, &live, &batches, end);
    sealed::write(&*engine.disk, number, &bytes)?;
    // Kept at hand for whoever reads there already; others load the file.
    if live.is_asked()
        && let Ok(index) = SealedIndex::from_bytes(bytes.into(), engine.store.id, number)
    {
        engine.indexes.insert(number, Arc::new(index));
    }
    segment.seal();
    drop(live);
    let left = engine.live.write().drop_segment(number);
    drop(left);
    Ok(())
}
