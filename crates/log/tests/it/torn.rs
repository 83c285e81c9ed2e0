//! A batch that a crash caught on its way to the disk, cut at every place.
//!
//! ```text
//!   acknowledged      the batch under way, four blocks
//!   ├── 0 .. 3 ──┤├──────────┬──────────┬──────────┬──────────┤
//!                 ███████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒    cut at a byte
//!                 ▒▒▒▒▒▒▒▒▒▒▒███████████▒▒▒▒▒▒▒▒▒▒▒███████████    blocks in any order
//!                 ▒ zeros, noise, or what stood there before
//! ```
//!
//! The whole batch is there, or nothing of it is; what was acknowledged before
//! it is there; and appending goes on over it.

use factum_core::*;
use factum_log::disk::FaultyDisk;
use factum_log::disk::faulty::{CrashPlan, Dice};

use crate::fixture::*;

const ACKNOWLEDGED: u64 = 4;
const UNDER_WAY: u64 = 7;

struct Torn {
    disk: FaultyDisk,
    at: usize,
    batch: Vec<u8>,
    /// What else may stand in its place: zeros, noise, an older batch.
    others: [Vec<u8>; 3],
}

impl Torn {
    fn new() -> Self {
        let disk = FaultyDisk::new(1);
        let log = open(&disk).unwrap();
        for number in 0..ACKNOWLEDGED {
            append(&log, number).unwrap();
        }
        let before = disk.crash(&CrashPlan::lose_everything());
        let events = (ACKNOWLEDGED..ACKNOWLEDGED + UNDER_WAY).map(event);
        log.append(Append::to(stream(0), ExpectedRevision::Any, events)).unwrap();
        let whole = disk.content(&segment(1)).unwrap();
        let at = (BLOCK * (1 + ACKNOWLEDGED)) as usize;
        let end = at + 4 * BLOCK as usize;
        let batch = whole[at..end].to_vec();
        assert!(batch[3 * BLOCK as usize..].iter().any(|byte| *byte != 0), "it takes four blocks");
        assert!(whole[end..end + BLOCK as usize].iter().all(|byte| *byte == 0), "and no more");
        let mut noise = vec![0; batch.len()];
        Dice::new(1).fill(&mut noise);
        let older = whole[BLOCK as usize..at].to_vec();
        Self { disk: before, at, others: [vec![0; batch.len()], noise, older], batch }
    }

    /// With this in the place of the batch.
    fn check(&self, piece: &[u8], what: &dyn Fn() -> String) {
        let disk = self.disk.crash(&CrashPlan::Kill);
        disk.overwrite(&segment(1), self.at as u64, piece).unwrap();
        let log = open(&disk).unwrap_or_else(|error| panic!("{}: {}", what(), told(&error)));
        let found: Vec<_> =
            log.read(Read::all()).unwrap().map(|event| event.unwrap().id.as_u128() - 1).collect();
        let end = if piece == self.batch { ACKNOWLEDGED + UNDER_WAY } else { ACKNOWLEDGED };
        assert_eq!(found, (0..u128::from(end)).collect::<Vec<_>>(), "{}", what());
        if piece != self.batch {
            append(&log, ACKNOWLEDGED).unwrap();
            drop(log);
            assert_eq!(read_all(&open(&disk).unwrap()).unwrap(), up_to(ACKNOWLEDGED + 1), "{}", what());
        }
    }
}

/// A06, A07
#[test]
fn a_batch_cut_at_any_byte_is_absent() {
    let torn = Torn::new();
    let sectors = |cut: &usize| cut % 512 < 2 || cut % 512 == 511;
    // Every byte of its header and of the first record's, then every sector's
    // end and some between.
    for cut in (0..=torn.batch.len()).filter(|cut| *cut < 200 || cut % 97 == 0 || sectors(cut)) {
        for (kind, other) in torn.others.iter().enumerate() {
            let prefix = [&torn.batch[..cut], &other[cut..]].concat();
            torn.check(&prefix, &|| format!("{cut} bytes, then {kind}"));
            if sectors(&cut) {
                let suffix = [&other[..cut], &torn.batch[cut..]].concat();
                torn.check(&suffix, &|| format!("{kind} until byte {cut}"));
            }
        }
    }
}

/// A05: blocks reach the disk in any order.
#[test]
fn a_batch_with_any_block_missing_is_absent() {
    let torn = Torn::new();
    let block = BLOCK as usize;
    for there in 0..16 {
        for (kind, other) in torn.others.iter().enumerate() {
            let mut piece = other.clone();
            for at in (0..4).filter(|at| there >> at & 1 == 1) {
                piece[at * block..(at + 1) * block]
                    .copy_from_slice(&torn.batch[at * block..(at + 1) * block]);
            }
            torn.check(&piece, &|| format!("blocks {there:04b}, the others {kind}"));
        }
    }
}
