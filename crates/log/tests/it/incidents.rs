//! What goes wrong between the log and its disk while both run: flushes that
//! fail, entries that are lost, crashes within recoveries.

use std::sync::Arc;

use factum_core::*;
use factum_log::disk::FaultyDisk;
use factum_log::disk::faulty::{
    CrashPlan, FailedSync, Fault, Injection, Operation, PowerLoss, Survival, Times,
};
use factum_log::{Create, Log, LogOptions, OpenError};

use crate::fixture::*;

fn syncs(disk: &FaultyDisk) -> u64 {
    disk.syncs().values().sum::<u64>() + disk.dir_syncs().values().sum::<u64>()
}

fn fail_flush(disk: &FaultyDisk) {
    disk.inject(Injection::of(Fault::Eio).on(Operation::Sync).in_name(".seg"));
}

/// A08
#[test]
fn a_new_segment_whose_entry_is_lost_takes_nothing_acknowledged_with_it() {
    let lose_entries = |seed| {
        CrashPlan::PowerLoss(PowerLoss {
            seed,
            writes: Survival::All,
            entries: Survival::None,
            tearing: None,
        })
    };
    // Somewhere in here every segment is created, prepared, and begun.
    for events in 1..EVENTS {
        let disk = FaultyDisk::new(events);
        let log = open(&disk).unwrap();
        for number in 0..events {
            append(&log, number).unwrap();
        }
        let after = disk.crash(&lose_entries(events));
        let found = read_all(&open(&after).unwrap()).unwrap();
        assert_eq!(found, up_to(events));
    }
}

/// A08: what a program that is killed between two system calls leaves.
#[test]
fn a_segment_that_was_created_and_never_written_is_made_again() {
    for operation in [Operation::Create, Operation::Write, Operation::Sync] {
        let disk = FaultyDisk::new(1);
        let log = open(&disk).unwrap();
        disk.inject(Injection::of(Fault::Stop).on(operation).in_name(&segment(4)));
        let acknowledged = (0..100).find(|number| append(&log, *number).is_err()).unwrap();
        assert!(disk.is_off(), "{operation:?} never struck");
        drop(log);
        for plan in [CrashPlan::Kill, CrashPlan::lose_everything(), CrashPlan::keep_everything()] {
            let disk = disk.crash(&plan);
            // Through the segment in question, and one more.
            let log = open(&disk).unwrap();
            let begun = read_all(&log).unwrap().len() as u64;
            assert!(begun >= acknowledged, "{operation:?}, {plan}");
            for number in begun..100 {
                append(&log, number).unwrap();
            }
            log.close().unwrap();
            let found =
                read_all(&open(&disk).unwrap_or_else(|e| panic!("{operation:?}, {plan}: {}", told(&e))));
            assert_eq!(found.unwrap(), up_to(100), "{operation:?}, {plan}");
        }
    }
}

/// A09: STORE is renamed into its place last; before that there is no store.
#[test]
fn a_store_whose_creation_was_cut_short_is_created_again() {
    for nth in 1.. {
        let disk = FaultyDisk::new(nth);
        disk.fail_nth(nth, Fault::Stop, Times::Once);
        drop(open(&disk));
        if disk.fired() == 0 {
            assert!(nth > 15, "creating a store takes more than {nth} operations");
            break;
        }
        for plan in [CrashPlan::Kill, CrashPlan::lose_everything(), CrashPlan::keep_everything()] {
            let disk = disk.crash(&plan);
            let log = open(&disk).unwrap_or_else(|error| panic!("operation {nth}, {plan}: {}", told(&error)));
            append(&log, 0).unwrap();
            log.close().unwrap();
            assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), [0]);
            assert_eq!(deep(&disk).unwrap().damage, []);
            assert!(disk.files().iter().all(|name| !name.ends_with(".tmp")), "{:?}", disk.files());
        }
    }
}

