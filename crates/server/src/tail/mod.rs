//! [`Tail`]: the end of the log, followed once for all who follow it live.
//!
//! ```text
//!              ┌─ a task ──┐   batch    ┌─ board ─────────────┐ notes  ┌ seats ─────┐
//!   log ──────▶│ one       │───────────▶│ who wants it?       │───────▶│ a follower │
//!              │ cursor    │──┐         │ whose checkpoint    │        │ a follower │
//!              └───────────┘  ▼         │ is due?             │        └─────┬──────┘
//!                          recent ◀─────┴─────────────────────┘              │
//!                          events, once for all ◀── which event was it? ─────┘
//! ```
//!
//! A follower reads the past by itself. When it has caught up it takes a seat: it
//! says up to where it has read, and hears from where on it will be told. What lies
//! between it reads by itself, so that there is no gap, and nothing twice. From then
//! on an event costs those who want it, and nobody else.
//!
//! A follower that does not take what lies ready for it in time is off: it reads by
//! itself from the first event it was not told of, and comes back. So is everyone if
//! the task ends, for whatever reason: because the log grew so much at once that
//! they are late, because it was closed, or because something failed, which each of
//! them then finds out and tells its client.
//!
//! Memory, whatever the clients do: the last 4,096 events of at most 16 MiB (but at
//! least the newest batch, which is less than 512 KiB and one event), once for all,
//! with the blocks they were read with; 64 events for each expression that is being
//! tried; and for each follower positions only: of at most 512 events, and of
//! checkpoints between them, 32 KiB.

mod board;
mod checkpoints;
mod index;
mod member;
mod recent;
mod sieve;
mod words;

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use factum_core::{
    EventStore, Position, RecordedEvent, Selection, Signal, StreamName, Subscribe, SubscribeError,
    SubscribeFrom, Subscription,
};
use factum_wire::{Failure, Filter};
use tokio::sync::Notify;
use tokio::time::Sleep;

use crate::failure;
use crate::streams::page::BYTES_MAX;
use crate::streams::show::weight;

use board::Board;
pub use checkpoints::Every;
use member::{Member, Note};
use recent::Recent;
use words::{Words, wake};

/// How many events are handed out before other work of the thread has its turn.
const BATCH_MAX: usize = 64;

/// How long those wait who have time, and how many of them are woken before other work
/// of the thread has its turn.
const LATER: Duration = Duration::from_millis(5);
const WOKEN_MAX: usize = 64;

/// What of the log a follower wants.
#[derive(Debug, Clone)]
pub enum Interest {
    /// Every event.
    Everything,
    /// Those of one stream.
    Stream(StreamName),
    /// Those that a filter of prefixes wants.
    Prefixes(Arc<Filter>),
    /// Those that a filter by an expression wants.
    Expression(Arc<Filter>),
}

impl Interest {
    /// What a filter wants of the log, unless it is the name of an index.
    pub fn of(filter: &Arc<Filter>) -> Option<Self> {
        match (filter.prefixes(), filter.expression()) {
            (Some(_), _) => Some(Self::Prefixes(Arc::clone(filter))),
            (_, Some(_)) => Some(Self::Expression(Arc::clone(filter))),
            (None, None) => None,
        }
    }

    /// What of the log has to be looked at for it.
    pub fn selection(&self) -> Selection {
        match self {
            Self::Stream(name) => Selection::Stream(name.clone()),
            Self::Everything | Self::Prefixes(_) | Self::Expression(_) => Selection::All,
        }
    }
}

/// See the module. Clones are the same.
#[derive(Clone, Default)]
pub struct Tail(Arc<Shared>);

#[derive(Default)]
struct Shared {
    board: Mutex<State>,
    recent: RwLock<Recent>,
    /// The last one has left.
    left: Notify,
}

#[derive(Default)]
struct State {
    board: Board,
    /// There is a task.
    is_followed: bool,
}

