//! What a decision comes to: events, to be stored.
//!
//! ```text
//!   decided     Emitted   events, as they are
//!                  │      encoded when it is known what they were decided on
//!                  ▼
//!   drafted     Made      what is stored │ the event, as it will be read
//! ```
//!
//! What is stored must be read for ever, and an event that is in the log cannot be
//! taken back. Where the types of its fields do not [promise](crate::event::faithful)
//! that, an event is decoded again once it is encoded, through the door by which it
//! will be read: whether a type reads what it writes may depend on the value (a
//! number that is not finite, a field that is left out). The event as it will be read
//! is kept for the model that folds it next.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::Boundary;
use crate::event::{Decoded, EncodeError, Encoded, Event, Stored};

/// Events, to be stored.
#[derive(Clone, Default)]
pub struct Emitted {
    pub(crate) events: SmallVec<[Arc<dyn AnyEvent>; 1]>,
}

/// An event of any type.
pub(crate) trait AnyEvent: Send + Sync {
    /// What is stored of it. It comes of a decision on this boundary.
    fn encode(&self, boundary: &Boundary) -> Result<Encoded, EncodeError>;

    fn producer_metadata(&self) -> &'static str;

    /// The event as that will be read; an error if it cannot be.
    fn read_back(self: Arc<Self>, encoded: &Encoded) -> Result<ReadBack, EncodeError>;
}

/// An event, ready to be stored, and what it says of its maker: the events of one
/// decision may come from several crates.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub encoded: Encoded,
    pub producer_metadata: &'static str,
    pub read_back: ReadBack,
}

/// An event as it is read back from what is stored of it; `None` if its type
/// passes over what it wrote.
pub(crate) type ReadBack = Option<Arc<dyn Any + Send + Sync>>;

impl Emitted {
    /// These events.
    pub fn of(events: impl IntoEvents) -> Self {
        let mut emitted = Self::default();
        events.into_events(&mut emitted);
        emitted
    }

    /// One more.
    pub fn push<E: Event>(&mut self, event: E) {
        self.events.push(Arc::new(event));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// What each is stored as, if it can be.
    pub(crate) fn each_made(&self, boundary: &Boundary) -> impl Iterator<Item = Result<Made, EncodeError>> {
        self.events.iter().map(move |event| Made::of(event.clone(), boundary))
    }
}

impl fmt::Debug for Emitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.each_made(&Boundary::default())).finish()
    }
}

impl Made {
    /// Only what can be read may be stored.
    #[inline]
    pub fn of(event: Arc<dyn AnyEvent>, boundary: &Boundary) -> Result<Self, EncodeError> {
        let encoded = event.encode(boundary)?;
        let producer_metadata = event.producer_metadata();
        let read_back = event.read_back(&encoded)?;
        Ok(Self { encoded, producer_metadata, read_back })
    }
}

impl<E: Event> AnyEvent for E {
    fn encode(&self, boundary: &Boundary) -> Result<Encoded, EncodeError> {
        self.encode_within(E::OWN_CATEGORY, boundary)
    }

    fn producer_metadata(&self) -> &'static str {
        E::PRODUCER_METADATA
    }

    fn read_back(self: Arc<Self>, encoded: &Encoded) -> Result<ReadBack, EncodeError> {
        if E::IS_FAITHFUL {
            return Ok(Some(self));
        }
        match E::decode(Stored::from(encoded)) {
            Ok(Decoded::Event(event)) => Ok(Some(Arc::new(event))),
            Ok(Decoded::UnknownType | Decoded::SkippedVersion) => Ok(None),
            Err(error) => Err(EncodeError::NotReadBack(error)),
        }
    }
}

/// What a decision may come to: an event, several, or none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something a decision can come to",
    label = "not events",
    note = "return an event, a `Vec`, an array or an `Option` of events, a tuple of such, or `()` for nothing",
    note = "an event is an enum with `#[derive(Event)]`"
)]
pub trait IntoEvents {
    /// Adds them, in order.
    fn into_events(self, emitted: &mut Emitted);
}

impl<E: Event> IntoEvents for E {
    fn into_events(self, emitted: &mut Emitted) {
        emitted.push(self);
    }
}

impl<I: IntoEvents> IntoEvents for Vec<I> {
    fn into_events(self, emitted: &mut Emitted) {
        self.into_iter().for_each(|events| events.into_events(emitted));
    }
}

impl<I: IntoEvents, const N: usize> IntoEvents for [I; N] {
    fn into_events(self, emitted: &mut Emitted) {
        self.into_iter().for_each(|events| events.into_events(emitted));
    }
}

impl<I: IntoEvents> IntoEvents for Option<I> {
    fn into_events(self, emitted: &mut Emitted) {
        self.into_iter().for_each(|events| events.into_events(emitted));
    }
}

impl IntoEvents for () {
    fn into_events(self, _: &mut Emitted) {}
}

impl<A: IntoEvents, B: IntoEvents> IntoEvents for (A, B) {
    fn into_events(self, emitted: &mut Emitted) {
        self.0.into_events(emitted);
        self.1.into_events(emitted);
    }
}

impl<A: IntoEvents, B: IntoEvents, C: IntoEvents> IntoEvents for (A, B, C) {
    fn into_events(self, emitted: &mut Emitted) {
        self.0.into_events(emitted);
        self.1.into_events(emitted);
        self.2.into_events(emitted);
    }
}

impl IntoEvents for Emitted {
    fn into_events(mut self, emitted: &mut Emitted) {
        emitted.events.append(&mut self.events);
    }
}
