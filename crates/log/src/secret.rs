//! What only this store knows: the seed of its hashes and the salt of its
//! checksums.
//!
//! Both keep people who only choose names and payloads from aiming at the
//! engine: stream names that collide, payloads that look like batches.

use crate::index::keys::KeyHash;
use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Made once per store, kept in its `STORE` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    seed: u64,
    // Of the seed, and asked for with every append.
    salt: u32,
    beginning: KeyHash,
}

/// Identity of a stream: a keyed 128-bit hash of its name.
pub type StreamHash = u128;

impl Secret {
    /// A fresh one.
    pub fn new() -> Self {
        Self::from_stored(Uuid::new_v4().as_u64_pair().0 ^ Uuid::new_v4().as_u64_pair().1)
    }

    /// The one a store was created with.
    pub fn from_stored(seed: u64) -> Self {
        let beginning = xxh3_128_with_seed(&[], seed.wrapping_add(4));
        Self { seed, salt: crc32c::crc32c(&seed.to_le_bytes()), beginning }
    }

    /// As written to the `STORE` file.
    pub fn to_stored(self) -> u64 {
        self.seed
    }

    /// Identity of a stream. Wherever a record is found by it, the name in the
    /// record is compared as well.
    pub fn stream(self, name: &str) -> StreamHash {
        xxh3_128_with_seed(name.as_bytes(), self.seed)
    }

    /// A category, apart from streams, types and tags of the same text.
    pub fn category(self, name: &str) -> KeyHash {
        xxh3_128_with_seed(name.as_bytes(), self.seed.wrapping_add(1))
    }

    /// A type.
    pub fn event_type(self, name: &str) -> KeyHash {
        xxh3_128_with_seed(name.as_bytes(), self.seed.wrapping_add(2))
    }

    /// A tag.
    pub fn tag(self, text: &[u8]) -> KeyHash {
        xxh3_128_with_seed(text, self.seed.wrapping_add(3))
    }

    /// What the first events of all streams have in common.
    pub fn beginning(self) -> KeyHash {
        self.beginning
    }

    /// An event id within a stream.
    pub fn event_id(self, stream: StreamHash, id: &[u8; 16]) -> u64 {
        xxh3_64_with_seed(id, self.seed) ^ (stream as u64)
    }

    /// What every checksum starts from.
    pub fn salt(self) -> u32 {
        self.salt
    }
}
