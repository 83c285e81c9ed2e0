//! Specimens: one version of a stored type, described, with an example of it.

#[cfg(feature = "msgpack")]
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::{Codec, Encoded, Event, Shape};

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
            .and_then(|examples| examples.into_iter().map(stored).collect());
        Self { shape, stream, allowed: allowed.to_vec(), samples }
    }
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
