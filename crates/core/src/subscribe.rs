//! Subscriptions: a cursor over the log that waits at its end.
//!
//! ```text
//!        already delivered      to come
//!   ────────────────────────┬──────────────┬┄┄┄┄┄┄┄┄
//!                          next        committed
//! ```
//!
//! A subscription holds no queue: each step looks once at how far the log is
//! committed and serves `[next, committed)`, so catching up and being live are
//! one code path, no event can be skipped at a hand-over, and a slow reader
//! falls behind but is never dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use event_listener::{EventListener, Listener};

use crate::{
    Events, Position, Read, ReadError, RecordedEvent, Revision, Selection, Start, SubscribeError, Timestamp,
    Until,
};

/// A request to follow the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Which events.
    pub selection: Selection,
    /// Where to begin.
    pub from: SubscribeFrom,
    /// How many events may be passed over, none of them selected, before a
    /// [`Signal::Checkpoint`] tells how far the subscription has come.
    pub checkpoint_every: u64,
    /// How many events a live subscription may be late before it is told so by
    /// [`Signal::FellBehind`].
    pub behind_after: u64,
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeFrom {
    /// At the very first event.
    Start,
    /// After this position: give the last position handled.
    After(Position),
    /// After this revision; only for a stream.
    AfterRevision(Revision),
    /// At the first event recorded at or after this time.
    Time(Timestamp),
    /// After the last event committed now.
    Now,
}

impl Subscribe {
    /// Follows a selection from its first event.
    pub fn to(selection: Selection) -> Self {
        Self { selection, from: SubscribeFrom::Start, checkpoint_every: 1_024, behind_after: 8_192 }
    }

    /// Beginning there.
    pub fn from(self, from: SubscribeFrom) -> Self {
        Self { from, ..self }
    }
}

/// What a subscription has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The next selected event.
    Event(RecordedEvent),
    /// Every event up to this position was looked at; none since the last
    /// signal was selected. Resume [`SubscribeFrom::After`] it.
    Checkpoint(Position),
    /// The past is exhausted: what follows is live. Carries the last committed
    /// position that was looked at, if the log has any.
    CaughtUp(Option<Position>),
    /// The subscriber, once live, is this many events late. Nothing is lost;
    /// [`Signal::CaughtUp`] follows when it has caught up again.
    FellBehind {
        /// Committed events it has not looked at yet.
        events: u64,
    },
}

/// A subscription under way. Dropping it ends it.
pub trait Subscription: Send {
    /// The next signal; blocks until there is one.
    fn next(&mut self) -> Result<Signal, SubscribeError>;

    /// The next signal, or `None` if there is none within this time.
    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError>;

    /// The next signal for an async caller.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>>;
}

/// What [`CursorSubscription`] needs of a store.
pub trait CursorSource: Send {
    /// The position the next committed event will get.
    fn committed_end(&self) -> Result<Position, SubscribeError>;

    /// A listener that is notified after every later commit, and on close.
    fn listen(&self) -> EventListener;

    /// As [`EventStore::read`](crate::EventStore::read).
    fn read(&self, read: Read) -> Result<Events, ReadError>;
}

/// A [`Subscription`] to any store whose committed events can be read by position.
pub struct CursorSubscription<S> {
    source: S,
    selection: Selection,
    /// Everything before this was looked at.
    next: Position,
    /// Selected events must also satisfy this; it is how a beginning in the
    /// future (a revision or time not reached yet) is kept.
    start: Start,
    checkpoint_every: u64,
    behind_after: u64,
    live: bool,
    /// Looked at since the last signal.
    passed_over: u64,
    window: Option<Window>,
    listener: Option<EventListener>,
}

/// Events being served, and where they end.
struct Window {
    events: Events,
    end: Position,
}

