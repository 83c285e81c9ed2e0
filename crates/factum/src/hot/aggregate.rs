//! One hot aggregate: its state, the append in flight, and the group that is
//! decided on top of it.
//!
//! ```text
//!   settled ──────────▶ in flight ──────────▶ open ──────────▶ waiting
//!   read from the log   handed over            decided          not yet
//!                                             ▲
//!                             ahead: the state up to here
//! ```
//!
//! - The open group is handed over when the one in flight has landed, or at once
//!   if none is. Until then it grows.
//! - If the one in flight is refused, `ahead` is thrown away, and what is in
//!   flight and open waits again, in the order it came.
//! - From time to time, when nothing is under way, `settled` is read on from the
//!   log and `ahead` begins there again: a refused append costs a fold of what
//!   came since, not of everything. Then snapshots are looked at, and whenever
//!   an append has landed and nothing else is under way.

use std::any::Any;
use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use factum_core::{Append, AppendError, AppendFuture, Appended, Clock as _, SystemClock, Timestamp, Until};

use crate::appending::ASKED_MAX;
use crate::boundary::Boundary;
use crate::draft::NewEvents;
use crate::fold::Folded;
use crate::hot::command::{Decided, Outcome, Waiting};
use crate::hot::group::Group;
use crate::hot::queue::QueueOptions;
use crate::idempotency::CommandDone;
use crate::store::{Store, StoreError};
use crate::{Model, Moment};

/// While an append is in flight the worker sleeps until so many commands wait:
/// they cannot be handed over before it lands.
const WAKE_AT: usize = 32;
/// A group with so much in it is handed over before another command joins.
const GROUP_BYTES_MAX: usize = 1024 * 1024;
/// At least so many events lie between two readings.
const READING_EVENTS_MIN: u64 = 1024;
/// And at least this share of all.
const READING_SHARE: u64 = 16;

pub struct Aggregate<M> {
    boundary: Boundary,
    /// Before any event.
    model: M,
    /// What was read from the log.
    settled: Option<Folded<M>>,
    /// With everything decided since; none if that came to nothing.
    ahead: Option<Folded<M>>,
    flying: Option<Flying<M>>,
    open: Group<M>,
    waiting: VecDeque<Waiting<M>>,
    /// Idempotency keys in flight and open.
    keys: HashSet<String>,
    /// What a snapshot policy saw last, if it asks for transitions.
    looked_at: Option<M>,
    /// Whether it was read in this turn, and not for an earlier one.
    is_fresh: bool,
    /// How many of the commands to come share their append with none.
    alone: usize,
    waker: Waker,
}

struct Flying<M> {
    group: Group<M>,
    append: Append,
    answer: AppendFuture,
    /// How often it was handed over.
    asked: u32,
    /// Why it is not known whether it was recorded.
    unknown: Option<AppendError>,
}

/// What an aggregate works with.
pub struct Shop {
    pub store: Store,
    pub options: QueueOptions,
}

impl<M: Model> Aggregate<M> {
    pub fn new(boundary: Boundary, model: M, waker: Waker) -> Self {
        Self {
            boundary,
            model,
            settled: None,
            ahead: None,
            flying: None,
            open: Group::default(),
            waiting: VecDeque::new(),
            keys: HashSet::new(),
            looked_at: None,
            is_fresh: false,
            alone: 0,
            waker,
        }
    }

    pub fn is_flying(&self) -> bool {
        self.flying.is_some()
    }

    pub fn is_idle(&self) -> bool {
        self.flying.is_none() && self.open.is_empty() && self.waiting.is_empty()
    }

    /// Leaves what was read to whoever decides on it next.
    pub fn leave(self, shop: &Shop) {
        if let Some(settled) = self.settled {
            *shop.store.warm(self.boundary).state.lock() = Some(Arc::new(settled));
        }
    }

    /// Whether decisions may rest on what is not committed.
    fn decides_ahead(&self, shop: &Shop) -> bool {
        shop.options.decide_ahead && !self.boundary.lets_some_commute()
    }

