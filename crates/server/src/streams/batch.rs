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

use factum_core::NewEvent;
use factum_wire::batch::{self, Target};
use factum_wire::proto::client::{StreamIdentifier, Uuid as WireId};
use factum_wire::proto::streams::batch_append_req::ProposedMessage;
use factum_wire::proto::streams::{BatchAppendReq, BatchAppendResp};
use factum_wire::{Failure, event, id};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::room::{Held, Room};
use crate::rules::named::Named;
use crate::rules::turn::{Line, Turns};
use crate::rules::write::{Refusal, Write, write_in_turn};
use crate::serve::Services;
use crate::stopping::Stopping;

use super::{APPEND_BYTES_MAX, Answers, GATHERING_MAX};

/// How many appends of one call may be in flight, and how many may be gathered.
const IN_FLIGHT_MAX: usize = 4_096;
const GATHERED_MAX: usize = 1_024;
/// How many answers may wait for the connection.
const ANSWERS_MAX: usize = 1_024;
/// How many requests are taken before answers have their turn.
const REQUESTS_MAX: usize = 128;
/// How many of its bytes may be in flight and gathered.
const BYTES_MAX: u64 = 2 * APPEND_BYTES_MAX;

/// What was received of one append.
struct Gathering {
    wire_id: WireId,
    /// The stream's name as it came.
    wire_name: StreamIdentifier,
    target: Target,
    events: Vec<NewEvent>,
    bytes: u64,
    held: Held,
    /// Until when its client waits, if not for ever: counted from its options on.
    deadline: Option<Instant>,
    /// Whether it was there already when those that take too long were last
    /// looked for.
    is_old: bool,
}

impl Gathering {
    fn new(wire_id: WireId, wire_name: StreamIdentifier, target: Target) -> Self {
        let deadline = target.patience.map(|patience| Instant::now() + patience);
        Self {
            deadline,
            wire_id,
            wire_name,
            target,
            events: Vec::new(),
            bytes: 0,
            held: Held::default(),
            is_old: false,
        }
    }

    /// Also these.
    fn add(&mut self, messages: Vec<ProposedMessage>, held: Held) -> Result<(), Failure> {
        self.held.join(held);
        self.events.reserve(messages.len());
        for message in messages {
            let event = batch::propose(message)?;
            self.bytes += event::weight(&event);
            self.events.push(event);
        }
        match self.bytes > APPEND_BYTES_MAX {
            true => Err(Failure::AppendTooLarge { limit: APPEND_BYTES_MAX }),
            false => Ok(()),
        }
    }

    fn refused(self, failure: &Failure) -> BatchAppendResp {
        batch::refusal(self.wire_id, self.wire_name, failure)
    }
}

/// Begins to answer one call.
pub fn begin(
    services: Services,
    requests: Streaming<BatchAppendReq>,
    stopping: Stopping,
) -> Answers<BatchAppendResp> {
    let (answers, receiver) = mpsc::channel(ANSWERS_MAX);
    tokio::spawn(Call::new(services).run(requests, answers, stopping));
    ReceiverStream::new(receiver).boxed()
}

/// An answer, to an append of which line, and how many bytes are no longer in flight with
/// it.
type Answered = (BatchAppendResp, Option<Line>, u64);

/// A request, and the room it takes, or why there is none.
type Arrived = (BatchAppendReq, Result<Held, Failure>);

/// What the client sends.
struct Inbox {
    requests: Streaming<BatchAppendReq>,
    room: Room,
    /// A request that waits for room, behind which nothing else is read.
    waiting: Option<BoxFuture<'static, Arrived>>,
    listening: bool,
    /// What the call ends with.
    end: Option<Status>,
}

impl Inbox {
    fn new(requests: Streaming<BatchAppendReq>, room: Room) -> Self {
        Self { requests, room, waiting: None, listening: true, end: None }
    }

