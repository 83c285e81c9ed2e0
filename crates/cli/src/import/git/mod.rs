//! A git repository's history as events: `factum import git REPO`.
//!
//! ```text
//!   git log ──► Commit ──► one append ──► commits      CommitMade
//!   (history)              (facts)        file-<path>  FileAdded, FileModified, FileDeleted
//! ```
//!
//! The history is the first-parent line to the commit that is checked out, so
//! after each commit's append the live files are exactly that commit's tree:
//! paths, modes and blob ids, which `git ls-tree -r` can confirm (`factum
//! demo` asks it). A rename is a deletion and an addition; a merge counts with
//! what it brought to its first parent; a submodule is a file of mode 160000.
//!
//! The last event of the stream `commits` says where to continue. A store
//! holds the history of one repository: another repository, or a history that
//! was rewritten since, is refused.

pub mod error;
pub mod facts;
pub mod history;
pub mod object;
pub mod path;
pub mod program;
pub mod tree;

#[cfg(test)]
pub mod sample;
#[cfg(test)]
mod tests;

use std::time::Instant;

use factum_core::{
    AppendError, Durability, ErrorKind, EventStore, EventStoreExt, InvalidAppend, Read, ReadError, Revision,
};

use self::error::GitError;
use self::facts::{COMMIT_MADE, COMMITS, CommitMade};
use self::object::ObjectId;
use self::program::Repository;
use super::meter::{Meter, Unit};
use super::pipeline::Pipeline;

/// What an import did.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The commit that is checked out, up to which the store is now complete.
    pub head: ObjectId,
    /// Commits that were there before.
    pub commits_before: u64,
    /// Commits appended now.
    pub commits: u64,
    /// Events appended now.
    pub events: u64,
    /// How long it took.
    pub seconds: f64,
    /// What the receipts promised; `None` if nothing was appended.
    pub durability: Option<Durability>,
    /// Whether the repository holds only the later part of its history.
    pub shallow: bool,
}

/// Why an import ended early. What was appended before stays, and running the
/// import again continues after it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The repository cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A commit was not accepted.
    #[error("commit {commit} was not recorded")]
    Append {
        /// Which.
        commit: ObjectId,
        /// Why.
        #[source]
        source: AppendError,
    },
    /// A commit changes more than one append may hold.
    #[error(
        "commit {commit} changes {files} files, {bytes} bytes as events, and one commit is one atomic append of at most {limit} bytes: this history cannot be imported"
    )]
    CommitTooLarge {
        #[allow(missing_docs)]
        commit: ObjectId,
        #[allow(missing_docs)]
        files: u64,
        #[allow(missing_docs)]
        bytes: u64,
        #[allow(missing_docs)]
        limit: u64,
    },
    /// The store's history ends in a commit this repository does not have.
    #[error(
        "the store holds a history that ends at commit {last}, which {root} does not have: it is another repository, or one that was rewritten; import this one into a store of its own"
    )]
    OtherRepository {
        /// The last commit in the store.
        last: ObjectId,
        /// The repository.
        root: String,
    },
    /// The store's history is not a beginning of this one.
    #[error(
        "the store holds a history that ends at commit {last}, which is not on the first-parent line to {head} in {root}: the history was rewritten, or another branch is checked out; check out that branch, or import into a fresh store"
    )]
    Rewritten {
        /// The last commit in the store.
        last: ObjectId,
        /// The commit checked out.
        head: ObjectId,
        /// The repository.
        root: String,
    },
    /// The stream `commits` was written by someone else.
    #[error(
        "stream \"commits\" holds an event at revision {revision} that no import wrote: import into a store of its own"
    )]
    ForeignStream {
        #[allow(missing_docs)]
        revision: Revision,
    },
}

impl ImportError {
    /// See [`ErrorKind`].
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Git(GitError::NotFound { .. } | GitError::NotARepository { .. }) => ErrorKind::NotFound,
            Self::Git(GitError::NoCommits { .. } | GitError::NotADirectory { .. }) => ErrorKind::Invalid,
            Self::Git(_) => ErrorKind::Unavailable,
            Self::Read(error) => error.kind(),
            Self::Append { source, .. } => source.kind(),
            Self::CommitTooLarge { .. } => ErrorKind::Invalid,
            Self::OtherRepository { .. } | Self::Rewritten { .. } | Self::ForeignStream { .. } => {
                ErrorKind::Conflict
            }
        }
    }
}

