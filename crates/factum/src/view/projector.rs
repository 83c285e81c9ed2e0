//! The projector: what keeps a read model up to date.
//!
//! ```text
//!   begin ──▶ gather ──▶ take ──▶ gather ──▶ take ──▶ ...
//!     ▲         │ nothing there: sleep until there is, or until the next tick
//!     │         ▼
//!     └──── paused, failed, not ours, in trouble
//! ```
//!
//! Where rows go is the business of a [`Sink`]; when to read, to wait and to try
//! again is the same for all.

use std::error::Error;
use std::io;
use std::task::Context;
use std::time::{Duration, Instant};

use factum_core::{Position, Query, ReadError, StorageError, SubscribeError};

use super::feed::{Batch, Batching, Feed};
use super::progress::Progress;
use super::worker::{Stop, Worker};
use super::{Phase, Poison, Projection};
use crate::Store;

/// How often a sink that waits, or has nothing to do, is looked after.
const TICK: Duration = Duration::from_millis(250);

/// A read model to be kept up to date: say where.
#[must_use = "nothing is projected until it is said where to"]
pub struct Projecting<P> {
    pub(crate) store: Store,
    pub(crate) projection: P,
    pub(crate) batching: Batching,
    #[cfg(feature = "sqlite")]
    pub(crate) lease: Duration,
}

impl<P: Projection> Projecting<P> {
    pub(crate) fn new(store: Store, projection: P) -> Self {
        Self {
            store,
            projection,
            batching: Batching::default(),
            #[cfg(feature = "sqlite")]
            lease: Duration::from_secs(3),
        }
    }

    /// Stores rows and checkpoint after at most so many events, 1,000 unless
    /// told otherwise. When there are no more events, it does so at once.
    pub fn batch_events_max(mut self, events: usize) -> Self {
        self.batching.events_max = events.max(1);
        self
    }

    /// Stores rows and checkpoint after at most this time of gathering events,
    /// 100 ms unless told otherwise. In a database never longer than a quarter of
    /// the lease, so that whoever gathers is not taken to be gone.
    pub fn batch_gather_max(mut self, gather: Duration) -> Self {
        self.batching.gather_max = gather;
        self
    }
}

/// Where rows go.
pub(crate) trait Sink: Send + 'static {
    /// Where to begin, or what has to be waited for.
    fn begin(&mut self) -> Result<Begin, Trouble>;

    /// Stores what a batch comes to; `None`: not now, begin again.
    fn take(&mut self, batch: &Batch) -> Result<Option<Taken>, Trouble>;

    /// Looks after what is not events. False: begin again. `next`: everything
    /// before it was looked at.
    fn tick(&mut self, next: Position, is_live: bool) -> Result<bool, Trouble> {
        let _ = (next, is_live);
        Ok(true)
    }

    /// How often it should be looked after.
    fn tick_every(&self) -> Duration {
        TICK
    }

    /// It was told to stop.
    fn end(&mut self) {}
}

pub(crate) enum Begin {
    /// With the event at this position.
    At(Position),
    /// Not now; the rows have everything before this position.
    Wait(Phase, Position),
}

pub(crate) enum Taken {
    /// So many of its events are projected, the others were before.
    Whole(usize),
    /// Up to this event.
    Until(Poison),
}

pub(crate) type Trouble = Box<dyn Error + Send + Sync>;

/// A thread that projects; ends when this is dropped.
pub(crate) struct Projector {
    pub progress: Progress,
    _worker: Worker,
}

impl Projector {
    pub fn start<S: Sink>(
        name: &str,
        store: Store,
        query: Query,
        batching: Batching,
        progress: Progress,
        sink: S,
    ) -> io::Result<Self> {
        let told = progress.clone();
        let run = Run { store, query, batching, progress, sink, feed: None, ticked: None, was_live: false };
        let worker = Worker::start(format!("project {name}"), move |stop| run.until_stopped(stop))?;
        Ok(Self { progress: told, _worker: worker })
    }
}

struct Run<S: Sink> {
    store: Store,
    query: Query,
    batching: Batching,
    progress: Progress,
    sink: S,
    feed: Option<Feed>,
    ticked: Option<Instant>,
    was_live: bool,
}

impl<S: Sink> Run<S> {
    fn until_stopped(mut self, stop: &Stop) {
        let waker = Stop::waker();
        let mut context = Context::from_waker(&waker);
        while !stop.is_asked() {
            match self.step(&mut context) {
                Ok(sleep) => stop.sleep(sleep),
                Err(trouble) => {
                    self.feed = None;
                    self.progress.change(|progress| progress.trouble(told(&*trouble)));
                    if is_closed(&*trouble) {
                        break;
                    }
                    stop.sleep(self.sink.tick_every());
                }
            }
        }
    }

    /// Does what there is to do; answers how long there will be nothing.
    fn step(&mut self, context: &mut Context<'_>) -> Result<Duration, Trouble> {
        let Some(feed) = &mut self.feed else { return self.begin() };
        let batch = feed.gather(self.batching, context)?;
        if !batch.events.is_empty() {
            match self.sink.take(&batch)? {
                Some(Taken::Whole(events)) => {
                    self.progress.change(|progress| progress.at(batch.next, events, batch.is_live));
                }
                Some(Taken::Until(poison)) => {
                    self.progress.change(|progress| progress.failed(poison));
                    self.feed = None;
                    return Ok(Duration::ZERO);
                }
                None => {
                    self.feed = None;
                    return Ok(Duration::ZERO);
                }
            }
        }
        let every = self.sink.tick_every();
        let has_turned_live = batch.is_live && !self.was_live;
        self.was_live = batch.is_live;
        let since = self.ticked.map_or(every, |ticked| ticked.elapsed());
        if since >= every || has_turned_live {
            self.ticked = Some(Instant::now());
            if !self.sink.tick(batch.next, batch.is_live)? {
                self.feed = None;
                return Ok(Duration::ZERO);
            }
        }
        if batch.events.is_empty() {
            self.progress.change(|progress| progress.at(batch.next, 0, batch.is_live));
        }
        Ok(if batch.is_live { every.saturating_sub(since) } else { Duration::ZERO })
    }

    fn begin(&mut self) -> Result<Duration, Trouble> {
        self.was_live = false;
        match self.sink.begin()? {
            Begin::At(next) => {
                self.feed = Some(Feed::from(&self.store, self.query.clone(), next)?);
                self.progress.change(|progress| progress.at(next, 0, false));
                Ok(Duration::ZERO)
            }
            Begin::Wait(phase, next) => {
                self.progress.change(|progress| progress.waits(phase, next));
                Ok(self.sink.tick_every())
            }
        }
    }
}

impl<S: Sink> Drop for Run<S> {
    /// Also when it panics: nobody shall wait for it.
    fn drop(&mut self) {
        self.sink.end();
        self.progress.change(|progress| progress.stopped());
    }
}

/// An error and its causes in one line.
pub(crate) fn told(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
        source = error.source();
    }
    line
}

/// Whether the store was closed, so that trying again is of no use.
fn is_closed(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    match (error.downcast_ref::<SubscribeError>(), error.downcast_ref::<ReadError>()) {
        (Some(error), _) => {
            matches!(error, SubscribeError::Closed | SubscribeError::Storage(StorageError::Closed))
        }
        (_, Some(error)) => matches!(error, ReadError::Storage(StorageError::Closed)),
        _ => false,
    }
}
