//! `Read` as a subscription: what is there, and then what comes.
//!
//! One task for each subscription, and two ways of going on. In the past it
//! reads pages on a thread that may wait; at the end of the log it waits for
//! the store's word, without a thread, and what comes is in memory. If it falls
//! so far behind that this no longer holds, the store says so, and it goes back
//! to reading pages. The client sees one sequence without a gap either way.
//!
//! ```text
//!   confirmation  event event ...  caught up  event event  fell behind  ...
//!                 checkpoint ...   (checkpoints only where there is a filter)
//! ```

use std::sync::Arc;
use std::time::Duration;

use factum_core::{
    Clock, EventStore, Position, RecordedEvent, Signal, Subscribe, SubscribeFrom, Subscription,
};
use factum_wire::position::Place;
use factum_wire::proto::streams::ReadResp;
use factum_wire::read::{self, From, Reached, ReadRequest, What};
use factum_wire::{Failure, Filter};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::failure;
use crate::rules::clients_view::{View, is_hidden};
use crate::rules::standing::is_tombstone;
use crate::serve::Services;
use crate::stopping::Stopping;
use crate::system::index_read;
use crate::system::source::Source;

use super::Answers;
use super::page::{BYTES_MAX, EVENTS_MAX, LOOKED_AT_MAX};
use super::show::{Show, weight};

/// How many live events are taken from memory before other work has its turn.
const LIVE_EVENTS_MAX: usize = 64;

/// Begins to answer one call.
pub async fn follow(
    services: &Services,
    request: ReadRequest,
    stopping: Stopping,
) -> Result<Answers<ReadResp>, Status> {
    let show = Show { ids: request.ids, resolve_links: request.resolve_links };
    let what = match request.what {
        What::FollowStream { stream, from } => Followed::Stream { source: Source::new(stream)?, from },
        What::FollowAll { from, filter } => Followed::All { from, filter },
        What::Stream { .. } | What::All { .. } => {
            return Err(Failure::Invalid("a read is not a subscription".to_owned()).into());
        }
    };
    let (store, clock) = (Arc::clone(&services.store), Arc::clone(&services.clock));
    let follower = blocking(move || Follower::begin(store, clock, show, what)).await?;
    let confirmation = read::confirmation(Uuid::new_v4().to_string());
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(run(follower, sender, stopping));
    let rest = ReceiverStream::new(receiver).flat_map(|page: Page| {
        let answers = page.answers.into_iter().map(Ok);
        let end = page.end.map(|failure| Err(failure.status()));
        futures_util::stream::iter(answers.chain(end))
    });
    Ok(futures_util::stream::iter([Ok(confirmation)]).chain(rest).boxed())
}

/// Goes on until the client is gone, the server stops, or it cannot.
async fn run(mut follower: Follower, sender: mpsc::Sender<Page>, mut stopping: Stopping) {
    loop {
        let turning = async {
            if follower.is_live {
                let page = follower.wait().await;
                return (Some(follower), page);
            }
            match blocking(move || Ok(follower.past())).await {
                Ok((follower, page)) => (Some(follower), page),
                Err(failure) => (None, Page { end: Some(failure), ..Page::default() }),
            }
        };
        let (next, page) = tokio::select! {
            turned = turning => turned,
            () = sender.closed() => return,
            () = stopping.said() => {
                (None, Page { end: Some(Failure::NotReady), ..Page::default() })
            }
        };
        let is_over = page.end.is_some();
        let is_empty = page.answers.is_empty() && !is_over;
        if !is_empty && sender.send(page).await.is_err() || is_over {
            return;
        }
        match next {
            Some(next) => follower = next,
            None => return,
        }
    }
}

/// What is sent to the client in one go.
#[derive(Default)]
struct Page {
    answers: Vec<ReadResp>,
    bytes: usize,
    looked_at: usize,
    /// What ends the subscription.
    end: Option<Failure>,
}

impl Page {
    fn is_full(&self) -> bool {
        self.answers.len() >= EVENTS_MAX || self.bytes >= BYTES_MAX || self.looked_at >= LOOKED_AT_MAX
    }
}

/// What is followed.
enum Followed {
    Stream { source: Source, from: From },
    All { from: Place, filter: Option<Filter> },
}

struct Follower {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    show: Show,
    subscription: Box<dyn Subscription>,
    /// The stream, if it is one.
    source: Option<Source>,
    filter: Option<Filter>,
    is_live: bool,
    reached: Reached,
    /// The last event looked at, and how many were since the last checkpoint.
    looked_at: Option<Position>,
    since_checkpoint: u64,
    /// A live event that needs the disk to be shown.
    waiting: Option<RecordedEvent>,
}

