//! What a name names: a stream, or the metadata of one.

use factum_core::StreamName;
use factum_wire::Failure;

/// Before the name of a stream, the name of its metadata.
const PREFIX: &str = "$$";

/// A stream or the metadata of one, each with the other beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The stream whose metadata counts.
    pub stream: StreamName,
    /// Where its metadata is.
    pub metadata: StreamName,
    /// Whether the metadata was named, not the stream.
    pub is_metadata: bool,
}

impl Named {
    /// Understands a name; metadata has no metadata of its own.
    pub fn new(name: StreamName) -> Result<Self, Failure> {
        let invalid = |what: &str| Failure::Invalid(format!("stream {name:?}: {what}"));
        if let Some(of) = name.as_str().strip_prefix(PREFIX) {
            if of.starts_with(PREFIX) {
                return Err(invalid("metadata has no metadata: name the stream after one $$"));
            }
            let stream = StreamName::new(of.to_owned())
                .map_err(|_| invalid("the name of a stream must follow after $$"))?;
            return Ok(Self { stream, metadata: name, is_metadata: true });
        }
        let metadata = StreamName::new([PREFIX, name.as_str()].concat()).map_err(|_| {
            invalid(&format!("names may have at most {} bytes", StreamName::BYTES_MAX - PREFIX.len()))
        })?;
        Ok(Self { stream: name, metadata, is_metadata: false })
    }

    /// The stream that was named.
    pub fn target(&self) -> &StreamName {
        if self.is_metadata { &self.metadata } else { &self.stream }
    }

    /// Whether a stream of this name holds metadata.
    pub fn holds_metadata(stream: &StreamName) -> bool {
        stream.as_str().starts_with(PREFIX)
    }

    /// It has a tombstone.
    pub fn deleted(&self) -> Failure {
        Failure::StreamDeleted { stream: self.target().clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Result<Named, Failure> {
        Named::new(StreamName::new(name.to_owned()).unwrap())
    }

    #[test]
    fn a_stream_and_its_metadata_know_each_other() {
        let stream = named("a-1").unwrap();
        let metadata = named("$$a-1").unwrap();
        assert_eq!((stream.target().as_str(), stream.is_metadata), ("a-1", false));
        assert_eq!((metadata.target().as_str(), metadata.is_metadata), ("$$a-1", true));
        assert_eq!((&stream.stream, &stream.metadata), (&metadata.stream, &metadata.metadata));
        assert_eq!(named("$settings").unwrap().metadata.as_str(), "$$$settings");
        assert_eq!(named("$$$settings").unwrap().stream.as_str(), "$settings");
    }

    #[test]
    fn refuses_names_without_a_place_for_metadata() {
        for name in ["$$", "$$$$a", &"x".repeat(1023)] {
            assert!(matches!(named(name), Err(Failure::Invalid(_))), "{name}");
        }
        assert!(named(&"x".repeat(1022)).is_ok());
    }
}
