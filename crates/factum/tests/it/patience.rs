//! A model that takes too long is given up, and a snapshot helps.

use std::sync::Arc;
use std::time::Duration;

use factum::prelude::*;
use factum::snapshot::{SnapshotPolicy, Snapshots};
use factum::store::StoreOptions;
use factum_core::MemoryStore;
use serde::{Deserialize, Serialize};

#[derive(Id, Clone, Debug, PartialEq)]
struct BellId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Bell {
    Rung {
        #[id]
        id: BellId,
    },
}

#[derive(Aggregate, Serialize, Deserialize, Clone, Debug)]
#[folds(Bell)]
struct Rings {
    #[key]
    id: BellId,
    count: u64,
}

impl Evolve<Bell> for Rings {
    fn evolve(&mut self, _: &Bell) {
        self.count += 1;
    }
}

/// A store with a bell that was rung so often, and no time at all.
fn hurried(rung: u64) -> Store {
    let memory = Arc::new(MemoryStore::new());
    let rings = (0..rung).map(|_| Bell::Rung { id: "tower".into() });
    Store::over(memory.clone(), StoreOptions::default()).record(rings.collect::<Vec<_>>()).run().unwrap();
    let snapshots = Snapshots::in_memory().of::<Rings>(SnapshotPolicy::Manual);
    let options = StoreOptions {
        load_max: Some(Duration::ZERO),
        snapshots: Some(snapshots),
        ..StoreOptions::default()
    };
    Store::over(memory, options)
}

fn ring(rings: &Rings) -> Result<Bell, &'static str> {
    Ok(Bell::Rung { id: rings.id.clone() })
}

#[test]
fn a_load_that_takes_too_long_says_how_far_it_came() {
    let store = hurried(1_000);
    let error = store.load(Rings::of("tower")).run().unwrap_err();
    assert!(matches!(error, StoreError::TooLong { model: "Rings", events: 256, .. }), "{error:?}");
    assert!(error.to_string().contains("snapshots"), "{error}");
}

#[test]
fn a_command_that_has_to_load_too_long_records_nothing() {
    let store = hurried(1_000);
    let error = store.decide(Rings::of("tower"), ring).run().unwrap_err();
    assert!(matches!(error, DecideError::Store(StoreError::TooLong { .. })), "{error:?}");
    let last = store.events().last_position().unwrap().unwrap();
    assert_eq!(last.get(), 999);
}

#[test]
fn few_events_and_a_snapshot_take_no_time() {
    assert_eq!(hurried(255).load(Rings::of("tower")).run().unwrap().count, 255);
    let store = hurried(1_000);
    store.snapshot(Rings::of("tower")).run().unwrap();
    assert_eq!(store.load(Rings::of("tower")).run().unwrap().count, 1_000);
    store.decide(Rings::of("tower"), ring).run().unwrap();
}
