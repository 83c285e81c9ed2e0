//! `Read`: page by page on threads that may wait, one page ahead of the client.
//!
//! ```text
//!   a thread   │ page │ page │ page │         │ page │ page ...
//!              └──┬───┴──┬───┘  │ no room     │ there is again
//!   client        ▼      ▼      └─ waits ─────┘
//! ```
//!
//! A thread goes on as long as its pages are taken, since waking one takes long beside
//! turning a page. So that all have their turn, it ends after some pages even then.

use std::sync::Arc;

use axum::body::Bytes;
use factum_core::{EventStore, Events, Read, ReadError};
use factum_wire::store::packed::Packed;
use factum_wire::store::status;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::blocking::blocking;
use crate::written::Pages;

use super::page::{BYTES_MAX, EVENTS_MAX, beating};

/// How many pages a thread turns at a time, at most.
const PAGES_MAX: usize = 32;

/// Where the client takes its pages.
type Ahead = mpsc::Sender<Result<Bytes, Status>>;

/// Begins to answer.
pub fn read(store: Arc<dyn EventStore>, read: Read) -> Pages {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(run(store, read, sender));
    ReceiverStream::new(receiver).boxed()
}

async fn run(store: Arc<dyn EventStore>, read: Read, sender: Ahead) {
    let ahead = sender.clone();
    let begin = move || Ok(store.read(read).and_then(|events| turn(events, 0, &ahead)));
    let mut turning = blocking(begin).boxed();
    loop {
        // The client may be gone at any time: then this is the end.
        let beat = || Packed::default().into_message();
        let Some(turned) = beating(turning, &sender, beat).await else { return };
        let (answer, rest) = match turned {
            Ok(Ok((page, rest))) => (Ok(page.into_message()), rest),
            Ok(Err(error)) => (Err(status::of_read(&error)), None),
            Err(failure) => (Err(failure.status()), None),
        };
        let room = answer.as_ref().map_or(0, Bytes::len);
        if sender.send(answer).await.is_err() {
            return;
        }
        let Some(events) = rest else { return };
        let ahead = sender.clone();
        turning = blocking(move || Ok(turn(events, room, &ahead))).boxed();
    }
}

/// Sends pages as long as there is room for them. Gives the first for which there is
/// none, or the last, and what is behind it.
fn turn(mut events: Events, mut room: usize, ahead: &Ahead) -> Result<(Packed, Option<Events>), ReadError> {
    for _ in 1..PAGES_MAX {
        match (page(events, room)?, ahead.try_reserve()) {
            ((page, Some(rest)), Ok(place)) => {
                room = page.bytes();
                place.send(Ok(page.into_message()));
                events = rest;
            }
            (turned, _) => return Ok(turned),
        }
    }
    page(events, room)
}

/// The next page, which is likely to take as much room as the one before, and
/// what is behind it.
fn page(mut events: Events, room: usize) -> Result<(Packed, Option<Events>), ReadError> {
    let mut page = Packed::with_room(room + room / 8);
    while page.count() < EVENTS_MAX && page.bytes() < BYTES_MAX {
        match events.next() {
            Some(Ok(event)) => page.push(&event),
            Some(Err(error)) if page.count() == 0 => return Err(error),
            // What was read before it is told first.
            Some(Err(error)) => return Ok((page, Some(Box::new(std::iter::once(Err(error)))))),
            None => return Ok((page, None)),
        }
    }
    Ok((page, Some(events)))
}

#[cfg(test)]
mod tests {
    use factum_core::{Append, ExpectedRevision, MemoryStore, NewEvent, StreamName};
    use factum_wire::store::packed::Unpacked;

    use super::*;

    /// So many pages of events.
    fn events(pages: usize) -> Events {
        let store = MemoryStore::new();
        let event = || NewEvent::json("A", &1.into()).unwrap();
        let events = (0..pages * EVENTS_MAX).map(|_| event());
        store.append(Append::to(StreamName::new("a").unwrap(), ExpectedRevision::Any, events)).unwrap();
        store.read(Read::all()).unwrap()
    }

    /// The first position of a page, in pages.
    fn number(page: Packed) -> usize {
        let first = Unpacked::of(page.into_bytes()).next().unwrap().unwrap();
        first.position.get() as usize / EVENTS_MAX
    }

    #[test]
    fn no_page_is_turned_beyond_the_first_there_is_no_room_for() {
        let (ahead, mut taken) = mpsc::channel(1);
        let (page, rest) = turn(events(4), 0, &ahead).unwrap();
        assert_eq!(number(page), 1, "page 0 is ahead");
        assert!(taken.try_recv().is_ok() && taken.try_recv().is_err());
        assert_eq!(rest.unwrap().count(), 2 * EVENTS_MAX);
    }

    #[test]
    fn a_thread_ends_after_some_pages_though_all_are_taken() {
        let (ahead, taken) = mpsc::channel(2 * PAGES_MAX);
        let events = events(PAGES_MAX + 1).take(PAGES_MAX * EVENTS_MAX + 3);
        let (page, rest) = turn(Box::new(events), 0, &ahead).unwrap();
        assert_eq!((number(page), taken.len()), (PAGES_MAX - 1, PAGES_MAX - 1));
        let (page, rest) = turn(rest.unwrap(), 0, &ahead).unwrap();
        assert!(number(page) == PAGES_MAX && rest.is_none());
    }

    #[test]
    fn what_was_read_before_an_error_is_told_first() {
        let gone = || ReadError::Storage(factum_core::StorageError::Closed);
        let (ahead, mut taken) = mpsc::channel(8);
        let events = events(1).take(3).chain(std::iter::once_with(move || Err(gone())));
        let error = turn(Box::new(events), 0, &ahead).map(drop).unwrap_err();
        assert!(matches!(error, ReadError::Storage(factum_core::StorageError::Closed)));
        assert!(taken.try_recv().is_ok() && taken.try_recv().is_err());
    }
}
