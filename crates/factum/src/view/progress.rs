//! How far a projection has come, and waiting until it has come far enough.

use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use event_listener::Event;
use factum_core::{Position, ReadError};
use futures_timer::Delay;
use parking_lot::{Condvar, Mutex};

use super::Poison;
use super::lag::Lag;
use crate::{Receipt, Store};

/// What a projection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Somebody else runs it; this one takes over when they are gone.
    Standby,
    /// Events of the past are projected.
    CatchingUp,
    /// Events are projected as they come.
    Live,
    /// Somebody asked it to wait.
    Paused,
    /// It stands before an event that cannot be projected.
    Failed,
    /// Nobody runs it.
    Stopped,
}

impl Phase {
    /// One or two words for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::CatchingUp => "catching up",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// A projection as this process runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What it is called.
    pub name: &'static str,
    /// Which version of it.
    pub version: u32,
    /// What it is doing.
    pub phase: Phase,
    /// Every event up to here is in its rows, or of another type.
    pub position: Option<Position>,
    /// How many events this process has projected.
    pub events: u64,
    /// How many events of the log it has not looked at yet.
    pub lag_events: u64,
    /// How long ago the first of them was recorded.
    pub lag: Duration,
    /// The event it cannot go past.
    pub poison: Option<Poison>,
    /// What keeps failing, and is tried again and again.
    pub trouble: Option<String>,
}

/// How far a projection has come. Clones look at the same projection.
#[derive(Clone)]
pub struct Progress(Arc<Inner>);

struct Inner {
    store: Store,
    name: &'static str,
    version: u32,
    state: Mutex<State>,
    moved: Condvar,
    moved_async: Event,
}

#[derive(Clone)]
struct State {
    phase: Phase,
    /// Everything before this was looked at.
    next: Position,
    events: u64,
    poison: Option<Poison>,
    trouble: Option<String>,
}

/// What is waited for: an event in the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached(Option<Position>);

impl From<&Receipt> for Reached {
    /// Everything the command recorded.
    fn from(receipt: &Receipt) -> Self {
        Self(receipt.last_position())
    }
}

impl From<Position> for Reached {
    fn from(position: Position) -> Self {
        Self(Some(position))
    }
}

impl From<Option<Position>> for Reached {
    /// `None` is reached already.
    fn from(position: Option<Position>) -> Self {
        Self(position)
    }
}

/// Why waiting for a projection ended without it having come that far.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// It takes longer.
    #[error(
        "{name} has not come to position {wanted} in time, it is {} before position {next}{}: wait longer, or see its status",
        phase.as_str(),
        trouble.as_ref().map(|trouble| format!(" ({trouble})")).unwrap_or_default()
    )]
    TimedOut {
        /// The projection.
        name: &'static str,
        /// What was waited for.
        wanted: Position,
        /// What it looks at next.
        next: Position,
        /// What it is doing.
        phase: Phase,
        /// What keeps failing.
        trouble: Option<String>,
    },
    /// It stands before an event that cannot be projected.
    #[error("{name} has stopped")]
    Failed {
        /// The projection.
        name: &'static str,
        /// The event.
        #[source]
        poison: Poison,
    },
    /// It cannot go on, and tries again and again.
    #[error("{name} cannot go on: {trouble}")]
    Trouble {
        /// The projection.
        name: &'static str,
        /// What keeps failing.
        trouble: String,
    },
    /// Nobody runs it any more.
    #[error("{name} is not run any more{}", trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default())]
    Stopped {
        /// The projection.
        name: &'static str,
        /// Why, if nobody asked for it.
        trouble: Option<String>,
    },
}

impl Progress {
    pub(crate) fn new(store: Store, name: &'static str, version: u32) -> Self {
        let state =
            State { phase: Phase::CatchingUp, next: Position::FIRST, events: 0, poison: None, trouble: None };
        Self(Arc::new(Inner {
            store,
            name,
            version,
            state: Mutex::new(state),
            moved: Condvar::new(),
            moved_async: Event::new(),
        }))
    }

    /// Waits until an event is in the rows: for what a command has just
    /// recorded, `wait_for(&receipt)`. For 5 seconds, unless
    /// [told otherwise](Waiting::within).
    pub fn wait_for(&self, reached: impl Into<Reached>) -> Waiting {
        Waiting {
            progress: self.clone(),
            wanted: reached.into().0,
            within: Duration::from_secs(5),
            bears_trouble: true,
        }
    }

    /// Waits until everything that is recorded now is in the rows.
    pub fn wait_for_all(&self) -> Result<Waiting, ReadError> {
        Ok(self.wait_for(self.0.store.events().last_position()?))
    }