    fn group_max(&self, shop: &Shop) -> usize {
        if self.alone > 0 || !shop.options.decide_ahead { 1 } else { shop.options.group_max.max(1) }
    }

    fn is_open_full(&self, shop: &Shop) -> bool {
        self.open.is_sealed()
            || self.open.len() >= self.group_max(shop)
            || self.open.bytes() >= GROUP_BYTES_MAX
    }

    /// Whether the next decision has to wait for what is under way to land.
    fn must_land(&self, shop: &Shop) -> bool {
        let under_way = self.flying.is_some() || !self.open.is_empty();
        under_way && (self.needs_reading() || (self.flying.is_some() && !self.decides_ahead(shop)))
    }

    fn needs_reading(&self) -> bool {
        let (Some(settled), Some(ahead)) = (&self.settled, &self.ahead) else { return true };
        ahead.events - settled.events > READING_EVENTS_MIN.max(settled.events / READING_SHARE)
    }

    /// How many more commands it could decide now.
    pub fn room(&self, shop: &Shop) -> usize {
        if self.must_land(shop) || self.is_open_full(shop) {
            return 0;
        }
        self.group_max(shop).saturating_sub(self.open.len() + self.waiting.len())
    }

    /// With how many commands in its lane it should be looked at again.
    pub fn wake_at(&self, shop: &Shop) -> usize {
        match self.flying {
            None => 1,
            Some(_) if self.room(shop) == 0 => usize::MAX,
            Some(_) => WAKE_AT.min(self.room(shop)),
        }
    }

    pub fn waiting(&mut self) -> &mut VecDeque<Waiting<M>> {
        &mut self.waiting
    }

    /// Takes the answer to what is in flight, if it is there.
    pub fn land(&mut self, shop: &Shop) {
        let waker = self.waker.clone();
        let mut context = task::Context::from_waker(&waker);
        while let Some(mut flying) = self.flying.take() {
            match flying.answer.as_mut().poll(&mut context) {
                Poll::Pending => {
                    self.flying = Some(flying);
                    return;
                }
                Poll::Ready(answer) => self.settle(shop, flying, answer),
            }
        }
    }

    fn settle(&mut self, shop: &Shop, mut flying: Flying<M>, answer: Result<Appended, AppendError>) {
        let error = match answer {
            Ok(appended) => return self.landed(shop, flying, &appended),
            Err(error) => error,
        };
        if let AppendError::Unknown(_) = &error
            && flying.asked < ASKED_MAX
        {
            // The same ids again: if it was recorded, this is answered with
            // the receipt; if it was not, it is now, or it conflicts.
            flying.asked += 1;
            flying.answer = shop.store.events().append_async(&flying.append);
            flying.unknown.get_or_insert(error);
            self.flying = Some(flying);
            return;
        }
        // Everything open was decided on top of it.
        let group = flying.group;
        let open = std::mem::take(&mut self.open);
        self.ahead = None;
        self.keys.clear();
        for waiting in open.into_waiting().rev() {
            self.waiting.push_front(waiting);
        }
        match error {
            AppendError::Conflict { .. } | AppendError::ConditionFailed { .. } => {
                // Decided on what was known from before, nobody was faster than a
                // command of it: it only had to look. That is no attempt.
                let is_fresh = group.is_fresh();
                for mut waiting in group.into_waiting().rev() {
                    waiting.attempts += u32::from(is_fresh);
                    let attempts = waiting.attempts;
                    match !is_fresh || attempts < waiting.command.attempts_max() {
                        true => self.waiting.push_front(waiting),
                        false => waiting.answer(Outcome::Conflict { attempts }),
                    }
                }
            }
            // One of them cannot be appended; the others have no part in it.
            AppendError::Invalid(_) | AppendError::PartlyRepeated { .. } | AppendError::IdReused { .. }
                if flying.unknown.is_none() && group.len() > 1 =>
            {
                self.alone = group.len();
                group.into_waiting().rev().for_each(|waiting| self.waiting.push_front(waiting));
            }
            error => {
                let error = flying.unknown.unwrap_or(error);
                for waiting in group.into_waiting() {
                    waiting.answer(Outcome::Failed(error.clone().into()));
                }
            }
        }
    }

