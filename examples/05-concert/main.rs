//! A hundred thousand buyers, one concert: the same rush with plain optimistic
//! retry, through a queue, over shards, and with reservations; conflicts,
//! attempts and throughput side by side.
//!
//! `cargo run --release -p factum-examples --bin concert -- [BUYERS] [--store DIR]`
//!
//! In memory unless a directory is named. Every way asserts that all tickets are
//! sold, each of them once.

mod concert;
mod report;
mod ways;

use std::error::Error;
use std::path::{Path, PathBuf};

use factum::Store;

use self::concert::sold_once;
use self::report::Report;

/// There are more buyers than tickets.
const BUYERS_PER_TICKET: u64 = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut buyers, mut dir) = (100_000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--store" => dir = Some(PathBuf::from(arguments.next().ok_or("--store needs a directory")?)),
            number => buyers = number.parse().map_err(|_| format!("`{number}` is no number of buyers"))?,
        }
    }
    println!("{buyers} buyers, {} tickets", buyers / BUYERS_PER_TICKET);
    println!("{}", Report::HEADING);
    for report in rush(buyers, dir.as_deref())? {
        println!("{report}");
    }
    Ok(())
}

/// The four ways, one after another, each on a store of its own.
fn rush(buyers: u64, dir: Option<&Path>) -> Result<Vec<Report>, Box<dyn Error>> {
    let ways: [(&'static str, ways::Way); 4] = [
        ("plain retry", ways::plain),
        ("queue", ways::queue),
        ("shards", ways::shards),
        ("reservation", ways::reservation),
    ];
    let mut reports = Vec::new();
    for (name, way) in ways {
        let store = match dir {
            Some(dir) => {
                std::fs::create_dir_all(dir)?;
                Store::open(dir.join(name.replace(' ', "-")))?
            }
            None => Store::memory(),
        };
        let tickets = buyers / BUYERS_PER_TICKET;
        let report = Report::of(name, || way(&store, buyers, tickets))?;
        sold_once(&store, tickets)?;
        reports.push(report);
    }
    Ok(reports)
}

#[test]
fn all_tickets_are_sold_once_in_memory() {
    let reports = rush(2_000, None).unwrap();
    for report in &reports {
        assert_eq!(report.tally.sold, 1_000, "{report}");
        assert_eq!(report.tally.sold + report.tally.sold_out, 2_000, "{report}");
    }
    let (plain, queue) = (&reports[0].tally, &reports[1].tally);
    assert_eq!(queue.conflicts(), 0, "one writer conflicts with nobody");
    assert!(plain.attempts >= plain.sold);
}

#[test]
fn all_tickets_are_sold_once_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    for report in rush(400, Some(&dir.path().join("new"))).unwrap() {
        assert_eq!(report.tally.sold, 200, "{report}");
    }
}
