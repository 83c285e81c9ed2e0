//! Events that wait for one consumer and for no other, put aside so that they
//! do not fill the buffer and hold up everybody: only where they stand is kept,
//! and they are read again when their consumer has room.
//!
//! A bucket of which something is aside has everything that follows put aside
//! as well, so that its events stay in order.

use std::collections::{BTreeMap, BTreeSet};

/// Where events stand that are not in memory, by bucket.
#[derive(Debug, Default)]
pub struct Aside {
    waiting: BTreeMap<u64, BTreeSet<u64>>,
    /// Being read again.
    fetching: BTreeMap<u64, u64>,
    len: usize,
}

impl Aside {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len + self.fetching.len()
    }

    /// Whether anything of a bucket is aside.
    pub fn holds(&self, bucket: u64) -> bool {
        self.waiting.contains_key(&bucket) || self.fetching.values().any(|fetched| *fetched == bucket)
    }

    /// Whether some are being read again, or should be.
    pub fn is_due(&self, may_go: impl Fn(u64) -> bool) -> bool {
        !self.fetching.is_empty() || self.waiting.keys().any(|bucket| may_go(*bucket))
    }

    pub fn put(&mut self, at: u64, bucket: u64) {
        if self.waiting.entry(bucket).or_default().insert(at) {
            self.len += 1;
        }
    }

    /// The first of the buckets that may go, at most so many; nothing while
    /// others are still being read.
    pub fn fetch(&mut self, count: usize, may_go: impl Fn(u64) -> bool) -> Vec<u64> {
        let mut fetched = Vec::new();
        if !self.fetching.is_empty() {
            return fetched;
        }
        for (bucket, waiting) in &mut self.waiting {
            if !may_go(*bucket) {
                continue;
            }
            while fetched.len() < count
                && let Some(at) = waiting.pop_first()
            {
                self.fetching.insert(at, *bucket);
                fetched.push(at);
            }
        }
        self.len -= fetched.len();
        self.waiting.retain(|_, waiting| !waiting.is_empty());
        fetched
    }

    /// One was read again.
    pub fn fetched(&mut self, at: u64) {
        self.fetching.remove(&at);
    }

    /// They could not be read: they wait on.
    pub fn put_back(&mut self) {
        for (at, bucket) in std::mem::take(&mut self.fetching) {
            self.put(at, bucket);
        }
    }
}
