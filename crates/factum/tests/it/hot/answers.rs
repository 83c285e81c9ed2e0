//! What each of many commands is answered.

use factum::hot::{Queue, QueueError, QueueOptions};
use factum::prelude::*;
use factum::{Position, Revision};

use super::faulty::{Fault, Faulty};
use super::shelf::{Bag, Left, Shelf, fill, left, one, queue, takers};

#[test]
fn each_of_many_gets_its_own_receipt() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), Store::open(dir.path().join("s")).unwrap()] {
        fill(&store, "a", 100);
        let queue = queue(&store);
        let answers: Vec<_> =
            (0..150_u64).map(|n| queue.decide(Left::of("a"), one(n.to_string())).submit().unwrap()).collect();
        for (n, answer) in answers.into_iter().enumerate() {
            match answer.wait() {
                Ok(receipt) => {
                    let place = Position::new(n as u64 + 1);
                    assert_eq!(receipt.positions, Some(place..=place));
                    assert_eq!(receipt.revision, Some(Revision::new(n as u64 + 1)));
                    assert_eq!((receipt.attempts, receipt.events()), (1, 1));
                    assert!(n < 100);
                }
                Err(QueueError::Rejected("not enough left")) => assert!(n >= 100),
                other => panic!("{n}: {other:?}"),
            }
        }
        let expected: Vec<_> = (0..100_u64).map(|n| (n.to_string(), n + 1)).collect();
        assert_eq!(takers(&store, "a"), expected);
    }
}

#[test]
fn runs_and_awaits_alike() {
    let store = Store::memory();
    fill(&store, "a", 2);
    let queue = queue(&store);
    assert!(queue.decide(Left::of("a"), one("ada")).run().is_ok());
    pollster::block_on(async {
        assert!(queue.decide(Left::of("a"), one("bob")).await.is_ok());
        let answer = queue.decide(Left::of("a"), one("eve")).submit().unwrap().await;
        assert!(matches!(answer, Err(QueueError::Rejected(_))));
    });
    queue.clone().close();
    assert!(matches!(queue.decide(Left::of("a"), one("eve")).run(), Err(QueueError::Closed)));
    assert_eq!(left(&store, "a").taken, 2);
}

#[test]
fn commands_that_wait_share_an_append() {
    let (fault, gate) = Fault::None.held();
    let faulty = Faulty::new([fault]);
    let store = faulty.store();
    fill(&store, "a", 1_000);
    let queue = queue(&store);
    let submit = |n: usize| queue.decide(Left::of("a"), one(n.to_string())).submit().unwrap();
    let first = submit(0);
    faulty.wait_for_appends(2);
    let answers: Vec<_> = (1..500).map(submit).collect();
    drop(gate);
    first.wait().unwrap();
    answers.into_iter().for_each(|answer| {
        answer.wait().unwrap();
    });
    assert_eq!(faulty.appends(), 3, "the filling, the first, and all the others");
    assert_eq!(left(&store, "a").taken, 500);
}

#[test]
fn a_key_given_twice_at_once_waits_for_the_first_and_keeps_nobody_else() {
    let (fault, gate) = Fault::None.held();
    let faulty = Faulty::new([fault]);
    let store = faulty.store();
    fill(&store, "a", 1_000);
    let queue = queue(&store);
    let submit = |n: usize| {
        queue.decide(Left::of("a"), one(n.to_string())).idempotency_key(n.to_string()).submit().unwrap()
    };
    let first = submit(0);
    faulty.wait_for_appends(2);
    let answers: Vec<_> = (0..100).chain([50, 100]).map(submit).collect();
    drop(gate);
    first.wait().unwrap();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.wait()).collect();
    let is_repeated = |at: usize| matches!(answers[at], Err(QueueError::AlreadyDone(_)));
    assert!((0..102).all(|at| is_repeated(at) == [0, 100].contains(&at)), "{answers:?}");
    let Err(QueueError::AlreadyDone(again)) = &answers[100] else { unreachable!() };
    assert_eq!(again.positions, answers[50].as_ref().unwrap().positions);
    // The filling, the first, those up to the repetition, the last.
    assert_eq!(faulty.appends(), 4);
}

