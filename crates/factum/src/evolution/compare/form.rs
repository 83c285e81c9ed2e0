//! The samples of one version: each is still read, and what was read is
//! written as it was.

use factum_core::ContentType;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::{Codec, Decoded, Stored, WhyUnreadable};

use super::super::Specimen;
use super::super::advice::Change;
use super::super::lock::file::Version;
use super::super::report::Finding;
use super::super::set::Member;

/// What is wrong with samples of a stored version.
pub fn of_samples(member: &Member, newest: &Specimen, version: &Version) -> Vec<Finding> {
    let is_newest = newest.shape.version == version.version;
    let mut findings = Vec::new();
    for sample in &version.samples {
        let Some(Refusal { why, by_upcaster }) = refusal(member, version, sample, is_newest) else {
            continue;
        };
        let finding = Finding::new(&version.event_type, version.version, Change::StoredFormChanged);
        let finding = finding.minus(sample.get()).saying(why);
        findings.push(if by_upcaster { finding.advising(OF_UPCASTER.to_owned()) } else { finding });
    }
    findings
}

/// What to do where an upcaster stands in the way.
const OF_UPCASTER: &str = "have the upcaster take whatever the older type allows, its greatest numbers too; if so much was never stored, give that type an example of its own, `#[event(example = a_function)]`";

/// Why a sample is not what it was.
struct Refusal {
    why: String,
    /// Whether the code between two versions gave up.
    by_upcaster: bool,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self { why, by_upcaster: false }
    }
}

/// Why a sample is not what it was; `None` if it is.
fn refusal(member: &Member, version: &Version, sample: &RawValue, is_newest: bool) -> Option<Refusal> {
    let stored = Stored {
        event_type: &version.event_type,
        schema_version: version.version,
        content_type: &ContentType::Json,
        data: sample.get().as_bytes(),
    };
    let encoded = match (member.recode)(stored) {
        Ok(Decoded::Event(Ok(encoded))) => encoded,
        Ok(Decoded::Event(Err(error))) => return Some(error.to_string().into()),
        Ok(Decoded::UnknownType) => return Some("no event of the program has this type".to_owned().into()),
        Ok(Decoded::SkippedVersion) => return Some("events of this version are skipped".to_owned().into()),
        Err(error) => {
            let by_upcaster = match &error.why {
                WhyUnreadable::Upcaster { .. } | WhyUnreadable::UpcasterPanicked { .. } => true,
                // A `From` has no name there.
                WhyUnreadable::Panicked { .. } => !is_newest,
                _ => false,
            };
            return Some(Refusal { why: error.why.to_string(), by_upcaster });
        }
    };
    if !is_newest {
        return None;
    }
    let before = serde_json::from_str(sample.get()).ok()?;
    let codec = Codec::of(&encoded.content_type).ok()?;
    let now = codec.decode::<Value>(&encoded.data).ok()?;
    let mut changes = Vec::new();
    find_losses("", &before, &now, &mut changes);
    (!changes.is_empty()).then(|| format!("written again it is different: {}", changes.join(", ")).into())
}

/// Whether two samples are the same data.
pub fn says_the_same(one: &RawValue, other: &RawValue) -> bool {
    let value = |sample: &RawValue| serde_json::from_str::<Value>(sample.get()).ok();
    value(one) == value(other)
}

/// What was there before and is not now, or is different. Additions are fine.
fn find_losses(path: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            for (key, value) in before {
                let path = format!("{path}/{key}");
                match now.get(key) {
                    Some(now) => find_losses(&path, value, now, found),
                    // As good as not there.
                    None if value.is_null() => {}
                    None => found.push(format!("{path} is gone")),
                }
            }
        }
        (Value::Array(before), Value::Array(now)) if before.len() == now.len() => {
            for (at, (before, now)) in before.iter().zip(now).enumerate() {
                find_losses(&format!("{path}/{at}"), before, now, found);
            }
        }
        (Value::Number(before), Value::Number(now)) if before.as_f64() == now.as_f64() => {}
        (before, now) if before == now => {}
        (before, now) => found.push(format!("{path} was {before} and is {now}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn additions_are_no_losses() {
        let losses = |before: Value, now: Value| {
            let mut found = Vec::new();
            find_losses("", &before, &now, &mut found);
            found
        };
        assert_eq!(losses(json!({"a": [1], "n": null}), json!({"a": [1.0], "b": 2})), [""; 0]);
        assert_eq!(losses(json!({"a": {"b": 1}}), json!({"a": {}})), ["/a/b is gone"]);
        assert_eq!(losses(json!({"a": [1, 2]}), json!({"a": [1]})), ["/a was [1,2] and is [1]"]);
        assert_eq!(losses(json!({"a": 1}), json!({"a": "1"})), ["/a was 1 and is \"1\""]);
    }
}
