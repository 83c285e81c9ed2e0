//! The first program, in 35 lines: events, a state, a decision, a stored
//! command, a view with a look back, a test. `docs/first-aggregate.md` goes through it.
//!
//! `cargo run -p factum-examples --bin first`

use factum::{Position, prelude::*};

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);

// What can happen. An event goes into the stream of its `#[id]`: `account-ada`.
#[rustfmt::skip] #[derive(Event, Clone, Debug, PartialEq)]
enum Account {
    Deposited { #[id] id: AccountId, cents: u64 },
    Withdrawn { #[id] id: AccountId, cents: u64 },
}

// What a decision needs to know, folded from what has happened. As a `Row` it is also
// what a view of all accounts shows.
#[rustfmt::skip] #[derive(Aggregate, Row, Clone, Debug)]
#[folds(Account)]
struct Balance { #[key] id: AccountId, cents: u64 }

impl Evolve<Account> for Balance {
    fn evolve(&mut self, event: &Account) {
        match event {
            Account::Deposited { cents, .. } => self.cents += cents,
            Account::Withdrawn { cents, .. } => self.cents -= cents,
        }
    }
}

// The rule, as a pure function: a state and a command in, an event or a no out.
fn withdraw(state: &Balance, cents: u64) -> Result<Account, &'static str> {
    if cents > state.cents { Err("too much") } else { Ok(Account::Withdrawn { id: state.id.clone(), cents }) }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::memory(); // or `Store::open("accounts")?`
    store.record(Account::Deposited { id: "ada".into(), cents: 500 }).run()?;
    store.decide(Balance::of("ada"), |balance| withdraw(balance, 200)).run()?;
    assert_eq!(store.load(Balance::of("ada")).run()?.cents, 300);
    assert_eq!(store.view(each::<Balance>()).as_of(Position::FIRST).run()?.rows()[0].cents, 500);
    Ok(())
}

#[test]
fn nobody_withdraws_more_than_there_is() {
    let given = factum::testing::given(Account::Deposited { id: "ada".into(), cents: 500 });
    given.when(Balance::of("ada"), |balance| withdraw(balance, 501)).then_rejected("too much");
}