#[test]
fn actor_metadata_and_flow_are_written_as_without_a_queue() {
    let store = Store::memory();
    fill(&store, "a", 9);
    let queue = queue(&store);
    let flow = factum::Uuid::from_u128(7);
    let plain =
        store.decide(Left::of("a"), one("ada")).actor("ada").metadata("ip", "::1").correlation_id(flow);
    let plain = plain.run().unwrap();
    let queued =
        queue.decide(Left::of("a"), one("ada")).actor("ada").metadata("ip", "::1").correlation_id(flow);
    let queued = queued.occurred_at(Timestamp::from_seconds(5)).run().unwrap();
    let bare = queue.decide(Left::of("a"), one("ada")).run().unwrap();
    let event = |receipt: &Receipt| {
        let at = receipt.last_position().unwrap();
        factum_core::EventStoreExt::event_at(&**store.events(), at).unwrap().unwrap()
    };
    let (plain_event, queued_event, bare_event) = (event(&plain), event(&queued), event(&bare));
    assert_eq!(plain_event.metadata, queued_event.metadata);
    assert_eq!(factum::command::actor_of(&queued_event).as_deref(), Some("ada"));
    assert_eq!(queued_event.correlation_id, Some(flow));
    assert_eq!(queued.correlation_id, Some(flow));
    assert_eq!(queued_event.occurred_at, Some(Timestamp::from_seconds(5)));
    assert_eq!(bare_event.correlation_id, Some(bare_event.id));
    assert_eq!(factum::command::actor_of(&bare_event), None);
    assert!(factum::command::producer_of(&bare_event).is_some());
    let caused = queue.decide(Left::of("a"), one("bob")).caused_by(&bare_event).run().unwrap();
    assert_eq!(event(&caused).causation_id, Some(bare_event.id));
}

#[test]
fn a_key_is_carried_out_once_for_ever_also_beside_others() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), Store::open(dir.path().join("s")).unwrap()] {
        fill(&store, "a", 1_000);
        let queue = queue(&store);
        // Keys, repeated at once, between commands with and without keys.
        let keyed = |key: u64| {
            queue.decide(Left::of("a"), one(format!("k{key}"))).idempotency_key(format!("order {key}"))
        };
        let mut answers = Vec::new();
        for n in 0..100 {
            answers.push((n, keyed(n).submit().unwrap(), keyed(n).submit().unwrap()));
            drop(queue.decide(Left::of("a"), one("other")).submit().unwrap());
        }
        for (n, first, second) in answers {
            let first = first.wait().unwrap();
            let Err(QueueError::AlreadyDone(second)) = second.wait() else { panic!("{n}") };
            assert_eq!((&first.positions, first.revision), (&second.positions, second.revision), "{n}");
            // The same without the queue, and in a queue started later.
            let plain = store.decide(Left::of("a"), one("again")).idempotency_key(format!("order {n}")).run();
            let Err(DecideError::AlreadyDone(plain)) = plain else { panic!("{n}: {plain:?}") };
            assert_eq!(first.positions, plain.positions);
        }
        let later = super::shelf::queue(&store);
        let again = later.decide(Left::of("a"), one("again")).idempotency_key("order 7").run();
        assert!(matches!(again, Err(QueueError::AlreadyDone(_))));
        // A key that was used without the queue.
        store.decide(Left::of("a"), one("plain")).idempotency_key("plain").run().unwrap();
        let again = queue.decide(Left::of("a"), one("again")).idempotency_key("plain").run();
        assert!(matches!(again, Err(QueueError::AlreadyDone(_))));
        // A rejection leaves no trace of the key.
        let greedy = |left: &Left| left.take("greedy", 1_000_000);
        let no = queue.decide(Left::of("a"), greedy).idempotency_key("later").run();
        assert!(matches!(no, Err(QueueError::Rejected(_))));
        assert!(queue.decide(Left::of("a"), one("later")).idempotency_key("later").run().is_ok());
        let taken = takers(&store, "a");
        assert_eq!(taken.iter().filter(|(by, _)| by.starts_with('k')).count(), 100);
        assert!(!taken.iter().any(|(by, _)| by == "again"));
    }
}

