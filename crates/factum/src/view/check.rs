//! Checks that a projection may be replayed.
//!
//! ```text
//!   all at once          ├───────────────────────────┤
//!   once more            ├───────────────────────────┤
//!   one by one           ├┤├┤├┤├┤├┤├┤├┤├┤├┤├┤├┤├┤├┤├┤
//!   interrupted, at each ├──────────╳                      changes lost with the checkpoint
//!                        ├──────────────┤                  from the last checkpoint again
//!                                        ├───────────┤
//! ```
//!
//! All must give the same rows. A projection that looks at a clock, rolls dice or
//! keeps something outside its rows does not pass.

use factum_core::{Read, RecordedEvent};

use super::fold::{self, FoldedBatch, Look, Table};
use super::projection::query;
use super::{CellError, Projection, Row, ViewError};
use crate::{IntoEvents, Store, StoreError};

/// Why a projection must not be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The events cannot be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// They cannot be projected.
    #[error(transparent)]
    View(#[from] ViewError),
    /// Replaying came to other rows.
    #[error(
        "{name} made other rows when it was {how}: it must not look at anything but the event and its rows (no clock, no dice, nothing kept outside)"
    )]
    Differs {
        /// The projection.
        name: &'static str,
        /// What was done.
        how: String,
    },
    /// A row changes on its way through a database.
    #[error("a row of {name} does not come back from a table as it was")]
    RowChanges {
        /// The projection.
        name: &'static str,
        /// What is wrong, if that is known.
        #[source]
        source: Option<CellError>,
    },
}

/// Projects these events in every way they may be interrupted and repeated, and
/// answers the rows they all came to.
///
/// ```
/// # use factum::prelude::*;
/// # use factum::RecordedEvent;
/// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
/// # #[derive(Event, Clone, Debug, PartialEq)] enum Cart { Opened { #[id] id: CartId } }
/// # #[derive(Row, Clone, Debug, PartialEq)] struct Open { #[key] cart: CartId }
/// # struct OpenCarts;
/// # impl Projection for OpenCarts {
/// #     const NAME: &'static str = "open_carts";
/// #     type Event = Cart;
/// #     type Row = Open;
/// #     fn project(&self, event: &Cart, _: &RecordedEvent, rows: &mut Rows<Open>) {
/// #         let Cart::Opened { id } = event;
/// #         rows.put(Open { cart: id.clone() });
/// #     }
/// # }
/// let rows = factum::view::check::replay(&OpenCarts, [Cart::Opened { id: "c1".into() }])?;
/// assert_eq!(rows, [Open { cart: "c1".into() }]);
/// # Ok::<(), factum::view::check::CheckError>(())
/// ```
pub fn replay<P: Projection>(projection: &P, events: impl IntoEvents) -> Result<Vec<P::Row>, CheckError> {
    let store = Store::memory();
    store.record(events).run()?;
    replay_all_of(projection, &store)
}

/// The same with all events of a store that the projection reads.
pub fn replay_all_of<P: Projection>(projection: &P, store: &Store) -> Result<Vec<P::Row>, CheckError> {
    let read = Read::query(query::<P>().map_err(ViewError::Definition)?);
    let events: Vec<_> = store
        .events()
        .read(read)
        .and_then(Iterator::collect)
        .map_err(|error| CheckError::View(error.into()))?;
    let mut expected = Table::new();
    take(projection, &events, &mut expected)?;
    let expected = Rows { name: P::NAME, rows: expected };

    let mut again = Table::new();
    take(projection, &events, &mut again)?;
    expected.same(&again, || "replayed a second time".to_owned())?;

    let mut one_by_one = Table::new();
    for event in &events {
        take(projection, std::slice::from_ref(event), &mut one_by_one)?;
    }
    expected.same(&one_by_one, || "given one event at a time".to_owned())?;

    for interrupted in 1..=events.len() {
        let (before, after) = events.split_at(interrupted / 2);
        let mut table = Table::new();
        take(projection, before, &mut table)?;
        // Projected, and lost before it was stored.
        fold(projection, &events[before.len()..interrupted], &table)?;
        take(projection, after, &mut table)?;
        expected.same(&table, || format!("interrupted after {interrupted} of {} events", events.len()))?;
    }
    expected.come_back_from_cells()
}

fn fold<P: Projection>(
    projection: &P,
    events: &[RecordedEvent],
    table: &Table<P::Row>,
) -> Result<FoldedBatch<P::Row>, CheckError> {
    let folded = fold::fold(projection, events, table, Look::AtEach).expect("rows in memory are found");
    match folded.poison {
        Some(poison) => Err(ViewError::Poison(poison).into()),
        None => Ok(folded),
    }
}

fn take<P: Projection>(
    projection: &P,
    events: &[RecordedEvent],
    table: &mut Table<P::Row>,
) -> Result<(), CheckError> {
    fold::store(fold(projection, events, table)?.changes, table);
    Ok(())
}

/// What all ways should come to.
struct Rows<R> {
    name: &'static str,
    rows: Table<R>,
}

impl<R: Row> Rows<R> {
    fn same(&self, other: &Table<R>, how: impl FnOnce() -> String) -> Result<(), CheckError> {
        let is_same = self.rows.len() == other.len()
            && self.rows.iter().all(|(key, row)| {
                other.get(key).is_some_and(|other| match (row.cells(), other.cells()) {
                    (Ok(cells), Ok(others)) => cells == others,
                    _ => false,
                })
            });
        if is_same { Ok(()) } else { Err(CheckError::Differs { name: self.name, how: how() }) }
    }

    fn come_back_from_cells(self) -> Result<Vec<R>, CheckError> {
        let changes = |source| CheckError::RowChanges { name: self.name, source };
        for row in self.rows.values() {
            let cells = row.cells().map_err(|error| changes(Some(error)))?;
            let back = R::from_cells(cells.clone()).and_then(|row| row.cells());
            if back.map_err(|error| changes(Some(error)))? != cells {
                return Err(changes(None));
            }
        }
        Ok(fold::in_order(&self.rows))
    }
}
