//! The SDK as a program uses it, over memory and over the log.

mod past;
mod walk;
