//! Maps: what a model computes for each place of an image.

use std::array;

use thiserror::Error;

use super::InvalidEmbedding;

/// The output of a model for each place of an image.
///
/// # Shapes
///
/// `[width, rows, columns]`: all places of the first coordinate, row by row, then those of the second.
///
/// Invariant: it has at least one place and one coordinate, and every value is finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    rows: usize,
    columns: usize,
    values: Box<[f32]>,
}

/// Why numbers are not a [`Map`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidMap {
    /// The number of values is not a positive multiple of the number of places.
    #[error("a map of {rows} rows and {columns} columns can't have {values} values")]
    Shape {
        /// Places from top to bottom.
        rows: usize,
        /// Places from left to right.
        columns: usize,
        /// The number of values.
        values: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {0} of the map is NaN or infinite")]
    NotFinite(usize),
    /// The model has no map, and its output is no embedding either.
    #[error(transparent)]
    Embedding(#[from] InvalidEmbedding),
}

impl Map {
    /// Takes values of `rows` by `columns` places.
    pub fn new(
        rows: usize,
        columns: usize,
        values: impl Into<Box<[f32]>>,
    ) -> Result<Self, InvalidMap> {
        let values = values.into();
        let places = rows.saturating_mul(columns);
        if values.is_empty() || places == 0 || !values.len().is_multiple_of(places) {
            return Err(InvalidMap::Shape { rows, columns, values: values.len() });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(InvalidMap::NotFinite(index)),
            None => Ok(Self { rows, columns, values }),
        }
    }

    /// Rows and columns.
    pub fn places(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// The number of coordinates of a place.
    pub fn width(&self) -> usize {
        self.values.len() / (self.rows * self.columns)
    }

    /// The values, `[width, rows, columns]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The distance at each place, row by row: from the place to the most similar one at most `reach` places away in the
    /// other map, in the direction in which that is farther.
    ///
    /// With a reach of 0 it is the L2 distance between the two places. A greater reach tolerates small shifts.
    ///
    /// # Panics
    ///
    /// If the maps differ in shape: only maps of one model can be compared.
    pub fn distances(&self, other: &Self, reach: usize) -> Vec<f32> {
        let shapes = [self, other].map(|map| (map.places(), map.width()));
        assert_eq!(shapes[0], shapes[1], "both maps come from one model");
        let mut nearest: [Vec<f32>; 2] =
            array::from_fn(|_| vec![f32::INFINITY; self.rows * self.columns]);
        let reach = isize::try_from(reach).unwrap_or(isize::MAX);
        for down in -reach..=reach {
            for right in -reach..=reach {
                self.shifted(other, [down, right], |place, shifted, square| {
                    nearest[0][place] = nearest[0][place].min(square);
                    nearest[1][shifted] = nearest[1][shifted].min(square);
                });
            }
        }
        let [ones, others] = nearest;
        ones.into_iter().zip(others).map(|(one, other)| one.max(other).sqrt()).collect()
    }

    /// Calls `found` for each place, the place in the other map that is shifted by rows and columns, and the square of
    /// their distance.
    fn shifted(
        &self,
        other: &Self,
        [down, right]: [isize; 2],
        mut found: impl FnMut(usize, usize, f32),
    ) {
        let [rows, columns] = [(self.rows, down), (self.columns, right)].map(|(length, shift)| {
            let first = (-shift).max(0).unsigned_abs();
            let end = length.saturating_sub(shift.max(0).unsigned_abs());
            (first, end, shift)
        });
        let (first, end, right) = columns;
        if end <= first {
            return;
        }
        let places = self.rows * self.columns;
        let mut squares = vec![0.0_f32; end - first];
        for row in rows.0..rows.1 {
            let line = row * self.columns + first;
            let Some(other_line) = row
                .checked_add_signed(rows.2)
                .map(|row| row * self.columns + first)
                .and_then(|line| line.checked_add_signed(right))
            else {
                continue;
            };
            squares.fill(0.0);
            for (ones, others) in self.values.chunks(places).zip(other.values.chunks(places)) {
                let pairs = ones[line..].iter().zip(&others[other_line..]);
                for (square, (one, other)) in squares.iter_mut().zip(pairs) {
                    *square += (one - other) * (one - other);
                }
            }
            for (column, square) in squares.iter().enumerate() {
                found(line + column, other_line + column, *square);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: usize, columns: usize, values: &[f32]) -> Map {
        Map::new(rows, columns, values).expect("a map")
    }

    #[test]
    fn a_distance_is_that_of_the_coordinates_of_a_place() {
        // Two coordinates: at the second place they differ by 3 and 4.
        let one = map(1, 2, &[0.0, 0.0, 1.0, 1.0]);
        let other = map(1, 2, &[0.0, 3.0, 1.0, 5.0]);
        assert_eq!(one.distances(&other, 0), [0.0, 5.0]);
        assert_eq!(one.width(), 2);
    }

    #[test]
    fn a_reach_tolerates_a_shift_and_keeps_what_appears_and_disappears() {
        let line = |at: usize| {
            let mut values = [0.0; 5];
            values[at] = 1.0;
            map(1, 5, &values)
        };
        assert_eq!(line(1).distances(&line(2), 0), [0.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(line(1).distances(&line(2), 1), [0.0; 5]);
        let blank = map(1, 5, &[0.0; 5]);
        assert_eq!(line(1).distances(&blank, 1), [0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(blank.distances(&line(1), 1), [0.0, 1.0, 0.0, 0.0, 0.0]);
        // A reach beyond the map is that of the whole map.
        assert_eq!(line(0).distances(&line(4), 9), [0.0; 5]);
    }

    #[test]
    fn rows_are_shifted_as_columns_are() {
        let column = |at: usize| {
            let mut values = [0.0; 6];
            values[at] = 1.0;
            map(3, 2, &values)
        };
        assert_eq!(column(0).distances(&column(2), 1), [0.0; 6]);
        assert_eq!(column(0).distances(&column(4), 1), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn values_must_fill_the_places() {
        let refused = |rows, columns, values: &[f32]| Map::new(rows, columns, values).is_err();
        assert!(refused(0, 2, &[]) && refused(1, 2, &[]) && refused(2, 2, &[0.0; 6]));
        assert!(refused(1, 1, &[f32::NAN]));
        assert_eq!(map(1, 2, &[0.0; 6]).width(), 3);
    }
}