    fn landed(&mut self, shop: &Shop, flying: Flying<M>, appended: &Appended) {
        shop.store.note_durability(appended.durability);
        if !self.decides_ahead(shop) {
            self.ahead = None;
        }
        if let Some(last) = appended.last_position() {
            self.open.note_landed(last);
            if let Some(ahead) = &mut self.ahead {
                ahead.up_to = Some(last);
            }
        }
        for key in flying.group.keys() {
            self.keys.remove(key);
        }
        self.snapshot_if_due(shop);
        flying.group.answer(&flying.append, appended);
        if self.open.is_empty() {
            // Sealed, if a command waited for this landing.
            self.open = Group::default();
        }
    }

    /// Decides what waits, for as long as the open group has room.
    pub fn decide(&mut self, shop: &Shop) {
        self.decide_what_waits(shop);
        self.is_fresh = false;
        if !self.decides_ahead(shop) && self.open.is_empty() && self.flying.is_none() {
            // All were answered without an append. What was read gets old, and no
            // guard may notice: the next are decided on what is read for them.
            self.ahead = None;
        }
    }

    fn decide_what_waits(&mut self, shop: &Shop) {
        let now = SystemClock.now();
        while !self.waiting.is_empty() && !self.is_open_full(shop) && !self.must_land(shop) {
            if self.needs_reading()
                && let Err(outcome) = self.read(shop)
            {
                self.waiting.drain(..).for_each(|waiting| waiting.answer(outcome.clone()));
                return;
            }
            let Some(waiting) = self.waiting.pop_front() else { return };
            if let Err(waiting) = self.decide_one(shop, waiting, now) {
                // Only when what is open has been handed over.
                self.waiting.push_front(waiting);
                self.open.seal();
            }
        }
    }

    /// Folds what was recorded since it last looked.
    fn read(&mut self, shop: &Shop) -> Result<(), Outcome> {
        self.ahead = None;
        match catch_unwind(AssertUnwindSafe(|| self.read_on(shop))) {
            Ok(Ok(settled)) => {
                self.looked_at = shop.store.watches_transitions::<M>().then(|| settled.model.clone());
                self.ahead = Some(settled.clone());
                self.settled = Some(settled);
                self.is_fresh = true;
                Ok(())
            }
            Ok(Err(error)) => Err(Outcome::Failed(error)),
            Err(panic) => Err(panicked(&*panic)),
        }
    }

    /// From where it was, from a state that others left warm, or as any load.
    fn read_on(&mut self, shop: &Shop) -> Result<Folded<M>, StoreError> {
        let slot = || shop.store.warm(self.boundary.clone());
        let warm = || slot().state.lock().clone().map(Arc::unwrap_or_clone);
        let Some(mut settled) = self.settled.take().or_else(warm) else {
            return shop.store.fold(self.model.clone(), &self.boundary, Moment::Now);
        };
        let patience = shop.store.patience();
        settled.advance_within(&**shop.store.events(), &self.boundary, Until::Edge, patience)?;
        let before = self.looked_at.as_ref();
        shop.store.snapshot_if_due(&self.boundary, before, &mut settled).take(&shop.store);
        Ok(settled)
    }

    /// Reads on if a snapshot is due: it is one of what was read. What was decided
    /// ahead was folded before positions and times were known.
    fn snapshot_if_due(&mut self, shop: &Shop) {
        let Some(ahead) = self.ahead.as_mut().filter(|_| self.open.is_empty()) else { return };
        if shop.store.keeper::<M>().is_none() {
            return;
        }
        let before = self.looked_at.as_ref();
        let due = catch_unwind(AssertUnwindSafe(|| {
            shop.store.snapshot_if_due(&self.boundary, before, ahead).is_wanted()
        }));
        match due {
            // If that fails, so does the reading before the next decision.
            Ok(true) | Err(_) => {
                let _ = self.read(shop);
            }
            Ok(false) if before.is_some() => self.looked_at = Some(ahead.model.clone()),
            Ok(false) => {}
        }
    }

