//! How a source file looks: a page at its top, and not too long. Files of
//! tests may be long, and their names are their page.

use crate::problem::Problem;
use crate::tree::{Tree, is_test};

const LINES_MAX: usize = 800;

/// Looks at every source file.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| !is_test(path)) {
        if !text.starts_with("//!") && !path.ends_with("build.rs") {
            let remedy = "open it with `//!`: why it exists, what always holds in it";
            problems.push(Problem::new(path, 1, "the file has no page", remedy));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            let what = format!("the file has {lines} lines, more than {LINES_MAX}");
            problems.push(Problem::new(path, LINES_MAX + 1, what, "find its second noun and give it a file"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_a_page_and_an_end() {
        let long = format!("//! Page.\n{}", "\n".repeat(LINES_MAX));
        let tree = Tree::of(&[
            ("a/src/good.rs", "//! Page.\n"),
            ("a/src/bare.rs", "use std::io;\n"),
            ("a/src/long.rs", &long),
            ("a/src/good/tests.rs", "use super::*;\n"),
            ("a/tests/it/long.rs", &long),
        ]);
        let found: Vec<_> = check(&tree).iter().map(|problem| (problem.file.clone(), problem.line)).collect();
        assert_eq!(found, [("a/src/bare.rs".to_owned(), 1), ("a/src/long.rs".to_owned(), 801)]);
    }
}