/// A09: an index is written beside its place and renamed into it.
#[test]
fn an_index_whose_rename_was_lost_is_built_again() {
    let disk = store_of(EVENTS);
    let whole = disk.content(&index(1)).unwrap();
    disk.erase(&index(1)).unwrap();
    disk.put(&format!("{}.tmp", index(1)), whole[..whole.len() / 2].to_vec()).unwrap();
    let log = open(&disk).unwrap();
    assert_eq!(log.recovery().indexes_rebuilt, [(1, "it is missing".to_owned())]);
    log.pump().unwrap();
    assert_eq!(read_all(&log).unwrap(), up_to(EVENTS));
    log.close().unwrap();
    assert_eq!(disk.content(&index(1)).unwrap(), whole, "the same log gives the same index");
    assert!(disk.files().iter().all(|name| !name.ends_with(".tmp")), "{:?}", disk.files());
}

/// A10, A18
#[test]
fn a_flush_that_fails_once_is_never_tried_again() {
    for (fault, word) in [(Fault::Eio, "cannot flush"), (Fault::Enospc, "the disk is full")] {
        let disk = FaultyDisk::new(1);
        let log = open(&disk).unwrap();
        append(&log, 0).unwrap();
        disk.inject(Injection::of(fault.clone()).on(Operation::Sync).in_name(".seg"));
        let answer = append(&log, 1).unwrap_err();
        assert!(matches!(answer, AppendError::Unknown(_)), "{answer:?}");
        assert!(told(&answer).contains(word), "{}", told(&answer));

        let before = syncs(&disk);
        for number in 2..5 {
            let answer = append(&log, number).unwrap_err();
            assert!(matches!(answer, AppendError::Storage(StorageError::Poisoned { .. })), "{answer:?}");
        }
        assert_eq!(read_all(&log).unwrap(), [0], "what was acknowledged stays readable, and nothing else is");
        let followed = log.subscribe(Subscribe::to(Selection::All)).unwrap().next().unwrap();
        assert!(matches!(followed, Signal::Event(event) if event.position == Position::FIRST));
        log.pump().unwrap_err();
        log.close().unwrap_err();
        assert_eq!(syncs(&disk), before, "after a failed flush there is no other");

        let log = open(&disk).unwrap();
        append(&log, 1).unwrap();
        assert_eq!(read_all(&log).unwrap(), [0, 1], "the unknown append, repeated, is there once");
    }
}

/// A11: the page cache shows what a failed flush never brought to the disk.
#[test]
fn what_only_the_page_cache_holds_is_written_again_before_it_is_served() {
    for failed in [FailedSync::LosesAll, FailedSync::LosesSome, FailedSync::KeepsAll] {
        for restarts in 1..3 {
            let mut disk = FaultyDisk::new(restarts);
            disk.on_failed_sync(failed);
            let log = open(&disk).unwrap();
            append(&log, 0).unwrap();
            fail_flush(&disk);
            append(&log, 1).unwrap_err();
            drop(log);
            // The process is started anew; the machine goes on, and its disk has healed.
            for _ in 0..restarts {
                disk = disk.crash(&CrashPlan::Kill);
                drop(open(&disk).unwrap());
            }
            let log = open(&disk).unwrap();
            let served = read_all(&log).unwrap();
            let after = disk.crash(&CrashPlan::lose_everything());
            assert_eq!(
                read_all(&open(&after).unwrap()).unwrap(),
                served,
                "{failed:?}: what was served is gone"
            );
        }
    }
}

/// A11, at the moment that matters: served, and the power goes.
#[test]
fn a_log_that_is_killed_serves_nothing_that_a_power_loss_then_takes() {
    for kept in 0..2_u64 {
        let disk = FaultyDisk::new(kept);
        let log = open(&disk).unwrap();
        append(&log, 0).unwrap();
        if kept == 1 {
            log.pump().unwrap();
        }
        // Written, and killed before the flush.
        disk.inject(Injection::of(Fault::Stop).on(Operation::Write).in_name(".seg"));
        append(&log, 1).unwrap_err();
        drop(log);
        let disk = disk.crash(&CrashPlan::Kill);
        let log = open(&disk).unwrap();
        let served = read_all(&log).unwrap();
        assert_eq!(served, [0, 1], "a kill leaves the page cache alone");
        let after = disk.crash(&CrashPlan::lose_everything());
        assert_eq!(read_all(&open(&after).unwrap()).unwrap(), served);
    }
}

