//! Rejections as events: why, and by whom, and how often something was tried.

use factum::prelude::*;
use factum::{RecordedEvent, command::actor_of};

#[derive(Id, Clone, Debug, PartialEq)]
struct NumberId(String);
#[derive(Id, Clone, Debug, PartialEq)]
struct UserId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Number {
    Given { #[id] number: NumberId, #[tag] user: UserId },
    Refused { #[id] number: NumberId, #[tag] user: UserId, reason: String },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Number)]
struct Owner {
    #[key]
    number: NumberId,
    owner: Option<UserId>,
}

impl Evolve<Number> for Owner {
    fn evolve(&mut self, event: &Number) {
        if let Number::Given { user, .. } = event {
            self.owner = Some(user.clone());
        }
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("it belongs to {owner}")]
struct Taken {
    owner: UserId,
}

/// The question: how often did this user try for what belongs to others?
#[derive(Model, Clone, Debug)]
#[folds(Number)]
struct Tries {
    #[key]
    user: UserId,
    refused: Vec<(String, String, Option<String>, Timestamp)>,
}

impl Evolve<Number> for Tries {
    fn evolve(&mut self, _: &Number) {}
    fn evolve_at(&mut self, event: &Number, recorded: &RecordedEvent) {
        if let Number::Refused { number, reason, .. } = event {
            let (number, reason) = (number.to_string(), reason.clone());
            self.refused.push((number, reason, actor_of(recorded), recorded.recorded_at));
        }
    }
}

fn give(store: &Store, number: &str, user: &str, key: Option<&str>) -> Result<Receipt, DecideError<Taken>> {
    let user = UserId::from(user);
    let decide = {
        let user = user.clone();
        move |state: &Owner| match &state.owner {
            Some(owner) => Err(Taken { owner: owner.clone() }),
            None => Ok(Number::Given { number: state.number.clone(), user: user.clone() }),
        }
    };
    let deciding = store.decide(Owner::of(number), decide).actor(format!("clerk of {user}"));
    let deciding = deciding.record_rejection(move |state, taken| Number::Refused {
        number: state.number.clone(),
        user: user.clone(),
        reason: taken.to_string(),
    });
    match key {
        Some(key) => deciding.idempotency_key(key).run(),
        None => deciding.run(),
    }
}

#[test]
fn are_answered_and_recorded_with_reason_and_actor() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), Store::open(dir.path().join("s")).unwrap()] {
        give(&store, "DE1", "ada", None).unwrap();
        for tries in 1..=3 {
            let answer = give(&store, "DE1", "eve", None);
            let Err(DecideError::Rejected(taken)) = answer else { panic!("{answer:?}") };
            assert_eq!(taken, Taken { owner: "ada".into() });
            let known = store.load(Tries::of("eve")).run().unwrap();
            assert_eq!(known.refused.len(), tries);
        }
        give(&store, "DE2", "eve", None).unwrap();
        let known = store.load(Tries::of("eve")).run().unwrap();
        let (number, reason, actor, _) = &known.refused[0];
        assert_eq!((number.as_str(), reason.as_str()), ("DE1", "it belongs to ada"));
        assert_eq!(actor.as_deref(), Some("clerk of eve"));
        assert_eq!(store.load(Tries::of("ada")).run().unwrap().refused.len(), 0);
        // As it was known back then.
        let third = known.position.unwrap();
        let second = factum::Position::new(third.get() - 2);
        assert_eq!(store.load(Tries::of("eve")).as_of(second).run().unwrap().refused.len(), 2);
    }
}

#[test]
fn a_recorded_rejection_does_not_stand_in_the_way() {
    let store = Store::memory();
    give(&store, "DE1", "ada", Some("a")).unwrap();
    // The rejected command may be given again under its key, and is judged anew.
    for _ in 0..2 {
        assert!(matches!(give(&store, "DE1", "eve", Some("e")), Err(DecideError::Rejected(_))));
    }
    assert!(matches!(give(&store, "DE1", "ada", Some("a")), Err(DecideError::AlreadyDone(_))));
    assert_eq!(store.load(Tries::of("eve")).run().unwrap().refused.len(), 2);
    assert_eq!(store.load(Tries::of("ada")).run().unwrap().refused.len(), 0);
}

#[test]
fn every_one_of_many_at_once_is_on_record() {
    let store = Store::memory();
    let given: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..16)
            .map(|user| {
                let store = &store;
                scope.spawn(move || give(store, "DE1", &format!("u{user}"), None).is_ok())
            })
            .collect();
        tries.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!(given, 1);
    let refused = (0..16).map(|user| store.load(Tries::of(format!("u{user}"))).run().unwrap().refused.len());
    assert_eq!(refused.sum::<usize>(), 15);
}
