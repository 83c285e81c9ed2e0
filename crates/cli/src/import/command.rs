//! `factum import git` and `factum import jsonl`: from the command line to an
//! importer, and from what it did to words.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use factum_core::Durability;
use serde::Serialize;

use super::git::program::Repository;
use super::jsonl::OnError;
use super::meter::Stderr;
use super::{git, jsonl};
use crate::args::{Global, ImportGitArgs, ImportJsonlArgs};
use crate::exit::Exit;
use crate::failure::{Failure, storage_behind, storage_hint};
use crate::format::Format;
use crate::open;
use crate::render::Out;
use crate::render::rows::{self, Row};
use crate::render::text::{self, counted};

/// How much of a file is read at once.
const READ_BYTES: usize = 1 << 18;

/// `factum import git REPO`
pub fn git(args: ImportGitArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let repository = Repository::open(&args.repository).map_err(git::ImportError::from)?;
    // Before a store is created for it: a repository without commits is refused.
    repository.head().map_err(git::ImportError::from)?;
    let imported =
        open::appending(global, args.init, |store| git::import(store, &repository, &mut Stderr::new()))?;
    let row = GitRow {
        repository: repository.root().display().to_string(),
        store: global.place()?,
        head: imported.head.to_string(),
        commits: imported.commits,
        commits_before: imported.commits_before,
        events: imported.events,
        seconds: imported.seconds,
        events_per_s: rate(imported.events, imported.seconds),
        durability: imported.durability.map(Durability::as_str),
        shallow: imported.shallow,
    };
    if out.format != Format::Text {
        return rows::one(out, &row);
    }
    let store = text::escape(&row.store);
    match (imported.commits, imported.commits_before) {
        (0, before) => writeln!(out, "nothing new: {store} has all {}", counted(before, "commit"))?,
        (new, 0) => writeln!(out, "{} became {}", counted(new, "commit"), speed(&row.events, row.seconds))?,
        (new, before) => writeln!(
            out,
            "{} became {}; {} were there before",
            counted(new, "new commit"),
            speed(&row.events, row.seconds),
            counted(before, "commit")
        )?,
    }
    if imported.commits > 0 {
        writeln!(out, "store: {store}, up to commit {}", row.head)?;
    }
    if imported.shallow {
        writeln!(out, "note: the repository is a shallow clone, so its history begins in the middle")?;
    }
    Ok(())
}

/// `factum import jsonl FILE|-`
pub fn jsonl(args: ImportJsonlArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let place = args.file.to_string_lossy().into_owned();
    let unreadable = |source| jsonl::ImportError::Source { place: place.clone(), source };
    let given_name = args.name.map(|name| name.as_encoded_bytes().to_vec());
    if given_name.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::new(Exit::Usage, "the import's name is empty: give --name a text"));
    }
    let from_stdin = args.file == "-";
    let (source, name, bytes): (Box<dyn Read>, Vec<u8>, Option<u64>) = if from_stdin {
        (Box::new(io::stdin().lock()), b"stdin".to_vec(), None)
    } else {
        let path = Path::new(&args.file);
        let whole = path.canonicalize().map_err(unreadable)?;
        let file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if about.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()).into());
        }
        let bytes = about.is_file().then_some(about.len());
        (Box::new(file), whole.as_os_str().as_encoded_bytes().to_vec(), bytes)
    };
    let park = match (args.park, args.on_error) {
        (Some(park), _) => park,
        (None, OnError::Park) if from_stdin => {
            return Err(Failure::new(Exit::Usage, "standard input has no file to park lines beside")
                .hint("give --park FILE"));
        }
        (None, _) => beside(&args.file),
    };
    let options = jsonl::Options {
        name: given_name.unwrap_or(name),
        source: if from_stdin { "standard input".to_owned() } else { place.clone() },
        bytes,
        on_error: args.on_error,
        park,
    };
    let imported = open::appending(global, args.init, |store| {
        jsonl::import(store, BufReader::with_capacity(READ_BYTES, source), &options, &mut Stderr::new())
    })?;
    show_jsonl(&imported, &options, global, out)
}

/// `events.jsonl.parked.ndjson`, beside `events.jsonl`.
fn beside(file: &OsStr) -> PathBuf {
    let mut name = file.to_owned();
    name.push(".parked.ndjson");
    name.into()
}

