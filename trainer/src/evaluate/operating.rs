//! The thresholds one might work at, and how sure their errors are.

use std::fmt::{Display, Formatter};

use serde::Serialize;
use siamese_core::score::{Rates, Threshold};

use super::TABLE_FMRS;
use crate::statistics::{Band, Grid, Interval, Measures, RatesInterval};

/// What a threshold was chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// It is the one in force.
    InForce,
    /// Equal errors on these very pairs.
    EqualErrors,
    /// The largest with at most this FMR on these very pairs.
    Fmr(f64),
}

/// A threshold, the errors at it, and how both would vary with other identities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operating {
    /// What it was chosen for.
    pub aim: Aim,
    /// The threshold.
    pub threshold: Threshold,
    /// Which threshold the same aim would choose; `None` for one in force, and without resamples.
    pub threshold_interval: Option<Interval>,
    /// The errors at the threshold.
    pub rates: Rates,
    /// The errors at this very threshold; `None` without resamples.
    pub rates_interval: Option<RatesInterval>,
}

impl Display for Aim {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InForce => f.pad("in force"),
            Self::EqualErrors => f.pad("equal errors"),
            Self::Fmr(fmr) => f.pad(&format!("FMR up to {} %", 100.0 * fmr)),
        }
    }
}

/// The aims of the table with the thresholds that these pairs ask for, from the most lenient.
pub(super) fn chosen(grid: &Grid, measures: &Measures) -> Vec<(Aim, Threshold)> {
    let by_fmr = TABLE_FMRS
        .iter()
        .filter_map(|fmr| Some((Aim::Fmr(*fmr), measures.threshold_at[place(grid, *fmr)?])));
    [(Aim::EqualErrors, measures.eer_threshold)]
        .into_iter()
        .chain(by_fmr)
        .filter_map(|(aim, it)| Some((aim, Threshold::try_from(it).ok()?)))
        .collect()
}

impl Operating {
    /// Looks up the figures of a threshold that stands in the grid.
    pub(super) fn of(
        (aim, threshold): (Aim, Threshold),
        grid: &Grid,
        measures: &Measures,
        band: Option<&Band>,
    ) -> Option<Self> {
        let at = grid.thresholds().iter().position(|it| *it == threshold)?;
        let threshold_interval = band.and_then(|band| match aim {
            Aim::InForce => None,
            Aim::EqualErrors => Some(band.eer_threshold),
            Aim::Fmr(fmr) => Some(band.threshold_at[place(grid, fmr)?]),
        });
        Some(Self {
            aim,
            threshold,
            threshold_interval,
            rates: measures.rates_at[at],
            rates_interval: band.map(|it| it.rates_at[at]),
        })
    }
}

fn place(grid: &Grid, fmr: f64) -> Option<usize> {
    grid.rates().iter().position(|it| it.to_bits() == fmr.to_bits())
}
