//! Models of every shape through a queue.

use factum::hot::{Queue, QueueError, QueueOptions};
use factum::prelude::*;
use factum::{IntoEvents, Position, RecordedEvent, Retry};

use super::faulty::{Fault, Faulty};
use super::shelf::{Bag, Left, Shelf, ShelfId, TakerId, fill, left, takers};

/// By tag: everything somebody took, from whatever shelf.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Shelf)]
struct Load {
    #[key]
    by: TakerId,
    count: u64,
}

impl Evolve<Shelf> for Load {
    fn evolve(&mut self, event: &Shelf) {
        if let Shelf::Taken { count, .. } = event {
            self.count += count;
        }
    }
}

fn carry(shelf: &str) -> impl FnMut(&Load) -> Result<Shelf, &'static str> + Send + use<> {
    let id = ShelfId::from(shelf);
    move |load: &Load| match load.count < 10 {
        true => Ok(Shelf::Taken { id: id.clone(), by: load.by.clone(), count: 1 }),
        false => Err("too heavy"),
    }
}

#[test]
fn a_model_by_tag_over_several_streams() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), Store::open(dir.path().join("s")).unwrap()] {
        let queue = Queue::start(&store, QueueOptions::default()).unwrap();
        for round in 0..2 {
            let answers: Vec<_> = (0..30)
                .map(|n| queue.decide(Load::of("ada"), carry(["a", "b", "c"][n % 3])).submit().unwrap())
                .collect();
            let accepted = answers.into_iter().filter_map(|answer| match answer.wait() {
                Ok(receipt) => Some(receipt),
                Err(QueueError::Rejected("too heavy")) => None,
                Err(other) => panic!("{other:?}"),
            });
            let accepted: Vec<_> = accepted.collect();
            assert_eq!(accepted.len(), [10, 0][round]);
            for (n, receipt) in accepted.iter().enumerate() {
                let shelf = ["a", "b", "c"][n % 3];
                let at = receipt.last_position().unwrap().get();
                assert!(store.load(Load::of("ada")).run().unwrap().count == 10);
                let event = factum_core::EventStoreExt::event_at(&**store.events(), at.into());
                let event = event.unwrap().unwrap();
                assert_eq!(event.stream.as_str(), format!("shelf-{shelf}"));
                assert_eq!((receipt.revision, receipt.attempts), (Some(event.revision), 1));
            }
        }
        // Somebody else hands her a thing behind the queue's back.
        store.decide(Load::of("bob"), carry("a")).run().unwrap();
        assert!(queue.decide(Load::of("bob"), carry("a")).run().is_ok());
        store.decide(Load::of("bob"), carry("a")).run().unwrap();
        let looked_again = queue.decide(Load::of("bob"), carry("a")).retry(Retry::never()).run().unwrap();
        assert_eq!(looked_again.attempts, 1, "nobody was faster");
        assert_eq!(store.load(Load::of("bob")).run().unwrap().count, 4);
    }
}

/// By tag, and in order: from which shelves somebody took.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Shelf)]
struct Route {
    #[key]
    by: TakerId,
    shelves: String,
}

impl Evolve<Shelf> for Route {
    fn evolve(&mut self, event: &Shelf) {
        if let Shelf::Taken { id, count, .. } = event {
            assert_ne!(*count, 666, "nobody takes so many");
            self.shelves.push_str(&id.to_string());
        }
    }
}

impl Route {
    fn takes(&self, shelves: &str) -> Result<Vec<Shelf>, String> {
        let take = |shelf: char| Shelf::Taken {
            id: ShelfId::from(shelf.to_string()),
            by: self.by.clone(),
            count: 1,
        };
        Ok(shelves.chars().map(take).collect())
    }
}

