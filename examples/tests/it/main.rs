//! What the pages say of the examples.

/// README and guide promise a first program of 35 lines.
#[test]
fn the_first_program_has_35_lines_and_runs() {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    assert_eq!(include_str!("../../01-first/main.rs").lines().filter(is_code).count(), 35);
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_first")).status();
    assert!(ended.is_ok_and(|status| status.success()));
}
