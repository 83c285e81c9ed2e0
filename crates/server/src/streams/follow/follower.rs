//! [`Follower`]: where one subscription stands, and what its client is told next.
//!
//! ```text
//!   by itself ──caught up──► closing the gap ──► on the tail
//!       ▲      (takes a seat)                        │
//!       └───────────── off, from there on ───────────┘
//! ```
//!
//! The client is told that it has caught up, or fell behind, by how late it is and
//! not by which of these ways it is on.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use factum_core::{
    Clock, EventStore, EventStoreExt, Position, RecordedEvent, Revision, Signal, Subscribe, SubscribeError,
    SubscribeFrom, Subscription,
};
use factum_wire::position::Place;
use factum_wire::read::{self, From, Reached};
use factum_wire::{Failure, Filter};

use crate::failure;
use crate::rules::clients_view::{View, is_hidden};
use crate::rules::standing::is_tombstone;
use crate::streams::page::BYTES_MAX;
use crate::streams::show::{Show, weight};
use crate::system::index_read;
use crate::system::source::Source;
use crate::tail::{Every, Interest, Said, Seat, Tail};

use super::Page;

/// How many live events are taken from memory before other work has its turn.
const LIVE_EVENTS_MAX: usize = 64;

/// How many events of the log a live subscription may be late before its client is
/// told.
const BEHIND_AFTER: u64 = 8_192;

/// What is followed.
pub enum Followed {
    Stream { source: Source, from: From },
    All { from: Place, filter: Option<Filter> },
}

/// See the module.
pub struct Follower {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    tail: Tail,
    show: Show,
    /// Its own cursor, unless it is told all by the tail.
    pub(super) subscription: Option<Box<dyn Subscription>>,
    /// On the tail; with a cursor beside it, that reads up to where it is told.
    seat: Option<Seat>,
    /// What it wants of the tail, unless it is selected by an index of the log.
    interest: Option<Interest>,
    /// The stream, if it is one.
    source: Option<Source>,
    filter: Option<Arc<Filter>>,
    /// What comes next may be on the disk.
    is_late: bool,
    /// What was said and is not looked at yet.
    said: VecDeque<Word>,
    /// The stream's first readable event.
    first: Revision,
    /// The stream's events up to here are known to the client.
    seen: Option<Revision>,
    /// The client was told that it has caught up, and not that it fell behind since.
    is_live: bool,
    /// It fell behind, and the client was not told yet.
    fell_behind: bool,
    /// Whether the client wants to be told that.
    tells_fell_behind: bool,
    reached: Reached,
    /// The last event looked at, and how many were since the last checkpoint.
    looked_at: Option<Position>,
    since_checkpoint: u64,
    /// On the tail: the first position after the last checkpoint.
    unchecked: u64,
}

/// What there is to look at.
enum Word {
    Own(Box<Result<Signal, SubscribeError>>),
    Tail(Said),
}