#[test]
fn what_was_decided_ahead_is_what_the_log_has() {
    for commands in [["a", "b", "a"], ["aba", "c", "b"], ["a", "abab", "a"], ["b", "a", "ab"]] {
        let (fault, gate) = Fault::None.held();
        let faulty = Faulty::new([fault]);
        let store = faulty.store();
        let queue = Queue::start(&store, QueueOptions::default()).unwrap();
        let held = queue.decide(Route::of("ada"), |route: &Route| route.takes("z")).submit().unwrap();
        faulty.wait_for_appends(1);
        let answers: Vec<_> = commands
            .into_iter()
            .map(|shelves| queue.decide(Route::of("ada"), move |route: &Route| route.takes(shelves)).submit())
            .collect();
        drop(gate);
        held.wait().unwrap();
        let positions: Vec<_> =
            answers.into_iter().map(|answer| answer.unwrap().wait().unwrap().last_position()).collect();
        assert!(positions.is_sorted(), "{commands:?}: {positions:?}");
        // Rejected for what it was decided on.
        let ahead = queue.decide(Route::of("ada"), |route: &Route| Err::<(), _>(route.shelves.clone())).run();
        let Err(QueueError::Rejected(ahead)) = ahead else { panic!("{ahead:?}") };
        let read = store.load(Route::of("ada")).run().unwrap();
        assert_eq!(ahead, read.shelves, "{commands:?}");
    }
}

#[test]
fn a_tuple_is_guarded_in_all_its_parts() {
    let store = Store::memory();
    fill(&store, "a", 100);
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    let take = |(from, to): &(Left, Left)| {
        // As much as lies in the other shelf, plus one.
        from.take("ada", to.left + 1)
    };
    for _ in 0..2 {
        queue.decide((Left::of("a"), Left::of("b")), take).run().unwrap();
    }
    assert_eq!(left(&store, "a").taken, 2);
    // The part that is not written changes.
    fill(&store, "b", 10);
    let looked_again = queue.decide((Left::of("a"), Left::of("b")), take).retry(Retry::never());
    assert_eq!(looked_again.run().unwrap().attempts, 1, "nobody was faster");
    assert_eq!(left(&store, "a").taken, 13);
    let moved = queue.decide((Left::of("a"), Left::of("b")), |(from, to): &(Left, Left)| {
        let filled = Shelf::Filled { id: to.id.clone(), count: 5 };
        Ok::<_, &str>((from.take("mover", 5)?, filled))
    });
    assert_eq!(moved.run().unwrap().events(), 2);
    assert_eq!((left(&store, "a").left, left(&store, "b").left), (82, 15));
}

/// Stored among the events of a shelf, and not one of them.
#[derive(Event, Clone, Debug, PartialEq)]
#[event(prefix = "Shelf", category = "shelf")]
enum Other {
    Dusted {
        #[id]
        id: ShelfId,
    },
}

#[test]
fn an_event_its_model_cannot_fold_costs_its_neighbours_nothing() {
    // The groups are decided on top of the first append, which is held.
    let (fault, gate) = Fault::None.held();
    let faulty = Faulty::new([fault]);
    let store = faulty.store();
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    let take = || queue.decide(Route::of("ada"), |route: &Route| route.takes("a")).submit().unwrap();
    let melt = || {
        let melt = |route: &Route| -> Result<Vec<Shelf>, String> {
            let mut taken = route.takes("b")?;
            taken.push(Shelf::Taken { id: "b".into(), by: route.by.clone(), count: 666 });
            Ok(taken)
        };
        queue.decide(Route::of("ada"), melt).submit().unwrap()
    };
    let first = take();
    faulty.wait_for_appends(1);
    let good = [take(), take()];
    let bad = melt();
    let last = take();
    drop(gate);
    assert!(matches!(bad.wait(), Err(QueueError::Panicked { .. })));
    for answer in [first].into_iter().chain(good).chain([last]) {
        assert_eq!(answer.wait().unwrap().attempts, 1);
    }
    assert_eq!(faulty.appends(), 3, "nothing was refused");

    let queue = super::shelf::queue(&store);
    let dusted =
        queue.decide(Left::of("new"), |left: &Left| Ok::<_, &str>(Other::Dusted { id: left.id.clone() }));
    let Err(QueueError::Store(error)) = dusted.run() else { panic!() };
    assert_eq!(
        error.to_string(),
        "a new event of shelf-new cannot be read by its own model, so it was not recorded"
    );
}

/// Filling commutes: it never takes the room of a decision to take.
#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Shelf, commutes(Shelf::Filled))]
struct Roomy {
    #[key]
    id: ShelfId,
    left: u64,
}

impl Evolve<Shelf> for Roomy {
    fn evolve(&mut self, event: &Shelf) {
        match event {
            Shelf::Filled { count, .. } => self.left += count,
            Shelf::Taken { count, .. } => self.left -= count,
            Shelf::Missed { .. } => {}
        }
    }
}

