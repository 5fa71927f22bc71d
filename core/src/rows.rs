//! Rows of numbers, in order: for whatever is looked for by a number, or goes when its time has come.
//!
//! `BTreeSet` is ten kilobytes of the module for each type that is put in one. So whoever needs an order
//! writes what it keeps as rows, and the order is in the module once.

use alloc::vec::Vec;

/// A row. The first number in which two of them differ says which comes first.
pub(crate) type Row = [u64; 4];

/// A set of rows.
///
/// It is a list in pieces: to put a row in moves no more than the rest of a piece. So a change takes as long
/// with a hundred thousand rows as with a hundred, but for their pieces, a few kilobytes of pointers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// Each has rows. No two neighbours have so few that they could be one half of a piece.
    pieces: Vec<Vec<Row>>,
    len: usize,
}

impl Rows {
    pub(crate) const fn new() -> Self {
        Self { pieces: Vec::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(crate) fn first(&self) -> Option<&Row> {
        self.pieces.first()?.first()
    }

    pub(crate) fn last(&self) -> Option<&Row> {
        self.pieces.last()?.last()
    }

    /// The first row that does not come before this one.
    pub(crate) fn first_from(&self, row: &Row) -> Option<&Row> {
        let piece = self.pieces.get(self.piece(row))?;
        piece.get(piece.partition_point(|it| it < row))
    }

    /// Puts a row in, unless it is there.
    pub(crate) fn insert(&mut self, row: Row) {
        let last = self.pieces.len().saturating_sub(1);
        let mut at = self.piece(&row).min(last);
        if self.pieces.get(at).is_some_and(|piece| piece.len() == PIECE) {
            self.divide(at);
            at = self.piece(&row).min(last + 1);
        }
        let Some(piece) = self.pieces.get_mut(at) else {
            self.pieces.push(Vec::from([row]));
            self.len += 1;
            return;
        };
        if let Err(place) = piece.binary_search(&row) {
            // By itself it would double, and one that was cloned to more than a piece.
            if piece.len() == piece.capacity() {
                piece.reserve_exact((piece.len() * 2).min(PIECE) - piece.len());
            }
            piece.insert(place, row);
            self.len += 1;
        }
    }

    /// Takes a row out, if it is there.
    pub(crate) fn remove(&mut self, row: &Row) {
        let at = self.piece(row);
        let Some(piece) = self.pieces.get_mut(at) else { return };
        let Ok(place) = piece.binary_search(row) else { return };
        piece.remove(place);
        self.len -= 1;
        if piece.is_empty() {
            self.pieces.remove(at);
        } else {
            self.unite(at);
            self.unite(at.saturating_sub(1));
        }
    }

    /// The first piece that does not end before this row.
    fn piece(&self, row: &Row) -> usize {
        self.pieces.partition_point(|piece| piece.last().is_some_and(|last| last < row))
    }

    fn divide(&mut self, at: usize) {
        if let Some(piece) = self.pieces.get_mut(at) {
            let rest = piece.split_off(PIECE / 2);
            self.pieces.insert(at + 1, rest);
        }
    }

    /// Makes one of a piece and the next if they have become small: there are never many for few rows.
    fn unite(&mut self, at: usize) {
        let pieces = self.pieces.get_mut(at..).and_then(<[_]>::first_chunk_mut);
        if let Some([one, other]) = pieces
            && one.len() + other.len() <= PIECE / 2
        {
            one.append(other);
            self.pieces.remove(at + 1);
        }
    }
}

/// The most rows of a piece: four kilobytes.
const PIECE: usize = 128;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::collections::BTreeSet;

    /// Changes as different as can be: rows that come in order, in the other order, and in none; and go so.
    fn changes() -> impl Iterator<Item = (bool, Row)> {
        let row = |number: u64| [number >> 6, number & 63, number % 3, 0];
        let scattered = move |number: u64| row(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50);
        let up = (0..2000).map(move |number| (true, row(number)));
        let down = (0..2000).rev().map(move |number| (number % 70 != 0, row(number + 1500)));
        let mixed = (0..20_000).map(move |number| (number % 5 < 3, scattered(number)));
        let thinned = (0..20_000).map(move |number| (number % 100 == 0, row(number)));
        up.chain(down).chain(mixed).chain(thinned)
    }

    #[test]
    fn holds_what_a_set_of_the_standard_library_holds() {
        let (mut rows, mut expected) = (Rows::new(), BTreeSet::new());
        for (count, (is_there, row)) in changes().enumerate() {
            if is_there {
                rows.insert(row);
                expected.insert(row);
            } else {
                rows.remove(&row);
                expected.remove(&row);
            }
            assert_eq!((rows.first(), rows.last()), (expected.first(), expected.last()));
            assert_eq!(rows.first_from(&row), expected.range(row..).next());
            assert_eq!(rows.is_empty(), expected.is_empty());
            if count % 100 == 0 {
                assert!(rows.pieces.iter().flatten().eq(&expected));
                assert_eq!(rows.len(), expected.len());
            }
        }
        let all: Vec<_> = expected.into_iter().collect();
        for row in &all {
            assert_eq!(rows.first_from(row), Some(row));
            rows.remove(row);
        }
        assert!(rows.is_empty() && rows.pieces.is_empty());
    }

    #[test]
    fn takes_no_more_room_than_its_rows_need() {
        let mut rows = Rows::new();
        for (count, (is_there, row)) in changes().enumerate() {
            if count % 1000 == 0 {
                rows = rows.clone();
            }
            if is_there {
                rows.insert(row);
            } else {
                rows.remove(&row);
            }
            assert!(rows.pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
            assert!(rows.pieces.iter().all(|piece| piece.capacity() <= PIECE));
            let most = rows.len() / (PIECE / 4) + 1;
            assert!(rows.pieces.len() <= most, "{} for {}", rows.pieces.len(), rows.len());
        }
    }
}