    /// What came, unless it has to wait.
    fn take(&mut self, message: Result<Option<BatchAppendReq>, Status>) -> Option<Arrived> {
        match message {
            Ok(Some(request)) => {
                let (room, bytes) = (self.room.clone(), weight(&request));
                match room.take_now(bytes) {
                    Some(held) => return Some((request, Ok(held))),
                    None => self.waiting = Some(async move { (request, room.take(bytes).await) }.boxed()),
                }
            }
            Ok(None) => self.end(None),
            // The client is gone, or does not speak the protocol.
            Err(status) => self.end(Some(status)),
        }
        None
    }

    /// What is there without waiting.
    fn take_now(&mut self) -> Option<Arrived> {
        if !self.listening || self.waiting.is_some() {
            return None;
        }
        let message = self.requests.message().now_or_never()?;
        self.take(message)
    }

    /// Nothing else is read.
    fn end(&mut self, status: Option<Status>) {
        self.listening = false;
        self.end = self.end.take().or(status);
    }
}

struct Call {
    services: Services,
    gathered: HashMap<Uuid, Gathering>,
    turns: Turns,
    in_flight: FuturesUnordered<BoxFuture<'static, Answered>>,
    /// Gathered and in flight.
    bytes: u64,
}

impl Call {
    fn new(services: Services) -> Self {
        Self {
            services,
            gathered: HashMap::new(),
            turns: Turns::default(),
            in_flight: FuturesUnordered::new(),
            bytes: 0,
        }
    }

