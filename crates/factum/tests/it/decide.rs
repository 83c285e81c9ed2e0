//! Decisions: recorded once, decided again after a conflict, rejected only on
//! what is so.

use std::sync::atomic::{AtomicU32, Ordering};

use factum::hot::{Queue, QueueError, QueueOptions};
use factum::prelude::*;
use factum::{Retry, Revision};
use factum_core::{Append, EventStoreExt as _, ExpectedRevision, NewEvent};

use crate::domain::{Account, Balance, Withdraw, deposited, opened, withdraw};
use crate::homes::everywhere;

fn with_money(store: &Store, cents: u64) {
    store.record([opened("ada"), deposited("ada", cents)]).run().unwrap();
}

fn cents(store: &Store) -> u64 {
    store.load(Balance::of("ada")).run().unwrap().cents
}

#[test]
fn a_decision_is_recorded_with_its_place() {
    everywhere(|store| {
        with_money(&store, 100);
        let receipt = store.decide(Balance::of("ada"), |ada| withdraw(ada, 30)).run().unwrap();
        assert_eq!((receipt.events(), receipt.attempts), (1, 1));
        assert_eq!(receipt.revision, Some(Revision::new(2)));
        assert_eq!(receipt.last_position().map(|position| position.get()), Some(2));
        assert_eq!(cents(&store), 70);
    });
}

#[test]
fn a_command_of_its_own_type_is_decided_by_the_model() {
    everywhere(|store| {
        with_money(&store, 100);
        store.execute(Balance::of("ada"), Withdraw { cents: 30 }).run().unwrap();
        let refused = store.execute(Balance::of("ada"), Withdraw { cents: 71 }).run();
        assert!(matches!(refused, Err(DecideError::Rejected("too little money"))), "{refused:?}");
    });
}

#[test]
fn the_async_form_does_the_same() {
    everywhere(|store| {
        with_money(&store, 100);
        pollster::block_on(async {
            let receipt = store.decide(Balance::of("ada"), |ada: &Balance| withdraw(ada, 30)).await.unwrap();
            assert_eq!(receipt.revision, Some(Revision::new(2)));
            store.record(deposited("ada", 1)).await.unwrap();
            let refused = store.decide(Balance::of("ada"), |ada: &Balance| withdraw(ada, 72)).await;
            assert!(matches!(refused, Err(DecideError::Rejected(_))), "{refused:?}");
            assert_eq!(store.load(Balance::of("ada")).await.unwrap().cents, 71);
        });
    });
}

#[test]
fn a_conflict_is_decided_again_on_what_came_in_between() {
    everywhere(|store| {
        with_money(&store, 100);
        let calls = AtomicU32::new(0);
        let receipt = store
            .decide(Balance::of("ada"), |ada| {
                // Somebody else is faster, the first time.
                if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                    store.record(deposited("ada", 11)).run().unwrap();
                }
                withdraw(ada, ada.cents)
            })
            .run()
            .unwrap();
        assert_eq!((receipt.attempts, calls.into_inner()), (2, 2));
        assert_eq!(cents(&store), 0, "the second decision saw the deposit");
    });
}

#[test]
fn a_warm_state_that_is_old_is_no_attempt() {
    everywhere(|store| {
        with_money(&store, 100);
        store.decide(Balance::of("ada"), |ada| withdraw(ada, 1)).run().unwrap();
        store.record(deposited("ada", 1)).run().unwrap();
        let calls = AtomicU32::new(0);
        let decide = |ada: &Balance| {
            calls.fetch_add(1, Ordering::Relaxed);
            withdraw(ada, 100)
        };
        let receipt = store.decide(Balance::of("ada"), decide).retry(Retry::never()).run().unwrap();
        assert_eq!((receipt.attempts, calls.into_inner()), (1, 2));
        store.record(deposited("ada", 5)).run().unwrap();
        let again = store.decide(Balance::of("ada"), |ada: &Balance| withdraw(ada, 5)).retry(Retry::never());
        assert_eq!(pollster::block_on(again.into_future()).unwrap().attempts, 1);
        // Whoever is faster than what was read for the command still is.
        let outrun = |ada: &Balance| {
            store.record(deposited("ada", 1)).run().unwrap();
            withdraw(ada, 0)
        };
        let answer = store.decide(Balance::of("ada"), outrun).retry(Retry::never()).run();
        assert!(matches!(answer, Err(DecideError::Conflict { attempts: 1 })), "{answer:?}");
    });
}

