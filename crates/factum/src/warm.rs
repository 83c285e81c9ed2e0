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

use crate::fold::Folded;
use crate::model::BoundaryError;
use crate::{Boundary, Model};

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

    /// The slot of a model, made if there is none.
    pub fn slot_of<M: Model>(&self, model: &M) -> Result<Arc<Slot<M>>, BoundaryError> {
        let found = model.one_stream().and_then(|stream| {
            let slot = self.found::<M>(self.hash_of_stream::<M>(stream.as_bytes()))?;
            let is_it = slot.boundary.one_stream()?.as_str().as_bytes() == stream.as_bytes();
            is_it.then_some(slot)
        });
        found.map_or_else(|| Ok(self.slot(model.boundary()?)), Ok)
    }

    /// The slot of a boundary, made if there is none.
    pub fn slot<M: Send + Sync + 'static>(&self, boundary: Boundary) -> Arc<Slot<M>> {
        let hash = match boundary.one_stream() {
            Some(stream) => self.hash_of_stream::<M>(stream.as_str().as_bytes()),
            None => self.hashes.hash_one((TypeId::of::<M>(), &boundary)),
        };
        self.slot_by(hash, boundary)
    }

    fn hash_of_stream<M: 'static>(&self, stream: &[u8]) -> u64 {
        self.hashes.hash_one((TypeId::of::<M>(), stream))
    }

    fn found<M: Send + Sync + 'static>(&self, hash: u64) -> Option<Arc<Slot<M>>> {
        self.slots.get(&hash)?.downcast().ok()
    }

    fn slot_by<M: Send + Sync + 'static>(&self, hash: u64, boundary: Boundary) -> Arc<Slot<M>> {
        if let Some(slot) = self.found::<M>(hash)
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
    use factum_core::{Selection, StreamName, Tags};
    use smallvec::smallvec;

    use super::*;
    use crate::boundary::{Guard, Part};

    fn stream(name: &str) -> Boundary {
        let read = Selection::Stream(StreamName::new(name).unwrap());
        Boundary { parts: smallvec![Part { read, guard: Guard::Revision, id_tag: Tags::none() }] }
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

    #[derive(crate::Id, Clone, Debug, PartialEq)]
    struct JarId(u8);
    #[derive(crate::Event, Clone)]
    enum Jar {
        Filled {
            #[id]
            id: JarId,
        },
    }
    #[derive(crate::Aggregate, Clone)]
    #[folds(Jar)]
    struct Full {
        #[key]
        id: JarId,
    }
    #[derive(crate::Aggregate, Clone)]
    #[folds(Jar, commutes(Jar::Filled))]
    struct EverFull {
        #[key]
        id: JarId,
    }
    impl crate::Evolve<Jar> for Full {
        fn evolve(&mut self, _: &Jar) {}
    }
    impl crate::Evolve<Jar> for EverFull {
        fn evolve(&mut self, _: &Jar) {}
    }

    #[test]
    fn a_model_of_one_stream_finds_the_slot_of_its_boundary() {
        fn assert_one_slot<M: Model>(states: &WarmStates, model: &M) -> Boundary {
            let slot = states.slot_of(model).unwrap();
            assert_eq!(slot.boundary, model.boundary().unwrap());
            assert!(Arc::ptr_eq(&slot, &states.slot(model.boundary().unwrap())), "by its boundary");
            assert!(Arc::ptr_eq(&slot, &states.slot_of(model).unwrap()), "again");
            slot.boundary.clone()
        }
        let states = WarmStates::new(16);
        let first = assert_one_slot(&states, &Full::of(1));
        let second = assert_one_slot(&states, &Full::of(2));
        assert_ne!(first, second);
        assert_ne!(first, assert_one_slot(&states, &EverFull::of(1)), "it guards less");
        assert_eq!(first, assert_one_slot(&states, &Full::of(1)));
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
