//! When snapshots are taken, and what they save.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use factum::snapshot::{
    DirectorySnapshots, MemorySnapshots, SnapshotError, SnapshotKey, SnapshotPolicy, SnapshotStats,
    SnapshotStore, Snapshots,
};
use factum::{EventStore, Position, ReadError};
use factum_core::{
    Answers, Append, AppendError, AppendFuture, Appended, Events, Read, Subscribe, SubscribeError,
    Subscription,
};

use super::trust::Reachable;
use super::*;

/// Counts the events that are read.
struct Counted {
    store: MemoryStore,
    read: Arc<AtomicU64>,
}

impl EventStore for Counted {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.store.append(append)
    }
    fn append_async(&self, append: &Append) -> AppendFuture {
        self.store.append_async(append)
    }
    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        self.store.append_each(appends)
    }
    fn read(&self, read: Read) -> Result<Events, ReadError> {
        let count = self.read.clone();
        let counted = EventStore::read(&self.store, read)?.inspect(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        Ok(Box::new(counted))
    }
    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.store.count(read)
    }
    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.store.subscribe(subscribe)
    }
    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.store.last_position()
    }
}

fn with(snapshots: Snapshots) -> StoreOptions {
    StoreOptions { snapshots: Some(snapshots.at_once()), ..StoreOptions::default() }
}

fn every(events: u64) -> Snapshots {
    Snapshots::in_memory().of::<Balance>(SnapshotPolicy::every(events))
}

fn stats(store: &Store) -> SnapshotStats {
    store.snapshot_stats()[0]
}

fn fill(store: &Store, events: u64) {
    for _ in 0..events {
        store.record(deposited("ada", 1)).run().unwrap();
    }
}

