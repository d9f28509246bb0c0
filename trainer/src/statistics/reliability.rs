//! The reliability diagram: stated probabilities and observed shares of same pairs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::measures::weight;
use super::{Bootstrap, Comparisons, Interval, real64};

/// The number of bins.
const BINS: u8 = 10;

/// Pairs with similar stated probabilities, and the share of same pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// The mean stated probability.
    pub stated: f64,
    /// The observed share of same pairs, at equal priors.
    pub seen: f64,
    /// The interval of the observed share; `None` without resamples.
    pub interval: Option<Interval>,
    /// The number of same pairs in the bin.
    pub same: u64,
    /// The number of different pairs in the bin.
    pub different: u64,
}

/// Returns up to ten bins of equal width, in ascending order; empty bins are omitted.
pub fn reliability(
    comparisons: &Comparisons,
    probability: impl Fn(f64) -> f64,
    bootstrap: Bootstrap,
) -> Vec<ReliabilityBin> {
    // For each bin, two identities and kind: the number of pairs, and the sum of their stated probabilities.
    let mut cells = BTreeMap::<(u8, [u32; 2], bool), (u64, f64)>::new();
    for pair in comparisons.pairs() {
        let stated = probability(pair.distance.get());
        let cell = cells.entry((bin(stated), pair.identities, pair.is_same)).or_default();
        cell.0 += 1;
        cell.1 += stated;
    }
    let cells: Vec<_> = cells
        .into_iter()
        .map(|((bin, identities, is_same), (pairs, stated))| Cell {
            bin,
            identities,
            is_same,
            pairs,
            stated,
        })
        .collect();
    let once = vec![1; comparisons.images().len()];
    let Some(measured) = Tally::of(&cells, &once) else { return Vec::new() };
    let drawn = bootstrap.draws(comparisons, |copies| Tally::of(&cells, copies));
    let filled = (0..usize::from(BINS)).filter(|at| 0 < measured.pairs(*at));
    filled
        .map(|at| ReliabilityBin {
            stated: measured.stated(at),
            seen: measured.seen(at),
            interval: Interval::of(
                drawn.iter().filter(|tally| 0 < tally.pairs(at)).map(|tally| tally.seen(at)),
            ),
            same: measured.counts[at][0],
            different: measured.counts[at][1],
        })
        .collect()
}

/// Pairs of one kind and of two identities in one bin.
struct Cell {
    bin: u8,
    identities: [u32; 2],
    is_same: bool,
    pairs: u64,
    /// The sum of the stated probabilities.
    stated: f64,
}

/// The numbers of pairs by bin and kind, and the sums of their stated probabilities.
#[derive(Default)]
struct Tally {
    counts: [[u64; 2]; BINS as usize],
    sums: [[f64; 2]; BINS as usize],
    totals: [u64; 2],
}

impl Tally {
    /// Counts the pairs; `None` if no same pair or no different pair is left.
    fn of(cells: &[Cell], copies: &[u64]) -> Option<Self> {
        let mut tally = Self::default();
        for Cell { bin, identities, is_same, pairs, stated } in cells {
            let (kind, weight) = (usize::from(!is_same), weight(*identities, copies));
            tally.counts[usize::from(*bin)][kind] += weight * pairs;
            tally.sums[usize::from(*bin)][kind] += real64(weight) * stated;
            tally.totals[kind] += weight * pairs;
        }
        (0 < tally.totals[0] && 0 < tally.totals[1]).then_some(tally)
    }

    fn pairs(&self, at: usize) -> u64 {
        self.counts[at][0] + self.counts[at][1]
    }

    fn seen(&self, at: usize) -> f64 {
        let [same, different] =
            [0, 1].map(|it| real64(self.counts[at][it]) / real64(self.totals[it]));
        same / (same + different)
    }

    fn stated(&self, at: usize) -> f64 {
        let share = |kind: usize| real64(self.counts[at][kind]) / real64(self.totals[kind]);
        let sum = |kind: usize| self.sums[at][kind] / real64(self.totals[kind]);
        (sum(0) + sum(1)) / (share(0) + share(1))
    }
}

fn bin(probability: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a probability is between 0 and 1"
    )]
    let bin = (probability * f64::from(BINS)) as u8;
    bin.min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Embedding;

    use super::*;

    #[test]
    fn bins_have_stated_and_observed_shares() {
        // Same pairs with distances 1 and 4; different pairs with 2, 3, 6 and 7.
        let point = |value: f32| Embedding::new([value]).expect("a point");
        let points = [vec![point(0.0), point(1.0)], vec![point(3.0), point(7.0)]];
        let comparisons = Comparisons::new(&points).expect("pairs");
        let stated = |distance| if distance < 2.5 { 0.9 } else { 0.05 };
        let bins = reliability(&comparisons, stated, Bootstrap { resamples: 20, seed: 1 });
        let [low, high] = bins.as_slice() else { panic!("{bins:?}") };
        assert_eq!((low.same, low.different, high.same, high.different), (1, 3, 1, 1));
        // 1 of 2 beside 3 of 4, and 1 of 2 beside 1 of 4.
        assert!((low.seen - 0.4).abs() < 1e-12 && (low.stated - 0.05).abs() < 1e-12, "{low:?}");
        assert!((high.seen - 2.0 / 3.0).abs() < 1e-12, "{high:?}");
        // With two identities, all valid resamples are equal.
        let interval = high.interval.expect("resamples");
        assert!((interval.low - high.seen).abs() < 1e-12, "{high:?}");
    }

    #[test]
    fn a_probability_of_1_has_a_bin() {
        assert_eq!((bin(0.0), bin(0.999), bin(1.0)), (0, 9, 9));
    }
}
