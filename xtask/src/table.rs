//! Tables in Markdown pages, as far as the checks read them: one row a line,
//! cells between `|`.

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Counted from 1.
    pub line: usize,
    /// Without the backticks around them.
    pub cells: Vec<String>,
}

impl Row {
    /// A cell; empty if there is none.
    pub fn cell(&self, index: usize) -> &str {
        self.cells.get(index).map_or("", String::as_str)
    }

    /// A cell that lists names, with `,` between them and `-` for none.
    pub fn list(&self, index: usize) -> Vec<&str> {
        let names = self.cell(index).split(',').map(|name| name.trim().trim_matches('`'));
        names.filter(|name| !name.is_empty() && *name != "-").collect()
    }
}

/// The rows of every table of a page, without the header rows.
pub fn rows(page: &str) -> Vec<Row> {
    rows_from(page.lines().enumerate())
}

/// The same, of one section: from its heading to the next of the same depth or
/// less. `None` if the page has no such heading.
pub fn rows_under(page: &str, heading: &str) -> Option<Vec<Row>> {
    let depth = heading.bytes().take_while(|byte| *byte == b'#').count();
    let is_end = |line: &str| {
        let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
        hashes > 0 && hashes <= depth && line[hashes..].starts_with(' ')
    };
    let begin = page.lines().position(|line| line.trim_end() == heading)? + 1;
    let section = page.lines().enumerate().skip(begin).take_while(|(_, line)| !is_end(line));
    Some(rows_from(section))
}

fn rows_from<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut in_body = false;
    for (index, line) in lines {
        let Some(inner) = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            in_body = false;
            continue;
        };
        if inner.chars().all(|c| matches!(c, '-' | ':' | '|' | ' ')) {
            in_body = true;
            continue;
        }
        if in_body {
            let cells = inner.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
            rows.push(Row { line: index + 1, cells });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "# Page\n\n## One\n\n| a | b |\n|---|---|\n| `x/y` | p, `q` |\n\n## Two\n\n| a |\n|---|\n| z |\n";

    #[test]
    fn reads_the_rows_of_one_section() {
        let rows = rows_under(PAGE, "## One").unwrap();
        assert_eq!(rows, [Row { line: 7, cells: vec!["x/y".into(), "p, `q".into()] }]);
        assert_eq!(rows[0].list(1), ["p", "q"]);
        assert_eq!(rows_under(PAGE, "## Three"), None);
    }

    #[test]
    fn reads_all_tables_of_a_page() {
        assert_eq!(rows(PAGE).iter().map(|row| row.cell(0)).collect::<Vec<_>>(), ["x/y", "z"]);
        assert_eq!(rows(PAGE)[1].list(1), [""; 0]);
    }
}