#[test]
fn a_command_may_write_to_several_streams_and_none() {
    // The first is held, so that the others meet in groups.
    let (fault, gate) = Fault::None.held();
    let store = Faulty::new([fault]).store();
    fill(&store, "a", 100);
    let queue = queue(&store);
    let both = |by: &'static str| {
        move |left: &Left| {
            let taken = left.take(by, 2)?;
            Ok::<_, &str>(([taken.clone(), taken], Bag::Packed { by: by.into(), count: 4 }))
        }
    };
    let bag = |_: &Left| Ok::<_, &str>(Bag::Packed { by: "bag".into(), count: 0 });
    let answers: Vec<_> = (0..40)
        .map(|n| match n % 4 {
            0 => queue.decide(Left::of("a"), one("single")).submit().unwrap(),
            1 => queue.decide(Left::of("a"), both("bag")).idempotency_key(format!("{n}")).submit().unwrap(),
            2 => queue.decide(Left::of("a"), |_: &Left| Ok::<(), &str>(())).submit().unwrap(),
            _ => queue.decide(Left::of("a"), bag).submit().unwrap(),
        })
        .collect();
    drop(gate);
    let events: Vec<_> = answers.into_iter().map(|answer| answer.wait().unwrap()).collect();
    for (n, receipt) in events.iter().enumerate() {
        let wanted = [1, 3, 0, 1][n % 4];
        assert_eq!(receipt.events(), wanted, "{n}");
        let Some(positions) = receipt.positions.clone() else { continue };
        let first = factum_core::EventStoreExt::event_at(&**store.events(), *positions.start());
        let first = first.unwrap().unwrap();
        // The first that was written is the shelf.
        let last_of_stream = first.revision.get() + wanted.min(2) - 1;
        assert_eq!(receipt.revision, Some(Revision::new(last_of_stream)), "{n}");
        let last = factum_core::EventStoreExt::event_at(&**store.events(), *positions.end());
        let last = last.unwrap().unwrap().stream;
        assert_eq!(last.as_str(), if n % 2 == 1 { "bag-bag" } else { "shelf-a" }, "{n}");
        let stream = first.stream.as_str();
        assert_eq!(stream, if n % 4 == 3 { "bag-bag" } else { "shelf-a" }, "{n}");
        assert_eq!(receipt.outside_boundary.len(), usize::from(n % 2 == 1));
    }
    assert_eq!(left(&store, "a").taken, 50);
    // What the key says is what the receipt said.
    let again = queue.decide(Left::of("a"), both("bag")).idempotency_key("29").run();
    let Err(QueueError::AlreadyDone(again)) = again else { panic!() };
    assert_eq!(again.positions, events[29].positions);
}

#[test]
fn a_recorded_rejection_stands_where_its_reason_does() {
    let store = Store::memory();
    fill(&store, "a", 3);
    let queue = queue(&store);
    let answers: Vec<_> = (0..10)
        .map(|n| {
            let command = queue.decide(Left::of("a"), one(format!("{n}"))).record_rejection(
                move |left: &Left, why: &&str| Shelf::Missed {
                    id: left.id.clone(),
                    by: n.to_string().into(),
                    why: (*why).into(),
                },
            );
            command.actor(format!("actor {n}")).idempotency_key(format!("{n}")).submit().unwrap()
        })
        .collect();
    let rejected = answers.into_iter().map(|answer| answer.wait()).filter(|answer| answer.is_err()).count();
    assert_eq!(rejected, 7);
    let tries = store.events().read(factum_core::Read::query(factum_core::Query::types([
        factum_core::EventType::new("ShelfMissed").unwrap(),
    ])));
    let tries: Vec<_> = tries.unwrap().map(|event| event.unwrap()).collect();
    assert_eq!(tries.len(), 7);
    assert_eq!(factum::command::actor_of(&tries[0]).as_deref(), Some("actor 3"));
}

#[test]
fn a_panic_is_answered_and_the_others_go_on() {
    let store = Store::memory();
    fill(&store, "a", 100);
    let queue = queue(&store);
    let good = || queue.decide(Left::of("a"), one("good")).submit().unwrap();
    let first = good();
    let bad = queue.decide(Left::of("a"), |_: &Left| -> Result<Shelf, &str> { panic!("boom {}", 1) });
    let bad = bad.submit().unwrap();
    // Its events panic in `evolve`: they are refused before they are recorded.
    let poison = queue.decide(Left::of("a"), |left: &Left| {
        let taken = Shelf::Taken { id: left.id.clone(), by: "poison".into(), count: 1 };
        let too_many = Shelf::Taken { id: left.id.clone(), by: "poison".into(), count: 1_000 };
        Ok::<_, &str>([taken, too_many])
    });
    let poison = poison.submit().unwrap();
    let second = good();
    assert!(first.wait().is_ok());
    let Err(QueueError::Panicked { message }) = bad.wait() else { panic!() };
    assert_eq!(message, "boom 1");
    assert!(matches!(poison.wait(), Err(QueueError::Panicked { .. })));
    assert!(second.wait().is_ok());
    assert_eq!(takers(&store, "a").iter().map(|(by, _)| by.as_str()).collect::<Vec<_>>(), ["good", "good"]);
}

#[test]
fn several_threads_share_the_aggregates() {
    let store = Store::memory();
    let options = QueueOptions { threads: 3, warm_max: 2, ..QueueOptions::default() };
    let queue = Queue::<Left>::start(&store, options).unwrap();
    let shelves: Vec<_> = (0..40).map(|n| format!("s{n}")).collect();
    shelves.iter().for_each(|shelf| fill(&store, shelf, 10));
    for round in 0..3 {
        let take = |shelf: &String| queue.decide(Left::of(shelf.as_str()), one(round.to_string())).submit();
        let answers: Vec<_> = shelves.iter().map(|shelf| take(shelf).unwrap()).collect();
        answers.into_iter().for_each(|answer| assert!(answer.wait().is_ok()));
    }
    shelves.iter().for_each(|shelf| assert_eq!(left(&store, shelf).taken, 3));
}