#[test]
fn when_others_are_always_faster_it_says_how_often_it_tried() {
    everywhere(|store| {
        with_money(&store, 100);
        let interfered = |ada: &Balance| {
            store.record(deposited("ada", 1)).run().unwrap();
            withdraw(ada, 1)
        };
        let answer = store.decide(Balance::of("ada"), interfered).retry(Retry::attempts(3)).run();
        assert!(matches!(answer, Err(DecideError::Conflict { attempts: 3 })), "{answer:?}");
        assert_eq!(cents(&store), 103);
    });
}

#[test]
fn a_rejection_rests_on_what_is_so_and_not_on_a_warm_state() {
    everywhere(|store| {
        with_money(&store, 10);
        // This makes a state warm that knows of ten cents.
        store.decide(Balance::of("ada"), |ada| withdraw(ada, 10)).run().unwrap();
        store.record(deposited("ada", 50)).run().unwrap();
        store.decide(Balance::of("ada"), |ada| withdraw(ada, 50)).run().unwrap();
        assert_eq!(cents(&store), 0);
    });
}

#[test]
fn nothing_to_do_is_an_answer_too() {
    everywhere(|store| {
        with_money(&store, 10);
        let before = store.events().last_position().unwrap();
        let nothing = |_: &Balance| Ok::<Option<Account>, &str>(None);
        let recorded = store.record(deposited("ada", 0)).run().unwrap().durability;
        let before = before.map(factum::Position::next);
        let receipt = store.decide(Balance::of("ada"), nothing).run().unwrap();
        assert_eq!((receipt.events(), &receipt.positions), (0, &None));
        let queue = Queue::start(&store, QueueOptions::default()).unwrap();
        let queued = queue.decide(Balance::of("ada"), nothing).run().unwrap();
        assert_eq!((receipt.durability, queued.durability), (recorded, recorded));
        assert_eq!(receipt, queued);
        assert_eq!(store.events().last_position().unwrap(), before);
    });
}

#[test]
fn a_key_under_which_nothing_was_recorded_is_judged_anew() {
    everywhere(|store| {
        let wanted = |cents: u64| {
            let deciding = store.decide(Balance::of("ada"), move |ada| withdraw(ada, cents));
            deciding.idempotency_key("order 7").run()
        };
        assert!(matches!(wanted(5), Err(DecideError::Rejected(_))));
        let nothing = store.decide(Balance::of("ada"), |_| Ok::<Option<Account>, &str>(None));
        assert_eq!(nothing.idempotency_key("order 7").run().unwrap().events(), 0);
        with_money(&store, 10);
        assert_eq!(wanted(5).unwrap().events(), 1);
        assert!(matches!(wanted(5), Err(DecideError::AlreadyDone(_))));
    });
}

#[test]
fn a_key_is_carried_out_once_and_answered_with_the_first_receipt() {
    everywhere(|store| {
        with_money(&store, 100);
        let twice =
            |key| store.decide(Balance::of("ada"), |ada| withdraw(ada, 30)).idempotency_key(key).run();
        let first = twice("order 7").unwrap();
        let Err(DecideError::AlreadyDone(again)) = twice("order 7") else { panic!("it was done twice") };
        assert_eq!(again, first);
        twice("order 8").unwrap();
        // The third would be refused; the repetition of a key is not.
        assert!(matches!(twice("order 7"), Err(DecideError::AlreadyDone(_))));
        assert_eq!(cents(&store), 40);
        // What is refused is not remembered: it may be tried again.
        store.decide(Balance::of("ada"), |ada| withdraw(ada, 41)).idempotency_key("big").run().unwrap_err();
        store.record(deposited("ada", 1)).run().unwrap();
        store.decide(Balance::of("ada"), |ada| withdraw(ada, 41)).idempotency_key("big").run().unwrap();
    });
}

