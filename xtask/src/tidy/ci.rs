//! The continuous check runs the very test command that the README gives.

use crate::problem::Problem;
use crate::tree::Tree;

const HEADING: &str = "## Two commands";
const RUN: &str = ".ci/run";

/// Compares the two.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let commands = commands(tree.text("README.md"));
    let [(_, _), (line, test)] = commands[..] else {
        let what = format!("`{HEADING}` shows {} commands", commands.len());
        return vec![Problem::new("README.md", 1, what, "show two: one that runs it, one that tests it")];
    };
    if tree.text(RUN).lines().any(|line| line.trim() == test) {
        return Vec::new();
    }
    let remedy = format!("have {RUN} call it on a line of its own, or correct the README");
    vec![Problem::new("README.md", line, format!("{RUN} does not call `{test}`"), remedy)]
}

/// The lines of code in the section, with their numbers.
fn commands(readme: &str) -> Vec<(usize, &str)> {
    let section = readme.lines().enumerate().skip_while(|(_, line)| *line != HEADING).skip(1);
    let section = section.take_while(|(_, line)| !line.starts_with("## "));
    let mut is_code = false;
    let mut commands = Vec::new();
    for (index, line) in section {
        if line.starts_with("```") {
            is_code = !is_code && line == "```sh";
        } else if is_code && !line.trim().is_empty() && !line.starts_with('#') {
            commands.push((index + 1, line.trim()));
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(commands: &str, run: &str) -> Vec<String> {
        let readme = format!(
            "# F\n\n## Two commands\n\n```sh\n{commands}```\n\n```text\nshown\n```\n\n## Next\n\n```sh\nother\n```\n"
        );
        check(&Tree::of(&[("README.md", &readme), (RUN, run)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn wants_the_same_test_command() {
        assert_eq!(complaints("run it\n# then\ntest it\n", "set -e\n  test it\n"), [""; 0]);
        let found = complaints("run it\ntest it\n", "test it --fast\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("README.md:7: .ci/run does not call `test it`:"), "{found:?}");
    }

    #[test]
    fn wants_two_commands() {
        assert_eq!(complaints("run it\n", "").len(), 1);
        assert_eq!(complaints("a\nb\nc\n", "c").len(), 1);
    }
}
