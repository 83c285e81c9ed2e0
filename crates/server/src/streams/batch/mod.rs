//! `BatchAppend`: many appends in flight over one call.
//!
//! ```text
//!   requests ─► gathered by id ─► final: in flight ─► answers that are there
//!       ▲                                    │         together go together
//!       └── read no further while too much   │
//!           is, so that HTTP/2 holds the ◄───┘
//!           client back
//! ```
//!
//! Appends to the same stream are recorded in the order in which they came: see
//! [`flight`].

mod asker;
mod flight;
mod gathered;
mod inbox;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use factum_core::Clock;
use factum_wire::Failure;
use factum_wire::batch::Answers;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval};
use tokio_stream::wrappers::ReceiverStream;

use crate::arriving::Arriving;
use crate::rules::named::Named;
use crate::rules::write::Write;
use crate::serve::Services;
use crate::stopping::Stopping;
use crate::written::Pages;

use self::flight::{Flight, InFlight};
use self::gathered::{Came, Gathered, Gathering};
use self::inbox::{Arrived, Inbox};

use super::{APPEND_BYTES_MAX, GATHERING_MAX};

/// The path of the call.
pub const PATH: &str = "/event_store.client.streams.Streams/BatchAppend";

/// How many appends of one call may be in flight.
const IN_FLIGHT_MAX: usize = 4_096;
/// How many pages of answers may wait for the connection.
const PAGES_MAX: usize = 64;
/// How many requests are taken before answers have their turn.
const REQUESTS_MAX: usize = 128;
/// How many of its bytes may be in flight and gathered.
const BYTES_MAX: u64 = 2 * APPEND_BYTES_MAX;

/// Begins to answer one call.
pub fn begin(services: &Services, requests: Arriving, stopping: Stopping) -> Pages {
    let (pages, receiver) = mpsc::channel(PAGES_MAX);
    let call = Call::new(services, Inbox::new(requests, services.room.clone()), stopping);
    tokio::spawn(call.run(pages));
    ReceiverStream::new(receiver).boxed()
}

struct Call {
    clock: Arc<dyn Clock>,
    inbox: Inbox,
    gathered: Gathered,
    flight: Flight,
    /// When what is not finished is turned away.
    looks: Interval,
    stopped: BoxFuture<'static, ()>,
}

impl Call {
    fn new(services: &Services, inbox: Inbox, mut stopping: Stopping) -> Self {
        Self {
            clock: Arc::clone(&services.clock),
            inbox,
            gathered: Gathered::default(),
            flight: Flight::to(Arc::clone(&services.store)),
            looks: tokio::time::interval(GATHERING_MAX),
            stopped: async move { stopping.said().await }.boxed(),
        }
    }

    async fn run(mut self, pages: mpsc::Sender<Result<axum::body::Bytes, tonic::Status>>) {
        let mut is_over = false;
        while !is_over {
            let mut answers = Answers::default();
            is_over = poll_fn(|context| self.poll(context, &mut answers)).await;
            if answers.count() > 0 && pages.send(Ok(answers.into_bytes())).await.is_err() {
                return;
            }
        }
        if let Some(status) = self.inbox.ended() {
            // Whether anybody still listens does not matter here.
            let _ = pages.send(Err(status)).await;
        }
    }

    /// Ready when there are answers, or none will ever come: then that is said.
    fn poll(&mut self, context: &mut Context<'_>, answers: &mut Answers) -> Poll<bool> {
        if self.inbox.is_open() && self.stopped.poll_unpin(context).is_ready() {
            self.inbox.end(Some(Failure::NotReady.status()));
        }
        self.take_requests(context, answers);
        self.flight.poll(context, answers);
        while self.inbox.is_open() && self.looks.poll_tick(context).is_ready() {
            self.gathered.turn_away_the_old().iter().for_each(|refusal| answers.push(refusal));
        }
        let is_over = !self.inbox.is_open() && self.flight.count() == 0;
        match is_over || answers.count() > 0 {
            true => Poll::Ready(is_over),
            false => Poll::Pending,
        }
    }

    /// What is only gathered can make no room, so that it must not stop the
    /// reading that would complete it.
    fn has_room(&self) -> bool {
        let Self { gathered, flight, .. } = self;
        flight.count() == 0 || flight.count() < IN_FLIGHT_MAX && flight.bytes() + gathered.bytes() < BYTES_MAX
    }

    fn take_requests(&mut self, context: &mut Context<'_>, answers: &mut Answers) {
        for _ in 0..REQUESTS_MAX {
            // The next answer makes some, and then this is asked again.
            if !self.has_room() {
                return;
            }
            let Poll::Ready(Some(arrived)) = self.inbox.poll_next(context) else { return };
            self.receive(arrived, answers);
        }
        // There may be more.
        context.waker().wake_by_ref();
    }

    /// Takes one request in; answers at once what is refused at once.
    fn receive(&mut self, (request, held): Arrived, answers: &mut Answers) {
        match self.gathered.receive(request, held, &*self.clock) {
            Ok(Came::Part) => {}
            Ok(Came::Whole(gathering)) => self.launch(gathering, answers),
            Ok(Came::Refused(refusal)) => answers.push(&refusal),
            Err(failure) => self.inbox.end(Some(failure.status())),
        }
    }

