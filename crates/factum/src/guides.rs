//! The guides in `docs`, whose code runs as documentation tests.

#[doc = include_str!("../../../docs/snapshots.md")]
pub struct Snapshots;

#[doc = include_str!("../../../docs/time-travel.md")]
pub struct TimeTravel;
