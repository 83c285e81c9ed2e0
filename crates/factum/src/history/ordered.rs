//! All events of a boundary, once each, in the order of the log.
//!
//! ```text
//!   part 1   stream account-ada    0     2     3 ┐
//!   part 2   stream account-bob       1        3 ├──▶  0  1  2  3
//!   part 3   tag    owner:ada      0  1          ┘
//! ```

use std::iter::Peekable;

use factum_core::{EventStore, Events, Read, ReadError, RecordedEvent, Selection, StreamName, Until};

use crate::Boundary;
use crate::fold::{events_or_none, union};

/// Merges the parts of a boundary.
pub struct Ordered {
    parts: Vec<Peekable<Events>>,
}

impl Ordered {
    /// Several parts are read up to one and the same position.
    pub fn open(store: &dyn EventStore, boundary: &Boundary, until: Until) -> Result<Self, ReadError> {
        let mut parts = Vec::new();
        let until = match until {
            Until::Edge if boundary.parts.len() > 1 => match store.last_position()? {
                None => return Ok(Self { parts }),
                Some(last) => Until::Position(last),
            },
            other => other,
        };
        let mut streams: Vec<&StreamName> = Vec::new();
        for part in &boundary.parts {
            match &part.read {
                Selection::Stream(stream) if !streams.contains(&stream) => {
                    streams.push(stream);
                    let read = Read::stream(stream.clone()).until(until);
                    parts.push(events_or_none(store.read(read))?.peekable());
                }
                _ => {}
            }
        }
        if let Some(query) = union(boundary) {
            parts.push(store.read(Read::query(query).until(until))?.peekable());
        }
        Ok(Self { parts })
    }

    /// Gives no more.
    pub fn end(&mut self) {
        self.parts.clear();
    }
}

impl Iterator for Ordered {
    type Item = Result<RecordedEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut first: Option<(usize, u64)> = None;
        for at in 0..self.parts.len() {
            match self.parts[at].peek() {
                Some(Ok(event)) if first.is_none_or(|(_, position)| event.position.get() < position) => {
                    first = Some((at, event.position.get()));
                }
                Some(Err(_)) => return self.parts[at].next(),
                Some(Ok(_)) | None => {}
            }
        }
        let (first, position) = first?;
        for (at, part) in self.parts.iter_mut().enumerate() {
            if at != first {
                part.next_if(|event| matches!(event, Ok(event) if event.position.get() == position));
            }
        }
        self.parts[first].next()
    }
}
