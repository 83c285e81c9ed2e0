//! What a group reads: one subscription of the store, for as long as the group
//! runs. As for a client's subscription, the past is read in bounded pages on
//! threads that may wait, and what comes live is taken from memory.

use std::sync::Arc;
use std::time::Duration;

use factum_core::{
    Clock, EventStore, EventStoreExt, Position, RecordedEvent, Revision, Selection, Signal, Subscribe,
    SubscribeFrom, Subscription,
};
use factum_wire::groups::{GroupKey, GroupStrategy, Source};
use factum_wire::read::From;
use factum_wire::{Failure, Filter};

use crate::blocking::blocking;
use crate::failure;
use crate::rules::clients_view::{View, is_hidden};
use crate::rules::link;
use crate::serve::Services;
use crate::streams::page::{BYTES_MAX, EVENTS_MAX, LOOKED_AT_MAX};
use crate::streams::show::weight;
use crate::system::source::Source as StreamSource;

use super::config::GroupConfig;
use super::ledger;
use super::shown::Shown;

/// Something the cursor has come by.
pub enum Found {
    /// An event for the group.
    Event { at: u64, bucket: u64, shown: Arc<Shown> },
    /// Nothing for it up to here; whether that is worth writing down in time.
    Passed { at: u64, counts: bool },
}

/// What was found in one go.
#[derive(Default)]
pub struct Page {
    pub found: Vec<Found>,
    events: usize,
    bytes: usize,
    looked_at: usize,
    /// The cursor cannot go on.
    pub end: Option<Failure>,
}

/// Where a group is with its source.
pub struct Cursor {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    subscription: Box<dyn Subscription>,
    is_log: bool,
    filter: Option<Filter>,
    resolve_links: bool,
    strategy: GroupStrategy,
    pub is_live: bool,
    /// A live event that needs the disk to be shown.
    waiting: Option<RecordedEvent>,
}

impl Cursor {
    /// Begins at this revision, or position.
    pub fn open(
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        key: &GroupKey,
        config: &GroupConfig,
        next: u64,
    ) -> Result<Self, Failure> {
        let seen = next.checked_sub(1);
        let subscription = match &key.source {
            Source::All => {
                let from =
                    seen.map_or(SubscribeFrom::Start, |seen| SubscribeFrom::After(Position::new(seen)));
                let subscribe = Subscribe::to(Selection::All).from(from);
                store.subscribe(subscribe).map_err(failure::of_subscribe)?
            }
            Source::Stream(stream) => {
                let stream = StreamSource::new(stream.clone())?;
                let first = match stream.view(&*store, clock.now())? {
                    View::Range { first, .. } => first,
                    View::NotFound { next } => next,
                    View::Buried => return Err(stream.deleted()),
                };
                let from = seen.map_or(From::Start, |seen| From::Revision(Revision::new(seen)));
                stream.follow(&*store, from, first)?
            }
        };
        let filter = config.filter.clone().map(|filter| Filter::decode(filter, false)).transpose()?;
        Ok(Self {
            store,
            clock,
            subscription,
            is_log: key.source == Source::All,
            filter,
            resolve_links: config.settings.resolve_links,
            strategy: config.settings.strategy,
            is_live: false,
            waiting: None,
        })
    }

    /// What comes next, at most so many events; waits if there is nothing.
    pub async fn turn(mut self, count: usize) -> (Option<Self>, Page) {
        let count = count.min(EVENTS_MAX);
        if self.is_live {
            let page = self.wait(count).await;
            return (Some(self), page);
        }
        match blocking(move || Ok(self.past(count))).await {
            Ok((cursor, page)) => (Some(cursor), page),
            Err(failure) => (None, Page { end: Some(failure), ..Page::default() }),
        }
    }

    /// What is there without waiting.
    fn past(mut self, count: usize) -> (Self, Page) {
        let mut page = Page::default();
        if let Some(event) = self.waiting.take() {
            self.is_live = true;
            self.show(&event, &mut page);
        }
        while !page.is_full(count) && !self.is_live {
            match self.subscription.next_within(Duration::ZERO) {
                Ok(Some(signal)) => self.take(signal, &mut page),
                Ok(None) => break,
                Err(error) => page.end = Some(failure::of_subscribe(error)),
            }
        }
        (self, page)
    }

