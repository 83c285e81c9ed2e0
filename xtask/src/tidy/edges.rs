//! Which crate may depend on which: the table in `ARCHITECTURE.md` is the law,
//! and a line of it that nothing uses is a mistake as well.

use std::collections::BTreeSet;

use crate::problem::Problem;
use crate::table::rows_under;
use crate::tree::Tree;
use crate::workspace::Workspace;

const PAGE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Allowed edges";

/// Compares the table with the `Cargo.toml` files.
pub fn check(tree: &Tree, workspace: &Workspace) -> Vec<Problem> {
    let Some(rows) = rows_under(tree.text(PAGE), HEADING) else {
        return vec![Problem::new(
            PAGE,
            1,
            format!("no section `{HEADING}`"),
            "say there which crate may depend on which",
        )];
    };
    let mut problems = Vec::new();
    for package in &workspace.packages {
        let Some(row) = rows.iter().find(|row| row.cell(0) == package.name) else {
            let what = format!("`{}` is not in the table of allowed edges", package.name);
            problems.push(Problem::new(PAGE, 1, what, "add its row"));
            continue;
        };
        for (is_dev, column) in [(false, 1), (true, 2)] {
            let allowed: BTreeSet<&str> = row.list(column).into_iter().collect();
            let found = package.dependencies.iter().filter(|dependency| dependency.is_dev == is_dev);
            let found: BTreeSet<&str> = found
                .map(|dependency| dependency.name.as_str())
                .filter(|name| workspace.package(name).is_some() && *name != package.name)
                .collect();
            let kind = if is_dev { " in its tests" } else { "" };
            for name in found.difference(&allowed) {
                let manifest = format!("{}/Cargo.toml", package.dir);
                let what = format!("`{}` may not depend on `{name}`{kind}", package.name);
                let remedy =
                    format!("remove the dependency, or argue for the edge in {PAGE} and add it to the table");
                problems.push(Problem::new(&manifest, 1, what, remedy));
            }
            for name in allowed.difference(&found) {
                let what = format!("`{}` does not depend on `{name}`{kind}", package.name);
                problems.push(Problem::new(PAGE, row.line, what, "remove it from the table"));
            }
        }
    }
    for row in rows.iter().filter(|row| workspace.package(row.cell(0)).is_none()) {
        let what = format!("there is no crate `{}`", row.cell(0));
        problems.push(Problem::new(PAGE, row.line, what, "remove its row"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(table: &str, packages: &[(&str, &str, &[&str])]) -> Vec<String> {
        let page = format!("# A\n\n## Allowed edges\n\n| crate | uses | in tests |\n|---|---|---|\n{table}");
        check(&Tree::of(&[(PAGE, &page)]), &Workspace::of(packages)).iter().map(ToString::to_string).collect()
    }

    const CORE: (&str, &str, &[&str]) = ("core", "crates/core", &["serde"]);

    #[test]
    fn accepts_exactly_what_the_table_says() {
        let found = complaints(
            "| `core` | - | - |\n| `log` | `core` | - |\n",
            &[CORE, ("log", "crates/log", &["core", "dev:log"])],
        );
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn complains_about_every_difference() {
        let found = complaints(
            "| `core` | `log` | - |\n| `log` | - | - |\n| `gone` | - | - |\n",
            &[CORE, ("log", "crates/log", &["core", "dev:cli"]), ("cli", "crates/cli", &[])],
        );
        let starts = [
            "ARCHITECTURE.md:7: `core` does not depend on `log`:",
            "crates/log/Cargo.toml:1: `log` may not depend on `core`:",
            "crates/log/Cargo.toml:1: `log` may not depend on `cli` in its tests:",
            "ARCHITECTURE.md:1: `cli` is not in the table",
            "ARCHITECTURE.md:9: there is no crate `gone`:",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (found, start) in found.iter().zip(starts) {
            assert!(found.starts_with(start), "{found}");
        }
    }

    #[test]
    fn complains_about_a_page_without_the_table() {
        assert_eq!(check(&Tree::of(&[(PAGE, "# A\n")]), &Workspace::default()).len(), 1);
    }
}
