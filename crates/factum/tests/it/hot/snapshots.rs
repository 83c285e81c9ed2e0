//! A queue, and a repository, begin with a snapshot and take those that are due.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use factum::hot::{Queue, QueueOptions};
use factum::prelude::*;
use factum::snapshot::{SnapshotPolicy, SnapshotStats, Snapshots};
use factum::store::StoreOptions;
use factum_core::MemoryStore;
use serde::{Deserialize, Serialize};

use super::shelf::{Shelf, ShelfId, fill};

#[derive(Aggregate, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[folds(Shelf)]
struct Stock {
    #[key]
    id: ShelfId,
    left: u64,
    events: u64,
}

impl Evolve<Shelf> for Stock {
    fn evolve(&mut self, event: &Shelf) {
        self.events += 1;
        match event {
            Shelf::Filled { count, .. } => self.left += count,
            Shelf::Taken { count, .. } => self.left -= count,
            Shelf::Missed { .. } => {}
        }
    }
}

fn take(stock: &Stock) -> Result<Shelf, &'static str> {
    Ok(Shelf::Taken { id: stock.id.clone(), by: "ada".into(), count: 1 })
}

/// Stores over one log and one place of snapshots.
struct Shop {
    port: Arc<MemoryStore>,
    snapshots: Snapshots,
    advice: Arc<Mutex<Vec<u64>>>,
}

impl Shop {
    fn with(policy: SnapshotPolicy<Stock>) -> Self {
        let snapshots = Snapshots::in_memory().of::<Stock>(policy).at_once();
        Self { port: Arc::new(MemoryStore::new()), snapshots, advice: Arc::default() }
    }

    fn open(&self) -> Store {
        let told = self.advice.clone();
        let options = StoreOptions {
            snapshots: Some(self.snapshots.clone()),
            load_budget: Duration::ZERO,
            on_advice: Some(Arc::new(move |advice| told.lock().unwrap().push(advice.events))),
            ..StoreOptions::default()
        };
        Store::over(self.port.clone(), options)
    }

    fn stats(&self) -> SnapshotStats {
        self.open().snapshot_stats().remove(0)
    }
}

#[test]
fn a_queue_and_a_repository_begin_with_a_snapshot() {
    let shop = Shop::with(SnapshotPolicy::every(10));
    let store = shop.open();
    (0..30).for_each(|_| fill(&store, "a", 1));
    // The first is cold, and takes one.
    assert!(store.repository().find(Stock::of("a")).run().unwrap().is_some());
    assert_eq!((shop.stats().taken, shop.stats().loaded), (1, 0));
    assert_eq!(*shop.advice.lock().unwrap(), [30], "measured as any load");
    fill(&store, "a", 1);
    assert_eq!(store.repository().find(Stock::of("a")).run().unwrap().unwrap().state().events, 31);
    assert_eq!(shop.stats().loaded, 1);

    let later = shop.open();
    let queue = Queue::start(&later, QueueOptions::default()).unwrap();
    let receipt = queue.decide(Stock::of("a"), take).run().unwrap();
    assert_eq!((receipt.attempts, shop.stats().loaded), (1, 2));
}

#[test]
fn a_queue_takes_the_snapshots_that_are_due() {
    let shop = Shop::with(SnapshotPolicy::every(10));
    let store = shop.open();
    fill(&store, "a", 1_000);
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    for taken in 1..=35_u64 {
        queue.decide(Stock::of("a"), take).run().unwrap();
        // The filling is one of them.
        assert_eq!(shop.stats().taken, (taken + 1) / 10, "{taken}");
    }
    let verified = store.load(Stock::of("a")).verify().run().unwrap();
    assert!(format!("{verified:?}").contains("Snapshot"), "{verified:?}");
}

#[test]
fn a_queue_sees_the_transitions_of_its_commands() {
    let sold_out = |before: &Stock, after: &Stock| before.left > 0 && after.left == 0;
    let shop = Shop::with(SnapshotPolicy::on(sold_out));
    let store = shop.open();
    fill(&store, "a", 5);
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    for taken in 1..=5_u64 {
        queue.decide(Stock::of("a"), take).run().unwrap();
        assert_eq!(shop.stats().taken, taken / 5, "{taken}");
    }
    queue
        .decide(Stock::of("a"), |stock: &Stock| {
            Ok::<_, &str>(Shelf::Filled { id: stock.id.clone(), count: 1 })
        })
        .run()
        .unwrap();
    assert_eq!(shop.stats().taken, 1);
}