impl Follower {
    fn begin(
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        show: Show,
        followed: Followed,
    ) -> Result<Self, Failure> {
        let (subscription, reached, source, filter) = match followed {
            Followed::Stream { source, from } => {
                let (first, last) = match source.view(&*store, clock.now())? {
                    View::Buried => return Err(source.deleted()),
                    View::NotFound { next } => (next, None),
                    View::Range { first, last } => (first, Some(last)),
                };
                let subscription = source.follow(&*store, from, first)?;
                (subscription, Reached::Stream(last), Some(source), None)
            }
            Followed::All { from, filter } => {
                let last = store.last_position().map_err(failure::of_read)?;
                let from = match from {
                    Place::Start => SubscribeFrom::Start,
                    Place::End => SubscribeFrom::Now,
                    Place::At(position) if last.is_none_or(|last| position > last) => {
                        return Err(Failure::FollowBeyondEnd);
                    }
                    Place::At(position) => SubscribeFrom::After(position),
                };
                let subscribe = Subscribe::to(index_read::selection(filter.as_ref())?).from(from);
                let subscription = store.subscribe(subscribe).map_err(failure::of_subscribe)?;
                (subscription, Reached::All(last), None, filter)
            }
        };
        Ok(Self {
            store,
            clock,
            show,
            subscription,
            source,
            filter,
            is_live: false,
            reached,
            looked_at: None,
            since_checkpoint: 0,
            waiting: None,
        })
    }

    /// A page of what is there without waiting.
    fn past(mut self) -> (Self, Page) {
        let mut page = Page::default();
        if let Some(event) = self.waiting.take() {
            self.is_live = true;
            self.show(&event, &mut page);
        }
        while !page.is_full() && !self.is_live && page.end.is_none() {
            match self.subscription.next_within(Duration::ZERO) {
                Ok(Some(signal)) => self.take(signal, &mut page),
                Ok(None) => break,
                Err(error) => page.end = Some(failure::of_subscribe(error)),
            }
        }
        (self, page)
    }

    /// Waits for what comes next, and takes what came with it.
    async fn wait(&mut self) -> Page {
        let mut page = Page::default();
        let mut next = std::future::poll_fn(|context| self.subscription.poll_next(context)).await.map(Some);
        loop {
            match next {
                Ok(Some(signal)) => self.take(signal, &mut page),
                Ok(None) => return page,
                Err(error) => page.end = Some(failure::of_subscribe(error)),
            }
            let had_its_turn = page.looked_at >= LIVE_EVENTS_MAX || page.is_full();
            if !self.is_live || page.end.is_some() || had_its_turn {
                return page;
            }
            // What is taken from the subscription must be told: it does not come again.
            next = self.subscription.next_within(Duration::ZERO);
        }
    }

    fn take(&mut self, signal: Signal, page: &mut Page) {
        let now = self.clock.now();
        match signal {
            Signal::Event(event) => self.event(event, page),
            Signal::Checkpoint(position) => {
                self.looked_at = Some(position);
                // The index has passed over as many as that is due for.
                self.checkpoint(page);
            }
            Signal::CaughtUp(position) => {
                self.is_live = true;
                if let Reached::All(reached) = &mut self.reached {
                    *reached = position;
                }
                if self.since_checkpoint > 0 {
                    self.checkpoint(page);
                }
                page.answers.push(read::caught_up(self.reached, now));
            }
            Signal::FellBehind { .. } => {
                self.is_live = false;
                page.answers.push(read::fell_behind(self.reached, now));
            }
        }
    }

    fn event(&mut self, event: RecordedEvent, page: &mut Page) {
        page.looked_at += 1;
        self.looked_at = Some(event.position);
        match &mut self.reached {
            Reached::Stream(reached) => *reached = Some(event.revision),
            Reached::All(reached) => *reached = Some(event.position),
        }
        if is_hidden(&event) {
            // In its own stream the mark is the end of it.
            if let Some(source) = &self.source {
                page.end = Some(source.deleted());
                return;
            }
        } else {
            let is_wanted = match &self.filter {
                Some(filter) => filter.matches(&event),
                None => Ok(true),
            };
            match is_wanted {
                Ok(true) if self.is_live && self.show.reads_for(&event) => {
                    self.is_live = false;
                    self.waiting = Some(event);
                }
                Ok(true) => self.show(&event, page),
                Ok(false) => {}
                Err(failure) => page.end = Some(failure),
            }
        }
        self.since_checkpoint += 1;
        let is_due =
            self.filter.as_ref().is_some_and(|filter| self.since_checkpoint >= filter.checkpoint_every);
        // One that still waits to be shown must not be passed by a checkpoint.
        if is_due && self.waiting.is_none() {
            self.checkpoint(page);
        }
    }

    fn show(&mut self, event: &RecordedEvent, page: &mut Page) {
        match self.show.event(&*self.store, event, self.clock.now()) {
            Ok(answer) => {
                page.bytes += weight(event);
                page.answers.push(answer);
            }
            Err(failure) => page.end = Some(failure),
        }
        if let Some(source) = &self.source
            && is_tombstone(event)
        {
            page.end = Some(source.deleted());
        }
    }

    fn checkpoint(&mut self, page: &mut Page) {
        if let (Some(_), Some(position)) = (&self.filter, self.looked_at) {
            self.since_checkpoint = 0;
            page.answers.push(read::checkpoint(position, self.clock.now()));
        }
    }
}
