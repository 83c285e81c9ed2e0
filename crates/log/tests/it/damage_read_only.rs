//! A store with damage in the segment being filled is not appended to; opened
//! only for reading, it serves everything but what the damage hit.

use std::sync::Arc;

use factum_core::{
    Append, EventStore, ExpectedRevision, NewEvent, Read, ReadError, StorageError, StreamName,
};
use factum_log::disk::{Disk, MemoryDisk, read_exact_at, write_all_at};
use factum_log::{Access, Log, LogOptions, OpenError};

const SEGMENT: &str = "segments/0000000001.seg";

fn stream(name: &str) -> StreamName {
    StreamName::new(name.to_owned()).unwrap()
}

fn options(access: Access) -> LogOptions {
    LogOptions { access, segment_bytes_first: 1 << 20, segment_bytes_max: 1 << 20, ..LogOptions::default() }
}

/// Ten appends, each a batch and a block of its own: `a` at positions 0, 2, 4,
/// 6, 8, `b` between them. The batch of position 4 gets a flipped bit.
fn damaged_store() -> Arc<dyn Disk> {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let log = Log::open_on(disk.clone(), options(Access::Append)).unwrap();
    for n in 0..10 {
        let event = NewEvent::json("Counted", &serde_json::json!({ "n": n })).unwrap();
        let name = stream(if n % 2 == 0 { "a" } else { "b" });
        log.append(Append::to(name, ExpectedRevision::Any, [event])).unwrap();
    }
    log.close().unwrap();
    let file = disk.open(SEGMENT, true).unwrap();
    let mut byte = [0];
    // The header's block, then one block for each batch.
    let at = 4096 * 5 + 100;
    read_exact_at(&*file, &mut byte, at).unwrap();
    write_all_at(&*file, &[byte[0] ^ 1], at).unwrap();
    disk
}

#[test]
fn appending_is_refused_and_the_place_named() {
    let error = Log::open_on(damaged_store(), options(Access::Append)).err().unwrap();
    let OpenError::Storage(StorageError::Corrupt { file, offset, positions, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((file.as_str(), offset), (SEGMENT, 4096 * 5));
    let positions = positions.unwrap();
    assert_eq!((positions.start().get(), positions.end().get()), (4, 4));
}

#[test]
fn reading_serves_what_lies_before_and_behind() {
    let log = Log::open_on(damaged_store(), options(Access::Read)).unwrap();
    assert!(log.recovery().damage.as_ref().unwrap().contains("byte 20480"));
    assert_eq!(log.last_position().unwrap().unwrap().get(), 9);

    let b: Vec<u64> =
        log.read(Read::stream(stream("b"))).unwrap().map(|event| event.unwrap().position.get()).collect();
    assert_eq!(b, [1, 3, 5, 7, 9], "the other stream is whole");

    let before: Vec<_> = log.read(Read::all()).unwrap().take_while(Result::is_ok).collect();
    assert_eq!(before.len(), 4);
    let hit = log.read(Read::all()).unwrap().find_map(Result::err).unwrap();
    assert!(matches!(hit, ReadError::Storage(StorageError::Corrupt { offset: 20480, .. })), "{hit:?}");
    let behind =
        log.read(Read::all().from(factum_core::Start::Position(factum_core::Position::new(5)))).unwrap();
    assert_eq!(behind.map(|event| event.unwrap().position.get()).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);

    assert!(
        log.read(Read::stream(stream("a"))).unwrap().any(|event| event.is_err()),
        "never skipped in silence"
    );
}
