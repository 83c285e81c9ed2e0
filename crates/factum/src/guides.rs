//! The guides in `docs`, whose code runs as documentation tests.

#[doc = include_str!("../../../docs/first-aggregate.md")]
pub struct FirstAggregate;

#[doc = include_str!("../../../docs/testing.md")]
pub struct Testing;

#[cfg(feature = "sqlite")]
#[doc = include_str!("../../../docs/views.md")]
pub struct Views;