/// How far an import had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Place of the last commit in the commits stream.
    pub revision: Revision,
    /// That commit.
    pub commit: ObjectId,
}

/// How far the store's import has come; `None` if it has none.
pub fn reached(store: &dyn EventStore) -> Result<Option<Reached>, ImportError> {
    let Some(last) = store.last_event(&facts::commits_stream())? else { return Ok(None) };
    let foreign = || ImportError::ForeignStream { revision: last.revision };
    if last.event_type.as_str() != COMMIT_MADE {
        return Err(foreign());
    }
    let made: CommitMade = serde_json::from_slice(&last.data).map_err(|_| foreign())?;
    Ok(Some(Reached { revision: last.revision, commit: made.commit }))
}

/// Appends the commits that the store does not have yet.
pub fn import(
    store: &dyn EventStore,
    repository: &Repository,
    meter: &mut dyn Meter,
) -> Result<Imported, ImportError> {
    let began = Instant::now();
    let head = repository.head()?;
    let reached = reached(store)?;
    let before = reached.map_or(0, |reached| reached.revision.get() + 1);
    let mut imported = Imported {
        head,
        commits_before: before,
        commits: 0,
        events: 0,
        seconds: 0.0,
        durability: None,
        shallow: repository.is_shallow()?,
    };
    let after = reached.map(|reached| reached.commit);
    let Some(missing) = missing(store, repository, &head, after.as_ref())? else { return Ok(imported) };
    if missing > 0 {
        meter.begin("importing", Unit::Commits, Some(missing));
        let done = append_all(store, repository, &mut imported, after.as_ref(), meter);
        meter.end();
        done?;
    }
    imported.seconds = began.elapsed().as_secs_f64();
    Ok(imported)
}

/// How many commits are to be appended; `None` if the store is ahead of what
/// is checked out.
fn missing(
    store: &dyn EventStore,
    repository: &Repository,
    head: &ObjectId,
    after: Option<&ObjectId>,
) -> Result<Option<u64>, ImportError> {
    if let Some(missing) = repository.commits_since(head, after)? {
        return Ok(Some(missing));
    }
    let last = *after.expect("without a commit to look for, all commits are counted");
    let root = repository.root().display().to_string();
    if !repository.has_commit(&last)? {
        return Err(ImportError::OtherRepository { last, root });
    }
    // An older commit of the same line may be checked out.
    match position_of(store, head)? {
        Some(_) => Ok(None),
        None => Err(ImportError::Rewritten { last, head: *head, root }),
    }
}

/// Where a commit's `CommitMade` stands, if it was imported.
pub fn position_of(
    store: &dyn EventStore,
    commit: &ObjectId,
) -> Result<Option<factum_core::RecordedEvent>, ReadError> {
    let id = facts::commit_event_id(commit);
    for event in store.read(Read::stream(facts::commits_stream()).backward())? {
        let event = event?;
        if event.id == id {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

fn append_all(
    store: &dyn EventStore,
    repository: &Repository,
    imported: &mut Imported,
    after: Option<&ObjectId>,
    meter: &mut dyn Meter,
) -> Result<(), ImportError> {
    let mut pipeline = Pipeline::new(store);
    let mut next = Revision::new(imported.commits_before);
    for commit in repository.history(&imported.head, after)? {
        let commit = commit?;
        let about = (commit.id, commit.changes.len() as u64);
        pipeline.append(facts::append_of(&commit, next), about).map_err(|refused| refusal(*refused))?;
        next = next.next();
        meter.at(pipeline.done.appends, pipeline.done.events);
    }
    pipeline.finish().map_err(|refused| refusal(*refused))?;
    imported.commits = pipeline.done.appends;
    imported.events = pipeline.done.events;
    imported.durability = pipeline.done.durability;
    Ok(())
}

fn refusal(refused: super::pipeline::Refused<(ObjectId, u64)>) -> ImportError {
    let (commit, files) = refused.about;
    match refused.error {
        AppendError::Conflict { stream, actual: Some(revision), .. } if stream.as_str() == COMMITS => {
            ImportError::ForeignStream { revision }
        }
        AppendError::Invalid(InvalidAppend::TooLarge { bytes, limit }) => {
            ImportError::CommitTooLarge { commit, files, bytes, limit }
        }
        source => ImportError::Append { commit, source },
    }
}
