//! Why a log could not be opened.

use factum_core::StorageError;

/// Why [`Log::open`](crate::Log::open) or [`verify`](crate::verify::verify) could not begin.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is nothing at that path.
    #[error("there is no store at {path}: check the path, or create one there")]
    NotFound {
        #[allow(missing_docs)]
        path: String,
    },
    /// The path is a directory without anything in it.
    #[error(
        "{path} is an empty directory: if a disk should be mounted there, mount it; if a new store should begin there, ask for that"
    )]
    Empty {
        #[allow(missing_docs)]
        path: String,
    },
    /// The path is something else, or a directory with other things in it.
    #[error(
        "{path} is not a store ({found}): give the path of a store, or of a directory that does not exist yet"
    )]
    NotAStore {
        #[allow(missing_docs)]
        path: String,
        /// What is there instead.
        found: String,
    },
    /// Another process has it open.
    #[error("{path} is in use by {holder}: close it there, or read through that process")]
    Locked {
        #[allow(missing_docs)]
        path: String,
        /// Who, as far as is known.
        holder: String,
    },
    /// A later Factum wrote it.
    #[error("{path} has format {found}, and this program knows formats up to {known}: use a newer Factum")]
    NewerFormat {
        #[allow(missing_docs)]
        path: String,
        /// The format found.
        found: u32,
        /// The newest one this program knows.
        known: u32,
    },
    /// An option makes no sense.
    #[error("option {name} is {value}, and must be {allowed}")]
    Option {
        /// Which.
        name: &'static str,
        /// What it was set to.
        value: u64,
        /// What it may be.
        allowed: String,
    },
    /// Bytes that were acknowledged are damaged or missing, or the disk failed.
    #[error("the store cannot be opened")]
    Storage(#[from] StorageError),
}
