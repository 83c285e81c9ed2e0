//! What happens when appends fail, are outrun, or nobody knows.

use std::sync::Arc;

use factum::hot::{Queue, QueueError, QueueOptions};
use factum::prelude::*;
use factum::{AppendError, Retry};
use factum_core::{Append, ExpectedRevision, NewEvent};

use super::faulty::{Fault, Faulty};
use super::shelf::{Left, Shelf, counted, fill, left, one, queue, takers, wait_for};

/// The append of somebody who does not use the queue.
fn outsider(event: Shelf) -> Append {
    let encoded = event.encode().unwrap();
    let event = NewEvent::new(encoded.event_type, encoded.data).with_tags([]).unwrap();
    Append::to(encoded.stream, ExpectedRevision::Any, [event])
}

#[test]
fn a_rejection_is_withdrawn_with_the_append_it_rests_on() {
    // The first takes the last one, and fails later. The second was rejected
    // for that, and has to get it.
    let (fault, gate) = Fault::Full.held();
    let faulty = Faulty::new([fault]);
    let store = faulty.store();
    fill(&store, "a", 1);
    let queue = queue(&store);
    let first = queue.decide(Left::of("a"), one("first")).submit().unwrap();
    faulty.wait_for_appends(2);
    // Enough to have the worker decide on what is in flight.
    let count = Arc::default();
    let others: Vec<_> = (0..40)
        .map(|n| queue.decide(Left::of("a"), counted(n.to_string(), &count)).submit().unwrap())
        .collect();
    wait_for(&count, 1);
    drop(gate);
    let Err(QueueError::Store(StoreError::Append(AppendError::Storage(_)))) = first.wait() else { panic!() };
    let answers: Vec<_> = others.into_iter().map(|answer| answer.wait()).collect();
    assert!(answers[0].is_ok());
    assert!(answers[1..].iter().all(|answer| matches!(answer, Err(QueueError::Rejected(_)))));
    assert_eq!(takers(&store, "a"), [("0".to_owned(), 1)]);
}

#[test]
fn a_revision_filled_by_somebody_else_is_not_taken_for_the_own() {
    // An outsider takes one right before the first append of the queue, which
    // conflicts. The outsider's event now stands at the revision
    // that a second append, decided on the first, would expect.
    let last = outsider(Shelf::Taken { id: "a".into(), by: "outsider".into(), count: 1 });
    let (fault, gate) = Fault::Outrun(last).held();
    let faulty = Faulty::new([fault]);
    let store = faulty.store();
    fill(&store, "a", 3);
    let queue = queue(&store);
    let first = queue.decide(Left::of("a"), one("first")).submit().unwrap();
    faulty.wait_for_appends(2);
    let count = Arc::default();
    let others: Vec<_> = (0..40)
        .map(|n| queue.decide(Left::of("a"), counted(n.to_string(), &count)).submit().unwrap())
        .collect();
    wait_for(&count, 1);
    assert_eq!(faulty.appends(), 2, "nothing is handed over before the first has landed");
    drop(gate);
    let receipt = first.wait().unwrap();
    assert_eq!(receipt.attempts, 2);
    let accepted = others.into_iter().map(|answer| answer.wait()).filter(Result::is_ok);
    assert_eq!(accepted.count(), 1);
    let taken: Vec<_> = takers(&store, "a").into_iter().map(|(by, _)| by).collect();
    assert_eq!(taken, ["outsider", "first", "0"]);
}

#[test]
fn an_unknown_outcome_is_found_out_by_asking_again() {
    for (fault, appends) in [(Fault::UnknownRecorded, 3), (Fault::UnknownNotRecorded, 3)] {
        let faulty = Faulty::new([fault]);
        let store = faulty.store();
        fill(&store, "a", 9);
        let queue = queue(&store);
        let receipt = queue.decide(Left::of("a"), one("ada")).idempotency_key("k").run().unwrap();
        assert_eq!(receipt.positions, Some(1.into()..=1.into()));
        assert_eq!(takers(&store, "a"), [("ada".to_owned(), 1)]);
        assert_eq!(faulty.appends(), appends);
    }
}

#[test]
fn what_stays_unknown_is_answered_so_and_not_tried_anew() {
    // Recorded by the first, and nobody says so.
    let faulty = Faulty::new([Fault::UnknownRecorded, Fault::UnknownRecorded, Fault::UnknownRecorded]);
    let store = faulty.store();
    fill(&store, "a", 9);
    let queue = queue(&store);
    let answer = queue.decide(Left::of("a"), one("ada")).run();
    assert!(matches!(answer, Err(QueueError::Store(StoreError::Unknown(_)))), "{answer:?}");
    // The next one is decided on what is there.
    let next = queue.decide(Left::of("a"), |left: &Left| left.take("bob", 8)).run().unwrap();
    assert_eq!(next.revision, Some(2.into()));
    assert_eq!(left(&store, "a").left, 0);
}

