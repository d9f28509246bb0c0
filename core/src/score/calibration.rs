//! A model's error rates, measured on pairs outside its training data.
//!
//! The trainer writes a calibration into the model's file. The server reads it from any file, so it checks every
//! value.

mod table;
mod unseen;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::scores::{by_balance, count, rounded, share};
use super::{
    Distance, NoPairs, OperatingPoint, Probability, Rates, Scores, Threshold, UnsupportedFmr,
};
use table::Table;

pub use table::InvalidTable;
pub use unseen::{InvalidUnseen, Unseen};

/// The error rates of a model by threshold, and the probability of a distance.
///
/// In JSON: `{"data": "orl-faces", "split": "identities unseen in training", "identities": 10, "same_pairs": 450,
/// "different_pairs": 4500, "eer": 0.04, "table": [[0.0, 0, 450], …], "probability": {"intercept": 9.1, "slope":
/// -8.7}}`. A row of the table is a threshold, the number of different pairs called same at it, and the number of same
/// pairs called different. `probability` and `unseen` may be missing; `unseen` holds [errors on a hold-out](Unseen).
///
/// Invariant: there are at least two identities and a pair of each kind. Rates lie in `[0, 1]`. The table's thresholds
/// ascend; its false matches never fall, and its false non-matches never rise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Calibration {
    data: String,
    split: String,
    identities: u64,
    same_pairs: u64,
    different_pairs: u64,
    eer: f64,
    table: Table,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<Probability>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<Unseen>,
}

/// Why no calibration can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CalibrationError {
    /// There are no different pairs.
    #[error("a calibration needs at least 2 identities, not {0}")]
    TooFewIdentities(u64),
    /// One of the two error rates can't be measured.
    #[error(transparent)]
    NoPairs(#[from] NoPairs),
}

