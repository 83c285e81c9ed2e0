//! That the model does what it says: a simulation that is too kind would let
//! every test above it pass.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::*;
use crate::disk::{read_exact_at, write_all_at};

/// A disk with a durable file `file` that holds `content`.
///
/// One operation is counted by then.
fn disk_with(content: &[u8]) -> FaultyDisk {
    let disk = FaultyDisk::new(1);
    disk.create_root().unwrap();
    disk.put("file", content).unwrap();
    disk
}

fn write(disk: &FaultyDisk, name: &str, offset: u64, bytes: &[u8]) {
    write_all_at(&*disk.open(name, true).unwrap(), bytes, offset).unwrap();
}

fn sync(disk: &FaultyDisk, name: &str) -> io::Result<()> {
    disk.open(name, true).unwrap().sync()
}

fn after_power_loss(disk: &FaultyDisk, tearing: Option<Tearing>, seed: u64) -> FaultyDisk {
    let (writes, entries) = (Survival::All, Survival::All);
    disk.crash(&CrashPlan::PowerLoss(PowerLoss { seed, writes, entries, tearing }))
}

#[test]
fn reads_see_what_a_power_loss_takes_away() {
    let disk = disk_with(b"aaaa");
    write(&disk, "file", 1, b"BB");
    assert_eq!(disk.content("file").unwrap(), b"aBBa");
    assert_eq!(disk.durable_content("file").unwrap(), b"aaaa");
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("file").unwrap(), b"aaaa");
    assert_eq!(disk.crash(&CrashPlan::keep_everything()).content("file").unwrap(), b"aBBa");
    assert_eq!(disk.crash(&CrashPlan::Kill).content("file").unwrap(), b"aBBa");
}

#[test]
fn what_was_synced_survives_every_power_loss() {
    for seed in 0..500 {
        let disk = disk_with(b"aaaa");
        disk.create("new").unwrap();
        write(&disk, "new", 0, b"synced");
        sync(&disk, "new").unwrap();
        disk.sync_dir("").unwrap();
        write(&disk, "new", 6, b" pending");
        let found = disk.crash(&CrashPlan::power_loss(seed)).content("new").unwrap();
        assert_eq!(&found[..6], b"synced", "seed {seed}");
    }
}

#[test]
fn pending_writes_survive_in_every_combination() {
    let disk = disk_with(b"...");
    for place in 0..3 {
        write(&disk, "file", place, b"x");
    }
    let found: BTreeSet<_> = (0..200)
        .map(|seed| {
            let writes = Survival::Some { percent: 50 };
            let loss = PowerLoss { seed, writes, entries: Survival::All, tearing: None };
            disk.crash(&CrashPlan::PowerLoss(loss)).content("file").unwrap()
        })
        .collect();
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn writes_over_the_same_place_survive_in_any_order() {
    let disk = disk_with(b".");
    write(&disk, "file", 0, b"1");
    write(&disk, "file", 0, b"2");
    let found: BTreeSet<_> = (0..200)
        .map(|seed| disk.crash(&CrashPlan::power_loss(seed)))
        .map(|disk| disk.content("file").unwrap()[0])
        .collect();
    assert!(found.is_superset(&BTreeSet::from([b'.', b'1', b'2'])), "{found:?}");
}

#[test]
fn an_allocation_is_pending_too() {
    let disk = disk_with(b"abc");
    disk.open("file", true).unwrap().allocate(4_096).unwrap();
    assert_eq!(disk.content("file").unwrap().len(), 4_096);
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("file").unwrap(), b"abc");
    sync(&disk, "file").unwrap();
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("file").unwrap().len(), 4_096);
}

#[test]
fn a_file_is_gone_with_its_entry_though_its_content_was_synced() {
    let disk = disk_with(b"");
    disk.create("new").unwrap();
    write(&disk, "new", 0, b"synced");
    sync(&disk, "new").unwrap();
    let lost = disk.crash(&CrashPlan::lose_everything());
    assert_eq!(lost.open("new", false).err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(lost.files(), ["file"]);
    disk.sync_dir("").unwrap();
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("new").unwrap(), b"synced");
}

