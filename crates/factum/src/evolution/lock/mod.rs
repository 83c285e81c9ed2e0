//! `events.lock`: what was stored, and what follows from comparing it with the
//! program.
//!
//! ```text
//!   no file        written if asked for
//!   the same       fine
//!   safe changes   written if asked for
//!   unsafe ones    never written; change the program, or take the entry out by hand
//! ```

pub mod file;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Report;
use super::compare;
use super::set::Member;
use file::Lock;

/// Why a check of `events.lock` did not succeed. Its `Debug` is its message, so
/// that a test that returns it, or unwraps it, prints something to be read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// What has to be done first.
    #[error("{0}")]
    Report(Report),
    /// The file itself is the problem.
    #[error(transparent)]
    File(#[from] LockFileError),
}

/// The file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}")]
pub struct LockFileError {
    /// What was tried.
    pub verb: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// What stood in the way.
    #[source]
    pub source: io::Error,
}

impl fmt::Debug for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report(report) => write!(f, "\n{report}"),
            Self::File(error) => write!(f, "{error}: {}", error.source),
        }
    }
}

/// Compares the events of a program with a file; writes it if that is asked
/// for and safe.
pub fn check(members: &[Member], path: &Path, accepts: bool) -> Result<(), LockError> {
    let failed = |verb| move |source| LockFileError { verb, path: path.to_owned(), source };
    let stored = Lock::read(path).map_err(failed("read"))?;
    let is_new = stored.is_none();
    let (mut report, now) = compare::compare(members, stored.unwrap_or_default());
    report.path = path.to_owned();
    report.is_new = is_new;
    if accepts && report.is_safe() {
        if is_new || report.has_changes() {
            now.write(path).map_err(failed("write"))?;
        }
        report.accept();
    }
    if report.is_empty() { Ok(()) } else { Err(LockError::Report(report)) }
}
