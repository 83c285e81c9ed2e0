//! Decisions: from a state and a command to events, recorded if and only if
//! nothing they rest on has changed.
//!
//! ```text
//!              ┌────────────── fold the delta ◀──── conflict: somebody was faster
//!              ▼                                          ▲
//!   state ──▶ decide ──▶ events ──▶ append ───────────────┴──▶ receipt
//!   (warm)      │
//!               └──▶ rejection: answered only on a state that is up to date
//! ```
//!
//! A state that is still warm from an earlier decision is not refreshed before
//! it is decided on: the append is refused if it is out of date, which costs one
//! more append and never a wrong event, and is no attempt. What is answered without an append, a
//! rejection or nothing to do, is decided on a refreshed state.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use blocking::Task;
use factum_core::{RecordedEvent, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::Model;
use crate::attempt::{Attempt, Settled, Step};
use crate::command::{ACTOR, Context};
use crate::emitted::{Emitted, IntoEvents};
use crate::receipt::Receipt;
use crate::retry::{self, Retry};
use crate::store::{Store, StoreError};
use crate::terms::Terms;

/// A model that decides about commands of type `C`.
pub trait Decide<C>: Model {
    /// Why it says no.
    type Rejection;

    /// What follows from the command. Pure: it may be called again.
    fn decide(&self, command: C) -> Result<impl IntoEvents, Self::Rejection>;
}

/// Why a command led to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DecideError<R> {
    /// The domain said no.
    #[error("rejected: {0}")]
    Rejected(R),
    /// Somebody was faster, every time. A state that was warm from an earlier
    /// command and out of date does not count: nobody was faster then.
    #[error(
        "others were faster {attempts} times: try again later, allow more attempts, or queue the commands"
    )]
    Conflict {
        /// How often it was decided.
        attempts: u32,
    },
    /// A command with this idempotency key was carried out before; this is
    /// what it came to.
    #[error("a command with this idempotency key was carried out before")]
    AlreadyDone(Receipt),
    /// The store failed, or an event could not be read or written.
    #[error(transparent)]
    Store(StoreError),
}

impl<R, E: Into<StoreError>> From<E> for DecideError<R> {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// A decision to be made: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is decided until it is run or awaited"]
pub struct Deciding<M, F, R> {
    pub(crate) store: Store,
    pub(crate) model: M,
    pub(crate) decide: F,
    pub(crate) terms: Terms<M, R>,
}

impl<M, F, I, R> Deciding<M, F, R>
where
    M: Model,
    F: FnMut(&M) -> Result<I, R>,
    I: IntoEvents,
{
    pub(crate) fn new(store: Store, model: M, decide: F) -> Self {
        Self { store, model, decide, terms: Terms::usual() }
    }

    /// Carries it out at most once for this key, for ever: a second time it
    /// answers [`DecideError::AlreadyDone`] with the first receipt. Costs one
    /// small event in a stream of its own. A command that was rejected, or came to
    /// nothing, was not carried out: given again it is judged anew.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.terms.say().key = Some(key.into());
        self
    }

    /// How often to try when others are faster.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.terms.say().retry = retry;
        self
    }

    /// Everything that surrounds the command at once.
    pub fn context(mut self, context: Context) -> Self {
        self.terms.say().context = context;
        self
    }

    /// Who gave the command; kept as metadata `actor`.
    pub fn actor(self, actor: impl Into<String>) -> Self {
        self.metadata(ACTOR, actor.into())
    }

    /// A fact about the fact.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.terms.say().context.metadata.insert(key.into(), value.into());
        self
    }

    /// The flow the command belongs to.
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.terms.say().context.correlation_id = Some(id);
        self
    }

    /// The event that led to the command: its flow goes on.
    pub fn caused_by(mut self, event: &RecordedEvent) -> Self {
        self.terms.say().context.continue_from(event);
        self
    }

    /// When it happened, if not now.
    pub fn occurred_at(mut self, time: Timestamp) -> Self {
        self.terms.say().context.occurred_at = Some(time);
        self
    }

    /// Records a rejection too, as the event this makes of it, so that how
    /// often something was tried is a query. It is answered as a rejection
    /// all the same.
    pub fn record_rejection<E: IntoEvents>(mut self, event: impl Fn(&M, &R) -> E + Send + 'static) -> Self {
        let record = move |model: &M, rejection: &R| Emitted::of(event(model, rejection));
        self.terms.say().on_rejection = Some(Box::new(record));
        self
    }

    /// Decides and records, blocking.
    pub fn run(self) -> Result<Receipt, DecideError<R>> {
        let mut attempt = Attempt::new(self);
        attempt.begin()?;
        loop {
            if attempt.needs_reading() {
                attempt.read()?;
            }
            let step = attempt.decide()?;
            if let Step::Read = step {
                continue;
            }
            if let Step::Reject = step {
                if let Some(append) = attempt.append() {
                    attempt.deciding.store.append(append)?;
                }
                return Err(attempt.rejected());
            }
            let Some(append) = attempt.append() else { return Ok(attempt.nothing()) };
            let answer = attempt.deciding.store.append(append);
            match attempt.settle(answer)? {
                Settled::Again(pause) => retry::sleep(pause),
                settled => return attempt.end(settled),
            }
        }
    }
}

impl<M, F, I, R> IntoFuture for Deciding<M, F, R>
where
    M: Model,
    F: FnMut(&M) -> Result<I, R> + Send + 'static,
    I: IntoEvents,
    R: Send + 'static,
{
    type Output = Result<Receipt, DecideError<R>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Decides where it is polled, and reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        let mut attempt = Attempt::new(self);
        Box::pin(async move {
            attempt.begin()?;
            loop {
                if attempt.needs_reading() {
                    let read;
                    (attempt, read) = aside(attempt, (), |attempt, ()| attempt.read()).await;
                    read?;
                }
                let step = attempt.decide()?;
                if let Step::Read = step {
                    continue;
                }
                if let Step::Reject = step {
                    if let Some(append) = attempt.append() {
                        attempt.deciding.store.append_async(append).await?;
                    }
                    return Err(attempt.rejected());
                }
                let Some(append) = attempt.append() else {
                    return Ok(aside(attempt, (), |attempt, ()| attempt.nothing()).await.1);
                };
                let answer = attempt.deciding.store.append_async(append).await;
                // No receipt is in scope while it waits.
                let pause = match attempt.settle(answer)? {
                    Settled::Again(pause) => pause,
                    Settled::Done(receipt) => {
                        if !attempt.has_due() {
                            return Ok(receipt);
                        }
                        return aside(attempt, Settled::Done(receipt), Attempt::end).await.1;
                    }
                    Settled::GiveUp => return aside(attempt, Settled::GiveUp, Attempt::end).await.1,
                };
                retry::wait(pause).await;
            }
        })
    }
}

/// A step that may block, on a thread meant for that.
fn aside<A, G, T>(mut attempt: A, given: G, step: fn(&mut A, G) -> T) -> Task<(A, T)>
where
    A: Send + 'static,
    G: Send + 'static,
    T: Send + 'static,
{
    blocking::unblock(move || {
        let done = step(&mut attempt, given);
        (attempt, done)
    })
}
