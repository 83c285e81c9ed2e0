//! [`Sieve`]: followers with the same expression, which is tried once for all of them.
//!
//! ```text
//!   the tail   ─────────────────────────┤ handed out
//!   a sieve    ─────────┤ tried   ┊work ┊                 at most so many at a time
//!                        └► its members hear of what went through
//! ```
//!
//! An expression may take long, so that it is tried on a thread that may wait, and the
//! sieve comes after the tail. If it comes so late that the events are no longer in
//! memory, its members are off, as if they had been slow themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use factum_core::RecordedEvent;
use factum_wire::Filter;

use super::checkpoints::{Checkpoints, Every};
use super::index::Members;
use super::member::Member;
use super::recent::Recent;
use super::words::Words;

/// How many events are tried before the members hear of it.
const WORK_MAX: usize = 64;

/// See the module.
pub struct Sieve {
    filter: Arc<Filter>,
    /// Everything before this position was tried.
    end: u64,
    /// Somebody is at work on it.
    is_busy: bool,
    members: Members,
    checkpoints: Checkpoints,
}

/// Events to try an expression on.
pub struct Work {
    filter: Arc<Filter>,
    events: Vec<Arc<RecordedEvent>>,
}

/// What came of it.
pub struct Sieved {
    /// The positions that were tried, and which of them went through.
    tried: Vec<(u64, bool)>,
    /// The expression took too long on this one.
    stuck: Option<u64>,
}

impl Work {
    /// Does it, which may take long.
    pub fn done(self) -> Sieved {
        let mut sieved = Sieved { tried: Vec::with_capacity(self.events.len()), stuck: None };
        for event in &self.events {
            let at = event.position.get();
            match self.filter.matches(event) {
                Ok(goes_through) => sieved.tried.push((at, goes_through)),
                Err(_) => {
                    sieved.stuck = Some(at);
                    break;
                }
            }
        }
        sieved
    }
}

impl Sieve {
    /// For one expression, from a position on.
    pub fn new(filter: &Arc<Filter>, end: u64) -> Self {
        Self {
            filter: Arc::clone(filter),
            end,
            is_busy: false,
            members: BTreeMap::new(),
            checkpoints: Checkpoints::default(),
        }
    }

    /// The event of this position comes next; whoever is there is off.
    pub fn begin(&mut self, next: u64) {
        self.end = next;
    }

    /// Whether it is this filter's as well.
    pub fn is_for(&self, filter: &Filter) -> bool {
        self.filter.of() == filter.of() && self.filter.expression() == filter.expression()
    }

    /// Adds a follower that has read everything before `next`.
    pub fn join(&mut self, number: u64, next: u64, every: Option<Every>) -> Arc<Member> {
        let member = Arc::new(Member::new(next.max(self.end)));
        self.members.insert(number, Arc::clone(&member));
        if let Some(every) = every {
            self.checkpoints.add(number, &member, every);
        }
        member
    }

    /// Removes it again. Whether anybody is left.
    pub fn leave(&mut self, number: u64) -> bool {
        self.members.remove(&number);
        self.checkpoints.remove(number);
        !self.members.is_empty()
    }

    /// Whether somebody is to begin to work on it, now that there are more events:
    /// the caller, if so.
    pub fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.is_busy, true)
    }

    /// What is to be tried next; with nothing to do nobody is at work any more.
    pub fn work(&mut self, end: u64, recent: &Recent, words: &mut Words) -> Option<Work> {
        if self.end < end {
            if let Some(events) = recent.from(self.end, WORK_MAX) {
                return Some(Work { filter: Arc::clone(&self.filter), events });
            }
            self.off(words);
            self.end = end;
        }
        self.is_busy = false;
        None
    }

    /// Tells the members what came of it.
    pub fn hand_out(&mut self, sieved: Sieved, words: &mut Words) {
        for (at, goes_through) in sieved.tried {
            if goes_through {
                words.event(at, self.members.values());
            }
            words.checkpoints(at, &mut self.checkpoints);
            self.end = self.end.max(at + 1);
        }
        if let Some(stuck) = sieved.stuck {
            // Each of them will find that out by itself.
            self.off(words);
            self.end = self.end.max(stuck + 1);
        }
    }

    /// Who was at work broke off.
    pub fn broke_off(&mut self, end: u64, words: &mut Words) {
        self.off(words);
        self.end = end;
        self.is_busy = false;
    }

    /// All its members read by themselves from here on.
    pub fn off(&mut self, words: &mut Words) {
        words.off(self.end, self.members.values());
    }
}
