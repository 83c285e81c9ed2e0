//! Bounds, closing, and giving up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use factum::hot::{Queue, QueueError, QueueOptions};
use factum::prelude::*;
use factum_core::WhenFull;

use super::faulty::{Fault, Faulty};
use super::shelf::{Left, fill, left, one, takers};

const MOMENT: Duration = Duration::from_millis(40);

#[test]
fn refuses_what_is_too_much_if_told_so() {
    let (fault, gate) = Fault::None.held();
    let faulty = Faulty::new([fault]);
    let store = faulty.store();
    fill(&store, "a", 1_000);
    fill(&store, "b", 1_000);
    let options = QueueOptions { waiting_max: 5, when_full: WhenFull::Refuse, ..QueueOptions::default() };
    let queue = Queue::start(&store, options).unwrap();
    // Opened before the queue is dropped, which waits for what is held.
    let gate = gate;
    let first = queue.decide(Left::of("a"), one("first")).submit().unwrap();
    faulty.wait_for_appends(3);
    let answers: Vec<_> = (0..20).map(|n| queue.decide(Left::of("a"), one(n.to_string())).submit()).collect();
    let refused = |answer: &Result<_, _>| matches!(answer, Err(QueueError::<&str>::Full { waiting: 5 }));
    // After it handed over the first the worker looks once more, and again if the
    // lane was listed meanwhile, between any two of them: it has then taken up to
    // five each time, and five wait.
    let accepted = answers.iter().filter(|answer| !refused(answer)).count();
    assert!((5..=15).contains(&accepted), "{accepted}");
    // Another aggregate has its own room.
    assert!(queue.decide(Left::of("b"), one("b")).run().is_ok());
    drop(gate);
    assert!(first.wait().is_ok());
    answers.into_iter().flatten().for_each(|answer| assert!(answer.wait().is_ok()));
    assert_eq!(left(&store, "a").taken, accepted as u64 + 1);
}

#[test]
fn waits_for_room_in_both_forms() {
    let store = Store::memory();
    fill(&store, "a", 10_000);
    let options = QueueOptions { waiting_max: 1, group_max: 2, ..QueueOptions::default() };
    let queue = Queue::start(&store, options).unwrap();
    std::thread::scope(|scope| {
        for submitter in 0..8 {
            let queue = queue.clone();
            scope.spawn(move || {
                for _ in 0..50 {
                    let command = queue.decide(Left::of("a"), one(submitter.to_string()));
                    match submitter % 2 {
                        0 => command.run().unwrap(),
                        _ => pollster::block_on(async { command.await.unwrap() }),
                    };
                }
            });
        }
    });
    assert_eq!(left(&store, "a").taken, 400);
}

#[test]
fn closing_under_load_answers_everything() {
    for threads in [1, 2] {
        let store = Store::memory();
        let shelves = ["a", "b", "c"];
        shelves.iter().for_each(|shelf| fill(&store, shelf, 1_000_000));
        let options = QueueOptions { threads, waiting_max: 64, ..QueueOptions::default() };
        let queue = Queue::start(&store, options).unwrap();
        let accepted = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for submitter in 0..6 {
                let (queue, accepted) = (queue.clone(), &accepted);
                scope.spawn(move || {
                    let mut answers = Vec::new();
                    let mut closed = false;
                    while !closed {
                        let command =
                            queue.decide(Left::of(shelves[submitter % 3]), one(submitter.to_string()));
                        match command.submit() {
                            Ok(answer) => answers.push(answer),
                            Err(QueueError::Closed) => closed = true,
                            Err(other) => panic!("{other}"),
                        }
                    }
                    // What was accepted is carried out.
                    accepted.fetch_add(answers.len(), Ordering::Relaxed);
                    answers.into_iter().for_each(|answer| assert!(answer.wait().is_ok()));
                });
            }
            std::thread::sleep(MOMENT);
            queue.clone().close();
        });
        let recorded: usize = shelves.iter().map(|shelf| takers(&store, shelf).len()).sum();
        assert!(recorded > 0);
        assert_eq!(recorded, accepted.load(Ordering::Relaxed));
    }
}

#[test]
fn the_last_clone_closes_and_answers_given_up_change_nothing() {
    let faulty = Faulty::new([Fault::Slow(MOMENT)]);
    let store = faulty.store();
    fill(&store, "a", 10);
    let queue = super::shelf::queue(&store);
    let kept = queue.decide(Left::of("a"), one("kept")).submit().unwrap();
    drop(queue.decide(Left::of("a"), one("given up")).submit().unwrap());
    drop(queue);
    assert_eq!(left(&store, "a").taken, 2, "dropping waited for both");
    assert!(kept.wait().is_ok());
}

#[test]
fn a_command_may_hold_the_last_clone() {
    let store = Store::memory();
    fill(&store, "a", 10);
    let queue = super::shelf::queue(&store);
    let held = queue.clone();
    let command = queue.decide(Left::of("a"), move |left: &Left| {
        let _ = &held;
        left.take("ada", 1)
    });
    let answer = command.submit().unwrap();
    drop(queue);
    assert!(answer.wait().is_ok());
}
