//! Why a repository could not be read.

use std::process::ExitStatus;

/// Why git's answer is missing or of no use.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git` to run.
    #[error("the program `git` was not found: install git, or put its directory on PATH")]
    Missing,
    /// It is there and does not start.
    #[error("the program `git` does not start: check that it runs from this shell")]
    Start {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It does not know an option that is needed.
    #[error("git {found} is too old: install git {oldest} or newer")]
    TooOld {
        /// Its version.
        found: String,
        /// What is needed.
        oldest: String,
    },
    /// There is nothing at that path.
    #[error("there is no directory {path}: check the path of the repository")]
    NotFound {
        #[allow(missing_docs)]
        path: String,
    },
    /// A file, or something else.
    #[error("{path} is not a directory: give the directory of a git repository")]
    NotADirectory {
        #[allow(missing_docs)]
        path: String,
    },
    /// Neither the directory nor one around it is a repository.
    #[error("no git repository was found: give the path of one, or run this inside one (git: {complaint})")]
    NotARepository {
        /// What git said.
        complaint: String,
    },
    /// Git refuses repositories of other users.
    #[error(
        "git does not read this repository because another user owns it; if you trust it, run `git config --global --add safe.directory DIRECTORY` with its path and try again (git: {complaint})"
    )]
    Distrusted {
        /// What git said.
        complaint: String,
    },
    /// Nothing was committed yet, so there is no history.
    #[error("{path} has no commit yet: commit something and try again")]
    NoCommits {
        #[allow(missing_docs)]
        path: String,
    },
    /// Git ended with an error.
    #[error("`git {command}` failed with {status}: {complaint}")]
    Failed {
        /// The git command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What git said.
        complaint: String,
    },
    /// Git printed what it should not.
    #[error(
        "`git {command}` printed something unknown ({piece:?}): check the repository with `git fsck`, and the version of git"
    )]
    Unexpected {
        /// The git command.
        command: String,
        /// The beginning of what it printed.
        piece: String,
    },
    /// The pipe from git broke.
    #[error("what git prints cannot be read: try again")]
    Read {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl GitError {
    /// What a complaint and an exit status mean.
    pub fn of_complaint(command: &str, status: ExitStatus, complaint: &str) -> Self {
        let complaint = complaint.trim().to_owned();
        if complaint.contains("dubious ownership") || complaint.contains("unsafe repository") {
            return Self::Distrusted { complaint };
        }
        if complaint.contains("not a git repository") {
            return Self::NotARepository { complaint };
        }
        let complaint = match complaint.is_empty() {
            true => "it gave no reason".to_owned(),
            false => complaint,
        };
        Self::Failed { command: command.to_owned(), status, complaint }
    }
}
