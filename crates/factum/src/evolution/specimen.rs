//! Specimens: one version of a stored type, described, with an example of it.

use factum_core::ContentType;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::{Codec, Decoded, Encoded, Event, Shape, Stored, unwind};

use super::{Lint, NoSample};

/// One version of a stored type, described, with an example of it.
#[derive(Debug, Clone)]
pub struct Specimen {
    pub(super) shape: Shape,
    /// Where its events go, such as `account-<id>`.
    pub(super) stream: String,
    pub(super) allowed: Vec<Lint>,
    /// As stored, in JSON; or why there is none.
    pub(super) samples: Result<Vec<Box<RawValue>>, String>,
}

impl Specimen {
    /// For derived code: a shape, the category of its streams, the lints that
    /// are not to be applied, and such events.
    pub fn new<E: Event>(
        shape: Shape,
        category: &str,
        allowed: &[Lint],
        examples: Result<Vec<E>, NoSample>,
    ) -> Self {
        let stream = if shape.has_id { format!("{category}-<id>") } else { category.to_owned() };
        let stored = |example: E| {
            let encoded = example.encode_in(category);
            let encoded = encoded.map_err(|error| format!("its example cannot be stored: {error}"))?;
            stored_json(&shape, &encoded)
        };
        let samples = examples
            .map_err(|error| error.to_string())
            .and_then(|examples| distinct(examples.into_iter().map(stored)))
            .map(|samples| with_bare(samples, |sample| is_read::<E>(&shape, sample)));
        Self { shape, stream, allowed: allowed.to_vec(), samples }
    }
}

/// Each once. What may be left out of an example may keep others from being stored;
/// the first has to be.
fn distinct(
    mut samples: impl Iterator<Item = Result<Box<RawValue>, String>>,
) -> Result<Vec<Box<RawValue>>, String> {
    let first = samples.next().ok_or("there is no example of it")??;
    let mut distinct = vec![first];
    for sample in samples.flatten() {
        if !distinct.iter().any(|known| known.get() == sample.get()) {
            distinct.push(sample);
        }
    }
    Ok(distinct)
}

/// And the same data with everything left out that may be missing, once for each
/// set of fields that has to be there.
fn with_bare(mut samples: Vec<Box<RawValue>>, is_read: impl Fn(&str) -> bool) -> Vec<Box<RawValue>> {
    let parsed: Vec<Value> =
        samples.iter().filter_map(|sample| serde_json::from_str(sample.get()).ok()).collect();
    let mut known: Vec<Value> = parsed.iter().map(outline).collect();
    for mut bare in parsed {
        let mut paths = Vec::new();
        paths_in(&bare, String::new(), &mut paths);
        for path in paths {
            if let Some(less) = without(&bare, &path).filter(|less| is_read(&less.to_string())) {
                bare = less;
            }
        }
        // The same text whatever features `serde_json` is built with.
        bare.sort_all_objects();
        let outline = outline(&bare);
        if !known.contains(&outline)
            && let Ok(sample) = RawValue::from_string(bare.to_string())
        {
            known.push(outline);
            samples.push(sample);
        }
    }
    samples
}

/// The fields there are, whatever is in them.
fn outline(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), outline(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(outline).collect()),
        _ => Value::Null,
    }
}

/// Where each field is, the outer before the inner.
fn paths_in(value: &Value, at: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                paths.push(path.clone());
                paths_in(value, path, paths);
            }
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                paths_in(value, format!("{at}/{place}"), paths);
            }
        }
        _ => {}
    }
}

/// The same without the field at this path; `None` if it went with an outer one.
fn without(value: &Value, path: &str) -> Option<Value> {
    let (outer, key) = path.rsplit_once('/')?;
    let mut less = value.clone();
    let fields = less.pointer_mut(outer)?.as_object_mut()?;
    fields.remove(&key.replace("~1", "/").replace("~0", "~"))?;
    Some(less)
}

fn is_read<E: Event>(shape: &Shape, data: &str) -> bool {
    let json = ContentType::Json;
    let stored = Stored {
        event_type: shape.name,
        schema_version: shape.version,
        content_type: &json,
        data: data.as_bytes(),
    };
    matches!(unwind::decode::<E>(stored), Ok(Decoded::Event(_)))
}

fn stored_json(shape: &Shape, encoded: &Encoded) -> Result<Box<RawValue>, String> {
    if encoded.event_type.as_str() != shape.name || encoded.schema_version != shape.version {
        return Err(format!(
            "its example is {} version {}: have the function make this event",
            encoded.event_type, encoded.schema_version
        ));
    }
    let text = match Codec::of(&encoded.content_type) {
        Ok(Codec::Json) => String::from_utf8(encoded.data.clone()).map_err(|error| error.to_string())?,
        #[cfg(feature = "msgpack")]
        Ok(codec @ Codec::MessagePack) => {
            codec.decode::<Value>(&encoded.data).map_err(|why| why.to_string())?.to_string()
        }
        Err(why) => return Err(why.to_string()),
    };
    RawValue::from_string(text).map_err(|error| error.to_string())
}
