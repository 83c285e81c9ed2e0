//! `event-store verify`

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::Place;

#[test]
fn a_whole_store_is_whole() {
    let place = Place::with_carts();
    for words in [&["event-store", "verify"][..], &["event-store", "verify", "--deep"]] {
        let said = place.ok(words);
        assert!(said.starts_with("whole: "), "{said}");
    }
    let found = place.json(["event-store", "verify", "--deep"]);
    assert_eq!((found["whole"].as_bool(), found["events"].as_u64()), (Some(true), Some(4)));
}

#[test]
fn a_flipped_bit_is_found_and_named() {
    let place = Place::with_carts();
    place.ok(["event-store", "append", "s", r#"{"type":"A","data":{"word":"needle-in-the-log"}}"#]);
    let (path, offset) = find(&place.store(), b"needle-in-the-log").expect("the event is in some file");
    let mut bytes = fs::read(&path).unwrap();
    bytes[offset] ^= 1;
    fs::write(&path, bytes).unwrap();

    let run = place.run(["event-store", "verify", "--deep", "--format", "json"]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    let found: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(found["whole"], false);
    let damage = &found["damage"][0];
    assert!(path.ends_with(damage["file"].as_str().unwrap()), "{damage}");
    assert!(damage["offset"].as_u64().unwrap() <= offset as u64, "{damage}");
    let failure: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(failure["kind"], "verification-failed");

    let text = place.run(["event-store", "verify", "--deep"]);
    assert!(
        text.stdout.contains(" at byte ") && text.stdout.contains("restore this file"),
        "{}",
        text.stdout
    );
    assert!(text.stderr.starts_with("error: the store is not whole: "), "{}", text.stderr);
}

fn find(dir: &Path, needle: &[u8]) -> Option<(PathBuf, usize)> {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = find(&path, needle) {
                return Some(found);
            }
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        if let Some(offset) = bytes.windows(needle.len()).position(|window| window == needle) {
            return Some((path, offset));
        }
    }
    None
}