impl Follower {
    pub fn begin(
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        tail: Tail,
        show: Show,
        followed: Followed,
    ) -> Result<Self, Failure> {
        let (subscription, reached, source, filter, seen) = match followed {
            Followed::Stream { source, from } => {
                let (first, last) = match source.view(&*store, clock.now())? {
                    View::Buried => return Err(source.deleted()),
                    View::NotFound { next } => (next, None),
                    View::Range { first, last } => (first, Some(last)),
                };
                let subscription = source.follow(&*store, from, first)?;
                let seen = match from {
                    From::Revision(seen) => Some(seen),
                    From::Start | From::End => None,
                };
                (subscription, Reached::Stream(last), Some(source), None, seen)
            }
            Followed::All { from, filter } => {
                let last = store.last_position().map_err(failure::of_read)?;
                let from = match from {
                    Place::Start => SubscribeFrom::Start,
                    Place::End => SubscribeFrom::Now,
                    Place::At(position) | Place::Before(position)
                        if last.is_none_or(|last| position > last) =>
                    {
                        return Err(Failure::FollowBeyondEnd);
                    }
                    Place::At(position) => SubscribeFrom::After(position),
                    Place::Before(position) => {
                        position.previous().map_or(SubscribeFrom::Start, SubscribeFrom::After)
                    }
                };
                let subscribe = Subscribe::to(index_read::selection(filter.as_ref())?).from(from);
                let subscription = store.subscribe(subscribe).map_err(failure::of_subscribe)?;
                (subscription, Reached::All(last), None, filter.map(Arc::new), None)
            }
        };
        let interest = match (&source, &filter) {
            (Some(Source::Own(named)), _) => Some(Interest::Stream(named.target().clone())),
            (Some(Source::System(_)), _) => None,
            (None, Some(filter)) => Interest::of(filter),
            (None, None) => Some(Interest::Everything),
        };
        Ok(Self {
            store,
            clock,
            tail,
            show,
            subscription: Some(subscription),
            seat: None,
            interest,
            source,
            filter,
            is_late: true,
            said: VecDeque::new(),
            first: Revision::FIRST,
            seen,
            is_live: false,
            fell_behind: false,
            tells_fell_behind: false,
            reached,
            looked_at: None,
            since_checkpoint: 0,
            unchecked: 0,
        })
    }

    /// Whether its client asked for that.
    pub fn telling_when_it_falls_behind(self, tells_fell_behind: bool) -> Self {
        Self { tells_fell_behind, ..self }
    }

    /// Waits for what comes next, unless something is there already.
    pub async fn wait(&mut self) {
        if self.is_late || !self.said.is_empty() {
            return;
        }
        match (&mut self.subscription, &self.seat) {
            (Some(subscription), _) => {
                let mut next = poll_fn(|context| subscription.poll_next(context)).await.map(Some);
                let mut bytes = 0;
                while let Some(signal) = next.transpose() {
                    let goes_on = match &signal {
                        Ok(Signal::Event(event)) => {
                            bytes += weight(event);
                            bytes < BYTES_MAX
                        }
                        Ok(Signal::Checkpoint(_)) => true,
                        Ok(Signal::CaughtUp(_) | Signal::FellBehind { .. }) | Err(_) => false,
                    };
                    self.said.push_back(Word::Own(Box::new(signal)));
                    if !goes_on || self.said.len() >= LIVE_EVENTS_MAX {
                        return;
                    }
                    next = subscription.next_within(Duration::ZERO);
                }
            }
            (None, Some(seat)) => {
                seat.ready().await;
                let mut bytes = 0;
                while bytes < BYTES_MAX
                    && self.said.len() < LIVE_EVENTS_MAX
                    && let Some(said) = seat.next()
                {
                    let is_off = matches!(said, Said::Off(_));
                    if let Said::Event(event) = &said {
                        bytes += weight(event);
                    }
                    self.said.push_back(Word::Tail(said));
                    if is_off {
                        return;
                    }
                }
            }
            (None, None) => {}
        }
    }

    /// The client let it wait: what the store says next may be on the disk. What the
    /// tail says is not.
    pub fn waited(&mut self) {
        self.is_late |= self.subscription.is_some();
    }

    /// Whether the next page needs neither the disk nor much work.
    pub fn is_light(&self) -> bool {
        let is_light = |word: &Word| match word {
            Word::Own(signal) => match &**signal {
                Ok(Signal::Event(event)) => !self.show.reads_for(event),
                Ok(Signal::FellBehind { .. }) => false,
                Ok(Signal::Checkpoint(_) | Signal::CaughtUp(_)) | Err(_) => true,
            },
            Word::Tail(Said::Event(event)) => !self.show.reads_for(event),
            Word::Tail(Said::Off(_)) => false,
            Word::Tail(Said::Checkpoint(_)) => true,
        };
        !self.is_late && self.said.iter().all(is_light)
    }

