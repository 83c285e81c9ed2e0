//! Why a measurement ended without a number.

use std::io;

use factum::StoreError;
use factum_core::{AppendError, ReadError, StorageError, SubscribeError};
use factum_log::OpenError;

/// Why a workload could not be measured. There is no partial result: a run
/// that met an error prints no figure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The store could not be opened.
    #[error("the store of the benchmark cannot be opened")]
    Open(#[from] OpenError),
    /// An append was refused or failed.
    #[error("an append of the benchmark failed")]
    Append(#[from] AppendError),
    /// A read failed.
    #[error("a read of the benchmark failed")]
    Read(#[from] ReadError),
    /// A subscription failed.
    #[error("the subscription of the benchmark failed")]
    Subscribe(#[from] SubscribeError),
    /// The store could not be closed.
    #[error("the store of the benchmark cannot be closed")]
    Storage(#[from] StorageError),
    /// A command or a model of the SDK failed.
    #[error("the SDK's part of the benchmark failed")]
    Sdk(#[from] StoreError),
    /// The raw disk, or the directory the store is put in, could not be used.
    #[error("cannot {doing}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An option makes no sense.
    #[error("{name} is {value}, and must be {allowed}")]
    Option {
        /// Which.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// What the store holds is not what it acknowledged, so no speed of it
    /// means anything.
    #[error("{what}: the store is wrong, and its speed is not reported")]
    Wrong {
        /// What does not hold.
        what: String,
    },
    /// The process that fills the store did not do what it was started for.
    #[error("the process that fills the store {what}")]
    Filler {
        /// What happened instead.
        what: String,
    },
}

impl BenchError {
    /// For `map_err` on an operation of the file system.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong { what: what.into() }
    }
}
