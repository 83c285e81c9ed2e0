//! The law of the port, over the log on a memory disk and on files, with its
//! own threads and without; and, but for the rules about large events, in
//! segments so small that every rule meets rolls and sealed indexes.

use std::sync::Arc;
use std::time::Duration;

use factum_core::answers::Each;
use factum_core::{
    Answers, Append, AppendError, AppendFuture, Appended, EventStore, Events, Position, Read, ReadError,
    Subscribe, SubscribeError, Subscription, contract,
};
use factum_log::disk::MemoryDisk;
use factum_log::{Log, LogOptions, Threads};

fn in_memory(options: LogOptions) -> Log {
    Log::open_on(Arc::new(MemoryDisk::new()), options).expect("a new disk holds a new store")
}

/// Segments that just hold the largest event there may be (16 MiB).
fn options(threads: Threads) -> LogOptions {
    let segment_bytes = 17 << 20;
    LogOptions {
        threads,
        segment_bytes_first: segment_bytes,
        segment_bytes_max: segment_bytes,
        zero_segments: false,
        ..LogOptions::default()
    }
}

/// Segments of a few dozen appends.
fn tiny(threads: Threads) -> LogOptions {
    LogOptions { segment_bytes_first: 256 << 10, segment_bytes_max: 256 << 10, ..options(threads) }
}

/// A log without threads, in whose place the caller of each append works.
struct Pumped(Log);

impl EventStore for Pumped {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.0.append(append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        let answer = self.0.append_async(append);
        // A failure is every later append's answer.
        let _ = self.0.pump();
        answer
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        Box::new(Each::of(appends.map(|append| self.append_async(&append))))
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        self.0.read(read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.0.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.0.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.0.last_position()
    }
}

fn all_but_large_events<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    contract::append::check(store);
    contract::expectation::check(store);
    contract::condition::check(store);
    contract::precedence::check(store);
    contract::idempotency::check(store);
    contract::read::check(store);
    contract::subscribe::check(store);
    contract::concurrency::check(store);
    contract::history::check(store);
    contract::future::check(store);
}

#[test]
fn memory_disk_own_threads() {
    contract::check(&|| in_memory(options(Threads::Own)));
}

#[test]
fn memory_disk_tiny_segments() {
    all_but_large_events(&|| in_memory(tiny(Threads::Own)));
}

/// Lone appends are led by whoever hands them over.
#[test]
fn memory_disk_own_threads_led() {
    let async_flush_max = Duration::from_secs(60);
    contract::check(&|| in_memory(LogOptions { async_flush_max, ..options(Threads::Own) }));
    all_but_large_events(&|| in_memory(LogOptions { async_flush_max, ..tiny(Threads::Own) }));
}

#[test]
fn memory_disk_tiny_segments_no_threads() {
    all_but_large_events(&|| Pumped(in_memory(tiny(Threads::None))));
}

#[test]
fn files() {
    let dir = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    contract::check(&|| {
        count.set(count.get() + 1);
        Log::open(&dir.path().join(count.get().to_string()), options(Threads::Own)).unwrap()
    });
}
