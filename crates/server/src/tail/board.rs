//! [`Board`]: who is on the tail, and what each of them is told of a batch. No task,
//! no store and no clock, so that it can be tried over any history.
//!
//! ```text
//!                     handed out up to here ─┐
//!   log      ... ────────────────────────────┼─ batch ─┤
//!   member          has read ─┤  gap  ├─ from: told of what it wants, once, in order
//! ```
//!
//! Who joins says up to where it has read, and hears from where on it will be told:
//! what is between the two it reads by itself. Where it is cheap to find who wants an
//! event that is done here; an expression has a [`Sieve`], which comes after.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use factum_core::RecordedEvent;
use factum_wire::Filter;

use super::Interest;
use super::checkpoints::{Checkpoints, Every};
use super::index::Index;
use super::member::Member;
use super::recent::Recent;
use super::sieve::{Sieve, Sieved, Work};
use super::words::Words;

/// See the module.
#[derive(Default)]
pub struct Board {
    /// Everything before this position was handed out.
    end: u64,
    /// The number of whoever joins next.
    next: u64,
    members: HashMap<u64, (Arc<Member>, Place)>,
    index: Index,
    checkpoints: Checkpoints,
    /// By the numbers of those who were the first of them.
    sieves: BTreeMap<u64, Sieve>,
}

/// Where a member is written down.
enum Place {
    Index(Interest),
    Sieve(u64),
}

impl Board {
    /// The event of this position comes next. Whoever is still there is off.
    pub fn begin(&mut self, next: u64) {
        self.end = next;
        self.sieves.values_mut().for_each(|sieve| sieve.begin(next));
    }

    /// Everything before this position was handed out.
    #[cfg(test)]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds a follower that has read everything before `next`. It is told from
    /// where [`Member::from`] says.
    pub fn join(&mut self, interest: Interest, next: u64, every: Option<Every>) -> (u64, Arc<Member>) {
        let number = self.next;
        self.next += 1;
        let (member, place) = match &interest {
            Interest::Expression(filter) => {
                let sieve = self.sieve(filter, number);
                let members = self.sieves.entry(sieve).or_insert_with(|| Sieve::new(filter, self.end));
                (members.join(number, next, every), Place::Sieve(sieve))
            }
            _ => {
                let member = Arc::new(Member::new(next.max(self.end)));
                self.index.add(number, &member, &interest);
                if let Some(every) = every {
                    self.checkpoints.add(number, &member, every);
                }
                (member, Place::Index(interest))
            }
        };
        self.members.insert(number, (Arc::clone(&member), place));
        (number, member)
    }

    /// Removes it again.
    pub fn leave(&mut self, number: u64) {
        match self.members.remove(&number) {
            Some((_, Place::Index(interest))) => {
                self.index.remove(number, &interest);
                self.checkpoints.remove(number);
            }
            Some((_, Place::Sieve(at))) => {
                let is_left = self.sieves.get_mut(&at).is_some_and(|sieve| sieve.leave(number));
                if !is_left {
                    self.sieves.remove(&at);
                }
            }
            None => {}
        }
    }

    /// Tells everyone what a batch has for them. Gives the sieves on which somebody
    /// is to begin to work.
    pub fn hand_out(&mut self, batch: &[Arc<RecordedEvent>], words: &mut Words) -> Vec<u64> {
        for event in batch {
            let at = event.position.get();
            words.event(at, self.index.who_wants(event));
            words.checkpoints(at, &mut self.checkpoints);
            self.end = at + 1;
        }
        let begin = |(number, sieve): (&u64, &mut Sieve)| sieve.begins().then_some(*number);
        self.sieves.iter_mut().filter_map(begin).collect()
    }

    /// What is to be tried next of a sieve, if that is still there.
    pub fn work(&mut self, sieve: u64, recent: &Recent, words: &mut Words) -> Option<Work> {
        self.sieves.get_mut(&sieve)?.work(self.end, recent, words)
    }

    /// Tells the members of a sieve what came of it.
    pub fn worked(&mut self, sieve: u64, sieved: Sieved, words: &mut Words) {
        if let Some(sieve) = self.sieves.get_mut(&sieve) {
            sieve.hand_out(sieved, words);
        }
    }

    /// Whoever was at work on a sieve broke off.
    pub fn broke_off(&mut self, sieve: u64, words: &mut Words) {
        if let Some(sieve) = self.sieves.get_mut(&sieve) {
            sieve.broke_off(self.end, words);
        }
    }

    /// Everyone reads by themselves from here on.
    pub fn all_off(&mut self, words: &mut Words) {
        words.off(
            self.end,
            self.members
                .values()
                .filter_map(|(member, place)| matches!(place, Place::Index(_)).then_some(member)),
        );
        self.sieves.values_mut().for_each(|sieve| sieve.off(words));
    }

    /// The sieve of an expression; one that does not exist yet has this number.
    fn sieve(&self, filter: &Filter, number: u64) -> u64 {
        let known = self.sieves.iter().find(|(_, sieve)| sieve.is_for(filter));
        known.map_or(number, |(known, _)| *known)
    }
}
