//! Embeddings and the distance between two of them.

use serde::Serialize;
use thiserror::Error;

/// A point in a model's output space.
///
/// Invariant: it has at least one coordinate, and every coordinate is finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Box<[f32]>);

/// Why numbers are not an [`Embedding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidEmbedding {
    /// There are no coordinates.
    #[error("the embedding is empty")]
    Empty,
    /// A coordinate is NaN or infinite.
    #[error("coordinate {0} of the embedding is NaN or infinite")]
    NotFinite(usize),
    /// All coordinates are 0, so it has no direction.
    #[error("the embedding is zero, so it can't be scaled to unit length")]
    Zero,
}

/// The L2 distance between two embeddings: finite, and at least 0.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = f64, minimum = 0.0))]
#[serde(transparent)]
pub struct Distance(f64);

/// The number is not a [`Distance`].
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("a distance must be a finite number of at least 0, not {0}")]
pub struct InvalidDistance(f64);

impl Embedding {
    /// Takes coordinates as they are.
    pub fn new(coordinates: impl Into<Box<[f32]>>) -> Result<Self, InvalidEmbedding> {
        let coordinates = coordinates.into();
        if coordinates.is_empty() {
            return Err(InvalidEmbedding::Empty);
        }
        match coordinates.iter().position(|coordinate| !coordinate.is_finite()) {
            Some(index) => Err(InvalidEmbedding::NotFinite(index)),
            None => Ok(Self(coordinates)),
        }
    }

    /// Scales to an L2 norm of 1, for models whose card says `unit`.
    pub fn into_unit(mut self) -> Result<Self, InvalidEmbedding> {
        let norm = self.length();
        if norm == 0.0 {
            return Err(InvalidEmbedding::Zero);
        }
        for coordinate in &mut self.0 {
            #[expect(clippy::cast_possible_truncation, reason = "back to the model's precision")]
            let scaled = (f64::from(*coordinate) / norm) as f32;
            *coordinate = scaled;
        }
        Ok(self)
    }

    /// The L2 norm.
    pub fn length(&self) -> f64 {
        self.0.iter().map(|coordinate| f64::from(*coordinate).powi(2)).sum::<f64>().sqrt()
    }

    /// The coordinates, in the model's order.
    pub fn coordinates(&self) -> &[f32] {
        &self.0
    }

    /// The number of coordinates; at least 1.
    pub fn width(&self) -> usize {
        self.0.len()
    }

    /// The L2 distance to `other`, summed in `f64`.
    ///
    /// # Panics
    ///
    /// If the two differ in width: only embeddings of one model can be compared.
    pub fn distance(&self, other: &Self) -> Distance {
        assert_eq!(self.width(), other.width(), "both embeddings come from one model");
        let squares =
            self.0.iter().zip(&other.0).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        Distance(squares.sum::<f64>().sqrt())
    }
}

impl TryFrom<f64> for Distance {
    type Error = InvalidDistance;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        if value.is_finite() && 0.0 <= value {
            Ok(Self(value))
        } else {
            Err(InvalidDistance(value))
        }
    }
}

impl Distance {
    /// The distance as a number.
    pub fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_four_five() {
        let [a, b] = [[0.0, 0.0], [3.0, 4.0]]
            .map(|coordinates| Embedding::new(coordinates).expect("a point"));
        assert!((a.distance(&b).get() - 5.0).abs() < 1e-12);
        assert!(a.distance(&a).get().abs() < 1e-12);
    }

    #[test]
    fn what_is_not_finite_is_no_embedding() {
        assert_eq!(Embedding::new([0.0, f32::NAN]), Err(InvalidEmbedding::NotFinite(1)));
        assert_eq!(Embedding::new([f32::INFINITY]), Err(InvalidEmbedding::NotFinite(0)));
        assert_eq!(Embedding::new([]), Err(InvalidEmbedding::Empty));
    }

    #[test]
    fn a_distance_is_finite_and_not_negative() {
        assert_eq!(Distance::try_from(0.0).map(Distance::get), Ok(0.0));
        for value in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(Distance::try_from(value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_unit_embedding_has_norm_one() {
        let unit = Embedding::new([3.0, 4.0]).and_then(Embedding::into_unit).expect("a direction");
        assert_eq!(unit.coordinates(), [0.6, 0.8]);
        assert_eq!(
            Embedding::new([0.0, 0.0]).and_then(Embedding::into_unit),
            Err(InvalidEmbedding::Zero)
        );
    }
}
