//! Labels that are probably inverted: same pairs are farther apart than different ones.

use std::fmt::{Display, Formatter};

use crate::statistics::{Comparisons, Interval, Unit, real};

/// The EER is above 50 % by more than its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvertedLabels {
    /// The EER, in [0, 1].
    eer: f64,
    unit: Unit,
}

impl InvertedLabels {
    /// Checks the EER of `comparisons`. `interval` returns its interval from resamples; it is called only if the EER is
    /// above 50 %.
    ///
    /// Resamples of few identities can all be equal, and one component has none. The EER must therefore also be above
    /// what independent pairs without any order give.
    pub(super) fn check(
        comparisons: &Comparisons,
        eer: f64,
        interval: impl FnOnce() -> Option<Interval>,
    ) -> Result<(), Self> {
        const CHANCE: f64 = 0.5;
        /// The quantile of the normal distribution for 99 %.
        const DEVIATIONS: f64 = 2.58;
        let [same, different] = comparisons.distances().map(|distances| real(distances.len()));
        let deviation = CHANCE / 2.0 * (1.0 / same + 1.0 / different).sqrt();
        let is_above = CHANCE + DEVIATIONS * deviation < eer
            && interval().is_none_or(|interval| CHANCE < interval.low);
        if is_above { Err(Self { eer, unit: comparisons.unit() }) } else { Ok(()) }
    }
}

impl Display for InvertedLabels {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let advice = match self.unit {
            Unit::Identity => "give each identity a folder of its own",
            Unit::Component => "`same` is 1 and `changed` is 0 for two images of one identity",
        };
        let percent = 100.0 * self.eer;
        write!(
            f,
            "the EER is {percent:.2} %, because same pairs are farther apart than different ones: labels inverted? {advice}"
        )
    }
}

impl std::error::Error for InvertedLabels {}

#[cfg(test)]
mod tests {
    use siamese_core::score::Embedding;

    use super::*;

    /// Pairs of one image each with another, at these distances; the last four are same pairs.
    fn comparisons(distances: &[f32], n_same: usize) -> Comparisons {
        let point = |value: f32| Embedding::new([value]).expect("a point");
        let embeddings: Vec<Vec<_>> =
            distances.iter().map(|distance| vec![point(0.0), point(*distance)]).collect();
        let pair = |at: usize| {
            let identity = u32::try_from(at).expect("few pairs");
            ([[identity, 0], [identity, 1]], at < n_same)
        };
        let pairs: Vec<_> = (0..distances.len()).map(pair).collect();
        Comparisons::listed(&embeddings, &pairs).expect("pairs")
    }

    #[test]
    fn only_an_eer_that_chance_does_not_explain_shows_inverted_labels() {
        let many: Vec<f32> = (0..40_u8).map(f32::from).rev().collect();
        let many = comparisons(&many, 20);
        let found = InvertedLabels::check(&many, 1.0, || None).expect_err("inverted labels");
        assert!(found.to_string().contains("EER is 100.00 %"), "{found}");
        assert_eq!(InvertedLabels::check(&many, 0.6, || None), Ok(()));
        let wide = Interval { low: 0.4, high: 1.0 };
        assert_eq!(InvertedLabels::check(&many, 1.0, || Some(wide)), Ok(()));
        let few = comparisons(&[4.0, 3.0, 2.0, 1.0], 2);
        assert_eq!(InvertedLabels::check(&few, 1.0, || None), Ok(()));
    }
}
