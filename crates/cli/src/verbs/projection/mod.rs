//! `projection status|pause|resume|rebuild|remove`: read models seen and steered from
//! outside the program that keeps them.
//!
//! ```text
//!   factum projection pause ──▶ the register in the database ◀── the program that
//!                           ◀── what became of it            ──▶ runs the projection
//! ```
//!
//! Nothing here opens the store or knows a projection's code. What is asked for
//! is written down in the database; whoever runs the projection looks there.

#[cfg(feature = "sqlite")]
mod failure;
#[cfg(feature = "sqlite")]
mod pause;
#[cfg(feature = "sqlite")]
mod rebuild;
#[cfg(feature = "sqlite")]
mod remove;
#[cfg(feature = "sqlite")]
mod status;

use crate::args::{Global, ProjectionVerb};
use crate::failure::Failure;
use crate::render::Out;

/// Does what the command line says.
#[cfg(feature = "sqlite")]
pub fn run(verb: ProjectionVerb, global: &Global, out: &mut Out) -> Result<(), Failure> {
    match verb {
        ProjectionVerb::Status(args) => status::run(args, out),
        ProjectionVerb::Pause(args) => pause::pause(args, global, out),
        ProjectionVerb::Resume(args) => pause::resume(args, global, out),
        ProjectionVerb::Rebuild(args) => rebuild::run(args, global, out),
        ProjectionVerb::Remove(args) => remove::run(args, out),
    }
}

/// Says what is missing.
#[cfg(not(feature = "sqlite"))]
pub fn run(_: ProjectionVerb, _: &Global, _: &mut Out) -> Result<(), Failure> {
    Err(Failure::new(crate::exit::Exit::Failure, "this program was built without SQLite")
        .hint("build it with the feature `sqlite`, which is on unless it was turned off"))
}
