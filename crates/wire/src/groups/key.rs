//! Which group: what it reads, and its name there. On the wire `$all` is a
//! choice of its own; in texts both look alike, as `orders-1::mailer`.

use std::fmt;

use factum_core::StreamName;

use crate::failure::Failure;
use crate::proto::client::StreamIdentifier;
use crate::stream;

/// How the whole log is called where a stream could be named.
const ALL: &str = "$all";

/// What a group reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The whole log.
    All,
    /// One stream.
    Stream(StreamName),
}

impl Source {
    /// By its name, which is `$all` for the whole log.
    pub fn named(name: &str) -> Result<Self, Failure> {
        match name {
            ALL => Ok(Self::All),
            name => StreamName::new(name.to_owned())
                .map(Self::Stream)
                .map_err(|error| Failure::Invalid(error.to_string())),
        }
    }

    /// From a request.
    pub fn decode(stream: Option<StreamIdentifier>) -> Result<Self, Failure> {
        stream::decode(stream).map(|stream| match stream.as_str() {
            ALL => Self::All,
            _ => Self::Stream(stream),
        })
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::All => ALL,
            Self::Stream(stream) => stream.as_str(),
        }
    }
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    #[allow(missing_docs)]
    pub source: Source,
    #[allow(missing_docs)]
    pub name: String,
}

impl GroupKey {
    /// A group of this name. It must have one, and it must be possible to tell
    /// where in `stream::group` it begins.
    pub fn new(source: Source, name: String) -> Result<Self, Failure> {
        let says = |what: &str| Err(Failure::Invalid(format!("the group's name {what}")));
        match name.as_str() {
            "" => says("is empty: name the group"),
            text if text.chars().any(char::is_control) => says("has control characters: use printable ones"),
            text if text.starts_with(':') || text.contains("::") => {
                says("begins with a colon or has two in a row: use another separator")
            }
            _ => Ok(Self { source, name }),
        }
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.source.as_str(), self.name)
    }
}