#[test]
fn an_unknown_outcome_is_found_out_without_a_queue_too() {
    use Fault::{UnknownNotRecorded as Lost, UnknownRecorded as Unanswered};
    let event = || Shelf::Filled { id: "a".into(), count: 1 };
    let decide = move |_: &Left| Ok::<_, &str>(event());
    for is_async in [false, true] {
        for faults in [|| vec![Unanswered], || vec![Lost], || vec![Lost, Unanswered]] {
            let store = Faulty::both(faults()).store();
            let deciding = store.decide(Left::of("a"), decide);
            let decided = match is_async {
                false => deciding.run(),
                true => pollster::block_on(async { deciding.await }),
            };
            assert_eq!(decided.unwrap().positions, Some(0.into()..=0.into()));
            let store = Faulty::both(faults()).store();
            let recording = store.record(event());
            let recorded = match is_async {
                false => recording.run(),
                true => pollster::block_on(async { recording.await }),
            };
            assert_eq!(recorded.unwrap().positions, Some(0.into()..=0.into()));
            let store = Faulty::both(faults()).store();
            let mut root = store.repository().begin(Left::of("a")).unwrap();
            root.raise(event());
            let saving = store.repository().save(root);
            let saved = match is_async {
                false => saving.run(),
                true => pollster::block_on(async { saving.await }),
            };
            assert_eq!(saved.unwrap().positions, Some(0.into()..=0.into()));
            assert_eq!(left(&store, "a").left, 1);
        }
        let store = Faulty::both([Lost, Lost, Lost]).store();
        let deciding = store.decide(Left::of("a"), decide);
        let answer = match is_async {
            false => deciding.run(),
            true => pollster::block_on(async { deciding.await }),
        };
        let Err(DecideError::Store(error @ StoreError::Unknown(_))) = answer else { panic!("{answer:?}") };
        assert!(error.to_string().contains("load the model before you do it again"), "{error}");
    }
}

#[test]
fn outsiders_cost_attempts_up_to_a_limit() {
    let outrun = || {
        let event = Shelf::Taken { id: "a".into(), by: "outsider".into(), count: 1 };
        Fault::Outrun(outsider(event))
    };
    let faulty = Faulty::new([outrun(), outrun(), outrun(), outrun(), outrun()]);
    let store = faulty.store();
    fill(&store, "a", 100);
    let queue = queue(&store);
    let receipt = queue.decide(Left::of("a"), one("ada")).run().unwrap();
    assert_eq!(receipt.attempts, 6);
    let again = Faulty::new([outrun(), outrun(), outrun()]);
    let store = again.store();
    fill(&store, "a", 100);
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    let answer = queue.decide(Left::of("a"), one("ada")).retry(Retry::attempts(2)).run();
    assert!(matches!(answer, Err(QueueError::Conflict { attempts: 2 })), "{answer:?}");
    assert_eq!(left(&store, "a").taken, 2, "only the outsider");
}

#[test]
fn one_that_cannot_be_appended_does_not_take_the_others_with_it() {
    let (fault, gate) = Fault::None.held();
    let faulty = Faulty::new([fault]);
    let store = faulty.store();
    fill(&store, "a", 100);
    let queue = queue(&store);
    let mut answers = vec![queue.decide(Left::of("a"), one("first")).submit().unwrap()];
    faulty.wait_for_appends(2);
    for n in 0..20 {
        let command = queue.decide(Left::of("a"), one(n.to_string()));
        let large = || "x".repeat(20 * 1024 * 1024);
        let command = if n == 7 { command.metadata("large", large()) } else { command };
        answers.push(command.submit().unwrap());
    }
    drop(gate);
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.wait()).collect();
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_ok(), n != 8, "{n}: {answer:?}");
    }
    let invalid = matches!(&answers[8], Err(QueueError::Store(StoreError::Append(AppendError::Invalid(_)))));
    assert!(invalid, "{:?}", answers[8]);
    assert_eq!(left(&store, "a").taken, 20);
}

#[test]
fn a_store_that_panics_leaves_nobody_waiting() {
    let (fault, gate) = Fault::None.held();
    let faulty = Faulty::new([fault, Fault::Panic]);
    let store = faulty.store();
    fill(&store, "a", 100);
    let queue = queue(&store);
    let first = queue.decide(Left::of("a"), one("first")).submit().unwrap();
    faulty.wait_for_appends(2);
    let second = queue.decide(Left::of("a"), one("second")).submit().unwrap();
    drop(gate);
    assert!(first.wait().is_ok());
    assert!(matches!(second.wait(), Err(QueueError::Lost)));
    assert!(matches!(
        queue.decide(Left::of("a"), one("third")).run(),
        Err(QueueError::Closed | QueueError::Lost)
    ));
}

#[test]
fn a_model_that_cannot_be_read_is_answered_to_each() {
    let store = Store::memory();
    let broken = Append::to(
        factum::StreamName::new("shelf-a").unwrap(),
        ExpectedRevision::Any,
        [NewEvent::json("Nonsense", &serde_json::json!({})).unwrap()],
    );
    store.events().append(broken).unwrap();
    let queue = queue(&store);
    for _ in 0..2 {
        let answer = queue.decide(Left::of("a"), one("ada")).run();
        assert!(matches!(answer, Err(QueueError::Store(StoreError::Fold(_)))), "{answer:?}");
    }
    fill(&store, "b", 1);
    assert!(queue.decide(Left::of("b"), one("ada")).run().is_ok());
}
