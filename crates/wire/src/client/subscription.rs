//! Subscriptions: a cursor at the server that moves when it is asked to, and
//! what is needed to go on when it is lost.
//!
//! ```text
//!   next ─► buffer ─empty─► turn ─► server ─► a page ─► buffer
//!                            ▲                  │
//!                            └── in the past, the next page is asked for
//!                                as soon as one has come
//! ```
//!
//! The server reads no further than one page ahead of the subscriber, so that
//! "fell behind" means here what it means in one process. At the end of the log
//! a turn waits at the server; a subscriber that does not want to wait sends
//! another, which overtakes it and is answered with what there is.
//!
//! After a connection that broke, a new cursor begins after the last position
//! that arrived. What the first one was told about its beginning is kept here
//! as a [`Start`], because a position alone would forget a beginning that is
//! still to come; and whoever was live is not told again of catching up, unless
//! it fell behind meanwhile.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use factum_core::{
    Direction, Position, Signal, Start, StorageError, Subscribe, SubscribeError, SubscribeFrom, Subscription,
};
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::Streaming;

use super::background::Background;
use super::way::{Trouble, Way};
use crate::proto::store::subscribe_request::Content;
use crate::proto::store::{SubscribeRequest, SubscribeResponse, Turn};
use crate::store::{status, subscribe};

/// Begins a subscription.
pub fn begin(
    background: &Arc<Background>,
    request: Subscribe,
) -> Result<Box<dyn Subscription>, SubscribeError> {
    let way = Arc::clone(background.way());
    let first = request.clone();
    let (call, answer) = background.run(async move { connect(&way, first).await })??;
    let start = match request.from {
        SubscribeFrom::After(position) => Start::Position(position.next()),
        SubscribeFrom::AfterRevision(revision) => Start::Revision(revision.next()),
        SubscribeFrom::Time(time) => Start::Time(time),
        SubscribeFrom::Start | SubscribeFrom::Now => Start::Edge,
    };
    let end = last_position(&answer);
    let mut subscription = RemoteSubscription {
        background: Arc::clone(background),
        // Now is now, also for whoever has to begin again.
        looked_at: if request.from == SubscribeFrom::Now { end } else { None },
        request: match (request.from, end) {
            (SubscribeFrom::Now, None) => request.from(SubscribeFrom::Start),
            _ => request,
        },
        start,
        buffer: VecDeque::new(),
        is_live: false,
        is_quiet: false,
        is_at_end: false,
        heard: 0,
        link: Link::Up(Box::new(call)),
    };
    subscription.take(answer)?;
    Ok(Box::new(subscription))
}

struct RemoteSubscription {
    background: Arc<Background>,
    request: Subscribe,
    /// What the events told must also satisfy.
    start: Start,
    /// Arrived and not told yet.
    buffer: VecDeque<Signal>,
    /// Everything up to here was looked at, and what was selected has arrived.
    looked_at: Option<Position>,
    /// What has arrived says that the subscription is live.
    is_live: bool,
    /// The cursor is a new one, and its catching up is not to be told.
    is_quiet: bool,
    /// The cursor has come to the end of the log.
    is_at_end: bool,
    /// How many answers have come.
    heard: u64,
    link: Link,
}

/// The cursor at the server.
enum Link {
    Up(Box<Call>),
    /// A new one is being made.
    Making(JoinHandle<Result<(Call, SubscribeResponse), SubscribeError>>),
    Down,
}

/// One call.
struct Call {
    requests: mpsc::UnboundedSender<SubscribeRequest>,
    answers: Streaming<SubscribeResponse>,
    /// The last turn that was asked for, and the last that was answered.
    asked: u64,
    answered: u64,
}

impl Call {
    /// Asks for a page.
    fn ask(&mut self, wait: bool) -> u64 {
        self.asked += 1;
        let turn = Turn { number: self.asked, wait };
        // A call that is over says so with its answers.
        let _ = self.requests.send(SubscribeRequest { content: Some(Content::Turn(turn)) });
        self.asked
    }
}

