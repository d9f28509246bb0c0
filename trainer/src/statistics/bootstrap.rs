//! Bootstrap intervals: how much results would vary with other identities.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::{Comparisons, Grid, Measures, real};

/// The settings of the resampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// The number of resamples; 1000 is usual.
    pub resamples: u32,
    /// The same seed gives the same intervals, on any number of threads.
    pub seed: u64,
}

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The 2.5th percentile.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

/// The intervals of [`Measures`].
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Of the equal error rate.
    pub eer: Interval,
    /// Of the area under the ROC.
    pub auc: Interval,
    /// Of the FNMR at each FMR of the grid.
    pub fnmr_at: Vec<Interval>,
    /// Of the threshold chosen at each FMR of the grid.
    pub threshold_at: Vec<Interval>,
    /// Of the threshold chosen where errors are equal.
    pub eer_threshold: Interval,
    /// Of FMR and FNMR at each fixed threshold of the grid.
    pub rates_at: Vec<RatesInterval>,
}

/// The intervals of both errors at one threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatesInterval {
    /// Of the FMR.
    pub fmr: Interval,
    /// Of the FNMR.
    pub fnmr: Interval,
    /// The standard deviation of the FMR.
    pub fmr_deviation: f64,
}

impl Bootstrap {
    /// Computes intervals from resamples: each draws as many identities as there are, with replacement.
    ///
    /// Identities are drawn, not pairs. Pairs that share an identity are not independent, and drawing pairs would make the
    /// intervals far too narrow (R. Bolle, N. Ratha, S. Pankanti, *Error analysis of pattern recognition systems: the
    /// subsets bootstrap*, 2004). An identity that is drawn twice counts as two identities whose images are never compared
    /// with each other. A draw without same pairs or without different pairs is repeated. Intervals are plain percentiles.
    ///
    /// For listed pairs, components are drawn.
    ///
    /// Returns `None` if `resamples` is 0, or if there is only one component.
    pub fn intervals(&self, comparisons: &Comparisons, grid: &Grid) -> Option<Band> {
        let drawn: Vec<Measures> =
            self.draws(comparisons, |copies| Measures::weighted(comparisons, grid, copies));
        let of = |figure: &dyn Fn(&Measures) -> f64| Interval::of(drawn.iter().map(figure));
        let rates_at = |at: usize| {
            Some(RatesInterval {
                fmr: of(&|measures| measures.rates_at[at].fmr)?,
                fnmr: of(&|measures| measures.rates_at[at].fnmr)?,
                fmr_deviation: deviation(drawn.iter().map(|measures| measures.rates_at[at].fmr)),
            })
        };
        let n_rates = grid.rates().len();
        Some(Band {
            eer: of(&|measures| measures.eer)?,
            auc: of(&|measures| measures.auc)?,
            fnmr_at: (0..n_rates)
                .map(|at| of(&|measures| measures.fnmr_at[at]))
                .collect::<Option<_>>()?,
            threshold_at: (0..n_rates)
                .map(|at| of(&|measures| measures.threshold_at[at]))
                .collect::<Option<_>>()?,
            eer_threshold: of(&|measures| measures.eer_threshold)?,
            rates_at: (0..grid.thresholds().len()).map(rates_at).collect::<Option<_>>()?,
        })
    }

    /// Calls `measure` for each resample with the number of copies of each identity. A draw for which it returns `None` is
    /// repeated. It must not return `None` if each identity is drawn once.
    pub(super) fn draws<T: Send>(
        &self,
        comparisons: &Comparisons,
        measure: impl Fn(&[u64]) -> Option<T> + Sync,
    ) -> Vec<T> {
        let is_counted = |unit: &usize| 0 < comparisons.images()[*unit];
        let n_units = comparisons.images().len();
        let units: Vec<usize> = (0..n_units).filter(is_counted).collect();
        self.draws_of(&units, n_units, measure)
    }

