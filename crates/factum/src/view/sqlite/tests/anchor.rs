//! Which log a database belongs to is known by the last event that was looked
//! at, whatever its type.

use factum_core::{Append, ExpectedRevision, NewEvent};

use super::*;
use crate::view::projector::{Begin, Sink as _};
use crate::view::sqlite::InDatabaseError;
use crate::view::tests::{deposit, visit};

/// The log as it was after so many events, in another place.
fn older_copy(store: &Store, events: usize) -> Store {
    let copy = Store::memory();
    for event in store.events().read(factum_core::Read::all()).unwrap().take(events) {
        let event = event.unwrap();
        let again = NewEvent {
            id: event.id,
            event_type: event.event_type,
            schema_version: event.schema_version,
            content_type: event.content_type,
            data: event.data,
            metadata: event.metadata,
            tags: event.tags,
            occurred_at: event.occurred_at,
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
        };
        copy.events().append(Append::to(event.stream, ExpectedRevision::Any, [again])).unwrap();
    }
    copy
}

fn is_refused(store: &Store, place: &Place) -> bool {
    let started = quick(store.project(Tallies)).in_database(&place.database);
    matches!(started.map(drop), Err(InDatabaseError::OtherStore { .. }))
}

fn projected(store: &Store, place: &Place) {
    let tallies = place.tallies(store);
    all_projected(&tallies);
    let end = store.events().last_position().unwrap();
    until("its checkpoint is at the end", || place.status("tallies").position == end);
}

#[test]
fn a_log_that_was_restored_from_an_older_copy_is_refused() {
    let (store, place) = (Store::memory(), Place::new());
    store.record(deposit("a", 1)).run().unwrap();
    for _ in 0..4 {
        store.record(visit("a")).run().unwrap();
    }
    projected(&store, &place);
    let copy = older_copy(&store, 2);
    assert!(is_refused(&copy, &place), "it is shorter than the checkpoint");
    // What is recorded in it from now on would be passed over.
    copy.record((0..5).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
    assert!(is_refused(&copy, &place), "other events stand where it has been");
    assert!(!is_refused(&older_copy(&store, 5), &place), "a whole copy is the same log");
}

#[test]
fn another_store_is_refused_also_if_nothing_was_projected_yet() {
    let (store, place) = (Store::memory(), Place::new());
    store.record([visit("a"), visit("b"), visit("c")]).run().unwrap();
    projected(&store, &place);
    let other = Store::memory();
    other.record([deposit("a", 1), deposit("a", 2), deposit("a", 3)]).run().unwrap();
    assert!(is_refused(&other, &place));
}

#[test]
fn whoever_takes_over_has_to_have_the_log_too() {
    let (store, other, place) = (Store::memory(), Store::memory(), Place::new());
    other.record([deposit("a", 1), deposit("a", 2)]).run().unwrap();
    let first = place.tallies(&store);
    until("the first runs it", || is_live(&place.status("tallies")));
    // There was nothing to know the log by when it started.
    let mut second = quick(other.project(Tallies)).sink(&place.database).unwrap();
    store.record(visit("a")).run().unwrap();
    until("the first has looked at it", || place.status("tallies").position == Some(Position::FIRST));
    drop(first);
    let Err(refused) = second.begin() else { panic!("it took over") };
    assert!(refused.to_string().contains("was projected from another store"), "{refused}");
    assert_eq!(place.status("tallies").heartbeat, None, "nor does it keep out others");
}

#[test]
fn a_checkpoint_that_names_no_event_is_not_believed() {
    let (store, place) = (Store::memory(), Place::new());
    store.record([visit("a"), visit("b")]).run().unwrap();
    projected(&store, &place);
    let writer = place.database.writer().unwrap();
    writer.execute("UPDATE factum_projection SET last_position = NULL, last_event_id = NULL", []).unwrap();
    let mut sink = quick(store.project(Tallies)).sink(&place.database).unwrap();
    assert!(matches!(sink.begin().unwrap(), Begin::At(Position::FIRST)));
    sink.end();
}
