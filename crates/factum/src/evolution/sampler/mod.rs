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
//! lost unnoticed. Each of them is made twice more where that makes a difference:
//! sparse, with nothing where there may be nothing, and with the numbers that take
//! the most room, so that a type which accepts less than before is noticed.
//!
//! ```text
//!   nick: Option<String>, grams: u32    Some("nick"), 1
//!                               sparse  None,         1
//!                               widest  Some("nick"), 4294967295
//! ```
//!
//! So nothing is asked of the types of fields. What it cannot guess, say a
//! checksum, is an error that names the field.

mod guess;
mod search;

use std::collections::{BTreeSet, VecDeque};

use serde::de::DeserializeOwned;

use guess::Guesser;
use search::{Search, Style, Variants};

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

/// The most plain samples of one type.
const SAMPLES_MAX: usize = 16;

/// Plausible values of a type: one, and one more for every other variant of an
/// enum in it; then the same sparse, and with the widest numbers.
pub fn sample<T: DeserializeOwned>() -> Result<Vec<T>, NoSample> {
    let mut samples = Vec::new();
    let mut sampled = Vec::new();
    let mut known = BTreeSet::new();
    let mut wanted = VecDeque::from([Variants::default()]);
    while let Some(variants) = wanted.pop_front() {
        let (sample, enums) = match one(&variants, Style::Plain) {
            Ok((sample, search)) => (sample, search.enums),
            Err(no_sample) if samples.is_empty() => return Err(no_sample),
            // A variant that cannot be guessed goes without a sample.
            Err(_) => continue,
        };
        samples.push(sample);
        sampled.push(variants.clone());
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
    for style in [Style::Sparse, Style::Widest] {
        for variants in &sampled {
            // A type may refuse what is unusual.
            if let Ok((sample, search)) = one(variants, style)
                && search.is_styled
            {
                samples.push(sample);
            }
        }
    }
    Ok(samples)
}

/// A value with these variants, and what was found on the way.
fn one<T: DeserializeOwned>(variants: &Variants, style: Style) -> Result<(T, Search), NoSample> {
    let mut search = Search::with(variants.clone(), style);
    loop {
        search.restart();
        let mut guesser = Guesser::new(&mut search);
        match T::deserialize(&mut guesser) {
            Ok(value) => return Ok((value, search)),
            Err(refused) => {
                let field = guesser.path();
                search.refused(field, refused)?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
