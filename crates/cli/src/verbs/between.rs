//! `events between`: how a stream's state changed in a range, event by event.

use factum_core::{EventStore, Read, RecordedEvent, StreamName};

use super::replay::Steps;
use crate::args::{BetweenArgs, By, Global};
use crate::failure::Failure;
use crate::moment::Moment;
use crate::render::Out;
use crate::state::State;
use crate::{history, names, open};

/// Opens the store and shows the range.
pub fn run(args: BetweenArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let stream = names::stream(&args.stream)?;
    let (start, end) = (Moment::parse(&args.start)?, Moment::parse(&args.end)?);
    if start.is_after(end) {
        return Err(Failure::invalid(format!("the range begins at {start} and ends before it, at {end}"))
            .hint("give the earlier one first"));
    }
    open::looking(global, |store| show(store, stream, start, end, args.by, out))
}

/// Events before the range are folded unseen, so that the first change shown
/// is a change from what was there.
fn show(
    store: &dyn EventStore,
    stream: StreamName,
    start: Moment,
    end: Moment,
    by: By,
    out: &mut Out,
) -> Result<(), Failure> {
    history::check_reached(store, &stream, start)?;
    let mut read = Read::stream(stream);
    let place: Box<dyn Fn(&RecordedEvent) -> Place> = match by {
        By::Recorded => {
            read = read.until(end.until());
            let start = start.start();
            Box::new(move |event| match start.is_reached_by(event, factum_core::Direction::Forward) {
                true => Place::Within,
                false => Place::Before,
            })
        }
        By::Occurred => {
            let (start, end) = (history::time_of(start)?, history::time_of(end)?);
            Box::new(move |event| match history::occurred(event) {
                time if time < start => Place::Before,
                time if time > end => Place::After,
                _ => Place::Within,
            })
        }
    };
    let mut state = State::empty();
    let mut steps = Steps::new(true);
    for event in store.read(read)? {
        let event = event?;
        match place(&event) {
            Place::Before => state.advance(&event),
            Place::Within => {
                let changes = state.apply(&event);
                steps.step(out, &event, changes, &state)?;
            }
            Place::After => {}
        }
    }
    steps.end(out)
}

/// Where an event stands to the range.
enum Place {
    Before,
    Within,
    After,
}

#[cfg(test)]
mod tests;
