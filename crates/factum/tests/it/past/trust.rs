//! Snapshots that cannot be trusted: found, discarded, counted, and never seen
//! in an answer.

use std::sync::atomic::{AtomicBool, Ordering};

use factum::snapshot::{
    MemorySnapshots, SnapshotKey, SnapshotPolicy, SnapshotStats, SnapshotStore, Snapshots,
};
use factum::{EventStore, Position, ReadError};
use factum_core::{
    Answers, Append, AppendError, AppendFuture, Appended, Events, Read, StorageError, Subscribe,
    SubscribeError, Subscription,
};
use parking_lot::Mutex;

use super::*;

/// Snapshots whose bytes a test can reach, whatever their key.
#[derive(Default)]
pub struct Reachable {
    inner: MemorySnapshots,
    saved: Mutex<Vec<(SnapshotKey, Position)>>,
}

impl Reachable {
    /// Replaces what is in the newest snapshot.
    pub fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let (key, at) = *self.saved.lock().last().expect("one was saved");
        let mut bytes = self.inner.load(&key, at).unwrap().expect("it is there");
        change(&mut bytes);
        self.inner.save(&key, at, &bytes).unwrap();
    }

    /// Where snapshots were taken, in the order in which they were.
    pub fn positions_saved(&self) -> Vec<u64> {
        self.saved.lock().iter().map(|(_, at)| at.get()).collect()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut found = Vec::new();
        self.change(|bytes| found = bytes.clone());
        found
    }
}

impl SnapshotStore for Reachable {
    fn save(&self, key: &SnapshotKey, at: Position, bytes: &[u8]) -> std::io::Result<()> {
        self.saved.lock().push((*key, at));
        self.inner.save(key, at, bytes)
    }
    fn positions(&self, key: &SnapshotKey) -> std::io::Result<Vec<Position>> {
        self.inner.positions(key)
    }
    fn load(&self, key: &SnapshotKey, at: Position) -> std::io::Result<Option<Vec<u8>>> {
        self.inner.load(key, at)
    }
    fn remove(&self, key: &SnapshotKey, at: Position) -> std::io::Result<()> {
        self.inner.remove(key, at)
    }
}

fn manual(kept: &Arc<Reachable>) -> StoreOptions {
    let snapshots = Snapshots::in_store(kept.clone()).of::<Balance>(SnapshotPolicy::manual());
    StoreOptions { snapshots: Some(snapshots), ..StoreOptions::default() }
}

fn load(store: &Store) -> (i64, SnapshotStats) {
    let cents = store.load(Balance::of("ada")).run().unwrap().cents;
    (cents, store.snapshot_stats()[0])
}

#[test]
fn a_corrupt_one_is_discarded_once_and_an_older_one_used() {
    let kept = Arc::new(Reachable::default());
    let store = bank(manual(&kept));
    store.snapshot(Balance::of("ada")).run().unwrap();
    store.record(deposited("ada", 1)).run().unwrap();
    store.snapshot(Balance::of("ada")).run().unwrap();
    kept.change(|bytes| *bytes = b"not even gzip".to_vec());
    let (cents, stats) = load(&store);
    assert_eq!((cents, stats.corrupt, stats.loaded), (601, 1, 2), "{stats:?}");
    let (cents, stats) = load(&store);
    assert_eq!((cents, stats.corrupt, stats.loaded), (601, 1, 3), "it is gone: {stats:?}");
}

/// A restored copy of the log is shorter, and goes on differently.
#[test]
fn one_that_is_ahead_of_the_log_is_discarded() {
    let kept = Arc::new(Reachable::default());
    let store = bank(manual(&kept));
    store.snapshot(Balance::of("ada")).run().unwrap();

    let shorter = Store::over(Arc::new(MemoryStore::new()), manual(&kept));
    shorter.record(deposited("ada", 7)).run().unwrap();
    let (cents, stats) = load(&shorter);
    assert_eq!((cents, stats.not_this_log, stats.loaded), (7, 1, 0), "{stats:?}");

    store.snapshot(Balance::of("ada")).run().unwrap();
    for _ in 0..9 {
        shorter.record(deposited("ada", 7)).run().unwrap();
    }
    let (cents, stats) = load(&shorter);
    assert_eq!((cents, stats.not_this_log, stats.loaded), (70, 2, 0), "{stats:?}");
}

/// A log whose disk fails now and then.
struct Shaky {
    store: Arc<MemoryStore>,
    fails: Arc<AtomicBool>,
}

