//! What time, hands and other programs do to the files of a store that nobody
//! has open.
//!
//! Standing expectation: never a wrong event and never a panic; damage to what
//! was acknowledged is named with its file, and never cut off.

use factum_core::*;
use factum_log::disk::FaultyDisk;
use factum_log::disk::faulty::{CrashPlan, Dice, Fault, Injection, Operation};
use factum_log::{Access, Log, LogOptions, OpenError};

use crate::fixture::*;

/// Where the batch with the event of this number begins, in a segment that
/// begins with the event `first`.
fn batch_at(number: u64, first: u64) -> u64 {
    BLOCK + (number - first) * BLOCK
}

/// How many one-block batches fit into a segment.
const PER_SEGMENT: u64 = SEGMENT / BLOCK - 1;

/// B01, B02, over the whole of every file at a distance.
#[test]
fn no_flipped_bit_makes_a_wrong_event() {
    let whole = store_of(EVENTS);
    let mut dice = Dice::new(1);
    let mut refused = 0;
    for name in whole.files() {
        let bytes = whole.content(&name).unwrap();
        // Every byte that means something, and a few of the padding.
        for at in (0..bytes.len()).filter(|at| bytes[*at] != 0 && at % 61 == 0 || at % 8_191 == 0) {
            let disk = whole.crash(&CrashPlan::Kill);
            disk.flip_bit(&name, at as u64, dice.below(8) as u8).unwrap();
            let Ok(log) = open(&disk) else {
                refused += 1;
                continue;
            };
            match log.read(Read::all()) {
                Ok(events) => {
                    let found: Vec<u64> =
                        events.map_while(Result::ok).map(|event| number_of(&event)).collect();
                    assert_eq!(found, up_to(found.len() as u64), "byte {at} of {name}");
                }
                Err(error) => panic!("byte {at} of {name}: {error:?}"),
            }
        }
    }
    assert!(refused > 10, "damage was refused only {refused} times");
}

/// Which of the first events are served, each asked for by itself.
fn served_singly(log: &Log, events: u64) -> Vec<u64> {
    let serves = |number: &u64| match log.event_at(Position::new(*number)) {
        Ok(event) => number_of(&event.expect("it lies before the end")) == *number,
        Err(_) => false,
    };
    (0..events).filter(serves).collect()
}

/// B04
#[test]
fn damage_in_the_middle_of_the_open_segment_refuses_appends_and_names_itself() {
    let disk = store_of(EVENTS);
    let first = 2 * PER_SEGMENT;
    let damaged = batch_at(first + 2, first);
    disk.flip_bit(&segment(3), damaged + 300, 1).unwrap();
    let story =
        refused(&disk, &[&segment(3), &format!("byte {damaged}"), &format!("position {}", first + 2)]);
    assert!(story.contains("acknowledged"), "{story}");

    let report = deep(&disk).unwrap();
    let damage = &report.damage[0];
    assert_eq!((&damage.file, damage.offset, damage.rebuildable), (&segment(3), damaged, false));
    let lost = Position::new(first + 2);
    assert_eq!(damage.positions, Some(lost..=lost));
    assert_eq!(report.events, EVENTS - 1, "what lies behind the damage was looked at");

    let log = open_read(&disk).unwrap();
    assert!(log.recovery().damage.as_ref().is_some_and(|what| what.contains(&segment(3))));
    let mut all_but_the_lost = up_to(EVENTS);
    all_but_the_lost.remove(first as usize + 2);
    assert_eq!(served_singly(&log, EVENTS), all_but_the_lost, "for reading, everything else is served");
    assert!(read_all(&log).is_err(), "and what is lost is never passed over in silence");
    // Nothing was changed by looking.
    drop(log);
    disk.flip_bit(&segment(3), damaged + 300, 1).unwrap();
    assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), up_to(EVENTS));
}

