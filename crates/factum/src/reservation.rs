//! Reservations: something is held for a while, then confirmed or given back.
//!
//! ```text
//!              ┌── confirmed ──▶ sold
//!   free ──▶ held until 12:15
//!     ▲        ├── released ───┐
//!     │        └── expired ────┤   an event like any other, so whoever should be
//!     └────────────────────────┘   told follows it
//! ```
//!
//! [`Reservations`] is the part of a model that keeps count; the events are the
//! user's own. It is pure: the time is an argument, given by the command, and no
//! hold ends by a clock going on. It ends when an event says so: a hold past its
//! time stays in the way until it is released, by a sweep or by the next command
//! that needs the room ([`Reservations::room_for`] says whom to release first).
//! So nothing is given out twice, whatever the clocks of different machines say.
//!
//! ```
//! use factum::prelude::*;
//! use factum::reservation::{NoRoom, NotHeld, Reservations};
//!
//! # #[derive(Id, Clone, Debug, PartialEq)] struct ConcertId(String);
//! # #[derive(Id, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)] struct BuyerId(String);
//! #[derive(Event, Clone, Debug, PartialEq)]
//! enum Concert {
//!     Announced { #[id] concert: ConcertId, seats: u64 },
//!     Held { #[id] concert: ConcertId, #[tag] buyer: BuyerId, until: i64 },
//!     Sold { #[id] concert: ConcertId, #[tag] buyer: BuyerId },
//!     Released { #[id] concert: ConcertId, #[tag] buyer: BuyerId, expired: bool },
//! }
//!
//! #[derive(Aggregate, Clone, Debug)]
//! #[folds(Concert)]
//! struct Seats { #[key] concert: ConcertId, seats: Reservations<BuyerId> }
//!
//! impl Evolve<Concert> for Seats {
//!     fn evolve(&mut self, event: &Concert) {
//!         match event {
//!             Concert::Announced { seats, .. } => self.seats.add(*seats),
//!             Concert::Held { buyer, until, .. } => {
//!                 self.seats.hold(buyer.clone(), 1, Timestamp::from_seconds(*until));
//!             }
//!             Concert::Sold { buyer, .. } => self.seats.confirm(buyer),
//!             Concert::Released { buyer, .. } => self.seats.release(buyer),
//!         }
//!     }
//! }
//!
//! impl Seats {
//!     fn reserve(&self, buyer: &BuyerId, now: i64) -> Result<Vec<Concert>, NoRoom> {
//!         let expired = self.seats.room_for(buyer, 1, Timestamp::from_seconds(now))?;
//!         let mut events = self.released(expired);
//!         let (concert, buyer) = (self.concert.clone(), buyer.clone());
//!         events.push(Concert::Held { concert, buyer, until: now + 15 * 60 });
//!         Ok(events)
//!     }
//!
//!     fn pay(&self, buyer: &BuyerId, now: i64) -> Result<Concert, NotHeld> {
//!         self.seats.held(buyer, Timestamp::from_seconds(now))?;
//!         Ok(Concert::Sold { concert: self.concert.clone(), buyer: buyer.clone() })
//!     }
//!
//!     /// The sweep, to be decided every now and then.
//!     fn sweep(&self, now: i64) -> Vec<Concert> {
//!         self.released(self.seats.expired(Timestamp::from_seconds(now)))
//!     }
//!
//!     fn released(&self, buyers: Vec<BuyerId>) -> Vec<Concert> {
//!         let released = |buyer| Concert::Released { concert: self.concert.clone(), buyer, expired: true };
//!         buyers.into_iter().map(released).collect()
//!     }
//! }
//!
//! let store = Store::memory();
//! store.record(Concert::Announced { concert: "c".into(), seats: 1 }).run()?;
//! let (ada, bob) = (BuyerId::from("ada"), BuyerId::from("bob"));
//! store.decide(Seats::of("c"), |seats| seats.reserve(&ada, 0)).run()?;
//! assert!(store.decide(Seats::of("c"), |seats| seats.reserve(&bob, 60)).run().is_err());
//! // Sixteen minutes later her hold has expired, and his command takes its place.
//! assert_eq!(store.decide(Seats::of("c"), |seats| seats.reserve(&bob, 960)).run()?.events(), 2);
//! assert!(store.decide(Seats::of("c"), |seats| seats.pay(&ada, 961)).run().is_err());
//! assert!(store.decide(Seats::of("c"), |seats| seats.pay(&bob, 961)).run().is_ok());
//! # Ok::<(), DecideError<NoRoom>>(())
//! ```

