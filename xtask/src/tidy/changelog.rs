//! `CHANGELOG.md` always has a place for the next change.

use crate::problem::Problem;
use crate::tree::Tree;

const PAGE: &str = "CHANGELOG.md";
const HEADING: &str = "## Unreleased";

/// Looks for the section, which must come before any release.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let first = tree.text(PAGE).lines().enumerate().find(|(_, line)| line.starts_with("## "));
    match first {
        Some((_, HEADING)) => Vec::new(),
        other => {
            let line = other.map_or(1, |(index, _)| index + 1);
            let what = format!("the first section is not `{HEADING}`");
            vec![Problem::new(PAGE, line, what, "begin it above the last release")]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_the_section_first() {
        let lines = |text: &str| check(&Tree::of(&[(PAGE, text)])).iter().map(|p| p.line).collect::<Vec<_>>();
        assert_eq!(lines("# Changes\n\n## Unreleased\n\n## 0.1.0\n"), [0; 0]);
        assert_eq!(lines("# Changes\n\n## 0.1.0\n\n## Unreleased\n"), [3]);
        assert_eq!(lines(""), [1]);
    }
}
