//! One type, several homes: every test that takes a store runs in each.

use factum::Store;

/// Calls `test` with a fresh store of every kind.
pub fn everywhere(test: impl Fn(Store)) {
    test(Store::memory());
    let folder = tempfile::tempdir().unwrap();
    test(Store::open(folder.path().join("store")).unwrap());
}

#[test]
fn what_was_recorded_on_disk_is_there_when_it_is_opened_again() {
    use crate::domain::{Balance, deposited, opened};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let receipt = Store::open(&path).unwrap().record([opened("ada"), deposited("ada", 7)]).run().unwrap();
    assert_eq!(receipt.durability.as_str(), "disk");
    let again = Store::open(&path).unwrap();
    assert_eq!(again.load(Balance::of("ada")).run().unwrap().cents, 7);
}

#[test]
fn a_second_opening_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let _open = Store::open(&path).unwrap();
    let error = Store::open(&path).err().unwrap().to_string();
    assert!(error.contains("in use") && error.contains("close it there"), "{error}");
}

#[test]
fn an_empty_folder_is_refused_for_it_may_be_where_a_disk_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("empty"), "{error}");
}
