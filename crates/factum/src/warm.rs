//! Warm states: what the last decision on a boundary ended with, so that the
//! next folds only what came since, usually nothing.
//!
//! ```text
//!   (Balance, stream account-ada) ──▶ slot ──▶ Folded { state, up to position 41 }
//!                                       ▲
//!             decisions under way ──────┘  each holds the slot it began with
//! ```
//!
//! A warm state is never believed: an append on top of one that is out of date
//! is refused by its guard. Losing one costs a fold, nothing else.

use std::any::{Any, TypeId};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::Boundary;
use crate::fold::Folded;

/// The states kept by a store.
pub struct WarmStates(Cache<Key, Arc<dyn Any + Send + Sync>>);

/// The place of one state.
pub type Slot<M> = Mutex<Option<Arc<Folded<M>>>>;

#[derive(Clone, PartialEq, Eq)]
struct Key(TypeId, Boundary);

/// A key to look with, without owning it.
struct Look<'a>(TypeId, &'a Boundary);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Look(self.0, &self.1).hash(state);
    }
}

impl Hash for Look<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl Equivalent<Key> for Look<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && *self.1 == key.1
    }
}

impl WarmStates {
    pub fn new(states_max: usize) -> Self {
        Self(Cache::new(states_max))
    }

    /// The slot of a boundary, made if there is none.
    pub fn slot<M: Send + Sync + 'static>(&self, boundary: &Boundary) -> Arc<Slot<M>> {
        let type_id = TypeId::of::<M>();
        if let Some(slot) = self.0.get(&Look(type_id, boundary))
            && let Ok(slot) = slot.downcast()
        {
            return slot;
        }
        let slot = Arc::new(Slot::<M>::new(None));
        self.0.insert(Key(type_id, boundary.clone()), slot.clone());
        slot
    }
}
