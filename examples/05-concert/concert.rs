//! The domain: sectors of a concert, whose tickets are sold or held.

use std::collections::BTreeSet;
use std::error::Error;

use factum::prelude::*;
use factum::reservation::{NoRoom, NotHeld, Reservations};

#[derive(Id, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConcertId(pub String);

#[derive(Id, Clone, Debug, PartialEq, Eq, Hash)]
pub struct SectorId(pub String);

#[derive(Id, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuyerId(pub u64);

/// One sector is one stream; the whole concert is a tag over all of them.
#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
pub enum Sector {
    Opened { #[id] sector: SectorId, #[tag] concert: ConcertId, tickets: u64 },
    Held { #[id] sector: SectorId, #[tag] concert: ConcertId, buyer: BuyerId, until: i64 },
    Released { #[id] sector: SectorId, #[tag] concert: ConcertId, buyer: BuyerId },
    Sold { #[id] sector: SectorId, #[tag] concert: ConcertId, buyer: BuyerId, ticket: u64 },
}

/// What decisions to sell need: how many are left.
#[derive(Aggregate, Clone, Debug)]
#[folds(Sector)]
pub struct Tickets {
    #[key]
    sector: SectorId,
    concert: Option<ConcertId>,
    seats: Reservations<BuyerId>,
}

impl Evolve<Sector> for Tickets {
    fn evolve(&mut self, event: &Sector) {
        match event {
            Sector::Opened { concert, tickets, .. } => {
                self.concert = Some(concert.clone());
                self.seats.add(*tickets);
            }
            Sector::Held { buyer, until, .. } => self.seats.hold(*buyer, 1, Timestamp::from_seconds(*until)),
            Sector::Released { buyer, .. } => self.seats.release(buyer),
            Sector::Sold { buyer, .. } => {
                // Whoever buys at once holds for no time at all.
                if !self.seats.holds().any(|(holder, _)| holder == buyer) {
                    self.seats.hold(*buyer, 1, Timestamp::MAX);
                }
                self.seats.confirm(buyer);
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoldOut;

impl From<NoRoom> for SoldOut {
    fn from(_: NoRoom) -> Self {
        Self
    }
}

impl From<NotHeld> for SoldOut {
    fn from(_: NotHeld) -> Self {
        Self
    }
}

/// How long a ticket is held, in seconds.
pub const HOLD: i64 = 15 * 60;

impl Tickets {
    /// Sells one at once.
    pub fn sell(&self, buyer: BuyerId) -> Result<Sector, SoldOut> {
        if self.seats.free() == 0 {
            return Err(SoldOut);
        }
        self.sold(buyer)
    }

    /// Holds one for a while; those whose time is over make room.
    pub fn hold(&self, buyer: BuyerId, now: i64) -> Result<Vec<Sector>, SoldOut> {
        let concert = self.concert.clone().ok_or(SoldOut)?;
        let expired = self.seats.room_for(&buyer, 1, Timestamp::from_seconds(now))?;
        let mut events: Vec<_> =
            expired.into_iter().map(|expired| self.released(&concert, expired)).collect();
        events.push(Sector::Held { sector: self.sector.clone(), concert, buyer, until: now + HOLD });
        Ok(events)
    }

    /// The buyer has paid.
    pub fn confirm(&self, buyer: BuyerId, now: i64) -> Result<Sector, SoldOut> {
        self.seats.held(&buyer, Timestamp::from_seconds(now))?;
        self.sold(buyer)
    }

    /// Releases what has expired.
    pub fn sweep(&self, now: i64) -> Vec<Sector> {
        let Some(concert) = &self.concert else { return Vec::new() };
        let expired = self.seats.expired(Timestamp::from_seconds(now));
        expired.into_iter().map(|buyer| self.released(concert, buyer)).collect()
    }

    fn sold(&self, buyer: BuyerId) -> Result<Sector, SoldOut> {
        let concert = self.concert.clone().ok_or(SoldOut)?;
        Ok(Sector::Sold { sector: self.sector.clone(), concert, buyer, ticket: self.seats.confirmed() })
    }

    fn released(&self, concert: &ConcertId, buyer: BuyerId) -> Sector {
        Sector::Released { sector: self.sector.clone(), concert: concert.clone(), buyer }
    }
}

/// The merged view over all sectors: who has which ticket.
#[derive(Model, Clone, Debug)]
#[folds(Sector)]
pub struct Audience {
    #[key]
    concert: ConcertId,
    tickets: BTreeSet<(String, u64)>,
    buyers: BTreeSet<BuyerId>,
    sales: u64,
}

impl Evolve<Sector> for Audience {
    fn evolve(&mut self, event: &Sector) {
        if let Sector::Sold { sector, buyer, ticket, .. } = event {
            self.tickets.insert((sector.to_string(), *ticket));
            self.buyers.insert(*buyer);
            self.sales += 1;
        }
    }
}

pub const CONCERT: &str = "ts2025";

pub fn open(store: &Store, sector: &SectorId, tickets: u64) -> Result<(), StoreError> {
    let concert = ConcertId::from(CONCERT);
    store.record(Sector::Opened { sector: sector.clone(), concert, tickets }).run().map(drop)
}

/// As many sales as tickets, none of them twice, no buyer twice.
pub fn sold_once(store: &Store, tickets: u64) -> Result<(), Box<dyn Error>> {
    let audience = store.load(Audience::of(CONCERT)).run()?;
    let (distinct, buyers) = (audience.tickets.len() as u64, audience.buyers.len() as u64);
    assert_eq!((audience.sales, distinct, buyers), (tickets, tickets, tickets));
    Ok(())
}
