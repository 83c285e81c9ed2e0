//! The first program: events, a state, a decision, a command, a look back.
//!
//! `cargo run -p factum-examples --bin first`

use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Account {
    Opened { #[id] id: AccountId, owner: String },
    Deposited { #[id] id: AccountId, cents: u64 },
    Withdrawn { #[id] id: AccountId, cents: u64 },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Account)]
struct Balance {
    #[key]
    id: AccountId,
    cents: u64,
}

impl Evolve<Account> for Balance {
    fn evolve(&mut self, event: &Account) {
        match event {
            Account::Opened { .. } => {}
            Account::Deposited { cents, .. } => self.cents += cents,
            Account::Withdrawn { cents, .. } => self.cents -= cents,
        }
    }
}

fn withdraw(balance: &Balance, cents: u64) -> Result<Account, &'static str> {
    if cents > balance.cents {
        return Err("there is not that much money in the account");
    }
    Ok(Account::Withdrawn { id: balance.id.clone(), cents })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::memory(); // or `Store::open("accounts")?`
    let id = AccountId::from("ada");
    store.record(Account::Opened { id: id.clone(), owner: "Ada".into() }).run()?;
    let deposited = store.record(Account::Deposited { id: id.clone(), cents: 500 }).run()?;

    store.decide(Balance::of(&id), |balance| withdraw(balance, 200)).run()?;
    assert_eq!(store.load(Balance::of(&id)).run()?.cents, 300);

    let before = deposited.last_position().ok_or("it recorded an event")?;
    assert_eq!(store.load(Balance::of(&id)).as_of(before).run()?.cents, 500);
    Ok(())
}

#[test]
fn what_it_shows_is_so() {
    main().unwrap();
}
