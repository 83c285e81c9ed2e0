//! What holds for every history: histories are made up, and folded in more ways
//! than one. The oracle folds the same facts with a plain loop.

use std::cell::RefCell;
use std::sync::Arc;

use factum::fold::Folded;
use factum::prelude::*;
use factum::store::StoreOptions;
use factum::testing::{ManualClock, fold_is_deterministic};
use factum::{DecideError, Position, Revision};
use factum_core::{MemoryStore, Until};
use proptest::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(u8);

#[derive(Id, Clone, Debug, PartialEq)]
struct PersonId(u8);

#[derive(Event, Clone, Debug, PartialEq)]
enum Account {
    Deposited {
        #[id]
        id: AccountId,
        #[tag]
        by: PersonId,
        cents: u32,
    },
    Withdrawn {
        #[id]
        id: AccountId,
        cents: u32,
    },
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Person {
    Moved {
        #[id]
        id: PersonId,
    },
}

/// Order matters to it, so that a fold in another order is noticed.
fn mixed(before: u64, what: u64) -> u64 {
    before.wrapping_mul(31).wrapping_add(what + 1)
}

fn hash_of(event: &Account) -> u64 {
    match event {
        Account::Deposited { cents, .. } => u64::from(*cents),
        Account::Withdrawn { cents, .. } => 1_000_000 + u64::from(*cents),
    }
}

/// One stream.
#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Account)]
struct Statement {
    #[key]
    id: AccountId,
    hash: u64,
}

/// One stream that lets deposits in between.
#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Account, commutes(Account::Deposited))]
struct Commuting {
    #[key]
    id: AccountId,
    hash: u64,
}

/// The events of many streams, of two enums, by a tag.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Account, Person)]
struct Giving {
    #[key]
    by: PersonId,
    hash: u64,
}

/// Everything there is.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Account)]
struct Ledger {
    hash: u64,
}

macro_rules! evolves {
    ($($model:ident)*) => {$(
        impl Evolve<Account> for $model {
            fn evolve(&mut self, event: &Account) {
                self.hash = mixed(self.hash, hash_of(event));
            }
        }
    )*};
}

evolves!(Statement Commuting Giving Ledger);

impl Evolve<Person> for Giving {
    fn evolve(&mut self, _: &Person) {
        self.hash = mixed(self.hash, 77);
    }
}

#[derive(Clone, Debug)]
enum Fact {
    Account(Account),
    Person(Person),
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let deposited = (0..3_u8, 0..2_u8, 0..50_u32).prop_map(|(id, by, cents)| {
        Fact::Account(Account::Deposited { id: id.into(), by: by.into(), cents })
    });
    let withdrawn = (0..3_u8, 0..50_u32)
        .prop_map(|(id, cents)| Fact::Account(Account::Withdrawn { id: id.into(), cents }));
    let moved = (0..2_u8).prop_map(|id| Fact::Person(Person::Moved { id: id.into() }));
    proptest::collection::vec(prop_oneof![4 => deposited, 2 => withdrawn, 1 => moved], 0..40)
}

fn record(store: &Store, fact: &Fact) {
    match fact {
        Fact::Account(event) => store.record(event.clone()).run().unwrap(),
        Fact::Person(event) => store.record(event.clone()).run().unwrap(),
    };
}

fn store_of(facts: &[Fact]) -> Store {
    let (store, _) = factum::testing::store();
    facts.iter().for_each(|fact| record(&store, fact));
    store
}

/// The oracle: plain loops over the facts that matter.
fn statement(facts: &[Fact], account: u8) -> u64 {
    facts.iter().fold(0, |hash, fact| match fact {
        Fact::Account(event @ (Account::Deposited { id, .. } | Account::Withdrawn { id, .. }))
            if id.0 == account =>
        {
            mixed(hash, hash_of(event))
        }
        _ => hash,
    })
}

fn giving(facts: &[Fact], person: u8) -> u64 {
    facts.iter().fold(0, |hash, fact| match fact {
        Fact::Account(event @ Account::Deposited { by, .. }) if by.0 == person => mixed(hash, hash_of(event)),
        Fact::Person(Person::Moved { id }) if id.0 == person => mixed(hash, 77),
        _ => hash,
    })
}

fn ledger(facts: &[Fact]) -> u64 {
    facts.iter().fold(0, |hash, fact| match fact {
        Fact::Account(event) => mixed(hash, hash_of(event)),
        Fact::Person(_) => hash,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_of_every_position_is_the_fold_of_the_prefix(facts in facts()) {
        let store = store_of(&facts);
        for end in 1..=facts.len() {
            let (at, prefix) = (Position::new(end as u64 - 1), &facts[..end]);
            for account in 0..3 {
                let found = store.load(Statement::of(account)).as_of(at).run().unwrap();
                prop_assert_eq!(found.hash, statement(prefix, account));
                prop_assert_eq!(found.revision, Revision::new(found.events).previous());
                let found = store.load(Commuting::of(account)).as_of(at).run().unwrap();
                prop_assert_eq!(found.hash, statement(prefix, account));
            }
            for person in 0..2 {
                let found = store.load(Giving::of(person)).as_of(at).run().unwrap();
                prop_assert_eq!(found.hash, giving(prefix, person));
            }
            prop_assert_eq!(store.load(Ledger::of()).as_of(at).run().unwrap().hash, ledger(prefix));
        }
    }

    #[test]
    fn a_tuple_is_its_parts_at_one_moment(facts in facts(), end in 0..40_u64) {
        let store = store_of(&facts);
        let at = Position::new(end);
        let whole = (Statement::of(0), Giving::of(1), (Commuting::of(1), Ledger::of()), Giving::of(0));
        let whole = store.load(whole).as_of(at).run().unwrap().model;
        let parts = (
            store.load(Statement::of(0)).as_of(at).run().unwrap().model,
            store.load(Giving::of(1)).as_of(at).run().unwrap().model,
            (
                store.load(Commuting::of(1)).as_of(at).run().unwrap().model,
                store.load(Ledger::of()).as_of(at).run().unwrap().model,
            ),
            store.load(Giving::of(0)).as_of(at).run().unwrap().model,
        );
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn a_fold_may_stop_anywhere(facts in facts(), mut stops in proptest::collection::vec(0..40_u64, 0..8)) {
        let store = store_of(&facts);
        stops.sort_unstable();
        let model = (Giving::of(0), Statement::of(1), Ledger::of());
        let boundary = model.boundary().unwrap();
        let mut folded = Folded::new(model);
        let stops = stops.into_iter().map(|stop| Until::Position(Position::new(stop)));
        for until in stops.chain([Until::Edge]) {
            folded.advance(&**store.events(), &boundary, until).unwrap();
        }
        let (giving_0, statement_1, all) = folded.model;
        prop_assert_eq!(giving_0.hash, giving(&facts, 0));
        prop_assert_eq!(statement_1.hash, statement(&facts, 1));
        prop_assert_eq!(all.hash, ledger(&facts));
    }

    #[test]
    fn every_decision_was_made_on_exactly_what_stood_before_it(
        steps in proptest::collection::vec((facts(), 0..4_u8, any::<bool>()), 1..8)
    ) {
        // Two stores over one log: what one keeps warm, the other makes stale.
        let port = Arc::new(MemoryStore::with_clock(Arc::new(ManualClock::default())));
        let stores = [(); 2].map(|()| Store::over(port.clone(), StoreOptions::default()));
        for (between, kind, turn) in steps {
            between.iter().take(3).for_each(|fact| record(&stores[1], fact));
            let store = &stores[usize::from(turn)];
            match kind {
                0 => decided_on_what_stood(store, Statement::of(0)),
                1 => decided_on_what_stood(store, Giving::of(0)),
                2 => decided_on_what_stood(store, (Statement::of(1), Giving::of(0))),
                _ => decided_on_what_stood(store, Ledger::of()),
            }
        }
    }

    #[test]
    fn folds_are_deterministic_for_every_model(facts in facts()) {
        let events: Vec<_> = facts.into_iter().filter_map(|fact| match fact {
            Fact::Account(event) => Some(event),
            Fact::Person(_) => None,
        }).take(12).collect();
        fold_is_deterministic((Statement::of(0), Giving::of(0), Ledger::of()), events.clone());
        fold_is_deterministic(Commuting::of(1), events);
    }
}

/// Decides, and compares the state it was decided on with a cold look at the
/// moment before.
fn decided_on_what_stood<M: Model + PartialEq + std::fmt::Debug>(store: &Store, model: M) {
    let seen = RefCell::new(model.clone());
    let deciding = store.decide(model.clone(), |state: &M| {
        seen.replace(state.clone());
        Ok::<_, ()>(Account::Deposited { id: 0.into(), by: 0.into(), cents: 1 })
    });
    let receipt = match deciding.run() {
        Ok(receipt) => receipt,
        Err(DecideError::Rejected(()) | DecideError::AlreadyDone(_)) => unreachable!("it never refuses"),
        Err(error) => panic!("{error:?}"),
    };
    let before = receipt.last_position().unwrap().previous();
    let stood = match before {
        Some(before) => store.load(model).as_of(before).run().unwrap().model,
        None => model,
    };
    assert_eq!(seen.into_inner(), stood);
}