/// B05
#[test]
fn damage_in_a_sealed_segment_concerns_only_reads_that_meet_it() {
    let whole = store_of(EVENTS);
    for number in 1..PER_SEGMENT {
        let disk = whole.crash(&CrashPlan::Kill);
        disk.flip_bit(&segment(1), batch_at(number, 0) + 200, 3).unwrap();
        let log = open(&disk).unwrap_or_else(|error| panic!("event {number}: {}", told(&error)));
        let read = |read: Read| -> Vec<Option<u64>> {
            log.read(read).unwrap().map(|event| event.ok().map(|event| number_of(&event))).collect()
        };
        let mut before: Vec<Option<u64>> = (0..number).map(Some).collect();
        before.push(None);
        assert_eq!(read(Read::all()), before);
        let behind = Read::all().from(Start::Position(Position::new(number + 1)));
        assert_eq!(read(behind), (number + 1..EVENTS).map(Some).collect::<Vec<_>>());
        let back = read(Read::all().backward());
        assert_eq!(back.len() as u64, EVENTS - number, "backwards until the damage");
        assert_eq!(back.last(), Some(&None));

        // Streams without an event in it do not notice.
        for name in [number + 1, number + 2].map(stream) {
            let found = log.read(Read::stream(name)).unwrap();
            assert!(found.into_iter().all(|event| event.is_ok()));
        }
        let hit: Vec<_> = log.read(Read::stream(stream(number))).unwrap().collect();
        let Some(Err(ReadError::Storage(StorageError::Corrupt { file, .. }))) =
            hit.iter().find(|e| e.is_err())
        else {
            panic!("event {number}: {hit:?}");
        };
        assert_eq!(*file, segment(1));

        append(&log, EVENTS).unwrap();
        log.close().unwrap();
        let damage = deep(&disk).unwrap().damage;
        let log_damage: Vec<_> = damage.iter().filter(|damage| !damage.rebuildable).collect();
        assert_eq!(log_damage.len(), 1, "{damage:?}");
        assert_eq!(log_damage[0].positions, Some(Position::new(number)..=Position::new(number)));
    }
}

/// B06
#[test]
fn a_segment_that_is_shorter_or_gone_is_missed() {
    let whole = store_of(EVENTS);
    let newest = whole.files().iter().filter(|name| name.ends_with(".seg")).count() as u32;
    for number in 1..newest {
        for bytes in [Some(SEGMENT - 1), Some(BLOCK), Some(1), Some(0), None] {
            let disk = whole.crash(&CrashPlan::Kill);
            match bytes {
                Some(bytes) => disk.truncate(&segment(number), bytes).unwrap(),
                None => disk.erase(&segment(number)).unwrap(),
            }
            refused(&disk, &[&segment(number)]);
            assert!(!deep(&disk).unwrap().damage.is_empty(), "segment {number} with {bytes:?}");
        }
    }
    // All from one on: nobody renumbers, and nobody begins anew.
    for from in 1..newest {
        let disk = whole.crash(&CrashPlan::Kill);
        for number in from..=newest {
            disk.erase(&segment(number)).unwrap();
        }
        let holds_events = from <= 3;
        match open(&disk) {
            Err(error) => assert!(told(&error).contains("missing"), "{}", told(&error)),
            Ok(log) => {
                assert!(!holds_events, "without segment {from}");
                assert_eq!(read_all(&log).unwrap(), up_to(EVENTS));
            }
        }
    }
}

/// B07
#[test]
fn a_log_cut_off_below_what_is_known_durable_is_damage() {
    let whole = store_of(EVENTS);
    let first = 2 * PER_SEGMENT;
    // Everything from here on lost, but for the last word that names it durable.
    let last = batch_at(EVENTS, first);
    for from in first..EVENTS {
        let disk = whole.crash(&CrashPlan::Kill);
        let zeros = vec![0; (last - batch_at(from, first)) as usize];
        disk.overwrite(&segment(3), batch_at(from, first), &zeros).unwrap();
        refused(&disk, &[&segment(3), "shows that it was acknowledged"]);
        let log = open_read(&disk).unwrap();
        assert_eq!(served_singly(&log, EVENTS), up_to(from));
        assert!(read_all(&log).is_err(), "events that are lost are never passed over in silence");
    }
}

