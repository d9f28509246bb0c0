//! The quality of probabilities (Cllr), and the best possible one.

use serde::Serialize;
use siamese_core::score::{Distance, Probability, Scores};

use super::real;

/// The largest absolute logit: odds of a million to one.
const CERTAIN: f64 = 13.815_510_557_964_274;

/// The cost of log-likelihood ratios in bits, at equal priors: 0 is perfect, 1 is no information.
///
/// N. Brümmer, J. du Preez, *Application-independent evaluation of speaker detection*, 2006:
/// `(mean over same pairs of log2(1 + 1/r) + mean over different pairs of log2(1 + r)) / 2`, where `r`
/// is the stated ratio of likelihoods, here the odds at equal priors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cllr {
    /// The cost of the stated probabilities.
    pub stated: f64,
    /// The cost of the best falling curve over the distance for these pairs. The difference to `stated` is the cost of the
    /// calibration.
    pub minimum: f64,
}

/// A step function from distance to log odds, fitted by the pool-adjacent-violators algorithm.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// The start of each step, and its natural log odds; starts ascend, and odds fall.
    steps: Vec<(f64, f64)>,
}

impl Cllr {
    /// Measures the stated probabilities on `scores`.
    pub fn of(scores: &Scores, probability: impl Fn(f64) -> f64) -> Self {
        Self {
            stated: cost(scores, |distance| logit(probability(distance))),
            minimum: Steps::best(scores).cost(scores),
        }
    }
}

/// Computes the cost of log odds in bits.
pub fn cost(scores: &Scores, log_odds: impl Fn(f64) -> f64) -> f64 {
    let mean = |side: &[f64], sign: f64| {
        side.iter().map(|distance| bits(sign * log_odds(*distance))).sum::<f64>() / real(side.len())
    };
    mean(scores.same(), -1.0).midpoint(mean(scores.different(), 1.0))
}

/// Returns the stated probability as a function of a number; 1/2 if the number is not a distance.
pub fn curve(probability: Probability) -> impl Fn(f64) -> f64 {
    move |value| Distance::try_from(value).map_or(0.5, |distance| probability.at(distance))
}

impl Steps {
    /// Fits the steps with the lowest cost on these pairs; the outer steps may be certain.
    pub fn best(scores: &Scores) -> Self {
        Self::pooled(scores, 0.0)
    }

    /// Fits steps with `smoothing` additional pairs of each kind in each step, so that no step is certain.
    pub fn smoothed(scores: &Scores, smoothing: f64) -> Self {
        Self::pooled(scores, smoothing)
    }

    /// Pools neighbours until the share of same pairs falls with the distance (M. Ayer et al.,
    /// *An empirical distribution function for sampling with incomplete information*, 1955).
    fn pooled(scores: &Scores, smoothing: f64) -> Self {
        let weights =
            [scores.same(), scores.different()].map(|distances| 1.0 / real(distances.len()));
        let [mut same, mut different] =
            [scores.same(), scores.different()].map(|distances| distances.iter().peekable());
        let mut blocks: Vec<Block> = Vec::new();
        loop {
            let next = [same.peek(), different.peek()].into_iter().flatten().copied();
            let Some(from) = next.copied().min_by(f64::total_cmp) else { break };
            let mut block = Block { from, counts: [0.0; 2] };
            while same.next_if(|distance| **distance <= from).is_some() {
                block.counts[0] += 1.0;
            }
            while different.next_if(|distance| **distance <= from).is_some() {
                block.counts[1] += 1.0;
            }
            while let Some(before) =
                blocks.pop_if(|previous| previous.share(weights) <= block.share(weights))
            {
                block.from = before.from;
                block.counts[0] += before.counts[0];
                block.counts[1] += before.counts[1];
            }
            blocks.push(block);
        }
        let log_odds = |block: &Block| {
            let [same, different] = [0, 1].map(|at| (block.counts[at] + smoothing) * weights[at]);
            (same / different).ln()
        };
        Self { steps: blocks.iter().map(|block| (block.from, log_odds(block))).collect() }
    }

    /// Returns the natural log odds at a distance.
    pub fn log_odds(&self, distance: f64) -> f64 {
        let after = self.steps.partition_point(|(from, _)| *from <= distance);
        self.steps[after.saturating_sub(1)].1
    }

    /// Computes the cost of the steps.
    pub fn cost(&self, scores: &Scores) -> f64 {
        cost(scores, |distance| self.log_odds(distance))
    }
}

/// The pairs of a step.
struct Block {
    from: f64,
    /// Same and different pairs.
    counts: [f64; 2],
}

impl Block {
    fn share(&self, weights: [f64; 2]) -> f64 {
        let [same, different] = [0, 1].map(|at| self.counts[at] * weights[at]);
        same / (same + different)
    }
}

/// Returns the log odds of a probability, limited to [`CERTAIN`].
pub(super) fn logit(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln().clamp(-CERTAIN, CERTAIN)
}

/// Returns the cost in bits of natural log odds against the truth: `log2(1 + exp(x))`, without overflow.
pub(super) fn bits(against: f64) -> f64 {
    (against.max(0.0) + (-against.abs()).exp().ln_1p()) / std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(same: &[f64], different: &[f64]) -> Scores {
        let [same, different] = [same, different].map(|values| {
            let distances = values.iter().map(|value| Distance::try_from(*value));
            distances.collect::<Result<Vec<_>, _>>().expect("distances")
        });
        Scores::new(&same, &different).expect("pairs")
    }

    #[track_caller]
    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} instead of {expected}");
    }

    #[test]
    fn a_probability_of_one_half_costs_a_bit() {
        let overlapping = scores(&[1.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 2.0]);
        let Cllr { stated, minimum } = Cllr::of(&overlapping, |_| 0.5);
        near(stated, 1.0);
        // Three of four at each distance: the entropy of 3/4.
        near(minimum, -(0.75_f64 * 0.75_f64.log2() + 0.25 * 0.25_f64.log2()));
    }

    #[test]
    fn the_correct_probability_has_the_minimum_cost() {
        let overlapping = scores(&[1.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 2.0]);
        let Cllr { stated, minimum } =
            Cllr::of(&overlapping, |distance| if distance < 1.5 { 0.75 } else { 0.25 });
        near(stated, minimum);
    }

    #[test]
    fn separated_pairs_have_a_minimum_cost_of_0() {
        near(Cllr::of(&scores(&[0.1, 0.2], &[0.3, 0.4]), |_| 0.5).minimum, 0.0);
        // In the wrong order, the best falling curve is constant.
        near(Cllr::of(&scores(&[0.3, 0.4], &[0.1, 0.2]), |_| 0.5).minimum, 1.0);
    }

    #[test]
    fn both_kinds_of_pairs_have_the_same_weight() {
        let few = scores(&[1.0, 2.0], &[2.0, 3.0]);
        let many = scores(&[1.0, 2.0], &[2.0, 3.0].repeat(50));
        near(Steps::best(&few).cost(&few), Steps::best(&many).cost(&many));
        near(Steps::best(&few).cost(&few), 0.5);
    }

    #[test]
    fn smoothed_steps_are_never_certain() {
        let separated = scores(&[0.1, 0.2], &[0.3, 0.4]);
        near(Steps::smoothed(&separated, 1.0).log_odds(0.0), 3.0_f64.ln());
        near(Steps::smoothed(&separated, 1.0).log_odds(9.0), -3.0_f64.ln());
    }
}