    /// Waits for what comes next, and takes what came with it.
    async fn wait(&mut self, count: usize) -> Page {
        let mut page = Page::default();
        let mut next = std::future::poll_fn(|context| self.subscription.poll_next(context)).await.map(Some);
        loop {
            match next {
                Ok(Some(signal)) => self.take(signal, &mut page),
                Ok(None) => return page,
                Err(error) => page.end = Some(failure::of_subscribe(error)),
            }
            if !self.is_live || page.is_full(count) {
                return page;
            }
            next = self.subscription.next_within(Duration::ZERO);
        }
    }

    fn take(&mut self, signal: Signal, page: &mut Page) {
        match signal {
            Signal::Event(event) => self.event(event, page),
            // Positions say nothing about the revisions of a stream.
            Signal::Checkpoint(position) => {
                page.looked_at += 1;
                if self.is_log {
                    page.found.push(Found::Passed { at: position.get(), counts: true });
                }
            }
            Signal::CaughtUp(_) => self.is_live = true,
            Signal::FellBehind { .. } => self.is_live = false,
        }
    }

    fn event(&mut self, event: RecordedEvent, page: &mut Page) {
        page.looked_at += 1;
        let at = self.place(&event);
        let own = self.is_log && ledger::is_of_log_group(&event.stream);
        if own || is_hidden(&event) {
            page.found.push(Found::Passed { at, counts: false });
            return;
        }
        match self.filter.as_ref().map_or(Ok(true), |filter| filter.matches(&event)) {
            Ok(true) if self.is_live && self.resolve_links && link::is_link(&event) => {
                self.is_live = false;
                self.waiting = Some(event);
            }
            Ok(true) => self.show(&event, page),
            Ok(false) => page.found.push(Found::Passed { at, counts: true }),
            Err(failure) => page.end = Some(failure),
        }
    }

    fn show(&self, event: &RecordedEvent, page: &mut Page) {
        match Shown::of(&*self.store, event, self.resolve_links, self.clock.now()) {
            Ok(shown) => {
                page.events += 1;
                page.bytes += weight(event) + shown.event.as_ref().map_or(0, |target| target.data.len());
                let bucket = shown.bucket(self.strategy);
                page.found.push(Found::Event { at: self.place(event), bucket, shown: Arc::new(shown) });
            }
            Err(failure) => page.end = Some(failure),
        }
    }

    fn place(&self, event: &RecordedEvent) -> u64 {
        if self.is_log { event.position.get() } else { event.revision.get() }
    }
}

/// Events of a group's source, each with where it stands.
pub type Fetched = Vec<(u64, Arc<Shown>)>;

/// Reads events of a group's source again that it put aside.
pub fn fetch(
    Services { store, clock, .. }: &Services,
    key: &GroupKey,
    config: &GroupConfig,
    places: &[u64],
) -> Result<Fetched, Failure> {
    let mut fetched = Vec::with_capacity(places.len());
    for at in places {
        let event = match &key.source {
            Source::All => store.event_at(Position::new(*at)).map_err(failure::of_read)?,
            Source::Stream(stream) => {
                StreamSource::new(stream.clone())?.event(&**store, Revision::new(*at))?
            }
        };
        let missing = || Failure::Storage(format!("the event at {at} of group {key} cannot be found again"));
        let event = event.ok_or_else(missing)?;
        let shown = Shown::of(&**store, &event, config.settings.resolve_links, clock.now())?;
        fetched.push((*at, Arc::new(shown)));
    }
    Ok(fetched)
}

impl Page {
    fn is_full(&self, count: usize) -> bool {
        self.events >= count
            || self.bytes >= BYTES_MAX
            || self.looked_at >= LOOKED_AT_MAX
            || self.end.is_some()
    }
}
