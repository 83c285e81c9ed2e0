//! Pages: what is read for a client in one go, on a thread that may wait.
//!
//! A page is bounded in events, in bytes, and in how many events are looked at
//! for it, so that a client that goes away, or reads slowly, or asks for what
//! is nowhere, costs one page and holds no thread in between.

use factum_wire::Failure;
use factum_wire::proto::streams::ReadResp;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::blocking::blocking;

use super::Answers;

/// How many events a page may have, and be looked at for it.
pub const EVENTS_MAX: usize = 512;
pub const LOOKED_AT_MAX: usize = 8_192;
/// At how many bytes a page is full.
pub const BYTES_MAX: usize = 512 * 1024;

/// What can be read page by page.
pub trait Pages: Send + 'static {
    /// Adds the next page; `false` if it was the last.
    fn page(&mut self, answers: &mut Vec<ReadResp>) -> Result<bool, Failure>;
}

/// Reads the first page, so that what fails at once fails the call, and then,
/// one page ahead of the client, the others.
pub async fn answer(pages: impl Pages) -> Result<Answers<ReadResp>, Status> {
    let (mut pages, first, mut more) = turn(pages).await?;
    let first = futures_util::stream::iter(first.into_iter().map(Ok));
    if !more {
        return Ok(first.boxed());
    }
    let (sender, receiver) = mpsc::channel::<Result<Vec<ReadResp>, Failure>>(1);
    tokio::spawn(async move {
        while more {
            let turned = match turn(pages).await {
                Ok((next, page, is_more)) => {
                    (pages, more) = (next, is_more);
                    Ok(page)
                }
                Err(failure) => {
                    let _ = sender.send(Err(failure)).await;
                    return;
                }
            };
            if sender.send(turned).await.is_err() {
                return;
            }
        }
    });
    let rest = ReceiverStream::new(receiver).flat_map(|page| {
        let answers: Vec<Result<ReadResp, Status>> = match page {
            Ok(page) => page.into_iter().map(Ok).collect(),
            Err(failure) => vec![Err(failure.status())],
        };
        futures_util::stream::iter(answers)
    });
    Ok(first.chain(rest).boxed())
}

async fn turn<P: Pages>(mut pages: P) -> Result<(P, Vec<ReadResp>, bool), Failure> {
    blocking(move || {
        let mut answers = Vec::new();
        let more = pages.page(&mut answers)?;
        Ok((pages, answers, more))
    })
    .await
}
