//! `BatchAppend`: many appends in flight over one call.
//!
//! ```text
//!   requests ─► gathered by id ─► final: handed to the store ─► answers as
//!       ▲                                      │                they come
//!       └── read no further while too much is in flight, so that
//!           HTTP/2 holds the client back ◄─────┘
//! ```
//!
//! Appends to the same stream are recorded in the order in which they came:
//! see [`turn`](crate::rules::turn).

use std::collections::HashMap;
use std::sync::Arc;

use factum_core::{NewEvent, StreamName};
use factum_wire::batch::{self, Target};
use factum_wire::proto::client::Uuid as WireId;
use factum_wire::proto::streams::{BatchAppendReq, BatchAppendResp};
use factum_wire::{Failure, event, id, stream};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::rules::named::Named;
use crate::rules::turn::Turns;
use crate::rules::write::{Refusal, Write, write_in_turn};
use crate::serve::Services;
use crate::stopping::Stopping;

use super::{APPEND_BYTES_MAX, Answers};

/// How many appends of one call may be in flight, and how many may be gathered.
const IN_FLIGHT_MAX: usize = 4_096;
const GATHERED_MAX: usize = 1_024;
/// How many of its bytes may be in flight and gathered.
const BYTES_MAX: u64 = 2 * APPEND_BYTES_MAX;

/// What was received of one append.
struct Gathering {
    target: Target,
    events: Vec<NewEvent>,
    bytes: u64,
}

/// Begins to answer one call.
pub fn begin(
    services: Services,
    requests: Streaming<BatchAppendReq>,
    stopping: Stopping,
) -> Answers<BatchAppendResp> {
    let (answers, receiver) = mpsc::channel(64);
    let call = Call {
        services,
        gathered: HashMap::new(),
        turns: Turns::default(),
        in_flight: FuturesUnordered::new(),
        bytes: 0,
    };
    tokio::spawn(call.run(requests, answers, stopping));
    ReceiverStream::new(receiver).boxed()
}

/// An answer, of which stream, and how many bytes are no longer in flight with
/// it.
type Answered = (BatchAppendResp, StreamName, u64);

struct Call {
    services: Services,
    gathered: HashMap<Uuid, Gathering>,
    turns: Turns,
    in_flight: FuturesUnordered<BoxFuture<'static, Answered>>,
    /// Gathered and in flight.
    bytes: u64,
}

