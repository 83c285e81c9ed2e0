//! Opening the store a command line names.
//!
//! Reading never creates anything. Appending creates a store where no
//! directory is; an empty directory may be the mount point of a disk that went
//! away, so a store begins there only when `--init` says so.
//!
//! One process has a store open at a time, and most hold it for as long as one
//! of our own verbs takes; so a store in use is waited for, for a little while.

use std::thread;
use std::time::{Duration, Instant};

use factum_log::{Access, Create, Log, LogOptions, OpenError};

use crate::args::Global;
use crate::failure::Failure;

/// How often a store in use is tried again.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// The store, for verbs that only look.
pub fn for_reading(global: &Global) -> Result<Log, Failure> {
    let path = global.store_path()?;
    waiting(global, || Log::open(path, reading()))
}

/// The store, for verbs that only look; `None` while another process has it.
pub fn for_reading_if_free(global: &Global) -> Result<Option<Log>, Failure> {
    match Log::open(global.store_path()?, reading()) {
        Ok(log) => Ok(Some(log)),
        Err(OpenError::Locked { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The store, for verbs that append; `init` allows an empty directory.
pub fn for_appending(global: &Global, init: bool) -> Result<Log, Failure> {
    let path = global.store_path()?;
    let create = if init { Create::IfEmpty } else { Create::IfAbsent };
    waiting(global, || {
        Log::open(path, LogOptions { create, access: Access::Append, ..LogOptions::default() })
    })
}

/// Tries again while another process has the store, as long as `--wait` says.
pub fn waiting<T>(global: &Global, mut attempt: impl FnMut() -> Result<T, OpenError>) -> Result<T, Failure> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(OpenError::Locked { .. }) if begun.elapsed() < Duration::from_secs(global.wait) => {
                thread::sleep(TRY_EVERY);
            }
            done => return Ok(done?),
        }
    }
}

fn reading() -> LogOptions {
    LogOptions { create: Create::Never, access: Access::Read, ..LogOptions::default() }
}
