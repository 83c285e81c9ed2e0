//! [`Each`]: a read model for nothing: one row for each aggregate, which is its state.
//!
//! ```text
//!   account-ada   Deposited ─► Withdrawn      ada │ 300
//!   account-bob   Deposited                   bob │  20
//! ```

use std::marker::PhantomData;
use std::str::FromStr;

use factum_core::RecordedEvent;

use super::{Projection, Row, Rows};
use crate::model::OneStream;
use crate::{Event, Evolve, Id};

/// The states of all aggregates of one type, each a row; see [`each`].
pub struct Each<M>(PhantomData<fn() -> M>);

/// A read model whose rows are the states of all aggregates of one type: the same fold
/// as decisions have, found by the same id. The aggregate derives
/// [`Row`](macro@crate::Row), too. Say `version` in its `#[folds(...)]` when it folds
/// differently, and a database has it folded anew.
///
/// ```
/// # use factum::prelude::*;
/// # #[derive(Id, Clone, Debug, PartialEq)] struct AccountId(String);
/// # #[derive(Event, Clone, Debug, PartialEq)]
/// # enum Account { Deposited { #[id] id: AccountId, cents: u64 } }
/// #[derive(Aggregate, Row, Clone, Debug, PartialEq)]
/// #[folds(Account)]
/// struct Balance {
///     #[key]
///     id: AccountId,
///     cents: u64,
/// }
/// # impl Evolve<Account> for Balance {
/// #     fn evolve(&mut self, Account::Deposited { cents, .. }: &Account) { self.cents += cents }
/// # }
/// # let store = Store::memory();
/// # let deposit = |id: &str, cents| Account::Deposited { id: id.into(), cents };
///
/// store.record([deposit("ada", 5), deposit("bob", 7), deposit("ada", 1)]).run()?;
/// let rows = store.view(each::<Balance>()).run()?.rows();
/// assert_eq!(rows, [Balance { id: "ada".into(), cents: 6 }, Balance { id: "bob".into(), cents: 7 }]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn each<M: OneStream + StateRow>() -> Each<M> {
    Each(PhantomData)
}

/// A row that is a state: what derives [`Row`](macro@crate::Row) and has a `#[folds(...)]`
/// of one enum.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row of its own state",
    label = "no `Row`, or no `#[folds(...)]`",
    note = "put `#[derive(Aggregate, Row, Clone)]` on it, and `#[folds(TheEnum)]` below"
)]
pub trait StateRow: Row {
    /// What it is folded from.
    type Event: Event;

    /// It before any event.
    fn begin(key: Self::Key) -> Self;
}

impl<M, K> Projection for Each<M>
where
    M: OneStream + StateRow + Row<Key = K> + Evolve<<M as StateRow>::Event>,
    K: Id + FromStr,
{
    const NAME: &'static str = M::TABLE;
    const VERSION: u32 = <M as OneStream>::VERSION;
    type Event = <M as StateRow>::Event;
    type Row = M;

    fn project(&self, event: &Self::Event, recorded: &RecordedEvent, rows: &mut Rows<'_, M>) {
        let category = Self::Event::OWN_CATEGORY;
        let id = recorded.stream.as_str().strip_prefix(category).and_then(|rest| rest.strip_prefix('-'));
        // Somebody else's stream, with events that this one has as well.
        let Some(id) = id else { return };
        match id.parse::<K>() {
            Ok(key) => rows.upsert(&key, || M::begin(key.clone()), |row| row.evolve_at(event, recorded)),
            Err(_) => rows.refuse(format!("{id:?} in its stream's name is no id of a {}", K::KEY)),
        }
    }
}
