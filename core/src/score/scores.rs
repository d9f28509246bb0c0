//! The two distributions of distances, and the errors at every threshold between them.

use std::cmp::Ordering;

use thiserror::Error;

use super::{Distance, Threshold};

/// The distances of same pairs and of different pairs.
///
/// Invariant: both are ascending, and neither is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    same: Vec<f64>,
    different: Vec<f64>,
}

/// Why no error rate can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoPairs {
    /// No two images show the same thing, so no FNMR can be measured.
    #[error("there is no pair of the same identity")]
    Same,
    /// No two images show different things, so no FMR can be measured.
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

/// One way in which thresholds from `from` up to, but not including, `until` split the distances.
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
            let mut sorted: Vec<f64> = distances.iter().map(|it| it.get()).collect();
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
        let below = |sorted: &[f64]| sorted.partition_point(|it| *it <= threshold.get());
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

    /// The threshold at which the greater of the two errors is least, and then the lesser one; the
    /// smallest, if several.
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
        Threshold::try_from(threshold).expect("distances are thresholds")
    }

    /// Every way in which a threshold can split the distances, in ascending order.
    ///
    /// The first begins at 0, and the last at the largest distance, where all are called same.
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
                while self.same.get(matches).is_some_and(|it| *it <= from) {
                    matches += 1;
                }
                while self.different.get(false_matches).is_some_and(|it| *it <= from) {
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
    /// The threshold to write down: 0 for the first step, little more than its beginning for the
    /// last, and a short number near the middle for the others, so that the last digits of a
    /// distance don't decide.
    pub(super) fn threshold(&self) -> f64 {
        if self.from <= 0.0 {
            0.0
        } else if self.until.is_finite() {
            split(self.from, self.until)
        } else {
            round_up(self.from)
        }
    }
}

/// The rate at which both errors are equal, in `[0, 1]`.
///
/// `points` are the error rates at ascending thresholds: FMR never falls and FNMR never rises. Of
/// the last point with FMR ≤ FNMR and the first with FMR > FNMR, the straight line between them on
/// the ROC is cut with the diagonal FMR = FNMR. What comes before the first point is FMR 0, FNMR
/// 1; what comes after the last is FMR 1, FNMR 0.
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

/// Orders rates by the greater of the two errors, and then by the lesser.
pub(super) fn by_balance(a: Rates, b: Rates) -> Ordering {
    let errors = |it: Rates| [it.fmr.max(it.fnmr), it.fmr.min(it.fnmr)];
    let [[a_greater, a_lesser], [b_greater, b_lesser]] = [errors(a), errors(b)];
    a_greater.total_cmp(&b_greater).then(a_lesser.total_cmp(&b_lesser))
}

/// `part` of `whole`, which isn't 0.
#[expect(clippy::cast_precision_loss, reason = "no one has 2^53 pairs")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// A number of pairs as it is written down.
pub(super) fn count(pairs: usize) -> u64 {
    u64::try_from(pairs).expect("a usize has at most 64 bits")
}

/// The shortest decimal near the middle of `low < high`: at least `low`, less than `high`.
fn split(low: f64, high: f64) -> f64 {
    let [middle, quarter] = [low.midpoint(high), (high - low) / 4.0];
    (1..=17)
        .map(|digits| rounded(middle, digits))
        .find(|it| (it - middle).abs() <= quarter && low <= *it && *it < high)
        .unwrap_or(low)
}

/// The least decimal of nine digits that isn't below `value`.
fn round_up(value: f64) -> f64 {
    [value, value * (1.0 + 1e-8)]
        .into_iter()
        .map(|it| rounded(it, 9))
        .find(|it| value <= *it && it.is_finite())
        .unwrap_or(value)
}

/// `value` to so many significant digits.
///
/// JSON readers often get the last bit of a longer number wrong; one of up to 15 digits and a
/// moderate power of ten survives them.
pub(super) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits - 1).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(same: &[f64], different: &[f64]) -> Scores {
        let [same, different] = [same, different].map(|distances| {
            let distances = distances.iter().map(|it| Distance::try_from(*it));
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
    fn reversed_distances_are_always_wrong() {
        check_eer(&[0.3, 0.4], &[0.1, 0.2], 1.0);
    }

    #[test]
    fn distances_that_tell_nothing_apart_are_wrong_half_the_time() {
        check_eer(&[0.5, 0.5], &[0.5], 0.5);
    }

    #[test]
    fn an_equal_error_rate_that_a_threshold_meets_is_met_exactly() {
        // Between 0.4 and 0.5 one of four is wrong on either side.
        check_eer(&[0.1, 0.2, 0.3, 0.6], &[0.4, 0.7, 0.8, 0.9], 0.25);
    }

    #[test]
    fn an_equal_error_rate_between_two_thresholds_is_interpolated() {
        // Below 0.5 the rates are FMR 0, FNMR 1/2; from 0.5 on FMR 1, FNMR 1/2.
        check_eer(&[0.1, 0.9], &[0.5], 0.5);
        // Below 0.5 they are FMR 0, FNMR 1/3; at 0.5, a tie, FMR 1/2, FNMR 0. The line
        // FMR = x/2, FNMR = (1 - x)/3 meets the diagonal at x = 2/5, where both are 1/5.
        check_eer(&[0.1, 0.2, 0.5], &[0.5, 0.9], 0.2);
    }

    #[test]
    fn the_threshold_of_equal_errors_makes_the_other_error_least() {
        let best = |same, different| f64::from(scores(same, different).eer_threshold());
        // From 0.3 on FNMR is 1/4; FMR is that too from 0.4 on, and before it is 0.
        assert!((best(&[0.1, 0.2, 0.3, 0.6], &[0.4, 0.7, 0.8, 0.9]) - 0.35).abs() < 1e-12);
        // From 0.25 on FMR is 1/4; FNMR is that from 0.3 on, and 0 from 0.6 on.
        assert!((best(&[0.1, 0.2, 0.3, 0.6], &[0.25, 0.7, 0.8, 0.9]) - 0.65).abs() < 1e-12);
    }

    #[test]
    fn steps_split_neighbours_near_their_middle_by_short_numbers() {
        let steps = scores(&[0.25], &[0.75]).steps();
        let rows = steps.iter().map(|it| (it.threshold(), it.false_matches, it.false_non_matches));
        assert_eq!(rows.collect::<Vec<_>>(), [(0.0, 0, 1), (0.5, 0, 0), (0.75, 1, 0)]);
        assert_eq!(split(0.123_456_7, 0.123_456_9).to_string(), "0.1234568");
        assert_eq!(split(0.8, 1.3).to_string(), "1");
    }

    #[test]
    fn neighbours_without_a_number_between_them_are_split_all_the_same() {
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
