//! The past: time travel and snapshots, on a bank with accounts and owners.

mod determinism;
mod history;
mod properties;
mod rules;
mod snapshots;
mod trust;

use std::sync::Arc;

use factum::prelude::*;
use factum::store::StoreOptions;
use factum_core::{ManualClock, MemoryStore};
use serde::{Deserialize, Serialize};

#[derive(Id, Clone, Debug, PartialEq)]
pub struct AccountId(String);

#[derive(Id, Clone, Debug, PartialEq)]
pub struct OwnerId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
pub enum Account {
    Opened { #[id] id: AccountId, #[tag] owner: OwnerId },
    Deposited { #[id] id: AccountId, cents: i64, #[tag] owner: OwnerId },
    Withdrawn { #[id] id: AccountId, cents: i64, #[tag] owner: OwnerId },
}

/// One account: one stream.
#[derive(Aggregate, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[folds(Account)]
pub struct Balance {
    #[key]
    pub id: AccountId,
    pub cents: i64,
    pub changes: Vec<i64>,
}

impl Evolve<Account> for Balance {
    fn evolve(&mut self, event: &Account) {
        let cents = change(event);
        self.cents += cents;
        self.changes.push(cents);
    }
}

/// All accounts of an owner: found by tags.
#[derive(Model, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[folds(Account)]
pub struct Wealth {
    #[key]
    pub owner: OwnerId,
    pub cents: i64,
    pub order: String,
}

impl Evolve<Account> for Wealth {
    fn evolve(&mut self, event: &Account) {
        self.cents += change(event);
        self.order += match event {
            Account::Opened { .. } => "o",
            Account::Deposited { .. } => "+",
            Account::Withdrawn { .. } => "-",
        };
    }
}

pub fn change(event: &Account) -> i64 {
    match event {
        Account::Opened { .. } => 0,
        Account::Deposited { cents, .. } => *cents,
        Account::Withdrawn { cents, .. } => -cents,
    }
}

pub fn opened(id: &str) -> Account {
    Account::Opened { id: id.into(), owner: "eve".into() }
}

pub fn deposited(id: &str, cents: i64) -> Account {
    Account::Deposited { id: id.into(), cents, owner: "eve".into() }
}

pub fn withdrawn(id: &str, cents: i64) -> Account {
    Account::Withdrawn { id: id.into(), cents, owner: "eve".into() }
}

pub fn deposit(balance: &Balance, cents: i64) -> Result<Account, &'static str> {
    Ok(deposited(&balance.id.0, cents))
}

/// The second of each event is its position.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(second)
}

/// A store in memory whose clock moves by hand.
pub fn clocked(options: StoreOptions) -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(at(0)));
    (Store::over(Arc::new(MemoryStore::with_clock(clock.clone())), options), clock)
}

/// Two accounts of one owner, an event a second:
///
/// ```text
///   position   0       1      2       3      4       5
///   ada        opened  +500           +300           -200     0 500 800 600
///   bob                       opened         +70              0 70
/// ```
pub fn bank(options: StoreOptions) -> Store {
    let (store, clock) = clocked(options);
    let events = [
        opened("ada"),
        deposited("ada", 500),
        opened("bob"),
        deposited("ada", 300),
        deposited("bob", 70),
        withdrawn("ada", 200),
    ];
    for (second, event) in events.into_iter().enumerate() {
        clock.set(at(second as i64));
        store.record(event).run().unwrap();
    }
    store
}
