//! `Read` as a subscription: what is there, and then what comes.
//!
//! One task for each subscription, and two ways of going on. In the past it
//! reads pages on a thread that may wait; at the end of the log it waits for
//! the store's word, without a thread, and what comes is in memory. That no
//! longer holds if the store says that the subscription fell behind, or if the
//! client let it wait: then it goes back to reading pages. What needs work to be
//! shown, a link or the match of an expression, is shown on a thread that may
//! wait in any case. The client sees one sequence without a gap.
//!
//! ```text
//!   confirmation  event event ...  caught up  event event  fell behind  ...
//!                 checkpoint ...   (checkpoints only where there is a filter)
//! ```
//!
//! The metadata of a stream is obeyed as it is when a page of the past begins.
//! That the rest of the log is far ahead means nothing to who follows a stream:
//! it is told that it fell behind when the next event of that stream comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use factum_core::{
    Clock, EventStore, EventStoreExt, Position, RecordedEvent, Revision, Signal, Subscribe, SubscribeError,
    SubscribeFrom, Subscription,
};
use factum_wire::position::Place;
use factum_wire::read::written::WrittenAnswers;
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
use crate::written::Pages;

use super::page::{BYTES_MAX, EVENTS_MAX, LOOKED_AT_MAX};
use super::show::Show;

/// How many live events are taken from memory before other work has its turn.
const LIVE_EVENTS_MAX: usize = 64;

/// Begins to answer one call.
pub async fn follow(services: &Services, request: ReadRequest, stopping: Stopping) -> Result<Pages, Status> {
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
    let mut confirmation = WrittenAnswers::default();
    confirmation.push(&read::confirmation(Uuid::new_v4().to_string()));
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(run(follower, sender, stopping));
    let rest = ReceiverStream::new(receiver).flat_map(|page: Page| {
        let answers = (page.answers.count() > 0).then(|| Ok(page.answers.into_bytes()));
        let end = page.end.map(|failure| Err(failure.status()));
        futures_util::stream::iter(answers.into_iter().chain(end))
    });
    Ok(futures_util::stream::iter([Ok(confirmation.into_bytes())]).chain(rest).boxed())
}

