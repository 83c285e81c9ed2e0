//! Differences of two states, by the form they have as JSON.

use std::fmt;

use json_patch::PatchOperation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::printable::Printable;

/// What is not the same in two states.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diff {
    /// One for each place, in the order of the state.
    pub differences: Vec<Difference>,
}

/// One place that is not the same. Both ends are never absent at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Where, as a JSON pointer (RFC 6901).
    pub path: String,
    /// What was there; absent if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub old: Option<Value>,
    /// What is there now; absent if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub new: Option<Value>,
}

/// A `null` that is written down is a value.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Diff {
    /// From one JSON value to another.
    pub fn between(old: &Value, new: &Value) -> Self {
        let mut differences: Vec<Difference> = Vec::new();
        // The elements an array lost are told one after another, all at the
        // place where the first of them was.
        let mut lost: Option<(String, u64)> = None;
        for operation in json_patch::diff(old, new).0 {
            let (path, value) = match operation {
                PatchOperation::Add(added) => (added.path, Some(added.value)),
                PatchOperation::Replace(replaced) => (replaced.path, Some(replaced.value)),
                PatchOperation::Remove(removed) => (removed.path, None),
                other => unreachable!("a difference is told without {other:?}"),
            };
            let mut path = path.to_string();
            if value.is_none() {
                let earlier = match &mut lost {
                    Some((first, count)) if *first == path => {
                        *count += 1;
                        *count
                    }
                    _ => {
                        lost = Some((path.clone(), 0));
                        0
                    }
                };
                if let Some((array, index)) = path.rsplit_once('/')
                    && let (Some(Value::Array(_)), Ok(index)) = (old.pointer(array), index.parse::<u64>())
                {
                    path = format!("{array}/{}", index + earlier);
                }
            }
            let old = old.pointer(&path).cloned();
            differences.push(Difference { path, old, new: value });
        }
        Self { differences }
    }

    /// Whether the states are the same.
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }

    /// What is different at this place, e.g. `/cents`.
    pub fn at(&self, path: &str) -> Option<&Difference> {
        self.differences.iter().find(|difference| difference.path == path)
    }
}

/// One line each: `+` came, `-` went, `~` is something else now.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, difference) in self.differences.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            difference.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The whole state is at the empty path.
        let path = Printable(if self.path.is_empty() { "(all)" } else { &self.path });
        match (self.old.as_ref().map(Printable), self.new.as_ref().map(Printable)) {
            (Some(old), Some(new)) => write!(f, "~ {path}  {old} → {new}"),
            (None, Some(new)) => write!(f, "+ {path}  {new}"),
            (Some(old), None) => write!(f, "- {path}  {old}"),
            (None, None) => write!(f, "= {path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_path_old_and_new() {
        let rows = [
            (json!({"a": 1}), json!({"a": 1}), ""),
            (json!({"a": 1}), json!({"a": 2}), "~ /a  1 → 2"),
            (json!(20), json!(70), "~ (all)  20 → 70"),
            (json!({}), json!({"a": null}), "+ /a  null"),
            (json!({"a": {"b": [1]}}), json!({"a": {}}), "- /a/b  [1]"),
            (json!({"a/b~": 1}), json!({"a/b~": 2}), "~ /a~1b~0  1 → 2"),
            (json!({"a": []}), json!({"a": {}}), "~ /a  [] → {}"),
            (json!([1, 2]), json!([1, 2, 3, 4]), "+ /2  3\n+ /3  4"),
            (json!([1, 2, 3, 4]), json!([1, 5]), "~ /1  2 → 5\n- /2  3\n- /3  4"),
            (
                json!({"a": [1, 2, 3], "b": [4, 5, 6]}),
                json!({"a": [1], "b": [4]}),
                "- /a/1  2\n- /a/2  3\n- /b/1  5\n- /b/2  6",
            ),
            (json!({"1": 1, "2": 2}), json!({}), "- /1  1\n- /2  2"),
        ];
        for (old, new, expected) in rows {
            let diff = Diff::between(&old, &new);
            assert_eq!(diff.to_string(), expected, "{old} to {new}");
            assert_eq!(diff.is_empty(), old == new);
        }
    }

    #[test]
    fn forges_nothing_on_a_terminal() {
        let old = json!({"a\n+ /b  1": "\u{9b}2J"});
        let new = json!({"a\n+ /b  1": "\u{202e}txt"});
        let told = Diff::between(&old, &new).to_string();
        assert_eq!(told, r#"~ /a\n+ ~1b  1  "\u{9b}2J" → "\u{202e}txt""#);
    }

    #[test]
    fn is_data_that_can_be_read_back() {
        let diff = Diff::between(&json!({"a": 1, "b": 2}), &json!({"a": null, "c": 3}));
        let text = serde_json::to_string(&diff).unwrap();
        assert_eq!(serde_json::from_str::<Diff>(&text).unwrap(), diff, "{text}");
        assert_eq!(diff.at("/a").unwrap().new, Some(Value::Null));
        assert_eq!(diff.at("/b").unwrap().new, None);
    }
}
