//! Every crate that is not ours has a line with its reason in
//! `docs/dependencies.md`, and who uses it; no line is left over.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::Problem;
use crate::table::rows;
use crate::tree::Tree;
use crate::workspace::Workspace;

const PAGE: &str = "docs/dependencies.md";

/// Compares the page with the `Cargo.toml` files.
pub fn check(tree: &Tree, workspace: &Workspace) -> Vec<Problem> {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &workspace.packages {
        for dependency in &package.dependencies {
            if workspace.package(&dependency.name).is_none() {
                used.entry(&dependency.name).or_default().insert(&package.dir);
            }
        }
    }
    let rows = rows(tree.text(PAGE));
    let mut problems = Vec::new();
    for (name, users) in &used {
        let lines: Vec<_> = rows.iter().filter(|row| row.cell(0) == *name).collect();
        let [row] = lines[..] else {
            let what = format!("`{name}` has {} lines, used by {}", lines.len(), join(users));
            problems.push(Problem::new(
                PAGE,
                lines.last().map_or(1, |row| row.line),
                what,
                "give it one, with its reason",
            ));
            continue;
        };
        let named: BTreeSet<&str> = row.list(1).into_iter().collect();
        if named != *users {
            let what = format!("`{name}` is used by {}, not {}", join(users), join(&named));
            problems.push(Problem::new(PAGE, row.line, what, "correct the line"));
        }
        if row.cell(2).is_empty() {
            problems.push(Problem::new(
                PAGE,
                row.line,
                format!("`{name}` has no reason"),
                "say why it is needed",
            ));
        }
    }
    for row in rows.iter().filter(|row| !used.contains_key(row.cell(0))) {
        let what = format!("nothing depends on `{}`", row.cell(0));
        problems.push(Problem::new(PAGE, row.line, what, "remove the line"));
    }
    problems
}

fn join(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(table: &str) -> Vec<String> {
        let page = format!("| crate | used by | why |\n|---|---|---|\n{table}");
        let packages: &[(&str, &str, &[&str])] =
            &[("core", "crates/core", &["uuid", "bytes"]), ("log", "crates/log", &["core", "dev:bytes"])];
        check(&Tree::of(&[(PAGE, &page)]), &Workspace::of(packages)).iter().map(|p| p.what.clone()).collect()
    }

    const UUID: &str = "| `uuid` | `crates/core` | ids |\n";

    #[test]
    fn accepts_a_line_for_each() {
        let bytes = "| `bytes` | `crates/core`, `crates/log` | shared buffers |\n";
        assert_eq!(complaints(&format!("{UUID}{bytes}")), [""; 0]);
    }

    #[test]
    fn complains_about_missing_wrong_idle_and_double_lines() {
        assert_eq!(complaints(UUID), ["`bytes` has 0 lines, used by crates/core, crates/log"]);
        let rest = "| `bytes` | `crates/core` | |\n| `tokio` | `crates/core` | why |\n";
        assert_eq!(
            complaints(&format!("{UUID}{UUID}{rest}")),
            [
                "`bytes` is used by crates/core, crates/log, not crates/core",
                "`bytes` has no reason",
                "`uuid` has 2 lines, used by crates/core",
                "nothing depends on `tokio`",
            ]
        );
    }
}
