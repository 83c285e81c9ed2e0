//! What the metadata of a stream says about reading it.

use std::time::Duration;

use factum_core::{ContentType, EventType, NewEvent, RecordedEvent, Revision};
use factum_wire::Failure;
use serde_json::{Map, Value};

const TYPE: &str = "$metadata";
const MAX_AGE: &str = "$maxAge";
const MAX_COUNT: &str = "$maxCount";
const TRUNCATE_BEFORE: &str = "$tb";

/// As `$tb`, it hides every event there can be.
const EVERYTHING: u64 = i64::MAX as u64;

/// The metadata of a stream; empty if there is none or it is no JSON object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamMetadata(Map<String, Value>);

impl StreamMetadata {
    /// What an event of a metadata stream says.
    pub fn of(event: &RecordedEvent) -> Self {
        Self::parse(&event.content_type, &event.data)
    }

    /// What an event that is to become the last of a metadata stream will say.
    pub fn of_new(event: &NewEvent) -> Self {
        Self::parse(&event.content_type, &event.data)
    }

    fn parse(content_type: &ContentType, data: &[u8]) -> Self {
        match content_type {
            ContentType::Json => Self(serde_json::from_slice(data).unwrap_or_default()),
            _ => Self::default(),
        }
    }

    /// Older events are not read.
    pub fn max_age(&self) -> Option<Duration> {
        self.number(MAX_AGE).filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    /// Only so many events, the last ones, are read.
    pub fn max_count(&self) -> Option<u64> {
        self.number(MAX_COUNT).filter(|count| *count > 0)
    }

    /// Events before this revision are not read.
    pub fn truncate_before(&self) -> Option<Revision> {
        self.number(TRUNCATE_BEFORE).map(Revision::new)
    }

    /// Whether it deletes the stream.
    pub fn deletes(&self) -> bool {
        self.number(TRUNCATE_BEFORE) == Some(EVERYTHING)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    /// The event that deletes a stream. Nothing else of its metadata is kept.
    pub fn deletion() -> Result<NewEvent, Failure> {
        Self::default().saying(TRUNCATE_BEFORE, EVERYTHING)
    }

    /// The event by which only the last so many events of a stream are read.
    pub fn showing(count: u64) -> Result<NewEvent, Failure> {
        Self::default().saying(MAX_COUNT, count)
    }

    /// The event that begins a deleted stream again: as it is, but its events
    /// from `first` on can be read.
    pub fn begun_again(&self, first: Revision) -> Result<NewEvent, Failure> {
        self.saying(TRUNCATE_BEFORE, first.get())
    }

    /// As it is, but for this key.
    fn saying(&self, key: &str, number: u64) -> Result<NewEvent, Failure> {
        let mut keys = self.0.clone();
        keys.insert(key.to_owned(), number.into());
        let written = || -> Result<NewEvent, Box<dyn std::error::Error>> {
            Ok(NewEvent::new(EventType::new(TYPE)?, serde_json::to_vec(&Value::Object(keys))?))
        };
        written()
            .map_err(|error| Failure::Storage(format!("the stream's metadata cannot be written: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(json: &str) -> StreamMetadata {
        StreamMetadata::of_new(&NewEvent::new(EventType::new("$metadata").unwrap(), json.to_owned()))
    }

    #[test]
    fn reads_the_keys_that_count() {
        let all =
            metadata(r#"{"$maxAge": 60, "$maxCount": 3, "$tb": 2, "$acl": {"$r": "$all"}, "mine": 1.5}"#);
        assert_eq!(all.max_age(), Some(Duration::from_secs(60)));
        assert_eq!((all.max_count(), all.truncate_before()), (Some(3), Some(Revision::new(2))));
        assert!(!all.deletes());
        assert!(metadata(r#"{"$tb": 9223372036854775807}"#).deletes());
        for empty in ["", "nonsense", "[1]", "{}", r#"{"$maxAge": -1, "$maxCount": 0, "$tb": "2"}"#] {
            let metadata = metadata(empty);
            assert_eq!(
                (metadata.max_age(), metadata.max_count(), metadata.truncate_before()),
                (None, None, None),
                "{empty}"
            );
        }
    }

    #[test]
    fn keeps_what_it_does_not_know() {
        let before = metadata(r#"{"mine": [1, "x"], "$tb": 9223372036854775807, "$maxCount": 3}"#);
        let after = StreamMetadata::of_new(&before.begun_again(Revision::new(7)).unwrap());
        assert_eq!(after, metadata(r#"{"mine": [1, "x"], "$tb": 7, "$maxCount": 3}"#));
        assert_eq!(&StreamMetadata::deletion().unwrap().data[..], br#"{"$tb":9223372036854775807}"#);
        assert_eq!(&StreamMetadata::showing(7).unwrap().data[..], br#"{"$maxCount":7}"#);
    }
}
