//! Which records of one segment a query wants, from the lists of its keys.
//!
//! ```text
//!   type A        0 1   3   5     8
//!   tag t           1 2     5 6   8 9      all of these: 1 5 8
//!                   └──────▶└────▶└─       each list skips to where the others are
//! ```
//!
//! Lists are walked with growing steps, so that what is not wanted costs the
//! logarithm of its length; the same walk goes backward by counting ordinals
//! from the other end. Nothing is copied and nothing is unpacked: a search
//! takes as much memory as the query has keys.

use std::ops::Range;

use factum_core::Direction;

use super::keys::{KeyHash, LOST, Wanted};
use super::postings::List;

/// The lists a query needs, of one segment.
pub struct Search<'a> {
    /// As [`Wanted::items`]; those that nothing here can match are left out.
    items: Vec<Vec<Vec<List<'a>>>>,
    lost: Option<List<'a>>,
}

impl<'a> Search<'a> {
    /// Gathers the lists; `find` gives the one of a key, if the segment has it.
    pub fn new(wanted: &Wanted, find: impl Fn(KeyHash) -> Option<List<'a>>) -> Self {
        let lists = |clause: &super::keys::Clause| -> Vec<List<'a>> {
            clause.iter().filter_map(|key| find(*key)).collect()
        };
        let items = wanted.items.iter().filter_map(|item| {
            let clauses: Vec<Vec<List<'a>>> = item.iter().map(lists).collect();
            (!clauses.iter().any(Vec::is_empty)).then_some(clauses)
        });
        Self { items: items.collect(), lost: find(LOST) }
    }

    /// The ordinals in a range, in a direction. Those of lost records are among
    /// them: whether they are wanted is no longer known.
    pub fn matches(&self, range: Range<u32>, direction: Direction) -> Matches<'a> {
        let lost = self.lost.iter().map(|list| vec![vec![*list]]);
        let items = self.items.iter().cloned().chain(lost).map(|clauses| Item::new(clauses, direction));
        let way = Way(direction);
        let (next, end) = match (range.is_empty(), direction) {
            (true, _) => (0, 0),
            (_, Direction::Forward) => (u64::from(range.start), u64::from(range.end)),
            (_, Direction::Backward) => (way.turn(range.end - 1), way.turn(range.start) + 1),
        };
        Matches { items: items.collect(), next, end, way }
    }

    /// How many there are in a range.
    pub fn count(&self, range: Range<u32>) -> u64 {
        match self.lists_apart() {
            Some(lists) => lists.iter().map(|list| (span(list, &range).len()) as u64).sum(),
            None => self.matches(range, Direction::Forward).count() as u64,
        }
    }

    /// The `n`-th of a range in a direction, from 0.
    pub fn nth(&self, range: Range<u32>, direction: Direction, n: u64) -> Option<u32> {
        if let Some([list]) = self.lists_apart() {
            let span = span(list, &range);
            let n = usize::try_from(n).ok().filter(|n| *n < span.len())?;
            return Some(list.at(match direction {
                Direction::Forward => span.start + n,
                Direction::Backward => span.end - 1 - n,
            }));
        }
        self.matches(range, direction).nth(usize::try_from(n).ok()?)
    }

    /// The range holds a record that is lost.
    pub fn meets_lost(&self, range: &Range<u32>) -> bool {
        self.lost.is_some_and(|list| !span(&list, range).is_empty())
    }

    /// Lists of which each match is in exactly one, if it is as simple as that.
    fn lists_apart(&self) -> Option<&[List<'a>]> {
        match (&self.items[..], &self.lost) {
            ([], None) => Some(&[]),
            ([item], None) => match &item[..] {
                [lists] => Some(lists),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Which of a list's places are in a range of ordinals.
fn span(list: &List<'_>, range: &Range<u32>) -> Range<usize> {
    list.rank(u64::from(range.start))..list.rank(u64::from(range.end))
}

/// Ordinals as they are met: forward as they are, backward counted from the
/// other end, so that either way they ascend.
#[derive(Clone, Copy)]
struct Way(Direction);

impl Way {
    fn turn(self, ordinal: u32) -> u64 {
        match self.0 {
            Direction::Forward => u64::from(ordinal),
            Direction::Backward => u64::from(u32::MAX - ordinal),
        }
    }

    fn turn_back(self, met: u64) -> u32 {
        match self.0 {
            Direction::Forward => met as u32,
            Direction::Backward => u32::MAX - met as u32,
        }
    }
}

/// What is wanted, one after another.
pub struct Matches<'a> {
    items: Vec<Item<'a>>,
    next: u64,
    end: u64,
    way: Way,
}

impl Iterator for Matches<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (next, mut nearest) = (self.next, u64::MAX);
        for item in &mut self.items {
            nearest = nearest.min(item.seek(next).unwrap_or(u64::MAX));
        }
        // A list that is not in order is wrong, and must not lead back.
        if nearest >= self.end || nearest < next {
            self.next = self.end;
            return None;
        }
        self.next = nearest + 1;
        Some(self.way.turn_back(nearest))
    }
}

/// One alternative: where all of its clauses meet.
struct Item<'a> {
    clauses: Vec<Vec<Cursor<'a>>>,
    /// Where they met last.
    met: Option<u64>,
    is_over: bool,
}

impl<'a> Item<'a> {
    fn new(clauses: Vec<Vec<List<'a>>>, direction: Direction) -> Self {
        let cursor = |list| Cursor { list, way: Way(direction), passed: 0 };
        let mut clauses = clauses;
        // The shortest leads.
        clauses.sort_by_key(|lists| lists.iter().map(List::len).sum::<usize>());
        let clauses = clauses.into_iter().map(|lists| lists.into_iter().map(cursor).collect());
        Self { clauses: clauses.collect(), met: None, is_over: false }
    }

    /// The first place at or after `from` where every clause is.
    fn seek(&mut self, from: u64) -> Option<u64> {
        if self.is_over {
            return None;
        }
        if let Some(met) = self.met.filter(|met| *met >= from) {
            return Some(met);
        }
        let met = self.meet(from);
        (self.met, self.is_over) = (met, met.is_none());
        met
    }

    fn meet(&mut self, mut from: u64) -> Option<u64> {
        'again: loop {
            let mut at = from;
            for (n, clause) in self.clauses.iter_mut().enumerate() {
                let found = clause.iter_mut().filter_map(|cursor| cursor.seek(at)).min()?;
                if n > 0 && found > at {
                    from = found;
                    continue 'again;
                }
                at = found;
            }
            return Some(at);
        }
    }
}

/// A place in a list that only moves on.
struct Cursor<'a> {
    list: List<'a>,
    way: Way,
    /// So many were passed.
    passed: usize,
}

impl Cursor<'_> {
    fn at(&self, index: usize) -> u64 {
        let index = match self.way.0 {
            Direction::Forward => index,
            Direction::Backward => self.list.len() - 1 - index,
        };
        self.way.turn(self.list.at(index))
    }

    /// The first at or after `from`.
    fn seek(&mut self, from: u64) -> Option<u64> {
        let length = self.list.len();
        let (mut low, mut step) = (self.passed, 1);
        // Everything before `low` lies before `from`.
        while low + step < length && self.at(low + step - 1) < from {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(length);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle) < from { low = middle + 1 } else { high = middle }
        }
        self.passed = low;
        (low < length).then(|| self.at(low))
    }
}

#[cfg(test)]
mod tests;
