//! Code of events that panics: their upcasters, `From` and `Deserialize`.
//!
//! Whoever decides has the panic where it belongs, in its own stack. Whoever
//! reads on its own, a projector or a survey, has to name the event instead: one
//! stored event must not end it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{DecodeError, Decoded, Event, Stored, WhyUnreadable};

/// The event in stored bytes; an error also if code of it panics.
pub(crate) fn decode<E: Event>(stored: Stored<'_>) -> Result<Decoded<E>, DecodeError> {
    catch(stored, E::decode)
}

/// What this makes of stored bytes; an error also if it panics.
pub(crate) fn catch<'a, T>(
    stored: Stored<'a>,
    read: impl FnOnce(Stored<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    // What was read is not used after a panic.
    catch_unwind(AssertUnwindSafe(|| read(stored))).unwrap_or_else(|panic| {
        let why = WhyUnreadable::Panicked { said: said(&*panic) };
        Err(why.of(stored.event_type, stored.schema_version))
    })
}

/// What a panic says.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    said.unwrap_or("without a word").to_owned()
}
