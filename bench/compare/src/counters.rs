//! What every system is asked for: counters that go up.

use std::future::Future;
use std::path::Path;

use tokio::runtime::Runtime;

use crate::failure::Failure;

/// A command that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised {
    /// How often it was decided again because another was faster.
    pub again: u32,
}

/// An event that is stored without a decision, to fill a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Of which counter.
    pub id: u32,
    /// How many events of that counter come before it.
    pub after: u32,
}

/// Where a store is put.
pub struct Home<'a> {
    /// An empty directory, the first time.
    pub dir: &'a Path,
    /// Of the database, for those that need one.
    pub postgres_url: &'a str,
}

/// A store of counters, written with a library the way its own documentation
/// says, with the settings it recommends.
pub trait Counters: Send + Sync + Sized + 'static {
    /// Opens the store, and makes it if there is none.
    fn open(home: &Home<'_>) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Stores at most a thousand events at once, in the quickest way there is.
    fn fill(&self, past: &[Past]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The command: raises one counter by 1, unless its sum would overflow.
    fn raise(&self, id: u32) -> impl Future<Output = Result<Raised, Failure>> + Send;

    /// One counter's sum, folded from its events.
    fn sum(&self, id: u32) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// [`Self::raise`] for a caller that does nothing else meanwhile.
    fn raise_alone(&self, runtime: &Runtime, id: u32) -> Result<Raised, Failure> {
        runtime.block_on(self.raise(id))
    }

    /// [`Self::sum`] for a caller that does nothing else meanwhile.
    fn sum_alone(&self, runtime: &Runtime, id: u32) -> Result<u64, Failure> {
        runtime.block_on(self.sum(id))
    }

    /// What an answered command survives, and how that is known.
    fn durability(&self) -> String;
}
