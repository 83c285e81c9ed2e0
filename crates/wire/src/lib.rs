//! The protocols: KurrentDB's in our own words, and Factum's own.
//!
//! What follows is about the first; the second is in [`store`], and what
//! connects to a server over it, behind the feature `client`, in `client`.
//!
//! The messages are described in `proto/`, with the packages, names and field
//! numbers that clients of KurrentDB and EventStoreDB 20 and later expect.
//! Everything else here turns them into the words of `factum-core` and back,
//! one file for each family:
//!
//! ```text
//!   bytes ─► proto ─► read, append, batch, session, delete, groups ─► core's words ─► the store
//!   bytes ◄─ proto ◄─ event, position, failure                     ◄─ what it answers
//! ```
//!
//! Invariants: no request panics, whatever its bytes; what is refused is
//! refused with the status, trailers and text that the clients look at
//! ([`failure`]); nothing here but `client` and `pace` reads a store, a clock
//! or a socket.

pub mod append;
pub mod batch;
#[cfg(feature = "client")]
pub mod client;
pub mod codec;
pub mod delete;
pub mod event;
pub mod expectation;
pub mod failure;
pub mod features;
pub mod filter;
pub mod gossip;
pub mod groups;
pub mod id;
#[cfg(feature = "pace")]
pub mod pace;
pub mod position;
pub mod projection;
pub mod read;
pub mod session;
pub mod store;
pub mod stream;
pub mod users;

pub use failure::Failure;
pub use filter::Filter;
pub use id::IdForm;

/// The messages and services as generated from `proto/`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod proto {
    /// Names as in the protocol.
    pub mod event_store {
        /// What all services share.
        pub mod client {
            tonic::include_proto!("event_store.client");
            /// Read, follow, append, delete.
            pub mod streams {
                tonic::include_proto!("event_store.client.streams");
            }
            /// Groups of consumers that share events.
            pub mod persistent_subscriptions {
                tonic::include_proto!("event_store.client.persistent_subscriptions");
            }
            /// Who is in the cluster.
            pub mod gossip {
                tonic::include_proto!("event_store.client.gossip");
            }
            /// What the server measures of itself.
            pub mod monitoring {
                tonic::include_proto!("event_store.client.monitoring");
            }
            /// What an operator asks for.
            pub mod operations {
                tonic::include_proto!("event_store.client.operations");
            }
            /// Projections that run in the server.
            pub mod projections {
                tonic::include_proto!("event_store.client.projections");
            }
            /// Who may log in.
            pub mod users {
                tonic::include_proto!("event_store.client.users");
            }
            /// What the server can do.
            pub mod server_features {
                tonic::include_proto!("event_store.client.server_features");
            }
        }
    }
    /// The status inside a message.
    pub mod google {
        /// Its package.
        pub mod rpc {
            tonic::include_proto!("google.rpc");
        }
    }

    /// Factum's own protocol.
    pub mod store {
        tonic::include_proto!("factum.store.v3");
    }
    /// Names as in the second version of the protocol.
    pub mod kurrentdb {
        /// Appends over several streams.
        pub mod sessions {
            tonic::include_proto!("kurrentdb.protocol.v2.streams");
            /// Why they are refused.
            pub mod errors {
                tonic::include_proto!("kurrentdb.protocol.v2.streams.errors");
            }
        }
    }

    pub use event_store::client::{
        self, gossip, monitoring, operations, persistent_subscriptions, projections, server_features,
        streams, users,
    };
    pub use kurrentdb::sessions;
}
