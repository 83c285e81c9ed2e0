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
//!
//! A slot is found by a hash of the model's type and the boundary, and says itself
//! whose it is: of two boundaries with one hash, each takes the place of the other.

use std::any::{Any, TypeId};
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::DefaultHashBuilder;
use quick_cache::sync::Cache;

use crate::Boundary;
use crate::fold::Folded;

/// The states kept by a store.
pub struct WarmStates {
    slots: Cache<u64, Arc<dyn Any + Send + Sync>>,
    hashes: DefaultHashBuilder,
}

/// The place of one state.
pub struct Slot<M> {
    pub boundary: Boundary,
    pub state: Mutex<Option<Arc<Folded<M>>>>,
}

impl WarmStates {
    pub fn new(states_max: usize) -> Self {
        Self { slots: Cache::new(states_max), hashes: DefaultHashBuilder::default() }
    }

    /// The slot of a boundary, made if there is none.
    pub fn slot<M: Send + Sync + 'static>(&self, boundary: Boundary) -> Arc<Slot<M>> {
        let hash = self.hashes.hash_one((TypeId::of::<M>(), &boundary));
        self.slot_by(hash, boundary)
    }

    fn slot_by<M: Send + Sync + 'static>(&self, hash: u64, boundary: Boundary) -> Arc<Slot<M>> {
        if let Some(slot) = self.slots.get(&hash)
            && let Ok(slot) = slot.downcast::<Slot<M>>()
            && slot.boundary == boundary
        {
            return slot;
        }
        let slot = Arc::new(Slot { boundary, state: Mutex::default() });
        self.slots.insert(hash, slot.clone());
        slot
    }
}

#[cfg(test)]
mod tests {
    use factum_core::{Selection, StreamName};
    use smallvec::smallvec;

    use super::*;
    use crate::boundary::{Guard, Part};

    fn stream(name: &str) -> Boundary {
        let read = Selection::Stream(StreamName::new(name).unwrap());
        Boundary { parts: smallvec![Part { read, guard: Guard::Revision }] }
    }

    #[test]
    fn a_slot_is_found_by_model_and_boundary() {
        let states = WarmStates::new(16);
        let ada: Arc<Slot<u8>> = states.slot(stream("account-ada"));
        assert!(Arc::ptr_eq(&ada, &states.slot(stream("account-ada"))));
        assert!(!Arc::ptr_eq(&ada, &states.slot(stream("account-bob"))));
        let other_model: Arc<Slot<u16>> = states.slot(stream("account-ada"));
        assert_eq!(other_model.boundary, ada.boundary);
        assert!(Arc::ptr_eq(&ada, &states.slot(stream("account-ada"))), "it kept its place");
    }

    #[test]
    fn boundaries_with_one_hash_are_not_taken_for_one_another() {
        let states = WarmStates::new(16);
        let ada: Arc<Slot<u8>> = states.slot_by(7, stream("account-ada"));
        let bob: Arc<Slot<u8>> = states.slot_by(7, stream("account-bob"));
        assert_eq!(
            (ada.boundary.clone(), bob.boundary.clone()),
            (stream("account-ada"), stream("account-bob"))
        );
        let other_model: Arc<Slot<u16>> = states.slot_by(7, stream("account-bob"));
        assert_eq!(other_model.boundary, bob.boundary);
        let again: Arc<Slot<u8>> = states.slot_by(7, stream("account-ada"));
        assert!(!Arc::ptr_eq(&again, &ada) && again.boundary == ada.boundary);
    }
}
