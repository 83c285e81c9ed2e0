//! Which guesses to make next, after some were refused.
//!
//! Every guess is one of several candidates. The guesses of a run are written
//! down in order; after a refusal the last of them takes its next candidate,
//! and one that has no more is forgotten, as in any search by trial. Some
//! refusals say what was wanted (a missing field, the names of variants): that
//! is remembered, and the search begins anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de;

use super::NoSample;

/// Runs before it is given up.
const RUNS_MAX: u32 = 20_000;

/// What is guessed first where a type accepts several things.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// What one would write into an example.
    #[default]
    Plain,
    /// Nothing, wherever there may be nothing.
    Sparse,
    /// The numbers that take the most room.
    Widest,
}

/// A number for each enum, by its place: of a variant, or of how many it has.
pub type Variants = BTreeMap<String, usize>;

/// What is known between runs.
#[derive(Debug, Default)]
pub struct Search {
    guesses: Vec<Guess>,
    /// How many guesses this run has made.
    made: usize,
    runs: u32,
    /// Fields of maps, by the path of the map.
    pub keys: BTreeMap<String, Vec<&'static str>>,
    /// Fields of structs that are other names of fields before them.
    pub aliases: BTreeSet<(&'static str, usize)>,
    /// Texts that were asked for, by the path of the field.
    pub texts: BTreeMap<String, &'static [&'static str]>,
    pub style: Style,
    /// Whether this run came by something the style has a say in.
    pub is_styled: bool,
    /// Variants that are asked for.
    pub variants: Variants,
    /// Enums that this run came by.
    pub enums: Variants,
    /// Path of the map that was read last.
    pub last_map: Option<String>,
    has_learned: bool,
    furthest: Option<(usize, NoSample)>,
}

#[derive(Debug)]
struct Guess {
    taken: usize,
    candidates: usize,
}

impl Search {
    pub fn with(variants: Variants, style: Style) -> Self {
        Self { variants, style, ..Self::default() }
    }

    pub fn restart(&mut self) {
        self.made = 0;
        self.last_map = None;
        self.enums.clear();
        self.is_styled = false;
    }

    /// Which of so many candidates to take here.
    pub fn choose(&mut self, candidates: usize) -> usize {
        let at = self.made;
        self.made += 1;
        if at == self.guesses.len() {
            self.guesses.push(Guess { taken: 0, candidates });
        }
        self.guesses[at].taken
    }

    /// The next run knows more than this one.
    pub fn learn(&mut self) {
        self.has_learned = true;
    }

    /// A map has to have this field.
    pub fn add_key(&mut self, map: String, field: &'static str) {
        let known = self.keys.entry(map).or_default();
        if !known.contains(&field) {
            known.push(field);
            self.learn();
        }
    }

    /// Goes on to the next guess; an error if there is none.
    pub fn refused(&mut self, field: String, refused: Refused) -> Result<(), NoSample> {
        self.runs += 1;
        match refused.hint {
            Some(Hint::OneOf(texts)) if !texts.is_empty() && !self.texts.contains_key(&field) => {
                self.texts.insert(field.clone(), texts);
                self.learn();
            }
            Some(Hint::MissingField(missing)) => {
                if let Some(map) = self.last_map.take() {
                    self.add_key(map, missing);
                }
            }
            _ => {}
        }
        let no_sample = NoSample { field, reason: refused.reason };
        if self.furthest.as_ref().is_none_or(|(made, _)| *made < self.made) {
            self.furthest = Some((self.made, no_sample.clone()));
        }
        if std::mem::take(&mut self.has_learned) {
            self.guesses.clear();
        } else {
            self.guesses.truncate(self.made);
            while self.guesses.pop_if(|guess| guess.taken + 1 >= guess.candidates).is_some() {}
            match self.guesses.last_mut() {
                Some(last) => last.taken += 1,
                None => self.runs = RUNS_MAX,
            }
        }
        if self.runs >= RUNS_MAX {
            return Err(self.furthest.take().map_or(no_sample, |(_, furthest)| furthest));
        }
        Ok(())
    }
}

/// A type does not want what was guessed.
#[derive(Debug)]
pub struct Refused {
    pub reason: String,
    pub hint: Option<Hint>,
}

/// What a refusal says about what was wanted.
#[derive(Debug, Clone, Copy)]
pub enum Hint {
    MissingField(&'static str),
    DuplicateField,
    OneOf(&'static [&'static str]),
}

impl Refused {
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::because(reason.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self { reason: format!("the field `{field}` is missing"), hint: Some(Hint::MissingField(field)) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self { reason: format!("the field `{field}` is there twice"), hint: Some(Hint::DuplicateField) }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self { reason: format!("there is no variant `{variant}`"), hint: Some(Hint::OneOf(expected)) }
    }
}