    /// A page of what is there without waiting.
    pub fn page(&mut self) -> Page {
        let mut page = Page::default();
        if self.is_late
            && let Err(failure) = self.look_again().and_then(|()| self.look_how_late(&mut page))
        {
            page.end = Some(failure);
        }
        while !page.is_full() && page.end.is_none() {
            let looked = match self.said.pop_front() {
                Some(Word::Own(signal)) => self.take(*signal, &mut page),
                Some(Word::Tail(said)) => self.hear(said, &mut page),
                None => match self.read().transpose() {
                    Some(signal) => self.take(signal, &mut page),
                    None => break,
                },
            };
            if let Err(failure) = looked {
                page.end = Some(failure);
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

    /// A subscription that began after the client was live does not know that it was.
    fn look_how_late(&mut self, page: &mut Page) -> Result<(), Failure> {
        if self.interest.is_none() || !self.is_live || self.fell_behind {
            return Ok(());
        }
        let last = self.store.last_position().map_err(failure::of_read)?;
        let events = after(last).get().saturating_sub(after(self.looked_at).get());
        match events > BEHIND_AFTER {
            true => self.take(Ok(Signal::FellBehind { events }), page),
            false => Ok(()),
        }
    }

    /// What it reads by itself, if it does and there is more.
    fn read(&mut self) -> Result<Option<Signal>, SubscribeError> {
        let Some(subscription) = self.subscription.as_mut().filter(|_| self.is_late) else { return Ok(None) };
        let until = self.seat.as_ref().map(Seat::from);
        let is_for_the_tail = |at: Position| until.is_some_and(|until| at >= until);
        match subscription.next_within(Duration::ZERO)? {
            Some(Signal::Event(event)) if is_for_the_tail(event.position) => self.subscription = None,
            Some(Signal::Checkpoint(at)) if is_for_the_tail(at) => self.subscription = None,
            Some(signal) => return Ok(Some(signal)),
            None if until.is_some() => self.subscription = None,
            None => {}
        }
        self.is_late = false;
        Ok(None)
    }

    /// What the store says.
    fn take(&mut self, signal: Result<Signal, SubscribeError>, page: &mut Page) -> Result<(), Failure> {
        match signal.map_err(failure::of_subscribe)? {
            Signal::Event(event) => self.event(&event, page)?,
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
                self.tell_that_it_caught_up(page);
                if let Some(interest) = self.interest.clone() {
                    self.looked_at = position;
                    self.sit_down(interest)?;
                }
            }
            Signal::FellBehind { .. } => {
                self.is_late = true;
                self.seat = None;
                self.fell_behind = true;
                if self.source.is_none() {
                    self.tell_that_it_fell_behind(page);
                }
            }
        }
        Ok(())
    }

    /// Takes a seat on the tail, which tells it what comes after what it has read:
    /// at once, or after a gap that it still reads.
    fn sit_down(&mut self, interest: Interest) -> Result<(), Failure> {
        let next = after(self.looked_at);
        let every = self.filter.as_ref().map(|filter| Every {
            events: filter.checkpoint_every,
            by: next.get().saturating_add(filter.checkpoint_every - 1),
        });
        let seat = self.tail.join(&*self.store, interest, next, every)?;
        self.unchecked = next.get();
        match seat.from() == next {
            true => self.subscription = None,
            false => self.is_late = true,
        }
        self.seat = Some(seat);
        Ok(())
    }

    /// Reads by itself, from this position on.
    fn stand_up(&mut self, from: Position) -> Result<(), Failure> {
        let Some(interest) = &self.interest else { return Ok(()) };
        self.seat = None;
        self.is_late = true;
        self.looked_at = from.previous();
        if let Reached::All(reached) = &mut self.reached {
            *reached = from.previous();
        }
        self.since_checkpoint = from.get().saturating_sub(self.unchecked);
        let begin = from.previous().map_or(SubscribeFrom::Start, SubscribeFrom::After);
        let subscribe = Subscribe::to(interest.selection()).from(begin);
        let subscribe = Subscribe { behind_after: BEHIND_AFTER, ..subscribe };
        self.subscription = Some(self.store.subscribe(subscribe).map_err(failure::of_subscribe)?);
        Ok(())
    }

    /// What the tail says.
    fn hear(&mut self, said: Said, page: &mut Page) -> Result<(), Failure> {
        match said {
            Said::Event(event) => {
                self.look_at(&event, page);
                match self.is_seen(&event) {
                    true => Ok(()),
                    false => self.offer(&event, true, page),
                }
            }
            Said::Checkpoint(position) => {
                self.looked_at = Some(position);
                self.checkpoint(page);
                Ok(())
            }
            Said::Off(from) => {
                self.stand_up(from)?;
                self.look_again()?;
                self.look_how_late(page)
            }
        }
    }

    fn tell_that_it_caught_up(&mut self, page: &mut Page) {
        // Who was not told that it fell behind is not told this.
        self.fell_behind = false;
        if !std::mem::replace(&mut self.is_live, true) {
            page.answers.push(&read::caught_up(self.reached, self.clock.now()));
        }
    }

    fn tell_that_it_fell_behind(&mut self, page: &mut Page) {
        let fell_behind = std::mem::take(&mut self.fell_behind);
        if fell_behind && self.tells_fell_behind && self.reached.is_a_place() {
            self.is_live = false;
            page.answers.push(&read::fell_behind(self.reached, self.clock.now()));
        }
    }

    /// An event the store gave.
    fn event(&mut self, event: &RecordedEvent, page: &mut Page) -> Result<(), Failure> {
        self.look_at(event, page);
        if self.is_seen(event) {
            return Ok(());
        }
        self.tell_that_it_fell_behind(page);
        let is_wanted = match &self.filter {
            Some(filter) if !is_hidden(event) => filter.matches(event)?,
            _ => true,
        };
        self.offer(event, is_wanted, page)?;
        self.since_checkpoint += 1;
        let is_due =
            self.filter.as_ref().is_some_and(|filter| self.since_checkpoint >= filter.checkpoint_every);
        if is_due && page.end.is_none() {
            self.checkpoint(page);
        }
        Ok(())
    }

    fn look_at(&mut self, event: &RecordedEvent, page: &mut Page) {
        page.looked_at += 1;
        self.looked_at = Some(event.position);
    }

    /// Whether a client that asked for what is after a revision to come knows it.
    fn is_seen(&self, event: &RecordedEvent) -> bool {
        self.seen.is_some_and(|seen| event.revision <= seen)
    }

    /// Shows an event, if clients see it.
    fn offer(&mut self, event: &RecordedEvent, is_wanted: bool, page: &mut Page) -> Result<(), Failure> {
        match &mut self.reached {
            Reached::Stream(reached) => *reached = Some(event.revision),
            Reached::All(reached) => *reached = Some(event.position),
        }
        let Some(source) = &self.source else {
            return match is_wanted && !is_hidden(event) {
                true => self.show(event, page),
                false => Ok(()),
            };
        };
        if is_hidden(event) {
            // In its own stream the mark is the end of it.
            page.end = Some(source.deleted());
            return Ok(());
        }
        if event.revision < self.first {
            return Ok(());
        }
        if is_tombstone(event) {
            page.end = Some(source.deleted());
        }
        self.show(event, page)
    }

    fn show(&self, event: &RecordedEvent, page: &mut Page) -> Result<(), Failure> {
        self.show.event(&*self.store, event, self.clock.now(), &mut page.answers)
    }

    fn checkpoint(&mut self, page: &mut Page) {
        if let (Some(_), Some(position)) = (&self.filter, self.looked_at) {
            self.since_checkpoint = 0;
            self.unchecked = position.next().get();
            page.answers.push(&read::checkpoint(position, self.clock.now()));
        }
    }
}

/// The position that comes after what was looked at.
fn after(looked_at: Option<Position>) -> Position {
    looked_at.map_or(Position::FIRST, Position::next)
}
