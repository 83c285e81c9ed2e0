//! One seed, one story: random operations on a log and on `MemoryStore`,
//! which must answer alike, over a disk that fails and crashes.
//!
//! ```text
//!             append, read, follow
//!   author ──────────┬─────────────▶ the log ──▶ FaultyDisk ┄┄▶ crash ┄┄▶ reopen
//!                    └─────────────▶ MemoryStore (the model)       │
//!                                          ▲                       │
//!                                          └── adopts what became ─┘
//!                                              of unanswered appends
//! ```
//!
//! After every crash: what was acknowledged is there, whole, at its position
//! and revision; what was not is wholly there or wholly absent, and what is
//! there of it was submitted first; what was once read never disappears.
//!
//! A failing seed is told again with
//!
//! ```text
//!   FACTUM_SIM_SEED=<seed> cargo test -p factum-log --test it sim -- --nocapture
//! ```
//!
//! and more seeds are tried with `FACTUM_SIM_SEEDS=<how many>`, beginning at
//! `FACTUM_SIM_FIRST`.

mod author;
mod log;
mod story;
mod straw;
mod sweep;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use factum_core::{Clock, EventStore, StorageError};
use factum_log::disk::faulty::{Fault, Times};
use factum_log::disk::{Disk, FaultyDisk};
use factum_log::{Log, OpenError};

use story::Tale;
use straw::{Flaw, Straw};

/// A store that can be put through a story.
pub trait Subject: EventStore + Sized {
    /// Whether it writes durable bytes once more where they are, and so relies
    /// on a disk that does not harm them when the power goes meanwhile.
    const REWRITES: bool;

    /// What distinguishes one subject of this type from another.
    type Options;

    fn open_on(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: &Self::Options,
    ) -> Result<Self, OpenError>;

    /// Commits what was handed over, and does the housekeeping that is due.
    fn pump(&self) -> Result<(), StorageError>;

    fn close(self) -> Result<(), StorageError>;
}

/// Tells one story; what went wrong in it, with all there is to know.
fn tell<S: Subject>(seed: u64, options: &S::Options, prepare: impl Fn(&FaultyDisk)) -> Result<(), String> {
    let mut tale = Tale::new(seed);
    let told = catch_unwind(AssertUnwindSafe(|| {
        let mut story = story::Story::<S>::begin(seed, options, &mut tale)?;
        prepare(story.disk());
        story.tell()
    }));
    let what = match told {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(what)) => what,
        Err(panic) => match panic.downcast_ref::<String>() {
            Some(text) => format!("it panicked: {text}"),
            None => format!("it panicked: {}", panic.downcast_ref::<&str>().unwrap_or(&"silently")),
        },
    };
    Err(format!("{tale}\nseed {seed}: {what}\nto tell it again: FACTUM_SIM_SEED={seed}"))
}

/// Tells a story for each seed asked for, by default this many from 0.
fn tell_all<S: Subject>(seeds: u64, options: &S::Options) {
    let number = |name| -> Option<u64> { std::env::var(name).ok().map(|text| text.parse().expect(name)) };
    let seeds = match number("FACTUM_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("FACTUM_SIM_FIRST").unwrap_or(0);
            first..first + number("FACTUM_SIM_SEEDS").unwrap_or(seeds)
        }
    };
    for seed in seeds {
        if let Err(failure) = tell::<S>(seed, options, |_| {}) {
            panic!("{failure}");
        }
    }
}

/// The first of these seeds whose story fails.
fn first_failure<S: Subject>(seeds: u64, options: &S::Options, prepare: impl Fn(&FaultyDisk)) -> Option<u64> {
    (0..seeds).find(|seed| tell::<S>(*seed, options, &prepare).is_err())
}

#[test]
fn the_log_keeps_its_word() {
    tell_all::<Log>(300, &());
}

#[test]
fn a_log_on_a_disk_that_only_pretends_to_sync_is_found() {
    assert!(first_failure::<Log>(50, &(), |disk| disk.drop_syncs(true)).is_some());
    assert!(first_failure::<Log>(50, &(), |disk| disk.drop_dir_syncs(true)).is_some());
}

#[test]
fn a_log_of_one_file_keeps_its_word() {
    tell_all::<Straw>(400, &Flaw::None);
}

/// A simulation that finds nothing must be one that could have.
#[test]
fn every_flaw_is_found() {
    for flaw in Flaw::ALL {
        let found = first_failure::<Straw>(1_000, &flaw, |_| {});
        assert!(found.is_some(), "{flaw:?} was not found");
    }
}

#[test]
fn a_disk_that_only_pretends_to_sync_is_found() {
    assert!(first_failure::<Straw>(50, &Flaw::None, |disk| disk.drop_syncs(true)).is_some());
    assert!(first_failure::<Straw>(50, &Flaw::None, |disk| disk.drop_dir_syncs(true)).is_some());
}

fn sweep_all<S: Subject>(options: &S::Options) -> Result<(), String> {
    for fault in [Fault::Stop, Fault::Eio, Fault::Enospc] {
        for times in [Times::Once, Times::Forever] {
            let operations = sweep::sweep::<S>(options, &fault, times)?;
            assert!(operations > 10, "only {operations} operations were struck by {fault:?}");
        }
    }
    Ok(())
}

#[test]
fn a_log_of_one_file_stands_every_operation_failing() {
    sweep_all::<Straw>(&Flaw::None).unwrap_or_else(|what| panic!("{what}"));
}

#[test]
fn the_log_stands_every_operation_failing() {
    sweep_all::<Log>(&()).unwrap_or_else(|what| panic!("{what}"));
}

#[test]
fn failing_every_operation_finds_flaws() {
    for flaw in [Flaw::DoesNotSync, Flaw::DoesNotSyncDir, Flaw::SyncsAgain, Flaw::AnswersFirst] {
        assert!(sweep_all::<Straw>(&flaw).is_err(), "{flaw:?} was not found");
    }
}

/// Otherwise a failing seed would be of no use.
#[test]
fn the_same_seed_tells_the_same_story() {
    let tale = |seed| {
        let mut tale = Tale::new(seed);
        let mut story = story::Story::<Straw>::begin(seed, &Flaw::None, &mut tale).unwrap();
        story.tell().unwrap();
        tale.to_string()
    };
    for seed in 0..5 {
        assert_eq!(tale(seed), tale(seed));
    }
    assert_ne!(tale(0), tale(1));
}

/// Stories in which little happens would find little.
#[test]
fn everything_happens_in_some_story() {
    let mut told = String::new();
    for seed in 0..200 {
        let mut tale = Tale::new(seed);
        story::Story::<Straw>::begin(seed, &Flaw::None, &mut tale).unwrap().tell().unwrap();
        told += &tale.to_string();
    }
    for happening in [
        "repeated: true",
        "Conflict",
        "ConditionFailed",
        "PartlyRepeated",
        "IdReused",
        "PositionBeyondEnd",
        "Unknown",
        "RevisionWithoutStream",
        "Backward",
        "StreamNotFound",
        "begin to follow",
        "the process is killed",
        "the power is lost",
        "could not be opened",
        "again cart-",
        "; 0 of 3 unanswered",
        "; 3 of 3 unanswered",
        "struck by Stop",
        "struck by Eio",
        "struck by Enospc",
        "struck by ShortWrite",
        "struck by ShortRead",
        "struck by Interrupted",
    ] {
        assert!(told.contains(happening), "in no story: {happening}");
    }
}
