//! Rebuilding beside the table in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use factum_core::{Read, RecordedEvent, Start};

use super::*;
use crate::Rows;
use crate::event::{DecodeError, Decoded, EncodeError, Encoded, Shape, Stored};
use crate::evolution::Specimen;
use crate::view::feed::{Batch, Batching};
use crate::view::projector::Sink as _;
use crate::view::sqlite::rebuild::{Rebuild, Then};
use crate::view::sqlite::{RebuildState, RebuildStatus};
use crate::view::tests::panics::{Parcel, Parcels, record_old_parcel};
use crate::view::tests::{Account, Tally, deposit, visit};

fn rebuild(place: &Place) -> RebuildStatus {
    place.status("tallies").rebuild.unwrap()
}

fn is(place: &Place, state: RebuildState) -> bool {
    rebuild(place).state == state
}

fn generation(place: &Place) -> i64 {
    let connection = place.database.connection().unwrap();
    connection.query_row("SELECT generation FROM factum_projection", [], |row| row.get(0)).unwrap()
}

fn tables(place: &Place) -> Vec<String> {
    let connection = place.database.connection().unwrap();
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'tallies%' ORDER BY 1")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The tallies, a millisecond for each: a rebuild of many is under way for longer
/// than a test needs, however busy the machine is.
struct Slowly;

impl Projection for Slowly {
    const NAME: &'static str = Tallies::NAME;
    type Event = Account;
    type Row = Tally;

    fn project(&self, event: &Account, recorded: &RecordedEvent, rows: &mut Rows<'_, Tally>) {
        std::thread::sleep(Duration::from_millis(1));
        Tallies.project(event, recorded, rows);
    }
}

/// One by one, so that how far it has come is seen, and it can be interrupted.
fn slowly(store: &Store, place: &Place) -> DatabaseView<Slowly> {
    quick(store.project(Slowly)).batch_events_max(1).in_database(&place.database).unwrap()
}

#[test]
fn it_swaps_without_a_gap_or_a_double_while_events_come_in() {
    let (store, place) = (Store::memory(), Place::new());
    for cents in 0..2_000 {
        store.record(deposit("a", cents)).run().unwrap();
    }
    let tallies = place.tallies(&store);
    all_projected(&tallies);
    // Wrong rows, so that it is seen that they were made anew.
    place.database.writer().unwrap().execute("UPDATE tallies_v1_1 SET events = events + 10000", []).unwrap();

    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut cents = 0;
            while !is_over.load(Ordering::SeqCst) {
                cents += 1;
                store.record(deposit("b", cents)).run().unwrap();
                if cents % 5 == 0 {
                    store.record(visit("b")).run().unwrap();
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        });
        scope.spawn(|| {
            // Whoever reads meanwhile sees one table or the other, whole.
            let mut last = 0;
            while !is_over.load(Ordering::SeqCst) {
                let (rows, events, _) = tally(&place.database);
                assert!(rows == events || rows == events + 10_000, "{rows} {events}");
                assert!(events >= last, "{events} after {last}");
                last = events;
            }
        });
        for round in 1..=5 {
            place.control().rebuild("tallies").unwrap();
            until("it is rebuilt", || is(&place, RebuildState::Done));
            assert_eq!(generation(&place), 1 + round);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    all_projected(&tallies);
    let expected = store.view(Tallies).run().unwrap();
    assert_eq!(tallies.rows().unwrap(), expected.rows());
    assert_eq!(tally(&place.database).0, expected.events, "every event once");
    assert_eq!(tables(&place), ["tallies_v1_6"], "the old tables are gone");
    let done = rebuild(&place);
    assert_eq!((done.done, done.remaining), (done.total, None));
}

fn batch(store: &Store, begin: u64, end: u64) -> Batch {
    let read = Read::all().from(Start::Position(Position::new(begin))).limit(end - begin);
    let events: Vec<RecordedEvent> = store.events().read(read).unwrap().collect::<Result<_, _>>().unwrap();
    Batch { events, next: Position::new(end), is_live: true }
}

/// By hand, in the order that is hardest: each has seen what the other has not.
#[test]
fn whoever_is_behind_at_the_swap_loses_nothing() {
    for (in_use, rebuilt) in [(5, 2), (2, 5), (3, 3), (0, 4), (4, 0)] {
        let (store, place) = (Store::memory(), Place::new());
        store.record((0..6).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
        let mut sink = quick(store.project(Tallies)).sink(&place.database).unwrap();
        sink.begin().unwrap();
        sink.take(&batch(&store, 0, in_use)).unwrap().unwrap();
        place.control().rebuild("tallies").unwrap();
        let mut rebuild = Rebuild::new(
            Arc::new(Tallies),
            store.clone(),
            place.database.clone(),
            Batching::default(),
            sink.epoch.unwrap(),
        )
        .unwrap();
        assert_eq!(rebuild.begin().unwrap(), Some(Position::FIRST));
        assert_eq!(rebuild.take(&batch(&store, 0, rebuilt)).unwrap(), Then::End);
        let further = in_use.max(rebuilt);
        assert_eq!(tally(&place.database), (further, further, Position::new(further).previous()));
        // The projector goes on with what comes after its own last batch.
        sink.take(&batch(&store, in_use, 6)).unwrap().unwrap();
        assert_eq!(tally(&place.database), (6, 6, Some(Position::new(5))), "{in_use} {rebuilt}");
        assert_eq!(tables(&place), ["tallies_v1_2"]);
    }
}

#[test]
fn cancelling_leaves_no_trace() {
    let (store, place) = (Store::memory(), Place::new());
    store.record((0..20_000).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
    all_projected(&place.tallies(&store));
    let tallies = slowly(&store, &place);
    // One that shares the turns of this process, and one that cannot, as in another.
    let outside = Control::open(place.database.path()).unwrap();
    for control in [place.control(), outside] {
        control.rebuild("tallies").unwrap();
        until("it is under way", || is(&place, RebuildState::Running) && rebuild(&place).done > 0);
        let under_way = rebuild(&place);
        assert!(under_way.done < under_way.total && under_way.per_second > 0.0, "{under_way:?}");
        assert!(under_way.remaining.is_some());
        assert_eq!(tables(&place), ["tallies_v1_1", "tallies_v1_2"]);
        assert_eq!(tally(&place.database).0, 20_000, "the rows in use are all there");
        control.cancel_rebuild("tallies").unwrap();
        until("it is cancelled", || is(&place, RebuildState::Cancelled));
        assert_eq!(tables(&place), ["tallies_v1_1"]);
        assert_eq!(tally(&place.database), (20_000, 20_000, Some(Position::new(19_999))));
    }
    store.record(deposit("a", 1)).run().unwrap();
    all_projected(&tallies);
    assert_eq!(tally(&place.database).0, 20_001);
}

#[test]
fn whoever_steers_from_this_process_takes_a_turn() {
    let (store, place) = (Store::memory(), Place::new());
    all_projected(&place.tallies(&store));
    let (control, outside) = (place.control(), Control::open(place.database.path()).unwrap());
    let is_paused = || place.status("tallies").is_paused;
    let turn = place.database.turn();
    std::thread::scope(|scope| {
        let pausing = scope.spawn(move || control.pause("tallies").unwrap());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!pausing.is_finished() && !is_paused(), "somebody else writes");
        drop(turn);
        pausing.join().unwrap();
    });
    assert!(is_paused());
    // Of another process nobody knows whose turn it is.
    let _turn = place.database.turn();
    outside.resume("tallies").unwrap();
    assert!(!is_paused());
}

#[test]
fn an_interrupted_rebuild_goes_on_where_it_was() {
    let (store, place) = (Store::memory(), Place::new());
    store.record((0..5_000).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
    interrupted(&store, &place);
    let interrupted = rebuild(&place);
    assert_eq!(tally(&place.database).0, 5_000);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(rebuild(&place).done, interrupted.done, "nobody runs it");

    let tallies = place.tallies(&store);
    until("it is done", || is(&place, RebuildState::Done));
    assert_eq!(rebuild(&place).events, 5_000, "no event was projected twice");
    assert_eq!(tallies.rows().unwrap(), store.view(Tallies).run().unwrap().rows());
}

/// The tallies as other code makes them, under the same version: twice as many.
struct Doubled;

impl Projection for Doubled {
    const NAME: &'static str = "tallies";
    type Event = OfAnotherProgram;
    type Row = Tally;

    fn project(&self, _: &OfAnotherProgram, recorded: &RecordedEvent, rows: &mut Rows<'_, Tally>) {
        let new = || Tally { what: "all".to_owned(), events: 0, last_position: 0 };
        rows.upsert(&"all".to_owned(), new, |tally| {
            tally.events += 2;
            tally.last_position = recorded.position.get();
        });
    }
}

/// The same events, as the next release of the program has them.
#[derive(Clone)]
struct OfAnotherProgram;

impl crate::Event for OfAnotherProgram {
    const CATEGORY: Option<&'static str> = Account::CATEGORY;
    const OWN_CATEGORY: &'static str = Account::OWN_CATEGORY;
    const PRODUCER: &'static str = "bank 2.0.0";
    const PRODUCER_METADATA: &'static str = "{\"producer\":\"bank 2.0.0\"}";

    fn shapes() -> Vec<Shape> {
        Account::shapes()
    }

    fn specimens(category: &str) -> Vec<Specimen> {
        Account::specimens(category)
    }

    fn encode_in(&self, _: &str) -> Result<Encoded, EncodeError> {
        unreachable!("it is only read")
    }

    fn decode(stored: Stored<'_>) -> Result<Decoded<Self>, DecodeError> {
        Ok(Account::decode(stored)?.map(|_| Self))
    }
}

fn interrupted(store: &Store, place: &Place) {
    all_projected(&place.tallies(store));
    let tallies = slowly(store, place);
    place.control().rebuild("tallies").unwrap();
    until("it is under way", || is(place, RebuildState::Running) && rebuild(place).done > 5);
    drop(tallies);
    assert_eq!(rebuild(place).state, RebuildState::Running);
}

#[test]
fn an_interrupted_rebuild_begins_anew_with_another_program() {
    let (store, place) = (Store::memory(), Place::new());
    store.record((0..2_000).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
    interrupted(&store, &place);
    let doubled = quick(store.project(Doubled)).in_database(&place.database).unwrap();
    until("it is done", || is(&place, RebuildState::Done));
    assert_eq!(doubled.rows().unwrap()[0].events, 4_000, "no row is made by both");
    assert_eq!(rebuild(&place).events, 2_000);
    assert_eq!(tables(&place), ["tallies_v1_2"]);
}

#[test]
fn asking_again_begins_anew() {
    let (store, place) = (Store::memory(), Place::new());
    store.record((0..2_000).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
    interrupted(&store, &place);
    place.control().rebuild("tallies").unwrap();
    assert_eq!((rebuild(&place).state, rebuild(&place).done), (RebuildState::Requested, 0));
    // Nothing of what was made so far is left behind, either.
    place.control().cancel_rebuild("tallies").unwrap();
    let tallies = place.tallies(&store);
    until("it is cancelled", || is(&place, RebuildState::Cancelled));
    assert_eq!(tables(&place), ["tallies_v1_1"]);

    // Also while it is under way.
    drop(tallies);
    interrupted(&store, &place);
    let tallies = quick(store.project(Tallies)).batch_events_max(1).in_database(&place.database).unwrap();
    let before = rebuild(&place).done;
    until("it goes on", || rebuild(&place).done > before);
    place.control().rebuild("tallies").unwrap();
    until("it is done", || is(&place, RebuildState::Done));
    assert_eq!(rebuild(&place).events, 2_000, "every event once");
    assert_eq!(tallies.rows().unwrap(), store.view(Tallies).run().unwrap().rows());
}

#[test]
fn an_interrupted_rebuild_of_another_log_begins_anew() {
    let (store, place) = (Store::memory(), Place::new());
    store.record((0..2_000).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
    interrupted(&store, &place);
    let writer = place.database.writer().unwrap();
    writer.execute("UPDATE factum_rebuild SET last_event_id = 'of another log'", []).unwrap();
    // Rows that the other log came to.
    writer.execute("UPDATE tallies_v1_2 SET events = events + 10000", []).unwrap();
    let tallies = place.tallies(&store);
    until("it is done", || is(&place, RebuildState::Done));
    assert_eq!(rebuild(&place).events, 2_000);
    assert_eq!(tallies.rows().unwrap(), store.view(Tallies).run().unwrap().rows());
}

#[test]
fn whoever_was_superseded_tells_nothing() {
    let (store, place) = (Store::memory(), Place::new());
    let mut sink = quick(store.project(Tallies)).sink(&place.database).unwrap();
    sink.begin().unwrap();
    place.control().rebuild("tallies").unwrap();
    let (projection, database) = (Arc::new(Tallies), place.database.clone());
    let epoch = sink.epoch.unwrap();
    let mut slow = Rebuild::new(projection, store.clone(), database, Batching::default(), epoch).unwrap();
    slow.begin().unwrap();
    slow.tell("the disk is full").unwrap();
    assert_eq!(rebuild(&place).reason.as_deref(), Some("the disk is full"));
    place.database.writer().unwrap().execute("UPDATE factum_projection SET epoch = epoch + 1", []).unwrap();
    slow.tell("too late").unwrap();
    assert_eq!(rebuild(&place).reason.as_deref(), Some("the disk is full"));
}

#[test]
fn a_register_of_before_is_brought_up_to_date() {
    let (store, place) = (Store::memory(), Place::new());
    store.record((0..2_000).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
    interrupted(&store, &place);
    place
        .database
        .writer()
        .unwrap()
        .execute_batch("ALTER TABLE factum_rebuild DROP COLUMN producer")
        .unwrap();
    let database = Database::open(place.dir.path().join("views.db")).unwrap();
    // Who knows whose rows these are.
    let tallies = quick(store.project(Tallies)).in_database(&database).unwrap();
    until("it is done", || is(&place, RebuildState::Done));
    assert_eq!(rebuild(&place).events, 2_000);
    drop(tallies);
}

#[test]
fn a_rebuild_that_panics_while_it_decodes_fails_once() {
    let (store, place) = (Store::memory(), Place::new());
    let parcels = quick(store.project(Parcels)).in_database(&place.database).unwrap();
    store.record(Parcel::Sent { id: "p".into(), grams: 1 }).run().unwrap();
    all_projected(&parcels);
    place.control().pause("parcels").unwrap();
    until("it is paused", || place.status("parcels").phase == Phase::Paused);
    record_old_parcel(&store);
    place.control().rebuild("parcels").unwrap();
    let failed =
        || place.status("parcels").rebuild.is_some_and(|rebuild| rebuild.state == RebuildState::Failed);
    until("the rebuild has failed", failed);
    let reason = place.status("parcels").rebuild.unwrap().reason.unwrap();
    assert!(reason.contains("position 1 (ParcelSent") && reason.contains("no scale is that old"), "{reason}");
    drop(parcels);
}

#[test]
fn a_rebuild_that_meets_poison_leaves_the_rows_in_use() {
    let (store, place) = (Store::memory(), Place::new());
    store.record([deposit("a", 1), deposit("a", -1)]).run().unwrap();
    let tallies = place.tallies(&store);
    until("it has failed", || place.status("tallies").failure.is_some());
    place.control().rebuild("tallies").unwrap();
    until("so has the rebuild", || is(&place, RebuildState::Failed));
    let reason = rebuild(&place).reason.unwrap();
    assert!(reason.contains("position 1 (AccountDeposited, account-a revision 1)"), "{reason}");
    assert_eq!((tally(&place.database).0, tables(&place)), (1, vec!["tallies_v1_1".to_owned()]));
    drop(tallies);
}

#[test]
fn a_paused_projection_is_rebuilt_and_stays_paused() {
    let (store, place) = (Store::memory(), Place::new());
    store.record(deposit("a", 1)).run().unwrap();
    let tallies = place.tallies(&store);
    all_projected(&tallies);
    place.control().pause("tallies").unwrap();
    until("it is paused", || place.status("tallies").phase == Phase::Paused);
    store.record(deposit("a", 2)).run().unwrap();
    place.control().rebuild("tallies").unwrap();
    until("it is rebuilt", || is(&place, RebuildState::Done));
    assert_eq!(tally(&place.database), (2, 2, Some(Position::new(1))));
    assert_eq!(place.status("tallies").phase, Phase::Paused);
    tallies.wait_for(Position::new(1)).run().unwrap();
    let status = tallies.status().unwrap();
    assert_eq!((status.phase, status.lag_events), (Phase::Paused, 0), "the rows are those of the rebuild");
    place.control().resume("tallies").unwrap();
    store.record(deposit("a", 3)).run().unwrap();
    all_projected(&tallies);
    assert_eq!(tally(&place.database).0, 3);
}