/// A14, A15
#[test]
fn short_and_interrupted_calls_are_gone_on_with() {
    for fault in [Fault::ShortWrite, Fault::ShortRead, Fault::Interrupted { times: 5 }] {
        let disk = FaultyDisk::new(3);
        disk.fail_nth(1, fault.clone(), Times::Forever);
        let log = open(&disk).unwrap();
        for number in 0..EVENTS {
            append(&log, number).unwrap();
        }
        assert_eq!(read_all(&log).unwrap(), up_to(EVENTS), "{fault:?}");
        log.close().unwrap();
        let log = open(&disk).unwrap();
        assert_eq!(read_all(&log).unwrap(), up_to(EVENTS), "{fault:?}");
        drop(log);
        assert!(disk.fired() > EVENTS, "{fault:?} struck {} times", disk.fired());
        disk.disarm();
        assert_eq!(deep(&disk).unwrap().damage, []);
    }
}

/// A14: cut short, and then nothing more: no half of a batch is acknowledged.
#[test]
fn a_write_cut_short_before_a_crash_leaves_no_half() {
    let disk = FaultyDisk::new(1);
    let log = open(&disk).unwrap();
    append(&log, 0).unwrap();
    disk.inject(Injection::of(Fault::ShortWrite).on(Operation::Write).in_name(".seg"));
    disk.inject(Injection::of(Fault::Eio).on(Operation::Write).in_name(".seg").at(2));
    let events = (1..10).map(event);
    let answer = log.append(Append::to(stream(0), ExpectedRevision::Any, events)).unwrap_err();
    assert!(matches!(answer, AppendError::Unknown(_)), "{answer:?}");
    drop(log);
    for plan in [CrashPlan::Kill, CrashPlan::lose_everything(), CrashPlan::keep_everything()] {
        let disk = disk.crash(&plan);
        let log = open(&disk).unwrap();
        assert_eq!(read_all(&log).unwrap(), [0], "{plan}");
        append(&log, 1).unwrap();
        assert_eq!(read_all(&log).unwrap(), [0, 1], "{plan}");
    }
}

/// A23
#[test]
fn an_empty_directory_in_the_place_of_a_store_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    for create in [Create::Never, Create::IfAbsent] {
        let opened = Log::open(dir.path(), LogOptions { create, ..options() });
        assert!(matches!(opened, Err(OpenError::Empty { .. })), "{:?}", opened.err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it was left as it was");
    }
    // A disk that is not mounted may also have taken the directory with it.
    let opened = Log::open(&dir.path().join("not/mounted"), options());
    assert!(opened.is_err());
    // Whoever asks for it gets it.
    Log::open(dir.path(), LogOptions { create: Create::IfEmpty, ..options() }).unwrap();
}

