//! Several runners of one projection: one writes.

use factum_core::{Read, RecordedEvent};

use super::*;
use crate::view::feed::Batch;
use crate::view::projector::{Begin, Sink as _};
use crate::view::tests::deposit;

#[test]
fn one_writes_and_the_other_takes_over_when_it_is_gone() {
    let (store, place) = (Store::memory(), Place::new());
    // With the usual lease, which no busy machine lets run out.
    let first = store.project(Tallies).in_database(&place.database).unwrap();
    until("the first runs it", || is_live(&place.status("tallies")));
    let second = store.project(Tallies).in_database(&place.database).unwrap();
    until("the second stands by", || second.status().unwrap().phase == Phase::Standby);
    for cents in 0..500 {
        store.record(deposit("a", cents)).run().unwrap();
    }
    all_projected(&first);
    assert_eq!(tally(&place.database), (500, 500, Some(Position::new(499))));
    assert_eq!((first.status().unwrap().events, second.status().unwrap().events), (500, 0));
    // Whoever stands by reads the same rows, so it knows how far they are, too.
    all_projected(&second);
    let standing_by = second.status().unwrap();
    assert_eq!((standing_by.phase, standing_by.lag_events), (Phase::Standby, 0));
    assert_eq!(standing_by.position, Some(Position::new(499)));

    drop(first);
    store.record(deposit("a", 1)).run().unwrap();
    all_projected(&second);
    assert_eq!(tally(&place.database), (501, 501, Some(Position::new(500))));
}

#[test]
fn a_runner_that_was_only_slow_writes_nothing_once_it_is_superseded() {
    let (store, place) = (Store::memory(), Place::new());
    store.record([deposit("a", 1), deposit("a", 2)]).run().unwrap();
    let events: Vec<RecordedEvent> =
        store.events().read(Read::all()).unwrap().collect::<Result<_, _>>().unwrap();
    let batch = Batch { events, next: Position::new(2), is_live: true };

    let mut slow = quick(store.project(Tallies)).sink(&place.database).unwrap();
    assert!(matches!(slow.begin().unwrap(), Begin::At(_)));
    let mut other = quick(store.project(Tallies)).sink(&place.database).unwrap();
    assert!(matches!(other.begin().unwrap(), Begin::Wait(Phase::Standby, _)), "the lease holds");
    until("the lease runs out", || matches!(other.begin().unwrap(), Begin::At(_)));

    // It wakes up with a batch in its hands.
    assert!(slow.take(&batch).unwrap().is_none());
    assert!(!slow.tick(Position::new(2), true).unwrap());
    slow.end();
    assert_eq!(tally(&place.database), (0, 0, None), "nothing was written");
    assert!(place.status("tallies").heartbeat.is_some(), "nor was the other's lease given up");
    assert!(matches!(slow.begin().unwrap(), Begin::Wait(Phase::Standby, _)));
    assert!(other.take(&batch).unwrap().is_some());
    assert_eq!(tally(&place.database), (2, 2, Some(Position::new(1))));
}

#[test]
fn a_heartbeat_from_the_future_holds_nobody_up() {
    let (store, place) = (Store::memory(), Place::new());
    drop(place.tallies(&store));
    // The clock was set back by an hour since somebody was killed.
    let writer = place.database.writer().unwrap();
    let hour_ahead = crate::view::sqlite::register::now_us() + 3_600_000_000;
    writer.execute("UPDATE factum_projection SET heartbeat_us = ?1", [hour_ahead]).unwrap();
    let mut runner = quick(store.project(Tallies)).sink(&place.database).unwrap();
    assert!(matches!(runner.begin().unwrap(), Begin::At(_)));
}

#[test]
fn a_pause_holds_until_it_is_resumed() {
    let (store, place) = (Store::memory(), Place::new());
    let tallies = place.tallies(&store);
    store.record(deposit("a", 1)).run().unwrap();
    all_projected(&tallies);
    place.control().pause("tallies").unwrap();
    until("it is paused", || place.status("tallies").phase == Phase::Paused);
    store.record(deposit("a", 2)).run().unwrap();
    let late = tallies.wait_for(Position::new(1)).within(Duration::from_millis(300)).run().unwrap_err();
    assert!(late.to_string().contains("it is paused"), "{late}");
    assert_eq!(tally(&place.database).0, 1);

    // Also for whoever runs it next.
    drop(tallies);
    let tallies = place.tallies(&store);
    until("it is paused", || place.status("tallies").phase == Phase::Paused);
    assert!(place.status("tallies").is_paused && place.status("tallies").heartbeat.is_some());
    place.control().resume("tallies").unwrap();
    all_projected(&tallies);
    assert_eq!(tally(&place.database).0, 2);
    until("it is live", || is_live(&place.status("tallies")));
    drop(tallies);
    let status = place.status("tallies");
    assert_eq!((status.phase, status.heartbeat, status.events), (Phase::Stopped, None, 2));
}

#[test]
fn waiting_for_one_that_is_gone_ends() {
    let (store, place) = (Store::memory(), Place::new());
    let tallies = place.tallies(&store);
    let progress = tallies.progress().clone();
    drop(tallies);
    let error = progress.wait_for(Position::FIRST).run().unwrap_err();
    assert!(matches!(error, crate::view::WaitError::Stopped { .. }), "{error}");
}