/// Goes on until the client is gone, the server stops, or it cannot.
async fn run(mut follower: Follower, sender: mpsc::Sender<Page>, mut stopping: Stopping) {
    loop {
        let turning = async {
            follower.wait().await;
            if follower.is_light() {
                let page = follower.page();
                return (Some(follower), page);
            }
            match blocking(move || Ok((follower.page(), follower))).await {
                Ok((page, follower)) => (Some(follower), page),
                Err(failure) => (None, Page { end: Some(failure), ..Page::default() }),
            }
        };
        let (mut next, page) = tokio::select! {
            turned = turning => turned,
            () = sender.closed() => return,
            () = stopping.said() => {
                (None, Page { end: Some(Failure::NotReady), ..Page::default() })
            }
        };
        let is_over = page.end.is_some();
        if page.answers.count() > 0 || is_over {
            if let (0, Some(follower)) = (sender.capacity(), &mut next) {
                follower.is_late = true;
            }
            if sender.send(page).await.is_err() || is_over {
                return;
            }
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
    answers: WrittenAnswers,
    looked_at: usize,
    /// What ends the subscription.
    end: Option<Failure>,
}

impl Page {
    fn is_full(&self) -> bool {
        self.answers.count() >= EVENTS_MAX
            || self.answers.bytes() >= BYTES_MAX
            || self.looked_at >= LOOKED_AT_MAX
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
    /// What comes next may be on the disk.
    is_late: bool,
    /// What the store said and is not looked at yet.
    said: VecDeque<Result<Signal, SubscribeError>>,
    /// The stream's first readable event.
    first: Revision,
    /// The store said that it fell behind, and the client was not told yet.
    fell_behind: bool,
    reached: Reached,
    /// The last event looked at, and how many were since the last checkpoint.
    looked_at: Option<Position>,
    since_checkpoint: u64,
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
            is_late: true,
            said: VecDeque::new(),
            first: Revision::FIRST,
            fell_behind: false,
            reached,
            looked_at: None,
            since_checkpoint: 0,
        })
    }

    /// Waits for what comes next, unless something is there already.
    async fn wait(&mut self) {
        if self.is_late || !self.said.is_empty() {
            return;
        }
        let mut next = std::future::poll_fn(|context| self.subscription.poll_next(context)).await.map(Some);
        let mut bytes = 0;
        while let Some(signal) = next.transpose() {
            let goes_on = match &signal {
                Ok(Signal::Event(event)) => {
                    bytes += event.data.len() + event.metadata.len();
                    bytes < BYTES_MAX
                }
                Ok(Signal::Checkpoint(_)) => true,
                Ok(Signal::CaughtUp(_) | Signal::FellBehind { .. }) | Err(_) => false,
            };
            self.said.push_back(signal);
            if !goes_on || self.said.len() >= LIVE_EVENTS_MAX {
                return;
            }
            next = self.subscription.next_within(Duration::ZERO);
        }
    }

    /// Whether the next page needs neither the disk nor much work.
    fn is_light(&self) -> bool {
        let is_light = |signal: &Result<Signal, SubscribeError>| match signal {
            Ok(Signal::Event(event)) => !self.show.reads_for(event),
            Ok(Signal::FellBehind { .. }) => false,
            Ok(Signal::Checkpoint(_) | Signal::CaughtUp(_)) | Err(_) => true,
        };
        !self.is_late
            && !self.filter.as_ref().is_some_and(Filter::is_expression)
            && self.said.iter().all(is_light)
    }

    /// A page of what is there without waiting.
    fn page(&mut self) -> Page {
        let mut page = Page::default();
        if self.is_late
            && let Err(failure) = self.look_again()
        {
            page.end = Some(failure);
        }
        while !page.is_full() && page.end.is_none() {
            let signal = match self.said.pop_front() {
                Some(signal) => signal.map(Some),
                None if self.is_late => self.subscription.next_within(Duration::ZERO),
                None => break,
            };
            match signal {
                Ok(Some(signal)) => self.take(signal, &mut page),
                Ok(None) => self.is_late = false,
                Err(error) => page.end = Some(failure::of_subscribe(error)),
            }
        }
        page
    }

    /// What of a stream can be read may have changed. Of one that has a
    /// tombstone, that is what is still to be shown.
    fn look_again(&mut self) -> Result<(), Failure> {
        let Some(source) = &self.source else { return Ok(()) };
        self.first = match source.view(&*self.store, self.clock.now())? {
            View::Range { first, .. } => first,
            View::NotFound { next } => next,
            View::Buried => {
                let last = self.store.last_revision(source.name()).map_err(failure::of_read)?;
                last.unwrap_or(Revision::FIRST)
            }
        };
        Ok(())
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
                self.is_late = false;
                if let Reached::All(reached) = &mut self.reached {
                    *reached = position;
                }
                if self.since_checkpoint > 0 {
                    self.checkpoint(page);
                }
                // Who was not told the one is not told the other.
                if !std::mem::take(&mut self.fell_behind) {
                    page.answers.push(&read::caught_up(self.reached, now));
                }
            }
            Signal::FellBehind { .. } => {
                self.is_late = true;
                self.fell_behind = true;
                if self.source.is_none() {
                    self.tell_that_it_fell_behind(page);
                }
            }
        }
    }

    fn tell_that_it_fell_behind(&mut self, page: &mut Page) {
        if std::mem::take(&mut self.fell_behind) {
            page.answers.push(&read::fell_behind(self.reached, self.clock.now()));
        }
    }

    fn event(&mut self, event: RecordedEvent, page: &mut Page) {
        page.looked_at += 1;
        self.looked_at = Some(event.position);
        self.tell_that_it_fell_behind(page);
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
        } else if self.source.is_none() || event.revision >= self.first {
            let is_wanted = match &self.filter {
                Some(filter) => filter.matches(&event),
                None => Ok(true),
            };
            match is_wanted {
                Ok(true) => self.show(&event, page),
                Ok(false) => {}
                Err(failure) => page.end = Some(failure),
            }
        }
        self.since_checkpoint += 1;
        let is_due =
            self.filter.as_ref().is_some_and(|filter| self.since_checkpoint >= filter.checkpoint_every);
        if is_due && page.end.is_none() {
            self.checkpoint(page);
        }
    }

    fn show(&mut self, event: &RecordedEvent, page: &mut Page) {
        let shown = self.show.event(&*self.store, event, self.clock.now(), &mut page.answers);
        if let Err(failure) = shown {
            page.end = Some(failure);
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
            page.answers.push(&read::checkpoint(position, self.clock.now()));
        }
    }
}

#[cfg(test)]
mod tests;
