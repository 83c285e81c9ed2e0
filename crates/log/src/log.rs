//! [`Log`]: the event store on a disk.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use event_listener::EventListener;
use factum_core::answers::Each;
use factum_core::{
    Answers, Append, AppendError, AppendFuture, Appended, CursorSource, CursorSubscription, EventStore,
    Events, Position, Read, ReadError, StorageError, Subscribe, SubscribeError, Subscription, WhenFull,
};
use parking_lot::Mutex;

use crate::disk::{Disk, DiskLock, FileDisk};
use crate::each;
use crate::engine::Engine;
use crate::error::OpenError;
use crate::index::sealed::INDEX_DIR;
use crate::options::{Access, Create, LogOptions};
use crate::recover::{self, Recovery};
use crate::reply::Reply;
use crate::request::{self, Request};
use crate::resolve;
use crate::segment::format::batch_flags;
use crate::segment::{SEGMENTS_DIR, file_name, io_error, number_of};
use crate::sequencer::Sequencer;
use crate::stats::{SegmentStats, Stats};
use crate::store_file::{STORE_FILE, StoreFile};
use crate::verify;

/// An event store in a directory. Clones share it; the last one dropped
/// closes it.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    engine: Arc<Engine>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn DiskLock>>>,
    recovery: Recovery,
}

/// What may stand in a directory that is to become, or half became, a store.
const OWN_ENTRIES: [&str; 5] = ["LOCK", "STORE.tmp", "segments", "index", STORE_FILE];

impl Log {
    /// Opens, or creates, the store in a directory.
    pub fn open(path: &Path, options: LogOptions) -> Result<Self, OpenError> {
        Self::open_named(Arc::new(FileDisk::new(path)), &path.display().to_string(), options)
    }

    /// The same on any disk.
    pub fn open_on(disk: Arc<dyn Disk>, options: LogOptions) -> Result<Self, OpenError> {
        Self::open_named(disk, "this disk", options)
    }

    #[cfg(test)]
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    fn open_named(disk: Arc<dyn Disk>, path: &str, options: LogOptions) -> Result<Self, OpenError> {
        let is_there = look(&*disk, path, options.create, options.access)?;
        let lock = lock(&*disk, path, &options)?;
        let store = match StoreFile::load(&*disk, path)? {
            Some(store) => store,
            None if is_there => return Err(OpenError::NotFound { path: path.into() }),
            None => recover::create(&*disk, &options)?,
        };
        let (recovered, jobs, recovery) = recover::recover(&disk, &store, &options)?;
        let engine = Arc::new(Engine::new(disk, store, options, recovered));
        for job in jobs {
            engine.housekeeper.push(job);
        }
        let shared = Shared { engine, threads: Mutex::default(), lock: Mutex::new(lock), recovery };
        // Dropped on failure, it ends those that did start.
        shared.start_threads()?;
        Ok(Self(Arc::new(shared)))
    }

    /// Stops accepting appends, writes what waits, confirms it, and lets go of
    /// the files. Later calls on clones answer that the store is closed.
    pub fn close(self) -> Result<(), StorageError> {
        self.0.close()
    }

    /// With [`Threads::None`](crate::Threads::None): commits everything that waits and does the
    /// housekeeping that is due.
    pub fn pump(&self) -> Result<(), StorageError> {
        let engine = &self.0.engine;
        if !engine.has_own_threads() {
            engine.sequencer.lock().drive(engine);
            // A store that is only read is left as it is.
            if engine.options.access == Access::Append {
                engine.housekeeper.run_jobs(engine);
            }
        }
        engine.poisoned().map_or(Ok(()), Err)
    }

