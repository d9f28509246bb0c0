//! The probability, by distance, that two images show the same identity.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::scores::rounded;
use super::{Distance, Scores};

/// The weight of the penalty: the factor of half the squared slope, on distances of standard deviation 1, added to the
/// mean log loss.
///
/// It changes the probabilities of overlapping distributions by less than 0.01. It keeps the fit of separated ones
/// finite.
const REGULARISER: f64 = 1e-3;

/// A limit that no known fit needed.
const MAX_STEPS: usize = 100;

/// A logistic curve over the distance: `1 / (1 + exp(-(intercept + slope * distance)))`.
///
/// Invariant: both numbers are finite, and the slope is at most 0. A larger distance is therefore never more likely to
/// be the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Probability {
    intercept: f64,
    slope: f64,
}

/// Why two numbers are not a [`Probability`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidProbability {
    /// A number is NaN or infinite.
    #[error("the probability's parameters are not finite")]
    NotFinite,
    /// A larger distance would be more likely to be the same.
    #[error("the probability's slope is positive")]
    Rising,
}

#[derive(Deserialize)]
struct Written {
    intercept: f64,
    slope: f64,
}

impl TryFrom<Written> for Probability {
    type Error = InvalidProbability;

    fn try_from(Written { intercept, slope }: Written) -> Result<Self, Self::Error> {
        Self::new(intercept, slope)
    }
}

impl Probability {
    /// Creates the curve with these parameters.
    pub fn new(intercept: f64, slope: f64) -> Result<Self, InvalidProbability> {
        if !intercept.is_finite() || !slope.is_finite() {
            return Err(InvalidProbability::NotFinite);
        }
        if 0.0 < slope {
            return Err(InvalidProbability::Rising);
        }
        Ok(Self { intercept, slope })
    }

    /// Fits the curve to measured distances, as if same and different pairs were equally frequent.
    ///
    /// The method is a logistic regression in which each kind of pair has half the weight, whatever its number of
    /// pairs (J. Platt, *Probabilistic outputs for support vector machines*, 1999, with a quadratic penalty in place
    /// of his smoothed targets). It is solved by Newton's method with halved steps. If the distances carry no
    /// information, or the wrong way round, the probability is one half everywhere.
    pub fn fit(scores: &Scores) -> Self {
        const UNDECIDED: Probability = Probability { intercept: 0.0, slope: 0.0 };
        let sides = [(scores.same(), 1.0), (scores.different(), 0.0)];
        let mean =
            sides.iter().map(|(side, _)| average(side, |distance| distance) / 2.0).sum::<f64>();
        let variance = sides
            .iter()
            .map(|(side, _)| average(side, |distance| (distance - mean).powi(2)) / 2.0)
            .sum::<f64>();
        let deviation = variance.sqrt();
        if !deviation.is_normal() {
            return UNDECIDED;
        }
        let [offset, steepness] = newton(&sides, mean, deviation);
        let slope = steepness / deviation;
        Self::new(rounded(offset - slope * mean, 9), rounded(slope, 9)).unwrap_or(UNDECIDED)
    }

    /// The probability that two images at this distance show the same identity, in `[0, 1]`.
    pub fn at(self, distance: Distance) -> f64 {
        logistic(self.intercept + self.slope * distance.get())
    }
}

