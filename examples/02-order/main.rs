//! An order with items, a total and a submission, and the two places where a
//! command can be refused:
//!
//! ```text
//!   what came in ──▶ parse ──▶ typed command ──▶ decide(&state) ──▶ event
//!                      │                            │
//!             Invalid: wrong whatever      Rejection: wrong for this order,
//!             the order holds, checked     checked on a state that is guarded
//!             before anything is read      until the event is recorded
//! ```
//!
//! `cargo run -p factum-examples --bin order`

mod command;
mod event;
mod state;

use factum::DecideError;
use factum::prelude::*;

use command::{AddItem, Create, Invalid, RemoveItem, Submit};
use state::{Order, Rejection};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::memory();
    let order = || Order::of("7");
    store.execute(order(), Create { customer: "ada".into() }).run()?;

    // Stateless checks come first: nothing is read for a command that is wrong by itself.
    assert_eq!(AddItem::parse("apple", 0, 120), Err(Invalid::Quantity));
    store.execute(order(), AddItem::parse("apple", 3, 120)?).run()?;
    store.execute(order(), AddItem::parse("pear", 1, 200)?).run()?;
    store.execute(order(), AddItem::parse("apple", 2, 120)?).run()?;
    store.execute(order(), RemoveItem { product: "pear".into() }).run()?;
    let draft = store.load(order()).run()?;
    assert_eq!(draft.total_cents(), 600);

    store.execute(order(), Submit).run()?;
    let late = store.execute(order(), AddItem::parse("plum", 1, 90)?).run();
    assert!(matches!(late, Err(DecideError::Rejected(Rejection::Submitted))));

    // The order as it was with the pear in it.
    let with_pear = store.load(order()).as_of(factum::Revision::new(3)).run()?;
    assert_eq!(with_pear.total_cents(), 800);
    Ok(())
}

#[cfg(test)]
mod tests;
