//! A bank account, and a dispute about it: "I deposited $50 yesterday, but my
//! balance is $20. Where is my money?"
//!
//! `cargo run -p factum-examples --bin bank-account`

use factum::history::Statement;
use factum::prelude::*;
use factum::{Position, Revision};
use serde::Serialize;

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Account {
    Opened { #[id] id: AccountId, owner: String },
    Deposited { #[id] id: AccountId, dollars: i64 },
    Withdrawn { #[id] id: AccountId, dollars: i64 },
    SubscriptionFeeCharged { #[id] id: AccountId, dollars: i64, plan: String },
}

#[derive(Aggregate, Clone, Debug, PartialEq, Serialize)]
#[folds(Account)]
struct Balance {
    #[key]
    id: AccountId,
    dollars: i64,
}

impl Evolve<Account> for Balance {
    fn evolve(&mut self, event: &Account) {
        match event {
            Account::Opened { .. } => {}
            Account::Deposited { dollars, .. } => self.dollars += dollars,
            Account::Withdrawn { dollars, .. } | Account::SubscriptionFeeCharged { dollars, .. } => {
                self.dollars -= dollars;
            }
        }
    }
}

fn deposit(balance: &Balance, dollars: i64) -> Result<Account, String> {
    Ok(Account::Deposited { id: balance.id.clone(), dollars })
}

fn withdraw(balance: &Balance, dollars: i64) -> Result<Account, String> {
    match dollars <= balance.dollars {
        true => Ok(Account::Withdrawn { id: balance.id.clone(), dollars }),
        false => Err(format!("there are only ${} in the account", balance.dollars)),
    }
}

/// Your balance shows $1,000, but how did it get there?
fn how_did_it_get_there(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    let id = AccountId::from("1");
    store.record(Account::Opened { id: id.clone(), owner: "Ada".into() }).run()?;
    store.decide(Balance::of(&id), |balance| deposit(balance, 500)).run()?;
    store.decide(Balance::of(&id), |balance| deposit(balance, 300)).run()?;
    store.decide(Balance::of(&id), |balance| withdraw(balance, 200)).run()?;
    store.decide(Balance::of(&id), |balance| deposit(balance, 400)).run()?;
    assert_eq!(store.load(Balance::of(&id)).run()?.dollars, 1_000);

    let history = store.load(Balance::of(&id)).history().run()?;
    let balances: Vec<_> = history.iter().map(|change| change.after.dollars).collect();
    assert_eq!(balances, [0, 500, 800, 600, 1_000]);

    let refused = store.decide(Balance::of(&id), |balance| withdraw(balance, 1_001)).run();
    assert!(matches!(refused, Err(DecideError::Rejected(_))));
    Ok(())
}

/// The first eleven events made $20; then came the deposit and the fee.
fn what_happened(store: &Store, id: &AccountId) -> Result<(), Box<dyn std::error::Error>> {
    store.record(Account::Opened { id: id.clone(), owner: "Ben".into() }).run()?;
    for _ in 0..10 {
        store.decide(Balance::of(id), |balance| deposit(balance, 2)).actor("Ben").run()?;
    }
    store.decide(Balance::of(id), |balance| deposit(balance, 50)).actor("Ben").run()?;
    let renew = |balance: &Balance| {
        let (id, plan) = (balance.id.clone(), "Premium".to_owned());
        Ok::<_, String>(Account::SubscriptionFeeCharged { id, dollars: 50, plan })
    };
    store.decide(Balance::of(id), renew).actor("renewals").run()?;
    Ok(())
}

/// The answer, and the evidence.
fn where_is_my_money(store: &Store, id: &AccountId) -> Result<Statement, Box<dyn std::error::Error>> {
    let at = |revision| store.load(Balance::of(id)).as_of(Revision::new(revision)).run();
    assert_eq!((at(10)?.dollars, at(11)?.dollars, at(12)?.dollars), (20, 70, 20));
    assert_eq!(store.load(Balance::of(id)).run()?.dollars, 20);

    let diff = store.load(Balance::of(id)).diff(Revision::new(10), Revision::new(11)).run()?;
    assert_eq!(diff.to_string(), "~ /dollars  20 → 70");

    let statement = store.load(Balance::of(id)).explain().from(Revision::new(11)).run()?;
    let told: Vec<_> = statement
        .entries
        .iter()
        .map(|entry| (entry.event_type.as_str(), entry.actor.as_deref(), entry.changes.to_string()))
        .collect();
    assert_eq!(
        told,
        [
            ("AccountDeposited", Some("Ben"), "~ /dollars  20 → 70".to_owned()),
            ("AccountSubscriptionFeeCharged", Some("renewals"), "~ /dollars  70 → 20".to_owned()),
        ]
    );
    assert_eq!((&statement.before["dollars"], &statement.after()["dollars"]), (&20.into(), &20.into()));
    Ok(statement)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::memory(); // or `Store::open("bank")?`
    how_did_it_get_there(&store)?;
    let id = AccountId::from("123");
    what_happened(&store, &id)?;
    let statement = where_is_my_money(&store, &id)?;
    println!("{statement}");

    // What is printed has every figure of the dispute, in order.
    let text = statement.to_string();
    let mut rest = text.as_str();
    let figures = [
        "Balance: 2 events",
        "AccountDeposited  by Ben",
        "account-123 revision 11",
        "~ /dollars  20 → 70",
        "AccountSubscriptionFeeCharged  by renewals",
        "account-123 revision 12",
        "~ /dollars  70 → 20",
    ];
    for figure in figures {
        rest = rest.split_once(figure).ok_or(figure)?.1;
    }

    // The same on the whole log: before the dispute there was only the first account.
    let before = store.load((Balance::of("1"), Balance::of("123"))).as_of(Position::new(4)).run()?;
    assert_eq!((before.0.dollars, before.1.dollars), (1_000, 0));
    Ok(())
}

#[test]
fn what_it_shows_is_so() {
    main().unwrap();
}