    /// What was found, and mended, when the store was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.0.recovery
    }

    /// A summary.
    pub fn stats(&self) -> Stats {
        let engine = &self.0.engine;
        let end = engine.committed_end();
        let segments: Vec<SegmentStats> = engine
            .segments
            .read()
            .iter()
            .map(|segment| {
                let (first, end, end_offset) =
                    segment.committed(|c| (c.first_position, c.end_position, c.end_offset));
                SegmentStats {
                    number: segment.number,
                    first_position: (end > first).then(|| Position::new(first)),
                    events: end - first,
                    log_bytes: end_offset,
                    file_bytes: segment.file_bytes,
                    sealed: segment.is_sealed(),
                }
            })
            .collect();
        let listed = ["segments", "index", ""].map(|dir| engine.disk.list(dir).unwrap_or_default());
        Stats {
            events: end,
            streams: engine.live.read().streams() as u64,
            last_position: Position::new(end).previous(),
            last_recorded_at: engine.segments.read().iter().rev().find_map(|segment| {
                segment.committed(|c| (c.end_position > c.first_position).then_some(c.last_recorded_at))
            }),
            log_bytes: segments.iter().map(|segment| segment.log_bytes).sum(),
            disk_bytes: listed.iter().flatten().map(|entry| entry.bytes).sum(),
            segments,
        }
    }

    /// An append, ready to be judged.
    fn request(
        &self,
        append: &Append,
        may_wait: bool,
        reply: Reply,
    ) -> Result<Box<Request>, (AppendError, Reply)> {
        let engine = &self.0.engine;
        let check = || {
            engine.check_appendable()?;
            let bytes = request::check(append, engine.append_bytes_max())?;
            Ok((bytes, resolve::condition(engine, append, may_wait)?))
        };
        match check() {
            Ok((bytes, condition)) => {
                let mut request = Request::new(engine.store.secret, 1, bytes, &engine.buffers, reply);
                request.add(append, condition, engine.store.secret);
                Ok(request)
            }
            Err(error) => Err((error, reply)),
        }
    }

    /// A caller that waits holds its events in memory either way, so waiting is
    /// being queued; only one that would rather not is counted out.
    fn push(&self, request: Box<Request>, when_full: WhenFull) {
        let engine = &self.0.engine;
        let (waiting, limit) = (engine.mailbox.waiting_bytes(), engine.options.queue_bytes_max);
        match request::check_room(when_full, request.records.len(), waiting, limit) {
            Ok(()) => engine.mailbox.push(request),
            Err(refused) => request.reply.send(Err(refused)),
        }
    }
}

impl EventStore for Log {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let engine = &self.0.engine;
        let when_full = append.when_full;
        let (reply, answer) = oneshot::channel();
        let request = self.request(&append, true, Reply::Alone(reply)).map_err(|(error, _)| error)?;
        if !engine.has_own_threads() {
            let mut sequencer = engine.sequencer.lock();
            sequencer.drive(engine);
            sequencer.lead(engine, request);
            sequencer.drive(engine);
            drop(sequencer);
            engine.housekeeper.run_jobs(engine);
        } else if let Some(mut sequencer) = engine.sequencer.try_lock()
            && engine.mailbox.is_idle()
        {
            sequencer.lead(engine, request);
        } else {
            self.push(request, when_full);
        }
        answer.recv().unwrap_or(Err(AppendError::Storage(StorageError::Closed)))
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        let engine = &self.0.engine;
        let when_full = append.when_full;
        let (reply, answer) = oneshot::async_channel();
        let closed = |_| Err(AppendError::Storage(StorageError::Closed));
        match self.request(append, !engine.has_own_threads(), Reply::Alone(reply)) {
            Ok(request) => match Sequencer::lead_lone(engine, request) {
                Ok(mut led) => {
                    return Box::pin(async move {
                        poll_fn(|context| led.poll_yielded(context)).await;
                        answer.await.unwrap_or_else(closed)
                    });
                }
                Err(request) => self.push(request, when_full),
            },
            Err((error, reply)) => reply.send(Err(error)),
        }
        if engine.has_own_threads() {
            return Box::pin(async move { answer.await.unwrap_or_else(closed) });
        }
        let log = self.clone();
        Box::pin(async move {
            // Nobody else will do it; why it failed, the answer says.
            let _ = log.pump();
            answer.await.unwrap_or_else(closed)
        })
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        match self.0.engine.has_own_threads() {
            true => Box::new(each::hand_over(&self.0.engine, appends)),
            // Whoever waits for an answer does the work.
            false => Box::new(Each::of(appends.map(|append| self.append_async(&append)))),
        }
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        crate::read::read(self.0.engine.clone(), read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        crate::read::count(&self.0.engine, read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        let source = EngineSource(self.0.engine.clone());
        Ok(Box::new(CursorSubscription::new(source, subscribe)?))
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        Ok(Position::new(self.0.engine.committed_end()).previous())
    }
}

/// What subscriptions follow: the engine, not the log, so that they do not
/// keep it from closing.
struct EngineSource(Arc<Engine>);

impl CursorSource for EngineSource {
    fn committed_end(&self) -> Result<Position, SubscribeError> {
        if self.0.is_closed() {
            return Err(SubscribeError::Closed);
        }
        Ok(Position::new(self.0.committed_end()))
    }