    /// Computes the interval of a figure of `n_units` units. `figure` takes the number of copies of each. A draw for which it
    /// returns `None` is repeated. It must not return `None` if each unit is drawn once.
    ///
    /// Returns `None` if `resamples` is 0, or if there is only one unit.
    pub fn interval(
        &self,
        n_units: usize,
        figure: impl Fn(&[u64]) -> Option<f64> + Sync,
    ) -> Option<Interval> {
        let units: Vec<usize> = (0..n_units).collect();
        Interval::of(self.draws_of(&units, n_units, figure).into_iter())
    }

    /// As [`draws`](Self::draws), of these of `n_units` units.
    fn draws_of<T: Send>(
        &self,
        units: &[usize],
        n_units: usize,
        measure: impl Fn(&[u64]) -> Option<T> + Sync,
    ) -> Vec<T> {
        // With one unit, all resamples are equal.
        let resamples = if units.len() < 2 { 0 } else { self.resamples };
        (0..resamples)
            .into_par_iter()
            .map(|resample| {
                // Each resample has its own random stream, so the result does not depend on the threads.
                let mut random = ChaCha8Rng::seed_from_u64(self.seed);
                random.set_stream(u64::from(resample));
                redraw(units, n_units, &measure, &mut random)
            })
            .collect()
    }
}

impl Interval {
    /// Returns the interval of a share: `part` of `whole` independent trials (E. Wilson, *Probable inference, the law of
    /// succession, and statistical inference*, 1927). It is from 0 to 1 without a trial.
    pub fn of_share(part: usize, whole: usize) -> Self {
        /// The quantile of the normal distribution.
        const Z: f64 = 1.96;
        if whole == 0 {
            return Self { low: 0.0, high: 1.0 };
        }
        let (share, trials) = (real(part) / real(whole), real(whole));
        let weight = 1.0 + Z * Z / trials;
        let middle = (share + Z * Z / (2.0 * trials)) / weight;
        let half =
            Z * (share * (1.0 - share) / trials + (Z / (2.0 * trials)).powi(2)).sqrt() / weight;
        Self { low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
    }

    /// Returns the interval of some values; `None` if there are none.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        // A fortieth of the values is outside on each side.
        let outside = sorted.len() / 40;
        let low = *sorted.get(outside)?;
        let high = *sorted.get(sorted.len() - 1 - outside)?;
        Some(Self { low, high })
    }
}

fn redraw<T>(
    units: &[usize],
    n_units: usize,
    measure: impl Fn(&[u64]) -> Option<T>,
    random: &mut ChaCha8Rng,
) -> T {
    // The loop ends, because drawing each unit once is possible and can be measured.
    loop {
        let mut copies = vec![0; n_units];
        for _ in units {
            copies[units[random.random_range(0..units.len())]] += 1;
        }
        if let Some(measured) = measure(&copies) {
            return measured;
        }
    }
}

