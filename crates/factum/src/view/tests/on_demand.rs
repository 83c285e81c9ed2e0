//! Read models on demand, what a projection may do, and the check.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::view::check::{self, CheckError};
use crate::view::{DefinitionError, ViewError};

#[test]
fn rows_as_of_any_moment() {
    let store = Store::memory();
    let first = store.record(deposit("ada", 5)).run().unwrap().last_position().unwrap();
    store.record(visit("ada")).run().unwrap();
    store.record(deposit("bob", 7)).run().unwrap();
    let second = store.record(Account::Closed { id: "ada".into() }).run().unwrap();

    let at = |position| store.view(Balances).as_of(position).run().unwrap();
    assert_eq!(at(first).rows().len(), 1);
    assert_eq!(at(first).get(&"ada".into()).unwrap().unwrap().cents, 5);
    assert_eq!(at(second.last_position().unwrap()).rows().len(), 1);
    let now = pollster::block_on(store.view(Balances).into_future()).unwrap();
    assert_eq!((now.len(), now.events, now.position), (1, 3, second.last_position()));
    assert_eq!(store.view(Balances).row(&"bob".into()).unwrap().unwrap().cents, 7);
    assert_eq!(store.view(Balances).row(&"ada".into()).unwrap(), None);
    let before = crate::Timestamp::from_micros(0);
    assert!(store.view(Balances).as_of(before).run().unwrap().is_empty());
}

#[test]
fn an_event_that_cannot_be_projected_is_named() {
    let store = Store::memory();
    store.record([deposit("ada", 5), deposit("ada", -1)]).run().unwrap();
    let Err(ViewError::Poison(poison)) = store.view(Tallies).run() else { panic!("it is refused") };
    assert_eq!(
        poison.to_string(),
        "the event at position 1 (AccountDeposited, account-ada revision 1) cannot be projected: nobody deposits less than nothing"
    );
}

/// Does what it is told to.
struct Wrong(fn(&mut Rows<'_, Tally>));

impl Projection for Wrong {
    const NAME: &'static str = "wrong";
    type Event = Account;
    type Row = Tally;

    fn project(&self, _: &Account, _: &RecordedEvent, rows: &mut Rows<'_, Tally>) {
        rows.put(Tally { what: "a".into(), events: 1, last_position: 0 });
        (self.0)(rows);
    }
}

fn poison_of(wrong: fn(&mut Rows<'_, Tally>)) -> String {
    let store = Store::memory();
    store.record(deposit("ada", 5)).run().unwrap();
    match store.view(Wrong(wrong)).run() {
        Err(ViewError::Poison(poison)) => poison.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_no_projection_may_do_is_told() {
    assert_eq!(poison_of(|_| panic!("no such {}", "thing")), "the projection panicked: no such thing");
    let said = poison_of(|rows| {
        rows.update(&"a".to_owned(), |row| row.what = "b".into());
    });
    assert!(said.contains("another key"), "{said}");
}

macro_rules! projection {
    ($name:ident, $text:literal, $row:ty) => {
        struct $name;
        impl Projection for $name {
            const NAME: &'static str = $text;
            type Event = Account;
            type Row = $row;
            fn project(&self, _: &Account, _: &RecordedEvent, _: &mut Rows<'_, $row>) {}
        }
    };
}

#[derive(Row, Clone)]
struct KeyedByMean {
    #[key]
    mean: f64,
}

projection!(BadName, "Balances", Tally);
projection!(ViewName, "balances_v1", Tally);
projection!(TableName, "balances_v12_3", Tally);
projection!(PlainName, "mail_via_v2x", Tally);
projection!(TakenName, "factum_x", Tally);
projection!(BadKey, "means", KeyedByMean);

#[test]
fn a_projection_that_could_not_be_stored_is_refused_at_once() {
    let store = Store::memory();
    let is_named = |error| matches!(error, Err(ViewError::Definition(DefinitionError::Name { .. })));
    assert!(is_named(store.view(BadName).run().map(drop)));
    assert!(is_named(store.view(TakenName).run().map(drop)));
    assert!(is_named(store.view(ViewName).run().map(drop)), "so is the view of a version called");
    assert!(is_named(store.view(TableName).run().map(drop)), "and this is a table");
    assert!(store.view(PlainName).run().is_ok());
    let Err(ViewError::Definition(error)) = store.view(BadKey).run() else { panic!("no such key") };
    assert!(error.to_string().starts_with("means: rows cannot be found by mean: "), "{error}");
    assert_eq!(KeyedByMean { mean: 0.5 }.key().unwrap().cells().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is split, repeated and interrupted.
    #[test]
    fn replaying_comes_to_the_same_rows(history in history()) {
        let store = Store::memory();
        record(&store, &history);
        let rows = check::replay_all_of(&Balances, &store).unwrap();
        prop_assert_eq!(&rows, &store.view(Balances).run().unwrap().rows());
        check::replay_all_of(&Flows, &store).unwrap();
    }
}

/// Counts in itself instead of in its rows.
struct Forgetful(AtomicU64);

impl Projection for Forgetful {
    const NAME: &'static str = "forgetful";
    type Event = Account;
    type Row = Tally;

    fn project(&self, _: &Account, _: &RecordedEvent, rows: &mut Rows<'_, Tally>) {
        let events = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        rows.put(Tally { what: "all".into(), events, last_position: 0 });
    }
}

#[test]
fn the_check_finds_a_projection_that_is_not_pure() {
    let events = || [deposit("a", 1), deposit("a", 2)];
    let error = check::replay(&Forgetful(AtomicU64::new(0)), events()).unwrap_err();
    assert!(matches!(error, CheckError::Differs { .. }), "{error}");
    assert_eq!(check::replay(&Tallies, events()).unwrap()[0].events, 2);
}

#[derive(Row, Clone, Debug)]
struct Vast {
    #[key]
    what: String,
    number: u64,
}

struct Vasts;

impl Projection for Vasts {
    const NAME: &'static str = "vasts";
    type Event = Account;
    type Row = Vast;

    fn project(&self, _: &Account, _: &RecordedEvent, rows: &mut Rows<'_, Vast>) {
        rows.put(Vast { what: "x".into(), number: u64::MAX });
    }
}

#[test]
fn the_check_finds_a_row_no_table_holds() {
    let error = check::replay(&Vasts, deposit("a", 1)).unwrap_err();
    assert!(error.to_string().contains("column number: 18446744073709551615 does not fit"), "{error}");
    assert_eq!(Vast { what: "x".into(), number: 1 }.cells().unwrap().len(), 2);
}
