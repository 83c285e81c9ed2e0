//! A disk without room: where it shows, what is said, and what goes on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use factum_core::*;
use factum_log::disk::faulty::{Fault, Injection, Operation};
use factum_log::disk::{DirEntry, Disk, DiskFile, DiskLock, FaultyDisk};
use factum_log::{Log, OpenError};

use crate::fixture::*;

fn is_full(error: &AppendError) -> bool {
    matches!(error, AppendError::Storage(StorageError::DiskFull { .. }))
}

/// Appends until one is refused; how many were not.
fn fill(log: &Log, from: u64) -> (u64, AppendError) {
    for number in from.. {
        if let Err(error) = append(log, number) {
            return (number, error);
        }
    }
    unreachable!("a disk of this size is full some day")
}

/// A16, A17: room is taken before it is needed, so it ends between appends.
#[test]
fn a_full_disk_refuses_appends_and_serves_again_when_there_is_room() {
    let disk = FaultyDisk::new(1);
    disk.limit_room(Some(3 * SEGMENT));
    let log = open(&disk).unwrap();
    let (end, error) = fill(&log, 0);
    assert!(is_full(&error), "{error:?}");
    assert!(end > 20, "only {end} events found room");
    for _ in 0..3 {
        assert!(is_full(&append(&log, end).unwrap_err()));
        assert_eq!(read_all(&log).unwrap(), up_to(end), "reads go on");
    }
    // Without a restart.
    disk.limit_room(Some(6 * SEGMENT));
    let (further, error) = fill_after_room(&log, end);
    assert!(is_full(&error), "{error:?}");
    assert!(further > end + 20, "only {} events found room", further - end);
    assert_eq!(read_all(&log).unwrap(), up_to(further));
    log.close().unwrap();
    assert_eq!(deep(&disk).unwrap().damage, []);
    // A full disk is no reason not to open.
    assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), up_to(further));
}

/// The first append after there is room again may still be told of the last
/// try, and has the next one begin; the one after it must not.
fn fill_after_room(log: &Log, from: u64) -> (u64, AppendError) {
    if let Err(error) = append(log, from) {
        assert!(is_full(&error), "{error:?}");
    }
    fill(log, from)
}

/// A17: each way of needing room, each time.
#[test]
fn no_room_for_one_operation_loses_nothing() {
    let ways = [
        (Operation::Allocate, ".seg"),
        (Operation::Create, ".seg"),
        (Operation::Create, ".idx"),
        (Operation::Write, ".idx"),
        (Operation::Rename, ".idx"),
    ];
    for (operation, name) in ways {
        for nth in 1..6 {
            let disk = FaultyDisk::new(nth);
            let log = open(&disk).unwrap();
            disk.inject(Injection::of(Fault::Enospc).on(operation).in_name(name).at(nth));
            let mut number = 0;
            let mut refusals = 0;
            while number < 80 {
                match append(&log, number) {
                    Ok(_) => number += 1,
                    Err(error) => {
                        assert!(is_full(&error), "{operation:?} of {name}: {error:?}");
                        refusals += 1;
                        assert!(refusals < 4, "{operation:?} of {name}: refused again and again");
                    }
                }
            }
            log.close().unwrap();
            if disk.fired() == 0 {
                assert!(nth > 2, "{operation:?} of {name} never happened {nth} times");
            }
            assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), up_to(80), "{operation:?} of {name}");
            assert_eq!(deep(&disk).unwrap().damage, [], "{operation:?} of {name}");
        }
    }
}

#[test]
fn no_room_for_a_new_store_is_said_and_leaves_nothing_that_is_in_the_way() {
    for room in [0, KIB, 10 * KIB, SEGMENT, SEGMENT + 3 * KIB] {
        let disk = FaultyDisk::new(room);
        disk.limit_room(Some(room));
        let error = open(&disk).err().unwrap();
        assert!(matches!(error, OpenError::Storage(StorageError::DiskFull { .. })), "{room}: {error:?}");
        disk.limit_room(None);
        append(&open(&disk).unwrap(), 0).unwrap();
        assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), [0]);
    }
}

/// A disk on which growing a file answers otherwise than with ENOSPC.
struct Quota {
    disk: FaultyDisk,
    is_over: Arc<AtomicBool>,
    errno: i32,
}

struct QuotaFile {
    file: Arc<dyn DiskFile>,
    is_over: Arc<AtomicBool>,
    errno: i32,
}

impl Quota {
    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(QuotaFile { file, is_over: self.is_over.clone(), errno: self.errno })
    }
}

impl Disk for Quota {
    fn create_root(&self) -> io::Result<bool> {
        self.disk.create_root()
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock()
    }

    fn lock_holder(&self) -> Option<String> {
        self.disk.lock_holder()
    }

    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.disk.open(name, write)?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.disk.create(name)?))
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        self.disk.create_dir(name)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        self.disk.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
}

impl DiskFile for QuotaFile {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn read_stored_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_stored_at(buffer, offset)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(buffer, offset)
    }

    fn write_zeros_at(&self, bytes: usize, offset: u64) -> io::Result<usize> {
        self.file.write_zeros_at(bytes, offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        if self.is_over.load(Ordering::Relaxed) {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        self.file.allocate(bytes)
    }

    fn uncache_from(&self, offset: u64) {
        self.file.uncache_from(offset);
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

/// A19: EDQUOT is a full disk; EFBIG (`ulimit -f`) is said as what it is.
#[test]
fn a_quota_is_a_full_disk_and_a_size_limit_is_named() {
    const EDQUOT: i32 = 122;
    const EFBIG: i32 = 27;
    for errno in [EDQUOT, EFBIG] {
        let (disk, is_over) = (FaultyDisk::new(1), Arc::new(AtomicBool::new(false)));
        let quota = Quota { disk: disk.clone(), is_over: is_over.clone(), errno };
        let log = Log::open_on(Arc::new(quota), options()).unwrap();
        append(&log, 0).unwrap();
        is_over.store(true, Ordering::Relaxed);
        let (end, error) = fill(&log, 1);
        if errno == EDQUOT {
            assert!(is_full(&error), "{error:?}");
        } else {
            assert!(told(&error).contains("File too large"), "{}", told(&error));
        }
        assert_eq!(read_all(&log).unwrap(), up_to(end));
        is_over.store(false, Ordering::Relaxed);
        let _ = log.close();
        let log = open(&disk).unwrap();
        append(&log, end).unwrap();
        assert_eq!(read_all(&log).unwrap(), up_to(end + 1));
    }
}
