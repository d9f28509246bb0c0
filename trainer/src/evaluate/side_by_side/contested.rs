//! The pairs on which the verdicts of two models differ.

use rayon::prelude::*;
use serde::Serialize;
use siamese_core::score::{Distance, Verdict};

use crate::evaluate::Evaluation;
use crate::statistics::Comparison;

/// The verdicts of two models on the same pairs, each model at its own threshold.
#[derive(Clone, Debug)]
pub struct Contested {
    /// The counts of the same pairs.
    pub same: Tally,
    /// The counts of the different pairs.
    pub different: Tally,
    /// The pairs with different verdicts, the clearest first.
    pub pairs: Vec<ContestedPair>,
}

/// The number of pairs by which model is correct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// All pairs.
    pub pairs: usize,
    /// Pairs on which only the first model is correct.
    pub only_a_right: usize,
    /// Pairs on which only the second model is correct.
    pub only_b_right: usize,
    /// Pairs on which both models are wrong.
    pub both_wrong: usize,
}

/// A pair that one model calls same and the other calls different.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContestedPair {
    /// The pair, with the first model's distance.
    pub pair: Comparison,
    /// The distance of each model.
    pub distances: [Distance; 2],
    /// The model that is correct: 0 for the first, 1 for the second.
    pub right: usize,
    /// The difference of the two distances, each divided by its model's threshold.
    pub gap: f64,
}

impl Contested {
    /// Compares the verdicts of two evaluations of the same images.
    pub(super) fn of(evaluations: &[Evaluation; 2]) -> Self {
        let [first, second] = evaluations.each_ref().map(in_order);
        let mut found =
            Self { same: Tally::default(), different: Tally::default(), pairs: Vec::new() };
        for (pair, other) in first.iter().zip(&second) {
            debug_assert_eq!(key(pair), key(other), "both evaluations are of the same images");
            let distances = [pair.distance, other.distance];
            let is_right = [0, 1].map(|model| {
                let verdict = evaluations[model].threshold.judge(distances[model]);
                (verdict == Verdict::Same) == pair.is_same
            });
            let tally = if pair.is_same { &mut found.same } else { &mut found.different };
            tally.pairs += 1;
            let right = match is_right {
                [true, true] => continue,
                [false, false] => {
                    tally.both_wrong += 1;
                    continue;
                }
                [true, false] => {
                    tally.only_a_right += 1;
                    0
                }
                [false, true] => {
                    tally.only_b_right += 1;
                    1
                }
            };
            let [a, b] = [0, 1].map(|model| {
                // A threshold may be 0.
                let threshold = evaluations[model].threshold.get().max(f64::MIN_POSITIVE);
                distances[model].get() / threshold
            });
            found.pairs.push(ContestedPair { pair: *pair, distances, right, gap: (a - b).abs() });
        }
        found.pairs.sort_by(|a, b| b.gap.total_cmp(&a.gap));
        found
    }

    /// Returns the number of all pairs.
    pub fn total(&self) -> usize {
        self.same.pairs + self.different.pairs
    }

    /// Returns the pairs on which only `model` is correct (0 for the first, 1 for the second), the clearest first.
    pub fn correct_only_by(&self, model: usize) -> impl Iterator<Item = ContestedPair> + '_ {
        self.pairs.iter().filter(move |pair| pair.right == model).copied()
    }
}

fn in_order(evaluation: &Evaluation) -> Vec<Comparison> {
    let mut pairs = evaluation.comparisons.pairs().to_vec();
    pairs.par_sort_unstable_by_key(key);
    pairs
}

fn key(pair: &Comparison) -> ([u32; 2], [u32; 2]) {
    (pair.identities, pair.images)
}
