//! `Read`: page by page on threads that may wait, one page ahead of the client.

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

/// Begins to answer.
pub fn read(store: Arc<dyn EventStore>, read: Read) -> Pages {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(run(store, read, sender));
    ReceiverStream::new(receiver).boxed()
}

async fn run(store: Arc<dyn EventStore>, read: Read, sender: mpsc::Sender<Result<Bytes, Status>>) {
    let mut turning = blocking(move || Ok(store.read(read).and_then(|events| page(events, 0)))).boxed();
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
        turning = blocking(move || Ok(page(events, room))).boxed();
    }
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
