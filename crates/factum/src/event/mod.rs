//! Events as the domain sees them: plain enums and structs.
//!
//! ```text
//!   Account::Deposited { #[id] id, cents }          what the domain says
//!        │ encode                    ▲ decode, through the upcasters
//!        ▼                           │
//!   type     AccountDeposited        what is stored
//!   version  1
//!   stream   account-ada             from the enum's name and the field `#[id]`
//!   tags     account:ada             from every typed id
//!   data     {"id":"ada","cents":500}
//! ```
//!
//! Nothing here knows of a store: encoding and decoding are pure, and every
//! reader (commands, views, dead letters, tests) decodes through the same door,
//! [`Event::decode`], so that no path forgets the upcasters.

pub mod codec;
pub mod error;
pub mod faithful;
pub mod id;
mod labels;
pub mod shape;
pub(crate) mod unwind;
pub mod upcast;

use std::sync::OnceLock;

use factum_core::{ContentType, EventType, NewEvent, RecordedEvent, StreamName, Tags};

use crate::Boundary;
use crate::evolution::Specimen;

pub use codec::Codec;
pub use error::{DecodeError, EncodeError, WhyUnreadable};
pub use id::{Id, Ids};
pub use labels::Labels;
pub use shape::{FieldShape, Shape};

/// A fact of the domain, or an enum of them. Made by
/// [`#[derive(Event)]`](macro@crate::Event).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "put `#[derive(Event)]` on `{Self}`; in an enum of events, a variant with one unnamed field holds another event"
)]
pub trait Event: Clone + Send + Sync + 'static {
    /// Category of its streams if it says so itself; a struct that does not
    /// takes that of the enum it stands in.
    const CATEGORY: Option<&'static str>;
    /// Category used where nobody says otherwise.
    const OWN_CATEGORY: &'static str;

    /// The program that makes it, e.g. `shop 1.4.0`: stamped on what it appends.
    const PRODUCER: &'static str;
    /// The same as the metadata of an event: `{"producer":"shop 1.4.0"}`.
    const PRODUCER_METADATA: &'static str;

    /// Whether the types of its fields promise that every value is read back as it
    /// was written. If they do not, each is read back before it is recorded.
    const IS_FAITHFUL: bool = false;

    /// Every type it may be stored as, in the newest version.
    fn shapes() -> Vec<Shape>;

    /// The same with an example of each, and of the older versions that are
    /// types; `category` is for events without their own.
    fn specimens(category: &str) -> Vec<Specimen>;

    /// What is to be stored; `category` is for events without their own.
    fn encode_in(&self, category: &str) -> Result<Encoded, EncodeError>;

    /// The same, of an event that comes of a decision on this boundary, whose names
    /// it may share.
    fn encode_within(&self, category: &str, boundary: &Boundary) -> Result<Encoded, EncodeError> {
        let _ = boundary;
        self.encode_in(category)
    }

    /// The event in stored bytes, brought to today's shape.
    fn decode(stored: Stored<'_>) -> Result<Decoded<Self>, DecodeError>;

    /// What is to be stored.
    fn encode(&self) -> Result<Encoded, EncodeError> {
        self.encode_in(Self::OWN_CATEGORY)
    }
}

/// An event that is stored as one type with a version: every struct that
/// derives [`Event`].
pub trait Versioned: Event {
    /// The stored type.
    const NAME: &'static str;
    /// The version its shape has.
    const VERSION: u32;
}

/// What was found in stored bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<E> {
    /// This event.
    Event(E),
    /// A type that `E` does not have.
    UnknownType,
    /// A newer version of a type that `E` declared to skip then.
    SkippedVersion,
}

impl<E> Decoded<E> {
    /// The same, of the event as part of another.
    pub fn map<T>(self, wrap: impl FnOnce(E) -> T) -> Decoded<T> {
        match self {
            Self::Event(event) => Decoded::Event(wrap(event)),
            Self::UnknownType => Decoded::UnknownType,
            Self::SkippedVersion => Decoded::SkippedVersion,
        }
    }
}

/// An event ready for the store, but for its id and what surrounds the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The stream it belongs to.
    pub stream: StreamName,
    /// What kind of fact.
    pub event_type: EventType,
    /// Which shape of that kind.
    pub schema_version: u32,
    /// How `data` is written.
    pub content_type: ContentType,
    /// The fields.
    pub data: Vec<u8>,
    /// One for each typed id.
    pub tags: Tags,
}

/// The part of a stored event that decoding looks at.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    #[allow(missing_docs)]
    pub event_type: &'a str,
    #[allow(missing_docs)]
    pub schema_version: u32,
    #[allow(missing_docs)]
    pub content_type: &'a ContentType,
    #[allow(missing_docs)]
    pub data: &'a [u8],
}

impl<'a> From<&'a RecordedEvent> for Stored<'a> {
    fn from(event: &'a RecordedEvent) -> Self {
        Self {
            event_type: event.event_type.as_str(),
            schema_version: event.schema_version,
            content_type: &event.content_type,
            data: &event.data,
        }
    }
}

impl<'a> From<&'a Encoded> for Stored<'a> {
    fn from(event: &'a Encoded) -> Self {
        Self {
            event_type: event.event_type.as_str(),
            schema_version: event.schema_version,
            content_type: &event.content_type,
            data: &event.data,
        }
    }
}

impl<'a> From<&'a NewEvent> for Stored<'a> {
    fn from(event: &'a NewEvent) -> Self {
        Self {
            event_type: event.event_type.as_str(),
            schema_version: event.schema_version,
            content_type: &event.content_type,
            data: &event.data,
        }
    }
}

/// A stored type's name, checked once.
pub struct TypeName {
    text: &'static str,
    checked: OnceLock<EventType>,
}

impl TypeName {
    /// A name that is checked when it is first used.
    pub const fn new(text: &'static str) -> Self {
        Self { text, checked: OnceLock::new() }
    }

    /// The name; an error if it is refused.
    pub fn get(&self) -> Result<EventType, EncodeError> {
        if let Some(name) = self.checked.get() {
            return Ok(name.clone());
        }
        let name = EventType::from_static(self.text)?;
        Ok(self.checked.get_or_init(|| name).clone())
    }
}
