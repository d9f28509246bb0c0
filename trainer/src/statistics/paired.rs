//! The difference of two models, and its significance.

use serde::Serialize;

use super::{Bootstrap, Comparisons, Grid, Interval, Measures};

/// A result of the second model minus that of the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The measured difference.
    pub value: f64,
    /// The 95 % interval over other identities.
    #[serde(flatten)]
    pub interval: Interval,
    /// The probability of a difference at least this large by chance: twice the share of resamples on the rarer side of 0,
    /// and at least `2 / resamples`. Below 0.05 the difference is significant.
    pub p_value: f64,
}

/// The differences of two models on the same images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differences {
    /// Of the equal error rates.
    pub eer: Difference,
    /// Of the areas under the ROC.
    pub auc: Difference,
    /// Of the FNMRs, for each FMR of the grids.
    pub fnmr_at: Vec<Difference>,
    /// Of the FMRs at each model's threshold, for each threshold of the grids.
    pub threshold_fmr: Vec<Difference>,
    /// Of the FNMRs at each model's threshold, for each threshold of the grids.
    pub threshold_fnmr: Vec<Difference>,
}

impl Differences {
    /// Computes the differences. Both models use the same resamples, so effects that are the same for both cancel out
    /// (B. Efron, R. Tibshirani, *An introduction to the bootstrap*, 1993, §8.3 and §16).
    ///
    /// Each model has its grid. The FMRs must be equal; the thresholds may differ, but not their number. Returns `None`
    /// without resamples.
    ///
    /// # Panics
    ///
    /// If the comparisons are not of the same images, or the grids do not match.
    pub fn between(
        (first, grid): (&Comparisons, &Grid),
        (second, other): (&Comparisons, &Grid),
        bootstrap: Bootstrap,
    ) -> Option<Self> {
        assert_eq!(first.images(), second.images(), "both compare the same images");
        assert_eq!(grid.rates(), other.rates(), "both are asked for the same FMRs");
        let n_thresholds = grid.thresholds().len();
        assert_eq!(n_thresholds, other.thresholds().len(), "each threshold has its other");
        let measured = [Measures::of(first, grid), Measures::of(second, other)];
        let drawn = bootstrap.draws(first, |copies| {
            Some([
                Measures::weighted(first, grid, copies)?,
                Measures::weighted(second, other, copies)?,
            ])
        });
        let of = |figure: &dyn Fn(&Measures) -> f64| {
            let less = |[first, second]: &[Measures; 2]| figure(second) - figure(first);
            Difference::of(less(&measured), drawn.iter().map(less).collect())
        };
        Some(Self {
            eer: of(&|measures| measures.eer)?,
            auc: of(&|measures| measures.auc)?,
            fnmr_at: (0..grid.rates().len())
                .map(|at| of(&|measures| measures.fnmr_at[at]))
                .collect::<Option<_>>()?,
            threshold_fmr: (0..n_thresholds)
                .map(|at| of(&|measures| measures.rates_at[at].fmr))
                .collect::<Option<_>>()?,
            threshold_fnmr: (0..n_thresholds)
                .map(|at| of(&|measures| measures.rates_at[at].fnmr))
                .collect::<Option<_>>()?,
        })
    }
}

impl Difference {
    pub(super) fn of(value: f64, drawn: Vec<f64>) -> Option<Self> {
        let count = |is_there: &dyn Fn(f64) -> bool| {
            u32::try_from(drawn.iter().filter(|difference| is_there(**difference)).count())
                .unwrap_or(u32::MAX)
        };
        let rarer =
            count(&|difference| difference <= 0.0).min(count(&|difference| 0.0 <= difference));
        let resamples = f64::from(u32::try_from(drawn.len()).unwrap_or(u32::MAX));
        let p_value = (2.0 * f64::from(rarer.max(1)) / resamples).min(1.0);
        Some(Self { value, interval: Interval::of(drawn.into_iter())?, p_value })
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::score::{Embedding, Threshold};

    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 300, seed: 5 };

    fn between(first: &Comparisons, second: &Comparisons, grid: &Grid) -> Differences {
        Differences::between((first, grid), (second, grid), BOOTSTRAP).expect("resamples")
    }

    fn made_identities(spread: f32, shift: u8) -> Comparisons {
        let images_of = |identity: u8| {
            let image = |at: u8| {
                let place = identity.wrapping_mul(37).wrapping_add(at.wrapping_mul(101)) ^ shift;
                Embedding::new([f32::from(identity) + spread * f32::from(place % 64) / 64.0])
            };
            (0..4).map(|at| image(at).expect("a point")).collect()
        };
        Comparisons::new(&(0..20).map(images_of).collect::<Vec<_>>()).expect("pairs")
    }

    #[test]
    fn a_model_does_not_differ_from_itself() {
        let made_identities = made_identities(1.5, 0);
        let Differences { eer, fnmr_at, .. } =
            between(&made_identities, &made_identities, &Grid::new([0.1]));
        assert!(eer.value.abs() < 1e-12 && fnmr_at[0].interval.high.abs() < 1e-12);
        assert!((eer.p_value - 1.0).abs() < 1e-12, "{eer:?}");
    }

    #[test]
    fn a_much_better_model_is_significantly_better() {
        let [worse, better] = [made_identities(3.0, 0), made_identities(0.8, 0)];
        let Differences { eer, auc, .. } = between(&worse, &better, &Grid::new([0.1]));
        assert!(eer.interval.high < 0.0 && 0.0 < auc.interval.low, "{eer:?} {auc:?}");
        assert!(eer.p_value < 0.05, "{eer:?}");
    }

    #[test]
    fn other_noise_is_not_significant() {
        let [one, other] = [made_identities(1.5, 0), made_identities(1.5, 21)];
        let eer = between(&one, &other, &Grid::new([])).eer;
        assert!(0.05 < eer.p_value && eer.interval.low < 0.0 && 0.0 < eer.interval.high, "{eer:?}");
    }

    #[test]
    fn each_model_is_measured_at_its_own_threshold() {
        let made_identities = made_identities(1.5, 0);
        let at = |value: f64| Grid::new([]).with_thresholds(Threshold::try_from(value));
        let found = Differences::between(
            (&made_identities, &at(0.0)),
            (&made_identities, &at(100.0)),
            BOOTSTRAP,
        );
        let found = found.expect("resamples");
        // From nearly no match to all.
        assert!(0.9 < found.threshold_fmr[0].value, "{found:?}");
        assert!(found.threshold_fnmr[0].value < -0.5, "{found:?}");
    }

    #[test]
    fn without_resamples_there_are_no_differences() {
        let made_identities = made_identities(1.0, 0);
        let none = Bootstrap { resamples: 0, seed: 0 };
        let grid = Grid::new([]);
        assert_eq!(
            Differences::between((&made_identities, &grid), (&made_identities, &grid), none),
            None
        );
    }
}
