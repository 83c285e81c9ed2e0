//! The smallest log that keeps its word, and ways for it not to: what the
//! simulation is tried on, so that a failing story accuses the log and not
//! the story.
//!
//! ```text
//!   log   ┌──────────┬──────────┬──────────┬─────────────
//!         │ n  check │ n  check │ n  check │ anything
//!         └──────────┴──────────┴──────────┴─────────────
//!           16 bytes: the n-th append this process has seen
//! ```
//!
//! It writes down which appends were asked for, and judges them, then and when
//! it is opened again, by giving them to [`MemoryStore`] in this order. The
//! appends themselves stay in this process's memory, which the simulated
//! machine has no power over.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use factum_core::answers::Each;
use factum_core::*;
use factum_log::OpenError;
use factum_log::disk::{Disk, DiskFile, DiskLock, read_exact_at, write_all_at};

use super::Subject;

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// Acknowledges what was written and not synced.
    DoesNotSync,
    /// Does not make the name of its file durable.
    DoesNotSyncDir,
    /// Goes on after a failed sync, syncing again.
    SyncsAgain,
    /// Serves what it finds without making it durable.
    ServesPhantoms,
    /// Leaves what stands behind the torn tail.
    LeavesTail,
    /// Believes records without a checksum.
    DoesNotCheck,
    /// Answers before it writes.
    AnswersFirst,
    /// Cuts off the last whole record.
    CutsTooMuch,
    /// Applies the appends of one commit in reverse.
    CommitsInReverse,
}

impl Flaw {
    pub const ALL: [Self; 9] = [
        Self::DoesNotSync,
        Self::DoesNotSyncDir,
        Self::SyncsAgain,
        Self::ServesPhantoms,
        Self::LeavesTail,
        Self::DoesNotCheck,
        Self::AnswersFirst,
        Self::CutsTooMuch,
        Self::CommitsInReverse,
    ];
}

const FILE: &str = "log";
const FRESH: &str = "log.fresh";
const RECORD_BYTES: usize = 16;

thread_local! {
    /// Every append of this thread's stories: what a real log would have in
    /// its records. The first number is not given out, as it is all zeros.
    static SEEN: RefCell<Vec<(Append, Timestamp)>> = RefCell::new(vec![(Append::default(), Timestamp::MIN)]);
}

pub struct Straw(Arc<Mutex<Inner>>);

struct Inner {
    flaw: Flaw,
    file: Arc<dyn DiskFile>,
    end: u64,
    clock: Arc<dyn Clock>,
    committed: MemoryStore,
    /// Shows the time of the append that is applied.
    committed_clock: Arc<ManualClock>,
    waiting: Vec<Waiting>,
    failed: Option<Arc<str>>,
    _lock: Box<dyn DiskLock>,
}

