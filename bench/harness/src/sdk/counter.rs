//! The domain of the SDK's rows: counters that go up. Small on purpose, so that
//! what is measured is the SDK and not the domain.

use factum::prelude::*;
use serde::{Deserialize, Serialize};

/// Names a counter.
#[derive(Id, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CounterId(pub u32);

/// What happens to one.
#[derive(Event, Clone, Debug, PartialEq, Eq)]
pub enum Counter {
    /// It went up.
    Raised {
        /// Which.
        #[id]
        id: CounterId,
        /// By how much.
        by: u32,
    },
}

/// A counter's sum.
#[derive(Aggregate, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[folds(Counter)]
pub struct Sum {
    /// Which.
    #[key]
    pub id: CounterId,
    /// Of everything it was raised by.
    pub sum: u64,
}

impl Evolve<Counter> for Sum {
    fn evolve(&mut self, event: &Counter) {
        let Counter::Raised { by, .. } = event;
        self.sum += u64::from(*by);
    }
}

/// The decision that is measured: there is a limit, which is never reached.
pub fn raise(sum: &Sum, by: u32) -> Result<Counter, &'static str> {
    match sum.sum.checked_add(u64::from(by)) {
        Some(_) => Ok(Counter::Raised { id: sum.id, by }),
        None => Err("the counter is full"),
    }
}
