//! The likeliest mistakes with the derives, and what is said about them. After
//! a change of a message: `TRYBUILD=overwrite cargo test -p factum`.

use std::process::Command;

/// Whose words those in `by_compiler` are; other compilers arrange them
/// differently.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn mistakes_are_told_where_they_are_with_what_to_write() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
    let version = Command::new("rustc").arg("--version").output().unwrap().stdout;
    if String::from_utf8_lossy(&version).starts_with(COMPILER) {
        cases.compile_fail("tests/compile_fail/by_compiler/*.rs");
    }
}
