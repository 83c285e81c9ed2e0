//! State without anybody's code: the JSON merge of a stream's data.
//!
//! The state begins as `{}`. Each event, in order:
//!
//! - data that is a JSON object is applied to it as a merge patch (RFC 7396):
//!   a key is set, `null` removes it, an object merges with the object that is
//!   there, anything else replaces what is there;
//! - JSON data of another kind is put under the event's type, as it is;
//! - data that is no JSON is put there as `{"content_type": ..., "bytes": n}`.
//!
//! ```text
//!   {"items":{"apple":1}}   +   {"items":{"pear":2,"apple":null},"open":true}
//!   =  {"items":{"pear":2},"open":true}
//!      - /items/apple 1    + /items/pear 2    + /open true
//! ```
//!
//! What changed falls out of the merge itself, so a replay costs what the
//! events hold, not what the state has grown to.

use factum_core::{ContentType, RecordedEvent};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A difference an event made. Both ends are never absent at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where, as a JSON pointer (RFC 6901).
    pub path: String,
    /// What was there; absent if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What is there now; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// A running state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    value: Value,
}

impl State {
    /// Before the first event.
    pub fn empty() -> Self {
        Self { value: Value::Object(Map::new()) }
    }

    /// The state now.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Applies an event and says what it changed.
    pub fn apply(&mut self, event: &RecordedEvent) -> Vec<Change> {
        let mut changes = Vec::new();
        self.fold(event, Some(&mut changes));
        changes
    }

    /// Applies an event.
    pub fn advance(&mut self, event: &RecordedEvent) {
        self.fold(event, None);
    }

    fn fold(&mut self, event: &RecordedEvent, changes: Option<&mut Vec<Change>>) {
        let parsed = match event.content_type {
            ContentType::Json => serde_json::from_slice(&event.data).ok(),
            _ => None,
        };
        let mut path = String::new();
        match parsed {
            Some(Value::Object(patch)) => merge(&mut self.value, patch, &mut path, &mut { changes }),
            other => {
                let value = other.unwrap_or_else(
                    || json!({ "content_type": event.content_type.as_str(), "bytes": event.data.len() }),
                );
                let keys = as_object(&mut self.value);
                set(keys, event.event_type.as_str().to_owned(), value, &mut path, &mut { changes });
            }
        }
    }
}

type Changes<'a> = Option<&'a mut Vec<Change>>;

fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object just now")
}

/// RFC 7396, with a note of every difference it makes. As deep as the patch,
/// which the JSON parser keeps below 128.
fn merge(target: &mut Value, patch: Map<String, Value>, path: &mut String, changes: &mut Changes<'_>) {
    let keys = as_object(target);
    for (key, value) in patch {
        match value {
            Value::Null => {
                if let Some(from) = keys.shift_remove(&key) {
                    let parent = step(path, &key);
                    note(changes, path, Some(from), None);
                    path.truncate(parent);
                }
            }
            Value::Object(inner) => {
                let parent = step(path, &key);
                match keys.get_mut(&key) {
                    Some(there @ Value::Object(_)) => {
                        merge(there, inner, path, changes);
                        path.truncate(parent);
                    }
                    _ => {
                        path.truncate(parent);
                        let mut made = Value::Object(Map::new());
                        merge(&mut made, inner, path, &mut None);
                        set(keys, key, made, path, changes);
                    }
                }
            }
            plain => set(keys, key, plain, path, changes),
        }
    }
}

fn set(keys: &mut Map<String, Value>, key: String, to: Value, path: &mut String, changes: &mut Changes<'_>) {
    let parent = step(path, &key);
    match keys.get_mut(&key) {
        Some(there) if *there == to => {}
        Some(there) => {
            let noted = changes.is_some().then(|| to.clone());
            let from = std::mem::replace(there, to);
            note(changes, path, Some(from), noted);
        }
        None => {
            let noted = changes.is_some().then(|| to.clone());
            keys.insert(key, to);
            note(changes, path, None, noted);
        }
    }
    path.truncate(parent);
}

fn note(changes: &mut Changes<'_>, path: &str, from: Option<Value>, to: Option<Value>) {
    if let Some(changes) = changes {
        changes.push(Change { path: path.to_owned(), from, to });
    }
}

/// Goes down to `key` (RFC 6901); gives the length to return to.
fn step(path: &mut String, key: &str) -> usize {
    let parent = path.len();
    path.push('/');
    for character in key.chars() {
        match character {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            other => path.push(other),
        }
    }
    parent
}

#[cfg(test)]
mod tests;
