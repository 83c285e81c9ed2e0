//! The `factum` program: the one place where concrete parts are wired together.
//!
//! ```text
//!   argv ─► args ─► verbs::run ─► open ─► a verb over the EventStore port
//!                                            │            │
//!                                         Failure      render::Out ─► stdout
//!                                            └─► render::failure ─► stderr, exit code
//! ```
//!
//! Invariants: only `render` writes what a person sees; hints exist only here,
//! never in a library; every way of ending has its own code in `exit`.
//!
//! This is a program and no library to build on. It is split from `main` for
//! one reason: its pure decoders, [`envelope::parse`] and
//! [`jsonl::decode::decode`], can be called by the fuzz targets.

mod args;
mod demo;
pub mod envelope;
mod exit;
mod failure;
mod format;
mod history;
mod import;
mod moment;
mod names;
mod open;
mod remote;
mod render;
mod state;
mod verbs;

/// What reads files of events, one JSON object per line.
pub mod jsonl {
    pub use crate::import::jsonl::{decode, lines};
}

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Does what the command line says.
pub fn run() -> ExitCode {
    let _ = outlive_file_limits();
    let arguments: Vec<_> = std::env::args_os().collect();
    let format = format::asked_for(&arguments);
    let args = match args::parse(arguments) {
        Ok(args) => args,
        Err(error) => return render::failure::report_usage(&error, format).into(),
    };
    let mut out = render::Out::stdout(args.global.format);
    let done = verbs::run(args, &mut out);
    // What was found before a failure is shown before the failure.
    let shown = out.flush().map_err(failure::Failure::from);
    match done.and(shown) {
        Ok(()) => exit::Exit::Success.into(),
        Err(failure) => render::failure::report(&failure, format).into(),
    }
}

/// A write beyond the limit on file sizes (`ulimit -f`) sends a signal that
/// ends a process without a word. Once somebody listens to it, the write fails
/// like any other, and the failure can be told.
#[cfg(unix)]
fn outlive_file_limits() -> std::io::Result<()> {
    let nobody_asks = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, nobody_asks).map(|_| ())
}

#[cfg(not(unix))]
fn outlive_file_limits() -> std::io::Result<()> {
    Ok(())
}
