//! `stream export`: events as a file that another store, or a test, reads.
//!
//! An export is JSON lines and nothing else, because `import jsonl` and
//! `given_history` read nothing else.

use factum_core::{EventStore, Read, Selection, StreamName, Until};

use crate::args::{Global, StreamExportArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::import::jsonl::STREAM_PREFIX;
use crate::moment::Moment;
use crate::render::Out;
use crate::render::event::EventRow;
use crate::render::rows::Rows;
use crate::{history, names, open};

/// A server's journal and its metadata; the server may not be built along.
const JOURNAL: [&str; 2] = ["$server", "$$$server"];

/// Opens the store and exports.
pub fn run(args: StreamExportArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    if matches!(out.format, Format::Json | Format::Csv) {
        return Err(Failure::new(Exit::Usage, "an export is JSON lines, so that it can be imported")
            .hint("leave --format out"));
    }
    out.format = Format::Ndjson;
    let selection = match &args.stream {
        Some(stream) => Selection::Stream(names::stream(stream)?),
        None => Selection::All,
    };
    let until = args.until.as_deref().map(Moment::parse).transpose()?;
    open::looking(global, |store| export(store, selection, until, out))
}

fn export(
    store: &dyn EventStore,
    selection: Selection,
    until: Option<Moment>,
    out: &mut Out,
) -> Result<(), Failure> {
    match (&selection, until) {
        (Selection::Stream(stream), Some(until)) => history::check_reached(store, stream, until)?,
        (_, Some(Moment::Position(position))) => history::check_position(store, position)?,
        (_, Some(Moment::Revision(_))) => {
            return Err(Failure::new(
                Exit::Usage,
                "a revision is a place in one stream, and all are exported",
            )
            .hint("give --until a position or a time, or name one stream"));
        }
        _ => {}
    }
    let all = selection == Selection::All;
    let until = until.map_or(Until::Edge, Moment::until);
    let mut rows = Rows::many();
    for event in store.read(Read::of(selection).until(until))? {
        let event = event?;
        if all && is_of_this_store(&event.stream) {
            continue;
        }
        rows.row(out, &EventRow::of(&event))?;
    }
    rows.end::<EventRow<'_>>(out)
}

/// Whether a stream tells of the store itself, which is true of no other one: its
/// imports, and when it was served.
fn is_of_this_store(stream: &StreamName) -> bool {
    stream.as_str().starts_with(STREAM_PREFIX) || JOURNAL.contains(&stream.as_str())
}

#[cfg(test)]
mod tests;
