//! Random interleavings of a queue, outside writers and faults, against what
//! must be so whatever the order: an accepted command has its effect exactly
//! once, a rejected or failed one has none, nothing is taken twice, and each
//! submitter's commands keep their order.

use std::collections::HashMap;
use std::time::Duration;

use factum::hot::{Queue, QueueError, QueueOptions};
use factum::prelude::*;
use factum::{AppendError, Retry};
use proptest::prelude::*;

use super::faulty::{Fault, Faulty};
use super::shelf::{Left, fill, left, one, takers};

const SHELVES: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
struct Plan {
    faults: Vec<u8>,
    submitters: usize,
    outsiders: usize,
    commands: usize,
    capacity: u64,
    group_max: usize,
    waiting_max: usize,
    threads: usize,
    keyed: bool,
}

fn plan() -> impl Strategy<Value = Plan> {
    let faults = proptest::collection::vec(0_u8..16, 0..60);
    let numbers = (1_usize..4, 0_usize..3, 1_usize..60, 0_u64..120);
    let options = (prop_oneof![Just(1), Just(3), Just(1024)], prop_oneof![Just(2), Just(1000)], 1_usize..3);
    (faults, numbers, options, any::<bool>()).prop_map(
        |(faults, (submitters, outsiders, commands, capacity), (group_max, waiting_max, threads), keyed)| {
            Plan { faults, submitters, outsiders, commands, capacity, group_max, waiting_max, threads, keyed }
        },
    )
}

fn fault(number: &u8) -> Fault {
    match number {
        0 => Fault::Full,
        1 => Fault::Full.held().0,
        2 | 3 => Fault::UnknownRecorded,
        4 | 5 => Fault::UnknownNotRecorded,
        6..=9 => Fault::Slow(Duration::from_micros(200)),
        _ => Fault::None,
    }
}

/// What a command came to, as far as its submitter knows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Done(u64),
    Not,
    Unknown,
}

fn run(plan: &Plan) -> Result<(), TestCaseError> {
    let faulty = Faulty::new(plan.faults.iter().map(fault));
    let store = faulty.store();
    SHELVES.iter().for_each(|shelf| fill(&store, shelf, plan.capacity));
    let options = QueueOptions {
        threads: plan.threads,
        group_max: plan.group_max,
        waiting_max: plan.waiting_max,
        warm_max: 1,
        ..QueueOptions::default()
    };
    let queue = Queue::start(&store, options).unwrap();
    let (mut fates, mut rejections) = (HashMap::new(), 0);
    std::thread::scope(|scope| {
        let mut handles = Vec::new();
        for submitter in 0..plan.submitters {
            let queue = queue.clone();
            handles.push(scope.spawn(move || {
                let submit = |n: usize| {
                    let name = format!("{submitter}:{n:03}");
                    let shelf = SHELVES[(n + submitter) % SHELVES.len()];
                    let mut command = queue.decide(Left::of(shelf), one(name.clone()));
                    if plan.keyed {
                        command = command.idempotency_key(name.clone());
                    }
                    (name, command.retry(Retry::attempts(10_000)).submit().unwrap())
                };
                let answers: Vec<_> = (0..plan.commands).map(submit).collect();
                let fate = |answer| match answer {
                    Ok(receipt) => Fate::Done(Receipt::last_position(&receipt).unwrap().get()),
                    Err(QueueError::Rejected("not enough left")) => Fate::Not,
                    Err(QueueError::Store(StoreError::Append(AppendError::Storage(_)))) => Fate::Not,
                    Err(QueueError::Store(StoreError::Unknown(_))) => Fate::Unknown,
                    Err(other) => panic!("{other:?}"),
                };
                answers.into_iter().map(|(name, answer)| (name, fate(answer.wait()))).collect::<Vec<_>>()
            }));
        }
        for outsider in 0..plan.outsiders {
            let store = store.clone();
            handles.push(scope.spawn(move || {
                let take = |n: usize| {
                    let name = format!("out{outsider}:{n:03}");
                    let deciding = store.decide(Left::of(SHELVES[n % SHELVES.len()]), one(name.clone()));
                    match deciding.retry(Retry::attempts(10_000)).run() {
                        Ok(receipt) => (name, Fate::Done(receipt.last_position().unwrap().get())),
                        Err(DecideError::Rejected(_)) => (name, Fate::Not),
                        Err(other) => panic!("{other:?}"),
                    }
                };
                (0..plan.commands).map(take).collect()
            }));
        }
        for handle in handles {
            for (name, fate) in handle.join().unwrap() {
                rejections += usize::from(fate == Fate::Not);
                fates.insert(name, fate);
            }
        }
    });
    queue.close();
    let mut seen = HashMap::new();
    for shelf in SHELVES {
        // Folding panics if more was taken than there was.
        let state = left(&store, shelf);
        let taken = takers(&store, shelf);
        prop_assert_eq!(taken.len() as u64, state.taken);
        let mut last_of: HashMap<&str, &str> = HashMap::new();
        for (name, position) in &taken {
            prop_assert!(seen.insert(name.clone(), *position).is_none(), "{} twice", name);
            let (who, _) = name.split_once(':').unwrap();
            let before = last_of.insert(who, name);
            prop_assert!(before.is_none_or(|before| before < name.as_str()), "{} after {:?}", name, before);
        }
    }
    for (name, fate) in &fates {
        match (fate, seen.get(name)) {
            (Fate::Done(position), Some(at)) => prop_assert_eq!(position, at),
            (Fate::Not, None) | (Fate::Unknown, _) => {}
            other => prop_assert!(false, "{}: {:?}", name, other),
        }
    }
    prop_assert_eq!(fates.len(), plan.commands * (plan.submitters + plan.outsiders));
    // Without faults, only what is sold out is rejected.
    if plan.faults.is_empty() && rejections > 0 {
        prop_assert!(SHELVES.iter().any(|shelf| left(&store, shelf).left == 0));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_command_counts_once(plan in plan()) {
        run(&plan)?;
    }
}
