//! The tables themselves: plain SQL, versions beside one another, what is refused.

use proptest::prelude::*;

use super::*;
use crate::view::each;
use crate::view::sqlite::{ControlError, DatabaseError, InDatabaseError};
use crate::view::tests::each::{OnShelf, arrived};
use crate::view::tests::{Account, Balances, Flows, Tally, deposit, history, record};
use crate::{RecordedEvent, Row, Rows};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// One definition, four ways, the same rows: half of the history was there
    /// before, half of it comes while they run.
    #[test]
    fn four_ways_come_to_the_same_rows(history in history()) {
        let (store, place) = (Store::memory(), Place::new());
        let (before, after) = history.split_at(history.len() / 2);
        record(&store, before);
        let in_memory = store.project(Balances).batch_events_max(2).in_memory().unwrap();
        let in_database = store.project(Balances).batch_events_max(3).in_database(&place.database).unwrap();
        let inline = store.project(Balances).inline().unwrap();
        let flows = store.project(Flows).in_database(&place.database).unwrap();
        record(&store, after);
        in_memory.progress().wait_for_all().unwrap().run().unwrap();
        all_projected(&in_database);
        all_projected(&flows);
        let on_demand = store.view(Balances).run().unwrap().rows();
        prop_assert_eq!(&inline.rows().unwrap(), &on_demand);
        prop_assert_eq!(&in_memory.rows(), &on_demand);
        prop_assert_eq!(&in_database.rows().unwrap(), &on_demand);
        for row in &on_demand {
            prop_assert_eq!(in_database.get(&row.account).unwrap(), Some(row.clone()));
        }
        prop_assert_eq!(flows.rows().unwrap(), store.view(Flows).run().unwrap().rows());
    }
}

#[test]
fn each_aggregate_has_a_row_in_a_table_called_as_it_is() {
    let (store, place) = (Store::memory(), Place::new());
    let in_database = store.project(each::<OnShelf>()).in_database(&place.database).unwrap();
    for event in [arrived(7, 5), arrived(10, 1), arrived(7, 2)] {
        store.record(event).run().unwrap();
    }
    all_projected(&in_database);
    let rows = in_database.rows().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows, store.view(each::<OnShelf>()).run().unwrap().rows());
    assert_eq!(place.status("on_shelf").version, 3);
}

