//! `events after`: the events behind a position, and with `--follow` those to come.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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
use crate::{history, names, open, remote};

/// How long to wait, at least, between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// And how many times as long as a look took, so that looking stays cheap.
const LOOK_SHARE: u32 = 10;
/// How often a wait looks whether it should end.
const HEED_EVERY: Duration = Duration::from_millis(50);

/// Opens the store and lists, or follows.
pub fn run(args: AfterArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let from = From::parse(&args.position)?;
    let selection = selection(&args)?;
    if !args.follow {
        return open::looking(global, |store| list(store, selection, from, args.limit, out));
    }
    let follower = Follower::new(selection, from, args.limit);
    if let Some(url) = global.url()? {
        let store = remote::connect(url)?;
        return follower.stay(&store, out, &*until_interrupted()?);
    }
    // A store that cannot be opened now is a failure also for a follower, and
    // so is one that cannot be read to its end.
    let log = open::for_reading(global)?;
    open::whole(&log)?;
    let stop = until_interrupted()?;
    let mut first = Some(log);
    let look = || match first.take() {
        Some(log) => Ok(Some(log)),
        None => {
            let log = open::for_reading_if_free(global)?;
            log.as_ref().map_or(Ok(()), open::whole)?;
            Ok(log)
        }
    };
    follower.follow(look, out, &stop)
}

/// Becomes true with an interrupt.
fn until_interrupted() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || handler.store(true, Ordering::SeqCst))
        .map_err(|error| Failure::new(Exit::Failure, format!("cannot wait for an interrupt: {error}")))?;
    Ok(stop)
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
    let mut any = false;
    for event in store.read(read)? {
        listing.event(out, &event?)?;
        any = true;
    }
    if !any && out.format == Format::Text {
        writeln!(out, "0 events")?;
    }
    listing.end(out)
}

/// Follows a log that other processes append to.
///
/// ```text
///   open ─ subscribe after the last one seen ─ caught up ─ let go ─ wait ─┐
///    └────────────────────────────────────────────────────────────────────┘
/// ```
///
/// A store belongs to one process at a time, so a follower that kept it open
/// would keep everybody from appending what it waits for.
struct Follower {
    selection: Selection,
    from: SubscribeFrom,
    left: u64,
    listing: Listing,
}

impl Follower {
    fn new(selection: Selection, from: From, limit: Option<u64>) -> Self {
        let from = match from {
            From::Start => SubscribeFrom::Start,
            From::After(position) => SubscribeFrom::After(position),
            From::End => SubscribeFrom::Now,
        };
        Self { selection, from, left: limit.unwrap_or(u64::MAX), listing: Listing::new() }
    }

    /// Ends when told to, at the limit, or when nobody reads the output any
    /// more. `look` gives the store, or nothing while another process has it.
    fn follow<S: EventStore>(
        mut self,
        mut look: impl FnMut() -> Result<Option<S>, Failure>,
        out: &mut Out,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        while self.left > 0 && !stop.load(Ordering::SeqCst) {
            let begun = Instant::now();
            if let Some(store) = look()? {
                self.catch_up(&store, out, stop)?;
            }
            let pause = LOOK_EVERY.max(begun.elapsed().saturating_mul(LOOK_SHARE));
            // Let what was found be seen, then wait.
            out.flush()?;
            let waiting = Instant::now();
            while self.left > 0 && waiting.elapsed() < pause && !stop.load(Ordering::SeqCst) {
                if is_output_closed() {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
                }
                thread::sleep(HEED_EVERY);
            }
        }
        self.listing.end(out)
    }

    /// Stays with a store that others can append to meanwhile: a server's.
    fn stay(mut self, store: &dyn EventStore, out: &mut Out, stop: &AtomicBool) -> Result<(), Failure> {
        let mut subscription = store.subscribe(Subscribe::to(self.selection.clone()).from(self.from))?;
        while self.left > 0 && !stop.load(Ordering::SeqCst) {
            let signal = match subscription.next_within(Duration::ZERO)? {
                Some(signal) => Some(signal),
                None => {
                    // Let what was found be seen, then wait.
                    out.flush()?;
                    if is_output_closed() {
                        return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
                    }
                    subscription.next_within(HEED_EVERY)?
                }
            };
            if let Some(Signal::Event(event)) = signal {
                self.listing.event(out, &event)?;
                self.left -= 1;
            }
        }
        self.listing.end(out)
    }

    fn catch_up(&mut self, store: &dyn EventStore, out: &mut Out, stop: &AtomicBool) -> Result<(), Failure> {
        let subscribe = Subscribe::to(self.selection.clone()).from(self.from);
        let mut subscription = store.subscribe(subscribe)?;
        while self.left > 0 && !stop.load(Ordering::SeqCst) {
            match subscription.next()? {
                Signal::Event(event) => {
                    self.listing.event(out, &event)?;
                    self.left -= 1;
                    self.seen(event.position);
                }
                Signal::Checkpoint(position) => self.seen(position),
                Signal::CaughtUp(Some(position)) => {
                    self.seen(position);
                    return Ok(());
                }
                Signal::CaughtUp(None) => {
                    // An empty log: whatever comes is later than now.
                    if self.from == SubscribeFrom::Now {
                        self.from = SubscribeFrom::Start;
                    }
                    return Ok(());
                }
                Signal::FellBehind { .. } => {}
            }
        }
        Ok(())
    }

    /// Never goes back: the beginning asked for may be beyond the end.
    fn seen(&mut self, position: Position) {
        self.from = match self.from {
            SubscribeFrom::After(later) if later >= position => self.from,
            _ => SubscribeFrom::After(position),
        };
    }
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
