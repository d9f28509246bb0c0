//! Operating points with intervals.

use std::fmt::{Display, Formatter};

use serde::Serialize;
use siamese_core::score::{Rates, Threshold};

use super::TABLE_FMRS;
use crate::statistics::{Band, Grid, Interval, Measures, RatesInterval};

/// The criterion that a threshold was chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// The threshold that is in use.
    InForce,
    /// Equal errors on the evaluated pairs.
    EqualErrors,
    /// The largest threshold with at most this FMR on the evaluated pairs.
    Fmr(f64),
}

/// A threshold and its errors, with intervals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operating {
    /// The criterion of the threshold.
    pub aim: Aim,
    /// The threshold.
    pub threshold: Threshold,
    /// The interval of the thresholds that the criterion gives on resamples; `None` for the threshold in use, and without
    /// resamples.
    pub threshold_interval: Option<Interval>,
    /// The errors at the threshold.
    pub rates: Rates,
    /// The intervals of the errors at this threshold; `None` without resamples.
    pub rates_interval: Option<RatesInterval>,
}

impl Display for Aim {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InForce => f.pad("in use"),
            Self::EqualErrors => f.pad("equal errors"),
            Self::Fmr(fmr) => f.pad(&format!("FMR up to {} %", 100.0 * fmr)),
        }
    }
}

/// Returns the criteria of the table with their thresholds on the evaluated pairs, from the most lenient.
pub(super) fn chosen(grid: &Grid, measures: &Measures) -> Vec<(Aim, Threshold)> {
    let by_fmr = TABLE_FMRS
        .iter()
        .filter_map(|fmr| Some((Aim::Fmr(*fmr), measures.threshold_at[index(grid, *fmr)?])));
    [(Aim::EqualErrors, measures.eer_threshold)]
        .into_iter()
        .chain(by_fmr)
        .filter_map(|(aim, it)| Some((aim, Threshold::try_from(it).ok()?)))
        .collect()
}

impl Operating {
    /// Looks up the results of a threshold of the grid.
    pub(super) fn of(
        (aim, threshold): (Aim, Threshold),
        grid: &Grid,
        measures: &Measures,
        band: Option<&Band>,
    ) -> Option<Self> {
        let threshold_index =
            grid.thresholds().iter().position(|candidate| *candidate == threshold)?;
        let threshold_interval = band.and_then(|band| match aim {
            Aim::InForce => None,
            Aim::EqualErrors => Some(band.eer_threshold),
            Aim::Fmr(fmr) => Some(band.threshold_at[index(grid, fmr)?]),
        });
        Some(Self {
            aim,
            threshold,
            threshold_interval,
            rates: measures.rates_at[threshold_index],
            rates_interval: band.map(|band| band.rates_at[threshold_index]),
        })
    }
}

fn index(grid: &Grid, fmr: f64) -> Option<usize> {
    grid.rates().iter().position(|rate| rate.to_bits() == fmr.to_bits())
}