    fn launch(&mut self, complete: Gathering, answers: &mut Answers) {
        let Gathering { asker, target, events, deadline, .. } = complete;
        // A timer is not so exact that it would notice the shortest of them.
        let named = match deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            true => Err(Failure::TimedOut),
            false => Named::new(target.stream),
        };
        let write = named.and_then(|named| Write { named, expected: target.expected, events }.prepare());
        match write {
            Ok(write) => self.flight.take(InFlight { asker, write, deadline }),
            Err(failure) => answers.push(&asker.refused(&failure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use factum_core::{EventStore, MemoryStore, StreamName, Uuid};
    use factum_wire::proto::streams::batch_append_req::options::{DeadlineOption, ExpectedStreamPosition};
    use factum_wire::proto::streams::batch_append_req::{Options, ProposedMessage};
    use factum_wire::proto::streams::batch_append_resp::Result as BatchResult;
    use factum_wire::proto::streams::{BatchAppendReq, BatchAppendResp};
    use factum_wire::{IdForm, codec, event, stream};
    use std::convert::Infallible;

    use crate::stopping;

    /// A whole append of one event with so many bytes.
    pub(super) fn request(id: u128, stream: &str, bytes: usize) -> BatchAppendReq {
        let message = ProposedMessage {
            id: Some(IdForm::Text.encode(Uuid::new_v4())),
            metadata: event::labels(&[("type", "A"), ("content-type", "application/json")]),
            custom_metadata: Bytes::new(),
            data: vec![b'x'; bytes].into(),
        };
        let options = Options {
            stream_identifier: Some(stream::encode(&StreamName::new(stream.to_owned()).unwrap())),
            expected_stream_position: Some(ExpectedStreamPosition::Any(())),
            deadline_option: None,
        };
        BatchAppendReq {
            correlation_id: Some(IdForm::Text.encode(Uuid::from_u128(id))),
            options: Some(options),
            proposed_messages: vec![message],
            is_final: true,
        }
    }

    /// The whole of a call.
    async fn answers(store: &Arc<MemoryStore>, requests: &[BatchAppendReq]) -> Vec<BatchAppendResp> {
        let services = Services::of(Arc::<MemoryStore>::clone(store));
        let pieces = requests.iter().map(|request| {
            let mut piece = Vec::new();
            codec::write(request, &mut piece);
            Ok::<_, Infallible>(Bytes::from(piece))
        });
        let body = axum::body::Body::from_stream(futures_util::stream::iter(pieces.collect::<Vec<_>>()));
        let requests = Arriving::of(tonic::body::Body::new(body), usize::MAX);
        let (_stop, stopping) = stopping::stop();
        let pages: Vec<_> = begin(&services, requests, stopping).collect().await;
        pages.into_iter().flat_map(|page| codec::read_back(&page.unwrap()).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_deadline_of_any_length_is_kept() {
        let store = Arc::new(MemoryStore::new());
        let answer = async |nanos| {
            let mut request = request(1, "a", 10);
            let deadline = prost_types::Duration { seconds: 0, nanos };
            if let Some(options) = &mut request.options {
                options.deadline_option = Some(DeadlineOption::Deadline(deadline));
            }
            let [answer] = answers(&store, &[request]).await.try_into().unwrap();
            answer.result.unwrap()
        };
        for nanos in [0, 1, 10] {
            let BatchResult::Error(status) = answer(nanos).await else { panic!("{nanos} ns") };
            assert_eq!(status.message, "Timeout");
        }
        assert_eq!(store.last_position().unwrap(), None, "nothing was handed over");
        assert!(matches!(answer(999_999_999).await, BatchResult::Success(_)));
    }

    #[tokio::test]
    async fn each_is_answered_once_whatever_it_is() {
        let store = Arc::new(MemoryStore::new());
        let mut empty = request(4, "b", 10);
        empty.proposed_messages.clear();
        let requests = [
            request(1, "a", 10),
            request(2, "$ce-a", 10),
            request(3, "$$a", 10),
            empty,
            request(5, &"n".repeat(1_023), 10),
            request(6, "a", 10),
        ];
        let answers = answers(&store, &requests).await;
        let outcome = |id: u128| {
            let of = |answer: &&BatchAppendResp| {
                answer.correlation_id == Some(IdForm::Text.encode(Uuid::from_u128(id)))
            };
            let [answer] = answers.iter().filter(of).collect::<Vec<_>>().try_into().unwrap();
            match answer.result.clone().unwrap() {
                BatchResult::Success(_) => "recorded".to_owned(),
                BatchResult::Error(status) => status.message,
            }
        };
        let outcomes: Vec<_> = (1..=6).map(outcome).collect();
        assert_eq!(outcomes, ["recorded", "AccessDenied", "recorded", "recorded", "BadRequest", "recorded"]);
        assert_eq!(answers.len(), 6);
    }
}
