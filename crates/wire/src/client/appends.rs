//! Appends: one queue, one call, many in flight.
//!
//! ```text
//!   hand_over ─► queue ─► [messages] ─► in flight
//!                  ▲                        │ answers
//!                  └─ sent again, first ◄───┴──► callers
//! ```
//!
//! Appends are sent in the order in which they were handed over, and so judged;
//! that holds over a new connection too, because what is sent again goes before
//! what was not sent yet. An append is packed by whoever hands it over, and the
//! call takes what is packed from the [queue](super::queue) itself: no task and
//! no channel lie between.
//!
//! Callers that are answered together come back one after another. The first would
//! go alone, and make both sides work for a message of one: so the thread behind
//! steps back once before it sends few where there were many. A caller alone is
//! never waited for.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use factum_core::{Append, AppendError, AppendFuture, Appended, StorageError};
use futures_util::{Stream, StreamExt};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::{Status, Streaming};

use super::flight::Flight;
use super::queue::Queue;
use super::sent::Awaited;
use super::way::{Trouble, Way};
use crate::pace::Pace;
use crate::proto::store::AppendResponse;
use crate::store::packed::UnpackedAnswers;

/// How long after a call that broke the next one is begun.
const BREATH: Duration = Duration::from_millis(5);
/// Into how many ticks the time for an answer is divided.
const TICKS: u64 = 8;

/// Where appends are handed over. Dropped, nothing more comes.
pub struct Appends(Arc<Queue>);

/// The queue, and what carries it; the second ends after the first was dropped
/// and everything in it is answered.
pub fn begin(way: Arc<Way>, pace: Arc<Pace>) -> (Appends, impl Future<Output = ()> + Send) {
    let queue = Arc::new(Queue::of(way.options.queue_bytes_max));
    let carrier = Carrier { way, queue: Arc::clone(&queue), flight: Arc::default(), pace };
    (Appends(queue), carrier.run())
}

impl Appends {
    /// Hands one over, by this call and not by the first poll.
    pub fn hand_over(&self, append: &Append) -> AppendFuture {
        match self.0.push(append) {
            Ok(awaited) => Box::pin(Answer(awaited)),
            Err(refusal) => Box::pin(std::future::ready(Err(refusal))),
        }
    }
}

impl Drop for Appends {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The answer to one.
struct Answer(Awaited);

impl Future for Answer {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Whoever carries it has ended without an answer: only a bug does.
        let ended = |_| Err(AppendError::Unknown(StorageError::Closed));
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or_else(ended))
    }
}

/// Carries appends to the server and answers back.
struct Carrier {
    way: Arc<Way>,
    queue: Arc<Queue>,
    /// Shared with what sends.
    flight: Arc<Mutex<Flight>>,
    /// How soon the server answers.
    pace: Arc<Pace>,
}

/// How a call ended.
enum End {
    /// Nothing more is to be carried.
    Done,
    /// The server stops, and has answered all that it took.
    Stopped,
    Broken(Trouble),
}

impl Carrier {
    async fn run(self) {
        while poll_fn(|context| self.queue.poll_filled(context)).await {
            let way = Arc::clone(&self.way);
            let end = match way.persist(|| self.open()).await {
                Ok(answers) => self.carry(answers).await,
                Err(trouble) => {
                    self.give_up(&trouble.into_error());
                    continue;
                }
            };
            let left = flying(&self.flight).end();
            match end {
                End::Done => return,
                End::Stopped => self.queue.push_front(left),
                End::Broken(Trouble::Broken(error)) => {
                    let again = left.filter_map(|(sent, packed)| {
                        let place = sent.place.clone();
                        match sent.lose(&error) {
                            Some(sent) => Some((sent, packed)),
                            None => {
                                self.queue.settle(place.len());
                                None
                            }
                        }
                    });
                    self.queue.push_front(again);
                }
                End::Broken(Trouble::Final(error)) => {
                    for (sent, _) in left {
                        self.queue.settle(sent.place.len());
                        sent.lose_for_good(&error);
                    }
                }
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    async fn open(&self) -> Result<Streaming<AppendResponse>, Trouble> {
        let (queue, flight, pace) =
            (Arc::clone(&self.queue), Arc::clone(&self.flight), Arc::clone(&self.pace));
        let call = flying(&flight).open();
        let messages = futures_util::stream::poll_fn(move |context| {
            // Whoever would come back has the core first, if they wait for it.
            if flying(&flight).is_early(&queue) {
                std::thread::yield_now();
            }
            let message = flying(&flight).poll_send(call, &queue, context);
            if message.is_ready() {
                pace.spoke();
            }
            message
        });
        let mut client = self.way.appends(messages.boxed());
        match self.way.in_time(client.append(futures_util::stream::empty())).await {
            Ok(answers) => {
                flying(&self.flight).begin();
                Ok(answers.into_inner())
            }
            Err(status) => Err(self.way.trouble(&status)),
        }
    }

    /// Until the call ends.
    async fn carry(&self, mut answers: Streaming<AppendResponse>) -> End {
        let wait = self.way.options.answer_within;
        let mut clock = tokio::time::interval((wait / TICKS as u32).max(Duration::from_millis(1)));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        poll_fn(|context| self.poll_end(&mut answers, &mut clock, context)).await
    }

    fn poll_end(
        &self,
        answers: &mut Streaming<AppendResponse>,
        clock: &mut Interval,
        context: &mut Context<'_>,
    ) -> Poll<End> {
        while let Poll::Ready(answer) = Pin::new(&mut *answers).poll_next(context) {
            if let Some(end) = self.receive(answer) {
                return Poll::Ready(end);
            }
        }
        while clock.poll_tick(context).is_ready() {
            self.tick();
        }
        // In this order: what leaves the queue is in flight.
        let is_done = self.queue.poll_ended(context).is_ready() && flying(&self.flight).is_empty();
        if is_done { Poll::Ready(End::Done) } else { Poll::Pending }
    }

    fn receive(&self, answer: Option<Result<AppendResponse, Status>>) -> Option<End> {
        let response = match answer {
            Some(Ok(response)) => response,
            Some(Err(status)) => return Some(End::Broken(self.way.trouble(&status))),
            None => return Some(End::Broken(Trouble::Broken(self.way.broken("the call ended")))),
        };
        self.pace.heard(response.answers.len());
        let mut flight = flying(&self.flight);
        for answer in UnpackedAnswers::of(response.answers) {
            let (number, answer) = match answer {
                Ok(unpacked) => unpacked,
                Err(error) => return Some(End::Broken(Trouble::Final(self.way.misunderstood(&error)))),
            };
            if let Some(sent) = flight.take(number) {
                self.queue.settle(sent.place.len());
                sent.answer(answer);
            }
        }
        response.ending.then_some(End::Stopped)
    }

    /// Answers those whose answer has not come in time.
    fn tick(&self) {
        let mut flight = flying(&self.flight);
        flight.ticks += 1;
        for sent in flight.take_overdue(TICKS) {
            self.queue.settle(sent.place.len());
            sent.lose_for_good(&self.way.silent(self.way.options.answer_within));
        }
    }

    /// There is no server: whoever waits is told.
    fn give_up(&self, error: &StorageError) {
        for sent in self.queue.take_all() {
            self.queue.settle(sent.place.len());
            sent.give_up(error);
        }
    }
}

fn flying(flight: &Mutex<Flight>) -> MutexGuard<'_, Flight> {
    flight.lock().unwrap_or_else(PoisonError::into_inner)
}
