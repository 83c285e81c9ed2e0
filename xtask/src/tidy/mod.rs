//! `cargo xtask tidy`: what holds in this repository and no compiler checks.

mod changelog;
mod ci;
mod dependencies;
mod doors;
mod edges;
mod folders;
mod links;
mod modules;
mod sources;
mod words;

use crate::problem::{Problem, ToolError};
use crate::tree::Tree;
use crate::workspace::Workspace;

/// All checks, over this repository.
pub fn run() -> Result<Vec<Problem>, ToolError> {
    Ok(check(&Tree::read()?, &Workspace::read()?))
}

/// All checks.
pub fn check(tree: &Tree, workspace: &Workspace) -> Vec<Problem> {
    [
        edges::check(tree, workspace),
        dependencies::check(tree, workspace),
        folders::check(tree, workspace),
        modules::check(tree),
        sources::check(tree),
        doors::check(tree),
        words::check(tree),
        links::check(tree),
        changelog::check(tree),
        ci::check(tree),
    ]
    .concat()
}
