//! The kill rig: a process that appends under load is killed with -9, again
//! and again, and an oracle outside of it knows what it was promised.
//!
//! ```text
//!   this process                                another process
//!   ┌────────┐  "a 3 1 17 208 209 4,0"  (pipe)  ┌──────────────────────┐
//!   │ oracle │◀─────────────────────────────────│ writers, one follower│
//!   └───┬────┘                                  │ the log, small       │
//!       │      kill -9, at any moment           │ segments             │
//!       ├──────────────────────────────────────▶└──────────┬───────────┘
//!       │  verify, reopen, compare                         │
//!       └──────────────────────────────────────▶ the store's directory
//! ```
//!
//! After every kill: each acknowledged append stands at the positions and
//! revisions of its receipt with its bytes; each other is whole or absent; the
//! log has no hole; what a follower saw, or an earlier opening read, is still
//! there; repeating an append gives its first receipt; a deep verification
//! finds nothing.
//!
//! A kill leaves the page cache alone, so a missing flush does not show here:
//! that is for the simulation (`sim.rs`), which takes the power away.
//!
//! ```text
//!   FACTUM_RIG_SEED=7 FACTUM_RIG_SECONDS=1800 cargo test -p factum-log --test it rig::
//! ```

mod load;
mod oracle;
mod prey;

use std::time::{Duration, Instant};

use factum_log::disk::faulty::Dice;
use factum_log::verify::{Depth, verify};

use oracle::Oracle;
use prey::{End, Prey};

/// How often the test run kills; with a length of time, until it is over.
const KILLS: u64 = 40;
/// After how many lives the next store begins: reading all of it is part of
/// every round, so it must stay small.
const LIVES: u32 = 10;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

#[test]
fn what_is_acknowledged_survives_kill_9() {
    let seed = number("FACTUM_RIG_SEED").unwrap_or(1);
    let seconds = number("FACTUM_RIG_SECONDS");
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (mut kills, mut acknowledged, mut events) = (0, 0, 0);
    for store in 0.. {
        let tally = one_store(seed.wrapping_mul(1_000_003).wrapping_add(store));
        kills += tally.kills;
        acknowledged += tally.acknowledged;
        events += tally.events;
        let is_over = until.map_or(kills >= KILLS, |until| Instant::now() >= until);
        if is_over {
            break;
        }
        if seconds.is_some() && store % 20 == 19 {
            println!("{kills} kills, {acknowledged} acknowledged appends, {events} events");
        }
    }
    println!("seed {seed}: {kills} kills, {acknowledged} acknowledged appends, {events} events checked");
    // A rig in which nothing happens finds nothing.
    assert!(acknowledged > 20 * kills, "{acknowledged} appends in {kills} lives");
}

struct Tally {
    kills: u64,
    acknowledged: u64,
    events: u64,
}

/// The lives of one store.
fn one_store(seed: u64) -> Tally {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut dice = Dice::new(seed);
    let mut oracle = Oracle::new(seed);
    let mut kills = 0;
    for life in 1..=LIVES {
        let told = |what: &str| format!("seed {seed}, life {life}: {what}");
        let prey = Prey::start(&path, seed, life);
        // Some die while they open the store, or recover it.
        match dice.below(10) {
            0..3 => std::thread::sleep(Duration::from_micros(dice.below(30_000))),
            3..5 => prey.wait_for_lines(1 + dice.below(40) as usize),
            _ => std::thread::sleep(Duration::from_millis(20 + dice.below(160))),
        }
        match prey.end() {
            End::Killed(lines) => {
                kills += 1;
                oracle.hear(&lines);
            }
            End::Closed(lines) => oracle.hear(&lines),
            End::Failed(why) => panic!("{}", told(&why)),
        }
        // Every third life begins on what the one before left, unmended.
        if !path.join("STORE").exists() || (dice.chance(33) && life != LIVES) {
            continue;
        }
        let before =
            verify(&path, Depth::Deep, &mut |_| {}).unwrap_or_else(|e| panic!("{}", told(&format!("{e:?}"))));
        let lost: Vec<_> = before.damage.iter().filter(|damage| !damage.rebuildable).collect();
        assert!(lost.is_empty(), "{}", told(&format!("verification finds {lost:?}")));
        oracle.check(&path, &mut dice).unwrap_or_else(|what| panic!("{}", told(&what)));
        let after = verify(&path, Depth::Deep, &mut |_| {}).unwrap();
        assert_eq!(after.damage, [], "{}", told("after it was closed in order"));
    }
    Tally { kills, acknowledged: oracle.acknowledged() as u64, events: oracle.events() as u64 }
}

/// The other process: this test binary, told by the environment what to do.
#[test]
#[ignore = "the process that the rig kills; it ends when its parent does"]
fn prey_process() {
    load::work();
}

/// An oracle that believes everything would see nothing.
#[test]
fn the_oracle_notices_what_is_wrong() {
    oracle::notices_what_is_wrong();
}
