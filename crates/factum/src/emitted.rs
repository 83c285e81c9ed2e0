//! What a decision comes to: events, ready to be stored.
//!
//! What is stored must be read for ever, and an event that is in the log cannot be
//! taken back. Where the types of its fields do not [promise](crate::event::faithful)
//! that, an event is decoded again once it is encoded, through the door by which it
//! will be read: whether a type reads what it writes may depend on the value (a
//! number that is not finite, a field that is left out). The event as it will be read
//! is kept for the model that folds it next.

use std::any::Any;
use std::sync::Arc;

use crate::event::{Decoded, EncodeError, Encoded, Event, Stored};

/// Events, ready to be stored.
#[derive(Debug, Clone, Default)]
pub struct Emitted {
    pub(crate) events: Vec<Made>,
    pub(crate) error: Option<EncodeError>,
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
        match Made::of(event) {
            Ok(made) => self.events.push(made),
            Err(error) => self.error = self.error.take().or(Some(error)),
        }
    }

    /// What they are stored as.
    pub(crate) fn made(mut self) -> Result<Vec<Made>, EncodeError> {
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(self.events),
        }
    }
}

impl Made {
    /// Only what can be read may be stored.
    fn of<E: Event>(event: E) -> Result<Self, EncodeError> {
        let encoded = event.encode()?;
        let read_back: ReadBack = match E::IS_FAITHFUL {
            true => Some(Arc::new(event)),
            false => match E::decode(Stored::from(&encoded)) {
                Ok(Decoded::Event(event)) => Some(Arc::new(event)),
                Ok(Decoded::UnknownType | Decoded::SkippedVersion) => None,
                Err(error) => return Err(EncodeError::NotReadBack(error)),
            },
        };
        Ok(Self { encoded, producer_metadata: E::PRODUCER_METADATA, read_back })
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
        emitted.error = emitted.error.take().or(self.error);
    }
}
