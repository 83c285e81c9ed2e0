//! The first page and the guides in `docs`, whose code runs as documentation tests.

#[doc = include_str!("../../../README.md")]
pub struct Readme;

#[doc = include_str!("../../../docs/evolution.md")]
pub struct Evolution;

#[doc = include_str!("../../../docs/first-aggregate.md")]
pub struct FirstAggregate;

#[doc = include_str!("../../../docs/snapshots.md")]
pub struct Snapshots;

#[doc = include_str!("../../../docs/testing.md")]
pub struct Testing;

#[doc = include_str!("../../../docs/contention.md")]
pub struct Contention;

#[doc = include_str!("../../../docs/time-travel.md")]
pub struct TimeTravel;

#[cfg(feature = "sqlite")]
#[doc = include_str!("../../../docs/views.md")]
pub struct Views;
