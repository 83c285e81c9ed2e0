//! The `factum` program; all of it is in the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    factum_cli::run()
}
