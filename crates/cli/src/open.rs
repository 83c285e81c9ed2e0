//! Opening the store a command line names.
//!
//! Reading never creates anything. Appending creates a store where no
//! directory is; an empty directory may be the mount point of a disk that went
//! away, so a store begins there only when `--init` says so.

use factum_log::{Access, Create, Log, LogOptions};

use crate::args::Global;
use crate::failure::Failure;

/// The store, for verbs that only look.
pub fn for_reading(global: &Global) -> Result<Log, Failure> {
    let options = LogOptions { create: Create::Never, access: Access::Read, ..LogOptions::default() };
    Ok(Log::open(global.store_path()?, options)?)
}

/// The store, for verbs that append; `init` allows an empty directory.
pub fn for_appending(global: &Global, init: bool) -> Result<Log, Failure> {
    let create = if init { Create::IfEmpty } else { Create::IfAbsent };
    let options = LogOptions { create, access: Access::Append, ..LogOptions::default() };
    Ok(Log::open(global.store_path()?, options)?)
}