#[test]
fn an_entry_without_its_content_is_an_empty_file() {
    let disk = disk_with(b"");
    disk.create("new").unwrap();
    write(&disk, "new", 0, b"pending");
    disk.sync_dir("").unwrap();
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("new").unwrap(), b"");
}

#[test]
fn files_are_gone_with_the_directory_they_stand_in() {
    let disk = disk_with(b"");
    disk.create_dir("raw").unwrap();
    disk.create("raw/1").unwrap();
    disk.sync_dir("raw").unwrap();
    let lost = disk.crash(&CrashPlan::lose_everything());
    assert_eq!(lost.files(), ["file"]);
    assert_eq!(lost.list("raw").unwrap_err().kind(), ErrorKind::NotFound);
    disk.sync_dir("").unwrap();
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).files(), ["file", "raw/1"]);
}

#[test]
fn a_rename_is_undone_as_a_whole() {
    let disk = disk_with(b"old");
    disk.create("temp").unwrap();
    write(&disk, "temp", 0, b"new");
    sync(&disk, "temp").unwrap();
    disk.sync_dir("").unwrap();
    disk.rename("temp", "file").unwrap();
    assert_eq!(disk.content("file").unwrap(), b"new");
    let lost = disk.crash(&CrashPlan::lose_everything());
    assert_eq!(lost.content("file").unwrap(), b"old");
    assert_eq!(lost.content("temp").unwrap(), b"new");
    disk.sync_dir("").unwrap();
    let kept = disk.crash(&CrashPlan::lose_everything());
    assert_eq!(kept.content("file").unwrap(), b"new");
    assert_eq!(kept.files(), ["file"]);
}

#[test]
fn a_removed_file_comes_back() {
    let disk = disk_with(b"old");
    disk.remove("file").unwrap();
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("file").unwrap(), b"old");
    disk.sync_dir("").unwrap();
    assert!(disk.crash(&CrashPlan::lose_everything()).files().is_empty());
}

#[test]
fn torn_writes_are_torn_at_their_grain_and_nowhere_else() {
    const BYTES: usize = 20_000;
    const FROM: usize = 1_234;
    let old = vec![0xAA; BYTES];
    let new = vec![0x55; 12_000];
    let disk = disk_with(&old);
    write(&disk, "file", FROM as u64, &new);
    let range = FROM..FROM + new.len();
    for (grain, unit) in [(Grain::Bit, 0), (Grain::Byte, 1), (Grain::Sector, 512), (Grain::Page, 4_096)] {
        for shape in [Shape::Prefix, Shape::Suffix, Shape::Scattered] {
            for filling in [Filling::Old, Filling::Zeros, Filling::Garbage] {
                let mut is_torn = false;
                for seed in 0..12 {
                    let tearing = Tearing { percent: 100, grain, shape, filling };
                    let found = after_power_loss(&disk, Some(tearing), seed).content("file").unwrap();
                    let what = format!("{grain:?} {shape:?} {filling:?} {seed}");
                    assert_eq!(found.len(), BYTES, "{what}");
                    assert_eq!(found[..range.start], old[..range.start], "{what}");
                    assert_eq!(found[range.end..], old[range.end..], "{what}");
                    let kept = |place: usize| found[place] == 0x55;
                    is_torn |= range.clone().any(kept) && !range.clone().all(kept);
                    if unit > 1 && filling != Filling::Garbage {
                        // Within a grain every byte is of one kind.
                        for place in range.clone().skip(1).filter(|place| place % unit != 0) {
                            assert_eq!(found[place], found[place - 1], "{what} at {place}");
                        }
                    }
                    let lost = match filling {
                        Filling::Old => 0xAA,
                        Filling::Zeros => 0,
                        Filling::Garbage => continue,
                    };
                    if unit > 0 {
                        assert!(
                            found[range.clone()].iter().all(|byte| [0x55, lost].contains(byte)),
                            "{what}"
                        );
                        let kept: Vec<bool> = range.clone().map(kept).collect();
                        match shape {
                            Shape::Prefix => assert!(kept.is_sorted_by_key(|kept| !kept), "{what}"),
                            Shape::Suffix => assert!(kept.is_sorted(), "{what}"),
                            Shape::Scattered => {}
                        }
                    } else if shape == Shape::Scattered {
                        assert!(
                            found[range.clone()].iter().any(|byte| ![0x55, lost].contains(byte)),
                            "{what}"
                        );
                    }
                }
                assert!(is_torn, "{grain:?} {shape:?} {filling:?} never tore");
            }
        }
    }
}