impl Call {
    async fn run(
        mut self,
        mut requests: Streaming<BatchAppendReq>,
        answers: mpsc::Sender<Result<BatchAppendResp, Status>>,
        mut stopping: Stopping,
    ) {
        let mut listening = true;
        let mut end = None;
        loop {
            // What is only gathered can make no room, so that it must not stop
            // the reading that would complete it.
            let has_room =
                self.in_flight.is_empty() || self.in_flight.len() < IN_FLIGHT_MAX && self.bytes < BYTES_MAX;
            tokio::select! {
                answered = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    let Some((answer, stream, bytes)) = answered else { continue };
                    self.bytes -= bytes;
                    self.turns.forget(&stream);
                    if answers.send(Ok(answer)).await.is_err() {
                        return;
                    }
                }
                request = requests.message(), if listening && has_room => match request {
                    Ok(Some(request)) => match self.receive(request) {
                        Ok(None) => {}
                        Ok(Some(refusal)) => if answers.send(Ok(refusal)).await.is_err() { return },
                        Err(failure) => {
                            listening = false;
                            end = Some(failure.status());
                        }
                    },
                    Ok(None) => listening = false,
                    // The client is gone, or does not speak the protocol.
                    Err(status) => {
                        listening = false;
                        end = Some(status);
                    }
                },
                () = stopping.said(), if listening => {
                    listening = false;
                    end = Some(Failure::NotReady.status());
                }
                else => break,
            }
        }
        if let Some(status) = end {
            // Whether anybody still listens does not matter here.
            let _ = answers.send(Err(status)).await;
        }
    }

    /// Takes one request in; answers at once what is refused at once. An error
    /// ends the whole call.
    fn receive(&mut self, request: BatchAppendReq) -> Result<Option<BatchAppendResp>, Failure> {
        let Some(wire_id) = request.correlation_id else {
            return Err(Failure::Invalid("a request of the batch has no correlation id".to_owned()));
        };
        let key = id::decode(Some(&wire_id), "the correlation id")?;
        // Clients of some languages cannot do without the name in an answer.
        let name = match &request.options {
            Some(options) => options.stream_identifier.clone(),
            None => self.gathered.get(&key).map(|gathering| stream::encode(&gathering.target.stream)),
        };
        let name = name.unwrap_or_default();
        let refuse = |failure: &Failure| Ok(Some(batch::refusal(wire_id.clone(), name.clone(), failure)));
        if let Some(options) = request.options {
            self.forget(key);
            match batch::target(options, self.services.clock.now()) {
                Ok(target) => {
                    self.gathered.insert(key, Gathering { target, events: Vec::new(), bytes: 0 });
                }
                Err(failure) => return refuse(&failure),
            }
        }
        // What belongs to nothing, or to what was refused, is passed over.
        let Some(gathering) = self.gathered.get_mut(&key) else { return Ok(None) };
        for message in request.proposed_messages {
            match batch::propose(message) {
                Ok(event) => {
                    let bytes = event::weight(&event);
                    gathering.bytes += bytes;
                    self.bytes += bytes;
                    gathering.events.push(event);
                }
                Err(failure) => {
                    self.forget(key);
                    return refuse(&failure);
                }
            }
        }
        if gathering.bytes > APPEND_BYTES_MAX {
            self.forget(key);
            return refuse(&Failure::AppendTooLarge { limit: APPEND_BYTES_MAX });
        }
        if !request.is_final {
            let gathered: u64 = self.gathered.values().map(|gathering| gathering.bytes).sum();
            if self.gathered.len() > GATHERED_MAX || gathered > BYTES_MAX {
                return Err(Failure::Full(format!(
                    "{} appends with {gathered} bytes wait for their final message: finish some before beginning others",
                    self.gathered.len()
                )));
            }
            return Ok(None);
        }
        let Some(complete) = self.gathered.remove(&key) else { return Ok(None) };
        match Named::new(complete.target.stream.clone()) {
            Ok(named) => {
                self.launch(wire_id, named, complete);
                Ok(None)
            }
            Err(failure) => {
                self.bytes -= complete.bytes;
                refuse(&failure)
            }
        }
    }

    fn forget(&mut self, key: Uuid) {
        if let Some(gathering) = self.gathered.remove(&key) {
            self.bytes -= gathering.bytes;
        }
    }

    /// Hands an append to the store, now and in this order.
    fn launch(&mut self, wire_id: WireId, named: Named, complete: Gathering) {
        let Gathering { target: Target { stream: name, expected, patience }, events, bytes } = complete;
        let name = stream::encode(&name);
        let target = named.target().clone();
        if patience.is_zero() {
            let refusal = batch::refusal(wire_id, name, &Failure::TimedOut);
            return self.in_flight.push(std::future::ready((refusal, target, bytes)).boxed());
        }
        let turn = self.turns.next(&target);
        let write = Write { named, expected, events };
        let writing = write_in_turn(Arc::clone(&self.services.store), write, turn);
        let answer = async move {
            let written = match tokio::time::timeout(patience, writing).await {
                Ok(written) => written,
                Err(_) => Err(Refusal::Failed(Failure::TimedOut)),
            };
            let answer = match written {
                Ok(written) => batch::success(wire_id, name, written.revision, written.position),
                Err(Refusal::Failed(failure)) => batch::refusal(wire_id, name, &failure),
                Err(Refusal::WrongExpected(actual)) => {
                    let failure = Failure::WrongExpected { stream: target.clone(), expected, actual };
                    batch::refusal(wire_id, name, &failure)
                }
            };
            (answer, target, bytes)
        };
        self.in_flight.push(answer.boxed());
    }
}