/// Why a file's numbers are not a [`Calibration`].
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum InvalidCalibration {
    /// There are no different pairs.
    #[error("the calibration has {0} identities, but needs at least 2")]
    TooFewIdentities(u64),
    /// One of the two error rates can't have been measured.
    #[error("the calibration has no same or no different pairs")]
    NoPairs,
    /// The EER is not a rate.
    #[error("the calibration's EER, {0}, is not between 0 and 1")]
    Eer(f64),
    /// The table is invalid.
    #[error(transparent)]
    Table(#[from] InvalidTable),
    /// The rates of the hold-out are invalid.
    #[error(transparent)]
    Unseen(#[from] InvalidUnseen),
}

#[derive(Deserialize)]
struct Written {
    data: String,
    split: String,
    identities: u64,
    same_pairs: u64,
    different_pairs: u64,
    eer: f64,
    table: Table,
    probability: Option<Probability>,
    #[serde(default)]
    unseen: Vec<Unseen>,
}

impl TryFrom<Written> for Calibration {
    type Error = InvalidCalibration;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written {
            data,
            split,
            identities,
            same_pairs,
            different_pairs,
            eer,
            table,
            probability,
            unseen,
        } = written;
        if identities < 2 {
            return Err(InvalidCalibration::TooFewIdentities(identities));
        }
        if same_pairs == 0 || different_pairs == 0 {
            return Err(InvalidCalibration::NoPairs);
        }
        if !(0.0..=1.0).contains(&eer) {
            return Err(InvalidCalibration::Eer(eer));
        }
        table.check(same_pairs, different_pairs)?;
        unseen::check(&unseen)?;
        Ok(Self {
            data,
            split,
            identities,
            same_pairs,
            different_pairs,
            eer,
            table,
            probability,
            unseen,
        })
    }
}

impl Calibration {
    /// Measures the distances of same and different pairs of `identities` identities.
    ///
    /// `data` names the images. `split` says how they relate to the training ("identities unseen in training").
    pub fn fit(
        data: &str,
        split: &str,
        identities: u64,
        same: &[Distance],
        different: &[Distance],
    ) -> Result<Self, CalibrationError> {
        if identities < 2 {
            return Err(CalibrationError::TooFewIdentities(identities));
        }
        let scores = Scores::new(same, different)?;
        Ok(Self {
            data: data.to_owned(),
            split: split.to_owned(),
            identities,
            same_pairs: count(same.len()),
            different_pairs: count(different.len()),
            eer: rounded(scores.eer(), 9),
            table: Table::measure(&scores),
            probability: Some(Probability::fit(&scores)),
            unseen: Vec::new(),
        })
    }

    /// Adds the errors of thresholds on identities that were not used to choose them.
    pub fn with_unseen(self, unseen: Vec<Unseen>) -> Result<Self, InvalidUnseen> {
        unseen::check(&unseen)?;
        Ok(Self { unseen, ..self })
    }

    /// The errors of thresholds on identities that were not used to choose them; empty if not measured.
    pub fn unseen(&self) -> &[Unseen] {
        &self.unseen
    }

    /// The name of the measured images.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// How the measured images relate to the training images.
    pub fn split(&self) -> &str {
        &self.split
    }

    /// The number of identities that were compared; at least 2.
    pub fn identities(&self) -> u64 {
        self.identities
    }

    /// The number of measured pairs of one identity; at least 1.
    pub fn same_pairs(&self) -> u64 {
        self.same_pairs
    }

    /// The number of measured pairs of two identities; at least 1.
    pub fn different_pairs(&self) -> u64 {
        self.different_pairs
    }

    /// The equal error rate, in `[0, 1]`, by [`equal_error_rate`](super::equal_error_rate).
    pub fn eer(&self) -> f64 {
        self.eer
    }

    /// The table's operating points, by ascending threshold: FMR never falls, FNMR never rises.
    ///
    /// There is at least one. Their curve is the measured one, reduced to fewer points.
    pub fn operating_points(&self) -> impl DoubleEndedIterator<Item = OperatingPoint> {
        self.table.rows().iter().map(|row| row.rates(self.same_pairs, self.different_pairs))
    }

    /// The error rates at any threshold.
    ///
    /// Exact at the table's thresholds. Between two of them, each rate is that of the worse neighbour, so no rate is
    /// lower than the measured one: FMR of the next threshold, FNMR of the previous one. Before the first threshold
    /// FNMR is 1, and after the last one FMR is 1.
    pub fn at(&self, threshold: Threshold) -> OperatingPoint {
        let rows = self.table.rows();
        let rates = |row: &table::Row| row.rates(self.same_pairs, self.different_pairs);
        let above = rows.partition_point(|row| row.threshold() < threshold);
        if let Some(row) = rows.get(above).filter(|row| row.threshold() == threshold) {
            return rates(row);
        }
        OperatingPoint {
            threshold,
            fmr: rows.get(above).map_or(1.0, |row| rates(row).fmr),
            fnmr: above.checked_sub(1).map_or(1.0, |below| rates(&rows[below]).fnmr),
        }
    }

    /// The operating point with the largest threshold whose FMR is at most `fmr`.
    ///
    /// By the rule of 3, `n` trials without an error support an error rate of `3 / n`, and no smaller one, at 95 %
    /// confidence (ISO/IEC 19795-1). A smaller FMR is refused. The rule assumes independent pairs, but pairs of the
    /// same few identities are not independent. The true limit is therefore higher than the one enforced here.
    pub fn for_fmr(&self, fmr: f64) -> Result<OperatingPoint, UnsupportedFmr> {
        // The condition is also true for NaN.
        if !(0.0 < fmr && fmr < 1.0) {
            return Err(UnsupportedFmr::OutOfRange(fmr));
        }
        let smallest = 3.0 * share(1, self.different_pairs);
        if fmr < share(3, self.different_pairs) {
            let different_pairs = self.different_pairs;
            return Err(UnsupportedFmr::TooFewPairs { fmr, different_pairs, smallest });
        }
        self.operating_points().rfind(|point| point.fmr <= fmr).ok_or_else(|| {
            let at_zero = self.operating_points().next().map_or(1.0, |point| point.fmr);
            UnsupportedFmr::Unreachable { fmr, at_zero }
        })
    }

    /// The operating point nearest to the equal error rate: the one whose larger error is smallest, and then its
    /// smaller error. If several qualify, the one with the smallest threshold.
    #[expect(clippy::missing_panics_doc, reason = "a table has at least one row")]
    pub fn eer_point(&self) -> OperatingPoint {
        let rates = |point: &OperatingPoint| Rates { fmr: point.fmr, fnmr: point.fnmr };
        self.operating_points()
            .min_by(|a, b| by_balance(rates(a), rates(b)))
            .expect("a table has at least one row")
    }

    /// The probability that two images at this distance show the same identity, at equal priors, in `[0, 1]`. It never
    /// rises with the distance. `None` if the model's file states no curve.
    pub fn probability(&self, distance: Distance) -> Option<f64> {
        self.probability.map(|curve| curve.at(distance))
    }
}

#[cfg(test)]
mod tests;
