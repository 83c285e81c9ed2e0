//! The program from the outside.

mod demo;
mod import_git;
mod import_jsonl;
/// The same repositories as in the tests of the importer itself.
#[path = "../../src/import/git/sample.rs"]
mod sample;