use std::collections::BTreeMap;

use factum_core::Timestamp;

/// What is free, held by whom until when, and confirmed; the part of a model
/// that keeps count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservations<K> {
    capacity: u64,
    confirmed: u64,
    holds: BTreeMap<K, Hold>,
    /// Of all holds together.
    held: u64,
}

/// What is held for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// How much.
    pub amount: u64,
    /// From this moment on it can be released and no longer confirmed.
    pub until: Timestamp,
}

/// Why something cannot be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoom {
    /// There is not enough, also without the holds that have expired.
    #[error("{free} are left, which is not enough")]
    NotEnough {
        /// How much could be held now.
        free: u64,
    },
    /// Who asks has a hold already.
    #[error("there is a hold until {until}: confirm it or release it first")]
    AlreadyHeld {
        /// When it expires.
        until: Timestamp,
    },
}

/// Why a hold cannot be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotHeld {
    /// There is none, or it was released.
    #[error("nothing is held")]
    Nothing,
    /// Its time is over.
    #[error("the hold expired at {until}")]
    Expired {
        /// When.
        until: Timestamp,
    },
}

impl<K> Default for Reservations<K> {
    fn default() -> Self {
        Self { capacity: 0, confirmed: 0, holds: BTreeMap::new(), held: 0 }
    }
}

/// For decisions.
impl<K: Ord + Clone> Reservations<K> {
    /// Whether so much can be held for somebody. If so, whose holds have expired
    /// and have to be released in the same decision, before the new hold: as many
    /// as it takes, those that expired first, and always an expired one of who
    /// asks.
    pub fn room_for(&self, who: &K, amount: u64, now: Timestamp) -> Result<Vec<K>, NoRoom> {
        // Of what can be released, as more may be out than there is: then the
        // first that are released free nothing.
        let mut releasable = 0;
        let mut released = Vec::new();
        match self.holds.get(who) {
            Some(hold) if now < hold.until => return Err(NoRoom::AlreadyHeld { until: hold.until }),
            Some(hold) => {
                releasable += hold.amount;
                released.push(who.clone());
            }
            None => {}
        }
        if self.free_without(releasable) < amount {
            let mut expired: Vec<_> =
                self.holds.iter().filter(|(key, hold)| hold.until <= now && *key != who).collect();
            expired.sort_by_key(|(_, hold)| hold.until);
            for (key, hold) in expired {
                if self.free_without(releasable) >= amount {
                    break;
                }
                releasable += hold.amount;
                released.push(key.clone());
            }
        }
        let free = self.free_without(releasable);
        if free < amount { Err(NoRoom::NotEnough { free }) } else { Ok(released) }
    }

    /// The hold of somebody, if it can be confirmed now.
    pub fn held(&self, who: &K, now: Timestamp) -> Result<Hold, NotHeld> {
        let hold = self.holds.get(who).ok_or(NotHeld::Nothing)?;
        if now < hold.until { Ok(*hold) } else { Err(NotHeld::Expired { until: hold.until }) }
    }

    /// Whose holds have expired, for a sweep that releases them.
    pub fn expired(&self, now: Timestamp) -> Vec<K> {
        let expired = self.holds.iter().filter(|(_, hold)| hold.until <= now);
        expired.map(|(key, _)| key.clone()).collect()
    }

    /// All holds, expired or not.
    pub fn holds(&self) -> impl Iterator<Item = (&K, &Hold)> {
        self.holds.iter()
    }

    /// What is neither held nor confirmed. Expired holds are in the way until
    /// they are released.
    pub fn free(&self) -> u64 {
        self.free_without(0)
    }

    /// The same if so much of what is held were released.
    fn free_without(&self, releasable: u64) -> u64 {
        self.capacity.saturating_sub(self.confirmed + self.held - releasable)
    }

    /// What was confirmed.
    pub fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// How much there is in all.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }
}

/// For `evolve`.
impl<K: Ord + Clone> Reservations<K> {
    /// There is more.
    pub fn add(&mut self, amount: u64) {
        self.capacity += amount;
    }

    /// There is less. If it is less than what is held and confirmed, nothing is
    /// free until so much has been given back that it is not.
    pub fn remove(&mut self, amount: u64) {
        self.capacity = self.capacity.saturating_sub(amount);
    }

    /// Somebody got a hold, in place of an earlier one.
    pub fn hold(&mut self, who: K, amount: u64, until: Timestamp) {
        self.release(&who);
        self.holds.insert(who, Hold { amount, until });
        self.held += amount;
    }