#[test]
fn a_disk_may_spare_what_a_torn_write_does_not_change() {
    let old = vec![0xAA; 8_192];
    let mut new = old.clone();
    new[4_096..].fill(0x55);
    for spare in [false, true] {
        let disk = disk_with(&old);
        disk.spare_unchanged(spare);
        write(&disk, "file", 0, &new);
        let (grain, shape, filling) = (Grain::Sector, Shape::Scattered, Filling::Garbage);
        let tearing = Tearing { percent: 100, grain, shape, filling };
        let found = after_power_loss(&disk, Some(tearing), 3).content("file").unwrap();
        assert_eq!(found[..4_096] == old[..4_096], spare);
        assert!(found[4_096..].iter().any(|byte| ![0x55, 0xAA].contains(byte)));
    }
}

#[test]
fn a_torn_write_past_the_end_may_leave_only_the_length() {
    let disk = disk_with(b"");
    write(&disk, "file", 0, &[7; 2_048]);
    let tearing = Tearing { percent: 100, grain: Grain::Sector, shape: Shape::Prefix, filling: Filling::Old };
    let lengths: BTreeSet<_> = (0..100)
        .map(|seed| after_power_loss(&disk, Some(tearing), seed).content("file").unwrap())
        .map(|found| (found.len(), found.iter().filter(|byte| **byte == 7).count()))
        .collect();
    assert!(lengths.contains(&(2_048, 512)), "{lengths:?}");
    assert!(lengths.contains(&(512, 512)), "{lengths:?}");
    assert!(lengths.contains(&(0, 0)), "{lengths:?}");
}

#[test]
fn a_failed_sync_loses_what_a_later_one_does_not_bring_back() {
    let disk = disk_with(b"AAAA");
    write(&disk, "file", 0, b"DD");
    disk.inject(Injection::of(Fault::Eio).on(Operation::Sync));
    assert!(sync(&disk, "file").is_err());
    sync(&disk, "file").unwrap();
    assert_eq!(disk.content("file").unwrap(), b"DDAA");

    // A process that starts again reads them still; the power takes them.
    let killed = disk.crash(&CrashPlan::Kill);
    sync(&killed, "file").unwrap();
    assert_eq!(killed.content("file").unwrap(), b"DDAA");
    assert_eq!(killed.crash(&CrashPlan::keep_everything()).content("file").unwrap(), b"AAAA");

    // Written again, they are as good as any.
    write(&disk, "file", 0, b"DD");
    sync(&disk, "file").unwrap();
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("file").unwrap(), b"DDAA");
    assert_eq!(disk.syncs()["file"], 3);
}

#[test]
fn a_failed_sync_may_lose_some_or_nothing() {
    let after = |failed_sync, seed| {
        let disk = FaultyDisk::new(seed);
        disk.create_root().unwrap();
        disk.put("file", *b"....").unwrap();
        disk.on_failed_sync(failed_sync);
        disk.inject(Injection::of(Fault::Enospc).on(Operation::Sync));
        for place in 0..4 {
            write(&disk, "file", place, b"x");
        }
        assert_eq!(sync(&disk, "file").unwrap_err().kind(), ErrorKind::StorageFull);
        sync(&disk, "file").unwrap();
        disk.durable_content("file").unwrap()
    };
    assert_eq!(after(FailedSync::LosesAll, 1), b"....");
    assert_eq!(after(FailedSync::KeepsAll, 1), b"xxxx");
    let some: BTreeSet<_> = (0..200).map(|seed| after(FailedSync::LosesSome, seed)).collect();
    assert_eq!(some.len(), 16);
}

