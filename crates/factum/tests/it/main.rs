//! The SDK as a program uses it, over memory and over the log.

// Everything here is a test, where an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod boundary;
mod context;
mod decide;
mod domain;
mod homes;
mod past;
