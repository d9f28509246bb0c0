//! The distributions of same and different distances, and the error rates at each threshold.

use std::cmp::Ordering;

use thiserror::Error;

use super::{Distance, Threshold};

/// The distances of same pairs and of different pairs.
///
/// Invariant: both lists are ascending and not empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    same: Vec<f64>,
    different: Vec<f64>,
}

/// Why an error rate can't be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoPairs {
    /// No two images show the same identity, so no FNMR can be measured.
    #[error("there is no pair of the same identity")]
    Same,
    /// No two images show different identities, so no FMR can be measured.
    #[error("there is no pair of different identities")]
    Different,
}

/// The two error rates at one threshold, each in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// The share of different pairs that are called same.
    pub fmr: f64,
    /// The share of same pairs that are called different.
    pub fnmr: f64,
}

/// A range of thresholds, from `from` up to but excluding `until`, that all give the same verdicts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    from: f64,
    until: f64,
    pub(super) false_matches: u64,
    pub(super) false_non_matches: u64,
}

impl Scores {
    /// Sorts the distances of same and different pairs.
    pub fn new(same: &[Distance], different: &[Distance]) -> Result<Self, NoPairs> {
        if same.is_empty() {
            return Err(NoPairs::Same);
        }
        if different.is_empty() {
            return Err(NoPairs::Different);
        }
        let [same, different] = [same, different].map(|distances| {
            let mut sorted: Vec<f64> = distances.iter().map(|distance| distance.get()).collect();
            sorted.sort_by(f64::total_cmp);
            sorted
        });
        Ok(Self { same, different })
    }

    /// The distances of same pairs, ascending.
    pub fn same(&self) -> &[f64] {
        &self.same
    }

    /// The distances of different pairs, ascending.
    pub fn different(&self) -> &[f64] {
        &self.different
    }

    /// The error rates at `threshold`. A pair exactly at it is called same.
    pub fn at(&self, threshold: Threshold) -> Rates {
        let below =
            |sorted: &[f64]| sorted.partition_point(|distance| *distance <= threshold.get());
        Rates {
            fmr: share(count(below(&self.different)), count(self.different.len())),
            fnmr: share(count(self.same.len() - below(&self.same)), count(self.same.len())),
        }
    }

    /// The equal error rate, as [`equal_error_rate`] defines it.
    pub fn eer(&self) -> f64 {
        let [same, different] = [count(self.same.len()), count(self.different.len())];
        equal_error_rate(self.steps().iter().map(|step| Rates {
            fmr: share(step.false_matches, different),
            fnmr: share(step.false_non_matches, same),
        }))
    }

    /// The threshold whose larger error is smallest, and then its smaller error. If several qualify, the smallest
    /// threshold.
    #[expect(clippy::missing_panics_doc, reason = "there is always a first step")]
    pub fn eer_threshold(&self) -> Threshold {
        let [same, different] = [count(self.same.len()), count(self.different.len())];
        let rates = |step: &Step| Rates {
            fmr: share(step.false_matches, different),
            fnmr: share(step.false_non_matches, same),
        };
        let steps = self.steps();
        let best = steps.iter().min_by(|a, b| by_balance(rates(a), rates(b)));
        let threshold = best.expect("there is always a first step").threshold();
        Threshold::try_from(threshold).expect("every distance is a valid threshold")
    }

    /// All ranges of thresholds that differ in a verdict, in ascending order.
    ///
    /// The first begins at 0. The last begins at the largest distance, where all pairs are called same.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut from: Vec<f64> =
            [0.0].iter().chain(&self.same).chain(&self.different).copied().collect();
        from.sort_by(f64::total_cmp);
        from.dedup();
        let until = from.iter().skip(1).copied().chain([f64::INFINITY]);
        let [mut matches, mut false_matches] = [0, 0];
        from.iter()
            .zip(until)
            .map(|(&from, until)| {
                while self.same.get(matches).is_some_and(|distance| *distance <= from) {
                    matches += 1;
                }
                while self.different.get(false_matches).is_some_and(|distance| *distance <= from) {
                    false_matches += 1;
                }
                Step {
                    from,
                    until,
                    false_matches: count(false_matches),
                    false_non_matches: count(self.same.len() - matches),
                }
            })
            .collect()
    }
}

