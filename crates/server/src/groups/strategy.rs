//! Who gets the next event.
//!
//! | strategy | who |
//! |---|---|
//! | round robin | the next in turn that has room |
//! | dispatch to single | the same as last time, and the next one when it has no room |
//! | pinned | the owner of the event's bucket, and nobody else |
//! | pinned in sequence | the same, when none of the bucket is in flight |
//!
//! A bucket has an owner from its first event on. When somebody joins, those
//! with more than their share give buckets away, each at a moment when none of
//! its events is in flight, so that two consumers never work on one bucket at
//! the same time. When somebody leaves, its buckets are free at once.

use std::collections::BTreeMap;

use factum_wire::groups::GroupStrategy;

use super::member::{MemberId, Members};

/// How many buckets streams, or correlations, are divided into.
const BUCKETS: u64 = 1_024;

/// A strategy at work.
#[derive(Debug)]
pub enum Strategy {
    RoundRobin { last: MemberId },
    DispatchToSingle { current: MemberId },
    Pinned { buckets: Vec<Bucket>, one_at_a_time: bool },
}

fn index(bucket: u64) -> usize {
    (bucket % BUCKETS) as usize
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    owner: Option<MemberId>,
    in_flight: u32,
    /// Free as soon as nothing of it is in flight.
    moves: bool,
}

impl Strategy {
    pub fn of(strategy: GroupStrategy) -> Self {
        match strategy {
            GroupStrategy::RoundRobin => Self::RoundRobin { last: MemberId::default() },
            GroupStrategy::DispatchToSingle => Self::DispatchToSingle { current: MemberId::default() },
            GroupStrategy::Pinned | GroupStrategy::PinnedByCorrelation | GroupStrategy::PinnedInSequence => {
                Self::Pinned {
                    buckets: vec![Bucket::default(); BUCKETS as usize],
                    one_at_a_time: strategy.parks_sequences(),
                }
            }
        }
    }

    /// Whether one event may have to wait while another goes out.
    pub fn is_choosy(&self) -> bool {
        matches!(self, Self::Pinned { .. })
    }

    /// Who gets an event of this bucket; `None` if it must wait.
    pub fn choose(&mut self, members: &Members, bucket: u64) -> Option<MemberId> {
        match self {
            Self::RoundRobin { last } => {
                let next = members.with_room_after(*last)?;
                *last = next;
                Some(next)
            }
            Self::DispatchToSingle { current } => {
                if !members.has_room(*current) {
                    *current = members.with_room_after(*current)?;
                }
                Some(*current)
            }
            Self::Pinned { buckets, one_at_a_time } => {
                let index = index(bucket);
                let found = buckets[index];
                if *one_at_a_time && found.in_flight > 0 {
                    return None;
                }
                let is_free = found.owner.is_none() || found.moves && found.in_flight == 0;
                let owner = match found.owner {
                    Some(owner) if !is_free => owner,
                    _ => least_loaded(buckets, members)?,
                };
                // On its way to another it gets no more.
                if !is_free && found.moves || !members.has_room(owner) {
                    return None;
                }
                buckets[index] = Bucket { owner: Some(owner), moves: false, ..found };
                Some(owner)
            }
        }
    }

    /// Whether an event of this bucket could go out now.
    pub fn could_go(&self, members: &Members, bucket: u64) -> bool {
        let Self::Pinned { buckets, one_at_a_time } = self else { return members.any_room() };
        match buckets[index(bucket)] {
            Bucket { in_flight: 1.., .. } if *one_at_a_time => false,
            Bucket { owner: Some(owner), moves: false, .. } => members.has_room(owner),
            Bucket { owner: Some(_), in_flight, .. } => in_flight == 0 && members.any_room(),
            Bucket { owner: None, .. } => members.any_room(),
        }
    }

    /// An event of this bucket is with somebody.
    pub fn went_out(&mut self, bucket: u64) {
        if let Self::Pinned { buckets, .. } = self {
            buckets[index(bucket)].in_flight += 1;
        }
    }

    /// It no longer is.
    pub fn came_back(&mut self, bucket: u64) {
        if let Self::Pinned { buckets, .. } = self {
            let bucket = &mut buckets[index(bucket)];
            bucket.in_flight = bucket.in_flight.saturating_sub(1);
        }
    }

    /// There is one more, or one less.
    pub fn members_changed(&mut self, members: &Members) {
        let Self::Pinned { buckets, .. } = self else { return };
        let share = buckets.len().div_ceil(members.len().max(1));
        let mut owned = BTreeMap::<MemberId, usize>::new();
        for bucket in buckets {
            bucket.moves = false;
            match bucket.owner {
                Some(owner) if members.contains(owner) => {
                    let owned = owned.entry(owner).or_default();
                    *owned += 1;
                    bucket.moves = *owned > share;
                }
                _ => bucket.owner = None,
            }
        }
    }
}

/// Whoever owns the fewest buckets, of those that have room.
fn least_loaded(buckets: &[Bucket], members: &Members) -> Option<MemberId> {
    let mut owned: BTreeMap<_, _> =
        members.ids().filter(|id| members.has_room(*id)).map(|id| (id, 0)).collect();
    for bucket in buckets.iter().filter(|bucket| !bucket.moves) {
        if let Some(count) = bucket.owner.and_then(|owner| owned.get_mut(&owner)) {
            *count += 1;
        }
    }
    owned.into_iter().min_by_key(|(_, count)| *count).map(|(id, _)| id)
}
