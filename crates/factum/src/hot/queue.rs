//! [`Queue`]: the single writer of many aggregates of one type.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use factum_core::WhenFull;
use parking_lot::Mutex;

use crate::boundary::Boundary;
use crate::decide::Deciding;
use crate::emitted::{Emitted, IntoEvents};
use crate::hot::aggregate::Shop;
use crate::hot::mailbox::Mailbox;
use crate::hot::queued::Queued;
use crate::hot::worker::Worker;
use crate::store::Store;
use crate::{Decide, Model};

/// Decides commands for aggregates of type `M` one after another, each
/// aggregate by one writer, and appends what waited as one append.
///
/// Clones share it. It is closed by [`Queue::close`], or when the last clone is
/// dropped; either way every command that was accepted is answered first.
///
/// ```
/// use factum::hot::{Queue, QueueError, QueueOptions};
/// use factum::prelude::*;
/// # #[derive(Id, Clone, Debug, PartialEq)] struct ConcertId(String);
/// # #[derive(Event, Clone, Debug, PartialEq)] enum Concert { Sold { #[id] id: ConcertId, to: u32 } }
/// # #[derive(Aggregate, Clone, Debug)] #[folds(Concert)] struct Seats { #[key] id: ConcertId, sold: u32 }
/// # impl Evolve<Concert> for Seats { fn evolve(&mut self, _: &Concert) { self.sold += 1; } }
/// let store = Store::memory();
/// let queue = Queue::start(&store, QueueOptions::default())?;
/// let sell = |to| move |seats: &Seats| match seats.sold < 2 {
///     true => Ok(Concert::Sold { id: seats.id.clone(), to }),
///     false => Err("sold out"),
/// };
/// // Handed in at once, answered when they are durable:
/// let answers = [1, 2, 3].map(|buyer| queue.decide(Seats::of("c"), sell(buyer)).submit());
/// let answers = answers.map(|answer| answer?.wait());
/// assert!(answers[0].is_ok() && answers[1].is_ok());
/// assert!(matches!(answers[2], Err(QueueError::Rejected("sold out"))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<M: Model>(Arc<Shared<M>>);

pub(super) struct Shared<M: Model> {
    pub store: Store,
    pub options: QueueOptions,
    mailboxes: Vec<Arc<Mailbox<M>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a [`Queue`] may be told.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Worker threads. An aggregate belongs to one of them; one is enough
    /// unless decisions are heavy or many states have to be read.
    pub threads: usize,
    /// How many commands may wait for one aggregate.
    pub waiting_max: usize,
    /// What a submitter meets when so many wait.
    pub when_full: WhenFull,
    /// How many commands share an append at most.
    pub group_max: usize,
    /// How many aggregates each worker keeps in hand. Beyond that, states at
    /// rest go to the store's own warm states, which are bounded.
    pub warm_max: usize,
    /// Whether commands are decided on events that are not committed yet. Their
    /// revision is known then, their position and time are not: a model's
    /// [`evolve_at`](crate::Evolve::evolve_at) sees [`Position::MAX`] and the
    /// clock's time. Turn it off if the model looks at those two: each command is
    /// then an append of its own, decided on what was read.
    ///
    /// [`Position::MAX`]: crate::Position::MAX
    pub decide_ahead: bool,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            waiting_max: 16_384,
            when_full: WhenFull::Wait,
            group_max: 1_024,
            warm_max: 4_096,
            decide_ahead: true,
        }
    }
}

/// The system gave no thread.
#[derive(Debug, thiserror::Error)]
#[error("the queue cannot start a thread: see the limits of this process")]
pub struct StartError(#[from] io::Error);

impl<M: Model> Clone for Queue<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Model> Queue<M> {
    /// Starts its threads.
    pub fn start(store: &Store, options: QueueOptions) -> Result<Self, StartError> {
        let mailboxes = (0..options.threads.max(1)).map(|_| Arc::new(Mailbox::default())).collect();
        let threads = Mutex::default();
        // Dropped on failure, it ends those that did start.
        let shared = Shared { store: store.clone(), options, mailboxes, threads };
        for (at, mailbox) in shared.mailboxes.iter().enumerate() {
            let shop = Shop { store: store.clone(), options: shared.options.clone() };
            let worker = Worker::new(mailbox.clone(), shop);
            let thread = thread::Builder::new().name(format!("factum-hot-{at}")).spawn(|| worker.run())?;
            shared.threads.lock().push(thread);
        }
        Ok(Self(Arc::new(shared)))
    }

    /// As [`Store::decide`], through the queue. Commands for one aggregate are
    /// decided in the order they are handed in.
    pub fn decide<F, I, R>(&self, model: M, decide: F) -> Queued<M, F, R>
    where
        F: FnMut(&M) -> Result<I, R> + Send + 'static,
        I: IntoEvents,
        R: Send + 'static,
    {
        Queued::new(self.clone(), Deciding::new(self.0.store.clone(), model, decide))
    }

    /// [`Queue::decide`] by the model's own [`Decide`].
    #[allow(clippy::type_complexity)] // a closure has no shorter name
    pub fn execute<C>(
        &self,
        model: M,
        command: C,
    ) -> Queued<M, impl FnMut(&M) -> Result<Emitted, M::Rejection> + Send + 'static, M::Rejection>
    where
        M: Decide<C>,
        M::Rejection: Send + 'static,
        C: Clone + Send + 'static,
    {
        self.decide(model, move |model: &M| model.decide(command.clone()).map(Emitted::of))
    }

    /// Accepts no more commands, also from clones; returns when all that were
    /// accepted are answered.
    pub fn close(self) {
        self.0.close();
    }

    pub(super) fn shared(&self) -> &Shared<M> {
        &self.0
    }
}

impl<M: Model> Shared<M> {
    pub fn mailbox_of(&self, boundary: &Boundary) -> &Mailbox<M> {
        let mut hasher = DefaultHasher::new();
        boundary.hash(&mut hasher);
        &self.mailboxes[(hasher.finish() % self.mailboxes.len() as u64) as usize]
    }

    fn close(&self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.close());
        let threads = std::mem::take(&mut *self.threads.lock());
        for handle in threads {
            // A command may hold the last clone: then this is the worker.
            if handle.thread().id() != thread::current().id() {
                // A worker that ended in a panic has told its submitters.
                let _ = handle.join();
            }
        }
    }
}

impl<M: Model> Drop for Shared<M> {
    fn drop(&mut self) {
        self.close();
    }
}
