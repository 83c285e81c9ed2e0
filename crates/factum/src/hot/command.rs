//! A command on its way through a queue: the worker sees what it needs to
//! decide and to answer, and no type of the caller but the model's.

use crate::Model;
use crate::command::Context;
use crate::decide::Deciding;
use crate::emitted::{Emitted, IntoEvents};
use crate::hot::QueueError;
use crate::receipt::Receipt;
use crate::store::StoreError;

/// A command of any type for models of type `M`.
pub trait Command<M>: Send {
    /// Calls the user's decision, which may panic.
    fn decide(&mut self, state: &M) -> Decided;
    fn context(&self) -> &Context;
    fn key(&self) -> Option<&str>;
    /// How often it may be decided when others are faster.
    fn attempts_max(&self) -> u32;
    fn answer(self: Box<Self>, outcome: Outcome);
}

/// What a decision came to.
pub enum Decided {
    Events(Emitted),
    /// The reason stays with the command; these are to be recorded of it.
    Rejected(Emitted),
}

/// What a command is answered.
#[derive(Clone)]
pub enum Outcome {
    Done(Receipt),
    /// By the reason it was last rejected for.
    Rejected,
    AlreadyDone(Receipt),
    Conflict {
        attempts: u32,
    },
    Panicked {
        message: String,
    },
    Failed(StoreError),
}

/// A command that waits, and how often it was decided in vain.
pub struct Waiting<M> {
    pub command: Box<dyn Command<M>>,
    pub attempts: u32,
}

impl<M> Waiting<M> {
    pub fn answer(self, outcome: Outcome) {
        self.command.answer(outcome);
    }
}

/// To whom the answer goes.
pub type Reply<R> = oneshot::Sender<Result<Receipt, QueueError<R>>>;

/// A command as it was given.
pub struct Asked<M, F, R> {
    pub deciding: Deciding<M, F, R>,
    pub reply: Reply<R>,
    pub rejection: Option<R>,
}

impl<M, F, I, R> Command<M> for Asked<M, F, R>
where
    M: Model,
    F: FnMut(&M) -> Result<I, R> + Send,
    I: IntoEvents,
    R: Send,
{
    fn decide(&mut self, state: &M) -> Decided {
        match (self.deciding.decide)(state) {
            Ok(events) => Decided::Events(Emitted::of(events)),
            Err(rejection) => {
                let recorded = self.deciding.terms.on_rejection().map(|record| record(state, &rejection));
                self.rejection = Some(rejection);
                Decided::Rejected(recorded.unwrap_or_default())
            }
        }
    }

    fn context(&self) -> &Context {
        self.deciding.terms.context()
    }

    fn key(&self) -> Option<&str> {
        self.deciding.terms.key()
    }

    fn attempts_max(&self) -> u32 {
        self.deciding.terms.retry().attempts_max
    }

    fn answer(self: Box<Self>, outcome: Outcome) {
        let rejection = self.rejection;
        let answer = match outcome {
            Outcome::Done(receipt) => Ok(receipt),
            Outcome::Rejected => Err(QueueError::Rejected(rejection.expect("it was rejected before"))),
            Outcome::AlreadyDone(receipt) => Err(QueueError::AlreadyDone(receipt)),
            Outcome::Conflict { attempts } => Err(QueueError::Conflict { attempts }),
            Outcome::Panicked { message } => Err(QueueError::Panicked { message }),
            Outcome::Failed(error) => Err(QueueError::Store(error)),
        };
        // Whoever gave up waiting gets no answer.
        let _ = self.reply.send(answer);
    }
}
