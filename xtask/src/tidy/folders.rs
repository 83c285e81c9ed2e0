//! The maps of `README.md` and `ARCHITECTURE.md` name every crate, and nothing
//! that is not there.

use crate::problem::Problem;
use crate::table::rows_under;
use crate::tree::Tree;
use crate::workspace::Workspace;

const MAPS: [(&str, &str); 2] = [("README.md", "## Folders"), ("ARCHITECTURE.md", "## Code map")];

/// Compares both maps with the folders.
pub fn check(tree: &Tree, workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (page, heading) in MAPS {
        let Some(rows) = rows_under(tree.text(page), heading) else {
            problems.push(Problem::new(page, 1, format!("no section `{heading}`"), "list the folders there"));
            continue;
        };
        for row in rows.iter().filter(|row| !tree.has(row.cell(0))) {
            let what = format!("there is no `{}`", row.cell(0));
            problems.push(Problem::new(page, row.line, what, "correct or remove the line"));
        }
        let is_named = |dir: &str| rows.iter().any(|row| row.cell(0).trim_end_matches('/') == dir);
        for package in workspace.packages.iter().filter(|package| !is_named(&package.dir)) {
            let what = format!("`{}` is not under `{heading}`", package.dir);
            problems.push(Problem::new(page, 1, what, "add a line for it"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(readme: &str, architecture: &str) -> Vec<String> {
        let map =
            |heading: &str, rows: &str| format!("# A\n\n{heading}\n\n| where | what |\n|---|---|\n{rows}");
        let tree = Tree::of(&[
            ("README.md", &map(MAPS[0].1, readme)),
            ("ARCHITECTURE.md", &map(MAPS[1].1, architecture)),
            ("crates/core/src/lib.rs", ""),
        ]);
        let workspace = Workspace::of(&[("core", "crates/core", &[])]);
        check(&tree, &workspace).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn accepts_maps_of_what_is_there() {
        assert_eq!(
            complaints("| `crates/core/` | x |\n", "| `crates/core` | x |\n| `crates/core/src` | y |\n"),
            [""; 0]
        );
    }

    #[test]
    fn complains_about_what_is_gone_and_what_is_missing() {
        let found = complaints("| `crates/old` | x |\n", "| `crates/core` | x |\n");
        assert_eq!(
            found,
            [
                "README.md:7: there is no `crates/old`: correct or remove the line",
                "README.md:1: `crates/core` is not under `## Folders`: add a line for it",
            ]
        );
    }
}
