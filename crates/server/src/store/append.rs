//! `Append`: appends handed to the store in the order in which they came, many
//! in flight, answered as the store answers.
//!
//! ```text
//!   messages ─► handed over, each at once ─► in flight ─► answers that are
//!       ▲                                        │        there together go
//!       └── read no further while too much is ◄──┘        together
//! ```
//!
//! When the server stops, no further message is looked at, what is in flight is
//! answered, and the last answer says that this was all: what has no answer
//! then was not recorded.

use std::sync::Arc;

use factum_core::EventStore;
use factum_wire::proto::store::{Answer, AppendRequest, AppendResponse};
use factum_wire::store::{APPEND_BYTES_MAX, Malformed, append, status};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::stopping::Stopping;

use super::Answers;

/// How many appends of one call may be in flight, and how many bytes of them.
const IN_FLIGHT_MAX: usize = 8_192;
const BYTES_MAX: u64 = 2 * APPEND_BYTES_MAX;
/// How many answers go together.
const ANSWERS_MAX: usize = 1_024;

/// Begins to answer one call.
pub fn begin(
    store: Arc<dyn EventStore>,
    requests: Streaming<AppendRequest>,
    stopping: Stopping,
) -> Answers<AppendResponse> {
    let (answers, receiver) = mpsc::channel(4);
    let call = Call { store, in_flight: FuturesUnordered::new(), bytes: 0 };
    tokio::spawn(call.run(requests, answers, stopping));
    ReceiverStream::new(receiver).boxed()
}

struct Call {
    store: Arc<dyn EventStore>,
    /// Answers to come, and how many bytes are no longer in flight with each.
    in_flight: FuturesUnordered<BoxFuture<'static, (Answer, u64)>>,
    bytes: u64,
}

impl Call {
    async fn run(
        mut self,
        mut requests: Streaming<AppendRequest>,
        answers: mpsc::Sender<Result<AppendResponse, Status>>,
        mut stopping: Stopping,
    ) {
        let mut listening = true;
        let mut end = None;
        loop {
            let has_room =
                self.in_flight.is_empty() || self.in_flight.len() < IN_FLIGHT_MAX && self.bytes < BYTES_MAX;
            tokio::select! {
                answered = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    let Some(first) = answered else { continue };
                    let answer = self.answers_beside(first);
                    if answers.send(Ok(answer)).await.is_err() {
                        return;
                    }
                }
                request = requests.message(), if listening && has_room => match request {
                    Ok(Some(request)) => if let Err(error) = self.hand_over(request) {
                        listening = false;
                        end = Some(Err(status::of_malformed(&error)));
                    },
                    Ok(None) => listening = false,
                    // The client is gone, or does not speak the protocol.
                    Err(status) => {
                        listening = false;
                        end = Some(Err(status));
                    }
                },
                () = stopping.said(), if listening => {
                    listening = false;
                    end = Some(Ok(AppendResponse { answers: Vec::new(), ending: true }));
                }
                else => break,
            }
        }
        if let Some(end) = end {
            // Whether anybody still listens does not matter here.
            let _ = answers.send(end).await;
        }
    }

    /// All of a message, or, if it is none, all before the place where that shows.
    fn hand_over(&mut self, request: AppendRequest) -> Result<(), Malformed> {
        for message in request.appends {
            let (number, append) = append::decode(message)?;
            let bytes = append::weight(&append);
            self.bytes += bytes;
            let answer = self.store.append_async(&append);
            let answer = answer.map(move |answer| (append::encode_answer(number, answer), bytes));
            self.in_flight.push(answer.boxed());
        }
        Ok(())
    }

    /// This answer, and those that are there with it.
    fn answers_beside(&mut self, first: (Answer, u64)) -> AppendResponse {
        let mut next = Some(first);
        let mut answers = Vec::new();
        while let Some((answer, bytes)) = next {
            self.bytes -= bytes;
            answers.push(answer);
            next = match answers.len() < ANSWERS_MAX {
                true => self.in_flight.next().now_or_never().flatten(),
                false => None,
            };
        }
        AppendResponse { answers, ending: false }
    }
}
