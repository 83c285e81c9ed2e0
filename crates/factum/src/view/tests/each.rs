//! One row for each aggregate.

use super::*;
use crate::view::{Each, ViewError, each};
use crate::{Aggregate, Evolve, Position, Store};

#[derive(crate::Id, Clone, Debug, PartialEq)]
pub struct ShelfId(u64);

#[derive(crate::Event, Clone, Debug, PartialEq)]
pub enum Stock {
    Arrived {
        #[id]
        shelf: ShelfId,
        pieces: u32,
    },
    Sold {
        #[id]
        shelf: ShelfId,
        pieces: u32,
    },
}

#[derive(Aggregate, crate::Row, Clone, Debug, PartialEq)]
#[folds(Stock, version = 3)]
pub struct OnShelf {
    #[key]
    shelf: ShelfId,
    pieces: u32,
    /// Where its last event stands.
    last: u64,
}

impl Evolve<Stock> for OnShelf {
    fn evolve(&mut self, event: &Stock) {
        match event {
            Stock::Arrived { pieces, .. } => self.pieces += pieces,
            Stock::Sold { pieces, .. } => self.pieces -= pieces,
        }
    }

    fn evolve_at(&mut self, event: &Stock, recorded: &RecordedEvent) {
        self.evolve(event);
        self.last = recorded.position.get();
    }
}

pub fn arrived(shelf: u64, pieces: u32) -> Stock {
    Stock::Arrived { shelf: ShelfId(shelf), pieces }
}

fn on_shelf(shelf: u64, pieces: u32, last: u64) -> OnShelf {
    OnShelf { shelf: ShelfId(shelf), pieces, last }
}

#[test]
fn each_row_is_the_state_of_one_aggregate_at_any_moment() {
    let store = Store::memory();
    let inline = store.project(each::<OnShelf>()).inline().unwrap();
    for event in [arrived(7, 5), arrived(10, 1), arrived(7, 2)] {
        store.record(event).run().unwrap();
    }
    store.record(Stock::Sold { shelf: ShelfId(7), pieces: 3 }).run().unwrap();
    let rows = store.view(each::<OnShelf>()).run().unwrap().rows();
    assert_eq!(rows, [on_shelf(7, 4, 3), on_shelf(10, 1, 1)], "in the order of numbers");
    for row in &rows {
        assert_eq!(*store.load(OnShelf::of(row.shelf.0)).run().unwrap(), *row);
    }
    let before = store.view(each::<OnShelf>()).as_of(Position::new(1)).run().unwrap().rows();
    assert_eq!(before, [on_shelf(7, 5, 0), on_shelf(10, 1, 1)]);
    assert_eq!(inline.rows().unwrap(), rows);
}

#[test]
fn it_is_called_as_its_aggregate_and_has_its_version() {
    assert_eq!((Each::<OnShelf>::NAME, Each::<OnShelf>::VERSION), ("on_shelf", 3));
}

#[test]
fn what_stands_in_no_stream_of_its_own_is_told_or_passed_over() {
    let store = Store::memory();
    store.record(arrived(7, 5)).run().unwrap();
    let again = |stream: &str| {
        let recorded = store.events().read(factum_core::Read::all()).unwrap().next().unwrap().unwrap();
        let event = factum_core::NewEvent::new(recorded.event_type.clone(), recorded.data.clone());
        let stream = factum_core::StreamName::new(stream.to_owned()).unwrap();
        let append = factum_core::Append::to(stream, factum_core::ExpectedRevision::Any, [event]);
        store.events().append(append).unwrap();
    };
    again("shelves-7");
    again("stock");
    assert_eq!(store.view(each::<OnShelf>()).run().unwrap().rows(), [on_shelf(7, 5, 0)]);
    again("stock-seven");
    let Err(ViewError::Poison(poison)) = store.view(each::<OnShelf>()).run() else {
        panic!("seven is no number")
    };
    assert_eq!(poison.position.get(), 3);
    assert!(
        poison.reason.contains("\"seven\" in its stream's name is no id of a shelf"),
        "{}",
        poison.reason
    );
}