#[test]
fn dropped_syncs_keep_nothing() {
    let disk = disk_with(b"aaaa");
    disk.drop_syncs(true);
    disk.drop_dir_syncs(true);
    write(&disk, "file", 0, b"BB");
    disk.create("new").unwrap();
    sync(&disk, "file").unwrap();
    disk.sync_dir("").unwrap();
    let lost = disk.crash(&CrashPlan::lose_everything());
    assert_eq!(lost.content("file").unwrap(), b"aaaa");
    assert_eq!(lost.files(), ["file"]);
    assert_eq!(disk.syncs()["file"], 1);
    assert_eq!(disk.dir_syncs()[""], 1);
}

#[test]
fn the_nth_operation_fails_once_or_from_there_on() {
    let each = |times| {
        let disk = disk_with(b"aaaa");
        disk.fail_nth(3, Fault::Eio, times);
        let failed: Vec<bool> = (0..5).map(|_| disk.list("").is_err()).collect();
        (failed, disk.fired(), disk.operations())
    };
    assert_eq!(each(Times::Once), (vec![false, false, true, false, false], 1, 6));
    assert_eq!(each(Times::Forever), (vec![false, false, true, true, true], 3, 6));
}

#[test]
fn counting_up_strikes_every_operation_until_a_run_goes_by() {
    let run = |disk: &FaultyDisk| -> io::Result<()> {
        disk.create_root()?;
        let _lock = disk.lock()?;
        disk.create_dir("raw")?;
        let file = disk.create("raw/1")?;
        file.allocate(100)?;
        write_all_at(&*file, b"abc", 0)?;
        file.sync()?;
        disk.sync_dir("raw")?;
        disk.rename("raw/1", "raw/2")?;
        read_exact_at(&*disk.open("raw/2", false)?, &mut [0; 3], 0)?;
        disk.list("")?;
        disk.remove("raw/2")?;
        file.bytes().map(|_| ())
    };
    for fault in [Fault::Eio, Fault::Stop] {
        let mut runs = 0;
        loop {
            let disk = FaultyDisk::new(1);
            disk.fail_nth(runs + 1, fault.clone(), Times::Once);
            let result = run(&disk);
            if disk.fired() == 0 {
                assert!(result.is_ok());
                assert_eq!(runs, disk.operations(), "each was struck once");
                break;
            }
            assert!(result.is_err(), "{fault:?} at {runs}");
            runs += 1;
        }
        assert_eq!(runs, 14);
    }
}

#[test]
fn a_stop_lets_the_operation_happen_and_nothing_after_it() {
    let disk = disk_with(b"aaaa");
    let file = disk.open("file", true).unwrap();
    disk.inject(Injection::of(Fault::Stop).on(Operation::Write).at(2));
    file.write_at(b"1", 0).unwrap();
    assert!(file.write_at(b"2", 1).is_err());
    assert!(file.write_at(b"3", 2).is_err());
    assert!(file.sync().is_err());
    assert!(disk.list("").is_err());
    assert_eq!(disk.crash(&CrashPlan::keep_everything()).content("file").unwrap(), b"12aa");
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("file").unwrap(), b"aaaa");

    let disk = disk_with(b"aaaa");
    write(&disk, "file", 0, b"1");
    disk.inject(Injection::of(Fault::Stop).on(Operation::Sync));
    assert!(sync(&disk, "file").is_err());
    assert_eq!(disk.crash(&CrashPlan::lose_everything()).content("file").unwrap(), b"1aaa");
}

