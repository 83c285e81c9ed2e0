//! Factum: the domain of its own benchmark, over the embedded log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use factum::store::StoreOptions;
use factum::{DecideError, Durability, Receipt, Store};
use factum_bench::sdk::counter::{Counter, CounterId, Sum, raise};
use factum_log::{Log, LogOptions};
use tokio::runtime::Runtime;

use crate::counters::{Counters, Home, Past, Raised};
use crate::failure::Failure;

/// With the states that stay warm by default, or with none.
pub struct Factum<const WARM: bool> {
    store: Store,
    /// Whether a receipt named less.
    is_weaker: AtomicBool,
}

impl<const WARM: bool> Factum<WARM> {
    fn heard(&self, receipt: Receipt) -> Raised {
        if receipt.durability != Durability::Disk {
            self.is_weaker.store(true, Ordering::Relaxed);
        }
        Raised { again: receipt.attempts - 1 }
    }
}

impl<const WARM: bool> Counters for Factum<WARM> {
    async fn open(home: &Home<'_>) -> Result<Self, Failure> {
        let dir = home.dir.join("factum");
        let store = if WARM {
            Store::open(dir)?
        } else {
            let log = Log::open(&dir, LogOptions::default())?;
            Store::over(Arc::new(log), StoreOptions { warm_states_max: 0, ..StoreOptions::default() })
        };
        Ok(Self { store, is_weaker: AtomicBool::new(false) })
    }

    async fn fill(&self, past: &[Past]) -> Result<(), Failure> {
        let event = |past: &Past| Counter::Raised { id: CounterId(past.id), by: 1 };
        self.store.record(past.iter().map(event).collect::<Vec<_>>()).await?;
        Ok(())
    }

    async fn raise(&self, id: u32) -> Result<Raised, Failure> {
        let command = self.store.decide(Sum::of(CounterId(id)), |sum: &Sum| raise(sum, 1));
        Ok(self.heard(command.await.map_err(failed)?))
    }

    async fn sum(&self, id: u32) -> Result<u64, Failure> {
        Ok(self.store.load(Sum::of(CounterId(id))).await?.sum)
    }

    /// The blocking form.
    fn raise_alone(&self, _: &Runtime, id: u32) -> Result<Raised, Failure> {
        let command = self.store.decide(Sum::of(CounterId(id)), |sum: &Sum| raise(sum, 1));
        Ok(self.heard(command.run().map_err(failed)?))
    }

    /// The blocking form.
    fn sum_alone(&self, _: &Runtime, id: u32) -> Result<u64, Failure> {
        Ok(self.store.load(Sum::of(CounterId(id))).run()?.sum)
    }

    fn durability(&self) -> String {
        match self.is_weaker.load(Ordering::Relaxed) {
            false => "disk: by its receipts".into(),
            true => "**not on disk**: by its receipts".into(),
        }
    }
}

fn failed(error: DecideError<&'static str>) -> Failure {
    error.into()
}
