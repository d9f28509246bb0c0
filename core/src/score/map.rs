//! Maps: what a model computes for each place of an image.

use thiserror::Error;

use super::{Embedding, InvalidEmbedding};

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

    /// The part of each place, row by row, in the cosine of two embeddings: that of this map's mean over its places, and
    /// another. The parts add up to the cosine.
    ///
    /// # Panics
    ///
    /// If the embedding has another width: only those of one model can be compared.
    pub fn contributions(&self, other: &Embedding) -> Vec<f64> {
        assert_eq!(self.width(), other.width(), "both come from one model");
        let places = self.rows * self.columns;
        let (mut products, mut square) = (vec![0.0; places], 0.0);
        for (values, coordinate) in self.values.chunks(places).zip(other.coordinates()) {
            let mut sum = 0.0;
            for (product, value) in products.iter_mut().zip(values) {
                *product += f64::from(*value) * f64::from(*coordinate);
                sum += f64::from(*value);
            }
            square += sum * sum;
        }
        // The length of the sum over all places: that of the mean, times the number of places.
        let length = (square.sqrt() * other.length()).max(f64::MIN_POSITIVE);
        products.into_iter().map(|product| product / length).collect()
    }

    /// The L2 distance at each place, row by row.
    ///
    /// # Panics
    ///
    /// If the maps differ in shape: only maps of one model can be compared.
    pub fn distances(&self, other: &Self) -> Vec<f32> {
        let shapes = [self, other].map(|map| (map.places(), map.width()));
        assert_eq!(shapes[0], shapes[1], "both maps come from one model");
        let places = self.rows * self.columns;
        let mut squares = vec![0.0; places];
        for (ones, others) in self.values.chunks(places).zip(other.values.chunks(places)) {
            for ((square, one), other) in squares.iter_mut().zip(ones).zip(others) {
                *square += (one - other) * (one - other);
            }
        }
        squares.into_iter().map(f32::sqrt).collect()
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
        assert_eq!(one.distances(&other), [0.0, 5.0]);
        assert_eq!(one.width(), 2);
    }

    #[test]
    fn parts_of_places_add_up_to_the_cosine() {
        let parts = map(1, 2, &[3.0, 5.0, 0.0, 6.0]);
        let other = Embedding::new([0.6, 0.8]).expect("an embedding");
        // The mean is [4, 3].
        let contributions = parts.contributions(&other);
        let cosine = (4.0 * 0.6 + 3.0 * 0.8) / 5.0;
        assert!((contributions.iter().sum::<f64>() - cosine).abs() < 1e-6, "{contributions:?}");
        assert!((contributions[0] - 3.0 * 0.6 / 10.0).abs() < 1e-6);
        assert_eq!(map(1, 1, &[0.0, 0.0]).contributions(&other), [0.0]);
    }

    #[test]
    fn values_must_fill_the_places() {
        let refused = |rows, columns, values: &[f32]| Map::new(rows, columns, values).is_err();
        assert!(refused(0, 2, &[]) && refused(1, 2, &[]) && refused(2, 2, &[0.0; 6]));
        assert!(refused(1, 1, &[f32::NAN]));
        assert_eq!(map(1, 2, &[0.0; 6]).width(), 3);
    }
}