impl<S: CursorSource> CursorSubscription<S> {
    /// Begins a subscription.
    pub fn new(source: S, subscribe: Subscribe) -> Result<Self, SubscribeError> {
        let (next, start) = match subscribe.from {
            SubscribeFrom::Start => (Position::FIRST, Start::Edge),
            SubscribeFrom::After(position) => (position.next(), Start::Edge),
            SubscribeFrom::AfterRevision(revision) => (Position::FIRST, Start::Revision(revision.next())),
            SubscribeFrom::Time(time) => (Position::FIRST, Start::Time(time)),
            SubscribeFrom::Now => (source.committed_end()?, Start::Edge),
        };
        if matches!(start, Start::Revision(_)) && !matches!(subscribe.selection, Selection::Stream(_)) {
            return Err(SubscribeError::RevisionWithoutStream);
        }
        Ok(Self {
            source,
            selection: subscribe.selection,
            next,
            start,
            checkpoint_every: subscribe.checkpoint_every.max(1),
            behind_after: subscribe.behind_after,
            live: false,
            passed_over: 0,
            window: None,
            listener: None,
        })
    }

    /// The next signal that needs no waiting.
    fn step(&mut self) -> Result<Option<Signal>, SubscribeError> {
        loop {
            if let Some(window) = &mut self.window {
                if let Some(event) = window.events.next() {
                    let event = event?;
                    self.next = event.position.next();
                    self.passed_over = 0;
                    return Ok(Some(Signal::Event(event)));
                }
                let end = window.end;
                self.window = None;
                self.passed_over += end.get().saturating_sub(self.next.get());
                self.next = end;
                if self.passed_over >= self.checkpoint_every {
                    self.passed_over = 0;
                    return Ok(end.previous().map(Signal::Checkpoint));
                }
            }
            let committed = self.source.committed_end()?;
            let behind = committed.get().saturating_sub(self.next.get());
            if behind == 0 {
                if self.live {
                    return Ok(None);
                }
                self.live = true;
                return Ok(Some(Signal::CaughtUp(committed.previous())));
            }
            if self.live && behind > self.behind_after {
                self.live = false;
                return Ok(Some(Signal::FellBehind { events: behind }));
            }
            self.window = Some(self.open_window(committed)?);
        }
    }

    /// Events from `next` on: up to `committed`, or for a query only so far
    /// that a checkpoint is due in time.
    fn open_window(&self, committed: Position) -> Result<Window, SubscribeError> {
        let end = match self.selection {
            Selection::Query(_) => {
                Position::new(committed.get().min(self.next.get().saturating_add(self.checkpoint_every)))
            }
            Selection::All | Selection::Stream(_) => committed,
        };
        let last = end.previous().unwrap_or(Position::FIRST);
        let read =
            Read::of(self.selection.clone()).from(Start::Position(self.next)).until(Until::Position(last));
        let events = match self.source.read(read) {
            Ok(events) => events,
            Err(ReadError::StreamNotFound { .. }) => Box::new(std::iter::empty()),
            Err(error) => return Err(error.into()),
        };
        let start = self.start;
        let events: Events = match start {
            Start::Edge | Start::Position(_) => events,
            Start::Revision(_) | Start::Time(_) => Box::new(events.filter(move |event| match event {
                Ok(event) => start.is_reached_by(event, crate::Direction::Forward),
                Err(_) => true,
            })),
        };
        Ok(Window { events, end })
    }
}

impl<S: CursorSource> Subscription for CursorSubscription<S> {
    fn next(&mut self) -> Result<Signal, SubscribeError> {
        loop {
            if let Some(signal) = self.step()? {
                return Ok(signal);
            }
            let listener = self.source.listen();
            // A commit between the step and the listener must not be slept over.
            if let Some(signal) = self.step()? {
                return Ok(signal);
            }
            listener.wait();
        }
    }

    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError> {
        // A wait beyond what the clock can count has no end.
        let Some(deadline) = Instant::now().checked_add(wait) else { return self.next().map(Some) };
        loop {
            if let Some(signal) = self.step()? {
                return Ok(Some(signal));
            }
            let listener = self.source.listen();
            if let Some(signal) = self.step()? {
                return Ok(Some(signal));
            }
            if listener.wait_deadline(deadline).is_none() {
                return self.step();
            }
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>> {
        loop {
            if let Some(signal) = self.step()? {
                self.listener = None;
                return Poll::Ready(Ok(signal));
            }
            match &mut self.listener {
                Some(listener) => match Pin::new(listener).poll(context) {
                    Poll::Ready(()) => self.listener = None,
                    Poll::Pending => return Poll::Pending,
                },
                // Registered before the next step looks again.
                none => *none = Some(self.source.listen()),
            }
        }
    }
}