impl Step {
    /// The threshold to store.
    pub(super) fn threshold(&self) -> f64 {
        threshold_between(self.from, self.until)
    }
}

/// The threshold that stands for all from `from` up to but excluding `until`, which give the same verdicts.
///
/// From 0 it is 0. Without an end it is slightly above the start. Otherwise it is a short number near the middle, so that
/// the last digits of a distance do not matter.
pub fn threshold_between(from: f64, until: f64) -> f64 {
    if from <= 0.0 {
        0.0
    } else if until.is_finite() {
        split(from, until)
    } else {
        round_up(from)
    }
}

/// The rate at which both errors are equal, in `[0, 1]`.
///
/// `points` are the error rates at ascending thresholds: FMR never falls and FNMR never rises. Take the last point
/// with FMR ≤ FNMR and the first with FMR > FNMR. The result is where the straight line between them on the ROC meets
/// the diagonal FMR = FNMR. Before the first point FMR is 0 and FNMR is 1; after the last, FMR is 1 and FNMR is 0.
pub fn equal_error_rate(points: impl IntoIterator<Item = Rates>) -> f64 {
    let mut before = Rates { fmr: 0.0, fnmr: 1.0 };
    for after in points.into_iter().chain([Rates { fmr: 1.0, fnmr: 0.0 }]) {
        if after.fmr <= after.fnmr {
            before = after;
            continue;
        }
        let [short, over] = [before.fnmr - before.fmr, after.fmr - after.fnmr];
        return before.fmr + (after.fmr - before.fmr) * short / (short + over);
    }
    before.fmr
}

/// Orders rates by the larger of the two errors, and then by the smaller.
pub(super) fn by_balance(a: Rates, b: Rates) -> Ordering {
    let errors = |rates: Rates| [rates.fmr.max(rates.fnmr), rates.fmr.min(rates.fnmr)];
    let [[a_greater, a_lesser], [b_greater, b_lesser]] = [errors(a), errors(b)];
    a_greater.total_cmp(&b_greater).then(a_lesser.total_cmp(&b_lesser))
}

/// `part` divided by `whole`, which is not 0.
#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^53 pairs")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// A number of pairs as it is stored.
pub(super) fn count(pairs: usize) -> u64 {
    u64::try_from(pairs).expect("a usize has at most 64 bits")
}

/// The shortest decimal near the middle of `low < high`: at least `low`, and less than `high`.
fn split(low: f64, high: f64) -> f64 {
    let [middle, quarter] = [low.midpoint(high), (high - low) / 4.0];
    (1..=17)
        .map(|digits| rounded(middle, digits))
        .find(|candidate| {
            (candidate - middle).abs() <= quarter && low <= *candidate && *candidate < high
        })
        .unwrap_or(low)
}

/// The smallest decimal of nine digits that is at least `value`.
fn round_up(value: f64) -> f64 {
    [value, value * (1.0 + 1e-8)]
        .into_iter()
        .map(|candidate| rounded(candidate, 9))
        .find(|candidate| value <= *candidate && candidate.is_finite())
        .unwrap_or(value)
}

