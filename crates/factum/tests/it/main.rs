//! The SDK as a program uses it, over memory and over the log.

#![allow(clippy::unwrap_used)]

mod boundary;
mod context;
mod decide;
mod domain;
mod evolution;
mod homes;