impl RemoteSubscription {
    /// The next signal; or `None` when there was none up to this turn, or there
    /// is no cursor that could be asked.
    fn poll_signal(
        &mut self,
        until: Option<u64>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Signal>, SubscribeError>> {
        loop {
            if let Some(signal) = self.buffer.pop_front() {
                return Poll::Ready(Ok(Some(signal)));
            }
            match &mut self.link {
                Link::Up(call) => {
                    if until.is_some_and(|turn| call.answered >= turn) {
                        return Poll::Ready(Ok(None));
                    }
                    if call.asked == call.answered {
                        call.ask(true);
                    }
                    let answer = ready!(Pin::new(&mut call.answers).poll_next(context));
                    self.answered(answer)?;
                }
                Link::Making(making) => match Pin::new(making).poll(context) {
                    Poll::Ready(made) => {
                        self.made(made)?;
                        // What there was has come with the new cursor.
                        if until.is_some() && self.buffer.is_empty() {
                            return Poll::Ready(Ok(None));
                        }
                    }
                    Poll::Pending if until.is_some() => return Poll::Ready(Ok(None)),
                    Poll::Pending => return Poll::Pending,
                },
                Link::Down => self.make(),
            }
        }
    }

    fn answered(
        &mut self,
        answer: Option<Result<SubscribeResponse, tonic::Status>>,
    ) -> Result<(), SubscribeError> {
        match answer {
            Some(Ok(answer)) => self.take(answer),
            Some(Err(status)) => {
                self.link = Link::Down;
                match refused(self.background.way(), &status) {
                    Err(trouble) => Err(trouble),
                    Ok(_) => {
                        self.make();
                        Ok(())
                    }
                }
            }
            None => {
                self.make();
                Ok(())
            }
        }
    }

    /// Begins to make another cursor, where this one was.
    fn make(&mut self) {
        let from = match self.looked_at {
            Some(position) => SubscribeFrom::After(position),
            None => self.request.from,
        };
        let request = self.request.clone().from(from);
        let way = Arc::clone(self.background.way());
        self.is_at_end = false;
        self.link = Link::Making(self.background.spawn(async move { connect(&way, request).await }));
    }

    fn made(
        &mut self,
        made: Result<Result<(Call, SubscribeResponse), SubscribeError>, tokio::task::JoinError>,
    ) -> Result<(), SubscribeError> {
        self.link = Link::Down;
        // Only the end of the thread behind comes between.
        let (call, answer) = made.map_err(|_| SubscribeError::Closed)??;
        let end = last_position(&answer);
        if self.looked_at > end {
            return Err(self.background.way().shorter().into());
        }
        let count = |position: Option<Position>| position.map_or(0, |position| position.get() + 1);
        let behind = count(end) - count(self.looked_at);
        if self.is_live && behind > self.request.behind_after {
            self.is_live = false;
            self.buffer.push_back(Signal::FellBehind { events: behind });
        }
        self.is_quiet = self.is_live;
        self.link = Link::Up(Box::new(call));
        self.take(answer)
    }

    /// Takes a page in.
    fn take(&mut self, answer: SubscribeResponse) -> Result<(), SubscribeError> {
        self.heard += 1;
        for signal in answer.signals.into_iter().flat_map(subscribe::decode_signal) {
            match signal {
                Ok(signal) => self.arrived(signal),
                Err(error) => {
                    self.link = Link::Down;
                    return Err(self.background.way().misunderstood(&error).into());
                }
            }
        }
        if answer.ending {
            self.make();
        } else if let Link::Up(call) = &mut self.link {
            call.answered = call.answered.max(answer.turn);
            if !self.is_at_end && call.asked == call.answered {
                call.ask(true);
            }
        }
        Ok(())
    }

    fn arrived(&mut self, signal: Signal) {
        match &signal {
            Signal::Event(event) => {
                if self.looked_at >= Some(event.position) {
                    return;
                }
                self.looked_at = Some(event.position);
                if !self.start.is_reached_by(event, Direction::Forward) {
                    return;
                }
            }
            Signal::Checkpoint(position) => self.looked_at = self.looked_at.max(Some(*position)),
            Signal::CaughtUp(position) => {
                self.looked_at = self.looked_at.max(*position);
                self.is_at_end = true;
                self.is_live = true;
                if std::mem::take(&mut self.is_quiet) {
                    return;
                }
            }
            Signal::FellBehind { .. } => {
                self.is_at_end = false;
                self.is_live = false;
            }
        }
        self.buffer.push_back(signal);
    }

    /// What is there now, asked for and not waited for.
    fn look(&mut self) -> Result<Option<Signal>, SubscribeError> {
        let until = match &mut self.link {
            Link::Up(call) => call.ask(false),
            Link::Making(_) | Link::Down => 0,
        };
        let background = Arc::clone(&self.background);
        let wait = background.way().options.answer_within;
        loop {
            let heard = self.heard;
            match background.wait(wait, poll_fn(|context| self.poll_signal(Some(until), context))) {
                Some(signal) => return signal,
                // The server is still looking.
                None if self.heard > heard => {}
                None => return Err(background.way().silent(wait).into()),
            }
        }
    }
}

impl Subscription for RemoteSubscription {
    fn next(&mut self) -> Result<Signal, SubscribeError> {
        pollster::block_on(poll_fn(|context| self.poll_next(context)))
    }

    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError> {
        if let Some(signal) = self.buffer.pop_front() {
            return Ok(Some(signal));
        }
        if !wait.is_zero() {
            let background = Arc::clone(&self.background);
            if let Some(signal) = background.wait(wait, poll_fn(|context| self.poll_next(context))) {
                return signal.map(Some);
            }
        }
        self.look()
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>> {
        loop {
            if let Some(signal) = ready!(self.poll_signal(None, context))? {
                return Poll::Ready(Ok(signal));
            }
        }
    }
}

fn last_position(answer: &SubscribeResponse) -> Option<Position> {
    answer.begun.as_ref().and_then(|begun| begun.last_position).map(Position::new)
}

/// What ends the subscription, or the trouble that another call may end.
fn refused(way: &Way, status: &tonic::Status) -> Result<StorageError, SubscribeError> {
    if let Some(error) = status::subscribe_in(status) {
        return Err(error);
    }
    match way.trouble(status) {
        Trouble::Final(error) => Err(error.into()),
        Trouble::Broken(error) => Ok(error),
    }
}

/// Begins a call, and awaits its first answer.
async fn connect(way: &Way, request: Subscribe) -> Result<(Call, SubscribeResponse), SubscribeError> {
    let attempt = || async {
        match open(way, &request).await {
            Ok(opened) => Ok(Ok(opened)),
            Err(status) => match refused(way, &status) {
                Ok(error) => Err(Trouble::Broken(error)),
                Err(error) => Ok(Err(error)),
            },
        }
    };
    match way.persist(attempt).await {
        Ok(opened) => opened,
        Err(trouble) => Err(trouble.into_error().into()),
    }
}

async fn open(way: &Way, request: &Subscribe) -> Result<(Call, SubscribeResponse), tonic::Status> {
    let (requests, mut sending) = mpsc::unbounded_channel();
    let begin = Content::Begin(subscribe::encode(request));
    // The receiver is right here.
    let _ = requests.send(SubscribeRequest { content: Some(begin) });
    let sending = futures_util::stream::poll_fn(move |context| sending.poll_recv(context));
    let mut client = way.reads();
    let mut answers = way.in_time(client.subscribe(sending)).await?.into_inner();
    loop {
        match way.in_time(answers.message()).await? {
            Some(answer) if answer.begun.is_some() => {
                return Ok((Call { requests, answers, asked: 0, answered: 0 }, answer));
            }
            // The server is still looking.
            Some(answer) if !answer.ending => {}
            _ => return Err(status::ending()),
        }
    }
}
