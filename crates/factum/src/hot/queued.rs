//! A command for a queue, and the answer to it.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use event_listener::{Event, EventListener, Listener as _};
use factum_core::{RecordedEvent, Timestamp, WhenFull};
use serde_json::Value;
use uuid::Uuid;

use crate::Model;
use crate::boundary::Boundary;
use crate::command::Context;
use crate::decide::Deciding;
use crate::emitted::IntoEvents;
use crate::hot::command::{Asked, Waiting};
use crate::hot::mailbox::Refused;
use crate::hot::queue::Queue;
use crate::receipt::Receipt;
use crate::retry::Retry;
use crate::store::StoreError;

/// Why a command that was queued led to nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError<R> {
    /// The domain said no.
    #[error("rejected: {0}")]
    Rejected(R),
    /// A command with this idempotency key was carried out before; this is
    /// what it came to.
    #[error("a command with this idempotency key was carried out before")]
    AlreadyDone(Receipt),
    /// Writers outside of the queue were faster, every time.
    #[error(
        "writers outside of the queue were faster {attempts} times: have them use the queue, or allow more attempts"
    )]
    Conflict {
        /// How often it was decided.
        attempts: u32,
    },
    /// Too many commands wait for the aggregate.
    #[error("{waiting} commands wait for this aggregate and no more may: try again later")]
    Full {
        /// How many.
        waiting: usize,
    },
    /// The queue takes no more commands.
    #[error("the queue is closed: nothing was recorded for the command")]
    Closed,
    /// The decision, or the model's `evolve`, panicked.
    #[error(
        "deciding panicked ({message}): nothing was recorded for the command; this is a bug in the model"
    )]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The worker ended before it could answer.
    #[error(
        "the queue ended before it could answer, and whether the command was carried out is unknown: load the model, or repeat it with its idempotency key"
    )]
    Lost,
    /// The store failed, or an event could not be read or written.
    #[error(transparent)]
    Store(StoreError),
}

impl<R, E: Into<StoreError>> From<E> for QueueError<R> {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// A command for a queue: [`run`](Self::run) it, `.await` it, or
/// [`submit`](Self::submit) it and take the answer later.
#[must_use = "nothing is decided until it is run, awaited or submitted"]
pub struct Queued<M: Model, F, R> {
    queue: Queue<M>,
    deciding: Deciding<M, F, R>,
}

/// The answer to a command that was handed in: [`wait`](Self::wait) for it, or
/// `.await` it. Dropping it gives up the answer, not the command.
#[derive(Debug)]
#[must_use = "an answer may be an error"]
pub struct Answer<R>(oneshot::Receiver<Result<Receipt, QueueError<R>>>);

impl<M, F, I, R> Queued<M, F, R>
where
    M: Model,
    F: FnMut(&M) -> Result<I, R> + Send + 'static,
    I: IntoEvents,
    R: Send + 'static,
{
    pub(super) fn new(queue: Queue<M>, deciding: Deciding<M, F, R>) -> Self {
        Self { queue, deciding }
    }

    fn with(self, change: impl FnOnce(Deciding<M, F, R>) -> Deciding<M, F, R>) -> Self {
        Self { deciding: change(self.deciding), ..self }
    }

    /// As [`Deciding::idempotency_key`].
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.with(|deciding| deciding.idempotency_key(key))
    }

    /// How often to decide when writers outside of the queue are faster. There
    /// are no pauses.
    pub fn retry(self, retry: Retry) -> Self {
        self.with(|deciding| deciding.retry(retry))
    }

    /// As [`Deciding::context`].
    pub fn context(self, context: Context) -> Self {
        self.with(|deciding| deciding.context(context))
    }

    /// As [`Deciding::actor`].
    pub fn actor(self, actor: impl Into<String>) -> Self {
        self.with(|deciding| deciding.actor(actor))
    }

    /// As [`Deciding::metadata`].
    pub fn metadata(self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.with(|deciding| deciding.metadata(key, value))
    }

    /// As [`Deciding::correlation_id`].
    pub fn correlation_id(self, id: Uuid) -> Self {
        self.with(|deciding| deciding.correlation_id(id))
    }