    async fn run(
        mut self,
        requests: Streaming<BatchAppendReq>,
        answers: mpsc::Sender<Result<BatchAppendResp, Status>>,
        mut stopping: Stopping,
    ) {
        let mut inbox = Inbox::new(requests, self.services.room.clone());
        let mut looks = tokio::time::interval(GATHERING_MAX);
        loop {
            let has_room = self.has_room();
            let Inbox { requests, waiting, listening, .. } = &mut inbox;
            let (is_waiting, is_listening) = (waiting.is_some(), *listening);
            let waits = async {
                match waiting {
                    Some(waits) => waits.await,
                    None => std::future::pending().await,
                }
            };
            let mut next = tokio::select! {
                answered = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    // What was flushed together is answered together.
                    let mut next = answered;
                    while let Some((answer, line, bytes)) = next {
                        self.bytes -= bytes;
                        if let Some(line) = line {
                            self.turns.forget(line);
                        }
                        if answers.send(Ok(answer)).await.is_err() {
                            return;
                        }
                        next = self.in_flight.next().now_or_never().flatten();
                    }
                    continue;
                }
                request = waits, if is_waiting => {
                    inbox.waiting = None;
                    Some(request)
                }
                message = requests.message(), if is_listening && has_room && !is_waiting => inbox.take(message),
                _ = looks.tick(), if is_listening => {
                    for refusal in self.turn_away_the_old() {
                        if answers.send(Ok(refusal)).await.is_err() {
                            return;
                        }
                    }
                    continue;
                }
                () = stopping.said(), if is_listening => {
                    inbox.end(Some(Failure::NotReady.status()));
                    continue;
                }
                else => break,
            };
            // What is there already is taken as well, for a while.
            let mut taken = 0;
            while let Some((request, held)) = next.take() {
                match self.receive(request, held) {
                    Ok(None) => {}
                    Ok(Some(refusal)) => {
                        if answers.send(Ok(refusal)).await.is_err() {
                            return;
                        }
                    }
                    Err(failure) => inbox.end(Some(failure.status())),
                }
                taken += 1;
                if taken < REQUESTS_MAX && self.has_room() {
                    next = inbox.take_now();
                }
            }
        }
        if let Some(status) = inbox.end {
            // Whether anybody still listens does not matter here.
            let _ = answers.send(Err(status)).await;
        }
    }

    /// What is only gathered can make no room, so that it must not stop the
    /// reading that would complete it.
    fn has_room(&self) -> bool {
        self.in_flight.is_empty() || self.in_flight.len() < IN_FLIGHT_MAX && self.bytes < BYTES_MAX
    }

    /// Takes one request in; answers at once what is refused at once. An error
    /// ends the whole call. Most appends are one request, and gathered nowhere.
    fn receive(
        &mut self,
        request: BatchAppendReq,
        held: Result<Held, Failure>,
    ) -> Result<Option<BatchAppendResp>, Failure> {
        let Some(wire_id) = request.correlation_id else {
            return Err(Failure::Invalid("a request of the batch has no correlation id".to_owned()));
        };
        let key = id::decode(Some(&wire_id), "the correlation id")?;
        let begun = self.take(key);
        let mut gathering = match request.options {
            Some(options) => {
                // Clients of some languages cannot do without the name in an answer.
                let wire_name = options.stream_identifier.clone().unwrap_or_default();
                match batch::target(options, self.services.clock.now()) {
                    Ok(target) => Gathering::new(wire_id, wire_name, target),
                    Err(failure) => return Ok(Some(batch::refusal(wire_id, wire_name, &failure))),
                }
            }
            None => match (begun, &held) {
                (Some(gathering), _) => gathering,
                (None, Err(failure)) => {
                    return Ok(Some(batch::refusal(wire_id, StreamIdentifier::default(), failure)));
                }
                // What belongs to nothing, or to what was refused, is passed over.
                (None, Ok(_)) => return Ok(None),
            },
        };
        let added = held.and_then(|held| gathering.add(request.proposed_messages, held));
        if let Err(failure) = added {
            return Ok(Some(gathering.refused(&failure)));
        }
        if request.is_final {
            return match Named::new(gathering.target.stream.clone()) {
                Ok(named) => {
                    self.launch(named, gathering);
                    Ok(None)
                }
                Err(failure) => Ok(Some(gathering.refused(&failure))),
            };
        }
        self.bytes += gathering.bytes;
        self.gathered.insert(key, gathering);
        let gathered: u64 = self.gathered.values().map(|gathering| gathering.bytes).sum();
        if self.gathered.len() > GATHERED_MAX || gathered > BYTES_MAX {
            return Err(Failure::Full(format!(
                "{} appends with {gathered} bytes wait for their final message: finish some before beginning others",
                self.gathered.len()
            )));
        }
        Ok(None)
    }

    /// What was gathered under an id.
    fn take(&mut self, key: Uuid) -> Option<Gathering> {
        if self.gathered.is_empty() {
            return None;
        }
        let gathering = self.gathered.remove(&key)?;
        self.bytes -= gathering.bytes;
        Some(gathering)
    }

    /// What waits for its final message since this was called before does not
    /// keep its room.
    fn turn_away_the_old(&mut self) -> Vec<BatchAppendResp> {
        let old = self.gathered.extract_if(|_, gathering| std::mem::replace(&mut gathering.is_old, true));
        let mut refusals = Vec::new();
        for (_, gathering) in old {
            self.bytes -= gathering.bytes;
            refusals.push(gathering.refused(&Failure::TimedOut));
        }
        refusals
    }

    /// Hands an append to the store, now and in this order.
    fn launch(&mut self, named: Named, complete: Gathering) {
        let Gathering { wire_id, wire_name: name, target, events, bytes, held, deadline, .. } = complete;
        let Target { expected, .. } = target;
        self.bytes += bytes;
        // A timer is not so exact that it would notice the shortest of them.
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let refusal = batch::refusal(wire_id, name, &Failure::TimedOut);
            return self.in_flight.push(std::future::ready((refusal, None, bytes)).boxed());
        }
        let (turn, line) = self.turns.next(named.target());
        let stream = named.target().clone();
        let write = Write { named, expected, events };
        let writing = write_in_turn(Arc::clone(&self.services.store), write, turn);
        let answer = async move {
            let written = match deadline {
                None => writing.await,
                Some(deadline) => match tokio::time::timeout_at(deadline, writing).await {
                    Ok(written) => written,
                    Err(_) => Err(Refusal::Failed(Failure::TimedOut)),
                },
            };
            let answer = match written {
                Ok(written) => batch::success(wire_id, name, written.revision, written.position),
                Err(Refusal::Failed(failure)) => batch::refusal(wire_id, name, &failure),
                Err(Refusal::WrongExpected(actual)) => {
                    let failure = Failure::WrongExpected { stream, expected, actual };
                    batch::refusal(wire_id, name, &failure)
                }
            };
            drop(held);
            (answer, Some(line), bytes)
        };
        self.in_flight.push(answer.boxed());
    }
}