#[test]
fn faults_strike_only_what_they_name() {
    let disk = disk_with(b"aaaa");
    disk.put("other", *b"bbbb").unwrap();
    disk.inject(Injection::of(Fault::Eio).on(Operation::Read).in_name("other").forever());
    let mut buffer = [0; 4];
    read_exact_at(&*disk.open("file", false).unwrap(), &mut buffer, 0).unwrap();
    let error = read_exact_at(&*disk.open("other", true).unwrap(), &mut buffer, 0).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(5));
    write(&disk, "other", 0, b"c");
    disk.disarm();
    read_exact_at(&*disk.open("other", false).unwrap(), &mut buffer, 0).unwrap();
    assert_eq!(&buffer, b"cbbb");
}

#[test]
fn a_full_disk_refuses_what_takes_room_and_nothing_else() {
    let disk = disk_with(b"aaaa");
    let file = disk.open("file", true).unwrap();
    disk.fail_nth(1, Fault::Enospc, Times::Forever);
    for refused in [
        file.write_at(b"x", 0).err(),
        file.allocate(100).err(),
        disk.create("new").err(),
        disk.create_dir("dir").err(),
        disk.rename("file", "other").err(),
    ] {
        assert_eq!(refused.unwrap().kind(), ErrorKind::StorageFull);
    }
    file.sync().unwrap();
    file.read_at(&mut [0; 4], 0).unwrap();
    disk.remove("file").unwrap();
}

#[test]
fn a_disk_with_little_room_cuts_a_write_short_and_then_refuses() {
    let disk = disk_with(b"aaaa");
    disk.limit_room(Some(10));
    let file = disk.create("new").unwrap();
    assert_eq!(file.write_at(b"0123456789", 0).unwrap(), 6);
    assert_eq!(file.write_at(b"6789", 6).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.allocate(7).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.write_at(b"xx", 0).unwrap(), 2, "what is there can be overwritten");
    disk.remove("file").unwrap();
    assert_eq!(file.write_at(b"6789", 6).unwrap(), 4);
    disk.limit_room(None);
    file.allocate(1_000).unwrap();
}

#[test]
fn short_and_interrupted_operations_are_gone_on_with() {
    for fault in [Fault::ShortWrite, Fault::ShortRead, Fault::Interrupted { times: 7 }] {
        let disk = disk_with(b"");
        let file = disk.open("file", true).unwrap();
        disk.fail_nth(1, fault.clone(), Times::Forever);
        let bytes: Vec<u8> = (0..200).collect();
        write_all_at(&*file, &bytes, 0).unwrap();
        let mut found = vec![0; 200];
        read_exact_at(&*file, &mut found, 0).unwrap();
        assert_eq!(found, bytes, "{fault:?}");
        assert!(disk.fired() > 2, "{fault:?}");
    }
}

#[test]
fn an_interruption_lasts_as_often_as_it_says() {
    let disk = disk_with(b"abcd");
    let file = disk.open("file", false).unwrap();
    disk.fail_nth(2, Fault::Interrupted { times: 3 }, Times::Once);
    let read: Vec<bool> = (0..6).map(|_| file.read_at(&mut [0; 1], 0).is_ok()).collect();
    assert_eq!(read, [true, false, false, false, true, true]);
}

#[test]
fn a_lost_write_is_acknowledged_and_nowhere() {
    let disk = disk_with(b"aaaa");
    let file = disk.open("file", true).unwrap();
    disk.fail_nth(2, Fault::LostWrite, Times::Once);
    for (place, byte) in [b"1", b"2", b"3"].iter().enumerate() {
        assert_eq!(file.write_at(*byte, place as u64).unwrap(), 1);
    }
    file.sync().unwrap();
    assert_eq!(disk.crash(&CrashPlan::keep_everything()).content("file").unwrap(), b"1a3a");
}

