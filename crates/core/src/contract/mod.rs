//! The law of [`EventStore`](crate::EventStore), as test functions.

use crate::EventStore;

/// Runs every rule against fresh, empty stores made by `store`.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    let _ = store();
}