#[test]
fn rows_are_there_for_plain_sql() {
    let (store, place) = (Store::memory(), Place::new());
    let balances = store.project(Balances).in_database(&place.database).unwrap();
    let receipt = store.record([deposit("ada", 700), deposit("bob", -5), deposit("eve", 20)]).run().unwrap();
    pollster::block_on(balances.wait_for(&receipt).into_future()).unwrap();
    let ask = |sql: &str| {
        balances
            .query(|connection| {
                let mut statement = connection.prepare(sql)?;
                let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
                rows.collect::<Result<Vec<_>, _>>()
            })
            .unwrap()
    };
    assert_eq!(
        ask("SELECT account FROM balances WHERE standing = 'Overdrawn' OR is_rich ORDER BY cents"),
        ["bob", "ada"]
    );
    assert_eq!(ask("SELECT sum(cents) || '' FROM balances"), ["715"]);
    assert_eq!(ask("SELECT last_deposits ->> 0 || '' FROM balances_v1 WHERE account = 'eve'"), ["20"]);
    let plan = ask("SELECT account FROM balances WHERE standing = 'Good'").len();
    assert_eq!(plan, 2);
    let uses_index = balances.query(|connection| {
        connection.query_row("EXPLAIN QUERY PLAN SELECT * FROM balances WHERE standing = 'Good'", [], |row| {
            row.get::<_, String>(3)
        })
    });
    assert!(uses_index.unwrap().contains("balances_v1_1_standing"));
    let written = balances.query(|connection| connection.execute("DELETE FROM balances_v1_1", []));
    assert!(matches!(written, Err(DatabaseError::Sqlite { .. })), "readers cannot write");
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Sum {
    #[key]
    what: String,
    cents: i64,
}

/// The tallies as they are made in a later version of the program.
struct TalliesV2;

impl Projection for TalliesV2 {
    const NAME: &'static str = "tallies";
    const VERSION: u32 = 2;
    type Event = Account;
    type Row = Sum;

    fn project(&self, event: &Account, _: &RecordedEvent, rows: &mut Rows<'_, Sum>) {
        let Account::Deposited { cents, .. } = event else { return };
        let new = || Sum { what: "all".into(), cents: 0 };
        rows.upsert(&"all".to_owned(), new, |sum| sum.cents += cents);
    }
}

#[test]
fn a_new_version_grows_beside_the_old_and_takes_its_name_when_it_has_caught_up() {
    let (store, place) = (Store::memory(), Place::new());
    store.record((0..50).map(|cents| deposit("a", cents)).collect::<Vec<_>>()).run().unwrap();
    let old = place.tallies(&store);
    all_projected(&old);
    let shown = |sql: &str| -> Option<i64> {
        place.database.connection().unwrap().query_row(sql, [], |row| row.get(0)).ok()
    };
    assert_eq!(shown("SELECT events FROM tallies"), Some(50));

    // Paused before it has begun, so that it is seen growing.
    place.control().pause("tallies").unwrap();
    let new = quick(store.project(TalliesV2)).in_database(&place.database).unwrap();
    until("both are paused", || {
        let versions = place.control().status_of("tallies").unwrap();
        versions.len() == 2 && versions.iter().all(|version| version.phase == Phase::Paused)
    });
    assert_eq!(shown("SELECT count(*) FROM tallies_v2"), Some(0), "a pause holds for versions to come");
    place.control().resume("tallies").unwrap();
    all_projected(&new);
    until("the new version is shown", || shown("SELECT cents FROM tallies") == Some((0..50).sum()));
    assert_eq!(new.get(&"all".into()).unwrap().unwrap().cents, (0..50).sum::<i64>());

    // The old one goes on under its own name, and does not take the other back.
    store.record(deposit("a", 100)).run().unwrap();
    all_projected(&old);
    assert_eq!(old.rows().unwrap()[0].events, 51);
    drop(old);
    let old = place.tallies(&store);
    until("the old one is live again", || place.control().status_of("tallies").unwrap().iter().all(is_live));
    all_projected(&new);
    assert_eq!(shown("SELECT cents FROM tallies"), Some((0..50).sum::<i64>() + 100));
    assert_eq!(shown("SELECT events FROM tallies_v1"), Some(51));
    drop(old);

    let control = place.control();
    assert!(matches!(control.remove("tallies", 2), Err(ControlError::InUse { .. })));
    let removal = control.removal("tallies", 1).unwrap();
    assert_eq!((removal.rows, removal.events), (1, 51));
    assert!(matches!(control.removal("tallies", 2), Err(ControlError::InUse { .. })));
    control.remove("tallies", 1).unwrap();
    assert!(matches!(control.remove("tallies", 1), Err(ControlError::UnknownVersion { .. })));
    assert_eq!(shown("SELECT events FROM tallies_v1"), None);
    assert_eq!(place.status("tallies").version, 2);
}

/// The tallies with a column more and the same version.
struct OtherTallies;

impl Projection for OtherTallies {
    const NAME: &'static str = "tallies";
    type Event = Account;
    type Row = Sum;

    fn project(&self, _: &Account, _: &RecordedEvent, _: &mut Rows<'_, Sum>) {}
}

#[test]
fn what_does_not_fit_the_database_is_refused() {
    let (store, place) = (Store::memory(), Place::new());
    store.record(deposit("a", 1)).run().unwrap();
    let tallies = place.tallies(&store);
    all_projected(&tallies);
    assert_eq!(tallies.rows().unwrap(), [Tally { what: "all".into(), events: 1, last_position: 0 }]);
    drop(tallies);
    let Err(error) = store.project(OtherTallies).in_database(&place.database) else { panic!("it fits") };
    assert!(error.to_string().contains("raise its VERSION"), "{error}");

    let other_store = Store::memory();
    other_store.record(deposit("a", 1)).run().unwrap();
    for store in [&other_store, &Store::memory()] {
        let refused = store.project(Tallies).in_database(&place.database);
        assert!(matches!(refused.map(drop), Err(InDatabaseError::OtherStore { .. })));
    }
    for path in ["", ":memory:", "file:x?mode=memory"] {
        assert!(matches!(Database::open(path).map(drop), Err(DatabaseError::NoFile { .. })));
    }
    let none = Control::open(place.dir.path().join("nothing.db"));
    assert!(matches!(none.map(drop), Err(ControlError::NoDatabase { .. })));
    assert!(matches!(place.control().pause("talies"), Err(ControlError::Unknown { .. })));
}

/// Rows of one projection, as programs have them that say nothing of another
/// version.
macro_rules! notes {
    ($projection:ident, $row:ident { $($(#[$attribute:ident])? $field:ident: $ty:ty),* }) => {
        #[derive(Row, Clone, Debug, PartialEq)]
        struct $row { $($(#[$attribute])? $field: $ty),* }

        struct $projection;

        impl Projection for $projection {
            const NAME: &'static str = "notes";
            type Event = Account;
            type Row = $row;

            fn project(&self, _: &Account, _: &RecordedEvent, rows: &mut Rows<'_, $row>) {
                rows.put($row { $($field: Default::default()),* });
            }
        }
    };
}

notes!(
    Notes,
    Note {
        #[key]
        who: String,
        what: String,
        at: u32
    }
);
notes!(
    Indexed,
    IndexedNote {
        #[key]
        who: String,
        #[index]
        what: String,
        at: u32
    }
);
notes!(
    OtherKey,
    NoteByBoth {
        #[key]
        who: String,
        #[key]
        what: String,
        at: u32
    }
);
notes!(OtherKind, NoteOfMany { #[key] who: String, what: Vec<String>, at: u32 });
notes!(
    Truth,
    NoteOfTruth {
        #[key]
        who: String,
        what: String,
        at: bool
    }
);

#[test]
fn a_column_that_is_read_in_another_way_is_another_column() {
    let (store, place) = (Store::memory(), Place::new());
    store.record(deposit("a", 1)).run().unwrap();
    all_projected(&quick(store.project(Notes)).in_database(&place.database).unwrap());
    let refused = [
        store.project(OtherKey).in_database(&place.database).map(drop),
        store.project(OtherKind).in_database(&place.database).map(drop),
        store.project(Truth).in_database(&place.database).map(drop),
    ];
    let said = refused.map(|refused| match refused {
        Err(error @ InDatabaseError::OtherColumns { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    });
    assert!(
        said[1].contains(
            "stored: who text key, what text, at integer; now: who text key, what json, at integer"
        ),
        "{}",
        said[1]
    );
}

#[test]
fn an_index_is_made_where_the_rows_are() {
    let (store, place) = (Store::memory(), Place::new());
    store.record(deposit("a", 1)).run().unwrap();
    all_projected(&quick(store.project(Notes)).in_database(&place.database).unwrap());
    let notes = quick(store.project(Indexed)).in_database(&place.database).unwrap();
    all_projected(&notes);
    // A connection explains by what it knew when it last read something.
    assert_eq!(notes.rows().unwrap().len(), 1, "the rows stayed");
    let plan = notes.query(|connection| {
        let ask = "EXPLAIN QUERY PLAN SELECT who FROM notes WHERE what = 'x'";
        connection.query_row(ask, [], |row| row.get::<_, String>(3))
    });
    let plan = plan.unwrap();
    assert!(plan.contains("notes_v1_1_what"), "{plan}");
    drop(notes);
    // A program without it is right, too.
    all_projected(&quick(store.project(Notes)).in_database(&place.database).unwrap());
}

#[test]
fn a_table_that_was_described_by_its_columns_alone_is_taken_over() {
    let (store, place) = (Store::memory(), Place::new());
    store.record(deposit("a", 1)).run().unwrap();
    all_projected(&quick(store.project(Notes)).in_database(&place.database).unwrap());
    let writer = place.database.writer().unwrap();
    let before = r#""who" TEXT NOT NULL, "what" TEXT NOT NULL, "at" INTEGER NOT NULL"#;
    writer.execute("UPDATE factum_projection SET columns = ?1", [before]).unwrap();
    all_projected(&quick(store.project(Notes)).in_database(&place.database).unwrap());
    let other = store.project(OtherKind).in_database(&place.database).map(drop);
    assert!(matches!(other, Err(InDatabaseError::OtherColumns { .. })), "it is described in full now");
}

#[test]
fn looking_at_a_database_of_others_changes_nothing_of_it() {
    let place = Place::new();
    let path = place.dir.path().join("foreign.db");
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1);").unwrap();
    drop(foreign);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Control::open(&path).map(drop), Err(ControlError::NoProjections { .. })));
    assert!(std::fs::read(&path).unwrap() == before, "not even its journal mode");
}

#[test]
fn a_version_that_comes_into_use_meanwhile_is_not_removed() {
    let (store, place) = (Store::memory(), Place::new());
    let old = place.tallies(&store);
    let new = quick(store.project(TalliesV2)).in_database(&place.database).unwrap();
    until("the new version is in use", || place.control().status_of("tallies").unwrap()[1].is_active);
    drop((old, new));
    let mut writer = place.database.writer().unwrap();
    let swap = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    swap.execute("UPDATE factum_projection SET is_active = (version = 1)", []).unwrap();
    std::thread::scope(|scope| {
        let removed = scope.spawn(|| place.control().remove("tallies", 1));
        // Time enough to have looked.
        std::thread::sleep(Duration::from_millis(200));
        swap.commit().unwrap();
        let removed = removed.join().unwrap();
        assert!(matches!(removed, Err(ControlError::InUse { version: 1, .. })), "{removed:?}");
    });
    assert_eq!(place.control().status_of("tallies").unwrap().len(), 2);
}

#[test]
fn nobody_gathers_for_longer_than_the_lease_allows() {
    let (store, place) = (Store::memory(), Place::new());
    let hour = Duration::from_secs(3_600);
    let sink = quick(store.project(Tallies)).batch_gather_max(hour).sink(&place.database).unwrap();
    assert_eq!(sink.batching.gather_max, Duration::from_millis(50));
    let sink = store.project(Tallies).batch_gather_max(Duration::ZERO).sink(&place.database).unwrap();
    assert_eq!(sink.batching.gather_max, Duration::ZERO);
}
