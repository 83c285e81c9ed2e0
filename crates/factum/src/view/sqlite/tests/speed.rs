//! How fast, beside the targets: at least 50,000 events a second into a table, and
//! less than 100 ms behind, for 99 of 100 events, at 10,000 a second.
//!
//! `cargo test -p factum --release --features sqlite -- --ignored --nocapture speed`

use std::time::Instant;

use super::*;
use crate::view::tests::{Balances, deposit};

const EVENTS: usize = 200_000;

fn filled() -> Store {
    let store = Store::memory();
    for batch in 0..EVENTS / 1_000 {
        let events = (0..1_000).map(|at| deposit(&format!("a{}", (batch * 31 + at * 7) % 5_000), 3));
        store.record(events.collect::<Vec<_>>()).run().unwrap();
    }
    store
}

#[test]
#[ignore = "a measurement"]
fn events_per_second_into_a_table() {
    let (store, place) = (filled(), Place::new());
    let begun = Instant::now();
    let balances = store.project(Balances).in_database(&place.database).unwrap();
    all_projected(&balances);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{EVENTS} events into 5,000 rows of 7 columns: {:.0} events/s", EVENTS as f64 / seconds);
    let begun = Instant::now();
    let in_memory = store.project(Balances).in_memory().unwrap();
    println!("in memory: {:.0} events/s", EVENTS as f64 / begun.elapsed().as_secs_f64());
    assert_eq!(in_memory.len(), 5_000);
    assert_eq!(balances.rows().unwrap(), in_memory.rows());
}

#[test]
#[ignore = "a measurement"]
fn lag_at_ten_thousand_events_a_second() {
    let (store, place) = (Store::memory(), Place::new());
    let balances = store.project(Balances).in_database(&place.database).unwrap();
    all_projected(&balances);
    let begun = Instant::now();
    let (mut lags, mut sent) = (Vec::new(), 0_u32);
    while begun.elapsed() < Duration::from_secs(5) {
        let due = (begun.elapsed().as_secs_f64() * 1_000.0) as u32;
        for tenth in sent..due {
            let events: Vec<_> =
                (0..10).map(|at| deposit(&format!("a{}", (tenth * 10 + at) % 5_000), 3)).collect();
            let receipt = store.record(events).run().unwrap();
            if tenth % 8 == 0 {
                let recorded = Instant::now();
                balances.wait_for(&receipt).run().unwrap();
                lags.push(recorded.elapsed());
            }
        }
        sent = due;
        std::thread::sleep(Duration::from_micros(200));
    }
    lags.sort_unstable();
    let at = |share: f64| lags[(lags.len() as f64 * share) as usize];
    println!(
        "{} events in 5 s; behind: p50 {:?}, p99 {:?}, most {:?}",
        sent * 10,
        at(0.5),
        at(0.99),
        lags[lags.len() - 1]
    );
}