#[test]
fn a_load_reads_only_what_came_after_the_snapshot() {
    let (log, read) = (MemoryStore::new(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::new(Counted { store: log, read: read.clone() });
    let store = Store::over(counted, with(every(1_000)));
    fill(&store, 1_000);
    let reading = |load: &dyn Fn() -> i64| {
        let before = read.load(Ordering::Relaxed);
        (load(), read.load(Ordering::Relaxed) - before)
    };
    let now = || store.load(Balance::of("ada")).run().unwrap().cents;
    assert_eq!(reading(&now).0, 1_000, "this load takes the snapshot");
    fill(&store, 10);
    let (cents, events) = reading(&now);
    assert_eq!((cents, events), (1_010, 10 + 1), "the delta, and the anchor");
    // A decision that begins with nothing does too: this type of model was
    // never decided on.
    let (cents, events) = reading(&|| {
        let mut seen = 0;
        store
            .decide(Balance::of("ada"), |balance| {
                seen = balance.cents;
                deposit(balance, 1)
            })
            .run()
            .unwrap();
        seen
    });
    assert_eq!((cents, events), (1_010, 10 + 1));
    let then = || store.load(Balance::of("ada")).as_of(Position::new(1_004)).run().unwrap().cents;
    assert_eq!(reading(&then), (1_005, 5 + 1), "so does a look back past the snapshot");
    let long_ago = || store.load(Balance::of("ada")).as_of(Position::new(99)).run().unwrap().cents;
    assert_eq!(reading(&long_ago), (100, 100), "one before it cannot");
}

#[test]
fn commands_take_snapshots_by_policy() {
    let transition =
        SnapshotPolicy::on(|before: &Balance, after: &Balance| before.cents < 100 && after.cents >= 100);
    let rows: [(SnapshotPolicy<Balance>, &[u64]); 6] = [
        (SnapshotPolicy::manual(), &[]),
        (SnapshotPolicy::every(4), &[3, 7, 11]),
        (transition.clone(), &[9]),
        (transition.clone().or(SnapshotPolicy::every(4)), &[3, 7, 9]),
        (transition.and(SnapshotPolicy::every(100)), &[]),
        (SnapshotPolicy::every_duration(Duration::from_secs(5)), &[0, 5, 10]),
    ];
    for (policy, expected) in rows {
        let clock = Arc::new(ManualClock::at(at(0)));
        let kept = Arc::new(Reachable::default());
        let shown = policy.to_string();
        let snapshots = Snapshots::in_store(kept.clone()).clock(clock.clone()).of::<Balance>(policy).kept(99);
        let store = Store::over(Arc::new(MemoryStore::new()), with(snapshots));
        for second in 0..12 {
            clock.set(at(second));
            let receipt = store.decide(Balance::of("ada"), |balance| deposit(balance, 10)).run().unwrap();
            assert_eq!(receipt.attempts, 1);
        }
        assert_eq!(kept.positions_saved(), expected, "{shown}");
        let stats = stats(&store);
        assert_eq!((stats.taken, stats.failed, stats.skipped), (expected.len() as u64, 0, 0), "{shown}");
    }
}

#[test]
fn loads_take_snapshots_on_demand() {
    let store = Store::over(
        Arc::new(MemoryStore::new()),
        with(Snapshots::in_memory().of::<Balance>(SnapshotPolicy::longer_than(50))),
    );
    let load = || store.load(Balance::of("ada")).run().unwrap().events;
    fill(&store, 50);
    assert_eq!((load(), stats(&store).taken), (50, 0));
    fill(&store, 1);
    assert_eq!((load(), stats(&store).taken), (51, 1));
    fill(&store, 50);
    assert_eq!((load(), stats(&store).taken), (101, 1), "only 50 had to be folded");
    fill(&store, 1);
    assert_eq!((load(), stats(&store).taken), (102, 2));
    store.load(Balance::of("ada")).as_of(Position::new(40)).run().unwrap();
    assert_eq!(stats(&store).taken, 2, "looks back take none");

    let slow = Snapshots::in_memory().of::<Balance>(SnapshotPolicy::slower_than(Duration::ZERO));
    let store = Store::over(Arc::new(MemoryStore::new()), with(slow));
    fill(&store, 5);
    store.load(Balance::of("ada")).run().unwrap();
    assert_eq!(stats(&store).taken, 1);
}

#[test]
fn the_newest_few_are_kept() {
    let kept = Arc::new(MemorySnapshots::default());
    let store = Store::over(
        Arc::new(MemoryStore::new()),
        with(Snapshots::in_store(kept).of::<Balance>(SnapshotPolicy::every(1))),
    );
    for _ in 0..7 {
        store.decide(Balance::of("ada"), |balance| deposit(balance, 1)).run().unwrap();
    }
    let loaded = |position| {
        let before = stats(&store).loaded;
        store.load(Balance::of("ada")).as_of(Position::new(position)).run().unwrap();
        stats(&store).loaded - before
    };
    assert_eq!((0..7).map(loaded).collect::<Vec<_>>(), [0, 0, 0, 0, 1, 1, 1]);
}

#[test]
fn tuples_and_models_found_by_tags_have_snapshots() {
    type Both = (Wealth, Balance);
    let snapshots =
        Snapshots::in_memory().of::<Wealth>(SnapshotPolicy::every(1)).of::<Both>(SnapshotPolicy::every(1));
    let store = bank(with(snapshots));
    let both = || (Wealth::of("eve"), Balance::of("ada"));
    let expected = Store::over(store.events().clone(), StoreOptions::default());
    for _ in 0..3 {
        store.load(both()).run().unwrap();
        store.load(Wealth::of("eve")).run().unwrap();
        store.record([deposited("bob", 3), deposited("ada", 4)]).run().unwrap();
        assert_eq!(store.load(both()).run().unwrap(), expected.load(both()).run().unwrap());
        assert_eq!(
            store.load(Wealth::of("eve")).run().unwrap(),
            expected.load(Wealth::of("eve")).run().unwrap()
        );
    }
    for stats in store.snapshot_stats() {
        assert!(stats.loaded >= 5 && stats.discarded() == 0, "{stats:?}");
    }
    // Guards still hold for a state that came from a snapshot.
    let receipt = store.decide(both(), |(wealth, ada)| deposit(ada, wealth.cents)).run().unwrap();
    assert_eq!((receipt.events(), receipt.attempts), (1, 1));
}

#[test]
fn a_snapshot_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let (log, snapshots) = (dir.path().join("log"), dir.path().join("snapshots"));
    let open = || {
        let snapshots = Snapshots::in_directory(&snapshots).of::<Balance>(SnapshotPolicy::every(3));
        Store::open_with(&log, with(snapshots)).unwrap()
    };
    let store = open();
    for _ in 0..5 {
        store.decide(Balance::of("ada"), |balance| deposit(balance, 10)).run().unwrap();
    }
    assert_eq!(stats(&store).taken, 1);
    drop(store);
    let store = open();
    let loaded = store.load(Balance::of("ada")).run().unwrap();
    assert_eq!((loaded.cents, loaded.events, loaded.revision.unwrap().get()), (50, 5, 4));
    assert_eq!((stats(&store).loaded, stats(&store).lag), (1, 2));
}

#[test]
fn one_is_taken_by_hand() {
    let store = bank(with(Snapshots::in_memory().of::<Balance>(SnapshotPolicy::manual())));
    let taken = store.snapshot(Balance::of("ada")).run().unwrap();
    assert_eq!((taken.position, taken.events), (Position::new(5), 4));
    let again = pollster::block_on(store.snapshot(Balance::of("ada")).into_future()).unwrap();
    assert_eq!((again.position, again.events), (taken.position, 4));
    let stats = stats(&store);
    assert_eq!((stats.taken, stats.bytes_newest, stats.bytes), (2, again.bytes, taken.bytes + again.bytes));
    assert_eq!(stats.created_within.iter().sum::<u64>(), 2);
    assert!(stats.creation_time >= stats.creation_time_max && stats.creation_time_max > Duration::ZERO);
    let error = store.snapshot(Wealth::of("eve")).run().unwrap_err();
    assert!(error.to_string().contains(".of::<Wealth>(policy)"), "{error}");
    let error = store.snapshot(Balance::of("nobody")).run();
    assert!(matches!(error, Err(SnapshotError::NothingHappened)), "{error:?}");
}

/// A snapshot store whose disk is gone.
struct Broken;

impl SnapshotStore for Broken {
    fn save(&self, _: &SnapshotKey, _: Position, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn positions(&self, _: &SnapshotKey) -> io::Result<Vec<Position>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn load(&self, _: &SnapshotKey, _: Position) -> io::Result<Option<Vec<u8>>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn remove(&self, _: &SnapshotKey, _: Position) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[test]
fn a_snapshot_store_that_fails_disturbs_nobody() {
    let store = bank(with(Snapshots::in_store(Arc::new(Broken)).of::<Balance>(SnapshotPolicy::every(1))));
    assert_eq!(store.load(Balance::of("ada")).run().unwrap().cents, 600);
    store.decide(Balance::of("ada"), |balance| deposit(balance, 1)).run().unwrap();
    let stats = stats(&store);
    assert_eq!((stats.taken, stats.failed, stats.unread), (0, 3, 2), "{stats:?}");
    let error = store.snapshot(Balance::of("ada")).run();
    assert!(matches!(error, Err(SnapshotError::NotKept(_))), "{error:?}");
}

#[test]
fn in_the_background_they_are_taken_too() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::in_directory(dir.path()).of::<Balance>(SnapshotPolicy::every(2));
    let store = bank(StoreOptions { snapshots: Some(snapshots), ..StoreOptions::default() });
    pollster::block_on(async {
        store.decide(Balance::of("ada"), |balance: &Balance| deposit(balance, 1)).await.unwrap();
    });
    let patience = std::time::Instant::now();
    while stats(&store).taken == 0 {
        assert!(patience.elapsed() < Duration::from_secs(15), "{:?}", stats(&store));
        std::thread::yield_now();
    }
    let reader = Snapshots::in_store(Arc::new(DirectorySnapshots::new(dir.path())))
        .of::<Balance>(SnapshotPolicy::manual());
    let reader = Store::over(store.events().clone(), with(reader));
    assert_eq!(reader.load(Balance::of("ada")).run().unwrap().cents, 601);
    assert_eq!(stats(&reader).loaded, 1);
}

#[test]
fn a_store_without_policies_says_which_model_needs_one() {
    let told = Arc::new(AtomicU64::new(0));
    let count = told.clone();
    let options = StoreOptions {
        load_budget: Duration::ZERO,
        on_advice: Some(Arc::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })),
        ..StoreOptions::default()
    };
    let store = bank(options);
    assert_eq!(store.advice(), []);
    store.load(Balance::of("ada")).run().unwrap();
    store.decide(Balance::of("bob"), |balance| deposit(balance, 1)).run().unwrap();
    let [advice] = store.advice()[..] else { panic!("{:?}", store.advice()) };
    assert_eq!((advice.model, advice.slow_loads, advice.has_snapshots), ("Balance", 2, false));
    assert_eq!(told.load(Ordering::Relaxed), 1, "each model is told once");
    assert_eq!(bank(StoreOptions { load_budget: Duration::MAX, ..StoreOptions::default() }).advice(), []);
    assert_eq!(store.snapshot_stats(), []);
}

/// What a long stream costs without snapshots must not grow out of hand
/// either.
#[test]
fn a_hundred_thousand_events_do_not_take_five_seconds() {
    let store = Store::memory();
    for _ in 0..100 {
        store.record(vec![deposited("ada", 1); 1_000]).run().unwrap();
    }
    let watch = std::time::Instant::now();
    assert_eq!(store.load(Balance::of("ada")).run().unwrap().cents, 100_000);
    assert!(watch.elapsed() < Duration::from_secs(5), "{:?}", watch.elapsed());
}
