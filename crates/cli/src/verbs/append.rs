//! `event-store append`: events from the command line, a file or standard
//! input, recorded all together or not at all.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};

use factum_core::{
    Append, AppendCondition, AppendError, Appended, EventStore, ExpectedRevision, NewEvent, Position, Query,
    QueryItem, Revision, StreamName, Tag, Tags, Uuid,
};
use serde::Serialize;
use serde_json::Value;

use crate::args::{AppendArgs, Global};
use crate::envelope;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::render::ink::Ink;
use crate::render::rows::{self, Row};
use crate::render::{Out, text};
use crate::{names, open};

/// Opens the store and appends. What is given is understood first, so that a
/// misspelt event does not leave a new store behind.
pub fn run(args: AppendArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let request = Request::of(&args)?;
    open::appending(global, args.init, |store| request.perform(store, out))
}

/// Most ids that people are shown.
const IDS_MAX: usize = 10;
/// And how many of them, if there are more.
const IDS_SHOWN: usize = 3;

/// What is to be appended.
struct Request {
    stream: StreamName,
    ids: Vec<Uuid>,
    append: Append,
}

impl Request {
    fn of(args: &AppendArgs) -> Result<Self, Failure> {
        let stream = names::stream(&args.stream)?;
        let expected = expected(&args.expected)?;
        let condition = condition(args)?;
        let events = events(args, &stream)?;
        let ids = events.iter().map(|event| event.id).collect();
        let mut append = Append::to(stream.clone(), expected, events);
        append.condition = condition;
        append.validate().map_err(|error| Failure::from(AppendError::from(error)))?;
        Ok(Self { stream, ids, append })
    }

    fn perform(self, store: &dyn EventStore, out: &mut Out) -> Result<(), Failure> {
        let appended = store.append(self.append).map_err(|error| explained(error, &self.ids))?;
        show(&Receipt::of(&self.stream, self.ids, &appended), out)
    }
}

/// An append's failure, with the ids without which it could not be repeated.
fn explained(error: AppendError, ids: &[Uuid]) -> Failure {
    let unknown = matches!(error, AppendError::Unknown(_));
    let failure = Failure::from(error);
    if !unknown {
        return failure;
    }
    match ids {
        [id] => failure.hint(format!("append again with --id {id}")),
        ids => {
            let ids: Vec<_> = ids.iter().map(Uuid::to_string).collect();
            failure.hint(format!("give the events these ids, in order, and append again: {}", ids.join(" ")))
        }
    }
}

fn expected(argument: &OsStr) -> Result<ExpectedRevision, Failure> {
    let text = argument.to_string_lossy();
    match text.as_ref() {
        "any" => Ok(ExpectedRevision::Any),
        "none" => Ok(ExpectedRevision::NoStream),
        "exists" => Ok(ExpectedRevision::Exists),
        digits => match digits.parse::<u64>() {
            Ok(revision) if !digits.starts_with('+') => Ok(ExpectedRevision::Exact(Revision::new(revision))),
            _ => Err(Failure::new(
                Exit::Usage,
                format!(
                    "--expected {text:?} is no expectation: use any, none (no event yet), exists, or the revision of the stream's last event"
                ),
            )),
        },
    }
}

fn condition(args: &AppendArgs) -> Result<Option<AppendCondition>, Failure> {
    let types = names::event_types(&args.fail_if_type)?;
    let tags = names::tags(&args.fail_if_tag)?;
    if types.is_empty() && tags.is_empty() {
        return match args.after {
            None => Ok(None),
            Some(_) => Err(Failure::new(Exit::Usage, "--after alone refuses nothing")
                .hint("say what must not stand after that position: --fail-if-type or --fail-if-tag")),
        };
    }
    let query = Query::item(QueryItem { types, tags });
    Ok(Some(AppendCondition { query, after: args.after.map(Position::new) }))
}

fn events(args: &AppendArgs, stream: &StreamName) -> Result<Vec<NewEvent>, Failure> {
    let value = value(&args.event)?;
    let added = names::tags(&args.tags)?;
    let mut events = match &args.event_type {
        Some(event_type) => {
            vec![NewEvent::new(names::event_type(event_type)?, envelope::bytes_of(&value))]
        }
        None => match value {
            Value::Array(values) => {
                let numbered = values.into_iter().enumerate();
                numbered.map(|(index, value)| event(value, stream, Some(index))).collect::<Result<_, _>>()?
            }
            value => vec![event(value, stream, None)?],
        },
    };
    if events.is_empty() {
        return Err(Failure::invalid("the array is empty: give at least one event"));
    }
    if let Some(id) = &args.id {
        match events.as_mut_slice() {
            [event] => event.id = uuid(id)?,
            _ => {
                return Err(Failure::new(Exit::Usage, "--id names one event, and there are several")
                    .hint("give each event its own \"id\" in the array"));
            }
        }
    }
    for event in &mut events {
        event.tags = with(&event.tags, &added)?;
    }
    Ok(events)
}