#[test]
fn a_misdirected_write_lands_elsewhere() {
    let disk = disk_with(b"aaaa");
    disk.put("other", *b"bbbb").unwrap();
    let file = disk.open("file", true).unwrap();
    disk.fail_nth(1, Fault::MisdirectedWrite { file: None, shift: 2 }, Times::Once);
    file.write_at(b"x", 1).unwrap();
    let elsewhere = Fault::MisdirectedWrite { file: Some("other".to_owned()), shift: 0 };
    disk.fail_nth(1, elsewhere, Times::Once);
    file.write_at(b"y", 1).unwrap();
    assert_eq!(disk.content("file").unwrap(), b"aaax");
    assert_eq!(disk.content("other").unwrap(), b"bybb");
}

#[test]
fn rot_is_durable_and_seen_at_once() {
    let disk = disk_with(&[0, 0, 0, 0]);
    let open = disk.open("file", false).unwrap();
    disk.flip_bit("file", 1, 3).unwrap();
    let mut byte = [0];
    read_exact_at(&*open, &mut byte, 1).unwrap();
    assert_eq!(byte, [8]);
    disk.flip_bit("file", 99, 0).unwrap();
    disk.overwrite("file", 3, b"xyz").unwrap();
    disk.put("other", *b"other").unwrap();
    disk.swap("file", "other").unwrap();
    disk.copy("other", "third").unwrap();
    disk.truncate("third", 1).unwrap();
    let disk = disk.crash(&CrashPlan::lose_everything());
    assert_eq!(disk.content("file").unwrap(), b"other");
    assert_eq!(disk.content("other").unwrap(), [0, 8, 0, b'x']);
    assert_eq!(disk.content("third").unwrap(), [0]);
    disk.erase("file").unwrap();
    disk.put_odd("odd").unwrap();
    let disk = disk.crash(&CrashPlan::lose_everything());
    assert_eq!(disk.files(), ["other", "third"]);
    assert_eq!(disk.open("odd", false).err().unwrap().kind(), ErrorKind::InvalidInput);
    let odd = disk.list("").unwrap().into_iter().find(|entry| entry.name == "odd").unwrap();
    assert!(!odd.is_file);
}

#[test]
fn the_lock_does_not_outlive_a_crash() {
    let disk = disk_with(b"");
    let lock = disk.lock().unwrap();
    let next = disk.crash(&CrashPlan::Kill);
    let next_lock = next.lock().unwrap();
    drop(lock);
    assert!(next.lock().is_err(), "the old guard is of another disk");
    drop(next_lock);
    assert!(next.lock().is_ok());
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let tell = |seed| {
        let disk = FaultyDisk::new(seed);
        disk.record(100);
        disk.create_root().unwrap();
        disk.fail_nth(1, Fault::ShortWrite, Times::Forever);
        disk.create("file").unwrap();
        write(&disk, "file", 0, &[9; 3_000]);
        let disk = disk.crash(&CrashPlan::power_loss(seed));
        let _ = disk.open("file", false);
        (disk.story(), disk.content("file").ok())
    };
    let told: BTreeSet<_> = (0..50).map(tell).collect();
    assert_eq!(told, (0..50).map(tell).collect());
    assert_eq!(told.len(), 50);
    let (story, _) = tell(3);
    for part in ["Write     file 0+3000  struck by ShortWrite", "------ the power is lost", "Open "] {
        assert!(story.contains(part), "{part} is not in\n{story}");
    }
}

#[test]
fn random_plans_are_of_every_kind() {
    let told: BTreeSet<_> = (0..2_000).map(|seed| CrashPlan::random(seed).to_string()).collect();
    let all = told.into_iter().collect::<Vec<_>>().join("\n");
    let kinds = ["killed", "writes none", "writes all", "entries none", "Bit", "Byte", "Sector", "Page"];
    for kind in kinds.iter().chain(&["Prefix", "Suffix", "Scattered", "Old", "Zeros", "Garbage"]) {
        assert!(all.contains(kind), "{kind}");
    }
}