    /// What was held is confirmed. Nothing happens if nothing was.
    pub fn confirm(&mut self, who: &K) {
        if let Some(hold) = self.holds.remove(who) {
            self.held -= hold.amount;
            self.confirmed += hold.amount;
        }
    }

    /// What was held is free again. Nothing happens if nothing was.
    pub fn release(&mut self, who: &K) {
        if let Some(hold) = self.holds.remove(who) {
            self.held -= hold.amount;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn two_seats() -> Reservations<&'static str> {
        let mut seats = Reservations::default();
        seats.add(2);
        seats.hold("ada", 1, at(10));
        seats.hold("bob", 1, at(20));
        seats
    }

    #[test]
    fn a_hold_is_confirmed_only_before_its_end() {
        let mut seats = two_seats();
        assert_eq!(seats.held(&"ada", at(9)), Ok(Hold { amount: 1, until: at(10) }));
        assert_eq!(seats.held(&"ada", at(10)), Err(NotHeld::Expired { until: at(10) }));
        assert_eq!(seats.held(&"eve", at(0)), Err(NotHeld::Nothing));
        seats.confirm(&"ada");
        assert_eq!((seats.confirmed(), seats.free()), (1, 0));
        assert_eq!(seats.held(&"ada", at(0)), Err(NotHeld::Nothing));
    }

    #[test]
    fn expired_holds_make_room_once_they_are_released() {
        let mut seats = two_seats();
        assert_eq!(seats.room_for(&"eve", 1, at(9)), Err(NoRoom::NotEnough { free: 0 }));
        assert_eq!(seats.room_for(&"eve", 1, at(10)), Ok(vec!["ada"]));
        assert_eq!(seats.room_for(&"eve", 2, at(30)), Ok(vec!["ada", "bob"]));
        assert_eq!(seats.room_for(&"eve", 3, at(30)), Err(NoRoom::NotEnough { free: 2 }));
        assert_eq!(seats.room_for(&"ada", 1, at(5)), Err(NoRoom::AlreadyHeld { until: at(10) }));
        assert_eq!(seats.room_for(&"bob", 1, at(30)), Ok(vec!["bob"]));
        assert_eq!(seats.free(), 0, "nothing was released yet");
        seats.release(&"ada");
        assert_eq!(seats.room_for(&"eve", 1, at(10)), Ok(vec![]));
        assert_eq!(seats.expired(at(20)), ["bob"]);
        assert_eq!(seats.expired(at(19)), Vec::<&str>::new());
    }

    #[test]
    fn what_was_taken_away_while_it_was_held_is_not_given_out_again() {
        let mut seats = two_seats();
        seats.remove(1);
        assert_eq!(seats.room_for(&"eve", 1, at(10)), Err(NoRoom::NotEnough { free: 0 }));
        assert_eq!(seats.room_for(&"eve", 1, at(20)), Ok(vec!["ada", "bob"]));
        assert_eq!(seats.room_for(&"ada", 1, at(10)), Err(NoRoom::NotEnough { free: 0 }));
    }

    proptest! {
        /// Commands with clocks that disagree: never more out than there is, and
        /// whoever confirms had a hold that nobody else was given. What is taken
        /// away while it is out is missing until it is given back.
        #[test]
        fn never_gives_out_more_than_there_is(
            capacity in 0_u64..6,
            commands in proptest::collection::vec((0_u8..6, 0_u8..5, 1_u64..3, 0_i64..40), 1..80),
        ) {
            let mut seats = Reservations::default();
            seats.add(capacity);
            let mut capacity = capacity;
            for (what, who, amount, now) in commands {
                match what {
                    0 | 1 => if let Ok(released) = seats.room_for(&who, amount, at(now)) {
                        released.iter().for_each(|expired| seats.release(expired));
                        prop_assert!(seats.free() >= amount);
                        seats.hold(who, amount, at(now + 10));
                    },
                    4 => {
                        seats.add(amount);
                        capacity += amount;
                    },
                    5 => {
                        seats.remove(amount);
                        capacity = capacity.saturating_sub(amount);
                    },
                    2 => if seats.held(&who, at(now)).is_ok() {
                        seats.confirm(&who);
                    },
                    _ => seats.expired(at(now)).iter().for_each(|expired| seats.release(expired)),
                }
                let held: u64 = seats.holds().map(|(_, hold)| hold.amount).sum();
                prop_assert_eq!(seats.free(), capacity.saturating_sub(held + seats.confirmed()));
            }
        }
    }
}