    fn listen(&self) -> EventListener {
        self.0.listen()
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        crate::read::read(self.0.clone(), read)
    }
}

impl Shared {
    fn start_threads(&self) -> Result<(), StorageError> {
        if !self.engine.has_own_threads() || self.engine.options.access == Access::Read {
            return Ok(());
        }
        let start = |name: &str, role: fn(&Engine)| {
            let engine = self.engine.clone();
            let started = Builder::new().name(name.into()).spawn(move || role(&engine));
            self.threads.lock().push(started.map_err(|error| io_error("start", "a thread", error))?);
            Ok(())
        };
        start("factum-sequence", Sequencer::run)?;
        start("factum-write", crate::commit::run)?;
        start("factum-keep", |engine| engine.housekeeper.run(engine))?;
        start("factum-resolve", |engine| engine.resolver.run(engine))
    }

    fn close(&self) -> Result<(), StorageError> {
        let engine = &self.engine;
        engine.close();
        let threads = std::mem::take(&mut *self.threads.lock());
        engine.mailbox.close();
        engine.resolver.close();
        engine.housekeeper.close();
        for thread in threads {
            // A thread that panicked has left its work undone; what was
            // acknowledged is on disk all the same.
            let _ = thread.join();
        }
        let Some(lock) = self.lock.lock().take() else { return Ok(()) };
        if engine.options.access == Access::Append {
            let mut sequencer = engine.sequencer.lock();
            sequencer.drive(engine);
            sequencer.confirm(engine, batch_flags::CLOSED);
            // A caller that saw the log open may hand over, or lead, only now.
            sequencer.has_ended = true;
            engine.mailbox.shut();
            engine.resolver.shut();
            // What came up since its thread ended.
            engine.housekeeper.run_jobs(engine);
        }
        drop(lock);
        engine.poisoned().map_or(Ok(()), Err)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Whoever wants to know the result calls `close`.
        let _ = self.close();
    }
}

/// Whether there is a store, and if not, whether one may be made.
pub(crate) fn look(disk: &dyn Disk, path: &str, create: Create, access: Access) -> Result<bool, OpenError> {
    let path = || path.to_owned();
    let entries = match disk.list("") {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if create == Create::Never || access == Access::Read {
                return Err(OpenError::NotFound { path: path() });
            }
            disk.create_root().map_err(|error| io_error("create", "the store's directory", error))?;
            return Ok(false);
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(OpenError::NotAStore { path: path(), found: "a file".into() });
        }
        Err(error) => return Err(io_error("list", "the store's directory", error).into()),
    };
    if entries.iter().any(|entry| entry.name == STORE_FILE) {
        return Ok(true);
    }
    if let Some(other) = entries.iter().find(|entry| !OWN_ENTRIES.contains(&entry.name.as_str())) {
        let found = format!("a directory of {} other entries, among them {:?}", entries.len(), other.name);
        return Err(OpenError::NotAStore { path: path(), found });
    }
    if let Some(name) = events_without_store(disk)? {
        return Err(StorageError::Corrupt {
            file: STORE_FILE.into(),
            offset: 0,
            positions: None,
            what: format!("the file is missing, and {name} shows that there was a store"),
        }
        .into());
    }
    let may_create = create != Create::Never && access == Access::Append;
    match (entries.is_empty(), create) {
        (true, Create::IfEmpty) if may_create => Ok(false),
        (true, _) => Err(OpenError::Empty { path: path() }),
        // A creation that did not finish.
        (false, _) if may_create => Ok(false),
        (false, _) => Err(OpenError::NotFound { path: path() }),
    }
}

