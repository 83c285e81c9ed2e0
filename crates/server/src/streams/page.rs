//! Pages: what is read for a client in one go, on a thread that may wait.
//!
//! A page is bounded in events, in bytes, and in how many events are looked at
//! for it, so that a client that goes away, or reads slowly, or asks for what
//! is nowhere, costs one page and holds no thread in between.

use axum::body::Bytes;
use factum_wire::Failure;
use factum_wire::read::written::WrittenAnswers;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::blocking::blocking;
use crate::written::Pages;

/// How many events a page may have, and be looked at for it.
pub const EVENTS_MAX: usize = 512;
pub const LOOKED_AT_MAX: usize = 8_192;
/// At how many bytes a page is full.
pub const BYTES_MAX: usize = 512 * 1024;
/// How many the first page of a read is given room for.
const PAGE_BYTES_LIKELY: usize = 4 * 1024;

/// What can be read page by page.
pub trait Turn: Send + 'static {
    /// Adds the next page; `false` if it was the last.
    fn page(&mut self, answers: &mut WrittenAnswers) -> Result<bool, Failure>;
}

/// Reads the first page, so that what fails at once fails the call, and then,
/// one page ahead of the client, the others.
pub async fn answer(turns: impl Turn) -> Result<Pages, Status> {
    let (mut turns, first, mut more) = turn(turns, PAGE_BYTES_LIKELY).await?;
    let mut room = first.bytes();
    let first = futures_util::stream::iter([Ok(first.into_bytes())]);
    if !more {
        return Ok(first.boxed());
    }
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Status>>(1);
    tokio::spawn(async move {
        while more {
            let page = match turn(turns, room).await {
                Ok((next, page, is_more)) => {
                    (turns, more, room) = (next, is_more, page.bytes());
                    Ok(page.into_bytes())
                }
                Err(failure) => {
                    let _ = sender.send(Err(failure.status())).await;
                    return;
                }
            };
            if sender.send(page).await.is_err() {
                return;
            }
        }
    });
    Ok(first.chain(ReceiverStream::new(receiver)).boxed())
}

/// The next page, which is likely to take as much room as this.
async fn turn<T: Turn>(mut turns: T, room: usize) -> Result<(T, WrittenAnswers, bool), Failure> {
    blocking(move || {
        let mut answers = WrittenAnswers::with_room(room + room / 8);
        let more = turns.page(&mut answers)?;
        Ok((turns, answers, more))
    })
    .await
}