#[test]
fn events_that_commute_do_not_refuse_an_append_and_are_seen_after_it() {
    let store = Store::memory();
    fill(&store, "a", 1);
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    let take = |roomy: &Roomy| match roomy.left {
        0 => Err("nothing left"),
        _ => Ok(Shelf::Taken { id: roomy.id.clone(), by: "ada".into(), count: 1 }),
    };
    assert!(queue.decide(Roomy::of("a"), take).run().is_ok());
    for _ in 0..5 {
        fill(&store, "a", 1);
        let receipt = queue.decide(Roomy::of("a"), take).run().unwrap();
        assert_eq!(receipt.attempts, 1);
    }
    assert_eq!(takers(&store, "a").len(), 6);
}

#[test]
fn a_rejection_rests_on_what_commutes_too() {
    let store = Store::memory();
    fill(&store, "a", 1);
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    let take = || {
        queue.decide(Roomy::of("a"), |roomy: &Roomy| match roomy.left {
            0 => Err("nothing left"),
            _ => Ok(Shelf::Taken { id: roomy.id.clone(), by: "ada".into(), count: 1 }),
        })
    };
    take().idempotency_key("once").run().unwrap();
    for _ in 0..3 {
        // Answered without an append, on nothing left.
        assert!(matches!(take().idempotency_key("once").run(), Err(QueueError::AlreadyDone(_))));
        fill(&store, "a", 1);
        take().run().unwrap();
    }
}

/// Looks at where its events stand.
#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Bag)]
struct Diary {
    #[key]
    by: TakerId,
    lines: Vec<(Position, Timestamp)>,
}

impl Evolve<Bag> for Diary {
    fn evolve(&mut self, _: &Bag) {}
    fn evolve_at(&mut self, _: &Bag, recorded: &RecordedEvent) {
        self.lines.push((recorded.position, recorded.recorded_at));
    }
}

#[test]
fn a_model_that_looks_at_places_is_decided_on_what_was_read() {
    let store = Store::memory();
    let options = QueueOptions { decide_ahead: false, ..QueueOptions::default() };
    let queue = Queue::start(&store, options).unwrap();
    let pack = move |diary: &Diary| {
        if diary.lines.iter().any(|(position, _)| *position == Position::MAX) {
            return Err("it was decided on an event without a place");
        }
        Ok(Bag::Packed { by: diary.by.clone(), count: diary.lines.len() as u64 })
    };
    let answers: Vec<_> = (0..50).map(|_| queue.decide(Diary::of("ada"), pack).submit().unwrap()).collect();
    answers.into_iter().for_each(|answer| {
        answer.wait().unwrap();
    });
    assert_eq!(store.load(Diary::of("ada")).run().unwrap().lines.len(), 50);
    // And ahead, it is seen that they have none.
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    queue.decide(Diary::of("bob"), pack).run().unwrap();
    assert!(queue.decide(Diary::of("bob"), pack).run().is_err());
}

#[test]
fn a_long_run_reads_on_and_stays_right() {
    let store = Store::memory();
    fill(&store, "a", 10_000);
    let queue = Queue::start(&store, QueueOptions::default()).unwrap();
    let answers: Vec<_> = (0..6_000)
        .map(|n| queue.decide(Left::of("a"), super::shelf::one(n.to_string())).submit().unwrap())
        .collect();
    answers.into_iter().for_each(|answer| {
        answer.wait().unwrap();
    });
    // After it was refused everything is as it was.
    fill(&store, "a", 1);
    let rest = queue.decide(Left::of("a"), |left: &Left| left.take("all", left.left)).run().unwrap();
    assert_eq!(rest.attempts, 1);
    let after = left(&store, "a");
    assert_eq!((after.left, after.taken), (0, 10_001));
    let execute = queue.execute(Left::of("a"), TakeAll);
    assert!(matches!(execute.run(), Err(QueueError::Rejected(Empty))));
}

#[derive(Clone)]
struct TakeAll;
#[derive(Debug)]
struct Empty;

impl Decide<TakeAll> for Left {
    type Rejection = Empty;
    fn decide(&self, _: TakeAll) -> Result<impl IntoEvents, Empty> {
        match self.left {
            0 => Err(Empty),
            count => Ok(Shelf::Taken { id: self.id.clone(), by: "all".into(), count }),
        }
    }
}
