//! A table of errors by threshold, reduced to the points that a curve needs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::score::scores::{Step, by_balance, count, rounded, share};
use crate::score::{OperatingPoint, Rates, Scores, Threshold};

/// A limit above the rows that [`Table::measure`] writes and that other tools need.
const MAX_ROWS: usize = 4096;

/// The number of even steps of each error rate from 0 to 1.
const EVEN_STEPS: u32 = 56;

/// The number of geometric steps of each error rate, from one pair to all pairs.
///
/// With the even steps and the round numbers, a table has at most 236 rows.
const TAIL_STEPS: u32 = 48;

/// One threshold, and the numbers of wrong verdicts at it: false matches and false non-matches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row(Threshold, u64, u64);

/// Rows by ascending threshold.
///
/// Invariant, once [checked](Table::check): that of [`Calibration`](super::Calibration).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Table(Vec<Row>);

/// Why rows are not a valid table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidTable {
    /// There is no row, or there are too many.
    #[error("the calibration's table has {0} rows, but must have 1 to {MAX_ROWS}")]
    Length(usize),
    /// The threshold is not greater than the previous one.
    #[error(
        "the threshold in row {0} of the calibration's table is not greater than the previous one"
    )]
    Unsorted(usize),
    /// A larger threshold has fewer false matches, or more false non-matches.
    #[error("the errors in row {0} of the calibration's table contradict the previous row")]
    NotMonotone(usize),
    /// There are more errors than pairs.
    #[error("row {0} of the calibration's table has more errors than there are pairs")]
    TooManyErrors(usize),
}

impl Row {
    pub(super) fn threshold(&self) -> Threshold {
        self.0
    }

    pub(super) fn rates(&self, same_pairs: u64, different_pairs: u64) -> OperatingPoint {
        let Self(threshold, false_matches, false_non_matches) = *self;
        OperatingPoint {
            threshold,
            fmr: share(false_matches, different_pairs),
            fnmr: share(false_non_matches, same_pairs),
        }
    }
}

impl Table {
    /// Selects the steps that describe both error curves, evenly and towards 0. Adds those that users request: around
    /// the EER, and at FMRs of 1, 2 and 5 times a power of ten.
    pub(super) fn measure(scores: &Scores) -> Self {
        let steps = scores.steps();
        let [same, different] = [scores.same().len(), scores.different().len()].map(count);
        let last = steps.len() - 1;
        // The largest threshold with an FMR of at most this; the first if there is none.
        let last_within = |fmr: f64| {
            steps
                .partition_point(|step| share(step.false_matches, different) <= fmr)
                .saturating_sub(1)
        };
        // The smallest threshold with an FNMR of at most this.
        let first_within =
            |fnmr: f64| steps.partition_point(|step| fnmr < share(step.false_non_matches, same));
        let crossing = steps.partition_point(|step| {
            share(step.false_matches, different) <= share(step.false_non_matches, same)
        });
        let rates = |step: &Step| Rates {
            fmr: share(step.false_matches, different),
            fnmr: share(step.false_non_matches, same),
        };
        let best = (0..=last)
            .min_by(|a, b| by_balance(rates(&steps[*a]), rates(&steps[*b])))
            .unwrap_or_default();
        let even = (0..=EVEN_STEPS).map(|index| f64::from(index) / f64::from(EVEN_STEPS));
        let tail = |pairs: u64| {
            (0..TAIL_STEPS).map(move |index| {
                share(1, pairs).powf(1.0 - f64::from(index) / f64::from(TAIL_STEPS))
            })
        };
        let round =
            (1..=7).flat_map(|exponent| [1.0, 2.0, 5.0].map(|digit| digit / 10_f64.powi(exponent)));
        let picked: BTreeSet<usize> = if steps.len() <= 256 {
            (0..=last).collect()
        } else {
            [0, crossing.saturating_sub(1), crossing.min(last), best, last]
                .into_iter()
                .chain(even.clone().chain(tail(different)).chain(round).map(last_within))
                .chain(even.chain(tail(same)).map(first_within))
                .collect()
        };
        let row = |index: usize| {
            let step = steps[index];
            let value = step.threshold();
            // If no short number fits between two distances, they are too close to be told apart.
            let is_short = value.to_bits() == rounded(value, 15).to_bits();
            let threshold =
                Threshold::try_from(value).expect("every distance is a valid threshold");
            is_short.then_some(Row(threshold, step.false_matches, step.false_non_matches))
        };
        Self(picked.into_iter().filter_map(row).collect())
    }

    /// Checks rows that were read from a file.
    pub(super) fn check(&self, same_pairs: u64, different_pairs: u64) -> Result<(), InvalidTable> {
        let Self(rows) = self;
        if rows.is_empty() || MAX_ROWS < rows.len() {
            return Err(InvalidTable::Length(rows.len()));
        }
        for (index, Row(_, false_matches, false_non_matches)) in rows.iter().enumerate() {
            if different_pairs < *false_matches || same_pairs < *false_non_matches {
                return Err(InvalidTable::TooManyErrors(index));
            }
        }
        for (index, pair) in rows.windows(2).enumerate() {
            let [Row(low, fewer, more), Row(high, many, few)] = [pair[0], pair[1]];
            if high <= low {
                return Err(InvalidTable::Unsorted(index + 1));
            }
            if many < fewer || more < few {
                return Err(InvalidTable::NotMonotone(index + 1));
            }
        }
        Ok(())
    }

    /// The rows, at least one, by ascending threshold.
    pub(super) fn rows(&self) -> &[Row] {
        &self.0
    }
}
