//! The tooling of this workspace, apart from `main` so that it can be tested.
//!
//! ```text
//!   tree ──┐
//!          ├──▶ tidy::* ──▶ problems ──▶ printed, and a failure if there are any
//!   cargo ─┘
//! ```
//!
//! Every check is a function from what was read to problems: nothing below
//! `tidy::run`, `guide::run`, `compatibility::run` and `build_time::run` touches a file, so each has
//! a test with an example that fails.

pub mod build_time;
pub mod compatibility;
pub mod guide;
pub mod problem;
pub mod table;
pub mod tidy;
pub mod torture;
pub mod tree;
pub mod workspace;

/// The examples of the pages are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
