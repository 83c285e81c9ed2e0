//! `Read`: page by page on threads that may wait, one page ahead of the client.

use std::sync::Arc;

use factum_core::{EventStore, Events, Read, ReadError};
use factum_wire::proto::store::ReadResponse;
use factum_wire::store::{event, status};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::blocking::blocking;

use super::Answers;
use super::page::{Fill, beating};

/// Begins to answer.
pub fn read(store: Arc<dyn EventStore>, read: Read) -> Answers<ReadResponse> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(run(store, read, sender));
    ReceiverStream::new(receiver).boxed()
}

async fn run(store: Arc<dyn EventStore>, read: Read, sender: mpsc::Sender<Result<ReadResponse, Status>>) {
    let mut turning = blocking(move || Ok(store.read(read).and_then(page))).boxed();
    loop {
        // The client may be gone at any time: then this is the end.
        let Some(turned) = beating(turning, &sender).await else { return };
        let (answer, rest) = match turned {
            Ok(Ok((answer, rest))) => (Ok(answer), rest),
            Ok(Err(error)) => (Err(status::of_read(&error)), None),
            Err(failure) => (Err(failure.status()), None),
        };
        if sender.send(answer).await.is_err() {
            return;
        }
        let Some(events) = rest else { return };
        turning = blocking(move || Ok(page(events))).boxed();
    }
}

/// The next page, and what is behind it.
fn page(mut events: Events) -> Result<(ReadResponse, Option<Events>), ReadError> {
    let mut fill = Fill::default();
    let mut answer = ReadResponse::default();
    while !fill.is_full() {
        match events.next() {
            Some(Ok(event)) => {
                fill.add(&event);
                answer.events.push(event::encode_recorded(event));
            }
            Some(Err(error)) if answer.events.is_empty() => return Err(error),
            // What was read before it is told first.
            Some(Err(error)) => return Ok((answer, Some(Box::new(std::iter::once(Err(error)))))),
            None => return Ok((answer, None)),
        }
    }
    Ok((answer, Some(events)))
}
