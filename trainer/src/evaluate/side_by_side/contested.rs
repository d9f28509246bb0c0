//! The pairs on which two models rule differently.

use rayon::prelude::*;
use serde::Serialize;
use siamese_core::score::{Distance, Verdict};

use crate::evaluate::Evaluation;
use crate::statistics::Comparison;

/// How two models rule on the same pairs, each at its own threshold.
#[derive(Clone, Debug)]
pub struct Contested {
    /// Of the same pairs.
    pub same: Tally,
    /// Of the different pairs.
    pub different: Tally,
    /// The pairs on which they rule differently, the most striking first.
    pub pairs: Vec<ContestedPair>,
}

/// Pairs by who is right about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// All.
    pub pairs: usize,
    /// The first model alone.
    pub only_a_right: usize,
    /// The second model alone.
    pub only_b_right: usize,
    /// Neither.
    pub both_wrong: usize,
}

/// A pair that one model calls same and the other calls different.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContestedPair {
    /// The pair, at the first model's distance.
    pub pair: Comparison,
    /// How far apart each model finds it.
    pub distances: [Distance; 2],
    /// Which model is right: 0 for the first, 1 for the second.
    pub right: usize,
    /// How far apart the two distances are, each as a multiple of its model's threshold.
    pub gap: f64,
}

impl Contested {
    /// Meets the pairs of two evaluations of the same images.
    pub(super) fn of(evaluations: &[Evaluation; 2]) -> Self {
        let [first, second] = evaluations.each_ref().map(in_order);
        let mut found =
            Self { same: Tally::default(), different: Tally::default(), pairs: Vec::new() };
        for (pair, other) in first.iter().zip(&second) {
            debug_assert_eq!(key(pair), key(other), "both have compared the same images");
            let distances = [pair.distance, other.distance];
            let is_right = [0, 1].map(|at| {
                let verdict = evaluations[at].threshold.judge(distances[at]);
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
            let [a, b] = [0, 1].map(|at| {
                // A threshold of 0 has no multiples, and anything but 0 is far from it.
                distances[at].get() / evaluations[at].threshold.get().max(f64::MIN_POSITIVE)
            });
            found.pairs.push(ContestedPair { pair: *pair, distances, right, gap: (a - b).abs() });
        }
        found.pairs.sort_by(|a, b| b.gap.total_cmp(&a.gap));
        found
    }

    /// How many pairs there are.
    pub fn total(&self) -> usize {
        self.same.pairs + self.different.pairs
    }

    /// Those that one model alone is right about, 0 for the first, the most striking first.
    pub fn won_by(&self, model: usize) -> impl Iterator<Item = ContestedPair> + '_ {
        self.pairs.iter().filter(move |it| it.right == model).copied()
    }
}

fn in_order(evaluation: &Evaluation) -> Vec<Comparison> {
    let mut pairs = evaluation.comparisons.pairs().to_vec();
    pairs.par_sort_unstable_by_key(key);
    pairs
}

fn key(it: &Comparison) -> ([u32; 2], [u32; 2]) {
    (it.identities, it.images)
}
