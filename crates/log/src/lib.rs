//! The embedded event log.
mod commit;
pub mod disk;
mod engine;
mod error;
mod follow;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod housekeeper;
mod index;
mod log;
mod mailbox;
mod options;
mod read;
mod rebuild;
mod recent;
mod recover;
mod request;
mod resolve;
mod secret;
mod segment;
mod sequencer;
mod stats;
mod store_file;
mod tail;
pub mod verify;

pub use error::OpenError;
pub use log::Log;
pub use options::{Access, Create, LogOptions, Threads};
pub use recover::Recovery;
pub use stats::{SegmentStats, Stats};