    /// As [`Deciding::caused_by`].
    pub fn caused_by(self, event: &RecordedEvent) -> Self {
        self.with(|deciding| deciding.caused_by(event))
    }

    /// As [`Deciding::occurred_at`].
    pub fn occurred_at(self, time: Timestamp) -> Self {
        self.with(|deciding| deciding.occurred_at(time))
    }

    /// As [`Deciding::record_rejection`]; the event is recorded only while the
    /// reason stands, in the append that says so.
    pub fn record_rejection<E: IntoEvents>(self, event: impl Fn(&M, &R) -> E + Send + 'static) -> Self {
        self.with(|deciding| deciding.record_rejection(event))
    }

    /// Hands it in, and waits for room and for the answer, blocking.
    pub fn run(self) -> Result<Receipt, QueueError<R>> {
        self.submit()?.wait()
    }

    /// Hands it in, waiting for room if need be, and does not wait for the
    /// answer. Commands submitted one after another are decided in that order.
    pub fn submit(self) -> Result<Answer<R>, QueueError<R>> {
        let (mut handing, answer) = self.prepare()?;
        while let Some(room) = handing.try_in()? {
            room.wait();
        }
        Ok(answer)
    }

    fn prepare(self) -> Result<(Handing<M>, Answer<R>), QueueError<R>> {
        let Self { queue, deciding } = self;
        let (boundary, model) = (deciding.model.boundary()?, deciding.model.clone());
        let (reply, answer) = oneshot::channel();
        let command = Box::new(Asked { deciding, reply, rejection: None });
        let command = Some(Waiting { command, attempts: 0 });
        Ok((Handing { queue, boundary, model, command }, Answer(answer)))
    }
}

/// A command at the door of the queue.
struct Handing<M: Model> {
    queue: Queue<M>,
    boundary: Boundary,
    model: M,
    command: Option<Waiting<M>>,
}

impl<M: Model> Handing<M> {
    /// Goes in; or answers when to try again.
    fn try_in<R>(&mut self) -> Result<Option<EventListener>, QueueError<R>> {
        let shared = self.queue.shared();
        let mailbox = shared.mailbox_of(&self.boundary);
        let mut listening: Option<(Arc<Event>, EventListener)> = None;
        loop {
            let Some(command) = self.command.take() else { return Ok(None) };
            let model = || self.model.clone();
            match mailbox.push(&self.boundary, model, command, shared.options.waiting_max.max(1)) {
                Ok(()) => return Ok(None),
                Err(Refused::Closed) => return Err(QueueError::Closed),
                Err(Refused::Full { waiting, .. }) if shared.options.when_full == WhenFull::Refuse => {
                    return Err(QueueError::Full { waiting });
                }
                Err(Refused::Full { command, room, .. }) => {
                    self.command = Some(command);
                    // Listens first and looks again, so that no ring is missed;
                    // also not that of a lane opened in between.
                    match listening.take() {
                        Some((same, listener)) if Arc::ptr_eq(&same, &room) => return Ok(Some(listener)),
                        _ => listening = Some((room.clone(), room.listen())),
                    }
                }
            }
        }
    }
}

impl<M, F, I, R> IntoFuture for Queued<M, F, R>
where
    M: Model,
    F: FnMut(&M) -> Result<I, R> + Send + 'static,
    I: IntoEvents,
    R: Send + 'static,
{
    type Output = Result<Receipt, QueueError<R>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Hands it in when it is first polled.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (mut handing, answer) = self.prepare()?;
            while let Some(room) = handing.try_in()? {
                room.await;
            }
            answer.await
        })
    }
}

impl<R> Answer<R> {
    /// Blocks until it is there.
    pub fn wait(self) -> Result<Receipt, QueueError<R>> {
        self.0.recv().unwrap_or(Err(QueueError::Lost))
    }
}

impl<R: Send + 'static> IntoFuture for Answer<R> {
    type Output = Result<Receipt, QueueError<R>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.0.await.unwrap_or(Err(QueueError::Lost)) })
    }
}
