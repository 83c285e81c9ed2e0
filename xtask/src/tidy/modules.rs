//! Every Rust file is somebody's module. A file that no `mod` line names is
//! not compiled: code nobody builds, or tests nobody runs.

use std::collections::HashSet;

use crate::problem::Problem;
use crate::tree::Tree;

/// Looks for the parent of every file.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let named: HashSet<String> = tree.ending(".rs").flat_map(|(path, text)| children(path, text)).collect();
    let forgotten = tree
        .ending(".rs")
        .map(|(path, _)| path)
        .filter(|path| !is_root(path) && !is_mistake(tree, path) && !named.contains(*path));
    forgotten
        .map(|path| {
            Problem::new(
                path,
                1,
                "no `mod` line names this file",
                "add one to its parent, or remove the file",
            )
        })
        .collect()
}

/// What cargo compiles by itself.
fn is_root(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let folder = parts.len().checked_sub(2).map_or("", |at| parts[at]);
    let is_alone = folder == "examples" || folder == "benches" || folder == "fuzz_targets" || folder == "bin";
    name == "build.rs"
        || path.starts_with("examples/") && name == "main.rs"
        || is_alone
        || folder == "tests" && !path.contains("/src/")
        || (name == "main.rs" || name == "lib.rs") && (folder == "src" || path.contains("/tests/"))
}

/// A program that must not compile, with what is said about it beside it.
fn is_mistake(tree: &Tree, path: &str) -> bool {
    path.contains("/tests/compile_fail/") && tree.has(&format!("{}.stderr", path.trim_end_matches(".rs")))
}

/// The files that the `mod` lines of a file may stand for.
fn children(path: &str, text: &str) -> Vec<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let inside = match name {
        "main.rs" | "lib.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    let mut found = Vec::new();
    let mut elsewhere = None;
    for line in text.lines().map(str::trim) {
        if let Some(at) = line.strip_prefix("#[path = \"").and_then(|line| line.strip_suffix("\"]")) {
            elsewhere = Some(resolve(folder, at));
            continue;
        }
        let Some(declared) = line.strip_suffix(';') else { continue };
        let words: Vec<&str> = declared.split_whitespace().collect();
        if let ["mod", module] | ["pub", "mod", module] | ["pub(crate)" | "pub(super)", "mod", module] =
            words[..]
        {
            match elsewhere.take() {
                Some(at) => found.push(at),
                None => found.extend([format!("{inside}/{module}.rs"), format!("{inside}/{module}/mod.rs")]),
            }
        }
    }
    found
}

/// A path relative to a folder, without `..`.
fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_mod_lines_into_folders_and_along_paths() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "pub mod b;\nmod c;\n"),
            ("crates/a/src/b.rs", "#[cfg(test)]\nmod tests;\n"),
            ("crates/a/src/b/tests.rs", ""),
            ("crates/a/src/c/mod.rs", "pub(crate) mod d;\n"),
            ("crates/a/src/c/d.rs", ""),
            ("crates/a/tests/it/main.rs", "mod e;\n#[path = \"../../src/c/f.rs\"]\nmod g;\n"),
            ("crates/a/tests/it/e.rs", ""),
            ("crates/a/src/c/f.rs", ""),
            ("crates/a/build.rs", ""),
        ]);
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn programs_that_must_not_compile_have_their_errors_beside_them() {
        let tree = Tree::of(&[
            ("crates/a/tests/compile_fail/b.rs", ""),
            ("crates/a/tests/compile_fail/b.stderr", ""),
            ("crates/a/tests/compile_fail/by_compiler/c.rs", ""),
            ("crates/a/tests/compile_fail/by_compiler/c.stderr", ""),
            ("crates/a/tests/compile_fail/d.rs", ""),
            ("crates/a/src/e.rs", ""),
            ("crates/a/src/e.stderr", ""),
        ]);
        let files: Vec<_> = check(&tree).into_iter().map(|problem| problem.file).collect();
        assert_eq!(files, ["crates/a/tests/compile_fail/d.rs", "crates/a/src/e.rs"]);
    }

    #[test]
    fn finds_tests_nobody_runs() {
        let tree = Tree::of(&[
            ("crates/a/tests/it/main.rs", "mod e;\n// mod f;\n"),
            ("crates/a/tests/it/e.rs", ""),
            ("crates/a/tests/it/f.rs", ""),
            ("crates/a/src/tests/g.rs", ""),
        ]);
        let files: Vec<_> = check(&tree).into_iter().map(|problem| problem.file).collect();
        assert_eq!(files, ["crates/a/tests/it/f.rs", "crates/a/src/tests/g.rs"]);
    }
}
