//! Thresholds and verdicts.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Distance;

/// The largest distance that is still called `same`: finite, and at least 0.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = f64, minimum = 0.0))]
#[serde(try_from = "f64", into = "f64")]
pub struct Threshold(f64);

/// The decision on a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The distance is at most the threshold.
    Same,
    /// The distance is greater than the threshold.
    Different,
}

impl Verdict {
    /// `same` or `different`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
        }
    }
}

/// The number is not a [`Threshold`].
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("a threshold must be a finite number of at least 0, not {0}")]
pub struct InvalidThreshold(f64);

impl TryFrom<f64> for Threshold {
    type Error = InvalidThreshold;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        if value.is_finite() && 0.0 <= value {
            Ok(Self(value))
        } else {
            Err(InvalidThreshold(value))
        }
    }
}

impl From<Threshold> for f64 {
    fn from(threshold: Threshold) -> Self {
        threshold.0
    }
}

impl Threshold {
    /// The threshold as a number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Judges a distance. A pair exactly at the threshold is [`Verdict::Same`].
    pub fn judge(self, distance: Distance) -> Verdict {
        if distance.get() <= self.0 { Verdict::Same } else { Verdict::Different }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Embedding;

    #[track_caller]
    fn check(left: &[f32], right: &[f32], threshold: f64, expected: Verdict) {
        let [left, right] =
            [left, right].map(|coordinates| Embedding::new(coordinates).expect("a point"));
        let threshold = Threshold::try_from(threshold).expect("a threshold");
        assert_eq!(threshold.judge(left.distance(&right)), expected);
    }

    #[test]
    fn a_pair_at_the_threshold_is_the_same() {
        check(&[0.0, 0.0], &[3.0, 4.0], 5.0, Verdict::Same);
        check(&[0.0, 0.0], &[3.0, 4.0], 4.999, Verdict::Different);
        check(&[1.0], &[1.0], 0.0, Verdict::Same);
    }

    #[test]
    fn a_threshold_is_finite_and_not_negative() {
        for value in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(Threshold::try_from(value).is_err(), "{value}");
        }
    }
}
