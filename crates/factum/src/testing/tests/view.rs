//! `then_view`: rows that are as expected, and the whole text where they are not.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::RecordedEvent;

#[derive(Row, Clone, Debug, PartialEq)]
struct Wealth {
    #[key]
    account: AccountId,
    cents: u64,
    last: Option<String>,
}

struct Wealths;

/// Without the opening of an account.
#[derive(Event, Clone, Debug, PartialEq)]
#[event(prefix = "Account")]
enum Moved {
    Deposited {
        #[id]
        id: AccountId,
        cents: u64,
    },
    Withdrawn {
        #[id]
        id: AccountId,
        cents: u64,
    },
}

impl Projection for Wealths {
    const NAME: &'static str = "wealths";
    type Event = Moved;
    type Row = Wealth;

    fn project(&self, event: &Moved, _: &RecordedEvent, rows: &mut Rows<'_, Wealth>) {
        let (Moved::Deposited { id, .. } | Moved::Withdrawn { id, .. }) = event;
        let new = || Wealth { account: id.clone(), cents: 0, last: None };
        rows.upsert(id, new, |row| match event {
            Moved::Deposited { cents, .. } => row.cents += cents,
            Moved::Withdrawn { cents, .. } => {
                row.cents -= cents;
                row.last = Some("out".into());
            }
        });
    }
}

fn wealth(account: &str, cents: u64, last: Option<&str>) -> Wealth {
    Wealth { account: account.into(), cents, last: last.map(Into::into) }
}

#[test]
fn rows_after_what_was_given_and_what_was_decided() {
    let seed = || (opened("ada"), [deposited("eve", 7), deposited("ada", 500)]);
    given(())
        .then_view(Wealths, [])
        .and(seed())
        .then_view(Wealths, [wealth("eve", 7, None), wealth("ada", 500, None)])
        .when(Balance::of("ada"), |balance| withdraw(balance, 200))
        .then(withdrawn("ada", 200))
        .then_view(Wealths, [wealth("ada", 300, Some("out")), wealth("eve", 7, None)])
        .and(deposited("ada", 1))
        .as_of(Position::new(1))
        .then_view(Wealths, vec![wealth("eve", 7, None)]);
    given(seed())
        .when(Balance::of("ada"), |balance| withdraw(balance, 200))
        .then_view(Wealths, [wealth("ada", 300, Some("out")), wealth("eve", 7, None)])
        .then_state(|balance| assert_eq!(balance.cents, 300));
    given(seed())
        .when(Balance::of("ada"), |balance| withdraw(balance, 501))
        .then_view(Wealths, [wealth("ada", 500, None), wealth("eve", 7, None)]);
}

#[test]
fn a_failure_shows_events_rows_and_fields() {
    let said = failure(|| {
        let _ = given((opened("ada"), deposited("ada", 500)))
            .when(Balance::of("ada"), |balance| withdraw(balance, 200))
            .then_view(Wealths, [wealth("ada", 200, None), wealth("bob", 1, None)]);
    });
    assert_eq!(
        said,
        r#"the rows of wealths are not what was expected

given, 2 events
  0  account-ada  AccountOpened v1  {"id":"ada","owner":"Ada"}  #account:ada
  1  account-ada  AccountDeposited v1  {"id":"ada","cents":500}  #account:ada
recorded by the decision, 1 event
  2  account-ada  AccountWithdrawn v1  {"id":"ada","cents":200}  #account:ada
projected by wealths
  it reads AccountDeposited AccountWithdrawn
  not read: 0  account-ada  AccountOpened v1  {"id":"ada","owner":"Ada"}  #account:ada
expected, 2 rows
  ≠ Wealth { account: AccountId("ada"), cents: 200, last: None }
  ≠ Wealth { account: AccountId("bob"), cents: 1, last: None }
actual, 1 row
  ≠ Wealth { account: AccountId("ada"), cents: 300, last: Some("out") }
      cents: expected 200, was 300
      last: expected nothing, was "out""#
    );
}

#[test]
fn other_failures_say_what_they_are_about() {
    let said = failure(|| {
        let _ = given(())
            .when(Balance::of("ada"), |balance| withdraw(balance, 1))
            .then_view(Wealths, [wealth("ada", 1, None)]);
    });
    assert!(said.contains("the decision was rejected\n  Short { by: 1 }"), "{said}");
    assert!(said.ends_with("actual, no row"), "{said}");
    let said = failure(|| {
        given([deposited("ada", 5), deposited("eve", 5)]).then_view(Wealths, [wealth("ada", 5, None)]);
    });
    assert!(said.contains("= Wealth { account: AccountId(\"ada\")"), "{said}");
    assert!(said.ends_with("no such row was expected"), "{said}");
    let said = failure(|| {
        given(deposited("ada", 5)).as_of(Position::new(0)).then_view(Wealths, []);
    });
    assert!(said.starts_with("the rows of wealths are not what was expected at that moment\n"), "{said}");
    assert!(said.contains("expected, no row\nactual, 1 row"), "{said}");
    let said = failure(|| {
        given(withdrawn("ada", 5)).then_view(Wealths, []);
    });
    assert!(said.contains("position 0 (AccountWithdrawn, account-ada revision 0)"), "{said}");
    let said = failure(|| {
        given(()).then_view(Wealths, [wealth("ada", 5, None), wealth("ada", 6, None)]);
    });
    assert!(said.contains("two rows with the same key are expected of wealths"), "{said}");
}

/// Counts in itself.
struct Forgetful(AtomicU64);

impl Projection for Forgetful {
    const NAME: &'static str = "forgetful";
    type Event = Moved;
    type Row = Wealth;

    fn project(&self, _: &Moved, _: &RecordedEvent, rows: &mut Rows<'_, Wealth>) {
        rows.put(wealth("all", self.0.fetch_add(1, Ordering::SeqCst), None));
    }
}

#[test]
fn a_projection_that_must_not_be_replayed_is_found() {
    let said = failure(|| {
        given(deposited("ada", 5)).then_view(Forgetful(AtomicU64::new(0)), [wealth("all", 0, None)]);
    });
    assert!(said.contains("forgetful made other rows when it was replayed a second time"), "{said}");
}