/// B08
#[test]
fn garbage_behind_the_end_is_cut_off_and_told() {
    let whole = store_of(EVENTS);
    let end = batch_at(EVENTS, 2 * PER_SEGMENT) + BLOCK;
    let mut dice = Dice::new(8);
    for length in [1, 100, BLOCK, BLOCK + 1, 5 * BLOCK] {
        let disk = whole.crash(&CrashPlan::Kill);
        let mut garbage = vec![0; length as usize];
        dice.fill(&mut garbage);
        disk.overwrite(&segment(3), end, &garbage).unwrap();
        assert!(deep(&disk).unwrap().torn_tail_bytes >= length, "{:?}", deep(&disk).unwrap());
        let log = open(&disk).unwrap();
        assert!(log.recovery().torn_tail_bytes >= length, "{:?}", log.recovery());
        assert_eq!(read_all(&log).unwrap(), up_to(EVENTS));
        for number in EVENTS..EVENTS + 5 {
            append(&log, number).unwrap();
        }
        log.close().unwrap();
        assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), up_to(EVENTS + 5));
    }
}

/// The first batch of a segment, torn: the segment before it is still the one
/// being filled, and misses no index.
#[test]
fn a_torn_batch_at_the_beginning_of_a_segment_is_no_damage() {
    let disk = FaultyDisk::new(1);
    let log = open(&disk).unwrap();
    for number in 0..PER_SEGMENT {
        append(&log, number).unwrap();
    }
    disk.inject(Injection::of(Fault::Stop).on(Operation::Write).in_name(&segment(2)));
    append(&log, PER_SEGMENT).unwrap_err();
    drop(log);
    let disk = disk.crash(&CrashPlan::Kill);
    disk.flip_bit(&segment(2), BLOCK + 1_000, 0).unwrap();
    assert_eq!(deep(&disk).unwrap().damage, []);
    assert_eq!(deep(&disk).unwrap().torn_tail_bytes, BLOCK);
    let log = open(&disk).unwrap();
    log.pump().unwrap();
    assert_eq!(read_all(&log).unwrap(), up_to(PER_SEGMENT));
    log.close().unwrap();
    assert_eq!(deep(&disk).unwrap().damage, []);
    let log = open(&disk).unwrap();
    append(&log, PER_SEGMENT).unwrap();
    log.close().unwrap();
    assert_eq!(deep(&disk).unwrap().damage, []);
    assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), up_to(PER_SEGMENT + 1));
}

/// B09
#[test]
fn segments_that_change_places_are_told_apart() {
    let whole = store_of(EVENTS);
    let other = store_of(EVENTS);
    for (a, b) in [(1, 2), (2, 3), (1, 3), (3, 4)] {
        let disk = whole.crash(&CrashPlan::Kill);
        disk.swap(&segment(a), &segment(b)).unwrap();
        refused(&disk, &["this is segment"]);
        let disk = whole.crash(&CrashPlan::Kill);
        disk.copy(&segment(a), &segment(b)).unwrap();
        refused(&disk, &[&segment(b), &format!("this is segment {a}, not {b}")]);
        // With its index, too.
        disk.copy(&segment(b), &segment(a)).unwrap();
        let _ = disk.copy(&index(a), &index(b));
        refused(&disk, &[&segment(b)]);
        // One with the right number, of another store.
        let disk = whole.crash(&CrashPlan::Kill);
        disk.put(&segment(a), other.content(&segment(a)).unwrap()).unwrap();
        refused(&disk, &[&segment(a), "belongs to another store"]);
        assert!(!deep(&disk).unwrap().damage.is_empty());
    }
    // An older copy of the segment itself.
    let older = store_of(2 * PER_SEGMENT + 3);
    let log = open(&older).unwrap();
    let stale = older.content(&segment(3)).unwrap();
    for number in 2 * PER_SEGMENT + 3..EVENTS + PER_SEGMENT {
        append(&log, number).unwrap();
    }
    log.close().unwrap();
    older.put(&segment(3), stale).unwrap();
    match open(&older) {
        Err(error) => assert!(told(&error).contains("segments/"), "{}", told(&error)),
        // Its index knows how long it was.
        Ok(log) => {
            read_all(&log).unwrap_err();
        }
    }
    assert!(!deep(&older).unwrap().damage.is_empty());
}

