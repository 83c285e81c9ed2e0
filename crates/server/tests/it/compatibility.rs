//! What clients can do here, as they tell it themselves.
//!
//! ```text
//!   a story ──► {"shows": "append.again"}
//!   (a process)  {"shows": "read.all.types", "absent": "it has no filter"}
//!                    │
//!                    ▼  every row of the vocabulary, once
//!                account ──► is it what the page says?          every test run
//!                        └─► a file, of which the page is made  `cargo xtask compatibility`
//! ```
//!
//! A line is written where its row was shown, after what shows it. A story that
//! leaves a row out, tells one twice or invents one fails, so that every client
//! is tried with the same things.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::vocabulary::ROWS;

/// The columns of the page.
pub const CLIENTS: [&str; 7] = [
    "Rust `kurrentdb`",
    "Rust `eventstore`",
    "Python `kurrentdbclient`",
    "Python `esdbclient`",
    "Node `@kurrent/kurrentdb-client`",
    "Node `@eventstore/db-client`",
    "Java `kurrentdb-client`",
];

const PAGE: &str = "docs/kurrentdb-compatibility.md";

/// One line of a story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    shows: String,
    differs: Option<String>,
    absent: Option<String>,
}

/// What a client makes of a row: in a word, and what is to be said of it.
type Cell = (&'static str, String);

impl Told {
    fn cell(self) -> Cell {
        let (word, note) = match (self.differs, self.absent) {
            (None, None) => return ("works", String::new()),
            (Some(how), None) => ("differs", how),
            (None, Some(why)) => ("not there", why),
            (Some(_), Some(_)) => panic!("{} cannot both differ and be absent", self.shows),
        };
        assert!(!note.is_empty() && !note.contains(['|', '\n']), "{note:?} cannot stand in a table");
        (word, note)
    }
}

/// Runs the stories of a client, one after another, and accounts for them.
pub fn tells(client: &str, version: &str, stories: impl IntoIterator<Item = Command>) {
    let mut said = String::new();
    for mut story in stories {
        let told = story.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        assert!(told.status.success(), "{client}:\n{out}{err}");
        said.push_str(&out);
    }
    account(client, version, &said);
}

fn account(client: &str, version: &str, said: &str) {
    let column = column(said).unwrap_or_else(|wrong| panic!("{client}: {wrong}"));
    let place = CLIENTS.iter().position(|name| *name == client).expect("it has a column");
    if let Some(folder) = std::env::var_os("FACTUM_COMPATIBILITY") {
        let rows: Vec<_> = ROWS
            .iter()
            .zip(&column)
            .map(|((_, call, what), (word, note))| [*call, *what, *word, note.as_str()])
            .collect();
        let file = serde_json::json!({
            "client": client, "version": version, "clients": CLIENTS.len(), "rows": rows,
        });
        std::fs::write(Path::new(&folder).join(format!("{place}.json")), file.to_string()).unwrap();
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    let wrong = compare(&std::fs::read_to_string(page).unwrap(), client, version, &column);
    assert!(
        wrong.is_empty(),
        "{PAGE} does not say what {client} {version} shows; `cargo xtask compatibility` writes it:\n{}",
        wrong.join("\n")
    );
}

/// The cells of a client, in the order of the vocabulary.
fn column(said: &str) -> Result<Vec<Cell>, String> {
    let mut cells = BTreeMap::new();
    for line in said.lines().filter(|line| line.starts_with('{')) {
        let told: Told = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
        let row = told.shows.clone();
        if !ROWS.iter().any(|(name, ..)| *name == row) {
            return Err(format!("`{row}` is not in vocabulary.rs"));
        }
        if cells.insert(row.clone(), told.cell()).is_some() {
            return Err(format!("`{row}` is told twice"));
        }
    }
    let untold = ROWS.iter().map(|(name, ..)| *name).filter(|name| !cells.contains_key(*name));
    let untold: Vec<_> = untold.collect();
    match untold[..] {
        [] => Ok(ROWS.iter().filter_map(|(name, ..)| cells.remove(*name)).collect()),
        _ => Err(format!("its story says nothing of {}", untold.join(", "))),
    }
}

/// Where the page says something else.
fn compare(page: &str, client: &str, version: &str, column: &[Cell]) -> Vec<String> {
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect())
        .collect();
    let Some(head) = rows.iter().find(|row| row[0] == "call" && row.contains(&client)) else {
        return vec![format!("it has no column for {client}")];
    };
    let place = head.iter().position(|cell| *cell == client).unwrap_or_default();
    let mut wrong = Vec::new();
    if !rows.iter().any(|row| row[..] == [client, version]) {
        wrong.push(format!("it does not say that {client} is of version {version}"));
    }
    for ((_, call, what), (word, note)) in ROWS.iter().zip(column) {
        let row = rows.iter().find(|row| row.len() > place && row[..2] == [*call, *what]);
        let says = row.map_or("nothing", |row| row[place]);
        if says != *word {
            wrong.push(format!("{call}, {what}: {word}, and the page says {says}"));
        }
        let mut noted = rows.iter().filter(|row| row.len() == 4 && row[..2] == [*call, *what]);
        let noted = noted.find(|row| row[3] == "all" || row[3].split(", ").any(|one| one == client));
        let says = noted.map_or("", |row| row[2]);
        if says != note {
            wrong.push(format!("{call}, {what}: `{note}`, and the page says `{says}`"));
        }
    }
    let known = |row: &[&str]| row == head || ROWS.iter().any(|(_, call, what)| row[..2] == [*call, *what]);
    let of_table = rows.iter().filter(|row| row.len() == head.len());
    let unknown = of_table.filter(|row| !known(row));
    wrong.extend(unknown.map(|row| format!("no client is tried with {}, {}", row[0], row[1])));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story() -> Vec<String> {
        let mut lines: Vec<_> = ROWS.iter().map(|(row, ..)| format!(r#"{{"shows":"{row}"}}"#)).collect();
        lines.insert(0, "ok whatever".to_owned());
        lines
    }

    #[test]
    fn names_and_rows_are_told_apart() {
        for (at, row) in ROWS.iter().enumerate() {
            let again =
                ROWS[..at].iter().find(|other| other.0 == row.0 || other.1 == row.1 && other.2 == row.2);
            assert_eq!(again, None);
        }
    }

    #[test]
    fn every_row_is_told_once() {
        let whole = story();
        assert!(column(&whole.join("\n")).unwrap().iter().all(|(word, _)| *word == "works"));
        let left_out = column(&whole[..ROWS.len()].join("\n")).unwrap_err();
        assert_eq!(left_out, "its story says nothing of gossip.read");
        for (line, expected) in [
            (r#"{"shows":"append.again"}"#, "`append.again` is told twice"),
            (r#"{"shows":"append.more"}"#, "`append.more` is not in vocabulary.rs"),
            (r#"{"shows":"append.again","maybe":""}"#, "unknown field"),
        ] {
            let told = column(&[&whole[..], &[line.to_owned()]].concat().join("\n")).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn the_page_must_say_what_was_shown() {
        let client = CLIENTS[0];
        let mut told = story();
        told[1] = format!(r#"{{"shows":"{}","differs":"slowly"}}"#, ROWS[0].0);
        let told = column(&told.join("\n")).unwrap();
        let head = format!("| {client} | 1.0 |\n\n| call | what | {client} |\n|---|---|---|\n");
        let lines = ROWS
            .iter()
            .zip(&told)
            .map(|((_, call, what), (word, _))| format!("| {call} | {what} | {word} |\n"));
        let (_, call, what) = ROWS[0];
        let page = format!("{head}{}\n| {call} | {what} | slowly | all |\n", lines.collect::<String>());
        assert_eq!(compare(&page, client, "1.0", &told), [""; 0]);
        for (from, to) in [
            ("| differs |", "| works |"),
            ("| slowly |", "| fast |"),
            ("| all |", "| Another |"),
            ("\n\n| call", "\n\n| Flight | to the moon | works |\n| call"),
            ("| 1.0 |", "| 0.9 |"),
            (ROWS[5].2, "something"),
            (client, CLIENTS[1]),
        ] {
            assert_ne!(compare(&page.replace(from, to), client, "1.0", &told), [""; 0], "{to}");
        }
    }
}
