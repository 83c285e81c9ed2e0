//! Bytes that pass every checksum and were not written by the log, and bytes
//! of the log in places where a payload put them.
//!
//! Whoever can read a store's files knows its secret and can compute what only
//! the log should; none of it may make the log panic, hang, or take room it
//! does not have. See `src/segment/format.rs` for the offsets.

use factum_core::*;
use factum_log::disk::FaultyDisk;
use factum_log::disk::faulty::{CrashPlan, Fault, Injection, Operation};

use crate::fixture::*;

const HEADER: usize = 64;

fn salt(disk: &FaultyDisk) -> u32 {
    let text = String::from_utf8(disk.content("STORE").unwrap()).unwrap();
    let secret = text.lines().find_map(|line| line.strip_prefix("secret ")).unwrap();
    crc32c::crc32c(&u64::from_str_radix(secret, 16).unwrap().to_le_bytes())
}

/// Changes a batch of one record, and makes its checksums right again.
fn forge(disk: &FaultyDisk, name: &str, at: usize, change: impl FnOnce(&mut [u8])) {
    let salt = salt(disk);
    let mut content = disk.content(name).unwrap();
    let batch = &mut content[at..at + BLOCK as usize];
    change(batch);
    let length = u32::from_le_bytes(batch[HEADER..HEADER + 4].try_into().unwrap()) as usize;
    if let Some(record) = batch[HEADER..].get_mut(..length).filter(|record| record.len() >= 72) {
        let own = crc32c::crc32c_append(salt, &record[32..]);
        let crc = crc32c::crc32c_append(crc32c::crc32c_append(own, &record[..4]), &record[8..32]);
        record[4..8].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(salt, &batch[..60]), &batch[64..]);
    batch[60..64].copy_from_slice(&crc.to_le_bytes());
    disk.put(name, content).unwrap();
}

/// Opens it both ways and does everything there is to do, whatever comes of it.
fn use_it(disk: &FaultyDisk) -> bool {
    let report = deep(disk);
    let mut right = report.is_ok_and(|report| report.damage.is_empty());
    for log in [open_read(disk), open(disk)] {
        let Ok(log) = log else {
            right = false;
            continue;
        };
        let forward: Vec<_> = log.read(Read::all()).unwrap().take(1_000).collect();
        let backward: Vec<_> = log.read(Read::all().backward()).unwrap().take(1_000).collect();
        right &= forward.iter().chain(&backward).all(|event| event.is_ok());
        for number in 0..3 {
            for read in [Read::stream(stream(number)), Read::stream(stream(number)).backward()] {
                right &= log.read(read).is_ok_and(|events| events.take(1_000).all(|event| event.is_ok()));
            }
        }
        drop(append(&log, EVENTS));
        drop(log.close());
    }
    right
}

/// B03
#[test]
fn lengths_that_cannot_be_are_damage_and_take_no_room() {
    let whole = store_of(EVENTS);
    // Field, and its length: of the batch's header, and of its first record's.
    let record = HEADER;
    let fields = [
        (32, 4),
        (36, 4),
        (record, 4),
        (record + 50, 2),
        (record + 52, 2),
        (record + 54, 2),
        (record + 60, 4),
        (record + 64, 4),
        (record + 68, 4),
    ];
    let lengths = [0, 1, 2, 71, 4_095, 1 << 15, 0xffff, 1 << 20, 1 << 31, u32::MAX - 7, u32::MAX];
    for (name, at) in [(segment(3), 3 * BLOCK), (segment(1), 2 * BLOCK), (segment(1), BLOCK)] {
        for (field, width) in fields {
            for length in lengths {
                let disk = whole.crash(&CrashPlan::Kill);
                let mut same = false;
                forge(&disk, &name, at as usize, |batch| {
                    let bytes = &length.to_le_bytes()[..width];
                    same = batch[field..field + width] == *bytes;
                    batch[field..field + width].copy_from_slice(bytes);
                });
                assert!(
                    !use_it(&disk) || same,
                    "{length} at byte {field} of a batch of {name} was not noticed"
                );
            }
        }
    }
}

/// B03: every other field, each turned over.
#[test]
fn fields_that_cannot_be_are_noticed_or_harmless() {
    let whole = store_of(EVENTS);
    for (name, at) in [(segment(3), 3 * BLOCK), (segment(1), 2 * BLOCK)] {
        for field in (0..60).chain(HEADER..HEADER + 110) {
            for change in [0x01, 0x80, 0xff] {
                let disk = whole.crash(&CrashPlan::Kill);
                forge(&disk, &name, at as usize, |batch| batch[field] ^= change);
                use_it(&disk);
            }
        }
    }
}

/// An event whose data holds a whole batch of this log exactly where a batch
/// could begin.
fn carrier(number: u64, batch: &[u8]) -> Append {
    let fixed = HEADER + 72 + stream(number).as_str().len() + "Carried".len();
    let mut data = vec![0xaa; BLOCK as usize - fixed];
    data.extend_from_slice(batch);
    data.extend_from_slice(batch);
    let event = NewEvent::new(EventType::new("Carried").unwrap(), data).with_id(Uuid::from_u128(1 << 100));
    Append::to(stream(number), ExpectedRevision::Any, [event])
}

fn batch_of(disk: &FaultyDisk, number: u64) -> Vec<u8> {
    let at = (BLOCK + number * BLOCK) as usize;
    disk.content(&segment(1)).unwrap()[at..at + BLOCK as usize].to_vec()
}

