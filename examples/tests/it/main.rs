//! What the pages say of the examples.

/// README and guide promise a first program of 35 lines.
#[test]
fn the_first_program_has_35_lines_and_runs() {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    assert_eq!(include_str!("../../01-first/main.rs").lines().filter(is_code).count(), 35);
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_first")).status();
    assert!(ended.is_ok_and(|status| status.success()));
}

/// The guide shows that program, without the words to rustfmt and the test.
#[test]
fn the_guide_shows_the_first_program() {
    let source = include_str!("../../01-first/main.rs").replace("#[rustfmt::skip] ", "");
    let begin = source.find("use factum").expect("the program begins with its imports");
    let end = source.find("\n#[test]").expect("the program ends with its test");
    let guide = include_str!("../../../docs/first-aggregate.md");
    assert!(guide.contains(&format!("```rust\n{}```", &source[begin..end])));
}
