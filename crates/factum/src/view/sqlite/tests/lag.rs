//! How late a projection is, as the register tells.

use super::*;
use crate::view::projector::{Begin, Sink as _};
use crate::view::tests::{deposit, visit};

fn is_behind(place: &Place, events: u64) -> bool {
    let status = place.status("tallies");
    status.lag_events == events && status.lag > Duration::ZERO
}

#[test]
fn what_waits_falls_behind() {
    let (store, place) = (Store::memory(), Place::new());
    let tallies = place.tallies(&store);
    store.record(deposit("a", 1)).run().unwrap();
    all_projected(&tallies);
    place.control().pause("tallies").unwrap();
    until("it is paused", || place.status("tallies").phase == Phase::Paused);
    store.record([deposit("a", 2), deposit("a", 3)]).run().unwrap();
    until("the paused one is two events behind", || is_behind(&place, 2));
    let before = place.status("tallies").lag;
    until("later and later", || place.status("tallies").lag > before);
    place.control().resume("tallies").unwrap();
    until("it is live", || is_live(&place.status("tallies")) && place.status("tallies").lag.is_zero());

    store.record(deposit("a", -1)).run().unwrap();
    until("it has failed", || place.status("tallies").phase == Phase::Failed);
    store.record(deposit("a", 4)).run().unwrap();
    until("the failed one is two events behind", || is_behind(&place, 2));
    drop(tallies);
}

#[test]
fn passing_over_events_of_other_types_is_being_late_too() {
    let (store, place) = (Store::memory(), Place::new());
    store.record((0..5).map(|_| visit("a")).collect::<Vec<_>>()).run().unwrap();
    std::thread::sleep(Duration::from_millis(5));
    let mut sink = quick(store.project(Tallies)).sink(&place.database).unwrap();
    assert!(matches!(sink.begin().unwrap(), Begin::At(_)));
    assert!(is_behind(&place, 5), "{:?}", place.status("tallies"));
    assert!(sink.tick(Position::new(2), false).unwrap());
    assert!(is_behind(&place, 3), "{:?}", place.status("tallies"));
    assert!(place.status("tallies").lag >= Duration::from_millis(5));
    sink.end();
}