/// A file that only a finished store has. Where STORE is missing beside it, a
/// new store must not begin: its creation would remove the events.
fn events_without_store(disk: &dyn Disk) -> Result<Option<String>, StorageError> {
    let list = |dir| match disk.list(dir) {
        Ok(entries) => Ok(entries),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(io_error("list", dir, error)),
    };
    if let Some(index) = list(INDEX_DIR)?.first() {
        return Ok(Some(format!("{INDEX_DIR}/{}", index.name)));
    }
    let segments = list(SEGMENTS_DIR)?;
    for number in segments.iter().filter_map(|entry| number_of(&entry.name)) {
        // A creation makes two, and writes no batch.
        if number > 2 || verify::has_batches(disk, number)? {
            // It may have been finished, and used, since the first look.
            let is_there = list("")?.iter().any(|entry| entry.name == STORE_FILE);
            return Ok((!is_there).then(|| file_name(number)));
        }
    }
    Ok(None)
}

fn lock(disk: &dyn Disk, path: &str, options: &LogOptions) -> Result<Option<Box<dyn DiskLock>>, OpenError> {
    match disk.lock() {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let holder = disk.lock_holder().unwrap_or_else(|| "another process".into());
            Err(OpenError::Locked { path: path.into(), holder })
        }
        // Where nothing can be written, nobody else appends either.
        Err(error)
            if options.access == Access::Read
                && matches!(
                    error.kind(),
                    io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
                ) =>
        {
            Ok(None)
        }
        Err(error) => Err(io_error("lock", "LOCK", error).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use factum_core::{EventType, ExpectedRevision, NewEvent, StreamName};
    use futures_executor::block_on;
    use oneshot::RecvTimeoutError;

    use super::*;
    use crate::disk::MemoryDisk;

    const LONG: Duration = Duration::from_secs(30);

    fn one() -> Append {
        let event = NewEvent::new(EventType::new("A").unwrap(), "1");
        Append::to(StreamName::new("a").unwrap(), ExpectedRevision::Any, [event])
    }

    fn each(mut waiting: Box<dyn Answers>) -> Vec<Result<Appended, AppendError>> {
        let mut answers = Vec::new();
        block_on(poll_fn(|context| waiting.poll_answers(context, &mut |_, answer| answers.push(answer))));
        answers
    }

    fn open(disk: &Arc<MemoryDisk>) -> Log {
        let segment_bytes = 1 << 20;
        let options = LogOptions {
            segment_bytes_first: segment_bytes,
            segment_bytes_max: segment_bytes,
            ..LogOptions::default()
        };
        Log::open_on(disk.clone(), options).unwrap()
    }

    #[test]
    fn who_saw_the_log_open_and_comes_after_it_closed_is_told_so_and_writes_nothing() {
        let too_late: [fn(&Log, Box<Request>); 2] = [
            |log, request| log.push(request, WhenFull::Wait),
            |log, request| log.engine().sequencer.lock().lead(log.engine(), request),
        ];
        for too_late in too_late {
            let disk = Arc::new(MemoryDisk::new());
            let log = open(&disk);
            let clone = log.clone();
            let (reply, answer) = oneshot::channel();
            let request =
                clone.request(&one(), true, Reply::Alone(reply)).unwrap_or_else(|_| panic!("it is open"));
            log.close().unwrap();
            too_late(&clone, request);
            assert_eq!(answer.recv_timeout(LONG).unwrap_err(), RecvTimeoutError::Disconnected);
            assert_eq!(open(&disk).last_position().unwrap(), None);
        }
    }

    #[test]
    fn closing_amid_appends_answers_every_one_and_keeps_what_it_acknowledged() {
        for _ in 0..30 {
            let disk = Arc::new(MemoryDisk::new());
            let log = open(&disk);
            let appending: Vec<_> = (0..6)
                .map(|caller| {
                    let log = log.clone();
                    thread::spawn(move || {
                        let mut acknowledged = 0_u64;
                        loop {
                            let answers = match caller % 3 {
                                0 => vec![log.append(one())],
                                1 => vec![block_on(log.append_async(&one()))],
                                _ => each(log.append_each(&mut (0..5).map(|_| one()))),
                            };
                            acknowledged += answers.iter().filter(|answer| answer.is_ok()).count() as u64;
                            match answers.into_iter().find_map(Result::err) {
                                None => {}
                                Some(AppendError::Storage(StorageError::Closed)) => return acknowledged,
                                Some(error) => panic!("{error}"),
                            }
                        }
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(2));
            log.close().unwrap();
            let acknowledged: u64 = appending.into_iter().map(|caller| caller.join().unwrap()).sum();
            let recorded = open(&disk).last_position().unwrap().map_or(0, |last| last.get() + 1);
            assert_eq!(recorded, acknowledged);
        }
    }
}
