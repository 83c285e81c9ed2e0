//! Read models in tests: the rows that events come to, folded in memory.
//!
//! ```text
//!   given, and what the decision recorded ──▶ folded in every way there is ──▶ rows
//!                                                                 compared, by key
//! ```

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::fact::Fact;
use super::report::{self, Report};
use crate::view::{Row, RowKey, check};
use crate::{Event as _, Moment, Projection, Store};

/// The rows of a projection now; a panic if it must not be replayed.
#[track_caller]
pub(super) fn rows_now<P: Projection>(store: &Store, projection: &P) -> Vec<P::Row> {
    match check::replay_all_of(projection, store) {
        Ok(rows) => rows,
        Err(error) => panic!("{}", report::chain("the events cannot be projected", &error)),
    }
}

/// The rows as they were.
#[track_caller]
pub(super) fn rows_as_of<P: Projection>(store: &Store, projection: P, moment: Moment) -> Vec<P::Row> {
    match store.view(projection).as_of(moment).run() {
        Ok(view) => view.rows(),
        Err(error) => panic!("{}", report::chain("the events cannot be projected", &error)),
    }
}

/// Fails unless these are the rows, in whatever order they are expected.
#[track_caller]
pub(super) fn expect<P: Projection<Row: Debug + PartialEq>>(
    expected: impl IntoIterator<Item = P::Row>,
    actual: Vec<P::Row>,
    report: impl FnOnce(String) -> Report,
) {
    let expected = by_key::<P>(expected);
    let actual = by_key::<P>(actual);
    if expected == actual {
        return;
    }
    let mut report = report(format!("the rows of {} are not what was expected", P::NAME));
    region(&mut report, "expected", &expected, |key, row| {
        let mark = if actual.get(key) == Some(row) { "=" } else { "≠" };
        vec![format!("{mark} {row:?}")]
    });
    region(&mut report, "actual", &actual, |key, row| match expected.get(key) {
        Some(other) if other == row => vec![format!("= {row:?}")],
        Some(other) => {
            let mut lines = vec![format!("≠ {row:?}")];
            lines.extend(differences(other, row));
            lines
        }
        None => vec![format!("≠ {row:?}"), "    no such row was expected".to_owned()],
    });
    panic!("{report}");
}

/// Which of these events a projection does not read, and which types it does.
pub(super) fn not_read<P: Projection>(report: &mut Report, events: &[Fact]) {
    let types: Vec<&str> = P::Event::shapes().iter().map(|shape| shape.name).collect();
    let mut lines = vec![format!("it reads {}", types.join(" "))];
    for (position, event) in events.iter().enumerate() {
        if !types.contains(&event.event_type.as_str()) {
            lines.push(format!("not read: {position}  {event}"));
        }
    }
    report.lines(&format!("projected by {}", P::NAME), &lines);
}

#[track_caller]
fn by_key<P: Projection>(rows: impl IntoIterator<Item = P::Row>) -> BTreeMap<RowKey, P::Row> {
    let mut found = BTreeMap::new();
    for row in rows {
        let key = match row.key() {
            Ok(key) => key,
            Err(error) => panic!("{}", report::chain("an expected row has no key", &error)),
        };
        assert!(found.insert(key, row).is_none(), "two rows with the same key are expected of {}", P::NAME);
    }
    found
}

fn region<R>(
    report: &mut Report,
    heading: &str,
    rows: &BTreeMap<RowKey, R>,
    told: impl Fn(&RowKey, &R) -> Vec<String>,
) {
    let count = match rows.len() {
        0 => "no row".to_owned(),
        1 => "1 row".to_owned(),
        many => format!("{many} rows"),
    };
    let lines: Vec<_> = rows.iter().flat_map(|(key, row)| told(key, row)).collect();
    report.lines(&format!("{heading}, {count}"), &lines);
}

/// The fields in which two rows with one key differ.
fn differences<R: Row>(expected: &R, actual: &R) -> Vec<String> {
    let (Ok(expected), Ok(actual)) = (expected.cells(), actual.cells()) else { return Vec::new() };
    let fields = R::columns().iter().zip(expected.iter().zip(&actual));
    let unlike = fields.filter(|(_, (expected, actual))| expected != actual);
    unlike
        .map(|(column, (expected, actual))| format!("    {}: expected {expected}, was {actual}", column.name))
        .collect()
}
