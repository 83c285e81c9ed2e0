//! `Read`: page by page on threads that may wait, one page ahead of the client.

use std::sync::Arc;

use factum_core::{EventStore, Events, Read, ReadError};
use factum_wire::proto::store::ReadResponse;
use factum_wire::store::{event, status};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::blocking::blocking;

use super::Answers;
use super::page::Fill;

/// Begins to answer. What fails at once fails the call.
pub async fn read(store: Arc<dyn EventStore>, read: Read) -> Result<Answers<ReadResponse>, Status> {
    let first = blocking(move || Ok(store.read(read).and_then(page))).await?;
    let (first, rest) = first.map_err(|error| status::of_read(&error))?;
    let first = futures_util::stream::iter([Ok(first)]);
    let Some(mut events) = rest else { return Ok(first.boxed()) };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let answer = match blocking(move || Ok(page(events))).await {
                Ok(Ok((answer, Some(rest)))) => {
                    events = rest;
                    match sender.send(Ok(answer)).await {
                        Ok(()) => continue,
                        // The client is gone.
                        Err(_) => return,
                    }
                }
                Ok(Ok((answer, None))) => Ok(answer),
                Ok(Err(error)) => Err(status::of_read(&error)),
                Err(failure) => Err(failure.status()),
            };
            // The last one, whether or not somebody still waits for it.
            let _ = sender.send(answer).await;
            return;
        }
    });
    Ok(first.chain(ReceiverStream::new(receiver)).boxed())
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
