//! `cargo xtask compatibility`: writes what clients can do into
//! docs/kurrentdb-compatibility.md, as they tell it themselves.
//!
//! ```text
//!   cargo test ──► one file for each client ──► columns ──► the part of the page
//!                  (its rows, in one order)                 between the two marks
//! ```
//!
//! The clients are run by the tests of `crates/server`, which fail when the page
//! does not say what was shown. Here all of them must have run.

use std::process::Command;

use serde::Deserialize;

use crate::problem::{Problem, ToolError};
use crate::tree::root;

const PAGE: &str = "docs/kurrentdb-compatibility.md";
const FROM: &str = "<!-- written by `cargo xtask compatibility`, from here -->";
const TO: &str = "<!-- to here -->";

/// What the stories of one client showed.
#[derive(Debug, Clone, Deserialize)]
struct Column {
    client: String,
    version: String,
    /// How many columns there are to be.
    clients: usize,
    rows: Vec<Row>,
}

/// Call, what of it, how it goes in a word, and what is to be said of that.
type Row = (String, String, String, String);

/// Runs the clients and writes the page.
pub fn run() -> Result<Vec<Problem>, ToolError> {
    let told = tempfile::tempdir().map_err(ToolError::io("make a folder for what clients tell"))?;
    let arguments = ["test", "--package", "factum-server", "--test", "it", "works_unmodified"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ran = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .env("FACTUM_COMPATIBILITY", told.path())
        .env("FACTUM_CLIENTS", "required")
        .status()
        .map_err(ToolError::io("run cargo"))?;
    if !ran.success() {
        return Err(ToolError::Program { command: format!("cargo {}", arguments.join(" ")) });
    }
    let mut columns = Vec::new();
    for place in 0.. {
        match std::fs::read_to_string(told.path().join(format!("{place}.json"))) {
            Ok(text) => columns.push(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            Err(error) => return Err(ToolError::io("read what a client told")(error)),
        }
    }
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path).map_err(ToolError::io(format!("read {PAGE}")))?;
    match written(&page, &columns) {
        Ok(page) => std::fs::write(path, page).map_err(ToolError::io(format!("write {PAGE}")))?,
        Err(problem) => return Ok(vec![problem]),
    }
    Ok(Vec::new())
}

/// The page, with these columns in it.
fn written(page: &str, columns: &[String]) -> Result<String, Problem> {
    let problem = |what: String, remedy| Problem::new(PAGE, 1, what, remedy);
    let columns: Result<Vec<Column>, _> = columns.iter().map(|text| serde_json::from_str(text)).collect();
    let columns = columns.map_err(|error| {
        problem(format!("a client's file is none: {error}"), "have tests/it/compatibility.rs write it so")
    })?;
    let wanted = columns.first().map_or(0, |first| first.clients);
    if columns.len() != wanted || wanted == 0 {
        let what = format!("{} of {wanted} clients told what they can do", columns.len());
        return Err(problem(what, "have every client of tests/it/compatibility.rs run in a test"));
    }
    let split = page.split_once(FROM).and_then(|(before, rest)| Some((before, rest.split_once(TO)?.1)));
    let Some((before, after)) = split else {
        return Err(problem(format!("it has no place marked by `{FROM}` and `{TO}`"), "mark one"));
    };
    Ok(format!("{before}{FROM}\n\n{}\n{TO}{after}", tables(&columns)))
}

fn line(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Who was tried, what they can do, and what is to be said of it.
fn tables(columns: &[Column]) -> String {
    let mut clients = line(&["client", "version"]) + "|---|---|\n";
    let mut head = vec!["call", "what"];
    for column in columns {
        clients += &line(&[&column.client, &column.version]);
        head.push(&column.client);
    }
    let mut cells = line(&head) + "|" + &"---|".repeat(head.len()) + "\n";
    let mut notes =
        line(&["call", "what", "how it differs, or why it is not there", "clients"]) + "|---|---|---|---|\n";
    for (at, (call, what, ..)) in columns[0].rows.iter().enumerate() {
        let of_row = columns.iter().map(|column| (column.client.as_str(), &column.rows[at]));
        let mut row = vec![call.as_str(), what];
        let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
        for (client, (_, _, word, note)) in of_row {
            row.push(word);
            match said.iter_mut().find(|(told, _)| told == note) {
                Some((_, clients)) => clients.push(client),
                None => said.push((note, vec![client])),
            }
        }
        cells += &line(&row);
        for (note, clients) in said.into_iter().filter(|(note, _)| !note.is_empty()) {
            let clients = if clients.len() == columns.len() { "all".to_owned() } else { clients.join(", ") };
            notes += &line(&[call, what, note, &clients]);
        }
    }
    format!("{clients}\n{cells}\n{notes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\n<!-- written by `cargo xtask compatibility`, from here -->\nold\n<!-- to here -->\n\nprose\n";

    fn column(client: &str, rows: &[[&str; 4]]) -> String {
        serde_json::json!({ "client": client, "version": "1.0", "clients": 2, "rows": rows }).to_string()
    }

    #[test]
    fn writes_between_the_marks() {
        let twice = ["Append", "twice", "differs", "refused"];
        let one =
            column("One", &[["Read", "forwards", "works", ""], twice, ["Read", "by type", "works", ""]]);
        let absent = ["Read", "by type", "not there", "no filter"];
        let two = column("Two", &[["Read", "forwards", "works", ""], twice, absent]);
        let page = written(PAGE, &[one, two]).unwrap();
        let expected = "# Page

<!-- written by `cargo xtask compatibility`, from here -->

| client | version |
|---|---|
| One | 1.0 |
| Two | 1.0 |

| call | what | One | Two |
|---|---|---|---|
| Read | forwards | works | works |
| Append | twice | differs | differs |
| Read | by type | works | not there |

| call | what | how it differs, or why it is not there | clients |
|---|---|---|---|
| Append | twice | refused | all |
| Read | by type | no filter | Two |

<!-- to here -->

prose
";
        assert_eq!(page, expected);
        let again = written(&page, &[column("One", &[]), column("Two", &[])]).unwrap();
        assert!(!again.contains("forwards") && again.ends_with("\n\nprose\n"), "{again}");
    }

    #[test]
    fn wants_every_client_and_its_place() {
        let one = column("One", &[]);
        let two = [one.clone(), column("Two", &[])];
        for (page, columns, says) in [
            (PAGE, &two[..1], "1 of 2 clients"),
            (PAGE, &two[..0], "0 of 0 clients"),
            ("# Page\n", &two[..], "no place"),
            (PAGE, &["{}".to_owned()][..], "a client's file is none"),
        ] {
            assert!(written(page, columns).unwrap_err().what.contains(says), "{says}");
        }
    }
}
