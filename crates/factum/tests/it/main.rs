//! The SDK as a program uses it, over memory and over the log.

mod boundary;
mod context;
mod decide;
mod domain;
mod homes;