/// B14
#[test]
fn a_batch_inside_a_payload_is_never_taken_for_one() {
    let disk = FaultyDisk::new(1);
    let log = open(&disk).unwrap();
    for number in 0..4 {
        append(&log, number).unwrap();
    }
    let inner = batch_of(&disk, 2);
    let carried = log.append(carrier(4, &inner)).unwrap();
    append(&log, 5).unwrap();
    log.close().unwrap();
    let content = disk.content(&segment(1)).unwrap();
    let copies = (0..content.len()).step_by(BLOCK as usize).filter(|at| content[*at..].starts_with(&inner));
    assert_eq!(copies.count(), 3, "the copies stand where batches could begin");
    assert_eq!(deep(&disk).unwrap().events, 6);

    // Damage before it, in it, and in every block of what carries it.
    for block in 1..9 {
        let disk = disk.crash(&CrashPlan::Kill);
        disk.flip_bit(&segment(1), block * BLOCK + 80, 0).unwrap();
        refused(&disk, &[&segment(1), "shows that it was acknowledged"]);
        let log = open_read(&disk).unwrap();
        let found: Vec<_> = (0..6).map(|at| log.event_at(Position::new(at))).collect();
        for (at, event) in found.iter().enumerate() {
            // A copy would be found again at another position.
            assert!(event.as_ref().map_or(true, |event| event.as_ref().unwrap().position.get() == at as u64));
        }
        assert_eq!(
            found.iter().filter(|event| event.is_err()).count(),
            1,
            "only the damaged one is not served"
        );
        drop(log);
        let report = deep(&disk).unwrap();
        assert!(report.events <= 5, "block {block}: {report:?}");
        assert!(!report.damage.is_empty());
    }
    assert_eq!(carried.first_position(), Some(Position::new(4)));
}

/// B14, where there is no acknowledged batch behind: a torn tail with whole
/// batches in it is a torn tail.
#[test]
fn a_torn_batch_that_carries_others_is_cut_off() {
    for first_blocks in 0..3 {
        let disk = FaultyDisk::new(1);
        let log = open(&disk).unwrap();
        for number in 0..4 {
            append(&log, number).unwrap();
        }
        let inner = batch_of(&disk, 3);
        disk.inject(Injection::of(Fault::Stop).on(Operation::Write).in_name(".seg"));
        log.append(carrier(4, &inner)).unwrap_err();
        drop(log);
        let disk = disk.crash(&CrashPlan::Kill);
        let torn_at = 5 * BLOCK;
        disk.overwrite(&segment(1), torn_at + first_blocks * BLOCK, &[0; 512]).unwrap();
        let log = open(&disk).unwrap();
        assert!(log.recovery().torn_tail_bytes > 0);
        assert_eq!(read_all(&log).unwrap(), up_to(4));
        // What is left of it behind the next batches is still no batch.
        append(&log, 4).unwrap();
        log.close().unwrap();
        let log = open(&disk).unwrap();
        assert_eq!(read_all(&log).unwrap(), up_to(5));
        drop(log);
        assert_eq!(deep(&disk).unwrap().damage, []);
    }
}

/// B16: a STORE that nobody wrote, with its checksum right.
#[test]
fn segment_sizes_that_cannot_be_are_refused() {
    let whole = store_of(3);
    let text = String::from_utf8(whole.content("STORE").unwrap()).unwrap();
    let size = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    for name in ["segment_bytes_first", "segment_bytes_max"] {
        for value in [0, 1, BLOCK, 16 * BLOCK - 1, SEGMENT + 1, 1 << 40, u64::MAX] {
            let covered = text.replace(&size(name), &format!("{name} {value}"));
            let covered = &covered[..covered.find("crc32c ").unwrap()];
            let crc = crc32c::crc32c(covered.as_bytes());
            let disk = whole.crash(&CrashPlan::Kill);
            disk.put("STORE", format!("{covered}crc32c {crc:08x}\n")).unwrap();
            refused(&disk, &["STORE", name]);
        }
    }
}

/// B13: an index is checked by what is in it, not by its checksum alone.
#[test]
fn an_index_that_lies_makes_no_wrong_event() {
    let whole = store_of(EVENTS);
    let right = whole.content(&index(1)).unwrap();
    for at in (0..right.len()).filter(|at| !(92..96).contains(at)) {
        for change in [0x01, 0x80, 0xff] {
            let mut lying = right.clone();
            lying[at] ^= change;
            let crc = crc32c::crc32c_append(crc32c::crc32c(&lying[..92]), &lying[96..]);
            lying[92..96].copy_from_slice(&crc.to_le_bytes());
            let disk = whole.crash(&CrashPlan::Kill);
            disk.put(&index(1), lying).unwrap();
            use_it(&disk);
            if let Ok(log) = open_read(&disk) {
                // Each event that comes is right, at its place or in its stream.
                for event in log.read(Read::all()).unwrap().map_while(Result::ok) {
                    assert_eq!(number_of(&event), event.position.get(), "byte {at}");
                }
                for query in [Query::types([event(0).event_type]), Query::beginnings()] {
                    for event in log.read(Read::query(query.clone())).unwrap().map_while(Result::ok) {
                        assert_eq!(number_of(&event), event.position.get(), "byte {at}");
                        assert!(query.selects(&event), "byte {at}");
                    }
                    // It may count wrongly, and must come to an end.
                    let _ = log.count(Read::query(query).skip(3));
                }
                for number in 0..3 {
                    let Ok(events) = log.read(Read::stream(stream(number))) else { continue };
                    for event in events.map_while(Result::ok) {
                        let found = number_of(&event);
                        assert!(found % 3 == number && event.revision.get() == found / 3, "byte {at}");
                    }
                }
            }
        }
    }
}