    /// What it is doing, how far it has come, and how late it is.
    pub fn status(&self) -> Result<Status, ReadError> {
        let state = self.0.state.lock().clone();
        let lag = Lag::of(&self.0.store, state.next)?;
        Ok(Status {
            name: self.0.name,
            version: self.0.version,
            phase: state.phase,
            position: state.next.previous(),
            events: state.events,
            lag_events: lag.events(state.next),
            lag: lag.time,
            poison: state.poison,
            trouble: state.trouble,
        })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Moving<'_>)) {
        let mut state = self.0.state.lock();
        change(&mut Moving(&mut state));
        drop(state);
        self.0.moved.notify_all();
        self.0.moved_async.notify(usize::MAX);
    }
}

/// Progress, while it is written down.
pub(crate) struct Moving<'a>(&'a mut State);

impl Moving<'_> {
    /// It projects, and has looked at everything before this.
    pub fn at(&mut self, next: Position, events: usize, is_live: bool) {
        self.0.phase = if is_live { Phase::Live } else { Phase::CatchingUp };
        self.0.next = self.0.next.max(next);
        self.0.events += events as u64;
        (self.0.poison, self.0.trouble) = (None, None);
    }

    /// It does not project. The rows have everything before `next`, by a runner
    /// elsewhere or by a rebuild.
    pub fn waits(&mut self, phase: Phase, next: Position) {
        self.0.phase = phase;
        self.0.next = self.0.next.max(next);
        self.0.trouble = None;
        if phase != Phase::Failed {
            self.0.poison = None;
        }
    }

    /// It stands before this event.
    pub fn failed(&mut self, poison: Poison) {
        self.0.next = self.0.next.max(poison.position);
        self.0.phase = Phase::Failed;
        self.0.poison = Some(poison);
    }

    /// Something is tried again.
    pub fn trouble(&mut self, trouble: String) {
        self.0.trouble = Some(trouble);
    }

    /// Its thread has ended.
    pub fn stopped(&mut self) {
        if self.0.phase != Phase::Failed {
            self.0.phase = Phase::Stopped;
        }
    }
}

impl Inner {
    /// How waiting ends; `None`: not yet.
    fn outcome(&self, state: &State, waiting: &Waiting) -> Option<Result<(), WaitError>> {
        if waiting.wanted.is_none_or(|wanted| state.next > wanted) {
            return Some(Ok(()));
        }
        let name = self.name;
        Some(Err(match (state.phase, &state.poison, &state.trouble) {
            (Phase::Failed, Some(poison), _) => WaitError::Failed { name, poison: poison.clone() },
            (Phase::Stopped, _, trouble) => WaitError::Stopped { name, trouble: trouble.clone() },
            (_, _, Some(trouble)) if !waiting.bears_trouble => {
                WaitError::Trouble { name, trouble: trouble.clone() }
            }
            _ => return None,
        }))
    }

    fn timed_out(&self, state: &State, wanted: Position) -> WaitError {
        WaitError::TimedOut {
            name: self.name,
            wanted,
            next: state.next,
            phase: state.phase,
            trouble: state.trouble.clone(),
        }
    }
}

/// Waiting for a projection: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is waited for until it is run or awaited"]
pub struct Waiting {
    progress: Progress,
    wanted: Option<Position>,
    within: Duration,
    bears_trouble: bool,
}

impl Waiting {
    /// As long as it takes, unless something fails.
    pub(crate) fn unless_in_trouble(self) -> Self {
        Self { within: Duration::MAX, bears_trouble: false, ..self }
    }

    /// For at most this long.
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Waits, blocking.
    pub fn run(self) -> Result<(), WaitError> {
        let Some(wanted) = self.wanted else { return Ok(()) };
        let inner = &*self.progress.0;
        let mut outcome = None;
        let mut state = inner.state.lock();
        inner.moved.wait_while_for(
            &mut state,
            |state| {
                outcome = inner.outcome(state, &self);
                outcome.is_none()
            },
            self.within,
        );
        outcome.unwrap_or_else(|| Err(inner.timed_out(&state, wanted)))
    }
}

impl IntoFuture for Waiting {
    type Output = Result<(), WaitError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        /// Longer than anybody waits, and no more than a timer can count.
        const WITHIN_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Box::pin(async move {
            let Some(wanted) = self.wanted else { return Ok(()) };
            let inner = &*self.progress.0;
            let mut deadline = Delay::new(self.within.min(WITHIN_MAX));
            loop {
                let mut moved = pin!(inner.moved_async.listen());
                if let Some(outcome) = inner.outcome(&inner.state.lock(), &self) {
                    return outcome;
                }
                let is_late = std::future::poll_fn(|context| {
                    if moved.as_mut().poll(context).is_ready() {
                        return Poll::Ready(false);
                    }
                    Pin::new(&mut deadline).poll(context).map(|()| true)
                });
                if is_late.await {
                    return Err(inner.timed_out(&inner.state.lock(), wanted));
                }
            }
        })
    }
}
