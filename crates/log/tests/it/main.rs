//! The log from outside, on disks that behave and disks that do not.

// Everything here is a test, where an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod contract;
mod corruption;
mod damage_read_only;
mod file_format;
mod fixture;
mod forged;
mod formats;
mod incidents;
mod places;
mod reindexed;
mod rig;
mod room;
mod selected;
mod sim;
mod store_file;
mod torn;
mod verify;
