//! Where a demo's store lies, and when it may be begun afresh.

use std::path::{Path, PathBuf};

use factum_core::{EventStore, EventStoreExt, Position};
use factum_log::{Access, Create, Log, LogOptions, OpenError};
use xxhash_rust::xxh3::xxh3_64;

use crate::import::git::facts::{COMMIT_MADE, COMMITS};
use crate::import::git::program::Repository;

/// Why there is no place for the store.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// No directory for caches is known.
    #[error("neither XDG_CACHE_HOME nor HOME says where a store may lie: give --store DIR")]
    NoCache,
    /// The directory above the store cannot be made.
    #[error("cannot create {path}: give --store DIR")]
    Create {
        #[allow(missing_docs)]
        path: String,
        #[allow(missing_docs)]
        #[source]
        source: std::io::Error,
    },
    /// A store that did not begin as an import of a repository.
    #[error(
        "{path} holds events that no demo wrote, and is left as it is: give another --store, or remove it yourself"
    )]
    NotOurs {
        #[allow(missing_docs)]
        path: String,
    },
    /// The old store cannot be removed.
    #[error("cannot remove {path}: remove it yourself, or give another --store")]
    Remove {
        #[allow(missing_docs)]
        path: String,
        #[allow(missing_docs)]
        #[source]
        source: std::io::Error,
    },
    /// What is there cannot be opened.
    #[error("{} cannot be opened", .path.display())]
    Open {
        #[allow(missing_docs)]
        path: PathBuf,
        #[allow(missing_docs)]
        #[source]
        source: OpenError,
    },
    /// What is there cannot be read.
    #[error(transparent)]
    Read(#[from] factum_core::ReadError),
}

/// The store of a repository's demo, where no `--store` was given:
/// `<cache>/factum/demo/<name>-<hash of the path>`.
pub fn default_for(repository: &Repository) -> Result<PathBuf, PlaceError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Ok(cache.ok_or(PlaceError::NoCache)?.join("factum").join("demo").join(name_of(repository.root())))
}

fn name_of(root: &Path) -> String {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let hash = xxh3_64(root.as_os_str().as_encoded_bytes());
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || "._-".contains(character) { character } else { '_' }
    };
    let name: String = name.chars().take(64).map(plain).collect();
    format!("{name}-{:08x}", hash as u32)
}

/// Opens the store for a demo, creating it and the directories above it.
pub fn open(path: &Path) -> Result<Log, PlaceError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|source| PlaceError::Create { path: parent.display().to_string(), source })?;
    }
    let options = LogOptions { create: Create::IfEmpty, access: Access::Append, ..LogOptions::default() };
    Log::open(path, options).map_err(|source| PlaceError::Open { path: path.to_owned(), source })
}

/// Removes the store of an earlier demo. Nothing else is ever removed: not a
/// directory that is no store, not a store that began in another way, not one
/// that is in use.
pub fn remove_old(path: &Path) -> Result<(), PlaceError> {
    // Open for appending, which no other process may have it at the same time.
    let options = LogOptions { create: Create::Never, access: Access::Append, ..LogOptions::default() };
    let log = match Log::open(path, options) {
        Ok(log) => log,
        Err(OpenError::NotFound { .. } | OpenError::Empty { .. }) => return Ok(()),
        Err(source) => return Err(PlaceError::Open { path: path.to_owned(), source }),
    };
    let Some(first) = log.event_at(Position::FIRST)? else { return Ok(()) };
    if first.stream.as_str() != COMMITS || first.event_type.as_str() != COMMIT_MADE {
        return Err(PlaceError::NotOurs { path: path.display().to_string() });
    }
    if let Some(last) = log.last_position()? {
        for event in EventStore::read(&log, factum_core::Read::all())? {
            let event = event?;
            let ours = event.stream.as_str() == COMMITS
                || event.stream.as_str().starts_with(crate::import::git::path::STREAM_PREFIX);
            if !ours {
                return Err(PlaceError::NotOurs { path: path.display().to_string() });
            }
            if event.position == last {
                break;
            }
        }
    }
    let remove = |source| PlaceError::Remove { path: path.display().to_string(), source };
    log.close().map_err(|error| PlaceError::Open { path: path.to_owned(), source: error.into() })?;
    std::fs::remove_dir_all(path).map_err(remove)
}
