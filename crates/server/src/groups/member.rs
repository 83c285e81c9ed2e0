//! The consumers of a group: how much room each has.

use std::collections::BTreeMap;

use super::times::Times;

/// A consumer, for as long as it is there. No two of a group's life are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MemberId(pub u64);

/// One consumer.
#[derive(Debug, Clone)]
pub struct Member {
    /// How many events it takes before it must say what became of them.
    pub slots: usize,
    /// How many it has.
    pub in_flight: usize,
    /// How many more fit into what carries them to it. Less than its slots only
    /// if it does not read.
    pub outlet: usize,
    pub held: Held,
    /// How many it got.
    pub delivered: u64,
    /// How long it took for them, if somebody wants to know.
    pub times: Option<Times>,
}

/// Whether it gets events like the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It does.
    No,
    /// It is to finish what it has, and then gets one event alone.
    Draining,
    /// It has that event.
    Alone,
}

impl Member {
    /// How many events it can be given.
    pub fn room(&self) -> usize {
        match self.held {
            Held::No => self.slots.saturating_sub(self.in_flight).min(self.outlet),
            Held::Draining | Held::Alone => 0,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Members {
    members: BTreeMap<MemberId, Member>,
    last: u64,
}

impl Members {
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn contains(&self, id: MemberId) -> bool {
        self.members.contains_key(&id)
    }

    pub fn ids(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.members.keys().copied()
    }

    pub fn get(&self, id: MemberId) -> Option<&Member> {
        self.members.get(&id)
    }

    pub fn get_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.get_mut(&id)
    }

    pub fn join(&mut self, slots: usize, times: Option<Times>) -> MemberId {
        self.last += 1;
        let id = MemberId(self.last);
        let member = Member { slots, in_flight: 0, outlet: slots, held: Held::No, delivered: 0, times };
        self.members.insert(id, member);
        id
    }

    pub fn leave(&mut self, id: MemberId) -> Option<Member> {
        self.members.remove(&id)
    }

    pub fn has_room(&self, id: MemberId) -> bool {
        self.get(id).is_some_and(|member| member.room() > 0)
    }

    /// Whether anybody has room.
    pub fn any_room(&self) -> bool {
        self.members.values().any(|member| member.room() > 0)
    }

    /// The next one in turn that has room.
    pub fn with_room_after(&self, id: MemberId) -> Option<MemberId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.members.range((Excluded(id), Unbounded));
        let around = after.chain(self.members.range(..=id));
        around.into_iter().find(|(_, member)| member.room() > 0).map(|(id, _)| *id)
    }

    /// Somebody who has nothing in flight and can be given one event alone; if
    /// there is nobody, whoever has least is to finish first.
    pub fn idle_or_drain(&mut self) -> Option<MemberId> {
        if self.members.values().any(|member| member.held == Held::Alone) {
            return None;
        }
        let idle = |member: &Member| member.in_flight == 0 && member.outlet > 0;
        if let Some((id, _)) = self.members.iter().find(|(_, member)| idle(member)) {
            return Some(*id);
        }
        if !self.members.values().any(|member| member.held == Held::Draining) {
            let least = self.members.values_mut().filter(|member| member.outlet > 0);
            if let Some(member) = least.min_by_key(|member| member.in_flight) {
                member.held = Held::Draining;
            }
        }
        None
    }

    /// Nobody has to finish first any more.
    pub fn undrain(&mut self) {
        let draining = self.members.values_mut().filter(|member| member.held == Held::Draining);
        draining.for_each(|member| member.held = Held::No);
    }
}
