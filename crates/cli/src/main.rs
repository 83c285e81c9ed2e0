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

mod args;
mod demo;
mod envelope;
mod exit;
mod failure;
mod format;
mod history;
mod import;
mod moment;
mod names;
mod open;
mod render;
mod state;
mod verbs;

use std::io::Write;
use std::process::ExitCode;

/// Appends are allocated by one thread and freed by another; the system's own
/// allocator gives such memory back and faults it in again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
