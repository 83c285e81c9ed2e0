//! The two places of an event: in the whole log, and in its stream.

use std::fmt;

/// Place of an event in the whole log: gapless, from 0, given at commit.
///
/// Readers see only the committed prefix, so an event that was once visible
/// keeps its position for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

/// Place of an event in its stream: gapless, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

macro_rules! counted_from_zero {
    ($name:ident) => {
        impl $name {
            /// The first one.
            pub const FIRST: Self = Self(0);
            /// Greater than every one that can be given to an event.
            pub const MAX: Self = Self(u64::MAX);

            /// The `n`-th, counted from 0.
            pub const fn new(n: u64) -> Self {
                Self(n)
            }

            /// The number itself.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The following one; stays at [`Self::MAX`].
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The one before, if there is one.
            pub const fn previous(self) -> Option<Self> {
                match self.0.checked_sub(1) {
                    Some(n) => Some(Self(n)),
                    None => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<u64> for $name {
            fn from(n: u64) -> Self {
                Self(n)
            }
        }
    };
}

counted_from_zero!(Position);
counted_from_zero!(Revision);
