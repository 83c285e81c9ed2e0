//! The words of Factum, the [`EventStore`] port, and its law.
//!
//! An event store keeps one ordered log of immutable events. Every event has a
//! place in the whole log (its [`Position`]) and a place in the one stream it
//! belongs to (its [`Revision`]); state is a left fold over events.
//!
//! ```text
//!   position   0        1        2        3        4        5
//!           ┌────────┬────────┬────────┬────────┬────────┬────────┐
//!   the log │ cart-1 │ cart-2 │ cart-1 │ cart-1 │ cart-2 │ cart-3 │
//!           └────────┴────────┴────────┴────────┴────────┴────────┘
//!   revision    0        0        1        2        1        0      (in its stream)
//!           └── one append ───┘        └─ one append ──┘            (all or nothing)
//! ```
//!
//! What is here: the vocabulary ([`StreamName`], [`NewEvent`], [`Query`], ...),
//! the port ([`EventStore`]), [`MemoryStore`], which is small enough to be read
//! as the specification, and (feature `contract`) the law every store obeys,
//! as test functions.
//!
//! What is not here: no file, no socket, no thread, no async runtime. Only
//! [`clock`] reads the time.
//!
//! ```
//! use factum_core::{Append, EventStore, ExpectedRevision, MemoryStore, NewEvent, Read, StreamName};
//!
//! let store = MemoryStore::new();
//! let cart = StreamName::new("cart-1")?;
//! let added = NewEvent::json("ItemAdded", &serde_json::json!({ "sku": "apple" }))?;
//! let appended = store.append(Append::to(cart.clone(), ExpectedRevision::NoStream, [added]))?;
//! assert_eq!(appended.revision().unwrap().get(), 0);
//!
//! let events = store.read(Read::stream(cart))?.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(events[0].event_type.as_str(), "ItemAdded");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod answers;
pub mod append;
pub mod clock;
pub mod condition;
pub mod error;
pub mod event;
pub mod memory;
pub mod name;
pub mod position;
pub mod query;
pub mod read;
pub mod store;
pub mod subscribe;
pub mod time;

#[cfg(any(test, feature = "contract"))]
pub mod contract;

pub use answers::{Answers, Tell};
pub use append::{Append, Appended, Durability, StreamCheck, StreamWrite, WhenFull};
pub use bytes::Bytes;
pub use clock::{Clock, ManualClock, SystemClock};
pub use condition::{AppendCondition, ExpectedRevision};
pub use error::{AppendError, ErrorKind, InvalidAppend, ReadError, StorageError, SubscribeError};
pub use event::{ContentType, NewEvent, RecordedEvent};
pub use memory::MemoryStore;
pub use name::{Category, EventType, NameError, StreamName, Tag, Tags};
pub use position::{Position, Revision};
pub use query::{Query, QueryItem};
pub use read::{Direction, Events, Read, Selection, Start, Until};
pub use store::{AppendFuture, EventStore, EventStoreExt};
pub use subscribe::{CursorSource, CursorSubscription, Signal, Subscribe, SubscribeFrom, Subscription};
pub use time::{Timestamp, TimestampError};
pub use uuid::Uuid;
