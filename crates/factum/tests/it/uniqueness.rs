//! A value belongs to one owner, whoever asks at once.

use factum::prelude::*;
use factum::unique::{Claim, NotClaimed};

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);
#[derive(Id, Clone, Debug, PartialEq)]
struct NumberId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Account {
    NumberAssigned { #[id] id: AccountId, #[tag] number: NumberId },
    NumberRemoved { #[id] id: AccountId, #[tag] number: NumberId },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Account)]
struct Number {
    #[key]
    id: AccountId,
    number: Option<NumberId>,
}

impl Evolve<Account> for Number {
    fn evolve(&mut self, event: &Account) {
        self.number = match event {
            Account::NumberAssigned { number, .. } => Some(number.clone()),
            Account::NumberRemoved { .. } => None,
        };
    }
}

/// The other way: whose it is, by the tag of the account's own events.
#[derive(Model, Clone, Debug)]
#[folds(Account)]
struct Holder {
    #[key]
    number: NumberId,
    holder: Option<AccountId>,
}

impl Evolve<Account> for Holder {
    fn evolve(&mut self, event: &Account) {
        self.holder = match event {
            Account::NumberAssigned { id, .. } => Some(id.clone()),
            Account::NumberRemoved { .. } => None,
        };
    }
}

fn assign(store: &Store, id: &str, number: &str) -> Result<Receipt, DecideError<NotClaimed>> {
    let decide = |(claim, account): &(Claim, Number)| {
        let claimed = claim.take(&account.id)?;
        Ok((claimed, Account::NumberAssigned { id: account.id.clone(), number: number.into() }))
    };
    store.decide((Claim::to("iban", number), Number::of(id)), decide).run()
}

fn assign_by_tag(store: &Store, id: &str, number: &str) -> Result<Receipt, DecideError<String>> {
    let decide = |(holder, account): &(Holder, Number)| match &holder.holder {
        Some(holder) => Err(holder.to_string()),
        None => Ok(Account::NumberAssigned { id: account.id.clone(), number: number.into() }),
    };
    store.decide((Holder::of(number), Number::of(id)), decide).run()
}

#[test]
fn one_of_many_at_once_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, store) in [("m", Store::memory()), ("l", Store::open(dir.path().join("s")).unwrap())] {
        for (number, by_claim) in [("DE1", true), ("DE2", false)] {
            let winners: Vec<String> = std::thread::scope(|scope| {
                let tries: Vec<_> = (0..12)
                    .map(|n| {
                        let store = &store;
                        scope.spawn(move || {
                            let id = format!("{number}-{n}");
                            let got = match by_claim {
                                true => assign(store, &id, number).is_ok(),
                                false => assign_by_tag(store, &id, number).is_ok(),
                            };
                            got.then_some(id)
                        })
                    })
                    .collect();
                tries.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(winners.len(), 1, "{name} {number}");
            let holder = store.load(Holder::of(number)).run().unwrap();
            assert_eq!(holder.holder.as_ref().map(ToString::to_string), Some(winners[0].clone()));
            assert_eq!(holder.events, 1);
        }
    }
}

#[test]
fn a_claim_and_the_own_events_are_recorded_together_or_not_at_all() {
    let store = Store::memory();
    assert_eq!(assign(&store, "ada", "DE1").unwrap().events(), 2);
    let Err(DecideError::Rejected(taken)) = assign(&store, "bob", "DE1") else { panic!() };
    assert_eq!(taken, NotClaimed::Taken { owner: "ada".into() });
    assert_eq!(store.load(Number::of("bob")).run().unwrap().events, 0);
    // The account moves between reading and appending: neither is recorded then.
    let mut first = true;
    let receipt =
        store.decide((Claim::to("iban", "DE2"), Number::of("eve")), |(claim, account): &(Claim, Number)| {
            if std::mem::take(&mut first) {
                let other = Account::NumberAssigned { id: "eve".into(), number: "DE9".into() };
                store.record(other).run().unwrap();
            }
            match &account.number {
                Some(number) => Err(number.to_string()),
                None => Ok((claim.take("eve").map_err(|error| error.to_string())?, ())),
            }
        });
    assert!(matches!(receipt.run(), Err(DecideError::Rejected(number)) if number == "DE9"));
    assert_eq!(store.load(Claim::to("iban", "DE2")).run().unwrap().owner(), None);
}

#[test]
fn can_be_released_claimed_again_and_passed_on() {
    let store = Store::memory();
    assign(&store, "ada", "DE1").unwrap();
    let claim = || Claim::to("iban", "DE1");
    let owner = || store.load(claim()).run().unwrap().model.owner().map(str::to_owned);
    // Taking it again is nothing new.
    assert_eq!(store.decide(claim(), |claim| claim.take("ada")).run().unwrap().events(), 0);
    let bob = store.decide(claim(), |claim| claim.release("bob")).run();
    assert!(matches!(bob, Err(DecideError::Rejected(NotClaimed::Taken { .. }))));
    store.decide(claim(), |claim| claim.release("ada")).run().unwrap();
    assert_eq!(owner(), None);
    let again = store.decide(claim(), |claim| claim.release("ada")).run();
    assert!(matches!(again, Err(DecideError::Rejected(NotClaimed::Free))));
    store.decide(claim(), |claim| claim.take("bob")).run().unwrap();
    assert_eq!(owner().as_deref(), Some("bob"));
    assert_eq!(store.decide(claim(), |claim| claim.pass("bob", "eve")).run().unwrap().events(), 2);
    assert_eq!(owner().as_deref(), Some("eve"));
    assert!(store.decide(claim(), |claim| claim.pass("bob", "ada")).run().is_err());
}

#[test]
fn spaces_do_not_mix() {
    let store = Store::memory();
    store.decide(Claim::to("iban", "1"), |claim| claim.take("ada")).run().unwrap();
    assert!(store.decide(Claim::to("email", "1"), |claim| claim.take("bob")).run().is_ok());
    assert!(std::panic::catch_unwind(|| Claim::to("i:ban", "1")).is_err());
}

/// A program may have claims and commands of its own.
#[derive(Event, Clone, Debug, PartialEq)]
#[event(category = "claim")]
enum Claims {
    #[event(name = "ClaimTaken")]
    Taken {
        #[id]
        claim: OwnId,
        days: u32,
    },
}

#[derive(Id, Clone, Debug, PartialEq)]
#[id(key = "claim")]
struct OwnId(String);

#[test]
fn what_the_library_stores_has_names_of_its_own() {
    let store = Store::memory();
    store.record(Claims::Taken { claim: "iban:DE1".into(), days: 3 }).run().unwrap();
    assert_eq!(store.load(Claim::to("iban", "DE1")).run().unwrap().owner(), None);
    let take = |claim: &Claim| claim.take("ada");
    store.decide(Claim::to("iban", "DE1"), take).idempotency_key("k").run().unwrap();
    let events = store.events().read(factum_core::Read::all()).unwrap().skip(1);
    for (event, named) in
        events.map(Result::unwrap).zip(["$ClaimTaken $claim-iban:DE1", "$CommandDone $command-"])
    {
        let (event_type, stream) = named.split_once(' ').unwrap();
        assert_eq!(event.event_type.as_str(), event_type);
        assert!(event.stream.as_str().starts_with(stream), "{}", event.stream);
        assert!(event.tags.iter().all(|tag| tag.starts_with('$')), "{:?}", event.tags);
    }
    assert_eq!(store.events().last_position().unwrap(), Some(factum::Position::new(2)));
}