#[test]
fn the_first_receipt_says_all_it_said_the_first_time() {
    everywhere(|store| {
        with_money(&store, 100);
        store.record([opened("bob"), deposited("bob", 1)]).run().unwrap();
        // Two streams; the last event is not in the first, and not read by ada.
        let give = |ada: &Balance| Ok::<_, &str>([withdraw(ada, 1)?, withdraw(ada, 2)?, deposited("bob", 3)]);
        let keyed = |key| store.decide(Balance::of("ada"), give).idempotency_key(key).run();
        let first = keyed("plain").unwrap();
        assert_eq!((first.revision, first.outside_boundary.len()), (Some(Revision::new(3)), 1));
        let Err(DecideError::AlreadyDone(again)) = keyed("plain") else { panic!() };
        assert_eq!(again, first);

        let queue = Queue::start(&store, QueueOptions::default()).unwrap();
        let keyed = || queue.decide(Balance::of("ada"), give).idempotency_key("queued").run();
        let first = keyed().unwrap();
        assert_eq!((first.revision, first.outside_boundary.len()), (Some(Revision::new(5)), 1));
        let Err(QueueError::AlreadyDone(again)) = keyed() else { panic!() };
        assert_eq!(again, first);
    });
}

#[test]
fn a_record_of_a_command_that_cannot_be_one_is_told_of() {
    let store = Store::memory();
    with_money(&store, 100);
    let twice =
        |store: &Store| store.decide(Balance::of("ada"), |ada| withdraw(ada, 1)).idempotency_key("k").run();
    twice(&store).unwrap();
    let done = store.events().last_position().unwrap().unwrap();
    let done = store.events().event_at(done).unwrap().unwrap();
    let impossible = [
        r#"{"key":"k","events":0}"#,
        r#"{"key":"k","events":9}"#,
        r#"{"key":"k","events":18446744073709551615,"back":1}"#,
        r#"{"key":"k","events":2,"back":1}"#,
        r#"{"key":"k","events":1,"first":2}"#,
        r#"{"key":"k"}"#,
    ];
    for data in impossible {
        let store = Store::memory();
        with_money(&store, 100);
        let foreign = NewEvent::new(done.event_type.clone(), data);
        let append = Append::to(done.stream.clone(), ExpectedRevision::NoStream, [foreign]);
        store.events().append(append).unwrap();
        let answer = twice(&store);
        let told = matches!(answer, Err(DecideError::Store(StoreError::NotACommand { .. })));
        assert!(told, "{data}: {answer:?}");
    }
}

#[test]
fn a_key_used_at_once_by_many_is_carried_out_once() {
    everywhere(|store| {
        with_money(&store, 1_000);
        let done = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let deciding = store.decide(Balance::of("ada"), |ada| withdraw(ada, 100));
                        deciding.idempotency_key("once").run().is_ok()
                    })
                })
                .collect();
            tries.into_iter().map(|tried| u32::from(tried.join().unwrap())).sum::<u32>()
        });
        assert_eq!((done, cents(&store)), (1, 900));
    });
}

#[test]
fn several_events_stand_next_to_one_another() {
    everywhere(|store| {
        with_money(&store, 100);
        let both = |ada: &Balance| {
            Ok::<_, &str>((withdraw(ada, 10)?, vec![deposited("bob", 5), deposited("ada", 5)]))
        };
        let receipt = store.decide(Balance::of("ada"), both).run().unwrap();
        assert_eq!(receipt.events(), 3);
        assert_eq!(receipt.outside_boundary.len(), 1, "what went to bob is not read by ada");
        let positions = receipt.positions.unwrap();
        let streams = (positions.start().get()..=positions.end().get()).map(|position| {
            let event = store.events().event_at(position.into()).unwrap().unwrap();
            (event.stream.to_string(), event.event_type.to_string())
        });
        let stands = |stream: &str, event_type: &str| (stream.to_owned(), event_type.to_owned());
        assert_eq!(
            streams.collect::<Vec<_>>(),
            [
                stands("account-ada", "AccountWithdrawn"),
                stands("account-ada", "AccountDeposited"),
                stands("account-bob", "AccountDeposited"),
            ]
        );
        assert_eq!(store.load(Balance::of("bob")).run().unwrap().cents, 5);
    });
}

#[test]
fn a_state_kept_warm_is_the_state_a_fold_comes_to() {
    everywhere(|store| {
        with_money(&store, 1_000);
        for turn in 0..50_u64 {
            if turn % 7 == 3 {
                store.record(deposited("ada", turn)).run().unwrap();
            }
            let seen = AtomicU32::new(0);
            let decide = |ada: &Balance| {
                seen.store(ada.events as u32, Ordering::Relaxed);
                withdraw(ada, 1)
            };
            store.decide(Balance::of("ada"), decide).run().unwrap();
            let events = store.load(Balance::of("ada")).run().unwrap().events;
            assert_eq!(u64::from(seen.into_inner()) + 1, events, "turn {turn}");
        }
    });
}
