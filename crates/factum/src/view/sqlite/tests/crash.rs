//! Faults between a batch and its commit, by a trigger that fails the checkpoint,
//! and after it, by a runner that is never heard of again.

use factum_core::{Read, RecordedEvent, Start};
use proptest::prelude::*;

use super::*;
use crate::view::feed::Batch;
use crate::view::projection::query;
use crate::view::projector::{Begin, Sink as _, Taken};
use crate::view::sqlite::sink::DatabaseSink;
use crate::view::tests::{Balances, deposit, history, record};

/// What happens to one batch.
#[derive(Debug, Clone, Copy)]
struct Step {
    events: u64,
    /// So many events from before the checkpoint come once more.
    again: u64,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    BeforeCommit,
    AfterCommit,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![Just(Fault::None), Just(Fault::BeforeCommit), Just(Fault::AfterCommit)];
    (1_u64..12, 0_u64..6, fault).prop_map(|(events, again, fault)| Step { events, again, fault })
}

fn batch<P: Projection>(store: &Store, from: Position, events: u64) -> Batch {
    let read = Read::query(query::<P>().unwrap()).from(Start::Position(from)).limit(events);
    let events: Vec<RecordedEvent> = store.events().read(read).unwrap().collect::<Result<_, _>>().unwrap();
    let next = events.last().map_or(from, |event| event.position.next());
    Batch { events, next, is_live: false }
}

/// A runner that takes over at once: the one before is not waited for.
fn runner<P: Projection>(projection: P, store: &Store, place: &Place) -> (DatabaseSink<P>, Position) {
    let mut sink = quick(store.project(projection)).sink(&place.database).unwrap();
    sink.connection.execute("UPDATE factum_projection SET heartbeat_us = NULL", []).unwrap();
    match sink.begin().unwrap() {
        Begin::At(next) => (sink, next),
        Begin::Wait(phase, _) => panic!("{phase:?}"),
    }
}

const FAIL: &str = "CREATE TEMP TRIGGER fault BEFORE UPDATE ON main.factum_projection
    BEGIN SELECT RAISE(ABORT, 'a fault'); END";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_event_takes_effect_once_whatever_is_interrupted(
        history in history(),
        steps in prop::collection::vec(step(), 1..20),
    ) {
        let (store, place) = (Store::memory(), Place::new());
        record(&store, &history);
        let (mut sink, mut next) = runner(Balances, &store, &place);
        for step in steps {
            let from = Position::new(next.get().saturating_sub(step.again));
            let mut batch = batch::<Balances>(&store, from, step.events + step.again);
            // A feed never ends before the checkpoint it began at.
            batch.next = batch.next.max(next);
            if step.fault == Fault::BeforeCommit {
                sink.connection.execute_batch(FAIL).unwrap();
                prop_assert!(sink.take(&batch).is_err());
                sink.connection.execute_batch("DROP TRIGGER temp.fault").unwrap();
                (sink, next) = runner(Balances, &store, &place);
                continue;
            }
            prop_assert!(matches!(sink.take(&batch).unwrap(), Some(Taken::Whole(_))));
            next = batch.next;
            if step.fault == Fault::AfterCommit {
                let (again, stored) = runner(Balances, &store, &place);
                prop_assert_eq!(stored, next);
                sink = again;
            }
            let then = store.view(Balances);
            let then = match next.previous() {
                Some(last) => then.as_of(last).run().unwrap().rows(),
                None => Vec::new(),
            };
            let connection = place.database.connection().unwrap();
            let rows: i64 =
                connection.query_row("SELECT count(*) FROM balances", [], |row| row.get(0)).unwrap();
            prop_assert_eq!(rows.unsigned_abs() as usize, then.len());
        }
        drop(sink);
        place.database.writer().unwrap().execute("UPDATE factum_projection SET heartbeat_us = NULL", []).unwrap();
        let balances = quick(store.project(Balances)).in_database(&place.database).unwrap();
        all_projected(&balances);
        prop_assert_eq!(balances.rows().unwrap(), store.view(Balances).run().unwrap().rows());
    }
}

#[test]
fn trouble_is_told_and_ends_by_itself() {
    let (store, place) = (Store::memory(), Place::new());
    let tallies = place.tallies(&store);
    all_projected(&tallies);
    let writer = place.database.writer().unwrap();
    // The table is not there when the next event comes.
    writer.execute_batch("ALTER TABLE tallies_v1_1 RENAME TO away").unwrap();
    store.record(deposit("a", 1)).run().unwrap();
    until("it is in trouble", || tallies.status().unwrap().trouble.is_some());
    let said = tallies.wait_for(Position::FIRST).within(Duration::from_millis(10)).run().unwrap_err();
    assert!(said.to_string().contains("no such table: tallies_v1_1"), "{said}");
    writer.execute_batch("ALTER TABLE away RENAME TO tallies_v1_1").unwrap();
    all_projected(&tallies);
    assert_eq!(tallies.status().unwrap().trouble, None);
    assert_eq!(tally(&place.database), (1, 1, Some(Position::FIRST)));
}

#[test]
fn it_stops_before_poison_in_the_register_too_and_goes_on_when_told() {
    let (store, place) = (Store::memory(), Place::new());
    let tallies = place.tallies(&store);
    store.record([deposit("a", 1), deposit("a", -1), deposit("a", 2)]).run().unwrap();
    until("it has failed", || place.status("tallies").phase == Phase::Failed);
    let failure = place.status("tallies").failure.unwrap();
    assert_eq!(
        (failure.position.get(), failure.event_type.as_str(), failure.stream.as_str(), failure.revision),
        (1, "AccountDeposited", "account-a", 1)
    );
    assert_eq!(failure.reason, "nobody deposits less than nothing");
    assert_eq!(tally(&place.database), (1, 1, Some(Position::FIRST)), "what came before is there");
    assert!(tallies.wait_for(Position::new(2)).run().is_err());

    // Trying again comes to the same.
    place.control().resume("tallies").unwrap();
    until("it has failed again", || place.status("tallies").failure.is_some());
    assert_eq!(tally(&place.database), (1, 1, Some(Position::FIRST)));
    drop(tallies);
    assert_eq!(place.status("tallies").phase, Phase::Failed, "also when nobody runs it");
}
