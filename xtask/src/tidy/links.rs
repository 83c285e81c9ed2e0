//! Links between pages lead somewhere: to a file or folder that is there, and
//! to a heading that is in it.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::problem::Problem;
use crate::tree::Tree;

/// Follows every relative link of every page.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.ending(".md") {
        for (event, range) in Parser::new(text).into_offset_iter() {
            let (Event::Start(Tag::Link { dest_url, .. }) | Event::Start(Tag::Image { dest_url, .. })) =
                event
            else {
                continue;
            };
            if dest_url.contains("://") || dest_url.starts_with("mailto:") {
                continue;
            }
            let line = text[..range.start].matches('\n').count() + 1;
            let (file, heading) = dest_url.split_once('#').unwrap_or((&dest_url, ""));
            let target = if file.is_empty() { path.to_owned() } else { resolve(path, file) };
            if !tree.has(&target) {
                problems.push(Problem::new(
                    path,
                    line,
                    format!("`{dest_url}` leads nowhere"),
                    "correct the link",
                ));
            } else if !heading.is_empty()
                && target.ends_with(".md")
                && !anchors(tree.text(&target)).iter().any(|anchor| anchor == heading)
            {
                let what = format!("`{target}` has no heading `#{heading}`");
                problems.push(Problem::new(path, line, what, "correct the link"));
            }
        }
    }
    problems
}

/// Where a link in a page leads, from the root.
fn resolve(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What links to the headings of a page end in.
fn anchors(page: &str) -> Vec<String> {
    let mut anchors = Vec::new();
    let mut heading: Option<String> = None;
    for event in Parser::new(page) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take().map(|text| anchor(&text))),
            _ => {}
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_links_to_files_folders_and_headings() {
        let tree = Tree::of(&[
            (
                "README.md",
                "[a](docs/a.md) [b](docs/) [c](docs/a.md#the-words-we-use) [d](#here)\n\n# Here\n\n<https://example.org>",
            ),
            ("docs/a.md", "# The words, we `use`\n\n[up](../README.md)\n\n```\n[not](a-link.md)\n```\n"),
        ]);
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn complains_about_links_that_lead_nowhere() {
        let tree = Tree::of(&[("docs/a.md", "# A\n\n[x](b.md)\n[y](../c)\n\n[z](#nothing)\n")]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "docs/a.md:3: `b.md` leads nowhere: correct the link",
                "docs/a.md:4: `../c` leads nowhere: correct the link",
                "docs/a.md:6: `docs/a.md` has no heading `#nothing`: correct the link",
            ]
        );
    }
}