/// About how many bytes the events of a request take while they wait.
fn weight(request: &BatchAppendReq) -> u64 {
    let bytes = |message: &ProposedMessage| (message.data.len() + message.custom_metadata.len() + 256) as u64;
    request.proposed_messages.iter().map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_core::{EventStore, MemoryStore, StreamName};
    use factum_wire::IdForm;
    use factum_wire::proto::streams::batch_append_req::Options;
    use factum_wire::proto::streams::batch_append_req::options::{DeadlineOption, ExpectedStreamPosition};
    use factum_wire::proto::streams::batch_append_resp::Result as BatchResult;
    use factum_wire::stream;
    use std::time::Duration;

    fn begun(id: u128, bytes: usize) -> BatchAppendReq {
        let labels = event::labels(&[("type", "A"), ("content-type", "application/json")]);
        let message = ProposedMessage {
            id: Some(IdForm::Text.encode(Uuid::new_v4())),
            metadata: labels,
            custom_metadata: Vec::new().into(),
            data: vec![b'x'; bytes].into(),
        };
        let options = Options {
            stream_identifier: Some(stream::encode(&StreamName::new("a").unwrap())),
            expected_stream_position: Some(ExpectedStreamPosition::Any(())),
            deadline_option: None,
        };
        BatchAppendReq {
            correlation_id: Some(IdForm::Text.encode(Uuid::from_u128(id))),
            options: Some(options),
            proposed_messages: vec![message],
            is_final: false,
        }
    }

    #[tokio::test]
    async fn a_deadline_of_any_length_is_kept() {
        let store = std::sync::Arc::new(MemoryStore::new());
        let mut call = Call::new(Services::of(std::sync::Arc::<MemoryStore>::clone(&store)));
        let mut answer = async |nanos| {
            let mut request = begun(1, 10);
            let deadline = prost_types::Duration { seconds: 0, nanos };
            if let Some(options) = &mut request.options {
                options.deadline_option = Some(DeadlineOption::Deadline(deadline));
            }
            request.is_final = true;
            assert_eq!(call.receive(request, Ok(Held::default())).unwrap(), None);
            call.in_flight.next().await.unwrap().0.result.unwrap()
        };
        for nanos in [0, 1, 10] {
            let BatchResult::Error(status) = answer(nanos).await else { panic!("{nanos} ns") };
            assert_eq!(status.message, "Timeout");
        }
        assert_eq!(store.last_position().unwrap(), None, "nothing was handed over");
        assert!(matches!(answer(999_999_999).await, BatchResult::Success(_)));
    }

    /// One that is never finished does not keep its room.
    #[test]
    fn an_append_is_finished_in_time_or_turned_away() {
        let room = Room::of(1_000, Duration::ZERO);
        let mut call = Call::new(Services {
            room: room.clone(),
            ..Services::of(std::sync::Arc::new(MemoryStore::new()))
        });
        let receive = |call: &mut Call, id| {
            let request = begun(id, 200);
            let held = room.take_now(weight(&request)).unwrap();
            assert_eq!(call.receive(request, Ok(held)).unwrap(), None);
        };
        receive(&mut call, 1);
        assert_eq!(call.turn_away_the_old(), []);
        receive(&mut call, 2);
        let refusals = call.turn_away_the_old();
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].correlation_id, Some(IdForm::Text.encode(Uuid::from_u128(1))));
        assert!(call.bytes > 0 && room.take_now(500).is_some() && room.take_now(800).is_none());
        assert_eq!(call.turn_away_the_old().len(), 1);
        assert!(call.bytes == 0 && room.take_now(1_000).is_some());
    }
}
