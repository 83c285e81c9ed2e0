//! Folds that are functions of their events, and folds that are not.

use std::sync::atomic::{AtomicI64, Ordering};

use factum::history::VerifyError;
use factum::history::verify::Way;
use factum::snapshot::{SnapshotPolicy, Snapshots};

use super::*;

#[test]
fn a_pure_fold_is_verified_every_way() {
    let snapshots = Snapshots::in_memory().of::<Balance>(SnapshotPolicy::manual());
    let store = bank(StoreOptions { snapshots: Some(snapshots), ..StoreOptions::default() });
    let ways = |store: &Store| store.load(Balance::of("ada")).verify().run().unwrap().ways;
    assert_eq!(ways(&store), [Way::Again]);
    let position = store.snapshot(Balance::of("ada")).run().unwrap().position;
    store.decide(Balance::of("ada"), |balance| deposit(balance, 1)).run().unwrap();
    assert_eq!(ways(&store), [Way::Again, Way::Warm, Way::Snapshot(position)]);
    let verified = pollster::block_on(store.load(Balance::of("ada")).verify().into_future()).unwrap();
    assert_eq!(verified.events, 5);
    let nothing = Store::memory().load(Balance::of("ada")).verify().run().unwrap();
    assert_eq!((nothing.events, nothing.ways), (0, vec![]));
}

/// Counts how often it folded anything, in this process.
#[derive(Aggregate, Clone, Debug, Serialize, Deserialize)]
#[folds(Account)]
struct Impure {
    #[key]
    id: AccountId,
    last: i64,
}

static FOLDED: AtomicI64 = AtomicI64::new(0);

impl Evolve<Account> for Impure {
    fn evolve(&mut self, _: &Account) {
        self.last = FOLDED.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_fold_with_a_side_effect_is_found() {
    let store = bank(StoreOptions::default());
    let error = store.load(Impure::of("ada")).verify().run().unwrap_err();
    let VerifyError::Differs { way: Way::Again, events: 4, diff } = &error else { panic!("{error}") };
    assert_eq!(diff.differences[0].path, "/last");
    assert!(error.to_string().contains("pure function"), "{error}");
}

/// A state that keeps a part of itself out of its snapshots.
#[derive(Aggregate, Clone, Debug, Serialize, Deserialize)]
#[folds(Account)]
struct Forgetful {
    #[key]
    id: AccountId,
    #[serde(skip)]
    seen: u64,
    after_three: i64,
}

impl Evolve<Account> for Forgetful {
    fn evolve(&mut self, event: &Account) {
        self.seen += 1;
        if self.seen > 3 {
            self.after_three += change(event);
        }
    }
}

#[test]
fn a_state_that_its_snapshot_does_not_hold_is_found() {
    let snapshots = Snapshots::in_memory().of::<Forgetful>(SnapshotPolicy::manual());
    let store = bank(StoreOptions { snapshots: Some(snapshots), ..StoreOptions::default() });
    store.snapshot(Forgetful::of("ada")).run().unwrap();
    store.record(deposited("ada", 9)).run().unwrap();
    let error = store.load(Forgetful::of("ada")).verify().run().unwrap_err();
    assert!(matches!(error, VerifyError::Differs { way: Way::Snapshot(_), .. }), "{error}");
    assert!(error.to_string().contains("~ /after_three  -191 → -200"), "{error}");
}
