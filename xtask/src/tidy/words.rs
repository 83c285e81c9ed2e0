//! Words that do not belong into the repository: promises to finish later,
//! and places that exist on one machine only.

use crate::problem::Problem;
use crate::tree::Tree;

const LATER: &str = "do it now, or write it down as an issue";
const PLACE: &str = "say it without a path of one machine";

const WORDS: [(&str, &str); 8] = [
    ("TODO", LATER),
    ("FIXME", LATER),
    ("XXX", LATER),
    ("todo!", LATER),
    ("unimplemented!", LATER),
    ("/root/", PLACE),
    ("/work/", PLACE),
    ("/home/", PLACE),
];

/// This file must name them.
const ITSELF: &str = "xtask/src/tidy/words.rs";

const INDEX: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Looks at every line of every text.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| *path != ITSELF) {
        for (index, line) in text.lines().enumerate() {
            for (word, remedy) in WORDS.iter().filter(|(word, _)| contains(line, word)) {
                problems.push(Problem::new(
                    path,
                    index + 1,
                    format!("`{word}` is not for the repository"),
                    *remedy,
                ));
            }
        }
    }
    let lock = tree.text("Cargo.lock").lines().enumerate();
    for (index, line) in lock.filter(|(_, line)| line.starts_with("source = ") && !line.contains(INDEX)) {
        let what = format!("`{line}` is not the public registry");
        problems.push(Problem::new("Cargo.lock", index + 1, what, "depend on published crates only"));
    }
    problems
}

/// Whether a word stands in a line and is not a part of a longer one.
fn contains(line: &str, word: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        let begins = !word.starts_with(char::is_alphabetic) || !is_letter(before);
        let ends = !word.ends_with(char::is_alphabetic) || !is_letter(after);
        // In the middle of a path or an address it is another place.
        let is_absolute =
            !word.starts_with('/') || !is_letter(before) && before != Some('.') && before != Some('~');
        begins && ends && is_absolute
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_words_and_not_parts_of_words() {
        for (line, word) in
            [("// TODO: a", "TODO"), ("a XXX", "XXX"), ("todo!()", "todo!"), ("`/root/a`", "/root/")]
        {
            assert!(contains(line, word), "{line}");
        }
        for (line, word) in
            [("MASTODON TODOS", "TODO"), ("todo = \"warn\"", "todo!"), ("store/root/a", "/root/")]
        {
            assert!(!contains(line, word), "{line}");
        }
    }

    #[test]
    fn names_file_and_line() {
        let tree = Tree::of(&[
            ("a.md", "fine\nsee /home/me\n"),
            ("Cargo.lock", "source = \"registry+https://example.org/index\"\n"),
            (ITSELF, "TODO"),
        ]);
        let found: Vec<_> = check(&tree).iter().map(|p| format!("{}:{}", p.file, p.line)).collect();
        assert_eq!(found, ["a.md:2", "Cargo.lock:1"]);
    }
}