/// B10: the disk says it wrote, and wrote elsewhere, or nowhere.
#[test]
fn writes_that_went_astray_are_noticed() {
    for nth in 2..12 {
        for fault in [
            Fault::LostWrite,
            Fault::MisdirectedWrite { file: None, shift: BLOCK as i64 },
            Fault::MisdirectedWrite { file: None, shift: 3 * BLOCK as i64 },
            Fault::MisdirectedWrite { file: Some(segment(2)), shift: 0 },
        ] {
            let disk = FaultyDisk::new(nth);
            let log = open(&disk).unwrap();
            disk.inject(Injection::of(fault.clone()).on(Operation::Write).in_name(&segment(1)).at(nth));
            for number in 0..14 {
                append(&log, number).unwrap();
            }
            let lost = nth - 1;
            // Only what is read from the disk can tell.
            let found: Vec<_> =
                log.read(Read::all()).unwrap().map(|event| event.map(|e| number_of(&e))).collect();
            assert_eq!(found.len() as u64, lost + 1, "{fault:?} at {nth}: {found:?}");
            assert!(found.last().unwrap().is_err());
            drop(log);
            refused(&disk, &[&segment(1)]);
            let damage = deep(&disk).unwrap().damage;
            assert!(damage.iter().any(|damage| !damage.rebuildable), "{fault:?} at {nth}: {damage:?}");
        }
    }
}

/// B11: a file whose blocks held another log before.
#[test]
fn stale_bytes_of_a_recycled_file_are_not_taken_for_the_log() {
    // Of another store, and of an older life of this one: the same positions,
    // the same sequence, whole batches.
    let stranger = store_of(PER_SEGMENT);
    let old = stranger.content(&segment(1)).unwrap();
    let disk = store_of(5);
    let mut recycled = disk.content(&segment(1)).unwrap();
    let end = batch_at(6, 0) as usize;
    recycled[end..].copy_from_slice(&old[end..]);
    disk.put(&segment(1), recycled).unwrap();
    let log = open(&disk).unwrap();
    assert_eq!(read_all(&log).unwrap(), up_to(5));
    append(&log, 5).unwrap();
    log.close().unwrap();
    assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), up_to(6));
}

/// B12
#[test]
fn a_page_of_zeros_in_the_middle_is_not_the_end() {
    let whole = store_of(EVENTS);
    let first = 2 * PER_SEGMENT;
    for number in first..EVENTS {
        let disk = whole.crash(&CrashPlan::Kill);
        disk.overwrite(&segment(3), batch_at(number, first), &[0; BLOCK as usize]).unwrap();
        refused(&disk, &[&segment(3), &format!("byte {}", batch_at(number, first))]);
    }
    for number in 1..PER_SEGMENT {
        let disk = whole.crash(&CrashPlan::Kill);
        disk.overwrite(&segment(1), batch_at(number, 0), &[0; BLOCK as usize]).unwrap();
        let log = open(&disk).unwrap();
        let found: Vec<_> = log.read(Read::all()).unwrap().collect();
        assert_eq!(found.len() as u64, number + 1);
        assert!(found.last().unwrap().is_err(), "zeros are no end where the index knows of more");
    }
}

