//! A bank and its read models, for the tests of all ways.

pub mod each;
mod inline;
mod memory;
mod on_demand;
pub mod panics;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Event, Id, Projection, RecordedEvent, Row, Rows, Store};

#[derive(Id, Clone, Debug, PartialEq)]
pub struct AccountId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
pub enum Account {
    Opened { #[id] id: AccountId, owner: String },
    Deposited { #[id] id: AccountId, cents: i64 },
    Closed { #[id] id: AccountId },
}

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
pub enum Transfer {
    Made { #[id] from: AccountId, #[tag] to: AccountId, cents: i64 },
}

/// What no read model asks for.
#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
pub enum Visit {
    Paid { #[id] account: AccountId },
}

/// Two enums as one.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum Money {
    Account(Account),
    Transfer(Transfer),
}

#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    Good,
    Overdrawn,
}

#[derive(Row, Clone, Debug, PartialEq)]
pub struct Balance {
    #[key]
    pub account: AccountId,
    pub owner: Option<String>,
    pub cents: i64,
    #[index]
    pub standing: Standing,
    pub share: f64,
    pub is_rich: bool,
    pub last_deposits: Vec<i64>,
}

/// What everybody has.
pub struct Balances;

impl Projection for Balances {
    const NAME: &'static str = "balances";
    type Event = Money;
    type Row = Balance;

    fn project(&self, event: &Money, _: &RecordedEvent, rows: &mut Rows<'_, Balance>) {
        let mut pay = |account: &AccountId, cents: i64, is_deposit: bool| {
            rows.upsert(
                account,
                || Balance {
                    account: account.clone(),
                    owner: None,
                    cents: 0,
                    standing: Standing::Good,
                    share: 0.0,
                    is_rich: false,
                    last_deposits: Vec::new(),
                },
                |balance| {
                    balance.cents += cents;
                    balance.standing = if balance.cents < 0 { Standing::Overdrawn } else { Standing::Good };
                    balance.share = balance.cents as f64 / 7.0;
                    balance.is_rich = balance.cents > 500;
                    if is_deposit {
                        balance.last_deposits.push(cents);
                        balance.last_deposits.drain(..balance.last_deposits.len().saturating_sub(3));
                    }
                },
            );
        };
        match event {
            Money::Account(Account::Opened { id, owner }) => {
                pay(id, 0, false);
                rows.update(id, |balance| balance.owner = Some(owner.clone()));
            }
            Money::Account(Account::Deposited { id, cents }) => pay(id, *cents, true),
            Money::Account(Account::Closed { id }) => {
                rows.delete(id);
            }
            Money::Transfer(Transfer::Made { from, to, cents }) => {
                pay(from, -cents, false);
                pay(to, *cents, false);
            }
        }
    }
}

#[derive(Row, Clone, Debug, PartialEq)]
pub struct Flow {
    #[key]
    pub from: AccountId,
    #[key]
    pub to: AccountId,
    pub transfers: u32,
}

/// A key of two fields.
pub struct Flows;

impl Projection for Flows {
    const NAME: &'static str = "flows";
    type Event = Transfer;
    type Row = Flow;

    fn project(&self, event: &Transfer, _: &RecordedEvent, rows: &mut Rows<'_, Flow>) {
        let Transfer::Made { from, to, .. } = event;
        let key = (from.clone(), to.clone());
        rows.upsert(
            &key,
            || Flow { from: from.clone(), to: to.clone(), transfers: 0 },
            |flow| flow.transfers += 1,
        );
    }
}

#[derive(Row, Clone, Debug, PartialEq)]
pub struct Tally {
    #[key]
    pub what: String,
    pub events: u64,
    pub last_position: u64,
}

/// Counts events, and notices one that comes twice or not at all. Refuses a
/// deposit of -1.
pub struct Tallies;

impl Projection for Tallies {
    const NAME: &'static str = "tallies";
    type Event = Account;
    type Row = Tally;

    fn project(&self, event: &Account, recorded: &RecordedEvent, rows: &mut Rows<'_, Tally>) {
        let position = recorded.position.get();
        let before = rows.get(&"all".to_owned());
        if before.is_some_and(|before| before.last_position >= position) {
            rows.refuse("it comes a second time");
        }
        rows.upsert(
            &"all".to_owned(),
            || Tally { what: "all".to_owned(), events: 0, last_position: 0 },
            |tally| {
                tally.events += 1;
                tally.last_position = position;
            },
        );
        if let Account::Deposited { cents: -1, .. } = event {
            rows.refuse("nobody deposits less than nothing");
        }
    }
}

/// Something to be recorded.
#[derive(Clone, Debug)]
pub enum Happened {
    Money(Money),
    Visit(Visit),
}

pub fn deposit(id: &str, cents: i64) -> Account {
    Account::Deposited { id: id.into(), cents }
}

pub fn visit(id: &str) -> Visit {
    Visit::Paid { account: id.into() }
}

/// Any history of a small bank.
pub fn history() -> impl Strategy<Value = Vec<Happened>> {
    let account = || "[a-d]".prop_map(|name| AccountId::from(name.as_str()));
    let happened = prop_oneof![
        3 => (account(), -50_i64..400).prop_map(|(id, cents)| Money::Account(Account::Deposited { id, cents })),
        2 => (account(), account(), 1_i64..300)
            .prop_map(|(from, to, cents)| Money::Transfer(Transfer::Made { from, to, cents })),
        1 => (account(), ".{0,4}").prop_map(|(id, owner)| Money::Account(Account::Opened { id, owner })),
        1 => account().prop_map(|id| Money::Account(Account::Closed { id })),
    ]
    .prop_map(Happened::Money);
    let visit = account().prop_map(|account| Happened::Visit(Visit::Paid { account }));
    prop::collection::vec(prop_oneof![8 => happened, 1 => visit], 0..60)
}

pub fn record(store: &Store, history: &[Happened]) {
    for happened in history {
        match happened {
            Happened::Money(money) => store.record(money.clone()).run(),
            Happened::Visit(visit) => store.record(visit.clone()).run(),
        }
        .unwrap();
    }
}
