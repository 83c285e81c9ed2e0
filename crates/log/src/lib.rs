//! The embedded event log: an [`EventStore`](factum_core::EventStore) in a
//! directory.
//!
//! It is the write-ahead log, the store and the source of every index in one:
//! an append is written once, flushed once, and answered. What waits while a
//! flush is under way goes out with the next one.
//!
//! ```text
//!   store/
//!   ├── STORE                    what the store is, as text; written once
//!   ├── LOCK                     held by the process that has it open
//!   ├── segments/0000000001.seg  batches of records, one after another
//!   │            0000000002.seg  ... the newest file is always an empty one
//!   └── index/0000000001.idx     where each stream's events are; rebuilt at will
//! ```
//!
//! It is: one ordered log with atomic appends over streams, append conditions,
//! repetitions recognised, reads both ways by position, revision and time,
//! subscriptions that cannot miss anything, and recovery that tells a torn tail
//! from damage.
//!
//! It is not: a server, an async runtime's guest (appends are futures that need
//! none), or a place where events are changed or removed. One process at a time
//! has a store open.
//!
//! Which room? What a byte at an offset means: `segment::format`. When something
//! is durable: `commit`. What a crash may leave: `recover`. Who may append what:
//! `sequencer`. Where a stream's events are: `index`. What the disk is asked:
//! [`disk`].
//!
//! ```
//! use factum_core::{Append, EventStore, ExpectedRevision, NewEvent, Read, StreamName};
//! use factum_log::{Log, LogOptions};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("carts");
//! # let small = 1024 * 1024;
//! # let options = LogOptions { segment_bytes_first: small, segment_bytes_max: small, ..LogOptions::default() };
//! let log = Log::open(&path, options)?;
//! let cart = StreamName::new("cart-1")?;
//! let added = NewEvent::json("ItemAdded", &serde_json::json!({ "sku": "apple" }))?;
//! log.append(Append::to(cart.clone(), ExpectedRevision::NoStream, [added]))?; // durable from here on
//! assert_eq!(log.read(Read::stream(cart))?.count(), 1);
//! log.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod buffers;
mod commit;
pub mod disk;
mod each;
mod engine;
mod error;
mod follow;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod housekeeper;
mod index;
mod log;
mod lone;
mod mailbox;
mod options;
mod read;
mod rebuild;
mod recent;
mod recover;
mod reply;
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
