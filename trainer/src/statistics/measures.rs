//! EER, AUC and FNMR at FMR of weighted pairs.

use siamese_core::score::{Rates, Threshold, equal_error_rate, threshold_between};

use super::{Comparison, Comparisons, Unit, real64};

/// The FMRs at which the FNMR is measured, and the thresholds at which both errors are measured.
///
/// Invariant: both are ascending, and each FMR is in `(0, 1)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    rates: Vec<f64>,
    thresholds: Vec<Threshold>,
}

/// The results of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// The equal error rate, in `[0, 1]`, by [`equal_error_rate`].
    pub eer: f64,
    /// The area under the ROC, in `[0, 1]`: the probability that a same pair is closer than a
    /// different one, where a tie counts one half.
    pub auc: f64,
    /// For each FMR of the grid, the smallest FNMR of a threshold whose FMR is at most that.
    pub fnmr_at: Vec<f64>,
    /// For each FMR of the grid, the threshold with that FNMR, as a calibration states it: near the middle between two
    /// distances, or 0.
    pub threshold_at: Vec<f64>,
    /// The threshold with the smallest maximum of the two errors.
    pub eer_threshold: f64,
    /// The errors at each threshold of the grid.
    pub rates_at: Vec<Rates>,
}

impl Grid {
    /// Makes a grid of the rates between 0 and 1, in ascending order.
    pub fn new(rates: impl IntoIterator<Item = f64>) -> Self {
        let mut rates: Vec<f64> =
            rates.into_iter().filter(|rate| 0.0 < *rate && *rate < 1.0).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        Self { rates, thresholds: Vec::new() }
    }

    /// Adds thresholds.
    #[must_use]
    pub fn with_thresholds(self, thresholds: impl IntoIterator<Item = Threshold>) -> Self {
        let mut thresholds: Vec<Threshold> = thresholds.into_iter().collect();
        thresholds.sort_by(|a, b| a.get().total_cmp(&b.get()));
        thresholds.dedup();
        Self { thresholds, ..self }
    }

    /// Returns the FMRs, ascending.
    pub fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// Returns the thresholds, ascending.
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }
}

impl Measures {
    /// Measures all pairs.
    #[expect(clippy::missing_panics_doc, reason = "comparisons have both kinds of pairs")]
    pub fn of(comparisons: &Comparisons, grid: &Grid) -> Self {
        let once: Vec<u64> = comparisons.images().iter().map(|_| 1).collect();
        Self::weighted(comparisons, grid, &once).expect("comparisons have both kinds of pairs")
    }

    /// Measures all pairs as if each identity occurred `copies` times.
    ///
    /// A copy is another identity. A pair within an identity counts once for each copy. A pair of two identities counts
    /// once for each pair of their copies. Pairs between two copies of one identity do not count: as same pairs they would
    /// compare images with themselves, and as different pairs they would be wrong.
    ///
    /// Returns `None` if no same pair or no different pair is left.
    pub(super) fn weighted(comparisons: &Comparisons, grid: &Grid, copies: &[u64]) -> Option<Self> {
        let [same, different] = totals(comparisons, copies);
        if same == 0 || different == 0 {
            return None;
        }
        let mut wrong = Wrong { same, different, seen_same: 0, seen_different: 0 };
        let mut before = wrong.rates();
        let mut eer = None;
        let mut ordered = 0.0;
        let mut reached = 0.0;
        let mut balance = Balance::default();
        let mut fnmr_at = Vec::with_capacity(grid.rates.len());
        let mut threshold_at = Vec::with_capacity(grid.rates.len());
        let mut rates_at = Vec::with_capacity(grid.thresholds.len());
        for ties in comparisons.pairs().chunk_by(|a, b| a.distance == b.distance) {
            let [same_here, different_here] = weights(ties, copies);
            if same_here + different_here == 0 {
                continue;
            }
            let distance = ties[0].distance.get();
            balance.weigh(before, [reached, distance]);
            let is_below = |at: usize| {
                grid.thresholds.get(at).is_some_and(|threshold| threshold.get() < distance)
            };
            while is_below(rates_at.len()) {
                rates_at.push(before);
            }
            // Each different pair at this distance is farther than the earlier same pairs, and tied with those at this
            // distance.
            ordered += real64(different_here) * (real64(wrong.seen_same) + real64(same_here) / 2.0);
            wrong.seen_same += same_here;
            wrong.seen_different += different_here;
            let after = wrong.rates();
            while grid.rates.get(fnmr_at.len()).is_some_and(|fmr| *fmr < after.fmr) {
                fnmr_at.push(before.fnmr);
                threshold_at.push(threshold_between(reached, distance));
            }
            if eer.is_none() && after.fnmr < after.fmr {
                eer = Some(equal_error_rate([before, after]));
            }
            before = after;
            reached = distance;
        }
        balance.weigh(before, [reached, f64::INFINITY]);
        rates_at.resize(grid.thresholds.len(), before);
        Some(Self {
            eer: eer.expect("the last threshold calls every pair same"),
            auc: ordered / (real64(same) * real64(different)),
            fnmr_at,
            threshold_at,
            eer_threshold: threshold_between(balance.range[0], balance.range[1]),
            rates_at,
        })
    }
}

