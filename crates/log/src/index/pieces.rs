//! A list that grows by pieces of one length.
//!
//! ```text
//!   ├── 4096 ──┤├── 4096 ──┤├─ 1700 ┄┄┄┄┤      spare: ├── 4096 ──┤
//! ```
//!
//! Nothing is moved when it grows, no more than a piece is ever unused, and the
//! pieces of a list that is over can be those of the next: memory that was
//! touched before costs nothing, and memory fresh from the system has to be
//! cleared page by page.

use std::ops::Index;

/// So many items are in a piece.
const PIECE: usize = 4096;

/// See the module.
#[derive(Debug)]
pub struct Pieces<T> {
    pieces: Vec<Vec<T>>,
    /// Empty, with room for a whole piece.
    spare: Vec<Vec<T>>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), spare: Vec::new() }
    }
}

impl<T> Pieces<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        match self.pieces.split_last() {
            Some((last, full)) => full.len() * PIECE + last.len(),
            None => 0,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Adds one at the end.
    pub fn push(&mut self, item: T) {
        match self.pieces.last_mut() {
            Some(last) if last.len() < PIECE => last.push(item),
            _ => self.push_piece(item),
        }
    }

    fn push_piece(&mut self, item: T) {
        // The first of all grows by itself: most lists of small stores end in it.
        let empty = || if self.pieces.is_empty() { Vec::new() } else { Vec::with_capacity(PIECE) };
        let mut piece = self.spare.pop().unwrap_or_else(empty);
        piece.push(item);
        self.pieces.push(piece);
    }

    /// The last one.
    pub fn last(&self) -> Option<&T> {
        self.pieces.last()?.last()
    }

    /// All, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    /// Grows into what another list leaves, of which no more is kept than the
    /// larger of the two had.
    pub fn reuse(&mut self, other: Self) {
        let Self { pieces, spare } = other;
        let most = pieces.len().max(self.spare.len()).max(spare.len());
        let emptied = pieces.into_iter().filter(|piece| piece.capacity() >= PIECE).map(|mut piece| {
            piece.clear();
            piece
        });
        self.spare.extend(spare.into_iter().chain(emptied));
        self.spare.truncate(most);
    }

    /// A new list with what this one had to spare.
    pub fn successor(&mut self) -> Self {
        Self { pieces: Vec::new(), spare: std::mem::take(&mut self.spare) }
    }
}

impl<T> Index<usize> for Pieces<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.pieces[at / PIECE][at % PIECE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(items: usize) -> Pieces<usize> {
        let mut list = Pieces::default();
        (0..items).for_each(|item| list.push(item));
        list
    }

    #[test]
    fn holds_what_was_pushed_in_order() {
        for items in [0, 1, 5, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let list = filled(items);
            assert_eq!(list.len(), items);
            assert_eq!(list.is_empty(), items == 0);
            assert_eq!(list.last().copied(), items.checked_sub(1));
            assert!(list.iter().copied().eq(0..items));
            assert!(list.iter().rev().copied().eq((0..items).rev()));
            assert!((0..items).all(|at| list[at] == at));
        }
    }

    #[test]
    fn grows_into_the_pieces_of_a_list_that_is_over() {
        let mut list = filled(PIECE + 1);
        list.reuse(filled(3 * PIECE));
        assert_eq!((list.len(), list.spare.len()), (PIECE + 1, 3));
        // Not into more than the larger of them had.
        list.reuse(filled(2 * PIECE));
        assert_eq!(list.spare.len(), 3);
        let mut next = list.successor();
        assert_eq!((list.spare.len(), next.len()), (0, 0));
        (0..2 * PIECE).for_each(|item| next.push(item));
        assert_eq!(next.spare.len(), 1, "two of the three are in use");
        assert!(next.iter().copied().eq(0..2 * PIECE));
    }
}
