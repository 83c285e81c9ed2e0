//! Names as they come from a command line: bytes that ought to be UTF-8.

use std::ffi::{OsStr, OsString};

use factum_core::{EventType, NameError, StreamName, Tag};

use crate::failure::Failure;

/// A stream's name.
pub fn stream(argument: &OsStr) -> Result<StreamName, Failure> {
    named(argument, StreamName::from_utf8)
}

/// An event type.
pub fn event_type(argument: &OsStr) -> Result<EventType, Failure> {
    named(argument, EventType::from_utf8)
}

/// Tags.
pub fn tags(arguments: &[OsString]) -> Result<Vec<Tag>, Failure> {
    arguments.iter().map(|argument| named(argument, Tag::from_utf8)).collect()
}

/// Event types.
pub fn event_types(arguments: &[OsString]) -> Result<Vec<EventType>, Failure> {
    arguments.iter().map(|argument| event_type(argument)).collect()
}

fn named<T>(argument: &OsStr, make: impl Fn(Vec<u8>) -> Result<T, NameError>) -> Result<T, Failure> {
    make(argument.as_encoded_bytes().to_vec()).map_err(Failure::invalid)
}

/// A part of a name, such as a prefix.
pub fn part(argument: &OsStr) -> Result<String, Failure> {
    argument.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::invalid(format!(
            "{:?} is not valid UTF-8, and names are: no stream can match it",
            argument.to_string_lossy()
        ))
    })
}
