//! A store whose indexes are all of an earlier format, or missing: what is read,
//! and what can be appended, until all of them are there again.
//!
//! ```text
//!   opened     1 live   2 live   3 sealed   4 sealed  ...  open
//!              └── their files ──┘
//!   meanwhile  queries, conditions and appends, as if nothing was
//!   let go     1 sealed  2 sealed            the same bytes as before
//! ```

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use factum_log::disk::{DirEntry, Disk, DiskFile, DiskLock, MemoryDisk};
use factum_log::{Log, LogOptions, Threads};
use parking_lot::{Condvar, Mutex};

use super::fixture;
use super::selected::{Twins, options};

/// How long something may take that takes no time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A disk on which the index files of these segments are not written until they
/// are let go.
struct Holding {
    disk: MemoryDisk,
    held: Vec<String>,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut is_open = self.is_open.lock();
        let late = self.opened.wait_while_for(&mut is_open, |is_open| !*is_open, PATIENCE);
        assert!(!late.timed_out(), "nobody let go");
    }
}

impl Disk for Holding {
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
        self.disk.open(name, write)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        if self.held.iter().any(|held| name.starts_with(held)) {
            self.gate.pass();
        }
        self.disk.create(name)
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

/// What becomes of an index file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Earlier,
    Missing,
}

impl Harm {
    fn is_done_to(self, disk: &MemoryDisk, segment: u32) {
        let name = fixture::index(segment);
        match self {
            Self::Earlier => assert_eq!(disk.open(&name, true).unwrap().write_at(&[1], 8).unwrap(), 1),
            Self::Missing => disk.remove(&name).unwrap(),
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Earlier => "its format is 1 instead of 2",
            Self::Missing => "it is missing",
        }
    }
}

fn content(disk: &MemoryDisk, segment: u32) -> Vec<u8> {
    let file = disk.open(&fixture::index(segment), false).unwrap();
    let mut bytes = vec![0; file.bytes().unwrap() as usize];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

fn sealed(log: &Log) -> Vec<u32> {
    log.stats().segments.iter().filter(|segment| segment.sealed).map(|segment| segment.number).collect()
}

#[test]
fn a_store_without_todays_indexes_answers_and_appends_while_they_are_built() {
    for (seed, harms) in [
        (1, [Harm::Earlier, Harm::Earlier]),
        (2, [Harm::Missing, Harm::Missing]),
        (3, [Harm::Earlier, Harm::Missing]),
    ] {
        let mut twins = Twins::new(seed);
        twins.append(600);
        twins.log.take().unwrap().close().unwrap();
        let last = twins.disk.list("index").unwrap().len() as u32;
        assert!(last >= 6, "{last} sealed segments");
        let whole: Vec<Vec<u8>> = (1..=last).map(|segment| content(&twins.disk, segment)).collect();
        let harm_of = |segment: u32| harms[segment as usize % 2];
        (1..=last).for_each(|segment| harm_of(segment).is_done_to(&twins.disk, segment));

        // Two of them are left to the housekeeper, who cannot write them yet.
        let gate = Arc::new(Gate::default());
        let held = vec![fixture::index(1), fixture::index(2)];
        let disk = Holding { disk: twins.disk.clone(), held, gate: gate.clone() };
        let own = LogOptions { threads: Threads::Own, ..options(&twins.clock) };
        twins.log = Some(Log::open_on(Arc::new(disk), own).unwrap());
        let expected: Vec<(u32, String)> =
            (1..=last).map(|segment| (segment, harm_of(segment).reason().into())).collect();
        assert_eq!(twins.log().recovery().indexes_rebuilt, expected);
        assert_eq!(sealed(twins.log()), (3..=last).collect::<Vec<_>>());
        twins.compare(25);
        // Fewer than fill the segment that is prepared.
        twins.append(12);
        twins.compare(25);
        assert_eq!(sealed(twins.log()), (3..=last).collect::<Vec<_>>(), "the others wait");

        gate.open();
        let begun = Instant::now();
        while sealed(twins.log()).len() < last as usize {
            assert!(begun.elapsed() < PATIENCE, "{:?}", sealed(twins.log()));
            std::thread::sleep(Duration::from_millis(1));
        }
        twins.compare(25);
        twins.append(200);
        twins.compare(10);
        twins.log.take().unwrap().close().unwrap();
        let built: Vec<Vec<u8>> = (1..=last).map(|segment| content(&twins.disk, segment)).collect();
        assert!(built == whole, "the same log gives the same index");

        twins.log = Some(Log::open_on(Arc::new(twins.disk.clone()), options(&twins.clock)).unwrap());
        assert_eq!(twins.log().recovery().indexes_rebuilt, []);
        twins.compare(10);
    }
}