    /// Gives the command back if it cannot be decided before what is open has
    /// landed.
    fn decide_one(&mut self, shop: &Shop, mut waiting: Waiting<M>, now: Timestamp) -> Result<(), Waiting<M>> {
        if let Some(key) = waiting.command.key() {
            if self.keys.contains(key) {
                return Err(waiting);
            }
            match CommandDone::find(&shop.store, key) {
                Ok(None) => {}
                Ok(Some(receipt)) => {
                    waiting.answer(Outcome::AlreadyDone(receipt));
                    return Ok(());
                }
                Err(error) => {
                    waiting.answer(Outcome::Failed(error));
                    return Ok(());
                }
            }
        }
        let ahead = self.ahead.as_mut().expect("it was read before");
        let decided = catch_unwind(AssertUnwindSafe(|| waiting.command.decide(&ahead.model)));
        let (emitted, is_rejected) = match decided {
            Ok(Decided::Events(emitted)) => (emitted, false),
            Ok(Decided::Rejected(emitted)) => (emitted, true),
            Err(panic) => {
                waiting.answer(panicked(&*panic));
                return Ok(());
            }
        };
        if self.open.is_empty() {
            let parts = self.boundary.parts.iter().enumerate();
            let guards = parts.map(|(at, part)| ahead.expected(part, at)).collect();
            self.open.begin(guards, ahead.up_to, self.is_fresh);
        }
        if emitted.is_empty() {
            let revision = ahead.revision();
            self.open.add_without_events(waiting, is_rejected, revision);
            return Ok(());
        }
        let made = catch_unwind(AssertUnwindSafe(|| {
            NewEvents::of(&shop.store, emitted, &self.boundary, waiting.command.context())
        }));
        let new = match made {
            Ok(Ok(new)) => new,
            Ok(Err(error)) => {
                waiting.answer(Outcome::Failed(error));
                return Ok(());
            }
            Err(panic) => {
                waiting.answer(panicked(&*panic));
                return Ok(());
            }
        };
        if !self.open.has_place_for(&new.events) {
            return Err(waiting);
        }
        if let Err(outcome) = self.fold(&new, now) {
            // Half of it may be folded: begin again from what is read.
            self.ahead = None;
            waiting.answer(outcome);
            return Ok(());
        }
        if let (Some(key), false) = (waiting.command.key(), is_rejected) {
            self.keys.insert(key.to_owned());
        }
        self.open.add(waiting, is_rejected, new, &self.boundary);
        Ok(())
    }

    /// An event that its own model cannot fold is refused here, before it could
    /// stand in the log for ever.
    fn fold(&mut self, new: &NewEvents, now: Timestamp) -> Result<(), Outcome> {
        let ahead = self.ahead.as_mut().expect("it was decided on");
        let folded = catch_unwind(AssertUnwindSafe(|| {
            new.events.iter().zip(&new.read_back).try_for_each(|((stream, event), read_back)| {
                ahead.fold_ahead(&self.boundary, stream, event, read_back, now)
            })
        }));
        match folded {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Outcome::Failed(error.into())),
            Err(panic) => Err(panicked(&*panic)),
        }
    }

    /// Hands the open group over if nothing is in flight. Says whether it did.
    pub fn take_off(&mut self, shop: &Shop) -> bool {
        if self.flying.is_some() || self.open.is_empty() {
            return false;
        }
        let mut group = std::mem::take(&mut self.open);
        let append = group.append(&self.boundary, &shop.store);
        let answer = shop.store.events().append_async(&append);
        self.alone = self.alone.saturating_sub(1);
        self.flying = Some(Flying { group, append, answer, asked: 1, unknown: None });
        true
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Outcome::Panicked { message: text.unwrap_or("without a message").to_owned() }
}
