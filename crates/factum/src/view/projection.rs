//! [`Projection`]: one definition of a read model.

use factum_core::{EventType, NameError, Query, RecordedEvent};

use super::{Kind, Row, Rows};
use crate::Event;

/// A read model: which events, and how they change its rows.
///
/// ```
/// # use factum::prelude::*;
/// # use factum::RecordedEvent;
/// # #[derive(Id, Clone, Debug, PartialEq)] struct AccountId(String);
/// # #[derive(Event, Clone, Debug, PartialEq)]
/// # enum Account { Opened { #[id] id: AccountId }, Deposited { #[id] id: AccountId, cents: i64 } }
/// #[derive(Row, Clone, Debug, PartialEq)]
/// struct Balance {
///     #[key]
///     account: AccountId,
///     cents: i64,
/// }
///
/// struct Balances;
///
/// impl Projection for Balances {
///     const NAME: &'static str = "balances";
///     type Event = Account;
///     type Row = Balance;
///
///     fn project(&self, event: &Account, _: &RecordedEvent, rows: &mut Rows<Balance>) {
///         match event {
///             Account::Opened { id } => rows.put(Balance { account: id.clone(), cents: 0 }),
///             Account::Deposited { id, cents } => {
///                 rows.update(id, |balance| balance.cents += cents);
///             }
///         }
///     }
/// }
/// ```
///
/// It is replayed: after a crash from its checkpoint, in a rebuild from the first
/// event, for a look back up to some moment. So it is pure: no clock, no
/// randomness, no input or output, no state but its rows.
/// [`check`](super::check) finds out whether that is so.
///
/// The event may be an enum made of others: a variant with one unnamed field
/// holds another event. An enum with fewer variants, and the same prefix, has
/// fewer types read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    label = "not a projection",
    note = "write `impl Projection for {Self}` with a NAME, the `Event`s it reads, the `Row` it makes, and `fn project`"
)]
pub trait Projection: Send + Sync + 'static {
    /// What it is called, also in a database: lower case letters, digits and `_`.
    /// Not as a version is called, `balances_v1` or `balances_v1_1`.
    const NAME: &'static str;

    /// Raise it when rows are made differently or have other columns: the new
    /// version fills a table of its own beside the old one.
    const VERSION: u32 = 1;

    /// The events it reads; the store selects their types.
    type Event: Event;

    /// What it makes of them.
    type Row: Row;

    /// Changes rows by one event. Events come in the order of the log, over all
    /// streams.
    fn project(&self, event: &Self::Event, recorded: &RecordedEvent, rows: &mut Rows<'_, Self::Row>);
}

/// What is wrong with a projection, whatever the events.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// Its name is none for a table.
    #[error(
        "{name:?} cannot name a projection: take lower case letters, digits and `_`, up to 48 of them, and begin with a letter; names that begin with `factum_` or `sqlite_` are taken, and so are those that end as `_v1` or `_v1_2` do, which name versions and their tables"
    )]
    Name {
        /// Its name.
        name: &'static str,
    },
    /// Its rows cannot be found by this.
    #[error(
        "{name}: rows cannot be found by {column}: a key is an id, a whole number, a text, a truth value or an enum without fields"
    )]
    Key {
        /// The projection.
        name: &'static str,
        /// The field of its row.
        column: &'static str,
    },
    /// No store accepts the type of an event.
    #[error("{name}: an event has a type that cannot be stored")]
    Type {
        /// The projection.
        name: &'static str,
        #[allow(missing_docs)]
        #[source]
        source: NameError,
    },
}

/// Whether a version of another projection, or a table of it, may be called this.
fn names_a_version(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = |text: &str| text.strip_prefix('v').is_some_and(is_number);
    let mut parts = name.rsplit('_');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(last), Some(_), _) if is_version(last) => true,
        (Some(last), Some(before), Some(_)) => is_number(last) && is_version(before),
        _ => false,
    }
}

/// The events a projection reads, if it is well defined.
pub(crate) fn query<P: Projection>() -> Result<Query, DefinitionError> {
    let name = P::NAME;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = name.bytes().all(is_plain) && name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_name
        || name.len() > 48
        || names_a_version(name)
        || ["factum_", "sqlite_"].iter().any(|taken| name.starts_with(taken))
    {
        return Err(DefinitionError::Name { name });
    }
    let is_no_key = |column: &&super::Column| {
        column.is_key && (column.is_nullable || matches!(column.kind, Kind::Real | Kind::Json))
    };
    if let Some(column) = P::Row::columns().iter().find(is_no_key) {
        return Err(DefinitionError::Key { name, column: column.name });
    }
    let mut types = Vec::new();
    for shape in P::Event::shapes() {
        let event_type =
            EventType::new(shape.name).map_err(|source| DefinitionError::Type { name, source })?;
        if !types.contains(&event_type) {
            types.push(event_type);
        }
    }
    Ok(Query::types(types))
}
