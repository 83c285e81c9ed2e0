use factum_core::{Append, EventStore, ExpectedRevision, MemoryStore, NewEvent, Read, StreamName};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;

/// The state after merging `patch` into `target`, and what changed.
fn merged(target: Value, patch: Value) -> (Value, Vec<Change>) {
    let Value::Object(patch) = patch else { panic!("a patch here is an object") };
    let mut changes = Vec::new();
    let mut value = target;
    merge(&mut value, patch, &mut String::new(), &mut Some(&mut changes));
    (value, changes)
}

/// The test cases of RFC 7396, appendix A, whose patch is an object.
#[test]
fn merges_as_the_rfc_says() {
    let rows = [
        (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
        (json!({"a":"b"}), json!({"a":null}), json!({})),
        (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
        (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
        (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
        (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
        (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
        (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
        (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
    ];
    for (target, patch, expected) in rows {
        assert_eq!(merged(target.clone(), patch.clone()).0, expected, "{target} + {patch}");
    }
}

#[test]
fn notes_each_difference_by_its_path() {
    let (_, changes) = merged(
        json!({"items":{"apple":1,"a/b~c":true},"total":3,"note":"x"}),
        json!({"items":{"pear":2,"apple":null,"a/b~c":false},"total":3,"note":{"deep":{"er":1,"gone":null}}}),
    );
    let lines: Vec<_> =
        changes.iter().map(|change| format!("{} {:?} {:?}", change.path, change.from, change.to)).collect();
    let some = |value: Value| Some(value);
    assert_eq!(
        changes,
        [
            Change { path: "/items/pear".into(), from: None, to: some(json!(2)) },
            Change { path: "/items/apple".into(), from: some(json!(1)), to: None },
            Change { path: "/items/a~1b~0c".into(), from: some(json!(true)), to: some(json!(false)) },
            Change { path: "/note".into(), from: some(json!("x")), to: some(json!({"deep":{"er":1}})) },
        ],
        "{lines:#?}"
    );
}

/// Random states and patches: the same state as another implementation of the
/// RFC reaches, and the noted changes are exactly what leads there.
#[test]
fn agrees_with_another_merge_on_random_patches() {
    let mut random = ChaCha8Rng::seed_from_u64(7396);
    let mut differing = 0;
    for round in 0..5_000 {
        let target = object(&mut random, 3);
        let patch = object(&mut random, 3);
        let mut expected = target.clone();
        json_patch::merge(&mut expected, &patch);
        let (ours, changes) = merged(target.clone(), patch.clone());
        assert_eq!(ours, expected, "round {round}: {target} + {patch}");

        let mut rebuilt = target.clone();
        for change in &changes {
            assert_ne!(change.from, change.to, "round {round}: {target} + {patch}");
            assert_eq!(target.pointer(&change.path), change.from.as_ref(), "round {round}");
            put(&mut rebuilt, &change.path, change.to.clone());
        }
        assert_eq!(rebuilt, expected, "round {round}: {target} + {patch}: {changes:?}");
        differing += usize::from(!changes.is_empty());
    }
    assert!(differing > 1_000, "only {differing} rounds changed anything");
}

fn object(random: &mut ChaCha8Rng, depth: u32) -> Value {
    let mut keys = Map::new();
    for _ in 0..random.next_u32() % 4 {
        let key = ["a", "b", "c/d", "~"][random.next_u32() as usize % 4];
        let value = match random.next_u32() % 6 {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(random.next_u32() % 3),
            3 => json!([1, null]),
            _ if depth > 0 => object(random, depth - 1),
            _ => json!("leaf"),
        };
        keys.insert(key.to_owned(), value);
    }
    Value::Object(keys)
}

fn put(target: &mut Value, path: &str, to: Option<Value>) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    let keys = target.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match to {
        Some(value) => drop(keys.insert(key, value)),
        None => drop(keys.shift_remove(&key)),
    }
}

#[test]
fn puts_other_data_under_the_type() {
    let store = MemoryStore::new();
    let stream = StreamName::new("s").unwrap();
    let event = |event_type: &str, data: &'static [u8]| {
        NewEvent::new(factum_core::EventType::new(event_type.to_owned()).unwrap(), data)
    };
    let picture = NewEvent { content_type: "image/png".into(), ..event("Pictured", b"\x89PNG") };
    let events = [
        event("Counted", b"3"),
        event("Counted", b"4"),
        event("Listed", b"[1]"),
        event("Forgotten", b"null"),
        event("Broken", b"{not json"),
        picture,
    ];
    store.append(Append::to(stream.clone(), ExpectedRevision::Any, events)).unwrap();
    let mut state = State::empty();
    for event in store.read(Read::stream(stream)).unwrap() {
        state.advance(&event.unwrap());
    }
    assert_eq!(
        *state.value(),
        json!({
            "Counted": 4,
            "Listed": [1],
            "Forgotten": null,
            "Broken": { "content_type": "application/json", "bytes": 9 },
            "Pictured": { "content_type": "image/png", "bytes": 4 },
        })
    );
}

#[test]
fn keeps_every_digit() {
    let (state, _) =
        merged(json!({}), serde_json::from_str(r#"{"n":123456789012345678901234567890.10}"#).unwrap());
    assert_eq!(state.to_string(), r#"{"n":123456789012345678901234567890.10}"#);
}
