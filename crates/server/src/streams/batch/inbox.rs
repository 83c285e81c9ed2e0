//! What the client of one call sends, as far as there is room for it.

use std::task::{Context, Poll, ready};

use factum_wire::Failure;
use factum_wire::proto::streams::BatchAppendReq;
use factum_wire::proto::streams::batch_append_req::ProposedMessage;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tonic::Status;

use crate::arriving::Arriving;
use crate::room::{Held, Room};

/// A request, and the room it takes, or why there is none.
pub type Arrived = (BatchAppendReq, Result<Held, Failure>);

/// Requests, one after another.
pub struct Inbox {
    /// Until nothing more is looked at.
    requests: Option<Arriving>,
    room: Room,
    /// A request that waits for room, behind which nothing else is read.
    waiting: Option<BoxFuture<'static, Arrived>>,
    /// What the call ends with, if not well.
    ended: Option<Status>,
}

impl Inbox {
    #[allow(missing_docs)]
    pub fn new(requests: Arriving, room: Room) -> Self {
        Self { requests: Some(requests), room, waiting: None, ended: None }
    }

    /// Whether more may come.
    pub fn is_open(&self) -> bool {
        self.requests.is_some()
    }

    /// The next request; `None` if no more come.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Arrived>> {
        if let Some(waiting) = &mut self.waiting {
            let arrived = ready!(waiting.poll_unpin(context));
            self.waiting = None;
            return Poll::Ready(Some(arrived));
        }
        let Some(requests) = &mut self.requests else { return Poll::Ready(None) };
        match ready!(requests.poll_next::<BatchAppendReq>(context)) {
            Some(Ok(request)) => {
                let bytes = weight(&request);
                if let Some(held) = self.room.take_now(bytes) {
                    return Poll::Ready(Some((request, Ok(held))));
                }
                let room = self.room.clone();
                self.waiting = Some(async move { (request, room.take(bytes).await) }.boxed());
                self.poll_next(context)
            }
            None => {
                self.end(None);
                Poll::Ready(None)
            }
            // The client is gone, or does not speak the protocol.
            Some(Err(status)) => {
                self.end(Some(status));
                Poll::Ready(None)
            }
        }
    }

    /// Nothing else is looked at; the call ends with this, if it is the first that
    /// went wrong.
    pub fn end(&mut self, status: Option<Status>) {
        (self.requests, self.waiting) = (None, None);
        self.ended = self.ended.take().or(status);
    }

    /// What the call ends with, if not well.
    pub fn ended(self) -> Option<Status> {
        self.ended
    }
}

/// About how many bytes the events of a request take while they wait.
pub fn weight(request: &BatchAppendReq) -> u64 {
    let bytes = |message: &ProposedMessage| (message.data.len() + message.custom_metadata.len() + 256) as u64;
    request.proposed_messages.iter().map(bytes).sum()
}
