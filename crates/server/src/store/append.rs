//! `Append`: appends handed to the store in the order in which they came, many
//! in flight, answered as the store answers.
//!
//! ```text
//!   messages ─► room ─► handed over, ─► in flight ─► answers that are there
//!       ▲                each at once       │         together go together
//!       └── read no further while too much  ◄┘
//!           is, or there is no room
//! ```
//!
//! The call is driven by whatever sends its answers: no task and no channel lie
//! between. It waits for the answer to the first append in flight, because a store
//! answers nearly always in order; the others are looked at when that takes long.
//!
//! When the server stops, no further message is looked at, what is in flight is
//! answered, and the last answer says that this was all: what has no answer
//! then was not recorded.

use std::collections::VecDeque;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use factum_core::{AppendError, AppendFuture, Bytes, EventStore};
use factum_wire::proto::store::{AppendRequest, AppendResponse};
use factum_wire::store::packed::{PackedAnswers, UnpackedAppends};
use factum_wire::store::{APPEND_BYTES_MAX, Malformed, status};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::{Status, Streaming};

use crate::room::{Held, Room};
use crate::stopping::Stopping;

use super::Answers;

/// How many appends of one call may be in flight, or in one message, and how many
/// bytes of them.
const IN_FLIGHT_MAX: usize = 8_192;
const BYTES_MAX: u64 = 2 * APPEND_BYTES_MAX;
/// How many answers go together.
const ANSWERS_MAX: usize = 1_024;
/// How many messages are taken before answers have their turn.
const MESSAGES_MAX: usize = 16;
/// About how much an append takes besides what it came in.
const KEPT_BYTES: u64 = 256;
/// How often appends are looked at that others before them hold up.
const LOOK: Duration = Duration::from_millis(5);

/// Begins to answer one call.
pub fn begin(
    store: Arc<dyn EventStore>,
    room: Room,
    requests: Streaming<AppendRequest>,
    mut stopping: Stopping,
) -> Answers<AppendResponse> {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut call = Call {
        store,
        room,
        requests: Some(requests),
        stopped: async move { stopping.said().await }.boxed(),
        waiting: None,
        end: None,
        in_flight: VecDeque::new(),
        first: 0,
        messages: VecDeque::new(),
        bytes: 0,
        looks,
        first_looked_at: 0,
    };
    futures_util::stream::poll_fn(move |context| call.poll_answers(context)).boxed()
}

/// A message that was handed over.
struct Message {
    /// The number after its last append's.
    end: u64,
    bytes: u64,
    #[allow(dead_code, reason = "held, and never looked at")]
    held: Held,
}

/// What comes of waiting for room.
type Waited = (AppendRequest, Option<Held>);

struct Call {
    store: Arc<dyn EventStore>,
    room: Room,
    /// Until nothing more is looked at.
    requests: Option<Streaming<AppendRequest>>,
    stopped: BoxFuture<'static, ()>,
    /// A message that waits for room, behind which nothing is read.
    waiting: Option<BoxFuture<'static, Waited>>,
    /// What the call ends with.
    end: Option<Result<AppendResponse, Status>>,
    /// Answers to come, in the order of their numbers; `None` where one was there
    /// before its turn.
    in_flight: VecDeque<Option<AppendFuture>>,
    /// The number of the first of them.
    first: u64,
    messages: VecDeque<Message>,
    /// Of these messages.
    bytes: u64,
    looks: Interval,
    first_looked_at: u64,
}

