//! `Append`: appends handed to the store in the order in which they came, many
//! in flight, answered as the store answers.
//!
//! ```text
//!   messages ─► room ─► handed over, ─► in flight ─► answers that are there
//!       ▲                all at once        │         together go together
//!       └── read no further while too much  ◄┘
//!           is, or there is no room
//! ```
//!
//! The call is driven by whatever sends its answers: no task and no channel lie
//! between. The appends of a message go to the store together, and their answers come
//! to one place. It waits for those of the first message in flight, because a store
//! answers nearly always in order; the others are looked at when that takes long.
//!
//! When the server stops, no further message is looked at, what is in flight is
//! answered, and the last answer says that this was all: what has no answer
//! then was not recorded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use factum_core::{Answers as Awaited, Append, AppendError, Bytes, EventStore, Tell};
use factum_wire::proto::store::{AppendRequest, AppendResponse};
use factum_wire::store::packed::{PackedAnswers, UnpackedAppends};
use factum_wire::store::{APPEND_BYTES_MAX, Malformed, status};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Status;

use crate::arriving::Arriving;
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
    requests: Arriving,
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
        in_flight: 0,
        next: 0,
        messages: VecDeque::new(),
        bytes: 0,
        looks,
        first_looked_at: 0,
    };
    futures_util::stream::poll_fn(move |context| call.poll_answers(context)).boxed()
}

/// A message that was handed over.
struct Message {
    /// The number of its first append.
    first: u64,
    bytes: u64,
    /// Until all have come.
    answers: Option<Box<dyn Awaited>>,
    #[allow(dead_code, reason = "held, and never looked at")]
    held: Held,
}

impl Message {
    /// Tells what has come, of how many appends, and whether it was the last.
    fn poll(&mut self, context: &mut Context<'_>, answers: &mut PackedAnswers) -> (usize, bool) {
        let before = answers.count();
        if let Some(awaited) = &mut self.answers {
            let mut tell = |place, answer| answers.push(self.first + place as u64, &answer);
            if awaited.poll_answers(context, &mut tell).is_ready() {
                self.answers = None;
            }
        }
        (answers.count() - before, self.answers.is_none())
    }
}

/// Appends that were not even looked at: there was no room for so many.
struct TurnedAway {
    count: usize,
    queued_bytes: u64,
    limit_bytes: u64,
}

impl Awaited for TurnedAway {
    fn poll_answers(&mut self, _: &mut Context<'_>, tell: &mut Tell<'_>) -> Poll<()> {
        let Self { count, queued_bytes, limit_bytes } = *self;
        (0..count).for_each(|place| tell(place, Err(AppendError::Overloaded { queued_bytes, limit_bytes })));
        Poll::Ready(())
    }
}

/// The appends of a message; or, if it is none, all before the place where that
/// shows.
struct Told {
    unpacked: UnpackedAppends,
    /// How many it says it has.
    count: usize,
    /// How many there were yet.
    taken: usize,
    malformed: Option<Malformed>,
}

impl Told {
    fn of(appends: Bytes, count: usize) -> Self {
        Self { unpacked: UnpackedAppends::of(appends), count, taken: 0, malformed: None }
    }

    /// Whether it was a message to its end.
    fn end(mut self) -> Result<(), Malformed> {
        match self.malformed.map_or_else(|| self.unpacked.next().transpose(), Err)? {
            Some(_) => Err(Malformed::new("it has more appends than it says")),
            None if self.taken < self.count => Err(Malformed::new("it has fewer appends than it says")),
            None => Ok(()),
        }
    }
}

impl Iterator for Told {
    type Item = Append;

    fn next(&mut self) -> Option<Append> {
        if self.taken == self.count {
            return None;
        }
        let append = self.unpacked.next()?.map_err(|malformed| self.malformed = Some(malformed)).ok()?;
        self.taken += 1;
        Some(append)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.count - self.taken))
    }
}

/// What comes of waiting for room.
type Waited = (AppendRequest, Option<Held>);

struct Call {
    store: Arc<dyn EventStore>,
    room: Room,
    /// Until nothing more is looked at.
    requests: Option<Arriving>,
    stopped: BoxFuture<'static, ()>,
    /// A message that waits for room, behind which nothing is read.
    waiting: Option<BoxFuture<'static, Waited>>,
    /// What the call ends with.
    end: Option<Result<AppendResponse, Status>>,
    /// How many answers are to come.
    in_flight: usize,
    /// The number of the next append.
    next: u64,
    /// Those that have not all their answers, and some behind them that do.
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
        match self.requests.is_none() && self.in_flight == 0 {
            true => Poll::Ready(self.end.take()),
            false => Poll::Pending,
        }
    }

    fn has_room(&self) -> bool {
        self.in_flight == 0 || self.in_flight < IN_FLIGHT_MAX && self.bytes < BYTES_MAX
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
            match requests.poll_next(context) {
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
        let (answers, taken, handed): (Box<dyn Awaited>, _, _) = match (usize::try_from(count), &held) {
            (Ok(count @ ..=IN_FLIGHT_MAX), Some(_)) => {
                let mut told = Told::of(appends, count);
                let answers = self.store.append_each(&mut told);
                (answers, told.taken, told.end())
            }
            (Ok(count @ ..=IN_FLIGHT_MAX), None) => {
                let (queued_bytes, limit_bytes) = self.room.taken();
                (Box::new(TurnedAway { count, queued_bytes, limit_bytes }), count, Ok(()))
            }
            _ => {
                return self.end(Some(Err(status::of_malformed(&Malformed::new("it has too many appends")))));
            }
        };
        self.bytes += bytes;
        self.in_flight += taken;
        let (first, held) = (self.next, held.unwrap_or_default());
        self.messages.push_back(Message { first, bytes, answers: Some(answers), held });
        self.next += taken as u64;
        if let Err(error) = handed {
            self.end(Some(Err(status::of_malformed(&error))));
        }
    }

    /// The answers that are there.
    fn take_answers(&mut self, context: &mut Context<'_>, answers: &mut PackedAnswers) {
        while let Some(message) = self.messages.front_mut() {
            if answers.count() >= ANSWERS_MAX {
                break;
            }
            let (told, is_over) = message.poll(context, answers);
            self.in_flight -= told;
            if !is_over {
                break;
            }
            self.bytes -= self.messages.pop_front().map_or(0, |message| message.bytes);
        }
        while self.in_flight > 0 && self.looks.poll_tick(context).is_ready() {
            let first = self.messages.front().map_or(0, |message| message.first);
            if std::mem::replace(&mut self.first_looked_at, first) == first {
                self.look_behind(context, answers);
            }
        }
    }

    /// The first has taken long: so need not those behind it.
    fn look_behind(&mut self, context: &mut Context<'_>, answers: &mut PackedAnswers) {
        for message in self.messages.iter_mut().skip(1) {
            self.in_flight -= message.poll(context, answers).0;
        }
    }
}

/// About how many bytes the appends of a message take.
fn weight(request: &AppendRequest) -> u64 {
    request.appends.len() as u64 + KEPT_BYTES * u64::from(request.count)
}