/// Returns the standard deviation of a population.
fn deviation(values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "resamples are a u32")]
    let count = values.len().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Embedding;

    use super::*;

    /// Identities around whole numbers, each with images spread by `spread`.
    fn made_identities(identities: u8, images: u8, spread: f32) -> Comparisons {
        let place = |identity: u8, at: u8| {
            let shift =
                f32::from(identity.wrapping_mul(37).wrapping_add(at.wrapping_mul(101)) % 64);
            Embedding::new([f32::from(identity) + spread * shift / 64.0]).expect("a point")
        };
        let images_of = |identity| (0..images).map(|at| place(identity, at)).collect();
        Comparisons::new(&(0..identities).map(images_of).collect::<Vec<_>>()).expect("pairs")
    }

    #[test]
    fn the_same_seed_gives_the_same_intervals_and_another_seed_others() {
        let made_identities = made_identities(8, 4, 1.5);
        let grid = Grid::new([0.1]);
        let draw = |seed| Bootstrap { resamples: 200, seed }.intervals(&made_identities, &grid);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn intervals_contain_the_result_and_narrow_with_more_identities() {
        let grid = Grid::new([0.05, 0.1]);
        let widths = [8, 64].map(|identities| {
            let made_identities = made_identities(identities, 4, 1.5);
            let measures = Measures::of(&made_identities, &grid);
            let band = Bootstrap { resamples: 400, seed: 7 }.intervals(&made_identities, &grid);
            let Interval { low, high } = band.expect("resamples").eer;
            assert!(low < measures.eer && measures.eer < high, "{low} {measures:?} {high}");
            high - low
        });
        assert!(widths[1] < widths[0] / 1.5, "{widths:?}");
    }

    #[test]
    fn two_identities_are_enough() {
        let band = Bootstrap { resamples: 50, seed: 0 }
            .intervals(&made_identities(2, 3, 0.1), &Grid::new([]));
        // Only the draw with both is left, so nothing varies.
        let Interval { low, high } = band.expect("resamples").eer;
        assert!(low.abs() < 1e-12 && high.abs() < 1e-12);
    }

    #[test]
    fn more_pairs_in_a_component_do_not_narrow_the_interval() {
        // Eight components of one pair each, or the same pairs four times over within each.
        let images_of =
            |identity: u8| (0..5).map(move |at: u8| f32::from(at.min(1)) * f32::from(identity % 5));
        let points: Vec<Vec<_>> = (0..8)
            .map(|identity| {
                images_of(identity).map(|value| Embedding::new([value]).expect("a point")).collect()
            })
            .collect();
        let width = |n_pairs: u32| {
            let pairs: Vec<_> = (0..8)
                .flat_map(|identity| {
                    (1..=n_pairs)
                        .map(move |image| ([[identity, 0], [identity, image]], identity % 2 == 0))
                })
                .collect();
            let listed = Comparisons::listed(&points, &pairs).expect("pairs");
            let band = Bootstrap { resamples: 400, seed: 7 }.intervals(&listed, &Grid::new([]));
            let Interval { low, high } = band.expect("resamples").auc;
            high - low
        };
        assert!((width(1) - width(4)).abs() < 1e-12 && 0.1 < width(1), "{}", width(1));
    }

    #[test]
    fn one_component_gives_no_interval() {
        let points =
            vec![[0.0, 1.0, 3.0].map(|value| Embedding::new([value]).expect("a point")).into()];
        let pairs = [([[0, 0], [0, 1]], true), ([[0, 0], [0, 2]], false)];
        let listed = Comparisons::listed(&points, &pairs).expect("pairs");
        let bootstrap = Bootstrap { resamples: 50, seed: 0 };
        assert_eq!(bootstrap.intervals(&listed, &Grid::new([])), None);
    }

    #[test]
    fn the_interval_of_a_share_is_wilsons() {
        // The textbook values for 0 and 10 of 100.
        let Interval { low, high } = Interval::of_share(0, 100);
        assert!(low.abs() < 1e-9 && (high - 0.0370).abs() < 1e-4, "{low} {high}");
        let Interval { low, high } = Interval::of_share(10, 100);
        assert!((low - 0.0552).abs() < 1e-4 && (high - 0.1744).abs() < 1e-4, "{low} {high}");
        assert_eq!(Interval::of_share(0, 0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn a_figure_of_units_has_an_interval() {
        let mean = |copies: &[u64]| Some(super::super::real64(copies[1] + 3 * copies[2]) / 3.0);
        let bootstrap = Bootstrap { resamples: 400, seed: 7 };
        let Interval { low, high } = bootstrap.interval(3, mean).expect("resamples");
        assert!(low < 4.0 / 3.0 && 4.0 / 3.0 < high, "{low} {high}");
        assert_eq!(bootstrap.interval(1, |_| Some(0.0)), None);
    }

    #[test]
    fn an_interval_leaves_out_a_fortieth_on_either_side() {
        let Interval { low, high } = Interval::of((0..=1000).map(f64::from)).expect("values");
        assert!((low - 25.0).abs() < 1e-12 && (high - 975.0).abs() < 1e-12, "{low} {high}");
        assert_eq!(Interval::of(std::iter::empty()), None);
    }
}
