//! The `factum` program; all of it is in the library beside this file.

use std::process::ExitCode;

/// Appends are allocated by one thread and freed by another; the system's own
/// allocator gives such memory back and faults it in again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    factum_cli::run()
}
