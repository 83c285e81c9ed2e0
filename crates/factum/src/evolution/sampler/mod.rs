//! The sampler: a plausible value of any type that can be deserialised.
//!
//! A type's `Deserialize` asks for what it needs: a string, a number, these
//! fields. The sampler answers with a first guess. If the type refuses it, for
//! instance because a string was to be a date, the sampler begins again and
//! guesses otherwise where it was refused:
//!
//! ```text
//!   owner: String   "owner"           accepted
//!   since: Date     "since"  ✗   "text"  ✗  ...  "2026-01-31"   accepted
//!   lines: Vec<_>   [ one ]
//! ```
//!
//! Of an enum there is one sample for each variant, so that none of them is
//! lost unnoticed. So nothing is asked of the types of fields. What it cannot guess, say a
//! checksum, is an error that names the field.

mod guess;
mod search;

use std::collections::{BTreeSet, VecDeque};

use serde::de::DeserializeOwned;

use guess::Guesser;
use search::{Search, Variants};

/// Why no sample could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no value could be guessed for `{field}` ({reason}): make one yourself, `#[event(example = a_function)]` with `fn a_function() -> TheEvent`"
)]
pub struct NoSample {
    /// The path of fields to where every guess was refused.
    pub field: String,
    /// In the words of the type.
    pub reason: String,
}

/// The most samples of one type.
const SAMPLES_MAX: usize = 16;

/// Plausible values of a type: one, and one more for every other variant of an
/// enum in it.
pub fn sample<T: DeserializeOwned>() -> Result<Vec<T>, NoSample> {
    let mut samples = Vec::new();
    let mut known = BTreeSet::new();
    let mut wanted = VecDeque::from([Variants::default()]);
    while let Some(variants) = wanted.pop_front() {
        let (sample, enums) = match one(&variants) {
            Ok(found) => found,
            Err(no_sample) if samples.is_empty() => return Err(no_sample),
            // A variant that cannot be guessed goes without a sample.
            Err(_) => continue,
        };
        samples.push(sample);
        if samples.len() == SAMPLES_MAX {
            break;
        }
        for (place, count) in enums {
            if known.insert(place.clone()) {
                let others = (1..count).map(|variant| {
                    let mut variants = variants.clone();
                    variants.insert(place.clone(), variant);
                    variants
                });
                wanted.extend(others);
            }
        }
    }
    Ok(samples)
}

/// A value with these variants, and the enums in it with how many they have.
fn one<T: DeserializeOwned>(variants: &Variants) -> Result<(T, Variants), NoSample> {
    let mut search = Search::with(variants.clone());
    loop {
        search.restart();
        let mut guesser = Guesser::new(&mut search);
        match T::deserialize(&mut guesser) {
            Ok(value) => return Ok((value, search.enums)),
            Err(refused) => {
                let field = guesser.path();
                search.refused(field, refused)?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
