//! What holds for every history: a snapshot and what came after it are a full
//! fold, at every moment; damage changes nothing.

use factum::snapshot::{SnapshotPolicy, Snapshots};
use factum::{Moment, Position, Revision};
use proptest::prelude::*;

use super::trust::Reachable;
use super::*;

/// One step of a program.
#[derive(Debug, Clone)]
enum Step {
    Record(Account),
    Deposit(i64),
    Load,
    Snapshot,
    Travel(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let event = (0..2_usize, -50..50_i64).prop_map(|(id, cents)| {
        let id = ["ada", "bob"][id];
        if cents < 0 { withdrawn(id, -cents) } else { deposited(id, cents) }
    });
    prop_oneof![
        4 => event.prop_map(Step::Record),
        4 => (1..100_i64).prop_map(Step::Deposit),
        1 => Just(Step::Load),
        1 => Just(Step::Snapshot),
        1 => (0..40_u64).prop_map(Step::Travel),
    ]
}

type Both = (Balance, Wealth, Wealth);

fn both() -> Both {
    (Balance::of("ada"), Wealth::of("eve"), Wealth::of("eve"))
}

fn options(every: u64, kept: usize) -> StoreOptions {
    let snapshots = Snapshots::in_memory()
        .of::<Balance>(SnapshotPolicy::every(every))
        .of::<Wealth>(SnapshotPolicy::longer_than(every))
        .of::<Both>(SnapshotPolicy::every(every))
        .kept(kept)
        .at_once();
    StoreOptions { snapshots: Some(snapshots), ..StoreOptions::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// With snapshots and without: the same answers, whatever was done when.
    #[test]
    fn a_snapshot_and_its_delta_are_a_full_fold(
        steps in proptest::collection::vec(step(), 1..40),
        every in 1..6_u64,
        kept in 1..4_usize,
    ) {
        let (store, clock) = clocked(options(every, kept));
        let plain = Store::over(store.events().clone(), StoreOptions::default());
        let same = |moment: Moment| {
            let ada = (store.load(Balance::of("ada")), plain.load(Balance::of("ada")));
            assert_eq!(ada.0.as_of(moment).run().unwrap(), ada.1.as_of(moment).run().unwrap(), "{moment:?}");
            let two = (store.load(both()), plain.load(both()));
            assert_eq!(two.0.as_of(moment).run().unwrap(), two.1.as_of(moment).run().unwrap(), "{moment:?}");
            if !matches!(moment, Moment::Revision(_)) {
                let eve = (store.load(Wealth::of("eve")), plain.load(Wealth::of("eve")));
                assert_eq!(eve.0.as_of(moment).run().unwrap(), eve.1.as_of(moment).run().unwrap(), "{moment:?}");
            }
        };
        for (second, step) in steps.into_iter().enumerate() {
            clock.set(at(second as i64));
            match step {
                Step::Record(event) => drop(store.record(event).run().unwrap()),
                Step::Deposit(cents) => {
                    store.decide(Balance::of("ada"), |balance| deposit(balance, cents)).run().unwrap();
                    store.decide(both(), |(balance, ..)| deposit(balance, cents)).run().unwrap();
                }
                Step::Load => same(Moment::Now),
                Step::Snapshot => drop(store.snapshot(Balance::of("ada")).run()),
                Step::Travel(position) => same(Position::new(position).into()),
            }
        }
        let end = store.events().last_position().unwrap().map_or(0, |last| last.get() + 2);
        for moment in 0..end {
            same(Position::new(moment).into());
            same(Revision::new(moment).into());
            same(at(moment as i64).into());
        }
        same(Moment::Now);
        store.load(Balance::of("ada")).verify().run().unwrap();
        store.load(both()).verify().run().unwrap();
        for stats in store.snapshot_stats() {
            prop_assert_eq!((stats.discarded(), stats.failed, stats.unread), (0, 0, 0), "{:?}", stats);
        }
    }

    /// The order in which a history is told is that of the fold.
    #[test]
    fn a_history_ends_in_the_state(steps in proptest::collection::vec(step(), 1..40)) {
        let store = Store::memory();
        for step in steps {
            if let Step::Record(event) = step {
                store.record(event).run().unwrap();
            }
        }
        let mut before = both();
        for change in store.load(both()).history().changes().unwrap() {
            let change = change.unwrap();
            prop_assert_eq!(&change.before, &before);
            let then = store.load(both()).as_of(change.event.position).run().unwrap();
            prop_assert_eq!(&change.after, &then.model);
            before = change.after;
        }
        prop_assert_eq!(&before, &store.load(both()).run().unwrap().model);
    }

    /// Any bytes anywhere.
    #[test]
    fn damage_never_changes_an_answer(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let kept = Arc::new(Reachable::default());
        let snapshots = Snapshots::in_store(kept.clone()).of::<Balance>(SnapshotPolicy::manual());
        let store = bank(StoreOptions { snapshots: Some(snapshots), ..StoreOptions::default() });
        store.snapshot(Balance::of("ada")).run().unwrap();
        let whole = kept.bytes();
        kept.change(|bytes| {
            for (at, byte) in &damage {
                bytes[at.index(whole.len())] = *byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(whole.len()));
            }
        });
        store.record(deposited("ada", 1)).run().unwrap();
        prop_assert_eq!(store.load(Balance::of("ada")).run().unwrap().cents, 601);
        let stats = store.snapshot_stats()[0];
        prop_assert_eq!(stats.loaded + stats.discarded(), 1, "{:?}", stats);
    }
}