/// B13
#[test]
fn an_index_that_is_not_right_is_built_again() {
    let whole = store_of(EVENTS);
    let other = store_of(EVENTS);
    let right = whole.content(&index(1)).unwrap();
    type Harm<'a> = Box<dyn Fn(&FaultyDisk) + 'a>;
    let put = |content: Vec<u8>| -> Harm<'_> {
        Box::new(move |disk| disk.put(&index(1), content.clone()).unwrap())
    };
    let mut harms: Vec<(&str, Harm<'_>)> = vec![
        ("missing", Box::new(|disk| disk.erase(&index(1)).unwrap())),
        ("all missing", Box::new(|disk| [1, 2].iter().for_each(|n| disk.erase(&index(*n)).unwrap()))),
        ("swapped", Box::new(|disk| disk.swap(&index(1), &index(2)).unwrap())),
        ("empty", put(Vec::new())),
        ("shorter", put(right[..right.len() - 1].to_vec())),
        ("longer", put([&right[..], &[0]].concat())),
        ("noise", put(vec![0x5a; 300])),
        ("another store's", put(other.content(&index(1)).unwrap())),
        (
            "no file",
            Box::new(|disk| {
                disk.erase(&index(1)).unwrap();
                disk.put_odd(&index(1)).unwrap();
            }),
        ),
    ];
    for at in (0..right.len()).step_by(7) {
        let mut content = right.clone();
        content[at] ^= 1;
        harms.push(("a bit", put(content)));
    }
    for (harm, harmed) in &harms {
        let disk = whole.crash(&CrashPlan::Kill);
        harmed(&disk);
        let report = deep(&disk).unwrap();
        assert!(
            !report.damage.is_empty() && report.damage.iter().all(|d| d.rebuildable),
            "{harm}: {report:?}"
        );
        // For reading only, the answers are the same and the file is left alone.
        let log = open_read(&disk).unwrap();
        assert_eq!(read_all(&log).unwrap(), up_to(EVENTS), "{harm}");
        drop(log);
        let log = open(&disk).unwrap_or_else(|error| panic!("{harm}: {}", told(&error)));
        assert!(!log.recovery().indexes_rebuilt.is_empty(), "{harm}: nothing was said of it");
        assert_eq!(read_all(&log).unwrap(), up_to(EVENTS), "{harm}");
        for number in 0..3 {
            let found =
                log.read(Read::stream(stream(number))).unwrap().map(|event| number_of(&event.unwrap()));
            assert_eq!(found.collect::<Vec<_>>(), (number..EVENTS).step_by(3).collect::<Vec<_>>(), "{harm}");
        }
        log.close().unwrap();
        if *harm != "no file" {
            assert_eq!(deep(&disk).unwrap().damage, [], "{harm}");
            assert_eq!(disk.content(&index(1)).unwrap(), right, "{harm}");
        }
    }
}

/// B13: it is damaged while the log is open.
#[test]
fn an_index_that_is_lost_under_an_open_log_costs_no_answer() {
    let disk = store_of(EVENTS);
    let log = open(&disk).unwrap();
    disk.erase(&index(1)).unwrap();
    disk.flip_bit(&index(2), 200, 0).unwrap();
    for number in 0..3 {
        let found = log.read(Read::stream(stream(number))).unwrap().map(|event| number_of(&event.unwrap()));
        assert_eq!(found.collect::<Vec<_>>(), (number..EVENTS).step_by(3).collect::<Vec<_>>());
    }
    assert_eq!(read_all(&log).unwrap(), up_to(EVENTS));
}

/// B15: of the two places with a store's identity, STORE and the headers.
#[test]
fn either_copy_of_a_segments_header_is_enough() {
    let whole = store_of(EVENTS);
    for number in 1..4 {
        for copy in [0, 2048] {
            let disk = whole.crash(&CrashPlan::Kill);
            disk.overwrite(&segment(number), copy, &[0xff; 64]).unwrap();
            let log = open(&disk).unwrap();
            assert_eq!(read_all(&log).unwrap(), up_to(EVENTS));
        }
        let disk = whole.crash(&CrashPlan::Kill);
        disk.overwrite(&segment(number), 0, &[0xff; 64]).unwrap();
        disk.overwrite(&segment(number), 2048, &[0xff; 64]).unwrap();
        refused(&disk, &[&segment(number), "neither copy of the header is whole"]);
    }
}