impl Tail {
    /// Takes a seat for who has read everything before `next`. May wait, and is for
    /// threads of a runtime, which goes on with the task if this is the first seat.
    pub fn join(
        &self,
        store: &dyn EventStore,
        interest: Interest,
        next: Position,
        every: Option<Every>,
    ) -> Result<Seat, Failure> {
        let mut state = self.0.lock();
        let begun = match state.is_followed {
            true => None,
            false => {
                let subscription = self.0.begin(&mut state, store)?;
                Some(run(Following(Arc::clone(&self.0)), subscription))
            }
        };
        let seat = self.seat(&mut state, interest, next.get(), every);
        drop(state);
        if let Some(task) = begun {
            tokio::spawn(task);
        }
        Ok(seat)
    }

    fn seat(&self, state: &mut State, interest: Interest, next: u64, every: Option<Every>) -> Seat {
        let (number, member) = state.board.join(interest, next, every);
        Seat { number, member, shared: Arc::clone(&self.0) }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to follow the end of the log.
    fn begin(&self, state: &mut State, store: &dyn EventStore) -> Result<Box<dyn Subscription>, Failure> {
        let last = store.last_position().map_err(failure::of_read)?;
        let from = last.map_or(SubscribeFrom::Start, SubscribeFrom::After);
        let subscription = store.subscribe(Subscribe::to(Selection::All).from(from));
        let subscription = subscription.map_err(failure::of_subscribe)?;
        self.begin_at(state, last.map_or(0, |last| last.next().get()));
        Ok(subscription)
    }

    fn begin_at(&self, state: &mut State, next: u64) {
        self.recent.write().unwrap_or_else(PoisonError::into_inner).begin(next);
        state.board.begin(next);
        state.is_followed = true;
    }

    /// Tells everyone what a batch has for them. Gives the sieves on which somebody
    /// is to begin to work, and who can be woken later.
    fn hand_out(&self, batch: &[Arc<RecordedEvent>]) -> (Vec<u64>, Vec<Arc<Member>>) {
        let mut words = Words::default();
        self.recent.write().unwrap_or_else(PoisonError::into_inner).push(batch);
        let sieves = self.lock().board.hand_out(batch, &mut words);
        (sieves, words.say())
    }

    /// Keeps nothing that nobody can ask for. Who has not taken what lies ready for
    /// it still can.
    fn tidy(&self, state: &State) {
        if state.board.is_empty() && !state.is_followed {
            self.recent.write().unwrap_or_else(PoisonError::into_inner).begin(0);
        }
    }

    /// Works on a sieve until there is nothing to do; may take long.
    fn sieve(&self, sieve: u64) {
        loop {
            let mut words = Words::default();
            let work = {
                let mut state = self.lock();
                let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
                state.board.work(sieve, &recent, &mut words)
            };
            words.say_all();
            let Some(work) = work else { return };
            let sieved = work.done();
            let mut words = Words::default();
            self.lock().board.worked(sieve, sieved, &mut words);
            words.say_all();
        }
    }
}

/// There is a task. Dropped, there is none, and everyone is off.
struct Following(Arc<Shared>);

impl Drop for Following {
    fn drop(&mut self) {
        let mut words = Words::default();
        let mut state = self.0.lock();
        state.board.all_off(&mut words);
        state.is_followed = false;
        self.0.tidy(&state);
        drop(state);
        words.say_all();
    }
}

/// Follows the end of the log for as long as somebody is there.
async fn run(following: Following, mut subscription: Box<dyn Subscription>) {
    let shared = &following.0;
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let (mut later, mut timer) = (Vec::new(), None);
    loop {
        tokio::select! {
            first = poll_fn(|context| subscription.poll_next(context)) => {
                let goes_on = gather(&mut *subscription, first.map(Some), &mut batch);
                let (sieves, have_time) = shared.hand_out(&batch);
                batch.clear();
                later.extend(have_time);
                for sieve in sieves {
                    let at_work = AtWork { shared: Some(Arc::clone(shared)), sieve };
                    drop(tokio::task::spawn_blocking(move || at_work.run()));
                }
                if !goes_on {
                    return wake(later);
                }
            }
            () = rung(&mut timer) => wake(later.drain(..later.len().min(WOKEN_MAX))),
            () = shared.left.notified() => {
                if shared.lock().board.is_empty() {
                    return;
                }
            }
        }
        match (later.is_empty(), &timer) {
            (true, _) => timer = None,
            (false, None) => timer = Some(Box::pin(tokio::time::sleep(LATER))),
            (false, Some(_)) => {}
        }
        // Whoever was woken on this thread has its turn.
        tokio::task::yield_now().await;
    }
}

/// Done when the timer rings, and again and again until there is another.
async fn rung(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) if !timer.is_elapsed() => timer.await,
        Some(_) => {}
        None => pending().await,
    }
}