impl Call {
    fn poll_answers(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AppendResponse, Status>>> {
        self.take_messages(context);
        let mut answers = PackedAnswers::default();
        self.take_answers(context, &mut answers);
        if answers.count() > 0 {
            let answers = answers.into_bytes();
            return Poll::Ready(Some(Ok(AppendResponse { answers, ending: false })));
        }
        match self.requests.is_none() && self.in_flight.is_empty() {
            true => Poll::Ready(self.end.take()),
            false => Poll::Pending,
        }
    }

    fn has_room(&self) -> bool {
        self.in_flight.is_empty() || self.in_flight.len() < IN_FLIGHT_MAX && self.bytes < BYTES_MAX
    }

    /// Hands over what has come.
    fn take_messages(&mut self, context: &mut Context<'_>) {
        if self.requests.is_some() && self.stopped.poll_unpin(context).is_ready() {
            self.end(Some(Ok(AppendResponse { ending: true, ..AppendResponse::default() })));
        }
        for _ in 0..MESSAGES_MAX {
            if let Some(waiting) = &mut self.waiting {
                let Poll::Ready((request, held)) = waiting.poll_unpin(context) else { return };
                self.waiting = None;
                self.hand_over(request, held);
                continue;
            }
            if !self.has_room() {
                // The next answer makes some, and then this is asked again.
                return;
            }
            let Some(requests) = &mut self.requests else { return };
            match Pin::new(requests).poll_next(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(request))) => self.admit(request),
                Poll::Ready(None) => self.end(None),
                // The client is gone, or does not speak the protocol.
                Poll::Ready(Some(Err(status))) => self.end(Some(Err(status))),
            }
        }
        // There may be more.
        context.waker().wake_by_ref();
    }

    /// Nothing more is looked at.
    fn end(&mut self, end: Option<Result<AppendResponse, Status>>) {
        (self.requests, self.waiting, self.end) = (None, None, end);
    }

    /// Finds room for a message.
    fn admit(&mut self, request: AppendRequest) {
        let bytes = weight(&request);
        match self.room.take_now(bytes) {
            Some(held) => self.hand_over(request, Some(held)),
            None => {
                let room = self.room.clone();
                self.waiting = Some(async move { (request, room.take(bytes).await.ok()) }.boxed());
            }
        }
    }

    /// Takes a message in, for which there is room or was none in time.
    fn hand_over(&mut self, request: AppendRequest, held: Option<Held>) {
        let bytes = weight(&request);
        let AppendRequest { appends, count } = request;
        let handed = match (usize::try_from(count), &held) {
            (Ok(count @ ..=IN_FLIGHT_MAX), Some(_)) => self.hand_over_each(appends, count),
            (Ok(count @ ..=IN_FLIGHT_MAX), None) => self.turn_away(count),
            _ => Err(Malformed::new("it has too many appends")),
        };
        self.bytes += bytes;
        let end = self.first + self.in_flight.len() as u64;
        self.messages.push_back(Message { end, bytes, held: held.unwrap_or_default() });
        if let Err(error) = handed {
            self.end(Some(Err(status::of_malformed(&error))));
        }
    }

    /// All of a message, or, if it is none, all before the place where that shows.
    fn hand_over_each(&mut self, appends: Bytes, count: usize) -> Result<(), Malformed> {
        let end = self.in_flight.len() + count;
        for append in UnpackedAppends::of(appends) {
            let append = append?;
            if self.in_flight.len() == end {
                return Err(Malformed::new("it has more appends than it says"));
            }
            self.in_flight.push_back(Some(self.store.append_async(&append)));
        }
        match self.in_flight.len() == end {
            true => Ok(()),
            false => Err(Malformed::new("it has fewer appends than it says")),
        }
    }

    /// There was no room for so many.
    fn turn_away(&mut self, count: usize) -> Result<(), Malformed> {
        let (queued_bytes, limit_bytes) = self.room.taken();
        let refused = || ready(Err(AppendError::Overloaded { queued_bytes, limit_bytes }));
        self.in_flight.extend((0..count).map(|_| Some(Box::pin(refused()) as AppendFuture)));
        Ok(())
    }

    /// The answers that are there.
    fn take_answers(&mut self, context: &mut Context<'_>, answers: &mut PackedAnswers) {
        while let Some(next) = self.in_flight.front_mut() {
            if let Some(appending) = next {
                if answers.count() >= ANSWERS_MAX {
                    break;
                }
                let Poll::Ready(answer) = appending.as_mut().poll(context) else { break };
                answers.push(self.first, &answer);
            }
            self.in_flight.pop_front();
            self.first += 1;
        }
        while self.messages.front().is_some_and(|message| message.end <= self.first) {
            self.bytes -= self.messages.pop_front().map_or(0, |message| message.bytes);
        }
        while !self.in_flight.is_empty() && self.looks.poll_tick(context).is_ready() {
            if std::mem::replace(&mut self.first_looked_at, self.first) == self.first {
                self.look_behind(context, answers);
            }
        }
    }

    /// The first has taken long: so need not those behind it.
    fn look_behind(&mut self, context: &mut Context<'_>, answers: &mut PackedAnswers) {
        for (number, place) in (self.first..).zip(&mut self.in_flight).skip(1) {
            if let Some(appending) = place
                && let Poll::Ready(answer) = appending.as_mut().poll(context)
            {
                answers.push(number, &answer);
                *place = None;
            }
        }
    }
}

/// About how many bytes the appends of a message take.
fn weight(request: &AppendRequest) -> u64 {
    request.appends.len() as u64 + KEPT_BYTES * u64::from(request.count)
}
