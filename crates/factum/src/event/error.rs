//! Why an event cannot be written, or not be read.

use std::error::Error;
use std::sync::Arc;

use factum_core::NameError;

type Source = Arc<dyn Error + Send + Sync>;

/// Why an event cannot be stored.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// An id cannot be part of a stream's name or a tag.
    #[error("an id cannot name a stream or a tag")]
    Name(#[from] NameError),
    /// More typed ids than an event may carry tags.
    #[error(transparent)]
    TooManyTags(#[from] factum_core::name::TooManyTags),
    /// Its fields have no form in the codec it asks for.
    #[error("the fields cannot be written: {0}")]
    Fields(Source),
    /// Its fields were written, and could not be read again: every later load of
    /// its stream would fail.
    #[error(
        "what was written could not be read back, so nothing was recorded ({0}): have every field read what it writes, numbers that are not finite and fields left out included"
    )]
    NotReadBack(DecodeError),
}

impl EncodeError {
    pub(super) fn new(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Fields(Arc::new(source))
    }
}

/// A stored event that cannot be read, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{event_type} version {version}: {why}")]
pub struct DecodeError {
    /// The stored type.
    pub event_type: String,
    /// The stored version.
    pub version: u32,
    /// What stands in the way.
    pub why: WhyUnreadable,
}

/// What stands between stored bytes and an event.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WhyUnreadable {
    /// Written by a newer program.
    #[error(
        "the newest version known here is {newest}: update this program, or declare `newer = read` or `newer = skip` on the event"
    )]
    NewerVersion {
        /// The newest version this program knows.
        newest: u32,
    },
    /// An old version for which no upcaster is declared.
    #[error(
        "no upcaster leads from version {version}: add `from = ...` or `upcast({version} = ...)` to the event"
    )]
    NoUpcaster {
        /// The version nothing starts from.
        version: u32,
    },
    /// An upcaster refused it.
    #[error("the upcaster from version {from} refused it: {reason}")]
    Upcaster {
        /// The version it was to be read as.
        from: u32,
        /// In its words.
        reason: String,
    },
    /// The bytes do not have the shape of the type.
    #[error(
        "its data does not have the shape of this version: {0}; raise the version and add an upcaster, or give new fields a default"
    )]
    Shape(Source),
    /// No codec for this media type.
    #[error("nothing here reads {media_type}")]
    MediaType {
        /// What the event says its data is.
        media_type: String,
    },
}

impl WhyUnreadable {
    pub(super) fn shape(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Shape(Arc::new(source))
    }

    /// With the event it is about.
    pub fn of(self, event_type: &str, version: u32) -> DecodeError {
        DecodeError { event_type: event_type.to_owned(), version, why: self }
    }
}