/// The best range of thresholds so far: the smallest maximum of the two errors, then the smallest minimum.
struct Balance {
    errors: [f64; 2],
    range: [f64; 2],
}

impl Default for Balance {
    fn default() -> Self {
        Self { errors: [f64::INFINITY; 2], range: [0.0; 2] }
    }
}

impl Balance {
    fn weigh(&mut self, Rates { fmr, fnmr }: Rates, range: [f64; 2]) {
        let errors = [fmr.max(fnmr), fmr.min(fnmr)];
        if errors < self.errors {
            *self = Self { errors, range };
        }
    }
}

/// The counts of pairs below a growing threshold.
struct Wrong {
    same: u64,
    different: u64,
    seen_same: u64,
    seen_different: u64,
}

impl Wrong {
    fn rates(&self) -> Rates {
        Rates {
            fmr: real64(self.seen_different) / real64(self.different),
            fnmr: real64(self.same - self.seen_same) / real64(self.same),
        }
    }
}

/// Returns the total weights of the same pairs and of the different pairs.
fn totals(comparisons: &Comparisons, copies: &[u64]) -> [u64; 2] {
    let [mut same, mut different] = [0, 0];
    let [mut sum, mut squares] = [0, 0];
    let each = comparisons.images().iter().zip(comparisons.within()).zip(copies);
    for ((images, [own_same, own_different]), copies) in each {
        let images = u64::from(*images);
        same += copies * own_same;
        different += copies * own_different;
        sum += copies * images;
        squares += copies * copies * images * images;
    }
    if comparisons.unit() == Unit::Identity {
        // All pairs of images of different copies.
        different += (sum * sum - squares) / 2;
    }
    [same, different]
}

/// Returns the weights of the same pairs and of the different pairs in `pairs`.
fn weights(pairs: &[Comparison], copies: &[u64]) -> [u64; 2] {
    let mut weights = [0, 0];
    for pair in pairs {
        weights[usize::from(!pair.is_same)] += weight(pair.identities, copies);
    }
    weights
}

