//! `events after`: the events behind a position, and with `--follow` those to come.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factum_core::{
    EventStore, Position, Query, QueryItem, Read, RecordedEvent, Selection, Signal, Start, Subscribe,
    SubscribeFrom,
};

use crate::args::{AfterArgs, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::render::Out;
use crate::render::event::{EventLines, EventRow};
use crate::render::rows::Rows;
use crate::{history, names, open};

/// How often a wait for events looks whether it should end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Opens the store and lists, or follows.
pub fn run(args: AfterArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let from = From::parse(&args.position)?;
    let selection = selection(&args)?;
    let log = open::for_reading(global)?;
    if args.follow {
        let stop = Arc::new(AtomicBool::new(false));
        let handler = Arc::clone(&stop);
        ctrlc::set_handler(move || handler.store(true, Ordering::SeqCst))
            .map_err(|error| Failure::new(Exit::Failure, format!("cannot wait for an interrupt: {error}")))?;
        follow(&log, selection, from, args.limit, out, &stop)
    } else {
        list(&log, selection, from, args.limit, out)
    }
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Start,
    After(Position),
    End,
}

impl From {
    fn parse(argument: &OsStr) -> Result<Self, Failure> {
        let text = argument.to_string_lossy();
        let digits = text.strip_prefix("pos:").unwrap_or(&text);
        match text.as_ref() {
            "start" => Ok(Self::Start),
            "end" => Ok(Self::End),
            _ => match digits.parse::<u64>() {
                Ok(position) if !digits.starts_with('+') => Ok(Self::After(Position::new(position))),
                _ => Err(Failure::invalid(format!(
                    "{text:?} is no position: give the last position already seen, `start` for none, or `end` for all there are"
                ))),
            },
        }
    }
}

fn selection(args: &AfterArgs) -> Result<Selection, Failure> {
    if let Some(stream) = &args.stream {
        return Ok(Selection::Stream(names::stream(stream)?));
    }
    let types = names::event_types(&args.types)?;
    let tags = names::tags(&args.tags)?;
    match types.is_empty() && tags.is_empty() {
        true => Ok(Selection::All),
        false => Ok(Selection::Query(Query::item(QueryItem { types, tags }))),
    }
}

fn list(
    store: &dyn EventStore,
    selection: Selection,
    from: From,
    limit: Option<u64>,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut read = Read { limit, ..Read::of(selection) };
    match from {
        From::Start => {}
        From::After(position) => {
            history::check_position(store, position)
                .map_err(|failure| failure.hint("`--follow` waits until the log has come that far"))?;
            read = read.from(Start::Position(position.next()));
        }
        From::End => read.limit = Some(0),
    }
    let mut listing = Listing::new();
    for event in store.read(read)? {
        listing.event(out, &event?)?;
    }
    listing.end(out)
}

/// Ends when told to, at the limit, or when nobody reads the output any more.
fn follow(
    store: &dyn EventStore,
    selection: Selection,
    from: From,
    limit: Option<u64>,
    out: &mut Out,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let from = match from {
        From::Start => SubscribeFrom::Start,
        From::After(position) => SubscribeFrom::After(position),
        From::End => SubscribeFrom::Now,
    };
    let mut subscription = store.subscribe(Subscribe::to(selection).from(from))?;
    let mut listing = Listing::new();
    let mut left = limit.unwrap_or(u64::MAX);
    while left > 0 && !stop.load(Ordering::SeqCst) {
        let signal = match subscription.next_within(Duration::ZERO)? {
            Some(signal) => Some(signal),
            None => {
                // Nothing to do: let what was found be seen, then wait.
                out.flush()?;
                if is_output_closed() {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
                }
                subscription.next_within(LOOK_EVERY)?
            }
        };
        if let Some(Signal::Event(event)) = signal {
            listing.event(out, &event)?;
            left -= 1;
        }
    }
    listing.end(out)
}

/// Whether the reader of our output has gone, which a program that waits would
/// otherwise learn only with the next event.
#[cfg(unix)]
fn is_output_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&at_once)).is_ok()
        && asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
}

#[cfg(not(unix))]
fn is_output_closed() -> bool {
    false
}

/// Events on their way out.
struct Listing {
    rows: Rows,
    lines: EventLines,
}

impl Listing {
    fn new() -> Self {
        Self { rows: Rows::many(), lines: EventLines::new() }
    }

    fn event(&mut self, out: &mut Out, event: &RecordedEvent) -> Result<(), Failure> {
        match out.format {
            Format::Text => Ok(self.lines.line(out, event)?),
            _ => self.rows.row(out, &EventRow::of(event)),
        }
    }

    fn end(self, out: &mut Out) -> Result<(), Failure> {
        match out.format {
            Format::Text => Ok(()),
            _ => self.rows.end::<EventRow<'_>>(out),
        }
    }
}

#[cfg(test)]
mod tests;
