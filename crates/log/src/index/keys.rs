//! Keys: what an event can be found by besides its stream, as hashes.
//!
//! ```text
//!   cart-42  ItemAdded  [sku:pear]   ─▶  type ItemAdded, category cart, tag sku:pear,
//!                                        and, at revision 0, "begins its stream"
//! ```
//!
//! A key is a 128-bit hash of its text, seeded with the store's secret and with
//! what kind of key it is, so that a type and a tag of the same text are two.
//! Whoever appends hashes; the sequencer only copies. Hashes of that width are
//! taken for the texts themselves where events are only counted; where they are
//! read, the texts in the record decide.

use factum_core::Query;
use factum_core::name::category_of;
use smallvec::SmallVec;

use crate::secret::Secret;
use crate::segment::record::RecordView;

/// One key.
pub type KeyHash = u128;

/// Of records that are lost: what stood there nobody knows, so that every
/// question meets them.
pub const LOST: KeyHash = 0;

/// The keys of one event.
pub type Keys = SmallVec<[KeyHash; 6]>;

/// Finds the keys of an event, but for the one that only its revision decides;
/// `category` is its stream's.
pub fn of_event<'a>(
    secret: Secret,
    category: Option<KeyHash>,
    event_type: &str,
    tags: impl Iterator<Item = &'a [u8]>,
    mut found: impl FnMut(KeyHash),
) {
    found(secret.event_type(event_type));
    category.into_iter().for_each(&mut found);
    tags.for_each(|tag| found(secret.tag(tag)));
}

/// The key that all events of a stream have.
pub fn of_stream(secret: Secret, stream: &str) -> Option<KeyHash> {
    category_of(stream).map(|category| secret.category(category))
}

/// The same, of a record. Names that are no UTF-8 were not written by this
/// format; reading them says so.
pub fn of_record(secret: Secret, view: &RecordView<'_>) -> Keys {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let category = of_stream(secret, text(view.stream()));
    let mut keys = Keys::new();
    of_event(secret, category, text(view.event_type()), view.tag_texts(), |key| keys.push(key));
    keys
}

/// A query, as keys.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Alternatives. Each asks for all of its clauses, and of each clause for
    /// any key; no event has two keys of one clause.
    pub items: Vec<Vec<Clause>>,
    /// Whether an alternative asks for nothing, so that every event is wanted.
    pub all: bool,
}

/// Any of these.
pub type Clause = SmallVec<[KeyHash; 2]>;

impl Wanted {
    /// Of a query.
    pub fn of(query: &Query, secret: Secret) -> Self {
        let items = query.items().iter().map(|item| {
            let categories = item.categories.iter().map(|name| secret.category(name.as_str()));
            let types = item.types.iter().map(|name| secret.event_type(name.as_str()));
            let mut clauses = vec![clause(types), clause(categories)];
            clauses.extend(item.tags.iter().map(|tag| clause([secret.tag(tag.as_str().as_bytes())])));
            if item.begins_stream {
                clauses.push(clause([secret.beginning()]));
            }
            clauses.retain(|clause| !clause.is_empty());
            clauses
        });
        Self { items: items.collect(), all: query.selects_all() }
    }
}

/// A key named twice counts once.
fn clause(keys: impl IntoIterator<Item = KeyHash>) -> Clause {
    let mut clause: Clause = keys.into_iter().collect();
    clause.sort_unstable();
    clause.dedup();
    clause
}
