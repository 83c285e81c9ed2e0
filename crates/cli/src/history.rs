//! A stream's history: which of its events a time or place selects, and what
//! to say when it selects none.

use factum_core::{
    EventStore, EventStoreExt, Position, Read, ReadError, RecordedEvent, Revision, StreamName, Timestamp,
};

use crate::args::By;
use crate::failure::Failure;
use crate::moment::Moment;

/// When an event happened, as far as is known.
pub fn occurred(event: &RecordedEvent) -> Timestamp {
    event.occurred_at.unwrap_or(event.recorded_at)
}

/// Refuses a place that no event has: what will be there is not known.
pub fn check_reached(store: &dyn EventStore, stream: &StreamName, moment: Moment) -> Result<(), Failure> {
    match moment {
        Moment::Time(_) => Ok(()),
        Moment::Position(position) => check_position(store, position),
        Moment::Revision(revision) => match store.last_revision(stream)? {
            None => Err(ReadError::StreamNotFound { stream: stream.clone() }.into()),
            Some(last) if revision > last => Err(beyond_revision(stream, revision, last)),
            Some(_) => Ok(()),
        },
    }
}

/// Refuses a position beyond the end of the log.
pub fn check_position(store: &dyn EventStore, position: Position) -> Result<(), Failure> {
    match store.last_position()? {
        Some(last) if position <= last => Ok(()),
        Some(last) => Err(Failure::not_found(format!(
            "position {position} is beyond the end of the log, whose last position is {last}: use {last} or less"
        ))),
        None => Err(Failure::not_found(format!(
            "position {position} is beyond the end of the log, which has no event yet"
        ))),
    }
}

fn beyond_revision(stream: &StreamName, revision: Revision, last: Revision) -> Failure {
    Failure::not_found(format!(
        "revision {revision} is beyond the end of stream {stream:?}, whose last revision is {last}: use {last} or less"
    ))
}

/// A stream that begins only after the moment asked for.
pub fn not_begun(
    store: &dyn EventStore,
    stream: &StreamName,
    moment: Moment,
    by: By,
) -> Result<Failure, Failure> {
    let first = store.read(Read::stream(stream.clone()).limit(1))?.next().transpose()?;
    let Some(first) = first else {
        return Ok(ReadError::StreamNotFound { stream: stream.clone() }.into());
    };
    Ok(match by {
        By::Recorded => Failure::not_found(format!(
            "stream {stream:?} had no event at {moment}: its first one was recorded at {}, position {}",
            first.recorded_at, first.position
        )),
        By::Occurred => Failure::not_found(format!("no event of stream {stream:?} had occurred by {moment}"))
            .hint(format!("its first recorded event occurred at {}", occurred(&first))),
    })
}

/// The time to compare with when events count by when they occurred.
pub fn time_of(moment: Moment) -> Result<Timestamp, Failure> {
    match moment {
        Moment::Time(time) => Ok(time),
        place => {
            Err(Failure::invalid(format!("--by occurred compares times, and {place} is a place in the log"))
                .hint("give a time, or leave --by out"))
        }
    }
}
