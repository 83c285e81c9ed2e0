//! A small store with everything in it, whose content is known by heart.
//!
//! ```text
//!   segments  1 sealed   2 sealed   3 sealed   4 open ...  prepared   stub
//!   events    data of event n is n, repeated; streams take turns
//! ```

use std::sync::Arc;

use factum_core::*;
use factum_log::disk::{Disk, FaultyDisk};
use factum_log::verify::{Depth, Report, verify_on};
use factum_log::{Create, Log, LogOptions, OpenError, Threads};

pub const KIB: u64 = 1024;
/// Where batches begin, and on multiples of which.
pub const BLOCK: u64 = 4096;
/// Size of every segment.
pub const SEGMENT: u64 = 64 * KIB;

/// One thread, one order of operations, tiny segments.
pub fn options() -> LogOptions {
    LogOptions {
        create: Create::IfEmpty,
        threads: Threads::None,
        segment_bytes_first: SEGMENT,
        segment_bytes_max: SEGMENT,
        // What is read comes from the disk.
        tail_bytes_max: 0,
        ..LogOptions::default()
    }
}

pub fn open(disk: &FaultyDisk) -> Result<Log, OpenError> {
    Log::open_on(Arc::new(disk.clone()), options())
}

pub fn open_read(disk: &FaultyDisk) -> Result<Log, OpenError> {
    let access = factum_log::Access::Read;
    Log::open_on(Arc::new(disk.clone()), LogOptions { access, create: Create::Never, ..options() })
}

pub fn stream(number: u64) -> StreamName {
    StreamName::new(format!("cart-{}", number % 3)).unwrap()
}

pub fn event(number: u64) -> NewEvent {
    let data = vec![number as u8; 2_000];
    NewEvent::new(EventType::new("Counted").unwrap(), data).with_id(Uuid::from_u128(u128::from(number) + 1))
}

/// Appends the event of this number, alone: one block of the log.
pub fn append(log: &Log, number: u64) -> Result<Appended, AppendError> {
    log.append(Append::to(stream(number), ExpectedRevision::Any, [event(number)]))
}

/// The numbers of all events, if each is what it was.
pub fn read_all(log: &Log) -> Result<Vec<u64>, ReadError> {
    log.read(Read::all())?.map(|event| event.map(|event| number_of(&event))).collect()
}

pub fn number_of(found: &RecordedEvent) -> u64 {
    let number = found.id.as_u128() as u64 - 1;
    assert_eq!(found.to_new(), event(number), "an event is not what was appended");
    assert_eq!(found.stream, stream(number));
    number
}

/// A store with this many events, one in each batch, closed in order.
pub fn store_of(events: u64) -> FaultyDisk {
    let disk = FaultyDisk::new(events);
    let log = open(&disk).unwrap();
    for number in 0..events {
        assert_eq!(append(&log, number).unwrap().first_position(), Some(Position::new(number)));
    }
    log.close().unwrap();
    disk
}

/// Enough events for two sealed segments and a half-filled third.
pub const EVENTS: u64 = 38;

/// Name of a segment's file.
pub fn segment(number: u32) -> String {
    format!("segments/{number:010}.seg")
}

/// Name of a segment's index.
pub fn index(number: u32) -> String {
    format!("index/{number:010}.idx")
}

pub fn deep(disk: &FaultyDisk) -> Result<Report, OpenError> {
    verify_on(disk as &dyn Disk, "the store", Depth::Deep, &mut |_| {})
}

/// An error with everything it came from.
pub fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Opening fails, and the story told has all these words in it.
#[track_caller]
pub fn refused(disk: &FaultyDisk, words: &[&str]) -> String {
    match open(disk) {
        Ok(_) => panic!("it was opened"),
        Err(error) => {
            let story = told(&error);
            for word in words {
                assert!(story.contains(word), "{word:?} is not in {story:?}");
            }
            story
        }
    }
}

/// Numbers from 0.
pub fn up_to(end: u64) -> Vec<u64> {
    (0..end).collect()
}
