//! A number that belongs to one account only, and the question who tried to get
//! one that was taken.
//!
//! `cargo run -p factum-examples --bin account-number`

use factum::command::actor_of;
use factum::prelude::*;
use factum::unique::{Claim, NotClaimed};
use factum::{RecordedEvent, Timestamp};

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);

#[derive(Id, Clone, Debug, PartialEq)]
#[id(key = "number")]
struct AccountNumber(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Account {
    NumberAssigned { #[id] account: AccountId, #[tag] number: AccountNumber },
    NumberRejected { #[id] account: AccountId, #[tag] number: AccountNumber, reason: String },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Account)]
struct Number {
    #[key]
    account: AccountId,
    number: Option<AccountNumber>,
}

impl Evolve<Account> for Number {
    fn evolve(&mut self, event: &Account) {
        if let Account::NumberAssigned { number, .. } = event {
            self.number = Some(number.clone());
        }
    }
}

/// The fraud question: who tried to get this number and did not, and when?
#[derive(Model, Clone, Debug)]
#[folds(Account)]
struct Attempts {
    #[key]
    number: AccountNumber,
    rejected: Vec<Attempt>,
}

#[derive(Clone, Debug)]
struct Attempt {
    account: AccountId,
    actor: Option<String>,
    reason: String,
    at: Timestamp,
}

impl Evolve<Account> for Attempts {
    fn evolve(&mut self, _: &Account) {}

    fn evolve_at(&mut self, event: &Account, recorded: &RecordedEvent) {
        if let Account::NumberRejected { account, reason, .. } = event {
            let (account, reason) = (account.clone(), reason.clone());
            let (actor, at) = (actor_of(recorded), recorded.recorded_at);
            self.rejected.push(Attempt { account, actor, reason, at });
        }
    }
}

impl Attempts {
    /// From how many accounts it was tried.
    fn accounts(&self) -> usize {
        let mut accounts: Vec<_> = self.rejected.iter().map(|attempt| attempt.account.to_string()).collect();
        accounts.sort();
        accounts.dedup();
        accounts.len()
    }
}

/// The claim and the assignment are one atomic append; a refusal is an event too.
fn assign(
    store: &Store,
    account: &str,
    number: &str,
    actor: &str,
) -> Result<Receipt, DecideError<NotClaimed>> {
    let (account, number) = (AccountId::from(account), AccountNumber::from(number));
    let decide = |(claim, state): &(Claim, Number)| {
        let claimed = claim.take(&state.account)?;
        let (account, number) = (state.account.clone(), number.clone());
        Ok((claimed, Account::NumberAssigned { account, number }))
    };
    let refused = number.clone();
    store
        .decide((Claim::to("account number", &number), Number::of(&account)), decide)
        .actor(actor)
        .record_rejection(move |(_, state), reason: &NotClaimed| Account::NumberRejected {
            account: state.account.clone(),
            number: refused.clone(),
            reason: reason.to_string(),
        })
        .run()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::memory(); // or `Store::open("accounts")?`
    assign(&store, "ada", "DE89 3704", "branch 1")?;

    // Many try to get the same number; nobody else has it afterwards.
    for (account, actor) in [("eve", "web"), ("mallory", "web"), ("eve", "phone"), ("trudy", "web")] {
        let refused = assign(&store, account, "DE89 3704", actor);
        assert!(matches!(refused, Err(DecideError::Rejected(NotClaimed::Taken { .. }))));
        assert_eq!(store.load(Number::of(account)).run()?.number, None);
    }
    assert_eq!(store.load(Claim::to("account number", "DE89 3704")).run()?.owner(), Some("ada"));
    // Another number is no matter of theirs.
    assign(&store, "eve", "DE12 0001", "web")?;
    assert_eq!(store.load(Attempts::of("DE12 0001")).run()?.rejected.len(), 0);

    // How many tried this number, who, when?
    let attempts = store.load(Attempts::of("DE89 3704")).run()?;
    assert_eq!((attempts.rejected.len(), attempts.accounts()), (4, 3));
    for Attempt { account, actor, reason, at } in &attempts.rejected {
        println!("{at}  {account:8} by {}: {reason}", actor.as_deref().unwrap_or("nobody"));
    }
    assert_eq!(attempts.rejected[2].actor.as_deref(), Some("phone"));
    assert!(attempts.rejected.iter().all(|attempt| attempt.reason == "it belongs to ada"));
    // And what was known before the last one tried?
    let last = attempts.position.and_then(|position| position.previous()).ok_or("some tried")?;
    assert_eq!(store.load(Attempts::of("DE89 3704")).as_of(last).run()?.rejected.len(), 3);
    Ok(())
}

#[test]
fn what_it_shows_is_so() {
    main().unwrap();
}