fn show_jsonl(
    imported: &jsonl::Imported,
    options: &jsonl::Options,
    global: &Global,
    out: &mut Out,
) -> Result<(), Failure> {
    let row = JsonlRow {
        source: options.source.clone(),
        store: global.place()?,
        lines: imported.lines,
        lines_before: imported.lines_before,
        events: imported.events,
        repeated: imported.repeated,
        bad: imported.bad,
        parked: (options.on_error == OnError::Park && imported.bad > 0)
            .then(|| options.park.display().to_string()),
        seconds: imported.seconds,
        events_per_s: rate(imported.events, imported.seconds),
        durability: imported.durability.map(Durability::as_str),
    };
    if out.format != Format::Text {
        return rows::one(out, &row);
    }
    let source = text::escape(&row.source).into_owned();
    match (row.lines, row.lines_before) {
        (0, before) => {
            writeln!(out, "nothing new: all {} of {source} were imported before", counted(before, "line"))?
        }
        (new, before) => {
            let before = match before {
                0 => String::new(),
                before => format!("; {} were imported before", counted(before, "line")),
            };
            let became = speed(&row.events, row.seconds);
            writeln!(out, "{} of {source} became {became}{before}", counted(new, "line"))?;
        }
    }
    if row.repeated > 0 {
        writeln!(out, "{} the store had already, under the same ids", counted(row.repeated, "event"))?;
    }
    if row.bad > 0 {
        match &row.parked {
            Some(park) => writeln!(
                out,
                "{} parked in {}: mend their texts, then `factum import jsonl` that file",
                counted(row.bad, "line"),
                text::escape(park)
            )?,
            None => writeln!(out, "{} skipped:", counted(row.bad, "line"))?,
        }
        for (line, bad) in &imported.listed {
            writeln!(out, "  {source}:{line}:{}: {}", bad.column, text::escape(&bad.reason))?;
        }
        let more = row.bad.saturating_sub(imported.listed.len() as u64);
        if more > 0 {
            writeln!(out, "  and {more} more")?;
        }
    }
    Ok(())
}

/// Events per second, where there is something to divide.
pub fn rate(events: u64, seconds: f64) -> Option<u64> {
    (events > 0 && seconds > 0.0).then(|| (events as f64 / seconds) as u64)
}

/// `1,204 events in 0.31 s (3,883/s)`
pub fn speed(events: &u64, seconds: f64) -> String {
    let count = crate::demo::picture::counted(*events);
    let noun = if *events == 1 { "event" } else { "events" };
    match rate(*events, seconds) {
        Some(rate) => {
            format!("{count} {noun} in {seconds:.2} s ({}/s)", crate::demo::picture::counted(rate))
        }
        None => format!("{count} {noun}"),
    }
}

#[derive(Serialize)]
struct GitRow {
    repository: String,
    store: String,
    head: String,
    commits: u64,
    commits_before: u64,
    events: u64,
    seconds: f64,
    events_per_s: Option<u64>,
    durability: Option<&'static str>,
    shallow: bool,
}

impl Row for GitRow {
    const COLUMNS: &'static [&'static str] = &[
        "repository",
        "store",
        "head",
        "commits",
        "commits_before",
        "events",
        "seconds",
        "events_per_s",
        "durability",
        "shallow",
    ];
}

#[derive(Serialize)]
struct JsonlRow {
    source: String,
    store: String,
    lines: u64,
    lines_before: u64,
    events: u64,
    repeated: u64,
    bad: u64,
    parked: Option<String>,
    seconds: f64,
    events_per_s: Option<u64>,
    durability: Option<&'static str>,
}

impl Row for JsonlRow {
    const COLUMNS: &'static [&'static str] = &[
        "source",
        "store",
        "lines",
        "lines_before",
        "events",
        "repeated",
        "bad",
        "parked",
        "seconds",
        "events_per_s",
        "durability",
    ];
}

impl From<git::ImportError> for Failure {
    fn from(error: git::ImportError) -> Self {
        let machine = storage_behind(&error).and_then(storage_hint);
        let hint = match &error {
            git::ImportError::OtherRepository { .. } | git::ImportError::Rewritten { .. } => {
                Some("give --store DIR with a directory that does not exist yet")
            }
            git::ImportError::Append { .. } => {
                Some("the commits before it are imported; the same command again continues there")
            }
            _ => None,
        };
        let mut failure = Self::new(error.kind().into(), error);
        failure.hints.extend(hint.map(str::to_owned));
        failure.hints.extend(machine);
        failure
    }
}

impl From<jsonl::ImportError> for Failure {
    fn from(error: jsonl::ImportError) -> Self {
        let machine = storage_behind(&error).and_then(storage_hint);
        let hint = match &error {
            jsonl::ImportError::BadLine { .. } => Some(
                "the lines before it are imported; mend it and run the same command again, or add --on-error skip or park",
            ),
            jsonl::ImportError::Append { .. } => {
                Some("the lines before are imported; the same command again continues there")
            }
            _ => None,
        };
        let mut failure = Self::new(error.kind().into(), error);
        failure.hints.extend(hint.map(str::to_owned));
        failure.hints.extend(machine);
        failure
    }
}