/// Takes what there is without waiting, beginning with this. Whether there is more
/// to come that is in memory.
fn gather(
    subscription: &mut dyn Subscription,
    first: Result<Option<Signal>, SubscribeError>,
    batch: &mut Vec<Arc<RecordedEvent>>,
) -> bool {
    let (mut said, mut bytes) = (first, 0);
    loop {
        match said {
            Ok(Some(Signal::Event(event))) => {
                bytes += weight(&event);
                batch.push(Arc::new(event));
                if batch.len() >= BATCH_MAX || bytes >= BYTES_MAX {
                    return true;
                }
            }
            Ok(Some(Signal::Checkpoint(_) | Signal::CaughtUp(_))) => {}
            Ok(None) => return true,
            // What went wrong, everyone finds out who reads on by themselves.
            Ok(Some(Signal::FellBehind { .. })) | Err(_) => return false,
        }
        said = subscription.next_within(Duration::ZERO);
    }
}

/// Somebody is at work on a sieve. Dropped before it is done, its members are off.
struct AtWork {
    shared: Option<Arc<Shared>>,
    sieve: u64,
}

impl AtWork {
    fn run(mut self) {
        if let Some(shared) = &self.shared {
            shared.sieve(self.sieve);
        }
        self.shared = None;
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            let mut words = Words::default();
            shared.lock().board.broke_off(self.sieve, &mut words);
            words.say_all();
        }
    }
}

/// A follower's place on the tail. Dropped, it has left.
pub struct Seat {
    number: u64,
    member: Arc<Member>,
    shared: Arc<Shared>,
}

/// What a follower is told.
#[derive(Debug)]
pub enum Said {
    /// The next event it wants.
    Event(Arc<RecordedEvent>),
    /// It has all it wants up to here, and a checkpoint is due.
    Checkpoint(Position),
    /// From here on it reads by itself, and gives up its seat.
    Off(Position),
}

impl Seat {
    /// From where on it is told.
    pub fn from(&self) -> Position {
        Position::new(self.member.from())
    }

    /// Done when there is something to hear.
    pub async fn ready(&self) {
        poll_fn(|context| self.member.poll_ready(context)).await;
    }

    /// What is there to hear.
    pub fn next(&self) -> Option<Said> {
        Some(match self.member.take()? {
            Note::Event(at) => {
                let recent = self.shared.recent.read().unwrap_or_else(PoisonError::into_inner);
                match recent.at(at) {
                    Some(event) => Said::Event(Arc::clone(event)),
                    // It was slow, or everyone began anew.
                    None => Said::Off(Position::new(at)),
                }
            }
            Note::Checkpoint(at) => Said::Checkpoint(Position::new(at)),
            Note::Off(at) => Said::Off(Position::new(at)),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.board.leave(self.number);
        if state.board.is_empty() {
            self.shared.tidy(&state);
            self.shared.left.notify_one();
        }
    }
}

#[cfg(test)]
pub mod tests;
