//! Checking a path that holds no store.

use std::fs;

use factum_log::OpenError;
use factum_log::verify::{Depth, verify};

/// A check once took the lock first, and so left a LOCK file behind in
/// whatever directory it was pointed at.
#[test]
fn a_check_leaves_nothing_behind_where_there_is_no_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let found = verify(dir.path(), Depth::Fast, &mut |_| {});
    assert!(matches!(found, Err(OpenError::NotAStore { .. })), "{found:?}");
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["thesis.txt"]);

    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let found = verify(&empty, Depth::Deep, &mut |_| {});
    assert!(matches!(found, Err(OpenError::Empty { .. })), "{found:?}");
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
    let found = verify(&dir.path().join("nowhere"), Depth::Fast, &mut |_| {});
    assert!(matches!(found, Err(OpenError::NotFound { .. })), "{found:?}");
}