/// Returns how often a pair of these identities counts.
pub(super) fn weight(identities: [u32; 2], copies: &[u64]) -> u64 {
    let [left, right] = identities.map(|identity| copies[identity as usize]);
    if identities[0] == identities[1] { left } else { left * right }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use siamese_core::score::{Calibration, Embedding, Scores};

    use super::*;

    fn comparisons(values: &[&[f32]]) -> Comparisons {
        let point = |value: &f32| Embedding::new([*value]).expect("a point");
        let embeddings: Vec<Vec<_>> =
            values.iter().map(|images_of| images_of.iter().map(point).collect()).collect();
        Comparisons::new(&embeddings).expect("pairs")
    }

    /// Same pairs with distances 1 and 4; different pairs with 2, 3, 6 and 7.
    fn known() -> Comparisons {
        comparisons(&[&[0.0, 1.0], &[3.0, 7.0]])
    }

    #[test]
    fn measures_match_a_calculation_by_hand() {
        // Ascending: same 1, different 2 and 3, same 4, different 6 and 7.
        // Of 8 combinations the same pair is closer in 4 + 2.
        let measures = Measures::of(&known(), &Grid::new([0.1, 0.25, 0.3, 0.5, 0.9]));
        assert!((measures.auc - 0.75).abs() < 1e-12, "{measures:?}");
        // From 1 on FNMR is 1/2, and FMR reaches 1/2 at 3.
        assert!((measures.eer - 0.5).abs() < 1e-12, "{measures:?}");
        assert_eq!(measures.fnmr_at, [0.5, 0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn thresholds_are_half_way_to_the_next_distance() {
        let thresholds =
            [2.5, 0.5, 7.0].map(|value| Threshold::try_from(value).expect("a threshold"));
        let grid = Grid::new([0.1, 0.25, 0.5]).with_thresholds(thresholds);
        let measures = Measures::of(&known(), &grid);
        assert_eq!(measures.threshold_at, [1.5, 2.5, 5.0]);
        // FMR 0, FNMR 1/2 from 1 on; FMR 1/2, FNMR 0 from 4 on is no better.
        assert!((measures.eer_threshold - 1.5).abs() < 1e-12, "{measures:?}");
        let rates = [(0.0, 1.0), (0.25, 0.5), (1.0, 0.0)].map(|(fmr, fnmr)| Rates { fmr, fnmr });
        assert_eq!(measures.rates_at, rates);
    }

    #[test]
    fn ties_count_one_half() {
        // Same pairs at 1 and 1, different ones at 1, 2, 0 and 1: closer 2, level 4 of 8.
        let measures = Measures::of(&comparisons(&[&[0.0, 1.0], &[1.0, 2.0]]), &Grid::new([]));
        assert!((measures.auc - 0.5).abs() < 1e-12, "{measures:?}");
    }

    #[test]
    fn measures_agree_with_those_of_the_calibration() {
        let spread: Vec<Vec<f32>> = (0..6_u8)
            .map(|identity| {
                (0..5_u8).map(|at| f32::from(identity) + f32::from(at * at % 7) / 3.0).collect()
            })
            .collect();
        let spread: Vec<&[f32]> = spread.iter().map(Vec::as_slice).collect();
        let comparisons = comparisons(&spread);
        let [same, different] = comparisons.distances();
        let expected = Scores::new(&same, &different).expect("pairs").eer();
        let measures = Measures::of(&comparisons, &Grid::new([]));
        assert!((measures.eer - expected).abs() < 1e-12 && 0.0 < expected, "{measures:?}");
    }

    #[test]
    fn thresholds_agree_with_those_of_the_calibration() {
        // More distances than rows of a calibration's table.
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut value = |identity: u8| f32::from(identity) + 2.0 * random.random::<f32>();
        let values: Vec<Vec<f32>> =
            (0..12).map(|identity| (0..9).map(|_| value(identity)).collect()).collect();
        let values: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let comparisons = comparisons(&values);
        let [same, different] = comparisons.distances();
        let calibration =
            Calibration::fit("made", "made", 12, &same, &different).expect("a calibration");
        let measures = Measures::of(&comparisons, &Grid::new([0.1, 0.01, 0.001]));
        let expected = [0.001, 0.01, 0.1]
            .map(|fmr| calibration.for_fmr(fmr).expect("enough pairs").threshold.get());
        assert_eq!(measures.threshold_at, expected);
        let of_equal_errors = calibration.eer_point().threshold.get();
        assert!((measures.eer_threshold - of_equal_errors).abs() < 1e-12);
    }

    #[test]
    fn a_copy_counts_as_another_identity() {
        // Three identities, the last one twice, against the same four written out: pairs between
        // the copies would be different pairs at 0 and 1 there, so they are left out here.
        let copied = comparisons(&[&[0.0, 1.0], &[3.0, 7.0], &[9.0, 10.0]]);
        let measures = Measures::weighted(&copied, &Grid::new([0.4]), &[1, 1, 2]).expect("pairs");
        // Same: 1, 4, and 1 twice. Different: 3 7 2 6; and 9 10 8 9, 6 7 2 3, each twice.
        // Closer: each 1 beats all 20; 4 beats the 20 but for 3, 2, and twice 2 and 3.
        assert!((measures.auc - (60.0 + 14.0) / 80.0).abs() < 1e-12, "{measures:?}");
        // FMR 2/5 allows 8 of 20: 2 and 3 are six, 6 would make them nine, and 4 comes before 6.
        assert_eq!(measures.fnmr_at, [0.0]);
    }

    #[test]
    fn a_copy_of_a_component_repeats_its_pairs() {
        let point = |value: &f32| Embedding::new([*value]).expect("a point");
        let points: Vec<Vec<_>> = [&[0.0, 1.0, 4.0][..], &[3.0, 9.0]]
            .map(|values| values.iter().map(point).collect())
            .into();
        let pairs = [([[0, 0], [0, 1]], true), ([[1, 0], [1, 1]], true), ([[0, 1], [0, 2]], false)];
        let listed = Comparisons::listed(&points, &pairs).expect("pairs");
        // Same at 1 and 6, different at 3: closer in one of two.
        assert!((Measures::of(&listed, &Grid::new([])).auc - 0.5).abs() < 1e-12);
        // Same at 1, and at 6 three times; different at 3.
        let measures = Measures::weighted(&listed, &Grid::new([]), &[1, 3]).expect("pairs");
        assert!((measures.auc - 0.25).abs() < 1e-12, "{measures:?}");
        assert_eq!(Measures::weighted(&listed, &Grid::new([]), &[0, 3]), None);
    }

    #[test]
    fn a_single_identity_gives_no_measures() {
        assert_eq!(Measures::weighted(&known(), &Grid::new([]), &[2, 0]), None);
    }
}