/// B15: there is one STORE, written once; it is checked, and damage is said.
#[test]
fn a_damaged_store_file_is_refused_and_never_begun_anew() {
    let whole = store_of(3);
    let text = whole.content("STORE").unwrap();
    for at in 0..text.len() {
        for bit in [0, 4] {
            let disk = whole.crash(&CrashPlan::Kill);
            disk.flip_bit("STORE", at as u64, bit).unwrap();
            if let Ok(log) = open(&disk) {
                // The letter case of a digit, or the last end of line, says nothing.
                assert_eq!(read_all(&log).unwrap(), up_to(3), "byte {at}");
            }
        }
        let disk = whole.crash(&CrashPlan::Kill);
        disk.truncate("STORE", at as u64).unwrap();
        if at + 1 < text.len() {
            refused(&disk, &["STORE"]);
        }
    }
    let disk = whole.crash(&CrashPlan::Kill);
    disk.erase("STORE").unwrap();
    let before = disk.content(&segment(1)).unwrap();
    assert!(open(&disk).is_err(), "segments without a STORE are no empty store");
    assert_eq!(disk.content(&segment(1)).unwrap(), before, "and nothing of them was removed");
}

/// B16
#[test]
fn what_is_not_ours_is_refused_by_name() {
    let newer = |text: &str| text.replace("format 1", "format 2");
    let whole = store_of(3);
    let text = String::from_utf8(whole.content("STORE").unwrap()).unwrap();
    let disk = whole.crash(&CrashPlan::Kill);
    disk.put("STORE", newer(&text)).unwrap();
    let error = open(&disk).err().unwrap();
    assert!(matches!(error, OpenError::NewerFormat { found: 2, known: 1, .. }), "{error:?}");
    for content in ["", "\n", "SQLite format 3\0", "factum store", "factum store\nformat x\n"] {
        let disk = whole.crash(&CrashPlan::Kill);
        disk.put("STORE", content).unwrap();
        refused(&disk, &["STORE"]);
    }
    for name in ["STORE".to_owned(), segment(1), segment(3)] {
        let disk = whole.crash(&CrashPlan::Kill);
        disk.erase(&name).unwrap();
        disk.put_odd(&name).unwrap();
        refused(&disk, &[&name, "not a plain file"]);
    }
    let disk = whole.crash(&CrashPlan::Kill);
    disk.put(&segment(1), vec![7; SEGMENT as usize]).unwrap();
    refused(&disk, &[&segment(1)]);
}

/// B17: anything at all, in any file; the finer work is in `fuzz/`.
#[test]
fn random_damage_never_panics_and_never_lies() {
    let whole = store_of(EVENTS);
    let files: Vec<(String, u64)> = whole
        .files()
        .into_iter()
        .map(|name| (name.clone(), whole.content(&name).unwrap().len() as u64))
        .filter(|(_, bytes)| *bytes > 0)
        .collect();
    let (mut opened, mut refused) = (0, 0);
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let disk = whole.crash(&CrashPlan::Kill);
        for _ in 0..=dice.below(3) {
            let (name, bytes) = dice.pick(&files);
            match dice.below(6) {
                0 => disk.truncate(name, dice.below(*bytes)).unwrap(),
                1 => {
                    let (other, _) = dice.pick(&files);
                    disk.copy(other, name).unwrap();
                }
                2 => drop(disk.erase(name)),
                _ => {
                    let mut noise = vec![0; 1 + dice.below(300) as usize];
                    dice.fill(&mut noise);
                    // Where it hurts: near the beginnings of things.
                    let block = dice.below(bytes.div_ceil(BLOCK)) * BLOCK;
                    drop(disk.overwrite(name, block + dice.below(400), &noise));
                }
            }
            if disk.content(name).is_err() {
                break;
            }
        }
        drop(deep(&disk));
        for access in [Access::Read, Access::Append] {
            let options = LogOptions { access, ..options() };
            match factum_log::Log::open_on(std::sync::Arc::new(disk.clone()), options) {
                Ok(log) => {
                    opened += 1;
                    let found: Vec<u64> =
                        log.read(Read::all()).unwrap().map_while(Result::ok).map(|e| number_of(&e)).collect();
                    assert_eq!(found, up_to(found.len() as u64), "seed {seed}");
                    for number in 0..3 {
                        if let Ok(events) = log.read(Read::stream(stream(number)).backward()) {
                            events
                                .map_while(Result::ok)
                                .for_each(|event| assert!(number_of(&event) < EVENTS));
                        }
                    }
                    drop(append(&log, EVENTS));
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(opened > 50 && refused > 50, "{opened} opened, {refused} refused");
}