/// Rounds `value` to this many significant digits.
///
/// Many JSON readers get the last bit of a longer number wrong. They read numbers of up to 15 digits with a moderate
/// exponent correctly.
pub(super) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits - 1).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(same: &[f64], different: &[f64]) -> Scores {
        let [same, different] = [same, different].map(|distances| {
            let distances = distances.iter().map(|distance| Distance::try_from(*distance));
            distances.collect::<Result<Vec<_>, _>>().expect("distances")
        });
        Scores::new(&same, &different).expect("pairs")
    }

    #[track_caller]
    fn check_eer(same: &[f64], different: &[f64], expected: f64) {
        let eer = scores(same, different).eer();
        assert!((eer - expected).abs() < 1e-12, "{eer} instead of {expected}");
    }

    #[test]
    fn rates_count_a_pair_at_the_threshold_as_called_same() {
        let scores = scores(&[1.0, 2.0, 3.0, 4.0], &[3.0, 5.0]);
        let at = |threshold| scores.at(Threshold::try_from(threshold).expect("a threshold"));
        assert_eq!(at(3.0), Rates { fmr: 0.5, fnmr: 0.25 });
        assert_eq!(at(2.999), Rates { fmr: 0.0, fnmr: 0.5 });
        assert_eq!(at(0.0), Rates { fmr: 0.0, fnmr: 1.0 });
        assert_eq!(at(5.0), Rates { fmr: 1.0, fnmr: 0.0 });
    }

    #[test]
    fn separated_distances_have_no_equal_errors() {
        check_eer(&[0.1, 0.2], &[0.3, 0.4], 0.0);
    }

    #[test]
    fn reversed_distances_have_an_eer_of_one() {
        check_eer(&[0.3, 0.4], &[0.1, 0.2], 1.0);
    }

    #[test]
    fn identical_distances_have_an_eer_of_one_half() {
        check_eer(&[0.5, 0.5], &[0.5], 0.5);
    }

    #[test]
    fn an_equal_error_rate_at_a_threshold_is_exact() {
        // Between 0.4 and 0.5, one of four pairs of each kind is wrong.
        check_eer(&[0.1, 0.2, 0.3, 0.6], &[0.4, 0.7, 0.8, 0.9], 0.25);
    }

    #[test]
    fn an_equal_error_rate_between_two_thresholds_is_interpolated() {
        // Below 0.5 the rates are FMR 0, FNMR 1/2; from 0.5 on they are FMR 1, FNMR 1/2.
        check_eer(&[0.1, 0.9], &[0.5], 0.5);
        // Below 0.5 they are FMR 0, FNMR 1/3. At 0.5, a tie, they are FMR 1/2, FNMR 0. The line FMR = x/2, FNMR = (1 -
        // x)/3 meets the diagonal at x = 2/5, where both are 1/5.
        check_eer(&[0.1, 0.2, 0.5], &[0.5, 0.9], 0.2);
    }

    #[test]
    fn the_eer_threshold_minimises_the_other_error() {
        let best = |same, different| f64::from(scores(same, different).eer_threshold());
        // From 0.3 on FNMR is 1/4. FMR is 1/4 from 0.4 on, and 0 before.
        assert!((best(&[0.1, 0.2, 0.3, 0.6], &[0.4, 0.7, 0.8, 0.9]) - 0.35).abs() < 1e-12);
        // From 0.25 on FMR is 1/4. FNMR is 1/4 from 0.3 on, and 0 from 0.6 on.
        assert!((best(&[0.1, 0.2, 0.3, 0.6], &[0.25, 0.7, 0.8, 0.9]) - 0.65).abs() < 1e-12);
    }

    #[test]
    fn steps_split_neighbours_near_their_middle_by_short_numbers() {
        let steps = scores(&[0.25], &[0.75]).steps();
        let rows =
            steps.iter().map(|step| (step.threshold(), step.false_matches, step.false_non_matches));
        assert_eq!(rows.collect::<Vec<_>>(), [(0.0, 0, 1), (0.5, 0, 0), (0.75, 1, 0)]);
        assert_eq!(split(0.123_456_7, 0.123_456_9).to_string(), "0.1234568");
        assert_eq!(split(0.8, 1.3).to_string(), "1");
    }

    #[test]
    fn neighbours_without_a_number_between_them_are_still_split() {
        let next = 1.0_f64.next_up();
        assert!((split(1.0, next) - 1.0).abs() < f64::EPSILON / 2.0);
    }

    #[test]
    fn pairs_at_distance_zero_are_called_same_by_the_first_step() {
        let steps = scores(&[0.0, 0.2], &[0.0, 0.4]).steps();
        assert_eq!((steps[0].false_matches, steps[0].false_non_matches), (1, 1));
    }

    #[test]
    fn a_side_without_pairs_is_refused() {
        let one = [Distance::try_from(1.0).expect("a distance")];
        assert_eq!(Scores::new(&[], &one), Err(NoPairs::Same));
        assert_eq!(Scores::new(&one, &[]), Err(NoPairs::Different));
    }
}