/// Fits offset and steepness over standardised distances. `sides` holds the distances of each kind with their target.
fn newton(sides: &[(&[f64], f64); 2], mean: f64, deviation: f64) -> [f64; 2] {
    let standardise = |distance: f64| (distance - mean) / deviation;
    let cost = |[offset, steepness]: [f64; 2]| {
        let losses = sides.iter().map(|(side, target)| {
            let sign = 1.0 - 2.0 * target;
            average(side, |distance| softplus(sign * (offset + steepness * standardise(distance))))
                / 2.0
        });
        losses.sum::<f64>() + REGULARISER / 2.0 * steepness.powi(2)
    };
    let mut fitted = [0.0, 0.0];
    for _ in 0..MAX_STEPS {
        let [offset, steepness] = fitted;
        let mut gradient = [0.0, REGULARISER * steepness];
        // The symmetric matrix: [offset·offset, offset·steepness, steepness·steepness].
        let mut curvature = [0.0, 0.0, REGULARISER];
        for (side, target) in sides {
            let mean_of = |term: &dyn Fn(f64, f64) -> f64| {
                average(side, |distance| {
                    let x = standardise(distance);
                    term(x, logistic(offset + steepness * x))
                }) / 2.0
            };
            gradient[0] += mean_of(&|_, p| p - target);
            gradient[1] += mean_of(&|x, p| (p - target) * x);
            curvature[0] += mean_of(&|_, p| p * (1.0 - p));
            curvature[1] += mean_of(&|x, p| p * (1.0 - p) * x);
            curvature[2] += mean_of(&|x, p| p * (1.0 - p) * x * x);
        }
        let determinant = curvature[0] * curvature[2] - curvature[1].powi(2);
        let step = [
            (curvature[2] * gradient[0] - curvature[1] * gradient[1]) / determinant,
            (curvature[0] * gradient[1] - curvature[1] * gradient[0]) / determinant,
        ];
        let now = cost(fitted);
        let better = (0..40)
            .map(|halvings| 0.5_f64.powi(halvings))
            .map(|length| [offset - length * step[0], steepness - length * step[1]])
            .find(|candidate| cost(*candidate) < now);
        match better {
            Some(next) => fitted = next,
            None => break,
        }
    }
    fitted
}

/// The mean of `term` over `values`, which is not empty.
#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^53 pairs")]
fn average(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|value| term(*value)).sum::<f64>() / values.len() as f64
}

fn logistic(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// `ln(1 + exp(x))`, without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distances(values: &[f64]) -> Vec<Distance> {
        values.iter().map(|value| Distance::try_from(*value).expect("a distance")).collect()
    }

    fn fit(same: &[f64], different: &[f64]) -> Probability {
        Probability::fit(&Scores::new(&distances(same), &distances(different)).expect("pairs"))
    }

    #[track_caller]
    fn check(curve: Probability, distance: f64, expected: f64, tolerance: f64) {
        let probability = curve.at(Distance::try_from(distance).expect("a distance"));
        assert!((probability - expected).abs() < tolerance, "{probability}, not {expected}");
    }

    #[test]
    fn two_distances_get_the_frequencies_observed_at_them() {
        // A logistic curve can pass through any two points: 3 of 4 are same at 1, and 1 of 4 at 2.
        let curve = fit(&[1.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 2.0]);
        check(curve, 1.0, 0.75, 0.005);
        check(curve, 1.5, 0.5, 1e-8);
        check(curve, 2.0, 0.25, 0.005);
    }

    #[test]
    fn more_pairs_of_one_kind_do_not_shift_the_curve() {
        let few = fit(&[1.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 2.0]);
        let many = fit(&[1.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 2.0].repeat(100));
        for distance in [0.0, 1.0, 3.0] {
            let expected = few.at(Distance::try_from(distance).expect("a distance"));
            check(many, distance, expected, 1e-6);
        }
    }

    #[test]
    fn separated_distances_keep_the_curve_finite_and_centred() {
        let curve = fit(&[0.0, 0.1], &[0.9, 1.0]);
        check(curve, 0.5, 0.5, 1e-6);
        check(curve, 0.05, 1.0, 0.02);
        check(curve, 0.95, 0.0, 0.02);
        assert!(curve.slope.abs() < 100.0, "{curve:?}");
    }

    #[test]
    fn distances_the_wrong_way_round_give_one_half() {
        check(fit(&[2.0], &[1.0]), 5.0, 0.5, 1e-12);
        check(fit(&[1.0], &[1.0]), 5.0, 0.5, 1e-12);
    }

    #[test]
    fn a_far_distance_is_never_more_than_certain() {
        check(fit(&[0.0, 0.1], &[0.9, 1.0]), f64::MAX, 0.0, 1e-12);
    }

    #[test]
    fn the_scale_of_distances_does_not_matter() {
        let small = fit(&[1e-6, 1e-6, 1e-6, 2e-6], &[1e-6, 2e-6, 2e-6, 2e-6]);
        check(small, 1e-6, 0.75, 0.005);
    }

    #[test]
    fn written_parameters_are_checked() {
        let read = serde_json::from_str::<Probability>;
        assert!(read(r#"{"intercept": 5.0, "slope": -4.0}"#).is_ok());
        assert!(read(r#"{"intercept": 5.0, "slope": 4.0}"#).is_err());
        assert_eq!(Probability::new(f64::NAN, -1.0), Err(InvalidProbability::NotFinite));
    }
}
