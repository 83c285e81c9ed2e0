//! One line as one event: a pure function from bytes, so that it can be tried
//! with every kind of bytes there is.
//!
//! A line is the JSON object described in [`crate::envelope`], and `stream`
//! must be there. Three things are added for files:
//!
//! - `position`, `revision` and `recorded_at` are passed over, so that what one
//!   store wrote out can be read into another, which assigns its own;
//! - an event without `id` gets one made of the import's name and the line's
//!   number, so that the same line is always the same event;
//! - a parked line (`{"parked": {...}, "text": "..."}`) stands for its `text`,
//!   so that a file of parked lines is imported once its texts are mended.

use factum_core::{NewEvent, StreamName, Uuid};
use serde_json::Value;

use crate::envelope;

/// What ids of events without one are made in; never change it, or lines
/// imported before are taken for new ones.
const IDS: Uuid = Uuid::from_u128(0x8a52_0f43_91b6_5e0d_a1c4_66_61_63_74_75_6d);

/// Keys a store assigns.
const ASSIGNED: [&str; 3] = ["position", "revision", "recorded_at"];

/// Why a line is no event, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Where in the line, in bytes from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// The event of a line; `None` for a line with nothing in it.
pub fn decode(line: &[u8], id: Uuid) -> Result<Option<(StreamName, NewEvent)>, BadLine> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let text = std::str::from_utf8(line).map_err(|error| BadLine {
        column: error.valid_up_to() + 1,
        reason: "it is not UTF-8: write the file as UTF-8, or the bytes as `data_base64`".to_owned(),
    })?;
    let mut value = parse(text)?;
    if let Some(parked) = parked_text(&value) {
        if parked.trim_ascii().is_empty() {
            return Ok(None);
        }
        value = parse(parked)?;
    }
    let mut has_id = false;
    if let Value::Object(keys) = &mut value {
        for key in ASSIGNED {
            keys.shift_remove(key);
        }
        has_id = keys.get("id").is_some_and(|id| !id.is_null());
    }
    let parsed = envelope::parse(value)
        .map_err(|error| BadLine { column: column_of(text, error.field()), reason: error.to_string() });
    let (stream, mut event) = parsed?;
    let Some(stream) = stream else {
        return Err(BadLine {
            column: 1,
            reason: "`stream` is missing: say which stream the event belongs to".to_owned(),
        });
    };
    if !has_id {
        event.id = id;
    }
    event
        .validate(0)
        .map_err(|error| BadLine { column: column_of(text, "data"), reason: error.to_string() })?;
    Ok(Some((stream, event)))
}

/// The id of the event in this line, if the line gives none.
pub fn id_of_line(import: &StreamName, line: u64) -> Uuid {
    let name = format!("{import}\n{line}");
    Uuid::new_v5(&IDS, name.as_bytes())
}

fn parse(text: &str) -> Result<Value, BadLine> {
    serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
        BadLine {
            column: error.column().max(1),
            reason: format!("it is not JSON ({what}): write one JSON object per line"),
        }
    })
}

/// The text of a parked line.
fn parked_text(value: &Value) -> Option<&str> {
    let keys = value.as_object()?;
    keys.get("parked")?;
    keys.get("text")?.as_str()
}

/// Where a key stands: good enough to look at, never used to decide.
fn column_of(text: &str, key: &str) -> usize {
    if key.is_empty() {
        return 1;
    }
    text.find(&format!("\"{key}\"")).map_or(1, |offset| offset + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Uuid {
        id_of_line(&StreamName::new("$import-x").unwrap(), 7)
    }

    #[test]
    fn a_line_is_an_event() {
        let line = br#"{"stream":"cart-1","type":"ItemAdded","data":{"n":1.50},"metadata":{"by":"x"},
            "tags":["sku:a"],"occurred_at":"2026-11-21T10:00:00Z","position":4,"revision":1,"recorded_at":"?"}"#;
        let (stream, event) = decode(line, id()).unwrap().unwrap();
        assert_eq!(stream.as_str(), "cart-1");
        assert_eq!(event.id, id());
        assert_eq!(&event.data[..], br#"{"n":1.50}"#);
        assert_eq!(event.tags.iter().collect::<Vec<_>>(), ["sku:a"]);
        assert_eq!(event.occurred_at.unwrap().to_string(), "2026-11-21T10:00:00.000000Z");
        let given = br#"{"stream":"s","type":"T","id":"018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b"}"#;
        assert_ne!(decode(given, id()).unwrap().unwrap().1.id, id());
        assert_eq!(decode(b"  \t", id()).unwrap(), None);
    }

    #[test]
    fn a_parked_line_stands_for_its_text() {
        let parked = br#"{"parked":{"line":7},"text":"{\"stream\":\"s\",\"type\":\"T\"}"}"#;
        let (stream, event) = decode(parked, id()).unwrap().unwrap();
        assert_eq!((stream.as_str(), event.event_type.as_str()), ("s", "T"));
    }

    #[test]
    fn a_bad_line_says_where_and_why() {
        let rows: &[(&[u8], usize, &str)] = &[
            (b"nonsense", 2, "not JSON"),
            (b"{\"stream\":\"s\",\"type\":\"T\"} x", 27, "not JSON (trailing characters)"),
            (b"{\"stream\":\"s\"", 13, "not JSON"),
            (b"[1]", 1, "JSON object"),
            (b"{\"type\":\"T\"}", 1, "`stream` is missing"),
            (b"{\"stream\":\"s\"}", 1, "`type` is missing"),
            (b"{\"stream\":\"s\",\"type\":\"T\",\"dta\":1}", 26, "`dta`"),
            (b"{\"stream\":\"\",\"type\":\"T\"}", 2, "empty"),
            (b"{\"stream\":\"s\",\"type\":\"T\",\"id\":\"x\"}", 26, "UUID"),
            (b"{\"stream\":\"s\xff\"}", 13, "UTF-8"),
        ];
        for (line, column, reason) in rows {
            let bad = decode(line, id()).unwrap_err();
            let shown = String::from_utf8_lossy(line);
            assert!(bad.reason.contains(reason), "{shown}: {}", bad.reason);
            assert_eq!(bad.column, *column, "{shown}: {}", bad.reason);
        }
        let deep = "[".repeat(100_000);
        assert!(decode(deep.as_bytes(), id()).unwrap_err().reason.contains("recursion"));
    }
}