impl EventStore for Shaky {
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
        if self.fails.swap(false, Ordering::SeqCst) {
            let file = "a segment".to_owned();
            return Err(ReadError::Storage(StorageError::DiskFull { file }));
        }
        EventStore::read(&*self.store, read)
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

#[test]
fn one_is_not_discarded_because_the_log_could_not_be_asked() {
    let (kept, fails) = (Arc::new(Reachable::default()), Arc::new(AtomicBool::new(false)));
    let shaky = Shaky { store: Arc::new(MemoryStore::new()), fails: fails.clone() };
    let store = Store::over(Arc::new(shaky), manual(&kept));
    store.record(deposited("ada", 7)).run().unwrap();
    store.snapshot(Balance::of("ada")).run().unwrap();
    let before = load(&store).1;
    fails.store(true, Ordering::SeqCst);
    let (cents, stats) = load(&store);
    assert!(!fails.load(Ordering::SeqCst), "it did fail");
    assert_eq!((cents, stats.discarded(), stats.unread), (7, 0, before.unread + 1), "{stats:?}");
    assert_eq!(stats.loaded, before.loaded, "nobody vouched for it");
    assert_eq!(load(&store).1.loaded, before.loaded + 1, "it is still there");
}

/// What was looked at reaches further than what was folded: a shorter log may
/// hold every folded event and then others.
#[test]
fn the_anchor_is_the_last_event_that_was_looked_at() {
    let kept = Arc::new(MemorySnapshots::default());
    let options = || StoreOptions {
        snapshots: Some(Snapshots::in_store(kept.clone()).of::<Wealth>(SnapshotPolicy::manual())),
        ..StoreOptions::default()
    };
    let (log, copy) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let store = Store::over(log.clone(), options());
    store.record(deposited("ada", 1)).run().unwrap();
    for event in factum_core::EventStore::read(&*log, factum_core::Read::all()).unwrap() {
        let event = event.unwrap();
        let again = factum_core::NewEvent {
            id: event.id,
            tags: event.tags.clone(),
            ..factum_core::NewEvent::new(event.event_type.clone(), event.data.clone())
        };
        let append = factum_core::Append::to(event.stream, factum_core::ExpectedRevision::Any, [again]);
        factum_core::EventStore::append(&*copy, append).unwrap();
    }
    let other = || Account::Deposited { id: "x".into(), cents: 1, owner: "somebody".into() };
    store.record([other(), other()]).run().unwrap();
    assert_eq!(store.snapshot(Wealth::of("eve")).run().unwrap().position, Position::new(2));

    let restored = Store::over(copy, options());
    restored.record([deposited("ada", 10), other(), other()]).run().unwrap();
    assert_eq!(restored.load(Wealth::of("eve")).run().unwrap().cents, 11);
    assert_eq!(restored.snapshot_stats()[0].not_this_log, 1);
}

/// The same model in another version of the program, which its snapshots
/// cannot tell by its name.
fn load_as(kept: &Arc<Reachable>, log: &Store, text: &str, by: &str) -> SnapshotStats {
    use std::io::{Read as _, Write as _};
    kept.change(|bytes| {
        let mut content = String::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut content).unwrap();
        let (_, rest) = content.split_once('\n').unwrap();
        assert!(rest.contains(text), "{rest}");
        let rest = rest.replacen(text, by, 1);
        let hash = xxhash_rust::xxh3::xxh3_128(rest.as_bytes());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        write!(gzip, "factum snapshot 1 {hash:032x}\n{rest}").unwrap();
        *bytes = gzip.finish().unwrap();
    });
    let fresh = Store::over(log.events().clone(), manual(kept));
    let (cents, stats) = load(&fresh);
    assert_eq!(cents, 600, "with {by} in place of {text}");
    stats
}

#[test]
fn one_of_another_code_or_model_is_discarded() {
    let kept = Arc::new(Reachable::default());
    let store = bank(manual(&kept));
    let rows = [
        ("\"fold\":\"", "\"fold\":\"0", [1, 0, 0]),
        ("account-ada", "account-bob", [1, 0, 0]),
        ("\"changes\":", "\"amounts\":", [1, 0, 0]),
        ("\"cents\":600", "\"cents\":\"600\"", [1, 0, 0]),
        ("{\"id\":\"ada\",", "{\"id\":\"ada\",\"gone\":null,", [1, 0, 0]),
        ("::Balance\"", "::Wealth\"", [0, 1, 0]),
        ("{\"id\":\"ada\",", "{\"id\":\"bob\",", [0, 1, 0]),
        ("{\"position\":5,", "{\"position\":4,", [0, 1, 0]),
        ("\"recorded_at\":5000000", "\"recorded_at\":5000001", [0, 0, 1]),
        ("\"revision\":3,", "\"revision\":2,", [0, 0, 1]),
    ];
    for (text, by, [outdated, foreign, not_this_log]) in rows {
        store.snapshot(Balance::of("ada")).run().unwrap();
        let stats = load_as(&kept, &store, text, by);
        let found = (stats.outdated, stats.foreign, stats.not_this_log, stats.loaded);
        assert_eq!(found, (outdated, foreign, not_this_log, 0), "{text} to {by}");
    }
    store.snapshot(Balance::of("ada")).run().unwrap();
    assert_eq!(load_as(&kept, &store, "ada", "ada").loaded, 1, "what is not changed is used");
}

/// The same model, before and after its version was raised.
macro_rules! plain {
    ($module:ident, $($version:tt)*) => {
        mod $module {
            use super::*;

            #[derive(Aggregate, Clone, Debug, Serialize, Deserialize)]
            #[folds(Account $($version)*)]
            pub struct Plain {
                #[key]
                pub id: AccountId,
                pub cents: i64,
            }

            impl Evolve<Account> for Plain {
                fn evolve(&mut self, event: &Account) {
                    self.cents += change(event);
                }
            }
        }
    };
}

plain!(older,);
plain!(newer, , version = 2);

#[test]
fn the_version_and_the_fields_of_a_model_are_part_of_its_shape() {
    use factum::Model as _;
    let (old, new) = (older::Plain::shapes(), newer::Plain::shapes());
    assert_eq!((old[0].version, new[0].version), (1, 2));
    let store = bank(StoreOptions::default());
    let (before, after) = (older::Plain::of("ada"), newer::Plain::of("ada"));
    assert_eq!(store.load(before).run().unwrap().cents, store.load(after).run().unwrap().cents);
    assert_eq!((&old[0].events, &old[0].fields), (&new[0].events, &new[0].fields));
    let fields: Vec<_> = old[0].fields.iter().map(|field| (field.name, field.type_name)).collect();
    assert_eq!(fields, [("id", "AccountId"), ("cents", "i64")]);
    assert_eq!(
        old[0].events.iter().map(|event| event.name).collect::<Vec<_>>(),
        ["AccountOpened", "AccountDeposited", "AccountWithdrawn"]
    );
    assert_eq!(<(Balance, Wealth)>::shapes(), [Balance::shapes(), Wealth::shapes()].concat());
}
