//! The guides in `docs`, so that what they show compiles and runs.

#[doc = include_str!("../../../docs/evolution.md")]
pub struct Evolution;
