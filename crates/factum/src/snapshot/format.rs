//! What a snapshot is as bytes, also described in `docs/snapshots.md`.
//!
//! ```text
//!   gzip of     factum snapshot 1 5f0c...a9        format, hash of what follows
//!               {"model":"bank::Balance", ...}     header
//!               {"id":"ada","cents":300}           state
//! ```

use std::io::{Read as _, Write as _};

use factum_core::{EventStore, EventStoreExt as _, Position, ReadError, Revision};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_128;

use super::stats::Discarded;

const FORMAT: &str = "factum snapshot 1";

/// Everything about a snapshot besides the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The model's type.
    pub model: String,
    /// What was read, part by part.
    pub reads: Vec<String>,
    /// Fingerprint of the rules: see [`subject`](super::subject).
    pub fold: String,
    /// Up to where the log was looked at.
    pub anchor: Anchor,
    /// Position of the last event folded.
    pub last: u64,
    /// For each part that is a stream, the last revision.
    pub revisions: Vec<Option<u64>>,
    /// How many events were folded.
    pub events: u64,
    /// When it was taken, in microseconds since 1970.
    pub created_at: i64,
}

/// The last event that was looked at. If it stands in a log, so does
/// everything before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub position: u64,
    pub id: String,
    pub stream: String,
    pub revision: u64,
    /// In microseconds since 1970.
    pub recorded_at: i64,
}

impl Anchor {
    /// The event at this position; `None` if the log ends before.
    pub fn at(log: &dyn EventStore, position: Position) -> Result<Option<Self>, ReadError> {
        Ok(log.event_at(position)?.map(|event| Self {
            position: event.position.get(),
            id: event.id.to_string(),
            stream: event.stream.to_string(),
            revision: event.revision.get(),
            recorded_at: event.recorded_at.as_micros(),
        }))
    }
}

impl Header {
    pub fn revisions(&self) -> SmallVec<[Option<Revision>; 1]> {
        self.revisions.iter().map(|revision| revision.map(Revision::new)).collect()
    }
}

/// As bytes.
pub fn write(header: &Header, state: &[u8]) -> Vec<u8> {
    let mut rest = serde_json::to_vec(header).expect("texts and numbers have a JSON form");
    rest.push(b'\n');
    rest.extend_from_slice(state);
    let mut gzip = GzEncoder::new(Vec::with_capacity(rest.len() / 4 + 64), Compression::fast());
    let written = writeln!(gzip, "{FORMAT} {:032x}", xxh3_128(&rest)).and_then(|()| gzip.write_all(&rest));
    written.and_then(|()| gzip.finish()).expect("memory takes every write")
}

/// Header and state, if every byte of them is as it was written.
pub fn read(bytes: &[u8]) -> Result<(Header, Vec<u8>), Discarded> {
    let mut text = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut text).map_err(|_| Discarded::Corrupt)?;
    let line_end = |text: &[u8]| text.iter().position(|byte| *byte == b'\n').ok_or(Discarded::Corrupt);
    let rest = text.split_off(line_end(&text)? + 1);
    let first = str::from_utf8(&text).map_err(|_| Discarded::Corrupt)?;
    let Some(hash) = first.trim_end().strip_prefix(FORMAT) else {
        return Err(Discarded::Foreign);
    };
    if hash.trim_start() != format!("{:032x}", xxh3_128(&rest)) {
        return Err(Discarded::Corrupt);
    }
    let mut header = rest;
    let state = header.split_off(line_end(&header)? + 1);
    let header = serde_json::from_slice(&header).map_err(|_| Discarded::Corrupt)?;
    Ok((header, state))
}

/// Whether two states have the same fields everywhere, whatever their order:
/// a state that has fields which its snapshot lacks was written by other code.
pub fn is_same_shape(one: &[u8], other: &[u8]) -> bool {
    let shape = |bytes| serde_json::from_slice::<Value>(bytes).map(|value| shape_of(&value));
    one == other || matches!((shape(one), shape(other)), (Ok(one), Ok(other)) if one == other)
}

/// Keys and kinds; of a list, those that occur in it.
fn shape_of(value: &Value) -> String {
    match value {
        Value::Null => "0".into(),
        Value::Bool(_) => "b".into(),
        Value::Number(_) => "n".into(),
        Value::String(_) => "s".into(),
        Value::Array(items) => {
            let mut shapes: Vec<_> = items.iter().map(shape_of).collect();
            shapes.sort_unstable();
            shapes.dedup();
            format!("[{}]", shapes.join(","))
        }
        Value::Object(fields) => {
            let mut shapes: Vec<_> =
                fields.iter().map(|(key, value)| format!("{key:?}:{}", shape_of(value))).collect();
            shapes.sort_unstable();
            format!("{{{}}}", shapes.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            model: "bank::Balance".into(),
            reads: vec!["stream account-ada".into()],
            fold: "00ff".into(),
            anchor: Anchor {
                position: 7,
                id: "an id".into(),
                stream: "account-ada".into(),
                revision: 3,
                recorded_at: -1,
            },
            last: 7,
            revisions: vec![Some(3), None],
            events: 4,
            created_at: i64::MAX,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let state = br#"{"cents":300,"text":"a\nb"}"#;
        assert_eq!(read(&write(&header(), state)).unwrap(), (header(), state.to_vec()));
        assert_eq!(read(&write(&header(), b"")).unwrap().1, b"");
    }

    /// Bytes that carry none of the content, such as the time of a gzip
    /// header, may change without harm; no change may change what is read.
    #[test]
    fn no_changed_or_missing_byte_changes_what_is_read() {
        let state = br#"{"cents":300}"#;
        let bytes = write(&header(), state);
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                if let Ok(found) = read(&damaged) {
                    assert_eq!(found, (header(), state.to_vec()), "byte {at}");
                }
            }
            assert_eq!(read(&bytes[..at]), Err(Discarded::Corrupt), "cut at {at}");
        }
    }

    #[test]
    fn another_format_is_foreign() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"factum snapshot 2 whatever\nrest").unwrap();
        assert_eq!(read(&gzip.finish().unwrap()), Err(Discarded::Foreign));
    }

    #[test]
    fn shapes_differ_by_fields_and_not_by_values_or_order() {
        let same = [
            (r#"{"a":1,"b":"x"}"#, r#"{"b":"y","a":2}"#),
            (r#"[1,2]"#, r#"[2,1,3]"#),
            (r#"[{"a":1},"x"]"#, r#"["y",{"a":2}]"#),
        ];
        for (one, other) in same {
            assert!(is_same_shape(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
        let different = [
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{}}"#),
            (r#"[{"a":1}]"#, r#"[{"a":1,"b":2}]"#),
            (r#"{"a":1}"#, r#"{"a":"1"}"#),
            ("1", "not JSON"),
        ];
        for (one, other) in different {
            assert!(!is_same_shape(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
    }
}
