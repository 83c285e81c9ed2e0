//! Chance from a seed: the same seed throws the same numbers, on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Seeded chance.
#[derive(Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice that throw this seed's numbers.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The upper half of the product: even enough for any `end` in use.
        ((u128::from(self.any()) * u128::from(end)) >> 64) as u64
    }

    /// True this often in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these; there must be one.
    pub fn pick<'a, T>(&mut self, these: &'a [T]) -> &'a T {
        &these[self.below(these.len() as u64) as usize]
    }

    /// Puts these in any order.
    pub fn shuffle<T>(&mut self, these: &mut [T]) {
        for last in (1..these.len()).rev() {
            these.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Fills the buffer with noise.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        self.0.fill_bytes(buffer);
    }

    /// A count at least 1 and less than `count`, or `count` if there is none.
    pub(super) fn shorten(&mut self, count: usize) -> usize {
        if count < 2 { count } else { 1 + self.below(count as u64 - 1) as usize }
    }
}
