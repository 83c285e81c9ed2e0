//! Bytes that nobody wrote, into everything that parses.

// Everything here is a test, where an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod files;
mod lines;
mod requests;

/// Up to this many bytes of any kind. Without it the inputs are too short to
/// hold anything.
fn bytes_up_to(length: usize) -> impl bolero::ValueGenerator<Output = Vec<u8>> {
    bolero::produce::<Vec<u8>>().with().len(0..=length)
}
