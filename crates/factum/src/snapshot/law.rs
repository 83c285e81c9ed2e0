//! The law of [`SnapshotStore`], as a test function.
//!
//! Whoever implements the port runs it in a test:
//!
//! ```
//! factum::snapshot::law::check(&factum::snapshot::MemorySnapshots::default);
//! ```
//!
//! A failure is a panic that names the rule.

use factum_core::Position;

use super::{SnapshotKey, SnapshotStore};

/// Runs every rule against fresh, empty stores made by `store`.
///
/// # Panics
/// Where a rule is broken.
pub fn check<S: SnapshotStore>(store: &dyn Fn() -> S) {
    nothing_at_first(&store());
    what_is_saved_is_loaded(&store());
    positions_ascend(&store());
    a_position_has_one_snapshot(&store());
    what_is_removed_is_gone(&store());
    keys_do_not_mix(&store());
}

fn keys() -> [SnapshotKey; 2] {
    [SnapshotKey::of("one"), SnapshotKey::of("another")]
}

fn at(position: u64) -> Position {
    Position::new(position)
}

fn nothing_at_first(store: &impl SnapshotStore) {
    let [key, _] = keys();
    assert!(positions(store, key).is_empty(), "a fresh store is empty");
    assert_eq!(load(store, key, 0), None, "what was never saved is not there");
    store.remove(&key, at(0)).expect("removing what is not there is fine");
}

fn what_is_saved_is_loaded(store: &impl SnapshotStore) {
    let [key, _] = keys();
    let every_byte: Vec<u8> = (0..=255).collect();
    for bytes in [vec![], vec![0], every_byte.clone(), every_byte.repeat(4_096)] {
        save(store, key, bytes.len() as u64, &bytes);
        assert_eq!(
            load(store, key, bytes.len() as u64).as_ref(),
            Some(&bytes),
            "{} bytes come back as they were saved",
            bytes.len()
        );
    }
}

fn positions_ascend(store: &impl SnapshotStore) {
    let [key, _] = keys();
    for position in [9, 100, 0, u64::MAX, 10] {
        save(store, key, position, b"state");
    }
    assert_eq!(positions(store, key), [0, 9, 10, 100, u64::MAX], "positions are in ascending order");
}

fn a_position_has_one_snapshot(store: &impl SnapshotStore) {
    let [key, _] = keys();
    save(store, key, 7, b"a first, longer one");
    save(store, key, 7, b"a second");
    assert_eq!(positions(store, key), [7], "a position has one snapshot");
    assert_eq!(load(store, key, 7).as_deref(), Some(&b"a second"[..]), "the newest stands in its place");
}

fn what_is_removed_is_gone(store: &impl SnapshotStore) {
    let [key, _] = keys();
    save(store, key, 1, b"one");
    save(store, key, 2, b"two");
    store.remove(&key, at(1)).expect("a snapshot can be removed");
    assert_eq!((positions(store, key), load(store, key, 1)), (vec![2], None), "what is removed is gone");
    assert_eq!(load(store, key, 2).as_deref(), Some(&b"two"[..]), "the others stay");
    save(store, key, 1, b"again");
    assert_eq!(load(store, key, 1).as_deref(), Some(&b"again"[..]), "a removed one can be saved again");
}

fn keys_do_not_mix(store: &impl SnapshotStore) {
    let [one, another] = keys();
    save(store, one, 1, b"one");
    save(store, another, 1, b"another");
    save(store, another, 2, b"another");
    store.remove(&another, at(1)).expect("a snapshot can be removed");
    assert_eq!(positions(store, one), [1], "keys have positions of their own");
    assert_eq!(load(store, one, 1).as_deref(), Some(&b"one"[..]), "keys have snapshots of their own");
}

fn save(store: &impl SnapshotStore, key: SnapshotKey, position: u64, bytes: &[u8]) {
    store.save(&key, at(position), bytes).expect("a snapshot can be saved");
}

fn load(store: &impl SnapshotStore, key: SnapshotKey, position: u64) -> Option<Vec<u8>> {
    store.load(&key, at(position)).expect("a snapshot can be asked for")
}

fn positions(store: &impl SnapshotStore, key: SnapshotKey) -> Vec<u64> {
    let positions = store.positions(&key).expect("positions can be asked for");
    positions.into_iter().map(Position::get).collect()
}