struct Waiting {
    append: Append,
    answer: Arc<Mutex<Option<Result<Appended, AppendError>>>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(number: u64, offset: u64) -> u64 {
    // Any mixing will do: a torn record must not pass by accident.
    let mut mixed = number ^ offset.rotate_left(32) ^ 0x9E37_79B9_7F4A_7C15;
    for _ in 0..3 {
        mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    mixed
}

impl Inner {
    fn recover(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let mut bytes = vec![0; self.file.bytes()? as usize];
        read_exact_at(&*self.file, &mut bytes, 0)?;
        let mut offset = 0;
        for record in bytes.chunks_exact(RECORD_BYTES) {
            let word = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
            let passes = if self.flaw == Flaw::DoesNotCheck {
                word(0) != 0
            } else {
                word(8) == check(word(0), offset)
            };
            if !passes {
                break;
            }
            offset += RECORD_BYTES as u64;
        }
        if self.flaw == Flaw::CutsTooMuch {
            offset = offset.saturating_sub(RECORD_BYTES as u64);
        }
        self.end = offset;
        let has_tail = bytes.len() as u64 > offset;
        if self.flaw != Flaw::LeavesTail {
            bytes.truncate(offset as usize);
        }
        if has_tail || self.flaw != Flaw::ServesPhantoms {
            self.replace(disk, &bytes)?;
        }
        for record in bytes[..offset as usize].chunks_exact(RECORD_BYTES) {
            let number = u64::from_le_bytes(record[..8].try_into().unwrap());
            if let Err(AppendError::Storage(damage)) = self.apply(number) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, damage));
            }
        }
        Ok(())
    }

    /// Goes on in a fresh file: what was read may be in the page cache only,
    /// and to write it again where it is would risk what is durable.
    fn replace(&mut self, disk: &dyn Disk, bytes: &[u8]) -> io::Result<()> {
        if disk.list("")?.iter().any(|entry| entry.name == FRESH) {
            disk.remove(FRESH)?;
        }
        self.file = disk.create(FRESH)?;
        write_all_at(&*self.file, bytes, 0)?;
        self.file.sync()?;
        disk.rename(FRESH, FILE)?;
        if self.flaw == Flaw::DoesNotSyncDir { Ok(()) } else { disk.sync_dir("") }
    }

    fn apply(&self, number: u64) -> Result<Appended, AppendError> {
        let seen = SEEN.with_borrow(|seen| seen.get(number as usize).cloned());
        let Some((append, time)) = seen else {
            let what = "no such append".to_owned();
            let damage = StorageError::Corrupt { file: FILE.to_owned(), offset: 0, positions: None, what };
            return Err(damage.into());
        };
        self.committed_clock.set(time);
        let appended = self.committed.append(append)?;
        Ok(Appended { durability: Durability::Disk, ..appended })
    }

    fn commit(&mut self) -> Result<(), StorageError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        if let Some(cause) = self.failed.clone() {
            for Waiting { answer, .. } in waiting {
                *held(&answer) = Some(Err(StorageError::Poisoned { cause: cause.clone() }.into()));
            }
            return Ok(());
        }
        if self.flaw == Flaw::CommitsInReverse {
            waiting.reverse();
        }
        let now = self.clock.now();
        let mut bytes = Vec::new();
        let mut numbers = Vec::new();
        for Waiting { append, .. } in &waiting {
            let offset = self.end + bytes.len() as u64;
            let number = SEEN.with_borrow_mut(|seen| {
                seen.push((append.clone(), now));
                seen.len() as u64 - 1
            });
            bytes.extend(number.to_le_bytes());
            bytes.extend(check(number, offset).to_le_bytes());
            numbers.push(number);
        }
        if self.flaw == Flaw::AnswersFirst {
            for (Waiting { answer, .. }, number) in waiting.iter().zip(&numbers) {
                *held(answer) = Some(self.apply(*number));
            }
        }
        let mut written = write_all_at(&*self.file, &bytes, self.end);
        if written.is_ok() && self.flaw != Flaw::DoesNotSync {
            written = self.file.sync();
            if written.is_err() && self.flaw == Flaw::SyncsAgain {
                written = self.file.sync();
            }
        }
        if self.flaw == Flaw::AnswersFirst {
            self.end += bytes.len() as u64;
            return Ok(());
        }
        if let Err(error) = written {
            let cause: Arc<str> = error.to_string().into();
            self.failed = Some(cause.clone());
            for Waiting { answer, .. } in waiting {
                let failed = StorageError::Poisoned { cause: cause.clone() };
                *held(&answer) = Some(Err(AppendError::Unknown(failed)));
            }
            return Err(StorageError::Poisoned { cause });
        }
        self.end += bytes.len() as u64;
        for (Waiting { answer, .. }, number) in waiting.iter().zip(numbers) {
            *held(answer) = Some(self.apply(number));
        }
        Ok(())
    }
}

impl Subject for Straw {
    const REWRITES: bool = false;
    type Options = Flaw;

    fn open_on(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, flaw: &Flaw) -> Result<Self, OpenError> {
        let failed = |source: io::Error| StorageError::Io {
            doing: "open",
            file: FILE.to_owned(),
            source: Arc::new(source),
        };
        let opened = (|| {
            disk.create_root()?;
            let lock = disk.lock()?;
            let file = match disk.open(FILE, true) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(FILE),
                opened => opened,
            }?;
            if *flaw != Flaw::DoesNotSyncDir {
                disk.sync_dir("")?;
            }
            let committed_clock = Arc::new(ManualClock::default());
            let committed = MemoryStore::with_clock(committed_clock.clone());
            let (flaw, waiting) = (*flaw, Vec::new());
            let (end, failed, _lock) = (0, None, lock);
            let mut inner =
                Inner { flaw, file, end, clock, committed, committed_clock, waiting, failed, _lock };
            inner.recover(&*disk)?;
            Ok(Self(Arc::new(Mutex::new(inner))))
        })();
        opened.map_err(|error| OpenError::Storage(failed(error)))
    }

    fn pump(&self) -> Result<(), StorageError> {
        held(&self.0).commit()
    }

    fn close(self) -> Result<(), StorageError> {
        self.pump()
    }
}

impl EventStore for Straw {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        append.validate()?;
        let answer = Arc::default();
        let mut inner = held(&self.0);
        inner.waiting.push(Waiting { append: append.clone(), answer: Arc::clone(&answer) });
        let _ = inner.commit();
        held(&answer).take().expect("a commit answers what waits")
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        let answer = Arc::default();
        held(&self.0).waiting.push(Waiting { append: append.clone(), answer: Arc::clone(&answer) });
        Box::pin(std::future::poll_fn(move |_| match held(&answer).take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        }))
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        Box::new(Each::of(appends.map(|append| self.append_async(&append))))
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        EventStore::read(&held(&self.0).committed, read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        held(&self.0).committed.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        held(&self.0).committed.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        held(&self.0).committed.last_position()
    }
}
