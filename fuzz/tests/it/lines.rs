//! What people and other programs hand in: lines of JSON.

use factum_cli::{envelope, jsonl};
use factum_core::Uuid;

use crate::bytes_up_to;

/// What is taken for an event is one that a store would take, unless it is too
/// large for any.
#[test]
fn lines_of_files() {
    bolero::check!().with_max_len(1 << 16).with_generator(bytes_up_to(300)).for_each(|bytes| {
        for line in [&bytes[..], &wrapped(bytes)] {
            match jsonl::decode::decode(line, Uuid::nil()) {
                Ok(Some((_, event))) => event.validate(0).unwrap(),
                Ok(None) => {}
                Err(bad) => assert!(bad.column >= 1 && !bad.reason.is_empty()),
            }
        }
    });
}

/// The bytes as the value of a key, where chance alone would seldom get.
fn wrapped(bytes: &[u8]) -> Vec<u8> {
    const KEYS: [&str; 8] =
        ["type", "data", "id", "tags", "occurred_at", "data_base64", "metadata", "stream"];
    let (first, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (usize::from(*first), rest));
    let text = String::from_utf8_lossy(rest);
    let key = KEYS[first % KEYS.len()];
    let value = if first < 128 { serde_json::to_string(&text).unwrap() } else { text.into_owned() };
    format!(r#"{{"stream":"s","type":"T","{key}":{value}}}"#).into_bytes()
}

#[test]
fn envelopes() {
    bolero::check!().with_max_len(1 << 16).with_generator(bytes_up_to(300)).for_each(|bytes| {
        for bytes in [&bytes[..], &wrapped(bytes)] {
            if let Ok(value) = serde_json::from_slice(bytes) {
                match envelope::parse(value) {
                    Ok((_, event)) => event.validate(0).unwrap(),
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
        }
    });
}
