//! How many pairs are within the threshold by mistake.

use serde::Serialize;
use siamese_core::score::{Calibration, Threshold};

/// The pairs of *n* images that are expected within the threshold by mistake, if all show different things.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct FalsePairs {
    pub(super) expected: f64,
    /// The FMR at the threshold; at least the smallest one that the calibration supports.
    pub(super) fmr: f64,
    #[serde(skip)]
    smallest_fmr: f64,
    #[serde(skip)]
    pairs: f64,
}

impl FalsePairs {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn of(calibration: &Calibration, threshold: Threshold, pairs: u64) -> Self {
        // The rule of 3: so many different pairs without a false match leave open whether the FMR is this.
        let smallest_fmr = (3.0 / calibration.different_pairs() as f64).min(1.0);
        let fmr = calibration.at(threshold).fmr.max(smallest_fmr);
        let pairs = pairs as f64;
        Self { expected: fmr * pairs, fmr, smallest_fmr, pairs }
    }

    pub(super) fn text(&self) -> String {
        let Self { expected, fmr, pairs, .. } = self;
        format!(
            "If all images showed different things, up to {expected:.2} of the {pairs} pairs would be expected within the \
             threshold by mistake (FMR {fmr:.2e})."
        )
    }

    /// What to do if more than one false pair is expected.
    pub(super) fn warning(&self) -> Option<String> {
        let Self { expected, smallest_fmr, pairs, .. } = self;
        let wanted = 1.0 / pairs;
        let remedy = if *smallest_fmr <= wanted {
            format!("choose a smaller --fmr, such as {wanted:.0e}, or a smaller --threshold")
        } else {
            format!(
                "choose a smaller --threshold, or a smaller --fmr; the calibration supports none below {smallest_fmr:.2e}"
            )
        };
        (1.0 < *expected)
            .then(|| format!("up to {expected:.0} of {pairs} pairs may be false matches: {remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Distance;

    use super::*;

    /// A calibration on 1,000 different pairs, at distances from 1 to 2.
    fn false_pairs(threshold: f64, pairs: u64) -> FalsePairs {
        let distance = |value: f64| Distance::try_from(value).expect("a distance");
        let different: Vec<_> = (0..1000).map(|at| distance(1.0 + f64::from(at) / 1e3)).collect();
        let calibration = Calibration::fit("test", "all", 2, &[distance(0.5)], &different);
        let threshold = Threshold::try_from(threshold).expect("a threshold");
        FalsePairs::of(&calibration.expect("a calibration"), threshold, pairs)
    }

    #[track_caller]
    fn check(threshold: f64, pairs: u64, fmr: f64, warning: Option<&str>) {
        let found = false_pairs(threshold, pairs);
        assert!((found.fmr - fmr).abs() < 2e-3, "{found:?}");
        assert_eq!(found.expected.to_bits(), (found.fmr * found.pairs).to_bits());
        let text = found.warning();
        assert_eq!(text.is_some(), warning.is_some(), "{text:?}");
        assert!(text.unwrap_or_default().contains(warning.unwrap_or_default()));
    }

    #[test]
    fn the_expectation_grows_with_the_pairs() {
        check(1.1, 5, 0.107, None);
        check(
            1.1,
            190,
            0.107,
            Some(
                "up to 20 of 190 pairs may be false matches: choose a smaller --fmr, such as 5e-3",
            ),
        );
    }

    #[test]
    fn a_calibration_cannot_promise_less_than_its_pairs_support() {
        check(0.0, 190, 0.003, None);
        check(0.0, 4950, 0.003, Some("the calibration supports none below 3.00e-3"));
    }
}