/// A24
#[test]
fn crashes_within_recoveries_nest() {
    for seed in 0..24 {
        let mut disk = FaultyDisk::new(seed);
        let log = open(&disk).unwrap();
        for number in 0..EVENTS {
            append(&log, number).unwrap();
        }
        // In the middle of an append, so that there is a tail to judge.
        disk.inject(Injection::of(Fault::Stop).on(Operation::Write).in_name(".seg"));
        append(&log, EVENTS).unwrap_err();
        drop(log);
        let mut survived = None;
        for depth in 0..20 {
            disk = disk.crash(&CrashPlan::random(seed * 100 + depth));
            // Some of its indexes are missing, so that recovery has to write, too.
            if depth % 5 == 0 {
                let _ = disk.erase(&index(1 + (depth / 5) as u32 % 2));
            }
            disk.fail_nth(1 + (seed * 7 + depth * 3) % 40, Fault::Stop, Times::Once);
            if let Ok(log) = open(&disk) {
                let _ = log.pump();
                if let Ok(found) = read_all(&log) {
                    let before = survived.unwrap_or(found.len());
                    assert!(found.len() >= EVENTS as usize, "seed {seed}, depth {depth}: {}", found.len());
                    assert_eq!(found.len(), before, "seed {seed}, depth {depth}: served once, and gone");
                    survived = Some(found.len());
                }
            }
        }
        let disk = disk.crash(&CrashPlan::Kill);
        let log = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {}", told(&error)));
        let found = read_all(&log).unwrap();
        assert!(found == up_to(EVENTS) || found == up_to(EVENTS + 1), "seed {seed}: {found:?}");
        for number in found.len() as u64..EVENTS + 20 {
            append(&log, number).unwrap();
        }
        log.close().unwrap();
        assert_eq!(deep(&disk).unwrap().damage, [], "seed {seed}");
    }
}

/// A13
#[test]
fn a_read_that_the_disk_fails_concerns_nobody_else() {
    let disk = store_of(EVENTS);
    let log = Log::open_on(Arc::new(disk.clone()), options()).unwrap();
    disk.inject(Injection::of(Fault::Eio).on(Operation::Read).in_name(&segment(1)).forever());
    let error = read_all(&log).unwrap_err();
    assert!(
        matches!(&error, ReadError::Storage(StorageError::Io { file, .. }) if *file == segment(1)),
        "{error:?}"
    );
    let behind = log.read(Read::all().from(Start::Position(Position::new(20)))).unwrap();
    assert_eq!(behind.map(|event| number_of(&event.unwrap())).collect::<Vec<_>>(), up_to(EVENTS)[20..]);
    append(&log, EVENTS).unwrap();
    disk.disarm();
    assert_eq!(read_all(&log).unwrap(), up_to(EVENTS + 1));
}

/// C09: the last word went to a new segment, when nobody kept house any more.
#[test]
fn a_log_closed_in_order_leaves_no_index_to_be_built() {
    for large in 0..12 {
        let disk = FaultyDisk::new(large);
        let options = || LogOptions { threads: factum_log::Threads::Own, ..options() };
        let log = Log::open_on(Arc::new(disk.clone()), options()).unwrap();
        for number in 0..large {
            append(&log, number).unwrap();
        }
        // A repetition that would not fit into what is left of the segment.
        let events: Vec<NewEvent> = (100..100 + 25).map(event).collect();
        let append = Append::to(stream(100), ExpectedRevision::Any, events);
        log.append(append.clone()).unwrap();
        let disk = disk.crash(&CrashPlan::Kill);
        drop(log);
        let log = Log::open_on(Arc::new(disk.clone()), options()).unwrap();
        assert!(log.append(append).unwrap().repeated);
        log.close().unwrap();
        assert_eq!(deep(&disk).unwrap().damage, [], "{large} events before");
    }
}

/// Found by the rig: two callers once prepared the same segment, and the later
/// one removed the file that the earlier one's events were in.
#[test]
fn many_callers_of_a_log_without_threads_do_its_work_once() {
    for round in 0..6 {
        let disk = FaultyDisk::new(round);
        let log = open(&disk).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let log = &log;
                scope.spawn(move || (0..120).for_each(|n| drop(append(log, n * 4 + writer).unwrap())));
            }
        });
        let acknowledged = |log: &Log| {
            let mut found = read_all(log).unwrap();
            found.sort_unstable();
            found
        };
        assert_eq!(acknowledged(&log), up_to(480), "round {round}");
        log.close().unwrap();
        assert_eq!(deep(&disk).unwrap().damage, [], "round {round}");
        assert_eq!(acknowledged(&open(&disk).unwrap()), up_to(480), "round {round}");
    }
}
