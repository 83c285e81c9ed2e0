//! The guides in `docs`, so that what they show compiles and runs.

#[cfg(feature = "sqlite")]
#[doc = include_str!("../../../docs/views.md")]
mod views {}
