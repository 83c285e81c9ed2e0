//! Opening the store a command line names.
//!
//! Reading never creates anything. Appending creates a store where no
//! directory is; an empty directory may be the mount point of a disk that went
//! away, so a store begins there only when `--init` says so.
//!
//! A store that is damaged is still read, before and behind the damage: what is
//! whole is shown as far as a verb comes, and then the verb fails, so that
//! nobody takes a part of the log for all of it.
//!
//! A server that `--url` names is a store as well, for all that can be done
//! through the port; what works on files says so.
//!
//! One process has a store open at a time, and most hold it for as long as one
//! of our own verbs takes; so a store in use is waited for, for a little while.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use factum_core::{EventStore, StorageError};
use factum_log::{Access, Create, Log, LogOptions, OpenError};

use crate::args::Global;
use crate::exit::Exit;
use crate::failure::{Failure, storage_hint};
use crate::remote;

/// How often a store in use is tried again.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// How quick the last flush must have been for a lone append to be flushed by the
/// thread that has the connection: about three times what a good disk takes.
#[cfg(feature = "serve")]
const ASYNC_FLUSH_MAX: Duration = Duration::from_micros(300);

/// Opens the store for a verb that only looks, wherever it is, and lets it look.
pub fn looking(
    global: &Global,
    look: impl FnOnce(&dyn EventStore) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match global.url()? {
        Some(url) => look(&remote::connect(url)?),
        None => reading(global, |log| look(log)),
    }
}

/// Opens the store for a verb that appends, wherever it is, lets it append, and
/// closes it; `init` allows an empty directory.
pub fn appending<T, E>(
    global: &Global,
    init: bool,
    append: impl FnOnce(&dyn EventStore) -> Result<T, E>,
) -> Result<T, Failure>
where
    Failure: From<E>,
{
    match global.url()? {
        Some(_) if init => {
            Err(Failure::new(Exit::Usage, "--init begins a store in a directory, and --url names a server")
                .hint("leave --init out: `factum serve --init` begins the store of a server"))
        }
        Some(url) => Ok(append(&remote::connect(url)?)?),
        None => {
            let log = for_appending(global, init)?;
            let appended = append(&log)?;
            log.close()?;
            Ok(appended)
        }
    }
}

/// Opens the store for a verb that only looks at files, lets it look, and fails
/// if not all of the log can be read.
pub fn reading(global: &Global, look: impl FnOnce(&Log) -> Result<(), Failure>) -> Result<(), Failure> {
    let log = for_reading(global)?;
    match (look(&log), whole(&log)) {
        // Perhaps what was looked for is what was lost.
        (Err(failure), Err(damage)) if failure.code != Exit::Damaged => {
            Err(failure.hint(damage.error.to_string()))
        }
        (looked, whole) => looked.and(whole),
    }
}

/// Fails if not all of the log can be read.
pub fn whole(log: &Log) -> Result<(), Failure> {
    match &log.recovery().damage {
        None => Ok(()),
        Some(damage) => Err(Failure::new(
            Exit::Damaged,
            format!("the store is damaged, and not all of it can be read: {damage}"),
        )),
    }
}

/// The store, for verbs that only look.
pub fn for_reading(global: &Global) -> Result<Log, Failure> {
    let path = global.store_path()?;
    waiting(global, || Log::open(path, options()))
}

/// The store, for verbs that only look; `None` while another process has it.
pub fn for_reading_if_free(global: &Global) -> Result<Option<Log>, Failure> {
    let path = global.store_path()?;
    match Log::open(path, options()) {
        Ok(log) => Ok(Some(log)),
        Err(OpenError::Locked { .. }) => Ok(None),
        Err(error) => Err(refused(path, error)),
    }
}

/// The store, for verbs that append; `init` allows an empty directory.
pub fn for_appending(global: &Global, init: bool) -> Result<Log, Failure> {
    for_appending_as(global, init, LogOptions::default())
}

/// The same, to be served: whoever waits for an answer is woken by the thread that
/// has it, and that thread can be kept from the others for a quick flush.
#[cfg(feature = "serve")]
pub fn for_serving(global: &Global, init: bool) -> Result<Log, Failure> {
    for_appending_as(global, init, LogOptions { async_flush_max: ASYNC_FLUSH_MAX, ..LogOptions::default() })
}

fn for_appending_as(global: &Global, init: bool, options: LogOptions) -> Result<Log, Failure> {
    let path = global.store_path()?;
    let create = if init { Create::IfEmpty } else { Create::IfAbsent };
    waiting(global, || Log::open(path, LogOptions { create, access: Access::Append, ..options.clone() }))
}

/// Tries again while another process has the store, as long as `--wait` says.
pub fn waiting<T>(global: &Global, mut attempt: impl FnMut() -> Result<T, OpenError>) -> Result<T, Failure> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(OpenError::Locked { .. }) if begun.elapsed() < Duration::from_secs(global.wait) => {
                thread::sleep(TRY_EVERY);
            }
            done => return done.map_err(|error| refused(&global.store, error)),
        }
    }
}

/// Says which store it was, where the engine leaves that to its caller.
pub fn refused(path: &Path, error: OpenError) -> Failure {
    match error {
        OpenError::Storage(source) => {
            let code = source.kind().into();
            let hint = storage_hint(&source);
            let failure = Failure::new(code, OpenFailed { path: path.display().to_string(), source });
            hint.into_iter().fold(failure, Failure::hint)
        }
        other => other.into(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the store at {path} cannot be opened")]
struct OpenFailed {
    path: String,
    source: StorageError,
}

fn options() -> LogOptions {
    LogOptions { create: Create::Never, access: Access::Read, ..LogOptions::default() }
}