fn event(value: Value, stream: &StreamName, index: Option<usize>) -> Result<NewEvent, Failure> {
    let place = || index.map_or_else(String::new, |index| format!("event {index}: "));
    let (named, event) = envelope::parse(value).map_err(|error| {
        let failure = Failure::invalid(format!("{}{error}", place()));
        match error {
            envelope::EnvelopeError::Missing { field: "type", .. }
            | envelope::EnvelopeError::UnknownKey { .. } => {
                failure.hint("with --type TYPE, EVENT is only the data")
            }
            _ => failure,
        }
    })?;
    match named {
        Some(named) if named != *stream => Err(Failure::invalid(format!(
            "{}`stream` is {named:?} and the stream to append to is {stream:?}: leave it out, or make them agree",
            place()
        ))),
        _ => Ok(event),
    }
}

fn with(tags: &Tags, added: &[Tag]) -> Result<Tags, Failure> {
    if added.is_empty() {
        return Ok(tags.clone());
    }
    let own = tags.iter().map(|text| Tag::new(text.to_owned())).collect::<Result<Vec<_>, _>>();
    let own = own.map_err(Failure::invalid)?;
    Tags::new(own.into_iter().chain(added.iter().cloned())).map_err(Failure::invalid)
}

fn uuid(argument: &OsStr) -> Result<Uuid, Failure> {
    let text = argument.to_string_lossy();
    Uuid::parse_str(&text).map_err(|_| {
        Failure::invalid(format!(
            "--id {text:?} is no UUID: write it as 018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b"
        ))
    })
}

/// The JSON that the argument is, or names.
fn value(argument: &OsString) -> Result<Value, Failure> {
    let (what, text) = source(argument)?;
    serde_json::from_slice(&text).map_err(|error| {
        let failure = Failure::invalid(format!("{what} is not JSON: {error}"));
        let empty = if text.trim_ascii().is_empty() { "it is empty: " } else { "" };
        failure.hint(format!("{empty}give the event as '{{\"type\": \"...\", \"data\": {{...}}}}'"))
    })
}

fn source(argument: &OsString) -> Result<(Cow<'static, str>, Vec<u8>), Failure> {
    if argument == "-" {
        let mut text = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut text);
        read.map_err(|error| Failure::new(Exit::Failure, format!("cannot read standard input: {error}")))?;
        return Ok(("standard input".into(), text));
    }
    let bytes = argument.as_encoded_bytes();
    if !bytes.starts_with(b"@") {
        return Ok(("EVENT".into(), bytes.to_vec()));
    }
    let path = argument.to_str().map(|text| &text[1..]).ok_or_else(|| {
        Failure::invalid(
            "the file's name is not valid UTF-8: give the file to standard input, and - as EVENT",
        )
    })?;
    let text = fs::read(path).map_err(|error| {
        let code = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failure,
        };
        Failure::new(code, format!("cannot read {path}: {error}"))
    })?;
    Ok((path.to_owned().into(), text))
}

#[derive(Serialize)]
struct Receipt<'a> {
    stream: &'a str,
    events: usize,
    first_position: Option<u64>,
    last_position: Option<u64>,
    first_revision: Option<u64>,
    last_revision: Option<u64>,
    ids: Vec<String>,
    durability: &'static str,
    repeated: bool,
}

impl Row for Receipt<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "stream",
        "events",
        "first_position",
        "last_position",
        "first_revision",
        "last_revision",
        "ids",
        "durability",
        "repeated",
    ];
}

impl<'a> Receipt<'a> {
    fn of(stream: &'a StreamName, ids: Vec<Uuid>, appended: &Appended) -> Self {
        let last_revision = appended.revision().map(Revision::get);
        let before = ids.len().saturating_sub(1) as u64;
        Self {
            stream: stream.as_str(),
            events: ids.len(),
            first_position: appended.first_position().map(Position::get),
            last_position: appended.last_position().map(Position::get),
            first_revision: last_revision.map(|last| last.saturating_sub(before)),
            last_revision,
            ids: ids.iter().map(Uuid::to_string).collect(),
            durability: appended.durability.as_str(),
            repeated: appended.repeated,
        }
    }
}

fn show(receipt: &Receipt<'_>, out: &mut Out) -> Result<(), Failure> {
    if out.format != Format::Text {
        return rows::one(out, receipt);
    }
    let done = match receipt.repeated {
        true => "already recorded, nothing appended:",
        false => "appended",
    };
    writeln!(
        out,
        "{} {} to {}: {}, {}, durability {}",
        out.paint(Ink::Strong, done),
        text::counted(receipt.events as u64, "event"),
        text::escape(receipt.stream),
        span("position", receipt.first_position, receipt.last_position),
        span("revision", receipt.first_revision, receipt.last_revision),
        receipt.durability,
    )?;
    let shown = if receipt.ids.len() > IDS_MAX { IDS_SHOWN } else { receipt.ids.len() };
    for id in &receipt.ids[..shown] {
        writeln!(out, "  {}", out.paint(Ink::Dim, format_args!("id {id}")))?;
    }
    if let more @ 1.. = receipt.ids.len() - shown {
        let more = format!("and {} more; --format json gives them all", text::counted(more as u64, "id"));
        writeln!(out, "  {}", out.paint(Ink::Dim, more))?;
    }
    Ok(())
}

fn span(noun: &str, first: Option<u64>, last: Option<u64>) -> String {
    match (first, last) {
        (Some(first), Some(last)) if first == last => format!("{noun} {first}"),
        (Some(first), Some(last)) => format!("{noun}s {first} to {last}"),
        _ => format!("no {noun}"),
    }
}

#[cfg(test)]
mod tests;
